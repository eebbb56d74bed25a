"""Take voices, or other stems, out of a recording: what is left is a recording for later steps.

A recipe says which steps read it, by `inputs = { music = "separate" }`; all others read the
recording as it came. VidMuse removes vocals and speech this way (Tian et al. 2025, "Fine-grained
filtering"). The result has the clock and the length of the recording.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.slots import SourceSeparator
from symmv_builder.errors import WrongSetting
from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step
from symmv_builder.records import SoundFile


class _StemListener:
    mono = False
    block_s: float | None = None

    def __init__(self, model: SourceSeparator, keep: tuple[str, ...]) -> None:
        self.rate_hz: int | None = model.rate_hz
        self._model, self._keep = model, keep
        self._samples: NDArray[np.float32] = np.zeros((0, 2), dtype=np.float32)

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self._samples = samples if samples.shape[1] == 2 else samples.repeat(2, axis=1)

    def finish(self) -> SoundFile:
        # Imported here: whoever reads a recipe with this step needs no encoder.
        from symmv_builder.backends.pyav.encode import write_sound

        samples = self._model.extract(self._samples, self._keep)
        peak = float(np.abs(samples).max(initial=0.0))
        gain = min(1.0, 1.0 / peak) if peak else 1.0
        with TemporaryDirectory(prefix="symmv-") as folder:
            path = Path(folder, "stems.flac")
            write_sound(path, samples * np.float32(gain), self._model.rate_hz)
            return SoundFile(np.frombuffer(path.read_bytes(), dtype=np.uint8), gain)


def hear_stems(*, model: SourceSeparator, keep: str = "drums, bass, other") -> _StemListener:
    """Sum the model's stems that `keep` names, in 16 bits: without voices by default.

    Mono sound is taken as stereo with two equal channels. `StopRun` for a stem that the model does
    not have.
    """
    names = tuple(name.strip() for name in keep.split(","))
    if unknown := [name for name in names if name not in model.stems]:
        allowed = ", ".join(model.stems)
        raise WrongSetting("keep", keep, f"{unknown[0]!r} is no stem; known: {allowed}", "separate")
    return _StemListener(model, names)


STEP = Step("separate", 1, ("music",), hear_stems, slot="separation", together=listening.listen)
