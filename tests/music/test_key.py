"""Keys against music21's own answers and against the released column of SymMV."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends.midi import read_notes
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music.key import PROFILES, find_key
from symmv_builder.records import Notes

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
    return Notes([0.0] * len(ends), ends, [60 + p for p in pitches], [64] * len(ends))


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


def test_real_music_gives_music21s_answer(shared_data: Path) -> None:
    files = sorted((shared_data / "symmv/midi").glob("*.mid"))[:4]
    files += sorted((shared_data / "pop909").glob("*/*.mid"))[:2]
    for path in files:
        notes = read_notes(path)
        for profile in ("krumhansl-schmuckler", "aarden-essen"):
            key = find_key(notes, profile=profile)  # type: ignore[arg-type]
            name, mode, r = music21_key(notes, profile)
            assert (key.tonic, key.mode) == (name, mode), path.name
            assert key.correlation == pytest.approx(r, abs=1e-3)


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
        [0, 0, 0, 4, 4.1, 4.2], [4, 4, 4, 4.1, 4.2, 4.3], [60, 64, 67, 61, 61, 61], [9] * 6
    )
    assert str(find_key(notes)) == "C major"


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
    for notes in (Notes([], [], [], []), Notes([1.0], [1.0], [60], [64])):
        with pytest.raises(RejectEntry) as caught:
            find_key(notes)
        assert caught.value.reason is Reason.TOO_FEW_NOTES
