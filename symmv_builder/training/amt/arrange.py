"""From one chord a second to notes: arpeggios as busy as the video asks for, and as loud.

Kang, Poria, Herremans, "Video2Music", 2024, section 4.2. At 120 BPM a chord lasts two beats,
one second, in eight steps. Each of the five arpeggios of Table 3 has sixteen steps: the first
eight are played on a chord, the other eight where the chord before it was the same. What the
paper leaves open is decided so:

- a third equal chord in a row plays the first half again, a fourth the second (the released
  code alternates too);
- a note lasts until the next note of its arpeggio, the last one until its second is over;
- estimated density is rounded to whole notes, a half upwards, before it is looked up;
- the fourth note is the root an octave higher, or the fourth tone of a chord that has one.

Style "released" keeps three choices of the released code for comparison: the arpeggio follows
the loudness in hundredths and density is not used, velocity is a power law that is full from
loudness .5 on, every note lasts a second. Its misspelt diminished chords are not kept.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symmv_builder.errors import MalformedColumn, StopRun, WrongSetting
from symmv_builder.records import Notes
from symmv_builder.vocab import QUALITY_INTERVALS, muvisync_parts

Style: TypeAlias = Literal["paper", "released"]

TEMPO_BPM = 120.0
CHORD_S = 1.0
STEPS = 8
# Table 3: the note of each step, 0 where none begins.
PATTERNS: tuple[tuple[int, ...], ...] = (
    (1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0),
    (1, 0, 2, 0, 3, 0, 0, 0, 4, 0, 2, 0, 3, 0, 0, 0),
    (1, 0, 2, 0, 3, 0, 4, 0, 3, 0, 2, 0, 3, 0, 4, 0),
    (1, 2, 3, 2, 4, 0, 3, 0, 2, 1, 2, 3, 4, 0, 3, 0),
    (1, 2, 3, 2, 4, 3, 2, 3, 2, 1, 2, 3, 4, 3, 2, 3),
)
# The most notes of each pattern but the last.
PATTERN_LIMITS = (5, 10, 15, 20)
# What the models are given that do not see the video (section 5.1), and how loud they play:
# the paper says nothing of that, so it is the middle of the range.
BASELINE_PATTERN = 3
BASELINE_LOUDNESS = 0.5

MIDDLE_C = 60
MIN_VELOCITY, MAX_VELOCITY = 49, 112
RELEASED_FULL_LOUDNESS, RELEASED_EXPONENT = 0.5, 0.3


def arrange(
    labels: Sequence[str],
    density: ArrayLike | None = None,
    loudness: ArrayLike | None = None,
    pattern: int | None = None,
    *,
    style: Style = "paper",
) -> Notes:
    """Play a chord a second as notes on the clock of the music, which starts with the video.

    `labels` are MuVi-Sync's (``C``, ``A:min7``, ``N`` for silence); `density` (notes) and
    `loudness` (0-1, cut to that range) are ``[t]``, one for each label. `pattern` 1-5 plays
    one arpeggio throughout, and then `density` is not needed; without `loudness` everything
    is of medium strength. `StopRun` where a label is unknown or the lengths differ.
    """
    runs = _place_in_run(labels)
    quiet = np.full(len(labels), BASELINE_LOUDNESS) if loudness is None else loudness
    loud = _each_second("loudness", quiet, len(labels)).clip(0, 1)
    levels = _levels(density, loud, len(labels), pattern, style)
    loudest = velocities(loud, style)
    notes: list[tuple[float, float, int, int]] = []
    for second, label in enumerate(labels):
        pitches = voicing(label)
        if not pitches:
            continue
        half = STEPS * (runs[second] % 2)
        steps = PATTERNS[levels[second] - 1][half : half + STEPS]
        begun = [step for step, number in enumerate(steps) if number]
        for step, after in pairwise([*begun, STEPS]):
            end = step + STEPS if style == "released" else after
            start_s, end_s = (CHORD_S * (second + at / STEPS) for at in (step, end))
            notes.append((start_s, end_s, pitches[steps[step] - 1], int(loudest[second])))
    table = np.array(notes, dtype=np.float64).reshape(-1, 4)
    numbers = table[:, 2:].astype(np.int64)
    return Notes(table[:, 0], table[:, 1], numbers[:, 0], numbers[:, 1])


def voicing(label: str) -> tuple[int, ...]:
    """Voice notes 1 to 4 of a chord as MIDI numbers from its root in the fourth octave, or none.

    C is C4 E4 G4 C5 (60 64 67 72), C:min7 is C4 Eb4 G4 Bb4. `StopRun` for an unknown label.
    """
    parts = _parts(label)
    if parts is None:
        return ()
    root, quality = parts
    intervals = QUALITY_INTERVALS[quality]
    four = intervals if len(intervals) == 4 else (*intervals, 12)
    return tuple(MIDDLE_C + root + interval for interval in four)


def pattern_levels(density: ArrayLike) -> NDArray[np.int64]:
    """Choose the pattern 1-5 of Table 3 for each density in notes: to 5, 10, 15, 20, and above."""
    whole = np.floor(np.asarray(density, dtype=np.float64) + 0.5)
    return np.searchsorted(PATTERN_LIMITS, whole).astype(np.int64) + 1


def velocities(loudness: ArrayLike, style: Style = "paper") -> NDArray[np.int64]:
    """MIDI velocities 49-112 of loudness 0-1, linear (section 4.2.3)."""
    share = np.asarray(loudness, dtype=np.float64)
    if style == "released":
        hundredths = np.floor(100 * share) / 100
        share = (hundredths / RELEASED_FULL_LOUDNESS).clip(0, 1) ** RELEASED_EXPONENT
    return np.rint(MIN_VELOCITY + share * (MAX_VELOCITY - MIN_VELOCITY)).astype(np.int64)


def _levels(
    density: ArrayLike | None,
    loud: NDArray[np.float64],
    seconds: int,
    pattern: int | None,
    style: Style,
) -> NDArray[np.int64]:
    if pattern is not None:
        if not 1 <= pattern <= len(PATTERNS):
            raise WrongSetting("pattern", pattern, f"arpeggios are 1 to {len(PATTERNS)}")
        return np.full(seconds, pattern, dtype=np.int64)
    if style == "released":
        return pattern_levels(np.floor(100 * loud))
    if density is None:
        raise StopRun("an arpeggio is chosen by density: give one for each chord, or a pattern")
    return pattern_levels(_each_second("density", density, seconds))


def _each_second(name: str, values: ArrayLike, seconds: int) -> NDArray[np.float64]:
    track = np.asarray(values, dtype=np.float64)
    if track.shape != (seconds,):
        raise MalformedColumn(name, "the music", f"has shape {track.shape} for {seconds} chords")
    if not np.isfinite(track).all():
        raise MalformedColumn(name, "the music", "holds values that are not finite")
    return track


def _place_in_run(labels: Sequence[str]) -> list[int]:
    """Count how many equal chords stand directly before each one."""
    places: list[int] = []
    for second, label in enumerate(labels):
        again = second > 0 and label == labels[second - 1]
        places.append(places[-1] + 1 if again else 0)
    return places


def _parts(label: str) -> tuple[int, str] | None:
    try:
        return muvisync_parts(label)
    except KeyError:
        examples = "labels of MuVi-Sync are such as C, A:min, F#:maj7 and N"
        raise WrongSetting("label", label, examples) from None
