"""Which of a pulse's metrical levels are the beats, and which of these begin bars.

Beat trackers find the pulse of a recording well and its level less well: of POP909's slow songs,
played by a piano, two of three come out at double tempo. So the level is chosen after tracking,
among the pulse halved, at two thirds, as it is (or shifted by half), and doubled, from each of the
times on which it may begin. A multinomial logistic model scores each of them by what the sound
does on its beats and between them (how many partials rise, how many in the bass, how much the
harmony changes), and by its tempo, with a broad prior (`levels`). Bars of three or four beats are
then read by a Viterbi search over what a small network says of each beat (`downbeats`); a pulse
that clearly goes in threes is not halved. All is
heard in the sound: notes, and what the tracker's network thought, are not needed, so that every
tracker is served alike.

The weights were fitted on songs of POP909; ``benchmarks/beats.py --fit`` makes them again. In
cross-validation they give beats an F of .90 where madmom's pulse has .75, and downbeats .76 where
it has .61. Quick songs are few there, and often halved: 13 of 37 above 120 beats a minute, one of
4 above 140. ``level="pulse"`` suits quick music better.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from symmv_builder.music.tempo_level.downbeats import (
    bar_positions,
    beat_features,
    downbeat_odds,
    lead_of_threes,
)
from symmv_builder.music.tempo_level.evidence import Evidence, listen, magnitudes
from symmv_builder.music.tempo_level.levels import (
    LEVEL_WEIGHTS,
    SHORTEST,
    Candidate,
    level_features,
)
from symmv_builder.records import Beats, Floats

__all__ = ["Evidence", "bar_positions", "choose_level", "likelihoods", "listen", "magnitudes"]

# By how many nats a beat bars of three have to lead for a pulse to go in threes. Of 98 songs of
# POP909 in four none leads by more than 0.01, of four in three the least by 0.34.
_IN_THREES = 0.1


def choose_level(pulse: Beats, evidence: Evidence) -> Beats:
    """The beats of a tracked pulse, at the likeliest level and with places in the bar.

    ``level_confidence`` is the model's probability of the level. A pulse of fewer than
    `SHORTEST` times is returned as it is, with confidence 0.
    """
    if len(pulse.times_s) < SHORTEST:
        return replace(pulse, level_confidence=0.0)
    levels, features = level_features(evidence, pulse)

    def odds_of(reading: int) -> Floats:
        return downbeat_odds(beat_features(evidence, pulse, levels[reading].times_s))

    likely = likelihoods(levels, features @ LEVEL_WEIGHTS, odds_of)
    choice = int(likely.argmax())
    best = levels[choice]
    confidence = sum(
        p for p, other in zip(likely, levels, strict=True) if other.level == best.level
    )
    return replace(
        pulse,
        times_s=best.times_s,
        positions=bar_positions(odds_of(choice)),
        tempo_level=best.level,
        level_confidence=float(min(1.0, confidence)),
    )


def likelihoods(
    levels: list[Candidate], scores: Floats, odds_of: Callable[[int], Floats]
) -> Floats:
    """Probability of each reading by its score, both ``[readings]``.

    `odds_of` gives the `downbeat_odds` of a reading. Where the pulse goes in threes, more clearly
    than its halves do, these have none: half of three is no beat. The halves of a waltz that was
    tracked at double tempo go in threes more clearly than its pulse.
    """
    halved = np.array([reading.level == 0.5 for reading in levels])
    if halved[scores.argmax()]:
        whole = next(i for i, reading in enumerate(levels) if reading.level == 1.0)
        lead = lead_of_threes(odds_of(whole))
        rivals = [lead_of_threes(odds_of(int(i))) for i in np.flatnonzero(halved)]
        if lead > max(_IN_THREES, *rivals):
            scores = np.where(halved, -np.inf, scores)
    likely = np.exp(scores - scores.max())
    return np.asarray(likely / likely.sum())
