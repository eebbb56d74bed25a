"""Where the bars of a piece fall, so that cuts of the video fall on bar lines.

A piece has a tempo of its own, and between two cuts that it meets it may be a little faster or
slower: what a composer for films does by hand with a tempo map. Zhuo et al. (2023) take the tempo
from the motion alone, at one value for the whole piece; the two rules here leave that value by
`LEEWAY` and `BEND` at most and never leave the paper's range of tempos.
"""

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records import Notes
from symmv_builder.training.vmusprod.tempo import (
    FASTEST_BPM,
    SLOWEST_BPM,
    STEPS_PER_BEAT,
    Floats,
    Ints,
)

# How far a piece's tempo may lie from the one that the motion says, and how far the tempo between
# two cuts from the piece's.
LEEWAY, BEND = 0.10, 0.08
# What it is worth to meet a cut with a bar line or with another beat, and to end with a whole bar
# or in the middle of one. A stretch of beats costs `_STIFFNESS` times its number times the square
# of the logarithm by which it is bent.
_BAR_LINE, _BEAT = 1.0, 0.2
_WHOLE_BAR, _HALF_BAR = 0.5, 0.2
_STIFFNESS = 4.0
# A stretch is joined to one of so many cuts before it.
_REACH = 16
_TEMPOS = 11
# What a cut may miss a bar line by and still lie on it: a frame of video.
ON_LINE_S = 0.04
MOTION_HOP_S = 0.2
# In MIDI's steps: between an ordinary scene and the liveliest, and of the first notes of a scene.
SCENE_VELOCITY, CUT_ACCENT = 12, 8


@dataclass(frozen=True, slots=True, eq=False)
class VideoTiming:
    """The times in a video by which its music is timed.

    `cuts_s` are seconds at which a new shot begins, sorted, float64 ``[c]``; `motion` the mean RGB
    difference over 0.2 s, at 5 Hz from 0, ``[t]``, empty where it is not known.
    """

    cuts_s: Floats
    motion: NDArray[np.floating[Any]]

    def levels(self, end_s: float) -> Floats:
        """Measure how lively each scene is beside the others, -1 to 1: float64 ``[c + 1]``.

        The mean motion within it, in standard deviations from the mean of all scenes, halved. The
        difference across a cut says nothing of either side and is left out.
        """
        edges = np.concatenate(([0.0], self.cuts_s[self.cuts_s < end_s], [end_s]))
        times = np.arange(len(self.motion)) * MOTION_HOP_S
        means = np.full(len(edges) - 1, np.nan)
        for scene, (start, end) in enumerate(pairwise(edges)):
            # A value compares its own time with the one a hop before.
            within = (times >= start + MOTION_HOP_S) & (times < end)
            if within.any():
                means[scene] = self.motion[within].mean(dtype=np.float64)
        finite = means[np.isfinite(means)]
        spread = float(finite.std()) if len(finite) else 0.0
        if spread <= 0:
            return np.zeros(len(means))
        levels = (np.nan_to_num(means, nan=finite.mean()) - finite.mean()) / (2 * spread)
        return np.asarray(levels.clip(-1.0, 1.0))

    def shaped(self, notes: Notes, end_s: float) -> Notes:
        """Make notes louder in lively scenes, softer in calm ones, and accent each cut."""
        cuts = self.cuts_s[self.cuts_s < end_s]
        scene = np.searchsorted(cuts, notes.starts_s + ON_LINE_S, side="right")
        louder = SCENE_VELOCITY * self.levels(end_s)[scene]
        louder = louder + np.where(distances(notes.starts_s, cuts) <= ON_LINE_S, CUT_ACCENT, 0)
        velocities = np.rint(notes.velocities + louder).clip(1, 127).astype(np.int64)
        return replace(notes, velocities=velocities)


@dataclass(frozen=True, slots=True, eq=False)
class TempoMap:
    """A tempo map: beat ``numbers[i]`` of the piece, counted from 0, sounds at ``times_s[i]``.

    Both float64 ``[n]``, n at least 2, rising from 0. Between two of them the tempo is steady, and
    behind the last it goes on as before.
    """

    times_s: Floats
    numbers: Floats

    def __call__(self, steps: Ints) -> Floats:
        """Compute the seconds of steps, 16ths from the first bar: a `tempo.Clock`."""
        beats = np.asarray(steps, dtype=np.float64) / STEPS_PER_BEAT
        behind = np.maximum(beats - self.numbers[-1], 0.0)
        beat_s = (self.times_s[-1] - self.times_s[-2]) / (self.numbers[-1] - self.numbers[-2])
        times = np.interp(beats, self.numbers, self.times_s)
        return np.asarray(times + behind * beat_s, dtype=np.float64)

    @property
    def tempo_bpm(self) -> float:
        """Beats a minute on average."""
        return float(60.0 * self.numbers[-1] / self.times_s[-1])

    def tempos(self) -> list[tuple[float, float]]:
        """List the tempo changes: from which second on, and beats a minute."""
        bpm = 60.0 * np.diff(self.numbers) / np.diff(self.times_s)
        return list(zip(self.times_s[:-1].tolist(), bpm.tolist(), strict=True))

    def bar_lines_s(self, beats_per_bar: int, end_s: float) -> Floats:
        """Tell when bars begin, float64 ``[bars]``, those at `end_s` or behind it left out."""
        count = int(np.ceil(self.numbers[-1] / beats_per_bar)) + 1
        lines = self(np.arange(count) * beats_per_bar * STEPS_PER_BEAT)
        return lines[lines < end_s - ON_LINE_S]


def steady_beats(tempo_bpm: float, end_s: float) -> TempoMap:
    """Place beats at one tempo up to `end_s`."""
    return TempoMap(np.array([0.0, end_s]), np.array([0.0, end_s * tempo_bpm / 60.0]))


def follow_cuts(
    tempo_bpm: float, end_s: float, cuts_s: NDArray[np.float64], *, beats_per_bar: int = 4
) -> TempoMap:
    """Place beats near a tempo so that bar lines meet as many cuts as possible, and the end.

    `cuts_s` are seconds within 0 and `end_s`, sorted. A video too short for a choice (a few beats)
    gets the steady tempo, and its last bar is broken off.
    """
    cuts = cuts_s[(cuts_s > 60.0 / FASTEST_BPM) & (cuts_s < end_s - 60.0 / FASTEST_BPM)]
    best, most = steady_beats(tempo_bpm, end_s), -np.inf
    for factor in np.linspace(1.0 - LEEWAY, 1.0 + LEEWAY, _TEMPOS):
        tempo = float(np.clip(tempo_bpm * factor, SLOWEST_BPM, FASTEST_BPM))
        path = _best_path(tempo, np.concatenate(([0.0], cuts, [end_s])), beats_per_bar)
        # The tempo that the motion says is left for a reason, never by chance.
        worth = -np.inf if path is None else path[0] - abs(factor - 1.0)
        if path is not None and worth > most:
            best, most = path[1], worth
    return best


def _best_path(tempo_bpm: float, times_s: Floats, per_bar: int) -> tuple[float, TempoMap] | None:
    """Find the best way from the first of `times_s` to the last, and what it is worth.

    A place is a time with the beat of the bar that sounds then; of the ways to a place the best one
    is kept. `None` where no whole number of beats fits.
    """
    count = len(times_s)
    worth = np.full((count, per_bar), -np.inf)
    worth[0, 0] = 0.0
    before = np.full((count, per_bar, 3), -1, dtype=np.int64)
    gains = np.full(per_bar, _BEAT)
    gains[0] = _BAR_LINE
    last = np.full(per_bar, -np.inf)
    last[0] = _WHOLE_BAR
    if per_bar % 2 == 0:
        last[per_bar // 2] = _HALF_BAR
    slowest, fastest = (
        np.clip(tempo_bpm * bend, SLOWEST_BPM, FASTEST_BPM) for bend in (1 - BEND, 1 + BEND)
    )
    for place in range(1, count):
        earlier = range(max(0, place - _REACH), place)
        # However many cuts there are, the end can be reached from the beginning in one stretch.
        for start in dict.fromkeys((0, *earlier)) if place == count - 1 else earlier:
            gap_s = times_s[place] - times_s[start]
            exact = gap_s * tempo_bpm / 60.0
            fewest = max(1, int(np.ceil(gap_s * slowest / 60.0 - 1e-9)), round(exact) - per_bar)
            most = min(int(np.floor(gap_s * fastest / 60.0 + 1e-9)), round(exact) + per_bar)
            for beats in range(fewest, most + 1):
                cost = _STIFFNESS * beats * np.log(beats / exact) ** 2
                for phase in range(per_bar):
                    to = (phase + beats) % per_bar
                    gain = (last if place == count - 1 else gains)[to]
                    candidate = worth[start, phase] + gain - cost
                    if candidate > worth[place, to]:
                        worth[place, to] = candidate
                        before[place, to] = (start, phase, beats)
    phase = int(worth[-1].argmax())
    total = float(worth[-1, phase])
    if not np.isfinite(total):
        return None
    way, place = [], count - 1
    while place > 0:
        start, earlier_phase, beats = before[place, phase].tolist()
        way.append((times_s[place], beats))
        place, phase = start, earlier_phase
    times = [0.0, *(time_s for time_s, _ in reversed(way))]
    numbers = np.cumsum([0, *(beats for _, beats in reversed(way))])
    return total, TempoMap(np.array(times), numbers.astype(np.float64))


def distances(times_s: Floats, points_s: Floats) -> Floats:
    """Measure how far each time is from the nearest of sorted points; infinity without points."""
    if not len(points_s):
        return np.full(len(times_s), np.inf)
    place = np.searchsorted(points_s, times_s)
    before, behind = (points_s[p.clip(0, len(points_s) - 1)] for p in (place - 1, place))
    return np.asarray(np.minimum(np.abs(times_s - before), np.abs(times_s - behind)))
