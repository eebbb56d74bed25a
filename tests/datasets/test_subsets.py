"""Rows that are marked: exported alone, verified; and where exports went."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from symmv_builder.api.media import choose_media
from symmv_builder.cli import app
from symmv_builder.datasets.exports import Exported, exports, note_export
from symmv_builder.datasets.subsets import Subset, read_subset, shards_of, write_subset
from symmv_builder.datasets.verify.problems import CheckCounts
from symmv_builder.datasets.verify.tables import check_subsets
from symmv_builder.errors import Damaged, UnknownName
from symmv_builder.storage import manifests
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.processes import machine
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from tests.datasets.exporting import (
    DATASET,
    Stored,
    export,
    members,
    row,
    store_films,
    write_rows,
)
from tests.datasets.released import made


def test_a_subset_is_exported_alone(tmp_path: Path) -> None:
    stored = store_films(tmp_path, 3)
    write_rows(stored, [row(stored, n) for n in range(3)])
    with pytest.raises(UnknownName, match="no subset 'best'"):
        export(stored, tmp_path / "none", video="none", subset="best")
    marked = Subset("train", ("film-1",), shards_of(stored.root, DATASET, "train"), {})
    write_subset(stored.root, DATASET, "best", marked)
    summary = export(stored, tmp_path / "out", video="none", subset="best")
    assert {split: count for split, count in summary.samples.items() if count} == {"train": 1}
    assert "film-1.json" in members(tmp_path / "out" / "train-00000.tar")
    # Without it the others join it.
    assert sum(export(stored, tmp_path / "out", video="none").samples.values()) == 3


def marked(stored: Stored, *names: str) -> None:
    subset = Subset("train", names, shards_of(stored.root, DATASET, "train"), {"by": "hand"})
    write_subset(stored.root, DATASET, "best", subset)


def looked_at(stored: Stored) -> tuple[list[tuple[str, str]], CheckCounts]:
    store = Store(stored.root, stored.root, Ledger("sqlite://"))
    counts = CheckCounts()
    problems = list(check_subsets(store, DATASET, counts))
    return [(problem.path, problem.what) for problem in problems], counts


def test_a_subset_is_verified_bit_by_bit_and_against_the_rows(tmp_path: Path) -> None:
    stored = store_films(tmp_path, 1)
    write_rows(stored, [row(stored, n) for n in range(3)])
    marked(stored, "film-1")
    found, counts = looked_at(stored)
    assert (found, counts.checked, counts.notes) == ([], 1, {})
    path = Path(stored.root.path(f"{DATASET}/subsets/best.json"))
    sound = path.read_bytes()
    for place in range(0, len(sound), 7):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        [(where, _)] = looked_at(stored)[0]
        assert where == f"{DATASET}/subsets/best.json"
    path.write_bytes(sound)
    path.rename(path.with_name("other.json"))
    [(where, what)] = looked_at(stored)[0]
    assert (where, "damaged" in what) == (f"{DATASET}/subsets/other.json", True)
    path.with_name("other.json").unlink()
    marked(stored, "film-1", "film-9")
    [(_, what)] = looked_at(stored)[0]
    assert what == "marks 1 row that no shard has, such as film-9"
    with pytest.raises(UnknownName, match="best"):
        read_subset(stored.root, DATASET, "bets")


def test_a_subset_of_shards_that_were_written_anew_is_noted_and_refused(tmp_path: Path) -> None:
    stored = store_films(tmp_path, 1)
    write_rows(stored, [row(stored, n) for n in range(3)])
    marked(stored, "film-1")
    write_rows(stored, [row(stored, n) for n in range(6)])
    found, counts = looked_at(stored)
    assert found == []
    assert list(counts.notes) == ["subsets are of shards that were written anew: rank again"]
    with pytest.raises(Damaged, match="written anew"):
        read_subset(stored.root, DATASET, "best")


def test_exports_are_remembered_until_their_folder_is_gone(tmp_path: Path) -> None:
    root, folder = Root(str(tmp_path / "root")), tmp_path / "out"
    assert exports(root, DATASET) == []
    for name in ("out", "gone"):
        (tmp_path / name).mkdir()
        for _ in range(2):
            note_export(root, DATASET, tmp_path / name, "webdataset")
    (tmp_path / "gone").rmdir()
    elsewhere = Exported("/data/films", "", "another-machine")
    place = f"{DATASET}/exports/0123456789abcdef.json"
    root.write(place, json.dumps(asdict(elsewhere)).encode())
    mine = next(each for each in exports(root, DATASET) if each.is_here)
    assert mine == Exported(str(folder.resolve()), "webdataset", machine())
    assert set(exports(root, DATASET)) == {mine, elsewhere}
    root.write(place, b'{"folder": 1}')
    with pytest.raises(Damaged, match="no record of an export"):
        exports(root, DATASET)


def test_a_takedown_names_the_folders_of_earlier_exports(tmp_path: Path) -> None:
    store = made(tmp_path)
    (tmp_path / "my tars").mkdir()
    media = choose_media("webdataset", video="frames", frame_rate_hz=2.0, splits=["train", "test"],
                         mono=True, shard_bytes=64 * 2**20)  # fmt: skip
    assert media is not None
    for choices in ({}, media.chosen()):
        note_export(store.root, "muvisync", tmp_path / "my tars", "webdataset", choices)
    entry = manifests.read_entries(store.manifests, "muvisync")[0].entry_id
    store.ledger.close()
    words = ["takedown", "muvisync", entry, "--reason", "asked", "--root", str(tmp_path / "root")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    said = " ".join(done.stdout.split())
    assert f"{tmp_path}/my tars was exported before; export to it again, or delete it" in said
    again = (
        f"`symmv export muvisync '{tmp_path}/my tars' --format webdataset --frame-rate 2.0 "
        "--mono --shard-mb 64 --split train --split test --video frames "
        f"--root {tmp_path}/root`"
    )
    assert again in said
    assert said.count("symmv export") == 1
