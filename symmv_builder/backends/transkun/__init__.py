"""Transkun (Yan and Duan, "Scoring Time Intervals Using Non-Hierarchical Transformer for
Automatic Piano Transcription", ISMIR 2024): the default piano transcriber.

The weights and their configuration come out of its package's wheel. The network's modules
(`network`), the order of evaluation (`encoder`), the search for notes (`intervals`) and the
joining of segments (`segments`) are ours, and give the notes of the package's own program:
`benchmarks/transcription.py` runs both side by side.
"""

import json
from typing import final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, hash_files
from symmv_builder.backends.slots import PianoTranscriber
from symmv_builder.backends.wheels import Packed, Wheel, files_of
from symmv_builder.errors import WrongWeights
from symmv_builder.records import Notes
from symmv_builder.text import clean_line

SUSTAIN = -64
# Not measured yet: `benchmarks/gpu.py` compares numbers. The search for notes takes some thousand
# small steps, however many segments it is of.
SEGMENTS_ON_A_GPU = 8
WHEEL = Wheel(
    get="transkun",
    project="transkun",
    version="2.0.1",
    sha256="7d7f5bf88b0d21f7da0415b089cff3bcbcbdda04e1a3c9719964947942c859fe",
    megabytes=51,
    files=(
        Packed(
            "transkun/pretrained/2.0.pt",
            56_408_978,
            "50a80010effc2a59ffcd068a95cd2b29bd7f23a27a3515bc3ccd209c89a3d44c",
        ),
        Packed(
            "transkun/pretrained/2.0.conf",
            782,
            "d3d989214eb148230ee5df476d994dcde6af595904d3f968f1221d2e3bea5ac6",
        ),
    ),
)


@final
class Transkun(PianoTranscriber):
    """Samples at 44.1 kHz, channels as they are, to notes and pedal."""

    rate_hz = 44100
    mono = False
    needs = ("torch",)

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("transkun", WHEEL.version, hash_files(files_of(WHEEL)))

    @classmethod
    def about(cls) -> About:
        return About("Transkun 2.0", "MIT", WHEEL.where, fetched=True)

    def __init__(self, home: ModelHome) -> None:
        import torch

        from symmv_builder.backends.transkun.network import Network
        from symmv_builder.backends.transkun.segments import SegmentDecoder

        checkpoint, conf = files_of(WHEEL)
        try:
            self._model = Network(json.loads(conf.read_text())["Model"]["config"])
            state = torch.load(checkpoint, map_location="cpu", weights_only=True)
            self._model.load_state_dict(state.get("best_state_dict", state["state_dict"]))
        except (KeyError, RuntimeError, ValueError) as error:
            problem = f"the weights of transkun do not fit its model: {clean_line(str(error))}"
            raise WrongWeights("transkun", problem) from error
        self._model.to(home.device).eval()
        self._torch, self._device = torch, home.device
        with torch.inference_mode():
            at_once = SEGMENTS_ON_A_GPU if home.device.startswith("cuda") else 1
            self._transcriber = SegmentDecoder(self._model, at_once)
        if self._model.fs != self.rate_hz:
            problem = f"transkun wants {self._model.fs} Hz, not {self.rate_hz}: update us"
            raise WrongWeights("transkun", problem)

    def transcribe(self, samples: NDArray[np.float32]) -> Notes:
        """Transcribe notes, velocities and sustain pedal of samples ``[n, channels]``."""
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
