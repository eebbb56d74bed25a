"""MuVi-Sync's tree in our rows: what our export writes comes back, and a release's quirks."""

import io
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.datasets.export import export
from symmv_builder.datasets.imports.published_archive import read_array
from symmv_builder.datasets.schemas import columns_of
from symmv_builder.vocab import MUVISYNC_LABELS
from tests.datasets.imports.small_releases import Call, Read, WriteDataset, splits_of
from tests.synthetic_rows import make_row

SECONDS = 12
SPLITS = ("train", "train", "validation", "test")


@pytest.fixture
def tree(write_dataset: WriteDataset, tmp_path: Path) -> Path:
    """Four songs in the release's layout, as our export writes them, without its index."""
    rows = [make_row("muvisync", n, seconds=SECONDS, split=s) for n, s in enumerate(SPLITS)]
    for number, row in enumerate(rows):
        row["video_url"] = f"https://www.youtube.com/watch?v=KFNEtO7fO{number:02d}"
    export(write_dataset("muvisync", rows), "muvisync", tmp_path / "tree")
    (tmp_path / "tree" / "index.csv").unlink()
    ids = [f"{n:03d}-An Artist - Song {n}\tKFNEtO7fO{n - 1:02d}\n" for n in range(1, 5)]
    (tmp_path / "tree" / "vevo_meta" / "idlist.txt").write_text("".join(ids))
    return tmp_path / "tree"


def import_it(call: Call, tree: Path, *more: str) -> tuple[int, str, str]:
    root = tree.parent / "root"
    return call("import", "muvi-sync", tree, "--root", root, "--workers", 1, *more)


def test_what_our_export_wrote_comes_back(
    write_dataset: WriteDataset, tmp_path: Path, call: Call, read: Read
) -> None:
    rows = [make_row("muvisync", n, seconds=SECONDS, split=s) for n, s in enumerate(SPLITS)]
    # The reader of that layout fails on a song of just 300 seconds: it gets a line more.
    rows[1] = make_row("muvisync", 1, seconds=300, split="train")
    export(write_dataset("muvisync", rows), "muvisync", tmp_path / "tree")
    assert import_it(call, tmp_path / "tree")[0] == 0
    receipt, found = read(tmp_path / "root", "muvi-sync")
    assert len(found) == len(rows)
    for row in rows:
        [other] = [each for each in found if each["entry_id"] == row["entry_id"]]
        for name in ("song_id", "split", "chords_labels", "normalised_chords_labels", "key_mode"):
            assert other[name] == row[name], name
        assert (row["key_tonic"], other["key_tonic"]) == ("B-", "B-")
        assert other["video_url"] == row["video_url"]
        for name in ("loudness", "emotion", "motion"):
            np.testing.assert_allclose(other[name], row[name], atol=5.1e-5)
        assert np.array_equal(other["density"], row["density"])
        assert np.array_equal(other["semantic"], row["semantic"])
        assert np.array_equal(other["scene_offset"], np.rint(row["scene_offset"]))
    lacking = {"notes_starts_s", "video_width", "music_sha256", "scenes_starts_s"}
    assert lacking.isdisjoint(receipt["columns"])
    names = {column.name for column in columns_of("muvisync")}
    assert set(receipt["columns"]) < names


def test_a_release_says_titles_addresses_and_splits(tree: Path, call: Call, read: Read) -> None:
    assert import_it(call, tree)[0] == 0
    _, found = read(tree.parent / "root", "muvi-sync")
    assert splits_of(tree.parent / "root", "muvi-sync") == {
        "001": "train", "002": "train", "003": "validation", "004": "test"
    }  # fmt: skip
    first = min(found, key=lambda row: str(row["entry_id"]))
    assert first["video_url"] == "https://www.youtube.com/watch?v=KFNEtO7fO00"
    assert (first["artist"], first["title"]) == ("An Artist", "Song 1")


def test_a_song_in_no_split_is_left_out_and_said(tree: Path, call: Call, read: Read) -> None:
    (tree / "vevo_meta" / "split" / "v1" / "test.txt").write_text("")
    _, out, err = import_it(call, tree)
    assert "3 made, 0 rejected" in out
    assert "left out: 004 stands in no published split" in err
    receipt, found = read(tree.parent / "root", "muvi-sync")
    assert receipt["splits"] == {"train": 2, "validation": 1, "test": 0}
    assert "004" not in {row["entry_id"] for row in found}


def test_emotions_of_a_release_become_the_mean_of_five_seconds(
    tree: Path, call: Call, read: Read
) -> None:
    path = tree / "vevo_emotion" / "6c_l14p" / "all" / "001.lab"
    raw = np.array([line.split()[1:] for line in path.read_text().splitlines()[1:]], dtype=float)
    import_it(call, tree)
    [row] = [r for r in read(tree.parent / "root", "muvi-sync")[1] if r["entry_id"] == "001"]
    expected = [raw[max(0, n - 4) : n + 1].mean(axis=0) for n in range(SECONDS)]
    np.testing.assert_allclose(row["emotion"], expected, atol=1e-6)
    import_it(call, tree, "--emotion", "published")
    [row] = [r for r in read(tree.parent / "root", "muvi-sync")[1] if r["entry_id"] == "001"]
    np.testing.assert_allclose(row["emotion"], raw, atol=1e-6)


def test_without_own_chords_only_the_mode_of_the_key_is_known(
    tree: Path, call: Call, read: Read
) -> None:
    shutil.rmtree(tree / "vevo_chord" / "lab_v2")
    shutil.rmtree(tree / "vevo_semantic")
    assert import_it(call, tree)[0] == 0
    receipt, found = read(tree.parent / "root", "muvi-sync")
    lacking = {"chords_labels", "chords_starts_s", "key_tonic", "key_correlation", "semantic"}
    assert lacking.isdisjoint(receipt["columns"])
    modes = {row["entry_id"]: row["key_mode"] for row in found}
    assert modes == {"001": "major", "002": "minor", "003": "major", "004": "minor"}


def test_a_video_without_cuts_is_one_scene(tree: Path, call: Call, read: Read) -> None:
    offsets = tree / "vevo_scene_offset" / "all"
    (offsets / "001.lab").write_text("")
    (offsets / "002.lab").unlink()
    assert import_it(call, tree)[0] == 0
    rows = {row["entry_id"]: row for row in read(tree.parent / "root", "muvi-sync")[1]}
    for number in ("001", "002"):
        assert rows[number]["scene_offset"].tolist() == [float(n) for n in range(SECONDS)]
    assert rows["003"]["scene_offset"].max() < SECONDS / 2


def test_tracks_of_a_song_are_cut_to_the_shortest(tree: Path, call: Call, read: Read) -> None:
    path = tree / "vevo_motion" / "all" / "001.lab"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2]))
    import_it(call, tree)
    [row] = [r for r in read(tree.parent / "root", "muvi-sync")[1] if r["entry_id"] == "001"]
    tracks = ("chords_labels", "normalised_chords_labels", "density", "loudness", "semantic")
    for name in (*tracks, "emotion", "motion", "scene_offset"):
        assert len(row[name]) == SECONDS - 2, name


def test_damaged_songs_are_put_aside(tree: Path, call: Call) -> None:
    lab = "vevo_{}/all/{}.lab"
    (tree / lab.format("motion", "001")).write_text("0 1.0\n2 1.0\n")
    (tree / lab.format("loudness", "002")).unlink()
    array = io.BytesIO()
    np.save(array, np.zeros((SECONDS, 512), dtype=np.float32))
    (tree / "vevo_semantic/all/2d/clip_l14p/003.npy").write_bytes(array.getvalue())
    chords = tree / "vevo_chord/lab_v2_norm/all/004.lab"
    chords.write_text(chords.read_text().replace("key", "clef"))
    _, out, err = import_it(call, tree)
    assert "0 made, 4 rejected" in out
    found = [line.split("put aside: ")[1] for line in err.splitlines() if "aside: " in line]
    assert [line.split(": ")[2] for line in found] == [
        "unreadable", "no_annotation", "unreadable", "unreadable"
    ]  # fmt: skip


def test_a_pickled_array_is_never_loaded(tree: Path, call: Call) -> None:
    array = io.BytesIO()
    np.save(array, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    (tree / "vevo_semantic/all/2d/clip_l14p/001.npy").write_bytes(array.getvalue())
    _, _, err = import_it(call, tree)
    assert "put aside: 001" in err
    assert "unreadable" in err


def test_an_array_that_claims_more_than_it_holds_allocates_nothing() -> None:
    array = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        array, {"descr": "<f4", "fortran_order": False, "shape": (10**12, 768)}
    )
    for data in (array.getvalue() + b"1234", b"", b"PK\x03\x04", b"\x93NUMPY\x03\x00"):
        with pytest.raises((ValueError, EOFError)):
            read_array(data)


def test_another_vocabulary_stops_the_import(tree: Path, call: Call) -> None:
    words = {label: n + 1 for n, label in enumerate(MUVISYNC_LABELS)}
    (tree / "vevo_meta" / "chord.json").write_text(json.dumps(words))
    code, _, err = import_it(call, tree)
    assert (code, err.count("\n")) == (2, 1)
    assert "vocabulary" in err


@pytest.mark.twin("test_a_release_says_titles_addresses_and_splits")
def test_the_published_vocabulary_and_splits_are_read(
    shared_data: Path, tree: Path, call: Call, read: Read
) -> None:
    meta = tree / "vevo_meta"
    folder = shared_data / "muvisync"
    for name in ("chord", "chord_root", "chord_attr"):
        shutil.copy(folder / f"{name}.json", meta / f"{name}.json")
    for name in ("train", "val", "test"):
        shutil.copy(folder / f"split_{name}.txt", meta / "split" / "v1" / f"{name}.txt")
    shutil.copy(folder / "idlist_odd_rows.txt", meta / "idlist.txt")
    assert import_it(call, tree)[0] == 0
    frozen = splits_of(tree.parent / "root", "muvi-sync")
    assert frozen == dict.fromkeys(("001", "002", "003", "004"), "train")
    rows: dict[str, dict[str, Any]] = {
        row["entry_id"]: row for row in read(tree.parent / "root", "muvi-sync")[1]
    }
    assert rows["001"]["video_url"] == "https://www.youtube.com/watch?v=kJQP7kiw5Fk"
    assert rows["002"]["video_url"] == "file:muvi-sync.002"
