"""Tests of whether two datasets differ, over one row a song: rows of one song are no two songs."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from symmv_builder.datasets.statistics.harmony import ordered
from symmv_builder.datasets.statistics.songs import Songs
from symmv_builder.evaluation.differences import Tested, holm, of_numbers, of_words
from symmv_builder.report.figure import Difference

_NUMBERS = {
    "music_duration_s": "length of the music, s",
    "tempo_bpm": "tempo, beats a minute",
    "notes": "notes",
    "notes_a_second": "onsets a second",
    "pitch": "mean pitch, MIDI number",
    "velocity": "mean velocity",
    "density": "mean density, notes",
    "loudness": "mean loudness, of full scale",
    "scenes_a_minute": "scenes a minute",
    "motion": "mean motion, of 255",
}


def differences(first: Songs, second: Songs) -> tuple[Difference, ...]:
    """Test every measure that both have, corrected together.

    The others say why they are not tested.
    """
    tables = [songs.first_of_each_song() for songs in (first, second)]
    tests = []
    for name, title in _NUMBERS.items():
        if name not in first.measures or name not in second.measures:
            tests.append(_absent(title, "Mann-Whitney U"))
            continue
        one, two = (
            songs.measures[name][rows] for songs, rows in zip((first, second), tables, strict=True)
        )
        tested = of_numbers(one, two)
        medians = [f"median {np.nanmedian(each):.4g}" if _has(each) else "-" for each in (one, two)]
        tests.append(_difference(title, "Mann-Whitney U", (medians[0], medians[1]), tested))
    kinds: dict[str, Callable[[Songs], list[str] | None]] = {
        "key": _keys,
        "mode": lambda songs: songs.texts.get("key_mode"),
        "genre": lambda songs: songs.texts.get("genre"),
        "chord that lasts longest, transposed": lambda songs: songs.harmony.commonest or None,
    }
    for title, of in kinds.items():
        both = [words for songs in (first, second) if (words := of(songs)) is not None]
        if len(both) < 2:
            tests.append(_absent(title, "chi-square"))
            continue
        if title.startswith("chord") and _is_colon(both[0]) != _is_colon(both[1]):
            why = "their chords are spelt in two vocabularies"
            tests.append(replace(_absent(title, "chi-square"), absent=why))
            continue
        one_words, two_words = (
            [each[row] for row in rows.tolist()] for each, rows in zip(both, tables, strict=True)
        )
        tested = of_words(one_words, two_words)
        tests.append(
            _difference(title, "chi-square", (_commonest(one_words), _commonest(two_words)), tested)
        )
    return _corrected(tests)


def _corrected(tests: list[Difference]) -> tuple[Difference, ...]:
    corrected = iter(holm([each.p for each in tests if not each.absent]))
    return tuple(
        each if each.absent else replace(each, p_adjusted=next(corrected)) for each in tests
    )


def _has(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> bool:
    return bool(np.isfinite(values).any())


def _difference(
    title: str, test: str, medians: tuple[str, str], tested: Tested | None
) -> Difference:
    if tested is None:
        return replace(_absent(title, test), absent="there are too few values to test")
    return Difference(title, test, *medians, tested.statistic, tested.effect, tested.p)


def _absent(title: str, test: str) -> Difference:
    return Difference(
        title, test, "", "", 0.0, 0.0, 1.0, absent="one of the two has no such column"
    )


def _keys(songs: Songs) -> list[str] | None:
    if not {"key_tonic", "key_mode"} <= songs.texts.keys():
        return None
    pairs = zip(songs.texts["key_tonic"], songs.texts["key_mode"], strict=True)
    return [f"{tonic.replace('-', 'b')} {mode}" if tonic else "" for tonic, mode in pairs]


def _is_colon(labels: list[str]) -> bool:
    """Check whether chords are spelt as MuVi-Sync does: a colon, or the root alone for major."""
    return any(":" in label or len(label) == 1 for label in labels)


def _commonest(words: list[str]) -> str:
    counts = Counter(word for word in words if word)
    if not counts:
        return "-"
    best, number = ordered(counts)[0]
    return f"{best}, {100 * number / counts.total():.0f} %"
