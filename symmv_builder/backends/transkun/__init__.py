"""Transkun (Yan and Duan, "Scoring Time Intervals Using Non-Hierarchical Transformer for
Automatic Piano Transcription", ISMIR 2024): the default piano transcriber.

The network's parts and weights come from the package; loading, the order of evaluation
(`encoder`), the search for notes (`intervals`) and the joining of segments (`segments`) are
ours, and give the notes of the package's own program: `benchmarks/transcription.py` runs both
side by side. Its class asks torchaudio for a mel filter bank, but the checkpoint holds that
filter bank too: where torchaudio cannot be imported, a stand-in gives an empty one of the right
shape, and strict loading makes sure that it is filled.
"""

import importlib.machinery
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    hash_files,
    package_folder,
    package_version,
)
from symmv_builder.backends.slots import PianoTranscriber
from symmv_builder.errors import StopRun
from symmv_builder.records import Notes

SUSTAIN = -64


def _weights() -> tuple[Path, Path]:
    folder = package_folder("transkun") / "pretrained"
    return folder / "2.0.pt", folder / "2.0.conf"


@final
class Transkun(PianoTranscriber):
    """Samples at 44.1 kHz, channels as they are, to notes and pedal."""

    rate_hz = 44100
    mono = False

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("transkun", package_version("transkun"), hash_files(_weights()))

    @classmethod
    def about(cls) -> About:
        return About("Transkun 2.0", "MIT", "in the package transkun")

    def __init__(self, home: ModelHome) -> None:
        import torch

        from symmv_builder.backends.transkun.segments import Transcriber

        checkpoint, conf = _weights()
        with _torchaudio(torch):
            from transkun.ModelTransformer import ModelConfig, TransKun

            config = ModelConfig()
            config.__dict__.update(json.loads(conf.read_text())["Model"]["config"])
            self._model: Any = TransKun(config)
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        try:
            self._model.load_state_dict(state.get("best_state_dict", state["state_dict"]))
        except (KeyError, RuntimeError) as error:
            raise StopRun(f"the weights of transkun do not fit its model: {error}") from error
        self._model.to(home.device).eval()
        self._torch, self._device = torch, home.device
        with torch.inference_mode():
            self._transcriber = Transcriber(self._model)
        if self._model.fs != self.rate_hz:
            raise StopRun(f"transkun wants {self._model.fs} Hz, not {self.rate_hz}: update us")

    def transcribe(self, samples: NDArray[np.float32]) -> Notes:
        """Notes, velocities and sustain pedal of samples ``[n, channels]``."""
        with self._torch.inference_mode():
            sound = self._torch.from_numpy(np.array(samples)).to(self._device)
            events = self._transcriber.transcribe(sound)
        notes = sorted(
            (event.start_s, event.pitch, event.end_s, event.velocity)
            for event in events
            if event.pitch > 0
        )
        table = np.array(notes, dtype=np.float64).reshape(-1, 4)
        pedal = sorted((event.start_s, event.end_s) for event in events if event.pitch == SUSTAIN)
        spans = np.array(pedal, dtype=np.float64).reshape(-1, 2)
        return Notes(
            starts_s=table[:, 0],
            ends_s=table[:, 2],
            pitches=table[:, 1].astype(np.int64),
            velocities=table[:, 3].astype(np.int64).clip(1, 127),
            pedal_starts_s=spans[:, 0],
            pedal_ends_s=spans[:, 1],
        )


@contextmanager
def _torchaudio(torch: Any) -> Iterator[None]:
    """Within, ``import torchaudio`` works: the real one, or the one function that is asked for."""
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        stand_in = ModuleType("torchaudio")
        stand_in.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
        functional = ModuleType("torchaudio.functional")
        functional.melscale_fbanks = (  # type: ignore[attr-defined]
            lambda n_freqs, n_mels, **_: torch.zeros(n_freqs, n_mels)
        )
        stand_in.functional = functional  # type: ignore[attr-defined]
        # A half-imported real one may have been left behind by the failure.
        left = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_part(name)}
        sys.modules["torchaudio"] = stand_in
        try:
            yield
        finally:
            del sys.modules["torchaudio"]
            sys.modules.update(left)
    else:
        yield


def _is_part(name: str) -> bool:
    return name == "torchaudio" or name.startswith("torchaudio.")
