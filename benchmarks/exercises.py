"""Plain pieces at random, whose bars are certain, for `train_downbeats.py` to learn from.

Pop songs often change the harmony before the bar or within it. What learns from nothing else
takes the plainest accompaniment, a bass and a new chord on each bar, for something strange.
"""

import numpy as np
from train_downbeats import Bars

from symmv_builder.backends import sampler
from symmv_builder.music.tempo_level import listen, magnitudes
from symmv_builder.music.tempo_level.downbeats import beat_features
from symmv_builder.records import Beats, Notes

RATE_HZ = 22050
DEGREES = ((0, 4, 7), (2, 5, 9), (4, 7, 11), (5, 9, 12), (7, 11, 14), (9, 12, 16))
ORDERS = ((0, 1, 2, 1), (0, 2, 1, 2), (0, 1, 2), (2, 1, 0), (0, 2, 1), (0, 2))


def exercise(seed: int) -> Bars:
    """A piece in three or four: every other seed. It may begin within a bar."""
    random = np.random.default_rng(seed)
    metre = 3 + seed % 2
    beat_s = 60 / random.uniform(55, 140)
    key, order = int(random.integers(43, 55)), ORDERS[random.integers(len(ORDERS))]
    per_beat, in_blocks = int(random.integers(1, 3)), random.random() < 0.3
    bars, pickup = int(random.integers(8, 24)), int(random.integers(metre))
    progression = random.integers(len(DEGREES), size=int(random.integers(3, 9)))
    rows = []
    for bar in range(bars):
        chord = [key + step for step in DEGREES[progression[bar % len(progression)]]]
        at = 0.5 + (pickup + bar * metre) * beat_s
        rows.append((at, at + metre * beat_s, chord[0] - 12, random.integers(70, 95)))
        for part in range(metre * per_beat):
            begin = at + part * beat_s / per_beat
            struck = chord if in_blocks else [chord[order[part % len(order)]]]
            rows += [(begin, begin + beat_s / per_beat, p, random.integers(45, 70)) for p in struck]
        place = 0.0
        while place < metre:
            length = min(random.choice([0.5, 1.0, 1.0, 2.0]), metre - place)
            begin, pitch = (
                at + place * beat_s,
                chord[random.integers(3)] + 12 * random.integers(1, 3),
            )
            rows.append((begin, begin + length * beat_s, pitch, random.integers(65, 95)))
            place += length
    table = np.array(sorted(rows))
    notes = Notes(table[:, 0], table[:, 1], table[:, 2], table[:, 3])
    sound = sampler.render(notes, rate_hz=RATE_HZ).mean(axis=1)
    beats = np.arange(pickup + bars * metre)
    times_s = 0.5 + beats * beat_s
    first = (beats - pickup) % metre == 0
    # What a tracker says of bars is as often wrong as not here, or is not said.
    positions = (beats - random.integers(metre)) % metre + 1
    pulse = Beats(times_s=times_s, positions=positions if seed % 3 else np.zeros_like(beats))
    return Bars(beat_features(listen(magnitudes(sound, RATE_HZ)), pulse, times_s), first, metre)
