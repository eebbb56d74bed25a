"""Which beats begin bars: a small network scores each beat, and bars are read by a Viterbi search.

The network looks at what sounds on each beat and its quarters, how the harmony changes and how
much each beat is like those after it, eight beats to either side, always against the mean of the
piece. It was fitted on POP909 by maximum likelihood of the bars (a conditional random field), so
that it is judged by whole rows of bars and not by single beats; ``benchmarks/beats.py --fit``
makes its file again.
"""

from functools import cache
from importlib.resources import files

import numpy as np

from symmv_builder.music.tempo_level.evidence import (
    Evidence,
    are_among,
    change_of_harmony,
    frames_at,
    harmony,
    likeness,
)
from symmv_builder.records import Beats, Floats, Ints

# How far, in beats, harmony is compared: across a beat, and from beat to beat.
_SPANS, _LAGS = (1, 2, 4), (1, 2, 3, 4, 8)
# Features are in deviations over the beats; no deviation is less than this part of the mean.
_ALIKE = 0.01
_FURTHEST = 5.0
# What bars of three have to be better by, and what it costs where a bar breaks off, in nats.
_PRICE_OF_THREE = 2.0
BREAK_PRICE = 6.0


def beat_features(evidence: Evidence, pulse: Beats, times_s: Floats) -> Floats:
    """What sounds on each beat, ``[beats, 48]``, in deviations from the piece's mean.

    Rises in five registers on the beat's four quarters; the changes of harmony over one, two and
    four beats; the likeness of the beat's harmony to that 1, 2, 3, 4 and 8 beats later; the mean
    level of all bands, bass and treble. Last, whether the tracker has a downbeat there.
    """
    gaps_s = np.diff(times_s, append=2 * times_s[-1] - times_s[-2])
    gap_s = float(np.median(gaps_s))
    quarters = [frames_at(evidence, times_s + gaps_s * part / 4) for part in range(4)]
    beats = harmony(evidence, times_s, times_s + gaps_s)
    features = np.concatenate(
        [
            *(evidence.registers[frames] for frames in quarters),
            *(change_of_harmony(evidence, times_s, span * gap_s) for span in _SPANS),
            *(_likeness_later(beats, lag) for lag in _LAGS),
            beats.reshape(len(beats), 3, 12).mean(axis=2),
        ],
        axis=1,
    )
    mean = features.mean(axis=0)
    features = (features - mean) / np.maximum(features.std(axis=0), _ALIKE * np.abs(mean) + 1e-6)
    marked = are_among(times_s, pulse.times_s[pulse.positions == 1])
    return np.column_stack([features.clip(-_FURTHEST, _FURTHEST), marked])


def _likeness_later(beats: Floats, lag: int) -> Floats:
    """Likeness of each beat to that `lag` later; the mean where there is none."""
    out = np.zeros((len(beats), 3))
    if len(beats) > lag:
        out[:-lag] = likeness(beats[:-lag], beats[lag:])
        out[-lag:] = out[:-lag].mean(axis=0)
    return out


@cache
def _weights() -> dict[str, Floats]:
    with (files(__package__) / "downbeats.npz").open("rb") as file, np.load(file) as arrays:
        return {name: arrays[name].astype(np.float64) for name in arrays.files}


def downbeat_odds(features: Floats, weights: dict[str, Floats] | None = None) -> Floats:
    """Log odds ``[beats]`` that each beat begins a bar: the mean of a few like networks.

    A network is a convolution over beats (``kernel`` ``[networks, hidden, features, taps]``,
    ``bias``), a rectifier, and a weighted sum (``out``, ``out_bias``). Without `weights`, those
    of the package.
    """
    model = _weights() if weights is None else weights
    taps = model["kernel"].shape[-1]
    padded = np.pad(features, ((taps // 2, taps // 2), (0, 0)))
    around = np.lib.stride_tricks.sliding_window_view(padded, taps, axis=0)
    hidden = np.tensordot(around, model["kernel"], axes=((1, 2), (2, 3))) + model["bias"]
    each = (np.maximum(hidden, 0) * model["out"]).sum(axis=2) + model["out_bias"]
    return np.asarray(each.mean(axis=1))


def bar_positions(odds: Floats) -> Ints:
    """Places in bars of one length, from 1, by the log odds that each beat begins a bar.

    Bars are of four beats or of three; a Viterbi search for each may break one off at a price.
    """
    fours, score_of_fours = _places(odds, 4)
    threes, score_of_threes = _places(odds, 3)
    return (threes if score_of_threes - _PRICE_OF_THREE > score_of_fours else fours) + 1


def lead_of_threes(odds: Floats) -> float:
    """By how many nats a beat bars of three are likelier than bars of four, by odds ``[beats]``."""
    return (_places(odds, 3)[1] - _places(odds, 4)[1]) / len(odds)


def _places(odds: Floats, bar: int) -> tuple[Ints, float]:
    """The likeliest place of each beat in bars of `bar` beats, from 0, and its score."""
    score = np.zeros(bar)
    score[0] = odds[0]
    came = np.empty((len(odds), bar), dtype=np.int64)
    follows = np.roll(np.arange(bar), 1)
    for beat in range(1, len(odds)):
        best = int(score.argmax())
        stays = score[follows] >= score[best] - BREAK_PRICE
        came[beat] = np.where(stays, follows, best)
        score = np.where(stays, score[follows], score[best] - BREAK_PRICE)
        score[0] += odds[beat]
    places = np.empty(len(odds), dtype=np.int64)
    places[-1] = score.argmax()
    for beat in range(len(odds) - 1, 0, -1):
        places[beat - 1] = came[beat, places[beat]]
    return places, float(score.max())
