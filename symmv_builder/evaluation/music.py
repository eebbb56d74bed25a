"""The music quality metrics of V-MusProd's Tables 2 and 4: SC, PE, PCE, EBR and IOI.

Zhuo et al., "Video Background Music Generation: Dataset, Method and Evaluation", 2023, section
6.2, names them and leaves their definitions to the toolkits. They are:

===  =====================  ===============================================================
SC   scale consistency      share of notes in the best fitting of 12 major and 12 natural
                            minor scales (MusPy ``scale_consistency``)
PE   pitch entropy          bits, over counts of notes by pitch (MusPy ``pitch_entropy``)
PCE  pitch class entropy    bits, over counts of notes by pitch class (MusPy
                            ``pitch_class_entropy``)
EBR  empty beat rate        share of beats in which no note sounds; the beat in which a note
                            ends counts as sounding, even where it ends on its first tick, and
                            so does the last beat of the piece (MusPy ``empty_beat_rate``)
IOI  inter-onset interval   seconds, mean gap of all onsets in order, chords included: the
                            notes of a chord have gaps of zero (mgeval ``avg_IOI``)
===  =====================  ===============================================================

MusPy: Dong et al., "MusPy: A Toolkit for Symbolic Music Generation", ISMIR 2020. mgeval: Yang and
Lerch, "On the evaluation of generative models in music", 2018. A note counts once, however long
or loud it is. None of the five is better high or low: closer to real music is better.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from symmv_builder.evaluation.metric import PlayedNotes, SongMetric
from symmv_builder.records import Floats, Ints

# The metrics of one song by name.
MusicScores: TypeAlias = Mapping[str, float]

# A quarter at 120 to the minute: the clock of the released SymMV files and of Video2Music.
BEAT_S = 0.5

_MAJOR = (0, 2, 4, 5, 7, 9, 11)
_MINOR = (0, 2, 3, 5, 7, 8, 10)


@dataclass(frozen=True, slots=True)
class MetricSummary:
    """The metrics of many songs: how many were counted, and mean, median, deviation of each.

    Songs of fewer than two notes have no IOI; they are not counted and `left_out` says how
    many they were. Deviations are those of the songs (n in the denominator).
    """

    songs: int
    left_out: int
    mean: MusicScores
    median: MusicScores
    deviation: MusicScores


def score_song(
    starts_s: Floats,
    ends_s: Floats,
    pitches: Ints,
    beats_s: Floats | None = None,
    end_s: float | None = None,
    metrics: Sequence[SongMetric] = (),
) -> MusicScores:
    """Compute the metrics of a song's notes by name, fields ``[n]`` in any order.

    ``nan`` for too few.

    ``beats_s`` are the beats for EBR, rising, at least two; without them a beat is half a
    second. Before the first and after the last beat the median gap goes on. The song ends with
    its last note, or at ``end_s`` if that is later. `metrics` are the five where none are named.
    """
    song = PlayedNotes(
        np.asarray(starts_s, dtype=np.float64),
        np.asarray(ends_s, dtype=np.float64),
        np.asarray(pitches, dtype=np.int64),
        beats_s,
        end_s,
    )
    return {metric.name: metric.measure(song) for metric in metrics or METRICS}


def scale_consistency(pitches: Ints) -> float:
    """Compute the largest share of notes in one scale, 0-1; ``nan`` without notes."""
    counts = pitch_class_counts(pitches)
    total = int(counts.sum())
    return float((_SCALES @ counts).max() / total) if total else float("nan")


def pitch_entropy_bits(pitches: Ints) -> float:
    """Entropy of the 128 pitches, 0-7 bits; ``nan`` without notes."""
    return _entropy_bits(np.bincount(np.asarray(pitches, dtype=np.int64), minlength=128))


def pitch_class_entropy_bits(pitches: Ints) -> float:
    """Entropy of the twelve pitch classes, 0-3.58 bits; ``nan`` without notes."""
    return _entropy_bits(pitch_class_counts(pitches))


def pitch_class_counts(pitches: Ints) -> Ints:
    """Count how many notes each pitch class has, ``[12]``."""
    return np.bincount(np.asarray(pitches, dtype=np.int64) % 12, minlength=12)


def empty_beat_rate(
    starts_s: Floats,
    ends_s: Floats,
    beats_s: Floats | None = None,
    end_s: float | None = None,
) -> float:
    """Share the beats without a sounding note, from time 0 to the beat of the song's end.

    ``nan`` where there is no note or nothing lasts at all. Silence before the first note counts,
    as in MusPy. For a file MusPy takes the last controller as the end, if it is later than the
    last note: a pedal that is let go ten beats later makes ten empty beats. Here `end_s` does that.
    """
    if len(starts_s) == 0:
        return float("nan")
    end_s = max(float(np.max(ends_s)), end_s or 0.0)
    if not end_s > 0:
        return float("nan")
    beats_s = np.asarray((0.0, BEAT_S) if beats_s is None else beats_s, dtype=np.float64)
    grid = _carried_on(beats_s, float(np.min(starts_s)), end_s)
    first = np.maximum(np.searchsorted(grid, starts_s, side="right") - 1, 0)
    last = np.searchsorted(grid, ends_s, side="right") - 1
    count = int(np.searchsorted(grid, end_s, side="right"))
    # A note adds one at its first beat and takes it back after its last.
    changes = np.bincount(first, minlength=count + 1) - np.bincount(last + 1, minlength=count + 1)
    return float(np.count_nonzero(np.cumsum(changes)[:count] == 0) / count)


def mean_onset_gap_s(starts_s: Floats) -> float:
    """Average the gap of the sorted onsets in seconds; ``nan`` with fewer than two notes."""
    if len(starts_s) < 2:
        return float("nan")
    # The gaps of sorted onsets sum to the way from the first to the last.
    return float((np.max(starts_s) - np.min(starts_s)) / (len(starts_s) - 1))


def summarise(songs: Iterable[MusicScores]) -> MetricSummary:
    """Compute mean, median and deviation over songs; a song counts for all metrics or for none.

    The deviation of one song is ``nan``.
    """
    rows = list(songs)
    names = list(rows[0]) if rows else [metric.name for metric in METRICS]
    table = np.array([[row[name] for name in names] for row in rows], dtype=np.float64)
    table = table.reshape(-1, len(names))
    whole = table[np.isfinite(table).all(axis=1)]
    left_out = len(table) - len(whole)

    def by_name(values: Floats) -> MusicScores:
        return {name: float(value) for name, value in zip(names, values, strict=True)}

    if not len(whole):
        nothing = by_name(np.full(len(names), np.nan))
        return MetricSummary(0, left_out, nothing, nothing, nothing)
    return MetricSummary(
        songs=len(whole),
        left_out=left_out,
        mean=by_name(whole.mean(axis=0)),
        median=by_name(np.median(whole, axis=0)),
        deviation=by_name(whole.std(axis=0) if len(whole) > 1 else np.full(len(names), np.nan)),
    )


def distance(scores: Mapping[str, float], reference: Mapping[str, float]) -> dict[str, float]:
    """Subtract real music's metrics from ours: how far each lies from that of real music."""
    return {name: value - reference[name] for name, value in scores.items()}


def _carried_on(beats_s: Floats, first_s: float, end_s: float) -> Floats:
    """Extend beats from time 0, or from the first note if it is before them, to beyond the end."""
    if len(beats_s) < 2:
        raise ValueError(f"a grid of beats takes two at least, not {len(beats_s)}")
    gap_s = float(np.median(np.diff(beats_s)))
    # Only whole beats are added before the first one, unless a note sounds there.
    before = max(0, int(beats_s[0] // gap_s))
    if first_s < beats_s[0] - before * gap_s:
        before = int(np.ceil((beats_s[0] - first_s) / gap_s))
    after = max(0, int((end_s - beats_s[-1]) // gap_s) + 1)
    return np.concatenate(
        (
            beats_s[0] - gap_s * np.arange(before, 0, -1),
            beats_s,
            beats_s[-1] + gap_s * np.arange(1, after + 1),
        )
    )


def _entropy_bits(counts: Ints) -> float:
    total = int(counts.sum())
    if not total:
        return float("nan")
    shares = counts[counts > 0] / total
    # Adding zero turns the -0.0 of a single pitch into 0.
    return float(-(shares * np.log2(shares)).sum()) + 0.0


def _scales() -> np.ndarray[Any, np.dtype[np.int64]]:
    """Make the 24 scales as 0 and 1 by pitch class, ``[24, 12]``."""
    masks = np.zeros((24, 12), dtype=np.int64)
    for root in range(12):
        for mode, steps in enumerate((_MAJOR, _MINOR)):
            masks[12 * mode + root, (root + np.array(steps)) % 12] = 1
    return masks


_SCALES = _scales()

_MUSPY = 'Dong et al., "MusPy", ISMIR 2020'
METRICS = (
    SongMetric(
        "sc",
        "SC",
        definition="scale consistency: the largest share of notes in one of 12 major and 12 "
        "natural minor scales",
        source=_MUSPY,
        unit="0-1",
        best="real",
        reads=("notes",),
        measure=lambda song: scale_consistency(song.pitches),
    ),
    SongMetric(
        "pe",
        "PE",
        definition="pitch entropy: that of the counts of notes by pitch",
        source=_MUSPY,
        unit="bits",
        best="real",
        reads=("notes",),
        measure=lambda song: pitch_entropy_bits(song.pitches),
    ),
    SongMetric(
        "pce",
        "PCE",
        definition="pitch class entropy: that of the counts of notes by pitch class",
        source=_MUSPY,
        unit="bits",
        best="real",
        reads=("notes",),
        measure=lambda song: pitch_class_entropy_bits(song.pitches),
    ),
    SongMetric(
        "ebr",
        "EBR",
        4,
        definition="empty beat rate: the share of beats in which no note sounds",
        source=_MUSPY,
        unit="0-1",
        best="real",
        reads=("notes", "beats"),
        measure=lambda song: empty_beat_rate(song.starts_s, song.ends_s, song.beats_s, song.end_s),
    ),
    SongMetric(
        "ioi",
        "IOI",
        definition="inter-onset interval: the mean gap of all onsets in order, chords included",
        source='Yang and Lerch, "On the evaluation of generative models in music", 2018',
        unit="s",
        best="real",
        reads=("notes",),
        measure=lambda song: mean_onset_gap_s(song.starts_s),
    ),
)
