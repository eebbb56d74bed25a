"""Which of a pulse's metrical levels are the beats, and which of these begin bars.

Beat trackers find the pulse of a recording well and its level less well: of POP909's slow songs,
played by a piano, two of three come out at double tempo. So the level is chosen after tracking,
among the pulse halved, at two thirds, as it is (or shifted by half), and doubled, from each of the
times on which it may begin. A multinomial logistic model scores each of them by what the sound
does on its beats and between them (how many partials rise, how many in the bass, how much the
harmony changes), and by its tempo, with a broad prior (`levels`). Bars of three or four beats are
then read by a Viterbi search over what a small network says of each beat (`downbeats`). All is
heard in the sound: notes, and what the tracker's network thought, are not needed, so that every
tracker is served alike.

The weights were fitted on songs of POP909; ``benchmarks/beats.py --fit`` makes them again. In
cross-validation they give beats an F of .90 where madmom's pulse has .75, and downbeats .75 where
it has .61. Songs above 140 beats a minute are few there (6 of 645), and 4 of these are halved:
``level="pulse"`` suits quick music better.
"""

from dataclasses import replace

import numpy as np

from symmv_builder.music.tempo_level.downbeats import bar_positions, beat_features, downbeat_odds
from symmv_builder.music.tempo_level.evidence import Evidence, listen, magnitudes
from symmv_builder.music.tempo_level.levels import LEVEL_WEIGHTS, SHORTEST, level_features
from symmv_builder.records import Beats

__all__ = ["Evidence", "bar_positions", "choose_level", "listen", "magnitudes"]


def choose_level(pulse: Beats, evidence: Evidence) -> Beats:
    """The beats of a tracked pulse, at the likeliest level and with places in the bar.

    ``level_confidence`` is the model's probability of the level. A pulse of fewer than
    `SHORTEST` times is returned as it is, with confidence 0.
    """
    if len(pulse.times_s) < SHORTEST:
        return replace(pulse, level_confidence=0.0)
    levels, features = level_features(evidence, pulse)
    scores = features @ LEVEL_WEIGHTS
    likely = np.exp(scores - scores.max())
    likely /= likely.sum()
    best = levels[int(likely.argmax())]
    confidence = sum(
        p for p, other in zip(likely, levels, strict=True) if other.level == best.level
    )
    odds = downbeat_odds(beat_features(evidence, pulse, best.times_s))
    return replace(
        pulse,
        times_s=best.times_s,
        positions=bar_positions(odds),
        tempo_level=best.level,
        level_confidence=float(min(1.0, confidence)),
    )
