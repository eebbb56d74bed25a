"""Which of a pulse's metrical levels are the beats, and which of these begin bars.

Beat trackers find the pulse of a recording well and its level less well: of POP909's slow songs,
played by a piano, two of three come out at double tempo. So the level is chosen after tracking,
among the pulse halved, at two thirds, as it is (or shifted by half), and doubled, from each of the
times on which it may begin. A multinomial logistic model scores each of them by what the sound
does on its beats and between them (how many partials rise, how many in the bass, how much the
harmony changes), and by its tempo, with a broad prior. Bars of three or four beats are then read
by a Viterbi search over a logistic score of each beat. All is heard in the sound: notes, and what
the tracker's network thought, are not needed, so that every tracker is served alike.

The weights are few and were fitted on songs of POP909; ``benchmarks/beats.py --songs 150 --fit``
makes them again. On 150 other songs it gives beats an F of .90 where madmom's pulse has .76, and
downbeats .72 where it has .61. Songs above 140 beats a minute are few there, and half of them or
more are halved: ``level="pulse"`` suits quick music better.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records import Beats, Floats, Ints

# Frames of the analysis: 50 a second, each over 0.19 s, in bands of a semitone from A1 on.
HOP_S = 0.02
WINDOW_S = 0.186
LOWEST_PITCH, HIGHEST_PITCH = 33, 96
BASS_BELOW = 52
_FRAMES_AT_ONCE = 512
# A rise counts for a beat within so many frames of it.
_NEAR = 2
# Three of the pulse's times are two beats: dotted eighths were tracked.
TWO_THIRDS = 2 / 3
# Tempo, in beats a minute, at which the prior's curve is centred.
_CENTRE_BPM = 85.0
_SHORTEST = 4
# What bars of three have to be better by, and what it costs where a bar breaks off, in nats.
_PRICE_OF_THREE = 2.0
_BREAK_PRICE = 8.0
_SAME_S = 0.03
# Rises and changes that deviate by less than this are taken as alike: the rises in parts of their
# mean, the changes as they are. In POP909 changes deviate by .024 or more, in clicks by .003.
_ALIKE_RISE, _ALIKE_CHANGE = 0.1, 0.01
# What has to rise on times between those of the pulse, in parts of what rises on these.
_LEAST_RISE = 0.25

LEVEL_WEIGHTS = np.array([
    0.228, 0.335, 0.231, -0.463, -0.541, 0.660, 0.222, 0.457,
    -0.543, -0.885, 1.267, -0.175, -0.556, 0.281, 0.142, -0.188,
])  # fmt: skip
DOWNBEAT_WEIGHTS = np.array(
    [0.177, 0.384, -0.081, 0.125, 0.178, 0.195, 0.123, -0.049, 2.010, -2.386]
)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the sound says at any time: how much rises there, and its harmony up to there.

    ``rises`` ``[frames, 2]``: sum of the rises of log magnitude over all bands and over the bass,
    the largest near each frame. ``chroma`` ``[frames + 1, 24]``: running sums over frames of the
    log magnitudes by pitch class, of all bands and of the bass.
    """

    rises: Floats
    chroma: Floats


@dataclass(frozen=True, slots=True)
class Candidate:
    """One reading of a pulse: its beats, as a multiple of the pulse's tempo."""

    level: float
    times_s: Floats


def magnitudes(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """Magnitudes ``[frames, 64]`` of mono samples ``[n]`` in bands of a semitone."""
    window = 2 ** round(np.log2(WINDOW_S * rate_hz))
    hz = np.fft.rfftfreq(window, 1 / rate_hz)
    pitch = np.full(len(hz), -1.0)
    pitch[1:] = 69 + 12 * np.log2(hz[1:] / 440)
    band = np.rint(pitch).astype(np.int64)
    used = np.flatnonzero((band >= LOWEST_PITCH) & (band <= HIGHEST_PITCH))
    bank = np.zeros((len(used), HIGHEST_PITCH - LOWEST_PITCH + 1), dtype=np.float32)
    bank[np.arange(len(used)), band[used] - LOWEST_PITCH] = 1
    shape = np.hanning(window).astype(np.float32)
    padded = np.pad(np.asarray(samples, dtype=np.float32), (window // 2, window))
    count = int(len(samples) / (HOP_S * rate_hz)) + 1
    out = np.empty((count, bank.shape[1]), dtype=np.float32)
    for first in range(0, count, _FRAMES_AT_ONCE):
        frames = np.arange(first, min(first + _FRAMES_AT_ONCE, count))
        starts = np.rint(frames * HOP_S * rate_hz).astype(np.int64)
        spectrum = np.fft.rfft(padded[starts[:, None] + np.arange(window)] * shape, axis=1)
        power = np.abs(spectrum[:, used]).astype(np.float32) ** 2
        out[frames] = np.sqrt(power @ bank)
    return out


def listen(bands: NDArray[np.float32]) -> Evidence:
    """`Evidence` out of `magnitudes`; the level of the recording does not matter."""
    loud = float(np.percentile(bands.max(axis=1), 95)) + 1e-9
    heard = np.log1p(100 * bands.astype(np.float32) / loud)
    rises = np.zeros_like(heard)
    rises[1:-1] = np.maximum(heard[2:] - heard[:-2], 0)
    bass = BASS_BELOW - LOWEST_PITCH
    summed = np.stack([rises.sum(axis=1), rises[:, :bass].sum(axis=1)], axis=1)
    largest = summed.copy()
    for shift in range(1, _NEAR + 1):
        largest[shift:] = np.maximum(largest[shift:], summed[:-shift])
        largest[:-shift] = np.maximum(largest[:-shift], summed[shift:])
    classes = np.eye(12, dtype=np.float32)[np.arange(LOWEST_PITCH, HIGHEST_PITCH + 1) % 12]
    chroma = np.concatenate([heard @ classes, heard[:, :bass] @ classes[:bass]], axis=1)
    sums = np.cumsum(chroma, axis=0, dtype=np.float64)
    return Evidence(largest.astype(np.float64), np.concatenate([np.zeros((1, 24)), sums]))


def _at(evidence: Evidence, times_s: Floats, span_s: float) -> Floats:
    """Rises, rises of the bass, change of harmony and of the bass's at times, ``[t, 4]``.

    A change is 1 minus the cosine of the chroma in the span before and the span after.
    """
    frames = len(evidence.rises)
    place = np.rint(times_s / HOP_S).astype(np.int64).clip(0, frames - 1)
    before = _mean(evidence.chroma, times_s - span_s, times_s)
    after = _mean(evidence.chroma, times_s, times_s + span_s)
    changes = []
    for part in (slice(0, 12), slice(12, 24)):
        a, b = before[:, part], after[:, part]
        norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
        changes.append(1 - (a * b).sum(axis=1) / (norms + 1e-6))
    return np.column_stack([evidence.rises[place], *changes])


def _mean(sums: Floats, starts_s: Floats, ends_s: Floats) -> Floats:
    frames = len(sums) - 1
    first = np.rint(starts_s / HOP_S).astype(np.int64).clip(0, frames - 1)
    last = np.maximum(np.rint(ends_s / HOP_S).astype(np.int64).clip(0, frames), first + 1)
    return np.asarray((sums[last] - sums[first]) / (last - first)[:, None])


def _least_deviation(measures: Floats) -> Floats:
    """The deviations ``[m]`` under which measures ``[t, m]`` of `_at` are taken as alike."""
    alike = np.full(measures.shape[1], _ALIKE_CHANGE)
    alike[:2] = _ALIKE_RISE * measures[:, :2].mean(axis=0) + 1e-6
    return alike


def _spread(measures: Floats) -> tuple[Floats, Floats]:
    """Mean and deviation ``[m]`` of measures ``[t, m]`` of `_at`; no deviation is nearly 0."""
    return measures.mean(axis=0), np.maximum(measures.std(axis=0), _least_deviation(measures))


def _between(times_s: Floats) -> Floats:
    return np.asarray((times_s[1:] + times_s[:-1]) / 2)


def _doubled(times_s: Floats) -> Floats:
    out = np.empty(2 * len(times_s) - 1)
    out[::2], out[1::2] = times_s, _between(times_s)
    return out


def candidates(pulse_s: Floats) -> Iterator[Candidate]:
    """The readings of a pulse that have beats enough to be judged."""
    doubled = _doubled(pulse_s)
    for level, times_s in (
        (0.5, pulse_s[::2]),
        (0.5, pulse_s[1::2]),
        (TWO_THIRDS, doubled[::3]),
        (TWO_THIRDS, doubled[1::3]),
        (TWO_THIRDS, doubled[2::3]),
        (1.0, pulse_s),
        (1.0, _between(pulse_s)),
        (2.0, doubled),
    ):
        if len(times_s) >= _SHORTEST:
            yield Candidate(level, times_s)


def _is_heard(evidence: Evidence, pulse_s: Floats, candidate: Candidate) -> bool:
    """Whether the sound gives any reason for a reading, but the pulse itself, which needs none.

    On times between those of the pulse something has to begin; at two thirds, more than on the
    times left out, or every waltz were in two. That only part of the pulse are beats is told by
    harmony: where it never changes, as under a metronome, all of them are.
    """
    gap_s = float(np.median(np.diff(pulse_s)))
    at_pulse = _at(evidence, pulse_s, gap_s)
    if candidate.level == 0.5:
        return bool((at_pulse[:, 2:].std(axis=0) > _ALIKE_CHANGE).any())
    added = candidate.times_s[~_are_among(candidate.times_s, pulse_s)]
    rises = _at(evidence, added, gap_s)[:, 0]
    if candidate.level == TWO_THIRDS:
        left_out = at_pulse[~_are_among(pulse_s, candidate.times_s), 0]
        return bool(rises.mean() >= left_out.mean())
    return not len(added) or bool(rises.mean() >= _LEAST_RISE * at_pulse[:, 0].mean())


def level_features(evidence: Evidence, pulse: Beats) -> tuple[list[Candidate], Floats]:
    """The readings of a pulse and what speaks for each, ``[candidates, len(LEVEL_WEIGHTS)]``.

    Of the four measures of `_at`, in deviations over the pulse and its middles: how much larger
    they are on the beats than between, and how much they differ from beat to beat, which is much
    where every other beat is none. Then rises on 16ths, the share of the tracker's downbeats that
    are beats, the octaves between the tempo and the prior's centre and their square, and which
    level it is.
    """
    gap_s = float(np.median(np.diff(pulse.times_s)))
    mean, deviation = _spread(_at(evidence, _doubled(pulse.times_s), gap_s))
    downbeats = pulse.times_s[pulse.positions == 1]
    found = [c for c in candidates(pulse.times_s) if _is_heard(evidence, pulse.times_s, c)]
    rows = []
    for candidate in found:
        times_s = candidate.times_s
        gap_s = float(np.median(np.diff(times_s)))
        halves = _between(times_s)
        quarters = _between(_doubled(times_s))
        on, off, fine = (
            (_at(evidence, points, gap_s) - mean) / deviation
            for points in (times_s, halves, quarters)
        )
        alternation = np.abs(on[::2].mean(axis=0) - on[1::2].mean(axis=0))
        octaves = np.log2(60 / gap_s / _CENTRE_BPM)
        kept = _are_among(times_s, downbeats).sum() / len(downbeats) if len(downbeats) else 0.5
        rows.append(
            [
                *(on.mean(axis=0) - off.mean(axis=0)),
                *alternation,
                *fine.mean(axis=0)[:2],
                kept,
                octaves,
                octaves**2,
                candidate.level == 0.5,
                candidate.level == TWO_THIRDS,
                candidate.level == 2.0,
            ]
        )
    return found, np.array(rows, dtype=np.float64)


def downbeat_features(evidence: Evidence, pulse: Beats, times_s: Floats) -> Floats:
    """What speaks for each beat's beginning a bar, ``[beats, len(DOWNBEAT_WEIGHTS)]``.

    The measures of `_at`, and the changes over two and over four beats, in deviations over the
    beats; whether the tracker has a downbeat there; and 1.
    """
    gap_s = float(np.median(np.diff(times_s)))
    near = _at(evidence, times_s, gap_s)
    far = [_at(evidence, times_s, beats * gap_s)[:, 2:] for beats in (2, 4)]
    heard = np.concatenate([near, *far], axis=1)
    mean, deviation = _spread(heard)
    heard = (heard - mean) / deviation
    marked = _are_among(times_s, pulse.times_s[pulse.positions == 1])
    return np.column_stack([heard, marked, np.ones(len(times_s))])


def _are_among(times_s: Floats, others_s: Floats) -> NDArray[np.bool_]:
    """Which times are, within a rounding, among the others."""
    if not len(others_s):
        return np.zeros(len(times_s), dtype=np.bool_)
    place = np.searchsorted(others_s, times_s).clip(1, max(1, len(others_s) - 1))
    near = [np.abs(others_s[(place - k).clip(0, len(others_s) - 1)] - times_s) for k in (0, 1)]
    return np.asarray(np.minimum(*near) < _SAME_S)


def bar_positions(odds: Floats) -> Ints:
    """Places in bars of one length, from 1, by the log odds that each beat begins a bar.

    Bars are of four beats or of three; a Viterbi search for each may break one off at a price.
    """
    fours, score_of_fours = _places(odds, 4)
    threes, score_of_threes = _places(odds, 3)
    return (threes if score_of_threes - _PRICE_OF_THREE > score_of_fours else fours) + 1


def _places(odds: Floats, bar: int) -> tuple[Ints, float]:
    """The likeliest place of each beat in bars of `bar` beats, from 0, and its score."""
    score = np.zeros(bar)
    score[0] = odds[0]
    came = np.empty((len(odds), bar), dtype=np.int64)
    follows = np.roll(np.arange(bar), 1)
    for beat in range(1, len(odds)):
        best = int(score.argmax())
        stays = score[follows] >= score[best] - _BREAK_PRICE
        came[beat] = np.where(stays, follows, best)
        score = np.where(stays, score[follows], score[best] - _BREAK_PRICE)
        score[0] += odds[beat]
    places = np.empty(len(odds), dtype=np.int64)
    places[-1] = score.argmax()
    for beat in range(len(odds) - 1, 0, -1):
        places[beat - 1] = came[beat, places[beat]]
    return places, float(score.max())


def choose_level(pulse: Beats, evidence: Evidence) -> Beats:
    """The beats of a tracked pulse, at the likeliest level and with places in the bar.

    ``level_confidence`` is the model's probability of the level. A pulse of fewer than
    `_SHORTEST` times is returned as it is, with confidence 0.
    """
    if len(pulse.times_s) < _SHORTEST:
        return replace(pulse, level_confidence=0.0)
    found, features = level_features(evidence, pulse)
    scores = features @ LEVEL_WEIGHTS
    likely = np.exp(scores - scores.max())
    likely /= likely.sum()
    best = found[int(likely.argmax())]
    confidence = sum(p for p, other in zip(likely, found, strict=True) if other.level == best.level)
    odds = downbeat_features(evidence, pulse, best.times_s) @ DOWNBEAT_WEIGHTS
    return replace(
        pulse,
        times_s=best.times_s,
        positions=bar_positions(odds),
        tempo_level=best.level,
        level_confidence=float(min(1.0, confidence)),
    )
