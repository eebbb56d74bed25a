"""Songs for tests: any song that V-MusProd can hold, by hypothesis, and small fixed ones."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from symmv_builder.training.vmusprod.songs import QuantisedSong

FIELDS = tuple(QuantisedSong.__dataclass_fields__)


def is_same(one: QuantisedSong, other: QuantisedSong) -> bool:
    """Whether two songs are equal in every field."""
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in FIELDS)


def make_song(
    notes: list[tuple[int, int, int, bool]],
    chords: list[tuple[int, int, int]] | None = None,
    **fields: Any,
) -> QuantisedSong:
    """A song out of (onset, pitch, duration, is melody) and (step, root, quality)."""
    table = np.array(sorted(notes), dtype=np.int64).reshape(-1, 4)
    chord_table = np.array(chords or [(0, 12, 10)], dtype=np.int64)
    given: dict[str, Any] = {"steps_per_bar": 16, "bars": 2, "tempo_bpm": 120.0} | fields
    given.setdefault("beats", np.arange(given["bars"] * given["steps_per_bar"] // 4))
    return QuantisedSong(
        onsets=table[:, 0],
        durations=table[:, 2],
        pitches=table[:, 1],
        is_melody=table[:, 3].astype(bool),
        chord_onsets=chord_table[:, 0],
        chord_roots=chord_table[:, 1],
        chord_qualities=chord_table[:, 2],
        **given,
    )


@st.composite
def songs(draw: st.DrawFn, most_bars: int = 4, keys: tuple[int, int] = (0, 127)) -> QuantisedSong:
    """Any song: empty bars, three beats in the bar, no chords, melody or accompaniment alone."""
    steps_per_bar = draw(st.sampled_from((12, 16)))
    bars = draw(st.integers(1, most_bars))
    step = st.integers(0, bars * steps_per_bar - 1)
    kept = draw(st.dictionaries(st.tuples(step, st.integers(*keys)), st.booleans(), max_size=40))
    notes = [(*key, draw(st.integers(1, 64)), melodic) for key, melodic in kept.items()]
    label = st.one_of(st.just((12, 10)), st.tuples(st.integers(0, 11), st.integers(0, 9)))
    beats = draw(st.sets(st.integers(1, bars * steps_per_bar // 4), max_size=6))
    chords: list[tuple[int, int, int]] = [(0, *draw(label))]
    for beat in sorted(beats):
        name = draw(label)
        if name != chords[-1][1:] and beat * 4 < bars * steps_per_bar:
            chords.append((beat * 4, *name))
    count = bars * steps_per_bar // 4
    numbers = st.sets(st.integers(-8, 3 * count), min_size=count, max_size=count)
    return make_song(
        notes,
        chords,
        steps_per_bar=steps_per_bar,
        bars=bars,
        tempo_bpm=draw(st.floats(30, 240)),
        beats=np.array(sorted(draw(numbers)), dtype=np.int64),
    )
