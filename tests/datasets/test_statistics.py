"""Figures say of the rows what is in them: against duckdb, scipy, and counting by hand."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from symmv_builder.datasets.schemas import published_schema
from symmv_builder.datasets.statistics import songs as rows_of_shards
from symmv_builder.datasets.statistics.compared import differences
from symmv_builder.datasets.statistics.figures import density_curve
from symmv_builder.datasets.statistics.harmony import shift_of, transposed
from symmv_builder.datasets.statistics.vectors import Means, near_pairs, project, read_means
from symmv_builder.datasets.statistics.whole import Described, describe
from symmv_builder.report.figure import Bands, BarChart, Curves, Histogram, Matrix, TableFigure
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, read_rows, write_receipt
from symmv_builder.storage.store import Store
from tests.synthetic_rows import make_row

SPLITS = ("test", "train", "train", "train", "train", "validation")
GENRES = ("Pop", "Rock", "Pop", "", "Pop", "Rock")


def rows(dataset: str, count: int = 24) -> list[dict[str, Any]]:
    """Rows of a few genres and lengths; the third and the fourth are one song."""
    made = []
    for number in range(count):
        row = make_row(dataset, number, seconds=6 + number % 5, split=SPLITS[number % 6])
        row |= {"genre": GENRES[number % 6], "key_tonic": ("C", "B-", "F#")[number % 3]}
        if dataset == "symmv":
            row["tempo_bpm"] = 80.0 + 3 * number
        if number == 3:
            row |= {"song_id": "song-002", "music_sha256": f"{2:064x}", "title": "title  2!"}
        if number == 5:
            row["title"] = "Title 4"
        made.append(row)
    return sorted(made, key=lambda row: (row["split"], row["entry_id"]))


def store_of(folder: Path, datasets: dict[str, list[dict[str, Any]]]) -> Store:
    root = Root(str(folder))
    for name, made in datasets.items():
        shards = ShardWriter(root, name, published_schema(name), target_bytes=400_000).write(made)
        receipt = {
            "dataset": name, "schema": f"{name}/v2", "models": [], "columns": [],
            "splits": Counter(row["split"] for row in made), "shards": as_plain(shards),
        }  # fmt: skip
        write_receipt(root, name, receipt)
    return Store(root, root, Ledger(f"sqlite:///{folder}/ledger.sqlite"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def store(folder: Path) -> Iterator[Store]:
    made = store_of(folder, {name: rows(name) for name in ("symmv", "muvisync")})
    yield made
    made.ledger.close()


@pytest.fixture(scope="module")
def symmv(store: Store) -> Described:
    return describe(store, "symmv")


@pytest.fixture(scope="module")
def muvisync(store: Store) -> Described:
    return describe(store, "muvisync")


def content(described: Described, name: str) -> Any:
    figure = described.statistics.figure(name)
    assert figure.content is not None, figure.absent
    return figure.content


@pytest.mark.parametrize("name", ["symmv", "muvisync"])
def test_every_query_runs_and_the_numbers_are_its_own(
    name: str, folder: Path, symmv: Described, muvisync: Described
) -> None:
    described = {"symmv": symmv, "muvisync": muvisync}[name]
    compared = 0
    for figure in described.statistics.figures:
        if not figure.query.startswith("SELECT"):
            continue
        with chdir(folder / name):
            relation = duckdb.sql(figure.query)
            assert relation is not None
            found = relation.fetchall()
        if isinstance(figure.content, Histogram):
            many = isinstance(found[0][0], int | float) and len(found[0]) == 2
            values = np.repeat(*np.array(found).T.astype(int)) if many else np.array(found)[:, 0]
            assert sum(figure.content.counts) == len(values)
            assert figure.content.median == pytest.approx(np.median(values), rel=0.06, abs=0.6)
            compared += 1
        elif figure.name == "keys":
            assert isinstance(figure.content, BarChart)
            assert sorted(figure.content.values) == sorted(row[2] for row in found)
            compared += 1
        elif figure.name == "chords_written":
            assert isinstance(figure.content, BarChart)
            whole = sum(row[1] for row in found)
            shares = {row[0]: row[1] / whole for row in found}
            for label, value in zip(figure.content.labels, figure.content.values, strict=True):
                assert value == pytest.approx(shares[label], abs=1e-5)
            compared += 1
        elif figure.name == "splits":
            assert isinstance(figure.content, TableFigure)
            ours = {(row[0], row[1], row[3]) for row in figure.content.rows}
            assert ours == {(row[0], row[1], row[2]) for row in found}
            compared += 1
    assert compared >= 7


def test_queries_in_python_give_the_content(store: Store, folder: Path, symmv: Described) -> None:
    import symmv_builder

    query = symmv.statistics.figure("chord_changes").query
    found = eval(  # noqa: S307  # the text is ours, and its reader runs it
        query, {"symmv_builder": symmv_builder, "ROOT": str(folder)}
    )
    assert found == content(symmv, "chord_changes")


def test_chords_are_counted_by_time_in_c_major_or_a_minor(folder: Path, symmv: Described) -> None:
    seconds: Counter[str] = Counter()
    columns = ("chords_labels", "chords_starts_s", "chords_ends_s", "key_tonic", "key_mode")
    for row in read_rows(Root(str(folder)), "symmv", columns):
        shift = shift_of(row["key_tonic"], row["key_mode"])
        assert shift is not None
        for label, start, end in zip(
            row["chords_labels"], row["chords_starts_s"], row["chords_ends_s"], strict=True
        ):
            seconds[transposed(label, shift)] += end - start
    bars = content(symmv, "chords")
    assert list(bars.values) == sorted(bars.values, reverse=True)
    for label, value in zip(bars.labels, bars.values, strict=True):
        assert value == pytest.approx(seconds[label] / seconds.total(), abs=1e-5)


@pytest.mark.parametrize(
    ("label", "semitones", "expected"),
    [
        ("CM7", 3, "EbM7"), ("Bbm", 2, "Cm"), ("G#o7", 1, "Ao7"), ("D#:min7", 9, "C:min7"),
        ("C", -3, "A"), ("N", 5, "N"), ("", 5, ""), ("\u202eX", 1, "\u202eX"),
    ],
)  # fmt: skip
def test_a_label_is_moved_in_its_own_spelling(label: str, semitones: int, expected: str) -> None:
    assert transposed(label, semitones) == expected


def test_songs_in_their_key_have_the_shift_of_muvi_syncs_own_chords() -> None:
    assert [shift_of("C", "major"), shift_of("A", "minor"), shift_of("B-", "major")] == [0, 0, -10]
    assert shift_of("", "major") is None


def test_transitions_are_shares_of_what_leaves_a_chord(symmv: Described) -> None:
    matrix = content(symmv, "chord_changes")
    assert isinstance(matrix, Matrix)
    assert matrix.columns[-1] == "other"
    np.testing.assert_allclose(np.sum(matrix.values, axis=1), 1.0, atol=1e-3)
    for number, label in enumerate(matrix.rows):
        assert matrix.values[number][matrix.columns.index(label)] == 0.0


def test_the_density_of_tempo_is_that_of_scipy() -> None:
    scipy_stats = pytest.importorskip("scipy.stats")
    values = np.random.default_rng(0).normal(110, 20, 70)
    grid = np.linspace(40, 220, 40)
    expected = scipy_stats.gaussian_kde(values)(grid)
    np.testing.assert_allclose(density_curve(values, grid), expected, rtol=1e-6)


def test_tempo_stands_by_genre(symmv: Described) -> None:
    curves = content(symmv, "tempo")
    assert isinstance(curves, Curves)
    assert dict(curves.counts) == {"all": 24, "Pop": 12, "Rock": 8}


def test_emotion_is_the_mean_of_each_part_however_long_a_video_is(muvisync: Described) -> None:
    bands = content(muvisync, "emotion")
    assert isinstance(bands, Bands)
    np.testing.assert_allclose(np.sum(list(bands.bands.values()), axis=0), 1.0, atol=1e-3)


def test_a_column_that_is_not_there_is_a_reason(symmv: Described, muvisync: Described) -> None:
    tempo = muvisync.statistics.figure("tempo")
    assert (tempo.content, tempo.absent) == (None, "the shards have no column tempo_bpm")
    assert symmv.statistics.figure("emotion").absent == "the shards have no column emotion"
    assert muvisync.statistics.figure("colour").absent == "the shards have no column colour"


def test_copies_are_named_with_the_splits_that_they_stand_in(symmv: Described) -> None:
    table = content(symmv, "copies")
    found = {row[0]: row[1:4] for row in table.rows}
    assert found["the music's bytes"] == (1, 2, 0)
    assert found["the song"] == (1, 2, 0)
    assert found["the video's bytes"] == (0, 0, 0)
    # Rows 4 and 5 have one title and two songs, in two splits; 2 and 3 are one song.
    assert found["title and artist, as another song"] == (1, 2, 1)


def test_pictures_that_point_alike_are_near() -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(700, 16)).astype(np.float32)
    table[650] = 3 * table[10]
    means = Means(tuple(map(str, range(700))), ("",) * 700, ("train",) * 700, table)
    assert near_pairs(means, 0.999, 5) == [("10", "650", 1.0)]


def test_the_plane_keeps_what_varies_most_and_is_the_same_each_time() -> None:
    rng = np.random.default_rng(0)
    scales = np.array([9, 3, 1, 1, 1, 1, 1, 1])
    values = (rng.normal(size=(40, 8)) * scales).astype(np.float32)
    places, explained = project(values)
    assert abs(np.corrcoef(places[:, 0], values[:, 0])[0, 1]) > 0.99
    assert explained[0] > explained[1] > 0.02
    np.testing.assert_array_equal(places, project(values)[0])
    assert project(values[:1])[0].tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize("column", ["semantic", "colour"])
def test_vectors_are_means_of_rows_and_of_a_sample_where_there_are_too_many(
    column: str, folder: Path, symmv: Described
) -> None:
    root = Root(str(folder))
    whole = read_means(root, "symmv", symmv.receipt["shards"], column)
    assert whole is not None
    expected = {
        str(row["entry_id"]): row[column].astype(np.float64).mean(axis=0)
        for row in read_rows(root, "symmv", ("entry_id", column))
    }
    assert set(whole.entries) == set(expected)
    for name, value in zip(whole.entries, whole.values, strict=True):
        np.testing.assert_allclose(value, expected[name], atol=2e-3)
    some = read_means(root, "symmv", symmv.receipt["shards"], column, budget_bytes=1)
    assert some is not None
    assert 0 < len(some.entries) < len(whole.entries)


def test_a_dataset_does_not_differ_from_itself_and_a_shifted_one_does(
    tmp_path: Path, symmv: Described
) -> None:
    pytest.importorskip("scipy")
    assert all(each.p_adjusted == 1.0 for each in differences(symmv.songs, symmv.songs))
    faster = rows("symmv")
    for row in faster:
        row["tempo_bpm"] += 60.0
    other = store_of(tmp_path, {"symmv": faster})
    found = {
        each.measure: each for each in differences(symmv.songs, describe(other, "symmv").songs)
    }
    other.ledger.close()
    tempo = found["tempo, beats a minute"]
    assert tempo.p_adjusted < 1e-3
    assert tempo.effect < 0.1
    assert found["notes"].p_adjusted == 1.0
    assert found["mean loudness, of full scale"].absent


def test_two_spellings_of_chords_are_not_compared(symmv: Described, muvisync: Described) -> None:
    pytest.importorskip("scipy")
    found = {each.measure: each for each in differences(symmv.songs, muvisync.songs)}
    assert found["chord that lasts longest, transposed"].absent.endswith("two vocabularies")


def test_rows_are_read_in_batches_as_in_one(
    monkeypatch: pytest.MonkeyPatch, store: Store, symmv: Described
) -> None:
    monkeypatch.setattr(rows_of_shards, "_BATCH_ROWS", 3)
    again = describe(store, "symmv").statistics
    assert [f.as_json() for f in again.figures] == [f.as_json() for f in symmv.statistics.figures]


def test_nothing_is_written_for_statistics(folder: Path, symmv: Described) -> None:
    assert sorted(os.listdir(folder / "symmv")) == ["dataset.json", "shards"]
