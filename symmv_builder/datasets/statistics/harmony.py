"""Chords over many songs: transposed to C major or A minor, counted by time, and in what order.

Both papers transpose so (SymMV 3.3, Video2Music 3.3), "to remove the influence of tonality".
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TypeVar

import numpy as np

from symmv_builder.datasets.statistics.lists import Numbers, Whole, place_of, row_of
from symmv_builder.vocab import NO_CHORD, SHARP_NAMES, SYMMV_ROOTS, pitch_class

_MOST_LABELS = 4096
Number = TypeVar("Number", int, float)


@lru_cache(maxsize=65536)
def transposed(label: str, semitones: int) -> str:
    """Move a label's root up, in its own dataset's spelling; other labels stay."""
    root = label[:2] if label[1:2] in ("#", "b") else label[:1]
    rest = label[len(root) :]
    try:
        place = (pitch_class(root) + semitones) % 12
    except ValueError:
        return label
    names = SHARP_NAMES if not rest or rest.startswith(":") else SYMMV_ROOTS
    return names[place] + rest


def shift_of(tonic: str, mode: str) -> int | None:
    """Count semitones from a key up to C major or A minor; `None` for what is no key."""
    try:
        return (0 if mode == "major" else 9) - pitch_class(tonic)
    except ValueError:
        return None


@dataclass
class Harmony:
    """Chords of the songs so far: seconds by genre and transposed label, and changes.

    `commonest` is the transposed label that lasts longest in each song, empty without one.
    """

    seconds: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    plain_seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    changes: Counter[tuple[str, str]] = field(default_factory=Counter)
    commonest: list[str] = field(default_factory=list)

    def add(
        self,
        labels: list[str],
        ids: Whole,
        lengths: Whole,
        durations_s: Numbers,
        genres: list[str],
        shifts: list[int | None],
    ) -> None:
        """Take in songs: `ids` ``[sum]`` are places in `labels`, `lengths` ``[songs]`` chords each.

        A song whose key is not known (shift `None`) counts as written alone.
        """
        if len(labels) > _MOST_LABELS:
            # Labels of strangers: the rare ones of a column that is no chord are not kept apart.
            ids, labels = np.minimum(ids, _MOST_LABELS), [*labels[:_MOST_LABELS], "other"]
        for name, length in zip(
            labels, np.bincount(ids, weights=durations_s, minlength=len(labels)), strict=True
        ):
            self.plain_seconds[name] += float(length)
        songs = row_of(lengths)
        count = len(labels)
        codes, where = np.unique(songs * count + ids, return_inverse=True)
        lasting = np.bincount(where, weights=durations_s, minlength=len(codes))
        best: dict[int, tuple[float, str]] = {}
        for code, seconds in zip(codes.tolist(), lasting.tolist(), strict=True):
            song, label = divmod(code, count)
            shift = shifts[song]
            if shift is None or labels[label] == NO_CHORD:
                continue
            name = transposed(labels[label], shift)
            self.seconds[genres[song], name] += seconds
            if seconds > best.get(song, (0.0, ""))[0]:
                best[song] = (seconds, name)
        self.commonest += [best.get(song, (0.0, ""))[1] for song in range(len(lengths))]
        self._count_changes(labels, ids, lengths, shifts)

    def _count_changes(
        self, labels: list[str], ids: Whole, lengths: Whole, shifts: list[int | None]
    ) -> None:
        if len(ids) < 2:
            return
        count = len(labels)
        songs, inside = row_of(lengths), place_of(lengths)
        has_shift = np.array([shift is not None for shift in shifts], dtype=bool)
        steps = np.array([(shift or 0) % 12 for shift in shifts], dtype=np.int64)
        is_change = (inside[1:] > 0) & (ids[1:] != ids[:-1]) & has_shift[songs[1:]]
        pairs = (steps[songs[1:]] * count + ids[:-1]) * count + ids[1:]
        codes, times = np.unique(pairs[is_change], return_counts=True)
        for code, number in zip(codes.tolist(), times.tolist(), strict=True):
            rest, after = divmod(code, count)
            shift, before = divmod(rest, count)
            if NO_CHORD not in (labels[before], labels[after]):
                pair = transposed(labels[before], shift), transposed(labels[after], shift)
                self.changes[pair] += number

    def shares(self) -> dict[str, float]:
        """Give the share of the time of each transposed label, greatest first."""
        total: dict[str, float] = defaultdict(float)
        for (_, label), seconds in self.seconds.items():
            total[label] += seconds
        whole = sum(total.values()) or 1.0
        return {label: seconds / whole for label, seconds in ordered(total)}

    def shares_in(self, genre: str) -> dict[str, float]:
        """Give the shares of transposed labels in the songs of one genre."""
        label_seconds = {
            label: value for (name, label), value in self.seconds.items() if name == genre
        }
        whole = sum(label_seconds.values()) or 1.0
        return {label: value / whole for label, value in label_seconds.items()}


def ordered(counts: Mapping[str, Number]) -> list[tuple[str, Number]]:
    """Sort counts, greatest first; equal ones by name, so that the order is always the same."""
    return sorted(counts.items(), key=lambda each: (-each[1], each[0]))
