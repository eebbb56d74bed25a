"""Genre and instruments out of tags: the greatest mean, and those that reach a limit."""

import numpy as np
import pytest

from symmv_builder.backends.musicnn.tagger import TAGS
from symmv_builder.music.music_labels import GENRES, INSTRUMENTS, label_music
from symmv_builder.records import TagTrack


def tags(**values: list[float]) -> TagTrack:
    names = tuple(name.replace("_", " ") for name in values)
    return TagTrack(names, 1.0, np.array(list(values.values()), np.float32).T)


def test_the_genre_is_the_likeliest_over_the_whole_recording() -> None:
    found = label_music(tags(rock=[0.9, 0.0, 0.0], new_age=[0.4, 0.4, 0.4], slow=[1, 1, 1]))
    assert found.genre == "new age"
    assert found.genre_likelihood == pytest.approx(0.4)
    assert found.instruments == ()


def test_instruments_stand_in_the_order_of_their_likelihood() -> None:
    found = label_music(tags(guitar=[0.2, 0.3], piano=[0.5, 0.5], flute=[0.1, 0.1]))
    assert found.instruments == ("piano", "guitar")
    assert (found.genre, found.genre_likelihood) == ("", 0.0)
    assert label_music(tags(flute=[0.1]), min_instrument=0.05).instruments == ("flute",)


def test_what_is_unlikely_has_no_genre_and_so_has_nothing() -> None:
    assert label_music(tags(pop=[0.05, 0.05])).genre == ""
    assert label_music(TagTrack(("pop",), 1.0, np.zeros((0, 1), np.float32))).genre == ""


def test_the_words_are_musicnns() -> None:
    assert set(GENRES) | set(INSTRUMENTS) <= set(TAGS)
