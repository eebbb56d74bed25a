"""ByteDance's piano transcriber (Kong et al., "High-resolution Piano Transcription with
Pedals by Regressing Onset and Offset Times", IEEE/ACM TASLP 2021).

Network and post-processing are those of the package `piano_transcription_inference`. Its
own loader is not used: it calls wget through a shell, replaces a checkpoint that seems
too small and unpickles what it finds. Here the checkpoint is a path, only tensors are
read from it, and several ten-second segments go through the network at once.
"""

from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    hash_files,
    package_version,
    reading_checkpoint,
    required_path,
)
from symmv_builder.backends.slots import PianoTranscriber
from symmv_builder.records import Notes

NAME = "piano_transcription"
WHAT = "a checkpoint (172 MB)"
HOW = "Get CRNN_note_F1=0.9677_pedal_F1=0.9186.pth from zenodo.org/record/4034264, CC BY 4.0."
SEGMENT_S = 10
SEGMENTS_AT_ONCE = 4
FRAMES_PER_S, KEYS = 100, 88
ONSET, OFFSET, FRAME, PEDAL_OFFSET = 0.3, 0.3, 0.1, 0.2
# Made anew by the network's constructor; older checkpoints may lack them.
FIXED = ("spectrogram_extractor.", "logmel_extractor.", "num_batches_tracked")


@final
class ByteDance(PianoTranscriber):
    """Mono samples at 16 kHz to notes, velocities and pedal."""

    needs = ("piano_transcription_inference", "torch")
    rate_hz = 16000
    mono = True

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        version = package_version("piano-transcription-inference")
        return ModelIdentity(NAME, version, hash_files([required_path(home, NAME, WHAT, HOW)]))

    @classmethod
    def about(cls) -> About:
        tool = "piano_transcription_inference (ByteDance)"
        return About(tool, "code Apache-2.0; weights CC BY 4.0", HOW)

    def __init__(self, home: ModelHome) -> None:
        path = required_path(home, NAME, WHAT, HOW)
        package_version("piano-transcription-inference")
        import torch
        from piano_transcription_inference.models import Note_pedal
        from piano_transcription_inference.utilities import RegressionPostProcessor

        self._torch, self._device = torch, home.device
        self._network: Any = Note_pedal(frames_per_second=FRAMES_PER_S, classes_num=KEYS)
        with reading_checkpoint(NAME, NAME, path, HOW):
            state = torch.load(path, map_location="cpu", weights_only=True)["model"]
            for name in ("note_model", "pedal_model"):
                _fill(getattr(self._network, name), state[name])
        self._network.to(home.device).eval()
        self._post: Any = RegressionPostProcessor(
            FRAMES_PER_S,
            classes_num=KEYS,
            onset_threshold=ONSET,
            offset_threshold=OFFSET,
            frame_threshold=FRAME,
            pedal_offset_threshold=PEDAL_OFFSET,
        )
        find_peaks = self._post.get_binarized_output_from_regression
        self._post.get_binarized_output_from_regression = partial(_finite, find_peaks)

    def transcribe(self, samples: NDArray[np.float32]) -> Notes:
        """Transcribe notes and sustain pedal of samples ``[n, 1]``, as the package finds them."""
        joined = self._activations(samples[:, 0])
        notes, pedals = self._post.output_dict_to_midi_events(joined)
        rows = sorted(
            (note["onset_time"], note["midi_note"], note["offset_time"], note["velocity"])
            for note in notes
        )
        table = np.array(rows, dtype=np.float64).reshape(-1, 4)
        spans = np.array(
            sorted((pedal["onset_time"], pedal["offset_time"]) for pedal in pedals or []),
            dtype=np.float64,
        ).reshape(-1, 2)
        return Notes(
            starts_s=table[:, 0],
            ends_s=np.maximum(table[:, 2], table[:, 0]),
            pitches=table[:, 1].astype(np.int64),
            velocities=table[:, 3].astype(np.int64).clip(1, 127),
            pedal_starts_s=spans[:, 0],
            pedal_ends_s=spans[:, 1],
        )

    def _activations(self, mono: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Ask the network about each frame: ``[frames, classes]`` by the package's names."""
        segments = _segments(mono, SEGMENT_S * self.rate_hz)
        outputs: dict[str, list[NDArray[np.float32]]] = {}
        with self._torch.no_grad():
            for first in range(0, len(segments), SEGMENTS_AT_ONCE):
                batch = np.array(segments[first : first + SEGMENTS_AT_ONCE])
                answer = self._network(self._torch.from_numpy(batch).to(self._device))
                for name, values in answer.items():
                    outputs.setdefault(name, []).append(values.cpu().numpy())
        return {name: _join(np.concatenate(parts)) for name, parts in outputs.items()}


def _finite(find_peaks: Any, **arguments: Any) -> tuple[Any, Any]:
    """Peaks and their shifts in frames; a flat peak, for which 0/0 comes out, is not shifted."""
    with np.errstate(divide="ignore", invalid="ignore"):
        peaks, shifts = find_peaks(**arguments)
    return peaks, np.nan_to_num(shifts, nan=0.0, posinf=0.0, neginf=0.0)


def _fill(network: Any, state: dict[str, Any]) -> None:
    missing, unknown = network.load_state_dict(state, strict=False)
    lacking = [key for key in missing if not any(part in key for part in FIXED)]
    if lacking or unknown:
        raise ValueError(f"weights are missing or unknown: {(lacking + unknown)[:3]}")


def _segments(samples: NDArray[np.float32], length: int) -> NDArray[np.float32]:
    """Windows ``[s, length]`` that overlap by half, over the sound and silence to fill it."""
    count = max(1, -(-len(samples) // length))
    padded = np.pad(samples, (0, count * length - len(samples)))
    return np.lib.stride_tricks.sliding_window_view(padded, length)[:: length // 2]


def _join(segments: NDArray[np.float32]) -> NDArray[np.float32]:
    """Join overlapping answers to one, ``[frames, classes]``: the middle half of each.

    A segment's last frame lies on its end and is left out, except in a sound of one segment.
    """
    if len(segments) == 1:
        alone: NDArray[np.float32] = segments[0]
        return alone
    segments = segments[:, :-1]
    quarter = segments.shape[1] // 4
    middles = segments[1:-1, quarter : 3 * quarter].reshape(-1, segments.shape[2])
    return np.concatenate((segments[0, : 3 * quarter], middles, segments[-1, quarter:]))
