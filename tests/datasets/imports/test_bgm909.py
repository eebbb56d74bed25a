"""POP909 joined with official videos: by a table of ids, or by numbers."""

from pathlib import Path

import pytest
from pyarrow import parquet

from symmv_builder.datasets.imports import recipe, scan
from symmv_builder.errors import MalformedFile
from tests.datasets.imports.small_releases import Call, write_pop909
from tests.media import Pictures, noise, steady, write_media


def test_a_table_gives_songs_their_videos_and_leaves_others_out(tmp_path: Path) -> None:
    for number in ("001", "002"):
        write_pop909(tmp_path, number)
    everything = scan("bgm909", tmp_path)
    first = everything.songs[0].entry
    assert (first.dataset, first.video.url) == ("bgm909", f"file:bgm909.{first.entry_id}.video")
    assert first.video != first.music
    (tmp_path / "videos.csv").write_text(f"song,id\n{first.entry_id},0sf943sWZls\n")
    [song] = scan("bgm909", tmp_path).songs
    assert song.entry.video.video_id == "0sf943sWZls"
    assert song.entry.music == first.music


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("song,id\n999,0sf943sWZls\n", "line 2: column song: '999' is no song"),
        ("song,id\n{0},short\n", "line 2: column id: 'short' is no id"),
        ("song,id\n{0},0sf943sWZls\n{0},0sf943sWZl1\n", "line 3: column song: {0} has a video"),
        ("song,id\n", "it names no song"),
    ],
)
def test_a_mistake_in_the_table_is_one_line(text: str, message: str, tmp_path: Path) -> None:
    for number in ("001", "002"):
        write_pop909(tmp_path, number)
    number = scan("bgm909", tmp_path).songs[0].entry.entry_id
    (tmp_path / "videos.csv").write_text(text.format(number))
    with pytest.raises(MalformedFile) as error:
        scan("bgm909", tmp_path)
    assert message.format(number) in str(error.value)


def test_videos_of_a_folder_join_the_songs(tmp_path: Path, call: Call) -> None:
    write_pop909(tmp_path / "POP909", "001")
    number = scan("bgm909", tmp_path / "POP909").songs[0].entry.entry_id
    root = tmp_path / "root"
    assert call("import", "bgm909", tmp_path / "POP909", "--root", root)[0] == 0
    videos = tmp_path / "videos"
    videos.mkdir()
    write_media(videos / f"{number}.mp4", Pictures([noise(n) for n in range(12)], steady(12, 6)))
    call("build", "bgm909", "--only", "motion", "--from", videos, "--root", root)
    [shard] = (root / "bgm909" / "shards").glob("*.parquet")
    [row] = parquet.read_table(shard).to_pylist()
    assert row["entry_id"] == number
    assert row["notes_pitches"]
    assert row["motion"]
    assert row["video_sha256"] != row["music_sha256"]


def test_the_shots_are_those_of_the_paper() -> None:
    [shots] = [use for use in recipe("bgm909").uses if use.makes == "scenes"]
    assert shots.model == "transnetv2"
