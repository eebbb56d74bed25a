"""POP909 joined with official videos: by a table of ids, or by numbers."""

import json
from pathlib import Path

import pytest
from pyarrow import parquet

from symmv_builder.datasets.imports import recipe, scan
from symmv_builder.errors import MalformedFile
from symmv_builder.storage.clip_tables import read_table
from symmv_builder.storage.root import Root
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


def test_no_clip_goes_on_when_the_video_of_a_song_has_ended(tmp_path: Path, call: Call) -> None:
    write_pop909(tmp_path / "POP909", "001")
    recipe_file, root, videos = tmp_path / "cut.toml", tmp_path / "root", tmp_path / "videos"
    cut = '[clips]\nby = "windows"\nlength_s = 1.5\nclocks = "together"\n'
    recipe_file.write_text(f'name = "cut"\nbase = "bgm909"\n{cut}')
    assert call("import", recipe_file, tmp_path / "POP909", "--root", root)[0] == 0
    videos.mkdir()
    # The song lasts 6.5 s, its video 4 s; a clip may lack up to a second of it.
    pictures = Pictures([noise(n) for n in range(24)], steady(24, 6))
    write_media(videos / "001.mp4", pictures)
    words = ("build", "cut", "--only", "scenes", "--model", "scenes=adaptive")
    _, said, _ = call(*words, "--from", videos, "--root", root)
    assert "3 clips of 1 entry" in said
    assert "1 turned away: too_short 1" in said
    [shard] = (root / "cut" / "shards").glob("*.parquet")
    rows = parquet.read_table(shard).to_pylist()
    assert [row["clip_start_s"] for row in rows] == [0.0, 1.5, 3.0]
    assert 0 < rows[2]["video_duration_s"] <= 1 < rows[1]["video_duration_s"]
    # Frames are counted from the clip's first one, at the video's mean rate.
    table = read_table(Root(str(root)), "cut", json.loads((root / "cut/dataset.json").read_text()))
    frames = [clip.first_frame for clip in table["001"].clips]
    assert frames == pytest.approx([0, 9, 18], abs=1)
    answer = json.loads(call("why", "001", "--dataset", "cut", "--json", "--root", root)[1])
    assert "the video ends at" in json.dumps(answer)


def test_the_shots_are_those_of_the_paper() -> None:
    [shots] = [use for use in recipe("bgm909").uses if use.makes == "scenes"]
    assert shots.model == "transnetv2"
