"""Keyboard scores out of the corpus that music21 carries, as plain arrays in quarter notes.

A score says what is written: onsets and durations in quarter notes, which staff a note
stands on, where the beats fall. How it is played is somebody else's business. Files
are parsed from their source each time: music21's own cache is a pickle in a shared
temporary folder, and we load no pickles.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import StopRun
from symmv_builder.packages import required

_STACCATO = {"staccato", "staccatissimo"}
# Offsets are sums of fractions (triplets): equal ones may differ in the last bits.
_ROUNDING_Q = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """Notes ``[n]`` sorted by onset, then pitch, and beats ``[b]``; ``*_q`` are quarter notes.

    ``staves`` is 0 for the upper staff and 1 for the lower; grace notes have duration 0;
    ``beat_positions`` count from 1, the downbeat.
    """

    onsets_q: NDArray[np.float64]
    durations_q: NDArray[np.float64]
    pitches: NDArray[np.int64]
    staves: NDArray[np.int64]
    is_staccato: NDArray[np.bool_]
    beats_q: NDArray[np.float64]
    beat_positions: NDArray[np.int64]
    end_q: float


def read_score(name: str, *, expand_repeats: bool = False) -> Score:
    """Read a work of music21's corpus (``joplin/maple_leaf_rag``).

    `StopRun` where it is missing.
    """
    with required("demo"):
        from music21 import converter, corpus, exceptions21, repeat
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            path = corpus.getWork(name)
            score = converter.parse(path, forceSource=True, storePickle=False)
            if expand_repeats:
                score = score.expandRepeats()
        except (exceptions21.Music21Exception, repeat.ExpanderException, OSError) as error:
            raise StopRun(f"music21's corpus gave no score called {name!r}: {error}") from error
        rows = sorted(
            row for staff, part in enumerate(score.parts[:2]) for row in _notes(part, staff)
        )
        beats = _beats(score.parts[0])
    if not rows or not beats:
        raise StopRun(f"the score {name!r} of music21's corpus has no notes or no bars")
    table = np.array(rows, dtype=np.float64)
    beat_table = np.array(beats, dtype=np.float64)
    return Score(
        onsets_q=table[:, 0],
        pitches=table[:, 1].astype(np.int64),
        durations_q=table[:, 2],
        staves=table[:, 3].astype(np.int64),
        is_staccato=table[:, 4].astype(np.bool_),
        beats_q=beat_table[:, 0],
        beat_positions=beat_table[:, 1].astype(np.int64),
        end_q=float(score.parts[0].highestTime),
    )


def _notes(part: Any, staff: int) -> list[tuple[float, int, float, int, bool]]:
    """List (onset, pitch, duration, staff, staccato) of every sounding note of a part."""
    rows: dict[tuple[float, int], tuple[float, int, float, int, bool]] = {}
    for element in part.stripTies().flatten().notes:
        short = any(mark.name in _STACCATO for mark in element.articulations)
        onset = round(float(element.offset), 6)
        length = 0.0 if element.duration.isGrace else float(element.duration.quarterLength)
        for pitch in element.pitches:
            # Two voices may share a key; a piano has it once. A grace note is its own event.
            key = (onset if length else onset - _ROUNDING_Q, int(pitch.midi))
            if key not in rows or rows[key][2] < length:
                rows[key] = (onset, int(pitch.midi), length, staff, short)
    return list(rows.values())


def _beats(part: Any) -> list[tuple[float, int]]:
    """List (time, position in the bar) of every beat; a pickup bar holds its bar's last ones."""
    beats: list[tuple[float, int]] = []
    signature = None
    for measure in part.getElementsByClass("Measure"):
        signature = measure.timeSignature or signature
        if signature is None:
            continue
        start, length = float(measure.offset), float(measure.duration.quarterLength)
        beat_q = float(signature.beatDuration.quarterLength)
        missing = float(signature.barDuration.quarterLength) - length if not beats else 0.0
        for number in range(int(signature.beatCount)):
            time = start + number * beat_q - missing
            if start - _ROUNDING_Q <= time < start + length - _ROUNDING_Q:
                beats.append((time, number + 1))
    return beats
