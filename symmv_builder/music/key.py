"""The key of a piece, and the keys that it goes through.

By a profile, as the data sets did:
Krumhansl and Schmuckler (Krumhansl, "Cognitive Foundations of Musical Pitch", 1990):
the time that each pitch class sounds is correlated with a profile of the major and of
the minor mode on every tonic. The weights are those of music21, which took them from
Humdrum's keycor. SymMV's paper names Krumhansl-Schmuckler, but its released column was
made with music21's default, Aarden-Essen; MuVi-Sync lets three profiles vote.

Durations are weighed in seconds where music21 weighs quarter lengths: the two differ by
one factor as long as the tempo does not change.

``relative-pair``, the default, is ours. Half of the errors of a profile are the relative key,
so the pair of relative keys is decided first, by Aarden-Essen over the time that a pitch
class sounds in any octave (overlapping notes count once), and then the mode, by a logistic
regression on which triads sound and on the scale. In a short piece the first and the last root
count too: a bare scale has no more than these. `benchmarks/train_key.py` makes its numbers.
"""

from collections import Counter
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Floats, Ints, Key, KeySpans, Notes
from symmv_builder.schema import Column
from symmv_builder.vocab import MODES, pitch_class

Profile: TypeAlias = Literal[
    "relative-pair",
    "krumhansl-schmuckler",
    "aarden-essen",
    "temperley-kostka-payne",
    "bellman-budge",
    "simple",
    "vote",
]
VOTERS = ("krumhansl-schmuckler", "temperley-kostka-payne", "bellman-budge")

# Weight of each pitch class above the tonic: major, then minor.
PROFILES: dict[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "krumhansl-schmuckler": (
        (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88),
        (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17),
    ),
    "aarden-essen": (
        (17.7661, 0.145624, 14.9265, 0.160186, 19.8049, 11.3587,
         0.291248, 22.062, 0.145624, 8.15494, 0.232998, 4.95122),
        (18.2648, 0.737619, 14.0499, 16.8599, 0.702494, 14.4362,
         0.702494, 18.6161, 4.56621, 1.93186, 7.37619, 1.75623),
    ),
    "temperley-kostka-payne": (
        (0.748, 0.060, 0.488, 0.082, 0.670, 0.460, 0.096, 0.715, 0.104, 0.366, 0.057, 0.400),
        (0.712, 0.084, 0.474, 0.618, 0.049, 0.460, 0.105, 0.747, 0.404, 0.067, 0.133, 0.330),
    ),
    "bellman-budge": (
        (16.80, 0.86, 12.95, 1.41, 13.49, 11.93, 1.25, 20.28, 1.80, 8.04, 0.62, 10.57),
        (18.16, 0.69, 12.99, 13.34, 1.07, 11.15, 1.38, 21.07, 7.49, 1.53, 0.92, 10.21),
    ),
    "simple": (
        (2, 0, 1, 0, 1, 1, 0, 2, 0, 1, 0, 1),
        (2, 0, 1, 1, 0, 1, 0, 2, 1, 0, 0.5, 0.5),
    ),
}  # fmt: skip
# How music21 spells the tonic of its answer.
MAJOR_TONICS = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "A-", "A", "B-", "B")
MINOR_TONICS = ("C", "C#", "D", "E-", "E", "F", "F#", "G", "G#", "A", "B-", "B")

_PAIR_PROFILE = "aarden-essen"
# Semitones from the major tonic of a pair to its minor tonic.
_RELATIVE = 9
FRAME_S = 0.5
_MOST_FRAMES = 100_000
# A triad counts this much more where its root is the lowest note.
_BASS_BONUS = 0.2
# The chance of minor: triads are counted by root above the major tonic, and scale degrees by
# their share of the sounding time. Made by benchmarks/train_key.py.
MODE_TRIADS = (
    (0, "major"), (9, "minor"), (5, "major"), (7, "major"), (2, "minor"), (4, "minor"),
    (4, "major"),
)  # fmt: skip
MODE_DEGREES = (0, 2, 4, 5, 7, 8, 9, 11)
MODE_WEIGHTS = (
    -19.363, -13.342, -0.17, -17.227, -2.332, -29.625, 10.17,
    -11.844, -18.718, 18.956, -55.788, -9.354, -36.168, 25.364, 20.659,
)  # fmt: skip
MODE_BIAS = 13.39


# Odds of minor, in nats: for each of the first and the last root that is a tonic, and for what the
# minor profile fits better. In pieces of so many seconds ends count as much as all the rest.
_ODDS_OF_ENDS, _ODDS_OF_FIT, _ENOUGH_S = 3.0, 20.0, 10.0


def find_key(notes: Notes, *, profile: Profile = "relative-pair") -> Key:
    """Find the best fitting major or minor key, with its correlation.

    ``relative-pair``: the pair of relative keys, then its mode; the correlation is that of the
    time that each class sounds with Aarden-Essen's profile of the key.
    ``vote``: the key that most of three profiles name; where all differ, the one that
    fits best. Equal fits are decided as in music21: the higher tonic, then minor.
    `RejectEntry` (too_few_notes) where nothing sounds.
    """
    histogram = _histogram(notes)
    if profile == "relative-pair":
        return _of_relative_pair(frames_of(notes), has_chords=_has_chords(notes))
    if profile != "vote":
        return _best(histogram, profile)
    answers = [_best(histogram, voter) for voter in VOTERS]
    votes = Counter((answer.tonic, answer.mode) for answer in answers)
    return max(answers, key=lambda key: (votes[key.tonic, key.mode], key.correlation))


def fit_of(notes: Notes, tonic: str, mode: str, *, profile: str) -> float:
    """Measure how well one key fits the notes: Pearson's r, -1 to 1; ``vote`` is no profile.

    `RejectEntry` (too_few_notes) where nothing sounds.
    """
    weights = PROFILES[profile][MODES.index(mode)]
    return float(_correlations(_histogram(notes), np.array(weights))[pitch_class(tonic)])


def _histogram(notes: Notes) -> Floats:
    """Sum the seconds that each pitch class sounds, ``[12]``."""
    histogram = np.zeros(12)
    np.add.at(histogram, notes.pitches % 12, notes.ends_s - notes.starts_s)
    if not histogram.any():
        raise RejectEntry(Reason.TOO_FEW_NOTES, "a key needs notes that sound, and there are none")
    return histogram


def _best(histogram: Floats, profile: str) -> Key:
    fits = np.stack([_correlations(histogram, np.array(w)) for w in PROFILES[profile]], axis=1)
    # Reversed, so that argmax meets the higher tonic first, and minor before major.
    number = fits.size - 1 - int(np.argmax(fits.ravel()[::-1]))
    tonic, minor = divmod(number, 2)
    return Key(
        tonic=(MINOR_TONICS if minor else MAJOR_TONICS)[tonic],
        mode="minor" if minor else "major",
        correlation=float(fits[tonic, minor]),
    )


def _correlations(histogram: Floats, weights: Floats) -> Floats:
    """Pearson's r with the profile on each of the 12 tonics; 0 for a flat histogram."""
    deviations = histogram - histogram.mean()
    profiles = np.stack([np.roll(weights - weights.mean(), tonic) for tonic in range(12)])
    scale = np.sqrt((deviations @ deviations) * (profiles * profiles).sum(axis=1))
    fits: Floats = np.divide(profiles @ deviations, scale, out=np.zeros(12), where=scale > 0)
    return fits


def find_key_spans(notes: Notes, *, change_penalty: float = 32.0) -> KeySpans:
    """Find the keys that a piece goes through, as spans from its start to its last note.

    Viterbi over the twelve pairs of relative keys, every half second, where a change costs
    ``change_penalty``; each span is then named as `find_key` names a piece. A change to the
    relative key is not heard. `RejectEntry` (too_few_notes) where nothing sounds.
    """
    _histogram(notes)
    frames, has_chords = frames_of(notes), _has_chords(notes)
    pairs = _smoothest_pairs(frames.classes, change_penalty)
    edges = np.flatnonzero(np.diff(pairs, prepend=-1)).tolist()
    spans: list[tuple[int, Key]] = []
    for first, last in zip(edges, [*edges[1:], len(pairs)], strict=True):
        key = _of_relative_pair(frames.between(int(first), int(last)), has_chords=has_chords)
        if not spans or (key.tonic, key.mode) != (spans[-1][1].tonic, spans[-1][1].mode):
            spans.append((first, key))
    starts = frames.hop_s * np.array([first for first, _ in spans])
    return KeySpans(
        starts_s=starts,
        ends_s=np.append(starts[1:], notes.ends_s.max()),
        tonics=tuple(key.tonic for _, key in spans),
        modes=tuple(key.mode for _, key in spans),
        clock=notes.clock,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """Seconds of each frame in which a pitch class sounds, and is lowest: both ``[t, 12]``."""

    classes: Floats
    lowest: Floats
    hop_s: float

    def between(self, first: int, last: int) -> "Frames":
        return Frames(self.classes[first:last], self.lowest[first:last], self.hop_s)


def frames_of(notes: Notes) -> Frames:
    """Make frames of half a second from time 0 to the last end.

    Longer ones in a very long piece.
    """
    end = float(notes.ends_s.max())
    hop = max(FRAME_S, end / _MOST_FRAMES)
    edges = hop * np.arange(int(np.ceil(end / hop)))
    times = np.unique(np.concatenate([notes.starts_s, notes.ends_s, edges]).clip(0, end))
    change = np.zeros((len(times), 132), dtype=np.int32)
    np.add.at(change, (np.searchsorted(times, notes.starts_s), notes.pitches), 1)
    np.add.at(change, (np.searchsorted(times, notes.ends_s), notes.pitches), -1)
    sounding = change.cumsum(axis=0)[:-1] > 0
    lengths = np.diff(times)[:, None]
    bass = np.zeros((len(sounding), 12), dtype=np.bool_)
    frames = np.flatnonzero(sounding.any(axis=1))
    bass[frames, sounding[frames].argmax(axis=1) % 12] = True
    first = np.searchsorted(times, edges)
    return Frames(
        classes=np.add.reduceat(lengths * sounding.reshape(-1, 11, 12).any(axis=1), first),
        lowest=np.add.reduceat(lengths * bass, first),
        hop_s=hop,
    )


def relative_pair(frames: Frames) -> int:
    """Find the major tonic, 0-11, of the pair whose better key fits best."""
    major, minor = _fits(frames)
    return int(np.maximum(major, np.roll(minor, -_RELATIVE)).argmax())


def mode_features(frames: Frames, tonic: int) -> Floats:
    """Compute what tells the minor from the major key of a pair, ``[15]``: see `MODE_TRIADS`."""
    triads, classes = _triads(frames), frames.classes
    shares = np.bincount(triads, minlength=24) / len(triads)
    degrees = np.roll(classes.sum(axis=0) / classes.sum(), -tonic)
    return np.array(
        [
            *(shares[(tonic + root) % 12 + 12 * MODES.index(mode)] for root, mode in MODE_TRIADS),
            *(degrees[degree] for degree in MODE_DEGREES),
        ]
    )


def _triads(frames: Frames) -> Ints:
    """Find the likeliest triad of each frame that sounds: its root, plus 12 where it is minor."""
    is_sounding = frames.classes.any(axis=1)
    classes, lowest = frames.classes[is_sounding], frames.lowest[is_sounding]
    loud = classes / np.linalg.norm(classes, axis=1, keepdims=True)
    bass = lowest / frames.hop_s
    scores = np.hstack(
        [
            sum(np.roll(loud, -step, axis=1) for step in triad) / np.sqrt(3) + _BASS_BONUS * bass
            for triad in ((0, 4, 7), (0, 3, 7))
        ]
    )
    return np.asarray(scores.argmax(axis=1))


def _fits(frames: Frames) -> tuple[Floats, Floats]:
    histogram = frames.classes.sum(axis=0)
    major, minor = (_correlations(histogram, np.array(w)) for w in PROFILES[_PAIR_PROFILE])
    return major, minor


def _has_chords(notes: Notes) -> bool:
    """Check whether two notes ever sound together."""
    order = np.argsort(notes.starts_s, kind="stable")
    ends = np.maximum.accumulate(notes.ends_s[order])
    return bool((notes.starts_s[order][1:] < ends[:-1]).any())


def _of_relative_pair(frames: Frames, *, has_chords: bool) -> Key:
    """Find the pair, then its mode.

    The odds of minor come from the triads and the scale, or from the profiles where no two notes
    sound together. The less there is to hear, the more the first and the last root count.
    """
    tonic = relative_pair(frames)
    fits = _fits(frames)
    if has_chords:
        odds = float(mode_features(frames, tonic) @ np.array(MODE_WEIGHTS) + MODE_BIAS)
    else:
        odds = _ODDS_OF_FIT * float(fits[1][(tonic + _RELATIVE) % 12] - fits[0][tonic])
    roots = (_triads(frames) - tonic) % 12
    ends = (roots[[0, -1]] == _RELATIVE).astype(int) - (roots[[0, -1]] == 0).astype(int)
    heard_s = len(roots) * frames.hop_s
    share = heard_s / (heard_s + _ENOUGH_S)
    is_minor = share * odds + (1 - share) * _ODDS_OF_ENDS * int(ends.sum()) > 0
    if is_minor:
        tonic = (tonic + _RELATIVE) % 12
        return Key(MINOR_TONICS[tonic], "minor", float(fits[1][tonic]))
    return Key(MAJOR_TONICS[tonic], "major", float(fits[0][tonic]))


def _smoothest_pairs(classes: Floats, change_penalty: float) -> Ints:
    """Find the best path of pairs ``[t]`` through frames ``[t, 12]``."""
    major, minor = (np.array(weights) for weights in PROFILES[_PAIR_PROFILE])
    pair = sum(w / w.sum() for w in (major, np.roll(minor, _RELATIVE)))
    pair = (pair - pair.mean()) / pair.std()
    gains = classes @ np.stack([np.roll(pair, tonic) for tonic in range(12)], axis=1)
    came_from = np.zeros(gains.shape, dtype=np.int64)
    score = gains[0]
    for t in range(1, len(gains)):
        best = int(score.argmax())
        stays = score >= score[best] - change_penalty
        came_from[t] = np.where(stays, np.arange(12), best)
        score = np.where(stays, score, score[best] - change_penalty) + gains[t]
    path = np.zeros(len(gains), dtype=np.int64)
    path[-1] = score.argmax()
    for t in range(len(gains) - 1, 0, -1):
        path[t - 1] = came_from[t, path[t]]
    return path


COLUMNS = (
    Column("{}_tonic", "string", "", "tonic, flats written as '-' (music21)", "tonic"),
    Column("{}_mode", "string", "", "major or minor", "mode"),
    Column("{}_correlation", "float64", "r", "fit of the key's profile", "correlation"),
)
STEP = Step("key", 3, reads=("notes",), run=find_key, columns=COLUMNS)
SPANS = Step(
    "key_spans",
    2,
    reads=("notes",),
    run=find_key_spans,
    columns=(
        Column("key_starts_s", "list<float64>", "s, music", "where each key begins", "starts_s"),
        Column("key_ends_s", "list<float64>", "s, music", "where each key ends", "ends_s"),
        Column("key_tonics", "list<string>", "", "tonic of each key (music21)", "tonics"),
        Column("key_modes", "list<string>", "", "major or minor, of each key", "modes"),
    ),
)
