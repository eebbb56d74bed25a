"""Keys against music21's own answers and against the released column of SymMV."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends.midi import read_notes
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music.key import PROFILES, find_key, find_key_spans, frames_of
from symmv_builder.records import KeySpans, Notes, Provenance
from symmv_builder.storage.sidecars import decode, encode
from symmv_builder.vocab import pitch_class

CLASSES = {
    "krumhansl-schmuckler": "KrumhanslSchmuckler",
    "aarden-essen": "AardenEssen",
    "temperley-kostka-payne": "TemperleyKostkaPayne",
    "bellman-budge": "BellmanBudge",
    "simple": "SimpleWeights",
}


def notes_of(weights: dict[int, float]) -> Notes:
    """One note a pitch class, as long as its weight."""
    pitches = sorted(pitch for pitch, weight in weights.items() if weight)
    ends = [weights[pitch] for pitch in pitches]
    return Notes(
        np.array([0.0] * len(ends)),
        np.array(ends),
        np.array([60 + p for p in pitches]),
        np.array([64] * len(ends)),
    )


def music21_key(notes: Notes, profile: str) -> tuple[str, str, float]:
    """What music21 says of the same notes: each a note with its duration."""
    discrete: Any = pytest.importorskip("music21.analysis.discrete")
    note: Any = pytest.importorskip("music21.note")
    stream: Any = pytest.importorskip("music21.stream")
    part = stream.Stream()
    lengths = notes.ends_s - notes.starts_s
    for start, pitch, length in zip(notes.starts_s, notes.pitches, lengths, strict=True):
        part.insert(float(start), note.Note(int(pitch), quarterLength=float(length)))
    key = getattr(discrete, CLASSES[profile])().getSolution(part)
    return key.tonic.name, key.mode, key.correlationCoefficient


@pytest.mark.parametrize("profile", PROFILES)
def test_the_weights_are_those_of_music21(profile: str) -> None:
    discrete: Any = pytest.importorskip("music21.analysis.discrete")
    theirs = getattr(discrete, CLASSES[profile])()
    for mode, weights in zip(("major", "minor"), PROFILES[profile], strict=True):
        assert tuple(theirs.getWeights(mode)) == weights


@pytest.mark.parametrize("profile", PROFILES)
def test_every_key_is_found_and_spelled_as_music21_does(profile: str) -> None:
    for minor, weights in enumerate(PROFILES[profile]):
        for tonic in range(12):
            notes = notes_of({(tonic + i) % 12: weight for i, weight in enumerate(weights)})
            key = find_key(notes, profile=profile)  # type: ignore[arg-type]
            name, mode, r = music21_key(notes, profile)
            assert (key.tonic, key.mode) == (name, mode)
            assert key.mode == ("minor" if minor else "major")
            assert key.tonic_class == tonic
            assert key.correlation == pytest.approx(r, abs=1e-6)


def test_chance_histograms_give_music21s_answer() -> None:
    random = np.random.default_rng(3)
    for profile in PROFILES:
        for _ in range(10):
            notes = notes_of(dict(enumerate(random.exponential(size=12))))
            key = find_key(notes, profile=profile)  # type: ignore[arg-type]
            name, mode, r = music21_key(notes, profile)
            assert (key.tonic, key.mode) == (name, mode)
            assert key.correlation == pytest.approx(r, abs=1e-6)


def test_equal_fits_are_decided_as_music21_decides_them() -> None:
    for weights in ({0: 1.0, 6: 1.0}, {0: 1.0, 4: 1.0, 8: 1.0}, dict.fromkeys(range(12), 1.0)):
        notes = notes_of(weights)
        key = find_key(notes, profile="simple")
        assert (key.tonic, key.mode) == music21_key(notes, "simple")[:2]


@pytest.mark.twin("test_chance_histograms_give_music21s_answer")
def test_real_music_gives_music21s_answer(shared_data: Path) -> None:
    files = sorted((shared_data / "symmv/midi").glob("*.mid"))[:4]
    files += sorted((shared_data / "pop909").glob("*/*.mid"))[:2]
    for path in files:
        notes = read_notes(path)
        for profile in ("krumhansl-schmuckler", "aarden-essen"):
            key = find_key(notes, profile=profile)
            name, mode, r = music21_key(notes, profile)
            assert (key.tonic, key.mode) == (name, mode), path.name
            assert key.correlation == pytest.approx(r, abs=1e-3)


@pytest.mark.twin("test_every_key_is_found_and_spelled_as_music21_does")
def test_aarden_essen_agrees_with_the_release(shared_data: Path) -> None:
    rows = [
        line.split("\t") for line in (shared_data / "symmv/SymMV.csv").read_text().splitlines()[1:]
    ]
    agree = [
        str(find_key(read_notes(shared_data / f"symmv/midi/{row[0]}.mid"), profile="aarden-essen"))
        == row[2]
        for row in rows
    ]
    assert len(agree) == 60
    assert np.mean(agree) >= 0.98


def test_long_notes_weigh_more_than_many_short_ones() -> None:
    notes = Notes(
        np.array([0, 0, 0, 4, 4.1, 4.2]),
        np.array([4, 4, 4, 4.1, 4.2, 4.3]),
        np.array([60, 64, 67, 61, 61, 61]),
        np.array([9] * 6),
    )
    assert str(find_key(notes, profile="krumhansl-schmuckler")) == "C major"


def test_the_vote_takes_what_two_of_three_profiles_name() -> None:
    random = np.random.default_rng(1)
    voters = ("krumhansl-schmuckler", "temperley-kostka-payne", "bellman-budge")
    seen = set()
    for _ in range(300):
        notes = notes_of(dict(enumerate(random.exponential(size=12))))
        answers = [find_key(notes, profile=voter) for voter in voters]  # type: ignore[arg-type]
        names = [str(answer) for answer in answers]
        vote = find_key(notes, profile="vote")
        seen.add(len(set(names)))
        if len(set(names)) == 3:
            assert vote == max(answers, key=lambda key: key.correlation)
        else:
            assert str(vote) == max(names, key=names.count)
    assert seen == {1, 2, 3}


def test_nothing_that_sounds_is_a_rejection() -> None:
    for notes in (
        Notes(np.array([]), np.array([]), np.array([]), np.array([])),
        Notes(np.array([1.0]), np.array([1.0]), np.array([60]), np.array([64])),
    ):
        for find in (find_key, find_key_spans):
            with pytest.raises(RejectEntry) as caught:
                find(notes)
            assert caught.value.reason is Reason.TOO_FEW_NOTES


MAJOR = ((0, "M"), (5, "M"), (7, "M"), (0, "M"))
MINOR = ((9, "m"), (2, "m"), (4, "M"), (9, "m"))


def chords_in(*pairs: tuple[int, tuple[tuple[int, str], ...], int]) -> Notes:
    """Triads of two seconds over their roots: (major tonic, chords above it, times) in turn."""
    rows = []
    start = 0.0
    for tonic, chords, times in pairs:
        for root, quality in chords * times:
            low = 48 + (tonic + root) % 12
            for step in (-12, 0, 4 if quality == "M" else 3, 7):
                rows.append((start, start + 2.0, low + step))
            start += 2.0
    starts, ends, pitches = zip(*sorted(rows, key=lambda row: (row[0], row[2])), strict=True)
    return Notes(np.array(starts), np.array(ends), np.array(pitches), np.array([64] * len(rows)))


@pytest.mark.parametrize("tonic", range(12))
def test_the_mode_of_a_relative_pair_is_that_of_its_chords(tonic: int) -> None:
    major = find_key(chords_in((tonic, MAJOR, 4)))
    minor = find_key(chords_in((tonic, MINOR, 4)))
    assert (major.tonic_class, major.mode) == (tonic, "major")
    assert (minor.tonic_class, minor.mode) == ((tonic + 9) % 12, "minor")


MAJOR_SCALE, MINOR_SCALE = (0, 2, 4, 5, 7, 9, 11, 12), (0, 2, 3, 5, 7, 8, 10, 12)
HARMONIC_SCALE, MELODIC_SCALE = (0, 2, 3, 5, 7, 8, 11, 12), (0, 2, 3, 5, 7, 9, 11, 12)
SCALES = {
    MAJOR_SCALE: "major",
    MINOR_SCALE: "minor",
    HARMONIC_SCALE: "minor",
    MELODIC_SCALE: "minor",
}
WAYS = {
    "up": lambda scale: scale,
    "down": lambda scale: scale[::-1],
    "up and down": lambda scale: scale + scale[-2::-1],
    "up to the leading note": lambda scale: scale[:-1],
}


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("overlap_s", [0.0, 0.05])
@pytest.mark.parametrize("hands", [1, 2])
def test_a_bare_scale_is_in_its_key(tonic: int, way: str, overlap_s: float, hands: int) -> None:
    for scale, mode in SCALES.items():
        pitches = np.repeat(WAYS[way](scale), hands) + 48 + tonic
        pitches[::hands] -= 12 * (hands - 1)
        starts = np.repeat(np.arange(len(pitches) // hands) / 2, hands)
        key = find_key(Notes(starts, starts + 0.5 + overlap_s, pitches, np.full(len(pitches), 64)))
        assert (key.tonic_class, key.mode) == (tonic, mode)


CHORDS = {
    (0, 4, 7): "major",
    (-12, 0, 4, 7): "major",
    (4, 7, 12): "major",
    (7, 12, 16): "major",
    (0, 4, 7, 11): "major",
    (0, 4, 7, 10): "major",
    (0, 3, 7): "minor",
    (-12, 0, 3, 7): "minor",
    (3, 7, 12): "minor",
    (7, 12, 15): "minor",
    (0, 3, 7, 10): "minor",
}


@pytest.mark.parametrize("tonic", range(12))
@pytest.mark.parametrize("length_s", [0.1, 2.0, 60.0])
def test_a_single_chord_is_in_the_key_of_its_root(tonic: int, length_s: float) -> None:
    for chord, mode in CHORDS.items():
        count = len(chord)
        pitches = np.array(chord) + 60 + tonic
        key = find_key(
            Notes(np.zeros(count), np.full(count, length_s), pitches, np.array([64] * count))
        )
        assert (key.tonic_class, key.mode) == (tonic, mode), chord


@pytest.mark.parametrize("tonic", range(12))
def test_a_broken_chord_is_in_the_key_of_its_root(tonic: int) -> None:
    for third, mode in ((4, "major"), (3, "minor")):
        pitches = np.array([0, third, 7, 12, 7, third, 0]) + 48 + tonic
        starts = np.arange(7) / 2
        key = find_key(Notes(starts, starts + 0.6, pitches, np.array([64] * 7)))
        assert (key.tonic_class, key.mode) == (tonic, mode)


def test_a_class_that_sounds_twice_at_once_counts_once() -> None:
    once = Notes(
        np.array([0, 0, 1.25]), np.array([1, 2, 2]), np.array([60, 67, 52]), np.array([64] * 3)
    )
    twice = Notes(
        np.array([0, 0, 0, 0.5, 1.25]),
        np.array([1, 1, 2, 1, 2]),
        np.array([60, 72, 67, 84, 52]),
        np.array([64] * 5),
    )
    heard = frames_of(once)
    assert heard.classes.sum(axis=0)[[0, 4, 7]].tolist() == [1.0, 0.75, 2.0]
    assert heard.lowest.sum(axis=0)[[0, 4, 7]].tolist() == [1.0, 0.75, 0.25]
    assert np.array_equal(heard.classes, frames_of(twice).classes)


@pytest.mark.twin("test_the_relative_pair_is_right_more_often_on_single_chords")
def test_the_relative_pair_is_right_more_often_than_a_profile(shared_data: Path) -> None:
    right = dict.fromkeys(("relative-pair", "aarden-essen", "krumhansl-schmuckler"), 0)
    count = 0
    for path in sorted((shared_data / "pop909").glob("*/*.mid"))[:150]:
        [published, *more] = (path.parent / "key_audio.txt").read_text().splitlines()
        if more:
            continue
        tonic, _, mode = published.split()[2].partition(":")
        notes, count = read_notes(path), count + 1
        for profile in right:
            key = find_key(notes, profile=profile)  # type: ignore[arg-type]
            right[profile] += (key.tonic_class, key.mode[:3]) == (pitch_class(tonic), mode)
    assert right["relative-pair"] / count > 0.9
    assert right["relative-pair"] > right["aarden-essen"] > right["krumhansl-schmuckler"]


def test_the_relative_pair_is_right_more_often_on_single_chords() -> None:
    right = dict.fromkeys(("relative-pair", "aarden-essen", "krumhansl-schmuckler"), 0)
    for tonic in range(12):
        for chord, mode in CHORDS.items():
            count = len(chord)
            pitches = np.array(chord) + 60 + tonic
            notes = Notes(np.zeros(count), np.full(count, 2.0), pitches, np.full(count, 64))
            for profile in right:
                key = find_key(notes, profile=profile)  # type: ignore[arg-type]
                right[profile] += (key.tonic_class, key.mode) == (tonic, mode)
    assert right["relative-pair"] == 12 * len(CHORDS)
    assert right["relative-pair"] > right["aarden-essen"] > right["krumhansl-schmuckler"]


def test_a_piece_that_rises_by_a_tone_has_two_keys() -> None:
    spans = find_key_spans(chords_in((0, MAJOR, 4), (2, MAJOR, 4)))
    assert spans.tonics == ("C", "D")
    assert spans.modes == ("major", "major")
    assert spans.starts_s[0] == 0.0
    assert spans.ends_s[1] == 64.0
    assert spans.ends_s[0] == spans.starts_s[1] == pytest.approx(32.0, abs=4.0)


def test_a_piece_of_one_key_has_one_span_and_it_is_its_key() -> None:
    notes = chords_in((3, MINOR, 6))
    spans, key = find_key_spans(notes), find_key(notes)
    assert (spans.tonics, spans.modes) == ((key.tonic,), (key.mode,))
    assert (spans.starts_s.tolist(), spans.ends_s.tolist()) == ([0.0], [48.0])


def test_one_short_note_and_a_very_long_one_have_a_key() -> None:
    for end in (0.001, 3e6):
        spans = find_key_spans(
            Notes(np.array([0.0]), np.array([end]), np.array([61]), np.array([64]))
        )
        assert len(spans.tonics) == 1
        assert spans.ends_s.tolist() == [end]


def test_key_spans_come_back_from_a_sidecar() -> None:
    spans = KeySpans(np.array([0.0, 3.0]), np.array([3.0, 5.0]), ("C", "F#"), ("major", "minor"))
    by = Provenance("key_spans", 1, "{}", "", "", "", True, "")
    found, _ = decode(encode(spans, by))
    assert isinstance(found, KeySpans)
    assert found.tonics == spans.tonics
    assert found.modes == spans.modes
    assert found.ends_s.tolist() == [3.0, 5.0]


def test_key_spans_are_keys_in_order() -> None:
    with pytest.raises(ValueError):
        KeySpans(np.array([0.0]), np.array([1.0]), ("H",), ("major",))
    with pytest.raises(ValueError, match="not a mode"):
        KeySpans(np.array([0.0]), np.array([1.0]), ("C",), ("dorian",))
    with pytest.raises(ValueError, match="not sorted"):
        KeySpans(np.array([1.0, 0.0]), np.array([2.0, 3.0]), ("C", "D"), ("major", "major"))
    with pytest.raises(ValueError, match="lengths differ"):
        KeySpans(np.array([0.0]), np.array([1.0]), ("C", "D"), ("major", "major"))
