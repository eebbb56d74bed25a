"""Which files of a person's folder belong together."""

import os
from pathlib import Path

import pytest

from symmv_builder.crawl.folder import distinct, find_entries, identifier
from symmv_builder.errors import StopRun
from symmv_builder.records import SongInfo


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return folder


def names_of(folder: Path, *, pairs: bool = True) -> list[str]:
    return [entry.entry_id for entry in find_entries(folder, "symmv", pairs=pairs).entries]


def test_a_cover_and_a_video_of_one_name_are_a_pair(tmp_path: Path) -> None:
    touch(tmp_path, "a.cover.flac", "a.video.mp4", "b.wav", "b.mkv", "notes.txt")
    found = find_entries(tmp_path, "symmv", pairs=True)
    assert [entry.entry_id for entry in found.entries] == ["a", "b"]
    first = found.entries[0]
    assert found.files[first.music].name == "a.cover.flac"
    assert found.files[first.video].name == "a.video.mp4"
    assert first.music != first.video
    assert found.unpaired == ()


def test_two_folders_pair_by_equal_names_even_if_a_cover_is_a_video_file(tmp_path: Path) -> None:
    touch(tmp_path, "covers/x.mp4", "videos/x.mp4", "covers/y.flac", "videos/y.webm")
    assert names_of(tmp_path) == ["x", "y"]


def test_a_file_without_a_partner_is_named_and_left_out(tmp_path: Path) -> None:
    touch(tmp_path, "a.flac", "a.mp4", "lonely.flac")
    found = find_entries(tmp_path, "symmv", pairs=True)
    assert [path.name for path in found.unpaired] == ["lonely.flac"]


def test_a_table_pairs_files_and_says_what_the_song_is(tmp_path: Path) -> None:
    touch(tmp_path, "m1.flac", "v1.mp4", "m2.flac", "v2.mp4")
    table = (
        "\ufeffmusic,video,song,title,artist\nm1.flac,v1.mp4,s,Hello,Adele\nm2.flac,v2.mp4,s,,\n"
    )
    (tmp_path / "pairs.csv").write_text(table)
    first, second = find_entries(tmp_path, "symmv", pairs=True).entries
    assert first.song == SongInfo("Hello", "Adele")
    assert first.song_id == second.song_id == "s"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("m1.flac,", "line 2: columns music and video must be filled"),
        ("m1.flac,gone.mp4", "line 2: there is no file gone.mp4"),
        ("../outside.flac,v1.mp4", "lies outside the folder"),
        ("/etc/passwd,v1.mp4", "lies outside the folder"),
    ],
)
def test_a_bad_line_of_the_table_is_said(tmp_path: Path, line: str, complaint: str) -> None:
    touch(tmp_path / "in", "m1.flac", "v1.mp4")
    touch(tmp_path, "outside.flac")
    (tmp_path / "in" / "pairs.csv").write_text(f"music,video\n{line}\n")
    with pytest.raises(StopRun, match=complaint):
        find_entries(tmp_path / "in", "symmv", pairs=True)


def test_every_video_is_its_own_music_where_there_are_no_pairs(tmp_path: Path) -> None:
    touch(tmp_path, "one.mp4", "deep/two.webm", "song.flac")
    found = find_entries(tmp_path, "muvisync", pairs=False)
    assert len(found.entries) == 2
    assert all(entry.music == entry.video for entry in found.entries)


def test_a_folder_that_holds_nothing_of_use_is_said(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="holds no"):
        find_entries(touch(tmp_path, "readme.txt"), "symmv", pairs=True)
    with pytest.raises(StopRun, match="not a folder"):
        find_entries(tmp_path / "gone", "symmv", pairs=True)


@pytest.mark.parametrize(
    "name",
    ["Beyoncé – Halo [bold]", "../../etc/passwd", "뚜두뚜두", "a" * 300, "-rf", "x\ny", "😀", ""],
)
def test_any_name_becomes_a_safe_identifier(name: str) -> None:
    safe = identifier(name)
    assert len(safe) <= 64
    assert safe[0].isalnum()
    assert set(safe) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert identifier(name) == safe != identifier(name + "'")


@pytest.mark.parametrize(
    "table",
    [
        "music;video;song\na.wav;b.mp4;s\n",
        "music, video, song\n a.wav , b.mp4 , s\n",
        "Music\tVIDEO\tSong\r\n\r\na.wav\tb.mp4\ts\r\n\r\n",
    ],
)
def test_a_table_is_read_as_a_spreadsheet_saved_it(table: str, tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.mp4")
    (tmp_path / "pairs.csv").write_bytes(table.encode("utf-16"))
    [entry] = find_entries(tmp_path, "symmv", pairs=True).entries
    assert (entry.entry_id, entry.song_id) == ("a", "s")


@pytest.mark.parametrize(
    "on_disk", ["caf\u00e9.wav", "cafe\u0301.wav", os.fsdecode(b"caf\xe9.wav")]
)
def test_a_table_names_files_however_the_disk_spells_them(on_disk: str, tmp_path: Path) -> None:
    touch(tmp_path, on_disk, "b.mp4")
    (tmp_path / "pairs.csv").write_bytes("music;video\ncaf\u00e9.wav;b.mp4\n".encode("latin-1"))
    found = find_entries(tmp_path, "symmv", pairs=True)
    assert [found.files[entry.music].name for entry in found.entries] == [on_disk]


def test_a_link_in_a_table_does_not_lead_out_of_the_folder(tmp_path: Path) -> None:
    touch(tmp_path, "secret.wav", "in/b.mp4")
    (tmp_path / "in" / "a.wav").symlink_to("../secret.wav")
    (tmp_path / "in" / "pairs.csv").write_text("music,video\na.wav,b.mp4\n")
    with pytest.raises(StopRun, match=r"line 2: .*leads out of the folder"):
        find_entries(tmp_path / "in", "symmv", pairs=True)
    (tmp_path / "in" / "pairs.csv").unlink()
    with pytest.raises(StopRun, match="holds no pairs"):
        find_entries(tmp_path / "in", "symmv", pairs=True)


def test_files_of_one_name_become_entries_of_one_song(tmp_path: Path) -> None:
    touch(tmp_path, "x.mp4", "x.mkv", "y.mp4")
    first, second, other = find_entries(tmp_path, "muvisync", pairs=False).entries
    assert (first.entry_id, other.entry_id) == ("x", "y")
    assert second.entry_id.startswith("x-")
    assert first.song_id == second.song_id == "x" != other.song_id


def test_two_covers_of_one_name_go_with_the_video_of_it(tmp_path: Path) -> None:
    touch(tmp_path, "x.flac", "x.wav", "x.mkv", "x.mp4")
    found = find_entries(tmp_path, "symmv", pairs=True)
    assert [found.files[entry.video].name for entry in found.entries] == ["x.mkv", "x.mkv"]
    assert sorted(found.files[e.music].name for e in found.entries) == ["x.flac", "x.wav"]
    assert [path.name for path in found.unpaired] == ["x.mp4"]


def test_names_that_collide_depend_on_the_places_alone() -> None:
    wanted = dict.fromkeys(("a/b.mid", "a-b.mid", "a-b.midi"), "a-b")
    names = distinct(wanted)
    assert names["a-b.mid"] == "a-b"
    assert len(set(names.values())) == 3
    assert names == distinct(dict(reversed(wanted.items())))
    # What comes later in order changes nothing.
    assert distinct({k: wanted[k] for k in ("a/b.mid", "a-b.mid")}).items() <= names.items()
    taken = distinct({**wanted, "other.mid": names["a/b.mid"]})
    assert len(set(taken.values())) == 4
    assert taken["other.mid"] == names["a/b.mid"]
    assert all(len(name) <= 64 for name in distinct(dict.fromkeys("abc", "n" * 64)).values())
