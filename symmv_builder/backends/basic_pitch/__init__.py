"""Basic Pitch (Bittner et al., "A Lightweight Instrument-Agnostic Model for Polyphonic
Note Transcription and Multipitch Estimation", ICASSP 2022): the default for music that
is not a piano alone.

Its ONNX model is run straight through onnxruntime, several windows at a time, and `notes.py`
makes notes of the result; of its package only the model's file is used. Pitch bends
are left out: the records have no place for them.
"""

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, hash_files
from symmv_builder.backends.basic_pitch.notes import find_notes
from symmv_builder.backends.slots import PolyphonicTranscriber
from symmv_builder.backends.wheels import Packed, Wheel, files_of
from symmv_builder.records import Notes

WHEEL = Wheel(
    get="basic_pitch",
    project="basic-pitch",
    version="0.4.0",
    sha256="738adb503aae7fdfc7d1e1511aa0ce35052315f260a19531ef4c356708425db0",
    megabytes=0.8,
    files=(
        Packed(
            "basic_pitch/saved_models/icassp_2022/nmp.onnx",
            230_444,
            "2c3c1d144bfa61ad236e92e169c13535c880469a12a047d4e73451f2c059a0ec",
        ),
    ),
)
OUTPUTS = {"note": ":1", "onset": ":2", "contour": ":0"}
# Samples a second and a frame; the samples and the frames that its network sees at once.
RATE_HZ, HOP, WINDOW_SAMPLES, WINDOW_FRAMES = 22050, 256, 43844, 172
OVERLAP_FRAMES = 30
WINDOWS_AT_ONCE = 8
# What each window is later than its frames say, beyond what its length explains.
WINDOW_DELAY_S = 0.0018


@final
class BasicPitch(PolyphonicTranscriber):
    """Mono samples at 22.05 kHz to notes; velocity is its amplitude times 127."""

    rate_hz = RATE_HZ
    mono = True
    needs = ("onnxruntime",)

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity("basic_pitch", WHEEL.version, hash_files(files_of(WHEEL)))

    @classmethod
    def about(cls) -> About:
        return About("Basic Pitch (ICASSP 2022)", "Apache-2.0", WHEEL.where, fetched=True)

    def __init__(self, home: ModelHome) -> None:
        import onnxruntime

        [path] = files_of(WHEEL)
        options = onnxruntime.SessionOptions()
        # Threads that wait sleep: spinning takes the cores from other workers.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._input = self._session.get_inputs()[0].name

    def transcribe(self, samples: NDArray[np.float32]) -> Notes:
        """Transcribe samples ``[n, 1]`` to notes; no pedal."""
        activations = self._activations(samples[:, 0])
        frames = len(activations["note"])
        notes = find_notes(activations["note"], activations["onset"]) if frames > 2 else []
        times_s = _times_s(max(frames, 1))
        rows = sorted(
            (times_s[start], pitch, times_s[end], round(127 * float(amplitude)))
            for start, end, pitch, amplitude in notes
        )
        table = np.array(rows, dtype=np.float64).reshape(-1, 4)
        return Notes(
            starts_s=table[:, 0],
            ends_s=table[:, 2],
            pitches=table[:, 1].astype(np.int64),
            velocities=table[:, 3].astype(np.int64).clip(1, 127),
        )

    def _activations(self, samples: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Compute note, onset and contour activations ``[frames, bins]`` of the whole sound.

        Two-second windows overlap by 30 frames, of which each window gives up 15 at
        either end; the sound is preceded by as much silence.
        """
        lead = OVERLAP_FRAMES // 2 * HOP
        hop = WINDOW_SAMPLES - 2 * lead
        padded = np.concatenate((np.zeros(lead, np.float32), samples))
        count = max(1, -(-len(padded) // hop))
        padded = np.pad(padded, (0, (count - 1) * hop + WINDOW_SAMPLES - len(padded)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW_SAMPLES)[::hop]
        names = [f"StatefulPartitionedCall{suffix}" for suffix in OUTPUTS.values()]
        parts: list[list[NDArray[np.float32]]] = [[] for _ in OUTPUTS]
        for first in range(0, count, WINDOWS_AT_ONCE):
            batch = np.ascontiguousarray(windows[first : first + WINDOWS_AT_ONCE, :, None])
            for part, out in zip(
                parts, self._session.run(names, {self._input: batch}), strict=True
            ):
                part.append(out[:, OVERLAP_FRAMES // 2 : -(OVERLAP_FRAMES // 2)])
        length = int(len(samples) * (RATE_HZ // HOP / RATE_HZ))
        joined = (np.concatenate(part) for part in parts)
        return {
            name: whole.reshape(-1, whole.shape[-1])[:length]
            for name, whole in zip(OUTPUTS, joined, strict=True)
        }


def _times_s(frames: int) -> NDArray[np.float64]:
    """Tell when each frame begins: a window's come closer together than a frame's length."""
    number = np.arange(frames)
    window_s = HOP / RATE_HZ * (WINDOW_FRAMES - WINDOW_SAMPLES / HOP) + WINDOW_DELAY_S
    return np.asarray(number * HOP / RATE_HZ - window_s * np.floor(number / WINDOW_FRAMES))
