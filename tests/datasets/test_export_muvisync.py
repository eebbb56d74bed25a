"""MuVi-Sync's tree, read back by a reader written from the format's description."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.datasets.export import export
from symmv_builder.storage.root import Root
from tests.synthetic_rows import make_row

WriteDataset = Callable[[str, list[dict[str, Any]]], Root]
SECONDS = 12


def read_seconds(path: Path, *, header: str = "") -> list[list[str]]:
    """The values of each second, by the numbers at the beginning of the lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if header:
        assert lines.pop(0).startswith(header)
    fields = [line.strip().split(" ") for line in lines]
    assert [int(first) for first, *_ in fields] == list(range(len(fields)))
    return [values for _, *values in fields]


@pytest.fixture
def exported(write_dataset: WriteDataset, tmp_path: Path) -> tuple[Path, list[dict[str, Any]]]:
    splits = ("test", "train", "validation", "train")
    rows = [make_row("muvisync", n, seconds=SECONDS, split=s) for n, s in enumerate(splits)]
    rows[1]["video_url"] = "https://www.youtube.com/watch?v=KFNEtO7fO9M"
    export(write_dataset("muvisync", rows), "muvisync", tmp_path / "out")
    return tmp_path / "out", rows


def test_chords_stand_in_c_major_or_a_minor_and_in_their_own_key(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = exported
    chords = folder / "vevo_chord"
    for index, row, key in (("001", rows[0], "C major"), ("002", rows[1], "A minor")):
        path = chords / "lab_v2_norm" / "all" / f"{index}.lab"
        found = read_seconds(path, header=f"key {key}")
        assert tuple(label for [label] in found) == row["normalised_chords_labels"]
    own = read_seconds(chords / "lab_v2" / "all" / "002.lab", header="key A# minor")
    assert tuple(label for [label] in own) == rows[1]["chords_labels"]


def test_emotion_has_its_header_and_six_numbers_a_second(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = exported
    path = folder / "vevo_emotion" / "6c_l14p" / "all" / "001.lab"
    assert path.read_text().splitlines()[0] == (
        "time exciting_prob fearful_prob tense_prob sad_prob relaxing_prob neutral_prob"
    )
    values = np.array(read_seconds(path, header="time "), dtype=float)
    np.testing.assert_allclose(values, rows[0]["emotion"], atol=5.1e-5)


@pytest.mark.parametrize(
    ("folder_name", "column"),
    [("vevo_motion", "motion"), ("vevo_loudness", "loudness"), ("vevo_note_density", "density")],
)
def test_a_value_a_second_is_a_line_a_second(
    exported: tuple[Path, list[dict[str, Any]]], folder_name: str, column: str
) -> None:
    folder, rows = exported
    values = np.array(read_seconds(folder / folder_name / "all" / "003.lab"), dtype=float)
    np.testing.assert_allclose(values[:, 0], rows[2][column], atol=5.1e-5)


def test_scene_offsets_are_whole_seconds(exported: tuple[Path, list[dict[str, Any]]]) -> None:
    folder, rows = exported
    values = read_seconds(folder / "vevo_scene_offset" / "all" / "001.lab")
    assert [int(value) for [value] in values] == rows[0]["scene_offset"].tolist()


def test_semantic_is_a_float32_array_without_pickle(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = exported
    path = folder / "vevo_semantic" / "all" / "2d" / "clip_l14p" / "004.npy"
    values = np.load(path, allow_pickle=False)
    assert values.dtype == np.float32
    assert values.shape == (SECONDS, 768)
    np.testing.assert_array_equal(values, rows[3]["semantic"])


def test_splits_and_id_list_name_every_song_once(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, _ = exported
    meta = folder / "vevo_meta"
    splits = {
        name: (meta / "split" / "v1" / f"{name}.txt").read_text().split()
        for name in ("train", "val", "test")
    }
    assert splits == {"train": ["002", "004"], "val": ["003"], "test": ["001"]}
    lines = (meta / "idlist.txt").read_text().splitlines()
    assert lines[0] == "001-song-000\tfile:song-000.video"
    assert lines[1] == "002-song-001\tKFNEtO7fO9M"


@pytest.mark.twin("test_the_vocabulary_numbers_chords_by_root_and_quality")
def test_the_vocabulary_is_the_released_one(
    exported: tuple[Path, list[dict[str, Any]]], shared_data: Path
) -> None:
    folder, _ = exported
    for name in ("chord", "chord_root", "chord_attr"):
        ours = json.loads((folder / "vevo_meta" / f"{name}.json").read_text())
        released = json.loads((shared_data / "muvisync" / f"{name}.json").read_text())
        assert ours == released
        inverse = json.loads((folder / "vevo_meta" / f"{name}_inv.json").read_text())
        assert {word: int(number) for number, word in inverse.items()} == released


def test_the_vocabulary_numbers_chords_by_root_and_quality(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, _ = exported
    chords, roots, qualities = (
        json.loads((folder / "vevo_meta" / f"{name}.json").read_text())
        for name in ("chord", "chord_root", "chord_attr")
    )
    assert (chords["N"], chords["C"], chords["C:dim"], chords["C#"]) == (0, 1, 2, 14)
    assert (roots["N"], roots["C"], roots["B"]) == (0, 1, 12)
    assert (qualities["N"], qualities["maj"], qualities["maj7"]) == (0, 1, 13)
    for label, number in chords.items():
        root, _, quality = label.partition(":")
        if root in roots and label != "N":
            assert number == 13 * (roots[root] - 1) + qualities[quality or "maj"], label
    for name, table in (("chord", chords), ("chord_root", roots), ("chord_attr", qualities)):
        inverse = json.loads((folder / "vevo_meta" / f"{name}_inv.json").read_text())
        assert {word: int(number) for number, word in inverse.items()} == table


def test_common_chords_are_counted_over_all_songs(
    exported: tuple[Path, list[dict[str, Any]]],
) -> None:
    folder, rows = exported
    vocabulary = json.loads((folder / "vevo_meta" / "chord.json").read_text())
    labels = [label for row in rows for label in row["normalised_chords_labels"]]
    lines = [line.split(" ") for line in (folder / "vevo_meta" / "top_chord.txt").open()]
    counts = [int(count) for _, _, count in lines]
    assert counts == sorted(counts, reverse=True)
    for label, number, count in lines:
        assert vocabulary[label] == int(number)
        assert labels.count(label) == int(count)


@pytest.mark.parametrize("seconds", [299, 300, 301])
def test_the_300_second_reader_ends_every_song_where_it_ends(
    write_dataset: WriteDataset, tmp_path: Path, seconds: int
) -> None:
    """The reader puts END at the last second it saw, in an array of 299, unless it saw 300."""
    row = make_row("muvisync", 0, seconds=seconds)
    export(write_dataset("muvisync", [row]), "muvisync", tmp_path / "out")
    path = tmp_path / "out" / "vevo_chord" / "lab_v2_norm" / "all" / "001.lab"
    labels = read_seconds(path, header="key ")
    assert tuple(label for [label] in labels[:300]) == row["normalised_chords_labels"][:300]
    last = min(len(labels) - 1, 300)
    assert last != 299
