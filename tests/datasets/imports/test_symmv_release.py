"""SymMV's release in our rows: songs, chords, keys, and videos that arrive later."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends.midi import midi_bytes, read_notes
from symmv_builder.datasets.export import export
from symmv_builder.datasets.imports.importers.symmv_release import (
    read_chords,
    read_songs,
    scan,
    song_ids,
)
from symmv_builder.datasets.imports.index import source_of
from symmv_builder.datasets.imports.published_archive import pack
from symmv_builder.errors import StopRun
from symmv_builder.files import Folder
from symmv_builder.records import Source
from symmv_builder.storage.manifests import assign_splits
from symmv_builder.vocab import SYMMV_LABELS
from tests.datasets.imports.small_releases import Call, Read, WriteDataset, notes, splits_of
from tests.recordings import make_recordings
from tests.synthetic_rows import make_row

HEAD = "index\tyoutube_url\ttonality\tshazam_id\n"
WATCH = "https://www.youtube.com/watch?v="


@pytest.mark.parametrize(
    ("address", "source"),
    [
        (f"{WATCH}KFNEtO7fO9M", Source("youtube", "KFNEtO7fO9M")),
        (f"{WATCH}-bFZg_SMUhM&list=PL1", Source("youtube", "-bFZg_SMUhM")),
        ("https://youtu.be/KFNEtO7fO9M?t=3", Source("youtube", "KFNEtO7fO9M")),
        ("https://www.bilibili.com/video/BV1CW411g7UF?", Source("bilibili", "BV1CW411g7UF")),
        ("https://www.bilibili.com/video/BV1w34y1r76n", Source("bilibili", "BV1w34y1r76n")),
        ("file:song-001.video", Source("file", "song-001.video")),
        ("https://example.org/watch?v=KFNEtO7fO9M", None),
        (f"{WATCH}tooshort", None),
        ("", None),
    ],
)
def test_an_address_is_a_site_and_an_id(address: str, source: Source | None) -> None:
    assert source_of(address) == source


def rows(*lines: tuple[str, str, str]) -> Mapping[str, Mapping[str, str]]:
    return {i: {"youtube_url": a, "tonality": "C major", "shazam_id": s} for i, a, s in lines}


def test_rows_that_share_an_address_or_a_shazam_number_are_one_song() -> None:
    table = rows(
        ("00001", f"{WATCH}aaaaaaaaaaa", ""),
        ("00002", f"{WATCH}bbbbbbbbbbb", "7"),
        ("00003", f"{WATCH}aaaaaaaaaaa", "8"),
        ("00004", "https://www.bilibili.com/video/BV1CW411g7UF?", "8"),
        ("00005", "https://www.bilibili.com/video/BV1CW411g7UF", ""),
        ("00006", f"{WATCH}ccccccccccc", "7"),
        ("00007", f"{WATCH}ddddddddddd", ""),
    )
    assert song_ids(table) == {
        "00001": "00001", "00002": "00002", "00003": "00001", "00004": "00001",
        "00005": "00001", "00006": "00002", "00007": "00007",
    }  # fmt: skip


def test_no_address_stands_on_two_sides_of_the_split() -> None:
    table = rows(*((f"{n:05d}", f"{WATCH}{n % 90:011d}", "") for n in range(1, 1141)))
    songs = song_ids(table)
    splits = assign_splits(songs.values(), {}, {"train": 1000, "validation": 70, "test": 70})
    sides: dict[str, set[str]] = {}
    for index, row in table.items():
        sides.setdefault(row["youtube_url"], set()).add(splits[songs[index]])
    assert len(sides) == 90
    assert all(len(side) == 1 for side in sides.values())


def test_a_row_may_end_before_the_shazam_column(tmp_path: Path) -> None:
    path = tmp_path / "SymMV.csv"
    path.write_text(f"{HEAD}00682\t{WATCH}aaaaaaaaaaa\tC major\n00684\tx\tc minor\t12\n")
    table = read_songs(path, Folder(tmp_path))
    assert list(table) == ["00682", "00684"]
    assert [row["shazam_id"] for row in table.values()] == ["", "12"]


@pytest.mark.parametrize(
    "text",
    [
        "index\tyoutube_url\tshazam_id\n00001\tx\t\n",
        f"{HEAD}1\tx\tC major\n",
        f"{HEAD}00001\tx\tC major\n00001\ty\tC major\n",
        f"{HEAD}00001\tx\tC major\tnumber\n",
    ],
)
def test_a_table_of_another_form_stops_the_import(text: str, tmp_path: Path) -> None:
    (tmp_path / "SymMV.csv").write_text(text)
    with pytest.raises(StopRun, match=r"SymMV\.csv"):
        scan(tmp_path)


@pytest.fixture
def exported(write_dataset: WriteDataset, tmp_path: Path) -> Path:
    """Three songs as our export writes them: with beats, so that none has to be heard."""
    made = [
        make_row("symmv", n, seconds=20, split=split)
        for n, split in enumerate(("train", "validation", "test"))
    ]
    export(write_dataset("symmv", made), "symmv", tmp_path / "tree")
    return tmp_path / "tree"


def import_it(call: Call, tree: Path, *more: str) -> tuple[int, str, str]:
    root = tree.parent / "root"
    return call("import", "symmv-release", tree, "--root", root, "--workers", 1, *more)


def test_what_our_export_wrote_comes_back(
    exported: Path, tmp_path: Path, call: Call, read: Read
) -> None:
    assert import_it(call, exported)[0] == 0
    receipt, found = read(tmp_path / "root", "symmv-release")
    splits = {"song-000": "train", "song-001": "validation", "song-002": "test"}
    assert splits_of(tmp_path / "root", "symmv-release") == splits
    for number, split in enumerate(splits.values()):
        row = make_row("symmv", number, seconds=20, split=split)
        [other] = [each for each in found if each["entry_id"] == row["entry_id"]]
        for name in ("split", "song_id", "shazam_id", "video_url", "key_tonic", "key_mode"):
            assert other[name] == row[name], name
        assert other["chords_labels"] == row["chords_labels"]
        for name in ("chords_starts_s", "beats_times_s", "pedal_starts_s", "pedal_ends_s"):
            np.testing.assert_allclose(other[name], row[name], atol=0.5 / 440 + 1e-9)
        assert np.array_equal(other["beats_positions"], row["beats_positions"])
        assert len(other["notes_pitches"]) == len(row["notes_pitches"])
        np.testing.assert_allclose(
            other["notes_starts_s"], row["notes_starts_s"], atol=0.5 / 440 + 1e-9
        )
    assert receipt["made_by"]["beats"] == "symmv_export_beats"


@pytest.mark.parametrize(
    "line",
    ["00001,../../up,song-000,train,,", "00001,song-001,song-000,train,,"],
)
def test_an_index_that_is_none_stops_the_import(line: str, exported: Path) -> None:
    index = exported / "index.csv"
    first, _, *others = index.read_text().splitlines()
    index.write_text("\n".join([first, line, *others]) + "\n")
    with pytest.raises(StopRun, match=r"index\.csv"):
        scan(exported)


def test_chords_of_a_release_are_kept_or_named_anew(
    exported: Path, tmp_path: Path, call: Call, read: Read
) -> None:
    import_it(call, exported)
    before = {r["entry_id"]: r for r in read(tmp_path / "root", "symmv-release")[1]}
    import_it(call, exported, "--chords", "recomputed")
    receipt, found = read(tmp_path / "root", "symmv-release")
    assert receipt["made_by"]["chords"] == "symbolic_chords"
    assert [model["slot"] for model in receipt["models"]] == ["symbolic_chords"]
    for row in found:
        assert row["chords_labels"] != before[row["entry_id"]]["chords_labels"]
        assert set(row["chords_labels"]) <= set(SYMMV_LABELS)


def test_videos_that_arrive_later_fill_their_columns(
    exported: Path, tmp_path: Path, call: Call, read: Read
) -> None:
    import_it(call, exported)
    root, folder = tmp_path / "root", tmp_path / "media" / "videos"
    assert "motion" not in read(root, "symmv-release")[0]["columns"]
    video = make_recordings(tmp_path) / "drawn.mp4"
    folder.mkdir(parents=True)
    shutil.copy(video, folder / "song-000.mp4")
    shutil.copy(video, folder / "song-001.video.mp4")
    shutil.copy(video, folder / "stranger.mp4")
    build = ("build", "symmv-release", "--only", "motion,scenes", "--root", root, "--workers", 1)
    code, out, err = call(*build, "--from", folder.parent)
    assert code == 1
    assert "2 made, 0 rejected, 1 unfinished" in out
    assert "stranger.mp4 has no partner" in err
    receipt, found = read(root, "symmv-release")
    assert receipt["left_out"] == 1
    assert {"motion", "scenes_starts_s", "notes_pitches", "video_duration_s"} <= set(found[0])
    assert {"colour", "semantic"}.isdisjoint(receipt["columns"])
    assert [len(row["motion"]) for row in found] == [40, 40]
    shutil.copy(video, folder / "song-002.mp4")
    code, out, _ = call(*build, "--from", folder.parent)
    assert (code, "3 made, 0 rejected, 0 unfinished" in out) == (0, True)
    assert read(root, "symmv-release")[0]["left_out"] == 0
    assert call(*build)[1].startswith("nothing to do")
    # Another import has nothing to make, and what all songs have stays.
    import_it(call, exported)
    assert "motion" in read(root, "symmv-release")[0]["columns"]


def test_a_folder_without_its_videos_is_one_line(
    exported: Path, tmp_path: Path, call: Call
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    build = ("build", "symmv-release", "--root", tmp_path / "root", "--only", "motion")
    calls: list[tuple[object, ...]] = [(*build, "--from", empty), build]
    for words in calls:
        code, out, err = call(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)
    import_it(call, exported)
    for words in [*calls, ("build", "symmv-release", "--only", "nosuch")]:
        code, out, err = call(*words)
        assert (code, out, err.count("\n")) == (2, "", 1)


def test_a_song_that_is_taken_down_is_gone_and_stays_away(
    exported: Path, tmp_path: Path, call: Call, read: Read
) -> None:
    import_it(call, exported)
    root = tmp_path / "root"
    before = len([path for path in (root / "assets").rglob("*") if path.is_file()])
    code, _, _ = call("takedown", "symmv-release", "song-001", "--reason", "asked", "--root", root)
    assert code == 0
    _, found = read(root, "symmv-release")
    assert [row["entry_id"] for row in found] == ["song-000", "song-002"]
    after = {path.name for path in (root / "assets").rglob("*") if path.is_file()}
    assert len(after) == before - 2
    import_it(call, exported)
    assert len(read(root, "symmv-release")[1]) == 2
    assert {path.name for path in (root / "assets").rglob("*") if path.is_file()} == after
    assert "song-001" not in (root / "symmv-release" / "entries.jsonl").read_text()


def test_beats_are_heard_in_rendered_sound_and_the_provenance_says_so(
    tmp_path: Path, call: Call, read: Read
) -> None:
    tree = tmp_path / "tree"
    (tree / "midi").mkdir(parents=True)
    (tree / "chord").mkdir()
    tune = notes([60, 64, 67, 72, 62, 65, 69, 74] * 6, gap_s=0.5)
    (tree / "midi" / "00001.mid").write_bytes(midi_bytes({"piano": tune}))
    (tree / "chord" / "00001.txt").write_text("220 880 CM\n880 1100 F#m7\n")
    (tree / "SymMV.csv").write_text(
        f"{HEAD}00001\t{WATCH}aaaaaaaaaaa\tc# minor\n00002\t{WATCH}bbbbbbbbbbb\tC major\n"
    )
    code, out, err = import_it(call, tree)
    assert (code, "1 made, 0 rejected" in out) == (0, True)
    assert "left out: 00002 has no midi/00002.mid" in err
    receipt, [row] = read(tmp_path / "root", "symmv-release")
    gaps = np.diff(row["beats_times_s"])
    assert min(abs(np.median(gaps) - expected) for expected in (0.25, 0.5, 1.0)) < 0.02
    assert (row["chords_labels"], row["chords_starts_s"].tolist()) == (("CM", "F#m7"), [0.5, 2.0])
    assert (row["key_tonic"], row["key_mode"]) == ("C#", "minor")
    # The release's files hold no controllers: nothing is known of a pedal.
    assert "pedal_starts_s" not in row
    assert [(m["slot"], m["backend"]) for m in receipt["models"]] == [("beats", "madmom")]
    _, said, _ = call("why", "00001", "--root", tmp_path / "root", "--json")
    [beats] = [made for made in json.loads(said) if made["result"]["artifact"] == "beats"]
    assert json.loads(beats["provenance"]["parameters"])["soundfont"] == "TimGM6mb.sf2"
    assert beats["provenance"]["backend"] == "madmom"


@pytest.mark.twin("test_lines_of_chords_are_the_rows_of_made_songs")
def test_published_lines_are_the_rows_of_the_samples(shared_data: Path, tmp_path: Path) -> None:
    assert check_lines(shared_data / "symmv", tmp_path) == 60


def test_lines_of_chords_are_the_rows_of_made_songs(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    for kind in ("midi", "chord"):
        (folder / kind).mkdir(parents=True)
    lines = ("0 440 CM\n440 661 G7\n", "220 880 CM\n880 1100 F#m7\n1320 1540 BbM\n")
    table = HEAD
    for number, text in enumerate(lines, start=1):
        tune = notes([60, 64, 67, 72] * 3)
        (folder / "midi" / f"0000{number}.mid").write_bytes(midi_bytes({"piano": tune}))
        (folder / "chord" / f"0000{number}.txt").write_text(text)
        table += f"0000{number}\t{WATCH}aaaaaaaaaa{number}\tC major\n"
    (folder / "SymMV.csv").write_text(table)
    assert check_lines(folder, tmp_path) == 2


def check_lines(folder: Path, tmp_path: Path) -> int:
    """Compare the chords of every song of a release with its file's lines; how many songs."""
    tree = scan(folder)
    for song in tree.songs:
        assert song.music is not None
        path = song.files["chord.txt"]
        lines = [line.split() for line in path.read_text().splitlines()]
        packed = tmp_path / song.entry.entry_id
        packed.write_bytes(pack({"chord.txt": path.read_bytes()}))
        chords = read_chords(packed, read_notes(song.music))
        assert chords.labels == tuple(label for _, _, label in lines)
        for times_s, column in ((chords.starts_s, 0), (chords.ends_s, 1)):
            ticks = [int(line[column]) for line in lines]
            assert np.rint(times_s * 440).astype(int).tolist() == ticks
    return len(tree.songs)
