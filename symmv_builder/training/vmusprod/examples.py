"""A row as what each stage learns: a sequence, what it is made from, tempo, the video."""

from collections.abc import Mapping
from collections.abc import Sequence as Several
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from symmv_builder.training.data import Batch, Example, transposition
from symmv_builder.training.padding import on_device, stack
from symmv_builder.training.usable import UnusableRow
from symmv_builder.training.vmusprod import sequences, tokens
from symmv_builder.training.vmusprod.config import Stage
from symmv_builder.training.vmusprod.controller import Video
from symmv_builder.training.vmusprod.embedding import TokenBatch
from symmv_builder.training.vmusprod.models import Context
from symmv_builder.training.vmusprod.songs import QuantisedSong, shift_to_white_keys, song_of
from symmv_builder.training.vmusprod.tempo import (
    MotionRange,
    Rounding,
    mean_motion,
    tempo_bin,
    timing_of,
)

SEMANTIC_HZ, COLOUR_HZ = 6.0, 1.0
# The tempo of every piece where motion is left out: the middle of the range (section 4.1).
FIXED_BPM = 110.0

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Examples:
    """Makes examples of rows; an instance is the ``prepare`` of a loader.

    In training the tempo is that of the song, or where `motion_range` is given what the motion of
    its video says, as when a video is set to music. `semantic_hz` and `colour_hz` are `None` where
    the model does not see these features. With `to_white_keys` songs are moved there first.
    """

    stage: Stage
    variant: str
    max_tokens: int
    transposes: bool
    motion: bool
    semantic_hz: float | None
    colour_hz: float | None
    motion_range: MotionRange | None = None
    timing: Rounding = "floor"
    to_white_keys: bool = False

    def __call__(self, row: Row, rng: np.random.Generator) -> Example:
        """Make an example.

        `UnusableRow` where the row holds no song or lacks a video's features.
        """
        song = song_of(row)
        video = features_of(row, self.semantic_hz, self.colour_hz)
        if self.to_white_keys:
            song = song.transposed(shift_to_white_keys(song.pitches))
        elif self.transposes:
            song = song.transposed(transposition(song.pitches, rng))
        target, source = sequences_of(song, self.stage, self.variant)
        both = [sequence.bars for sequence in (target, source) if sequence is not None]
        first, last = crop_of(song.bars, both, self.max_tokens, rng)
        example: Example = {}
        for prefix, sequence in (("", target), ("source_", source)):
            if sequence is not None:
                whole = arrays_of(sequence, song.bars, self.timing)
                stretch = _stretch(sequence, whole, first, last, self.max_tokens)
                example |= {f"{prefix}{name}": values for name, values in stretch.items()}
        return example | {"tempo": np.array(tempo_bin(self._bpm(row, song)))} | video

    def _bpm(self, row: Row, song: QuantisedSong) -> float:
        if not self.motion:
            return FIXED_BPM
        if self.motion_range is None:
            return song.tempo_bpm
        if len(row["motion"]) < 2:
            raise UnusableRow("its video has no motion: fewer than two frames of it are known")
        mean = mean_motion(row["motion"])
        if not np.isfinite(mean):
            raise UnusableRow("the motion of its video is not finite")
        return self.motion_range.tempo_bpm(mean)


def sequences_of(
    song: QuantisedSong, stage: Stage, variant: str
) -> tuple[tokens.Sequence, tokens.Sequence | None]:
    """Make the sequences that a stage writes and its encoder reads (sections 4.2 and 6.4)."""
    chords = sequences.chord_sequence(song)
    if stage == "chord":
        return chords, None
    if stage == "melody":
        return sequences.melody_sequence(song), chords
    if stage == "accompaniment":
        merged = tokens.merged_sequence(chords, sequences.melody_sequence(song))
        return sequences.accompaniment_sequence(song), merged
    return sequences.full_sequence(song), None if variant == "video2music" else chords


def crop_of(
    bars: int,
    bars_of: Several[NDArray[np.int64]],
    max_tokens: int,
    rng: np.random.Generator,
) -> tuple[int, int]:
    """Choose a first and a last bar between which each sequence fits `max_tokens`.

    `bars_of` are the bars of the tokens of each sequence. All bars are taken where they fit. Else
    a stretch that begins at a random bar, one time in five at the first (a piece begins there, and
    only there), or ends with the song. A single bar that does not fit is taken, and the caller
    cuts it.
    """
    counts = [np.bincount(each, minlength=bars) for each in bars_of]
    # Room is left for `begin`, which every stretch has.
    ends = [np.concatenate([[0], np.cumsum(count)]) + 1 for count in counts]
    if all(end[-1] <= max_tokens for end in ends):
        return 0, bars - 1
    start = max(int(rng.integers(-(bars // 4), bars)), 0)
    stop = min(int(np.searchsorted(e, e[start] + max_tokens - 1, side="right")) for e in ends) - 1
    if stop >= bars:
        # To the song's end there was room left: begin earlier.
        start = max(int(np.searchsorted(end, end[-1] - max_tokens + 1)) for end in ends)
        stop = bars
    return start, max(stop - 1, start)


def _stretch(
    sequence: tokens.Sequence, whole: Example, first: int, last: int, max_tokens: int
) -> Example:
    """Cut a sequence's arrays to the bars `first` to `last`, behind `begin`, with their places."""
    inside = (sequence.bars >= first) & (sequence.bars <= last)
    inside[0] = True
    places = np.flatnonzero(inside)[:max_tokens]
    return {name: values[places] for name, values in whole.items()}


def arrays_of(sequence: tokens.Sequence, total_bars: int, rounding: Rounding = "floor") -> Example:
    """Give a sequence as the fields of `TokenBatch`, in a piece of so many bars."""
    timing = timing_of(
        sequence.bars,
        sequence.beats,
        steps_per_bar=sequence.steps_per_bar,
        total_bars=total_bars,
        rounding=rounding,
    )
    return {
        "tokens": sequence.tokens,
        "places": np.arange(len(sequence)),
        "bars": sequence.bars,
        "beats": sequence.beats,
        "timing": timing,
    }


def features_of(row: Row, semantic_hz: float | None, colour_hz: float | None) -> Example:
    """Read the video features of a row, each at its rate in Hz; a rate of `None` leaves one out.

    ``semantic`` float32 ``[s, 512]`` and ``colour`` ``[c, 12288]``, square roots of the mean
    histogram. `UnusableRow` where the row's video has no frame of a wanted kind, or a value is
    not finite.
    """
    features: Example = {}
    if semantic_hz is not None:
        features["semantic"] = pooled(row["semantic"], SEMANTIC_HZ, semantic_hz)
    if colour_hz is not None:
        features["colour"] = np.sqrt(pooled(row["colour"], COLOUR_HZ, colour_hz))
    for name, values in features.items():
        if not len(values):
            raise UnusableRow(f"its video has no column {name}: not a frame of it is known")
        if not np.isfinite(values).all():
            raise UnusableRow(f"its column {name} holds values that are not finite")
    return features


def pooled(values: NDArray[Any], rate_hz: float, wanted_hz: float) -> NDArray[np.float32]:
    """Average rows ``[t, d]`` at `rate_hz` down to `wanted_hz`; never gives more rows."""
    if len(values) == 0 or wanted_hz >= rate_hz:
        return np.asarray(values, dtype=np.float32)
    spans = np.floor(np.arange(len(values)) * (wanted_hz / rate_hz) + 1e-9).astype(np.int64)
    first = np.flatnonzero(np.diff(np.append(-1, spans)))
    counts = np.diff(np.append(first, len(values)))
    sums = np.add.reduceat(np.asarray(values, dtype=np.float32), first, axis=0)
    return np.asarray(sums / counts[:, None], dtype=np.float32)


def scores_of(
    sequences: Several[tokens.Sequence], device: torch.device, rounding: Rounding = "floor"
) -> TokenBatch:
    """Pad whole sequences to a batch for a model."""
    examples = [arrays_of(s, int(s.bars[-1]) + 1, rounding) for s in sequences]
    return _score(on_device(stack(examples, {}), device), "")


def inputs_of(batch: Batch) -> tuple[TokenBatch, Context]:
    """Give what a model's ``forward`` takes. Rows that only fill a batch count nothing."""
    score = _score(batch, "")
    if "real" in batch:
        filled = score.mask & batch["real"][:, None]
        score = TokenBatch(
            score.tokens, score.places, score.bars, score.beats, score.timing, filled
        )
    source = _score(batch, "source_") if "source_tokens" in batch else None
    video = Video(
        batch.get("semantic"),
        batch.get("semantic_mask"),
        batch.get("colour"),
        batch.get("colour_mask"),
    )
    return score, Context(batch["tempo"], source, video)


def _score(batch: Batch, prefix: str) -> TokenBatch:
    names = ("tokens", "places", "bars", "beats", "timing", "tokens_mask")
    return TokenBatch(*(batch[f"{prefix}{name}"] for name in names))
