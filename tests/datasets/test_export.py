"""What both exports promise: stable numbers, whole files, the same bytes, clear refusals."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from symmv_builder.api import publishing
from symmv_builder.datasets.export import export
from symmv_builder.errors import NoShards, StopRun, UnknownName
from symmv_builder.pipeline.events import Event
from symmv_builder.settings import read_settings
from symmv_builder.storage.root import Root
from tests.synthetic_rows import make_row

WriteDataset = Callable[[str, list[dict[str, Any]]], Root]
DATASETS = pytest.mark.parametrize("dataset", ["symmv", "muvisync"])


def files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def numbers(folder: Path) -> dict[str, str]:
    lines = (folder / "index.csv").read_text().splitlines()[1:]
    return {line.split(",")[1]: line.split(",")[0] for line in lines}


@DATASETS
def test_a_second_export_writes_nothing_and_another_folder_gets_the_same_bytes(
    dataset: str, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    root = write_dataset(dataset, [make_row(dataset, n) for n in range(3)])
    first = export(root, dataset, tmp_path / "a")
    before = files(tmp_path / "a")
    assert first.entries == 3
    assert first.written == len(before)
    again = export(root, dataset, tmp_path / "a")
    assert (again.written, again.unchanged, again.removed) == (0, first.written, 0)
    export(root, dataset, tmp_path / "b")
    assert files(tmp_path / "a") == files(tmp_path / "b") == before


@DATASETS
def test_an_entry_keeps_its_number_when_others_come_and_go(
    dataset: str, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rows = [make_row(dataset, n) for n in range(6)]
    export(write_dataset(dataset, [rows[2], rows[4]]), dataset, out)
    first = numbers(out)
    export(write_dataset(dataset, [rows[0], rows[2], rows[5]]), dataset, out)
    second = numbers(out)
    assert second == first | {"song-000": second["song-000"], "song-005": second["song-005"]}
    assert len(set(second.values())) == 4
    gone = first["song-004"]
    assert [name for name in files(out) if gone in Path(name).name] == []
    export(write_dataset(dataset, rows), dataset, out)
    third = numbers(out)
    assert {name: third[name] for name in second} == second
    assert [name for name in files(out) if gone in Path(name).name]


@DATASETS
def test_a_file_that_was_damaged_or_deleted_is_written_again(
    dataset: str, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    root = write_dataset(dataset, [make_row(dataset, 0)])
    export(root, dataset, tmp_path / "out")
    before = files(tmp_path / "out")
    # The index says which files are an export's: without it they might be anybody's.
    damaged, deleted = sorted(set(before) - {"index.csv"})[:2]
    (tmp_path / "out" / damaged).write_bytes(b"x")
    (tmp_path / "out" / deleted).unlink()
    assert export(root, dataset, tmp_path / "out").written == 2
    assert files(tmp_path / "out") == before


@pytest.mark.parametrize(
    "text",
    [
        "index,entry_id\n../../x,song-000\n",
        "index,entry_id\n1,song-000\n",
        "index,entry_id\n00000,song-000\n",
        "index,entry_id\n00001,a\n00001,b\n",
        "index,entry_id\n00001,a\n00002,a\n",
        "index,entry_id\n00001\n",
        "name\nvalue\n",
        "\xff\xfe",
    ],
)
def test_a_foreign_index_is_refused_before_anything_is_written(
    text: str, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    root, out = write_dataset("symmv", [make_row("symmv", 0)]), tmp_path / "out"
    out.mkdir()
    (out / "index.csv").write_bytes(text.encode("latin-1"))
    before = files(out)
    with pytest.raises(StopRun, match=r"index\.csv.*another folder"):
        export(root, "symmv", out)
    assert files(out) == before


def test_one_datasets_folder_is_refused_by_the_other(
    write_dataset: WriteDataset, tmp_path: Path
) -> None:
    export(write_dataset("symmv", [make_row("symmv", 0)]), "symmv", tmp_path / "out")
    root = write_dataset("muvisync", [make_row("muvisync", 0)])
    with pytest.raises(StopRun, match="another folder"):
        export(root, "muvisync", tmp_path / "out")


def test_what_cannot_be_exported_is_one_clear_line(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "root"))
    with pytest.raises(NoShards):
        export(root, "symmv", tmp_path / "out")
    # Whoever mistypes a name is told the root's own datasets, too.
    (tmp_path / "root" / "mine").mkdir(parents=True)
    (tmp_path / "root" / "mine" / "recipe.toml").write_text('name = "mine"')
    with pytest.raises(UnknownName, match=r"'jamendo'; known: .*muvisync, .*mine"):
        publishing.export(read_settings({}, root=root.url), "jamendo", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_target_that_is_a_file_is_refused(write_dataset: WriteDataset, tmp_path: Path) -> None:
    root = write_dataset("symmv", [make_row("symmv", 0)])
    (tmp_path / "out").write_text("mine")
    with pytest.raises(StopRun, match="not a folder"):
        export(root, "symmv", tmp_path / "out")


def test_a_long_export_tells_how_far_it_is(
    write_dataset: WriteDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symmv_builder.datasets.export._NOTE_EVERY", 2)
    told: list[Event] = []
    root = write_dataset("muvisync", [make_row("muvisync", n, seconds=2) for n in range(5)])
    export(root, "muvisync", tmp_path / "out", tell=told.append)
    assert [event.detail for event in told] == [
        "muvisync: 2 of 5 entries exported",
        "muvisync: 4 of 5 entries exported",
    ]


def test_a_root_in_memory_is_exported_too(tmp_path: Path) -> None:
    from symmv_builder.datasets.schemas import published_schema
    from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt

    root = Root(f"memory://export-{tmp_path.name}")
    shards = ShardWriter(root, "muvisync", published_schema("muvisync")).write(
        [make_row("muvisync", 0)]
    )
    write_receipt(root, "muvisync", {"shards": as_plain(shards)})
    assert export(root, "muvisync", tmp_path / "out").entries == 1


@DATASETS
def test_files_of_ones_own_are_no_part_of_an_export(
    dataset: str, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    rows = [make_row(dataset, n) for n in range(2)]
    export(write_dataset(dataset, rows[:1]), dataset, tmp_path / "whole")
    for name in files(tmp_path / "whole"):
        own = tmp_path / "own" / name.replace("/", "-") / name
        own.parent.mkdir(parents=True)
        own.write_text("a person's own")
        out = tmp_path / "own" / name.replace("/", "-")
        with pytest.raises(StopRun, match=r"export into another folder"):
            export(write_dataset(dataset, rows[:1]), dataset, out)
        assert files(out) == {name: b"a person's own"}


@DATASETS
def test_a_number_whose_files_are_somebody_elses_is_not_given(
    dataset: str, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    rows = [make_row(dataset, n) for n in range(2)]
    out = tmp_path / "out"
    export(write_dataset(dataset, rows[:1]), dataset, out)
    [number] = numbers(out).values()
    [first, *_] = [name for name in files(out) if number in Path(name).name]
    following = str(int(number) + 1).zfill(len(number))
    own = out / first.replace(number, following)
    own.write_text("a person's own")
    before = files(out)
    with pytest.raises(StopRun, match="export into another folder"):
        export(write_dataset(dataset, rows), dataset, out)
    assert files(out) == before


@DATASETS
def test_a_row_that_cannot_be_written_is_named_and_the_others_are(
    dataset: str, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    rows = [make_row(dataset, number) for number in range(3)]
    export(write_dataset(dataset, rows), dataset, out)
    gone = numbers(out)["song-001"]
    if dataset == "symmv":
        rows[1]["notes_pitches"] = rows[1]["notes_pitches"] + 90
    else:
        rows[1]["normalised_chords_labels"] = ("C:maj9",) * 8
    root = write_dataset(dataset, rows)
    summary = export(root, dataset, out)
    assert (summary.entries, list(summary.left_out)) == (2, ["song-001"])
    assert [name for name in files(out) if gone in Path(name).name] == []
    assert f"{gone},song-001,,,," in (out / "index.csv").read_text()
    again = export(root, dataset, out)
    assert (again.removed, again.left_out) == (0, summary.left_out)
    with pytest.raises(StopRun, match=f"nothing of {dataset} can be written: 1 row of {dataset}"):
        export(write_dataset(dataset, [rows[1]]), dataset, tmp_path / "none")


@DATASETS
def test_a_folder_with_files_of_ones_own_is_refused(
    dataset: str, write_dataset: WriteDataset, tmp_path: Path
) -> None:
    out = tmp_path / "videos"
    out.mkdir()
    (out / "holiday.mp4").write_text("a person's own")
    with pytest.raises(StopRun, match="holds something else than an export of this dataset"):
        export(write_dataset(dataset, [make_row(dataset, 0)]), dataset, out)
    assert files(out) == {"holiday.mp4": b"a person's own"}
