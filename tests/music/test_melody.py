"""Melody rules on small grids and on POP909; texture against every released file at hand."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends.midi import midi_bytes, read_notes
from symmv_builder.music.melody import split_parts, texture
from symmv_builder.music.melody.features import NAMES, note_features
from symmv_builder.music.melody.forest import Forest
from symmv_builder.music.melody.line import NAMES as LINE_NAMES
from symmv_builder.music.melody.line import likeliest, line_features
from symmv_builder.music.melody.model import melody_forests
from symmv_builder.music.rhythm import quantise
from symmv_builder.records import Beats, GridNotes, Notes
from tests.datasets.imports.small_releases import write_pop909


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


@pytest.fixture(autouse=True)
def _benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).resolve().parents[2] / "benchmarks"))


@pytest.fixture(scope="module")
def made_songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Songs in the layout of POP909: tunes of phrases of eight notes, over broken chords."""
    folder = tmp_path_factory.mktemp("pop909")
    for number in range(4):
        random = np.random.default_rng(number)
        tune, chords = [], []
        for bar in range(48):
            root = (0, 5, 7, 9)[bar % 4]
            scale = np.array([0, 2, 4, 5, 7, 9, 11, 12])
            place = int(random.integers(1, 7))
            for step in range(4):
                place = int(np.clip(place + random.choice([-1, 0, 1]), 0, 7))
                tune.append((2.0 * bar + 0.5 * step, 0.5, 69 + int(scale[place])))
            chords += [(2.0 * bar, 2.0, 43 + root)] + [
                (2.0 * bar + 0.25 * step, 0.25, 55 + (root + (0, 4, 7, 4)[step % 4]) % 12)
                for step in range(8)
            ]
        tracks = {"MELODY": played(tune), "PIANO": played(chords)}
        name = f"{number + 1:03d}"
        write_pop909(folder, name, **{name: midi_bytes(tracks)})
    return folder


def played(rows: list[tuple[float, float, int]]) -> Notes:
    """Notes as (start, length, pitch), in seconds."""
    table = np.array(sorted(rows))
    starts = table[:, 0]
    pitches = table[:, 2].astype(np.int64)
    return Notes(starts, starts + table[:, 1], pitches, np.full(len(rows), 64))


def scores_on(folder: Path, *disturbances: str, are_known: bool = False) -> dict[str, float]:
    """F1 of the rules on songs that the model did not learn from."""
    from melody_changes import DISTURBANCES, read_song
    from melody_rules import case_of, held_out, measure

    names = sorted(path.name for path in folder.iterdir()) if are_known else held_out(folder)[:24]
    songs = [read_song(folder, number) for number in names]
    random = np.random.default_rng(5)
    for name in disturbances:
        songs = [DISTURBANCES[name](song, random) for song in songs]
    measured: dict[str, float] = measure(map(case_of, songs))[0]
    return measured


@pytest.mark.twin("test_the_learned_rule_follows_the_right_hand_of_classical_pieces")
def test_the_learned_rule_finds_most_of_real_melodies(shared_data: Path) -> None:
    scores = scores_on(shared_data / "pop909")
    assert scores["learned"] > 0.89
    assert scores["learned"] > scores["sustained"] + 0.08
    assert scores["sustained"] > 0.74
    assert scores["sustained"] > scores["skyline"] > 0.55


@pytest.mark.twin("test_the_learned_rule_stands_disturbed_songs_that_were_made")
@pytest.mark.parametrize(
    "disturb", ["pedal", "jitter", "missing", "octaves", "transposition", "tempo_level"]
)
def test_the_learned_rule_stands_disturbed_music(shared_data: Path, disturb: str) -> None:
    scores = scores_on(shared_data / "pop909", disturb)
    assert scores["learned"] > 0.84
    assert scores["learned"] > scores["sustained"] + 0.05


@pytest.mark.twin("test_the_learned_rule_stands_all_disturbances_of_made_songs")
def test_the_learned_rule_stands_all_disturbances_at_once(shared_data: Path) -> None:
    every = ("transposition", "octaves", "missing", "pedal", "jitter")
    scores = scores_on(shared_data / "pop909", *every)
    assert scores["learned"] > 0.82
    assert scores["learned"] > scores["sustained"] + 0.2


@pytest.mark.parametrize(
    "disturb", ["pedal", "jitter", "missing", "octaves", "transposition", "tempo_level"]
)
def test_the_learned_rule_stands_disturbed_songs_that_were_made(
    made_songs: Path, disturb: str
) -> None:
    assert scores_on(made_songs, disturb, are_known=True)["learned"] > 0.84


def test_the_learned_rule_stands_all_disturbances_of_made_songs(made_songs: Path) -> None:
    every = ("transposition", "octaves", "missing", "pedal", "jitter")
    assert scores_on(made_songs, *every, are_known=True)["learned"] > 0.75


@pytest.mark.twin("test_the_examples_of_a_made_song_are_the_same_at_every_call")
def test_the_examples_of_a_song_are_the_same_at_every_call(shared_data: Path) -> None:
    check_examples(shared_data / "pop909")


def test_the_examples_of_a_made_song_are_the_same_at_every_call(made_songs: Path) -> None:
    check_examples(made_songs)


def check_examples(folder: Path) -> None:
    from train_melody import copies

    once, again = (copies(folder, "001") for _ in range(2))
    assert len({len(truth) for _, truth in once}) > 4
    for (grid, truth), (other_grid, other_truth) in zip(once, again, strict=True):
        assert np.array_equal(note_features(grid), note_features(other_grid))
        assert np.array_equal(truth, other_truth)
        assert 0 < truth.sum() < len(truth)


@pytest.mark.twin("test_an_excerpt_of_a_made_song_begins_at_its_beat")
def test_an_excerpt_begins_at_its_beat(shared_data: Path) -> None:
    check_excerpt(shared_data / "pop909")


def test_an_excerpt_of_a_made_song_begins_at_its_beat(made_songs: Path) -> None:
    check_excerpt(made_songs)


def check_excerpt(folder: Path) -> None:
    from melody_changes import excerpt, read_song

    song = read_song(folder, "001")
    part = excerpt(song, 40, 20.0)
    assert part.beats.times_s[0] == 0
    assert part.starts.min() >= 0
    assert part.starts.max() < 20.0
    first = song.beats.times_s[40]
    assert len(part.starts) == ((song.starts >= first) & (song.starts < first + 20)).sum()


@pytest.mark.twin("test_a_new_setting_keeps_a_made_tune_on_top")
def test_a_new_setting_keeps_the_tune_on_top(shared_data: Path) -> None:
    check_new_setting(shared_data / "pop909")


def test_a_new_setting_keeps_a_made_tune_on_top(made_songs: Path) -> None:
    check_new_setting(made_songs)


def check_new_setting(folder: Path) -> None:
    from melody_changes import new_setting, read_song

    song = read_song(folder, "001")
    for seed in range(8):
        changed = new_setting(song, np.random.default_rng(seed))
        tune = changed.is_melody
        assert set(song.starts[song.is_melody]) <= set(changed.starts[tune])
        assert (~tune).sum() > 100
        for start, pitch in zip(changed.starts[tune], changed.pitches[tune], strict=True):
            others = changed.pitches[~tune & (np.abs(changed.starts - start) < 1e-3)]
            assert (others < pitch).all()


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
    pytest.importorskip("music21")
    from melody_rules import measure, score_case

    assert measure([score_case(work)])[0]["learned"] >= least


@pytest.mark.twin("test_the_learned_rule_takes_one_made_note_of_a_step_at_most")
def test_the_learned_rule_takes_one_note_of_a_step_at_most(shared_data: Path) -> None:
    check_one_of_a_step(read_notes(sorted((shared_data / "symmv/midi").glob("*.mid"))[0]))


def test_the_learned_rule_takes_one_made_note_of_a_step_at_most(made_songs: Path) -> None:
    check_one_of_a_step(read_notes(made_songs / "001" / "001.mid"))


def check_one_of_a_step(notes: Notes) -> None:
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
    for scores in (np.full(len(notes.pitches), -20.0), np.linspace(-9, 9, len(notes.pitches))):
        line = line_features(notes, scores)
        assert line.shape == (len(LINE_NAMES), len(notes.pitches))
        assert np.isfinite(line).all()
    assert len(split_parts(notes).is_melody) == len(notes.pitches)


def test_a_grid_without_notes_has_no_melody() -> None:
    nothing = GridNotes(
        np.array([]), np.array([]), np.array([]), np.array([]), np.array([]), np.array([])
    )
    assert note_features(nothing).shape == (len(NAMES), 0)
    assert line_features(nothing, np.empty(0)).shape == (len(LINE_NAMES), 0)
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


# Over the held bass the tune 72, 74, 76, a second apart; the second note is doubted.
TUNE = grid((0, 8, 72), (0, 24, 48), (8, 8, 74), (8, 8, 55), (16, 8, 76))
TUNE_SCORES = np.array([-3.0, 4.0, -2.0, -1.0, 5.0])


def test_the_likeliest_notes_are_one_a_step_and_over_a_half() -> None:
    assert TUNE.pitches[likeliest(TUNE, TUNE_SCORES)].tolist() == [72, 76]


def test_a_doubted_note_is_seen_between_the_notes_of_the_line() -> None:
    table = dict(zip(LINE_NAMES, line_features(TUNE, TUNE_SCORES)[:, 3].tolist(), strict=True))
    assert TUNE.pitches[3] == 74
    assert table["score"] == -1.0
    assert table["best other score of the onset"] == -2.0
    assert table["best score of the onset before"] == 4.0
    assert table["best score of the next onset"] == 5.0
    assert table["above the melody note before"] == 2
    assert table["above the next melody note"] == -2
    assert table["seconds since the melody note before"] == 1.0
    assert table["seconds to the next melody note"] == 1.0
    assert table["seconds that the melody note before still sounds"] == 0.0
    odds = 1 / (1 + np.exp(-TUNE_SCORES))
    mean = (odds * TUNE.pitches).sum() / odds.sum()
    for name in ("within 2 s", "within 8 s"):
        assert table[f"above the mean of the melody {name}"] == pytest.approx(74 - mean, abs=1e-4)
    assert table["mean probability of the pitch in the song"] == pytest.approx(odds[3])
    assert table["mean probability of the song"] == pytest.approx(odds.mean())


def test_the_line_does_not_depend_on_the_order_or_the_level_of_its_notes() -> None:
    order = np.array([1, 0, 3, 2, 4])
    fields = ("starts_s", "ends_s", "pitches", "velocities", "onset_steps", "duration_steps")
    turned = GridNotes(*(getattr(TUNE, name)[order] for name in fields))
    straight = line_features(TUNE, TUNE_SCORES)
    assert np.allclose(line_features(turned, TUNE_SCORES[order]), straight[:, order])


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
    assert forest.scores(table) == pytest.approx(scores)


def test_the_model_of_the_package_is_small_and_fits_the_features() -> None:
    first, *later = melody_forests()
    assert first.features.max() < len(NAMES)
    assert later
    assert max(forest.features.max() for forest in later) < len(NAMES) + len(LINE_NAMES)
    for forest in (first, *later):
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


@pytest.mark.twin("test_notes_that_overlap_begin_together")
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
