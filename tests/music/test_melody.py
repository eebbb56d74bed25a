"""Melody rules on small grids and on POP909; texture against every released file at hand."""

import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends.midi import read_notes
from symmv_builder.music.melody import split_parts, texture
from symmv_builder.music.melody.features import NAMES, note_features
from symmv_builder.music.melody.forest import Forest, melody_forest
from symmv_builder.music.rhythm import quantise
from symmv_builder.records import Beats, GridNotes, Notes


def grid(*rows: tuple[int, int, int]) -> GridNotes:
    """Notes as (onset step, steps, pitch)."""
    table = np.array(sorted(rows), dtype=np.int64)
    onsets, steps, pitches = table[:, 0], table[:, 1], table[:, 2]
    order = np.lexsort((pitches, onsets))
    onsets, steps, pitches = onsets[order], steps[order], pitches[order]
    starts, ends = onsets / 8, (onsets + steps) / 8
    return GridNotes(starts, ends, pitches, np.full(len(rows), 64), onsets, steps)


def melody(notes: GridNotes, **rule: object) -> list[tuple[int, int]]:
    parts = split_parts(notes, **rule)  # type: ignore[arg-type]
    chosen = parts.is_melody
    fields = (parts.onset_steps[chosen].tolist(), parts.pitches[chosen].tolist())
    return list(zip(*fields, strict=True))


HELD = grid((0, 8, 76), (0, 8, 48), (2, 2, 64), (4, 2, 52), (8, 4, 74), (8, 4, 60))


def test_skyline_takes_the_highest_note_of_every_step() -> None:
    assert melody(HELD, rule="skyline") == [(0, 76), (2, 64), (4, 52), (8, 74)]


def test_the_sustained_rule_waits_while_a_higher_melody_note_sounds() -> None:
    assert melody(HELD, rule="sustained") == [(0, 76), (8, 74)]


def test_a_higher_note_takes_the_melody_over_at_once() -> None:
    assert melody(grid((0, 8, 72), (4, 4, 76)), rule="sustained") == [(0, 72), (4, 76)]


def test_the_melody_never_goes_under_the_lowest_pitch() -> None:
    low = grid((0, 2, 72), (2, 2, 55), (4, 2, 60))
    assert melody(low, rule="sustained") == [(0, 72), (4, 60)]
    assert melody(low, rule="sustained", min_pitch=50) == [(0, 72), (2, 55), (4, 60)]


def test_every_note_is_in_one_part() -> None:
    parts = split_parts(HELD)
    assert len(parts.is_melody) == len(HELD.pitches)
    assert parts.pitches.tolist() == HELD.pitches.tolist()


def scores_on(shared_data: Path, disturb: str | None = None) -> dict[str, float]:
    """F1 of the rules on songs that the model did not learn from."""
    benchmarks = str(Path(__file__).resolve().parents[2] / "benchmarks")
    if benchmarks not in sys.path:
        sys.path.insert(0, benchmarks)
    from melody_rules import case_of, held_out, measure
    from train_melody import DISTURBANCES, read_song

    folder = shared_data / "pop909"
    songs = [read_song(folder, number) for number in held_out(folder)[:24]]
    random = np.random.default_rng(5)
    if disturb:
        songs = [DISTURBANCES[disturb](song, random) for song in songs]
    measured: dict[str, float] = measure(map(case_of, songs))[0]
    return measured


def test_the_learned_rule_finds_most_of_real_melodies(shared_data: Path) -> None:
    scores = scores_on(shared_data)
    assert scores["learned"] > 0.89
    assert scores["learned"] > scores["sustained"] + 0.08
    assert scores["sustained"] > 0.74
    assert scores["sustained"] > scores["skyline"] > 0.55


@pytest.mark.parametrize(
    "disturb", ["pedal", "jitter", "missing", "octaves", "transposition", "tempo_level"]
)
def test_the_learned_rule_stands_disturbed_music(shared_data: Path, disturb: str) -> None:
    scores = scores_on(shared_data, disturb)
    assert scores["learned"] > 0.84
    assert scores["learned"] > scores["sustained"] + 0.05


def score_of(work: str) -> tuple[GridNotes, set[tuple[int, int]]]:
    """A keyboard score of music21, at 100 beats a minute, and the top of its upper staff."""
    corpus = pytest.importorskip("music21.corpus")
    rows: dict[tuple[int, int], int] = {}
    tops: dict[int, int] = {}
    for staff, part in enumerate(corpus.parse(work).parts):
        for note in part.stripTies().flatten().notes:
            onset = round(float(note.offset) * 4)
            steps = max(1, round(float(note.quarterLength) * 4))
            for pitch in (each.midi for each in note.pitches):
                rows[onset, pitch] = max(steps, rows.get((onset, pitch), 0))
                if staff == 0:
                    tops[onset] = max(pitch, tops.get(onset, 0))
    table = np.array([(onset, pitch, steps) for (onset, pitch), steps in sorted(rows.items())])
    onsets, pitches, steps = table.T
    notes = GridNotes(
        onsets * 0.15, (onsets + steps) * 0.15, pitches, np.full(len(table), 64), onsets, steps
    )
    return notes, set(tops.items())


@pytest.mark.parametrize(
    ("work", "least"),
    [
        ("mozart/k545/movement1_exposition", 0.95),
        ("schumann_clara/polonaise_op1n1", 0.88),
        ("chopin/mazurka06-2", 0.84),
        ("joplin/maple_leaf_rag", 0.84),
    ],
)
def test_the_learned_rule_follows_the_right_hand_of_classical_pieces(
    work: str, least: float
) -> None:
    notes, right_hand = score_of(work)
    found = set(melody(notes, rule="learned"))
    assert 2 * len(found & right_hand) / (len(found) + len(right_hand)) >= least


def test_the_learned_rule_takes_one_note_of_a_step_at_most(shared_data: Path) -> None:
    notes = read_notes(sorted((shared_data / "symmv/midi").glob("*.mid"))[0])
    parts = split_parts(quantise(notes, Beats(np.arange(0, 400, 0.5), np.arange(800) % 4 + 1)))
    steps = parts.onset_steps[parts.is_melody]
    assert len(steps) > 50
    assert (np.diff(steps) > 0).all()


@pytest.mark.parametrize(
    "notes",
    [
        grid((3, 2, 60)),
        grid((0, 1, 0), (0, 1, 127)),
        grid(*((0, 1 + i % 40, i % 128) for i in range(5000))),
        grid(*((1000 * i, 1, 127 * (i % 2)) for i in range(-500, 500))),
        grid((0, 10**9, 40), (10**9, 1, 90)),
    ],
    ids=["one", "extremes", "a crowd", "far apart", "very long"],
)
def test_features_of_odd_grids_are_finite_and_of_every_note(notes: GridNotes) -> None:
    table = note_features(notes)
    assert table.shape == (len(NAMES), len(notes.pitches))
    assert np.isfinite(table).all()
    assert len(split_parts(notes).is_melody) == len(notes.pitches)


def test_a_grid_without_notes_has_no_melody() -> None:
    nothing = GridNotes(
        np.array([]), np.array([]), np.array([]), np.array([]), np.array([]), np.array([])
    )
    assert note_features(nothing).shape == (len(NAMES), 0)
    for rule in ("learned", "sustained", "skyline"):
        assert melody(nothing, rule=rule) == []


def test_the_order_of_notes_of_a_step_and_their_velocities_make_no_difference() -> None:
    order = np.array([1, 0, 2, 3, 5, 4])
    fields = ("starts_s", "ends_s", "pitches", "velocities", "onset_steps", "duration_steps")
    turned = GridNotes(*(getattr(HELD, name)[order] for name in fields))
    loud = GridNotes(*(getattr(HELD, n) * (2 if n == "velocities" else 1) - (n == "velocities")
                       for n in fields))  # fmt: skip
    assert np.array_equal(note_features(turned), note_features(HELD)[:, order])
    assert np.array_equal(note_features(loud), note_features(HELD))


def test_a_forest_adds_the_leaves_that_the_answers_lead_to() -> None:
    forest = Forest(
        features=np.array([[0, 1], [1, 1]], dtype=np.uint8),
        borders=np.array([[0.5, 2.0], [0.0, 1.0]], dtype=np.float32),
        leaves=np.array([[1, 2, 3, 4], [10, 20, 30, 40]], dtype=np.float32),
        bias=-20.0,
    )
    table = np.array([[0.0, 1.0, 1.0], [1.0, 1.0, 3.0]], dtype=np.float32)
    # Leaves 0 and 1; 1 and 1; 3 and 3.
    scores = np.array([1 + 20, 2 + 20, 4 + 40]) - 20.0
    assert forest.probabilities(table) == pytest.approx(1 / (1 + np.exp(-scores)))


def test_the_model_of_the_package_is_small_and_fits_the_features() -> None:
    forest = melody_forest()
    assert forest.features.max() < len(NAMES)
    assert forest.leaves.shape == (len(forest.features), 2 ** forest.features.shape[1])
    with (files("symmv_builder.music.melody") / "weights.npz").open("rb") as file:
        assert len(file.read()) <= 500_000


def test_notes_that_overlap_begin_together() -> None:
    played = Notes(
        np.array([0, 0.5, 2]), np.array([1, 1.5, 3]), np.array([72, 60, 64]), np.array([10, 20, 30])
    )
    moved = texture(played)
    assert moved.starts_s.tolist() == [0.5, 0.5, 2]
    assert moved.pitches.tolist() == [60, 72, 64]
    assert moved.ends_s.tolist() == [1.5, 1, 3]


def test_texture_keeps_the_pedal_and_bears_no_notes() -> None:
    empty = Notes(
        np.array([]),
        np.array([]),
        np.array([]),
        np.array([]),
        pedal_starts_s=np.array([0]),
        pedal_ends_s=np.array([1]),
    )
    assert texture(empty).pedal_ends_s.tolist() == [1]


def test_the_released_texture_files_are_reproduced(shared_data: Path) -> None:
    files = sorted((shared_data / "symmv/midi").glob("*.mid"))
    assert len(files) == 60
    for path in files:
        ours = texture(read_notes(path))
        released = read_notes(shared_data / "symmv/texture" / f"{path.stem}_new.mid")
        assert np.allclose(_in_order(ours), _in_order(released), atol=1e-9), path.stem


def _in_order(notes: Notes) -> list[tuple[float, ...]]:
    fields = (notes.starts_s, notes.pitches, notes.ends_s, notes.velocities)
    return sorted(zip(*(field.tolist() for field in fields), strict=True))


def test_a_tune_without_accompaniment_is_all_melody() -> None:
    alone = grid(*((2 * step, 2, pitch) for step, pitch in enumerate((60, 62, 64, 65, 67))))
    assert split_parts(alone).is_melody.all()
