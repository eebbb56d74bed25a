"""Exports with recordings: whole samples, the same bytes, taken up where they stopped."""

import errno
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends.pyav import frames, read_sound
from symmv_builder.datasets import media_export
from symmv_builder.datasets.media_export import Media, estimate_media
from symmv_builder.datasets.media_export.cutting import Cutters
from symmv_builder.datasets.media_export.formats import webdataset
from symmv_builder.datasets.media_export.samples import key_of
from symmv_builder.errors import (
    CannotWrite,
    DiskFull,
    MissingColumns,
    NoRows,
    NoShards,
    StopRun,
    UnknownName,
    WrongArguments,
)
from symmv_builder.records import Source
from symmv_builder.storage import manifests
from symmv_builder.storage.outputs import locked_folder
from symmv_builder.storage.root import Root
from tests.datasets.exporting import (
    CLIPS,
    DATASET,
    IN_MUSIC,
    Stored,
    asset,
    export,
    files,
    members,
    row,
    sound_of,
    store_films,
    write_rows,
)

# So small that every sample has a shard of its own.
TINY: dict[str, Any] = {"shard_bytes": 1000}


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    return store_films(tmp_path_factory.mktemp("films"))


@pytest.fixture
def stored(films: Stored, tmp_path: Path) -> Stored:
    """The films in a root of its own, whose recordings are links to theirs."""
    shutil.copytree(
        Path(films.root.url), tmp_path / "root", copy_function=lambda a, b: Path(b).hardlink_to(a)
    )
    return Stored(Root(str(tmp_path / "root")), films.films, films.cover)


def test_a_sample_is_its_row_and_its_recordings(stored: Stored, tmp_path: Path) -> None:
    rows = write_rows(stored, [row(stored, n) for n in range(3)])
    summary = export(stored, tmp_path / "out", video="mp4")
    assert dict(summary.samples) == {"train": 2, "test": 1}
    held = members(tmp_path / "out" / "train-00000.tar")
    assert [name.split(".", 1)[1] for name in held][:4] == [
        "json",
        "feature.npy",
        "music.flac",
        "video.mp4",
    ]
    for number in (0, 1):
        plain = json.loads(held[f"film-{number}.json"])
        expected = {k: v for k, v in rows[number].items() if k not in ("feature", "level")}
        expected["labels"] = list(expected["labels"])
        assert {name: plain[name] for name in expected} == expected
        assert plain["level"] == (None if number == 0 else 0.5)
        assert (plain["music_from_s"], plain["music_to_s"]) == (0.0, 1.6)
        feature = np.load(io.BytesIO(held[f"film-{number}.feature.npy"]), allow_pickle=False)
        np.testing.assert_array_equal(feature, rows[number]["feature"])
        assert held[f"film-{number}.video.mp4"] == asset(stored, number).read_bytes()
        ours = sound_of(held[f"film-{number}.music.flac"], tmp_path)
        whole = read_sound(asset(stored, number))
        assert ours.samples.shape == whole.samples.shape
        assert np.abs(ours.samples - whole.samples).max() <= 0.5 / 32768
    receipt = json.loads((tmp_path / "out" / "export.json").read_bytes())
    assert (receipt["complete"], receipt["samples"]) == (True, 3)
    assert {column["name"] for column in receipt["columns"]} == {*rows[0], *EXCERPT}
    assert sorted(files(tmp_path / "out")) == ["export.json", "test-00000.tar", "train-00000.tar"]


EXCERPT = ("sample", "music_from_s", "music_to_s", "video_from_s", "video_to_s")


@pytest.mark.parametrize("form", ["lance", "litdata"])
def test_a_format_without_its_package_says_what_to_install(
    form: str, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(stored, [row(stored, 0)])
    place = f"symmv_builder.datasets.media_export.formats.{form}.is_installed"
    monkeypatch.setattr(place, lambda _: False)
    with pytest.raises(StopRun, match="pip install"):
        export(stored, tmp_path / "out", form)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("form", ["webdataset", "hf"])
def test_the_same_dataset_is_the_same_bytes_and_a_repeat_does_nothing(
    form: str, stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(stored, [row(stored, n) for n in range(4)])
    first = export(stored, tmp_path / "a", form, **TINY)
    assert (first.shards_made, first.shards_kept) == (4, 0)
    export(stored, tmp_path / "b", form, **TINY)
    before = files(tmp_path / "a")
    assert before == files(tmp_path / "b")
    # Whoever would decode anything now fails.
    monkeypatch.setattr(media_export, "estimate", None)
    monkeypatch.setattr(Cutters, "of", None)
    again = export(stored, tmp_path / "a", form, **TINY)
    assert (again.shards_made, again.shards_kept, again.made) == (0, 4, 0)
    assert files(tmp_path / "a") == before


def test_an_interrupted_export_goes_on_at_its_first_missing_shard(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(stored, [row(stored, n) for n in range(5)])
    export(stored, tmp_path / "whole", **TINY)
    made: list[str] = []
    original = webdataset.write

    def write(path: Path, layout: Any, samples: Iterator[Any]) -> dict[str, Any]:
        def named() -> Iterator[Any]:
            for sample in samples:
                made.append(sample.key)
                if len(made) == 3:
                    raise KeyboardInterrupt
                yield sample

        return original(path, layout, named())

    monkeypatch.setattr(webdataset, "write", write)
    with pytest.raises(KeyboardInterrupt):
        export(stored, tmp_path / "out", **TINY)
    assert not list((tmp_path / "out").glob("*.tar"))
    summary = export(stored, tmp_path / "out", **TINY)
    assert made == ["film-0", "film-1", "film-3", "film-3", "film-4", "film-2"]
    assert (summary.shards_made, summary.shards_kept) == (3, 2)
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_an_export_that_stops_while_shards_are_numbered_loses_none(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write_rows(stored, [row(stored, n) for n in (0, 1, 3, 4)])
    export(stored, out, **TINY)
    write_rows(stored, [row(stored, n) for n in (1, 3, 4)])
    replace, calls = Path.replace, 0
    moves = 0
    for stop in range(1, 12):
        calls = 0

        def stopping(self: Path, target: Any, stop: int = stop) -> Path:
            nonlocal calls
            calls += 1
            if calls == stop:
                raise KeyboardInterrupt
            return replace(self, target)

        shutil.copytree(out, tmp_path / f"out{stop}")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", stopping)
            try:
                export(stored, tmp_path / f"out{stop}", **TINY)
            except KeyboardInterrupt:
                moves += 1
        summary = export(stored, tmp_path / f"out{stop}", **TINY)
        assert summary.shards_made == 0
        if stop > 1:
            assert files(tmp_path / f"out{stop}") == files(tmp_path / "out1")
    assert moves > 6
    assert len(list((tmp_path / "out1").glob("*.tar"))) == 3


def test_a_change_makes_the_shards_around_it_and_no_others(stored: Stored, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_rows(stored, [row(stored, n) for n in range(5)])
    export(stored, out, **TINY)
    write_rows(stored, [row(stored, n, **({"title": "new"} if n == 3 else {})) for n in range(7)])
    summary = export(stored, out, **TINY)
    # Of what was there one has changed, and two are new.
    assert (summary.shards_made, summary.shards_kept) == (3, 4)
    write_rows(stored, [row(stored, n) for n in (0, 4)])
    summary = export(stored, out, **TINY)
    assert (summary.shards_made, summary.shards_kept) == (0, 2)
    assert sorted(files(out)) == ["export.json", "train-00000.tar", "train-00001.tar"]
    # Another choice is another content.
    assert export(stored, out, sound="mp3", **TINY).shards_made == 2
    assert "film-0.music.mp3" in members(out / "train-00000.tar")


def test_a_shard_that_was_deleted_is_written_again(stored: Stored, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_rows(stored, [row(stored, n) for n in range(4)])
    export(stored, out, **TINY)
    before = files(out)
    (out / "train-00001.tar").unlink()
    assert export(stored, out, **TINY).shards_made == 1
    assert files(out) == before


def test_what_was_taken_down_is_never_exported(stored: Stored, tmp_path: Path) -> None:
    rows = [row(stored, n) for n in range(4)]
    rows[0]["music_url"] = "https://www.youtube.com/watch?v=aaaaaaaaaaa"
    write_rows(stored, rows)
    manifests.block(stored.root, [Source("youtube", "aaaaaaaaaaa")], "asked", {})
    source = Source("youtube", "bbbbbbbbbbb")
    manifests.block(stored.root, [source], "asked", {source.url: stored.films[1]})
    summary = export(stored, tmp_path / "out")
    assert dict(summary.samples) == {"train": 1, "test": 1}
    assert dict(summary.left_out) == {}
    assert "film-3.json" in members(tmp_path / "out" / "train-00000.tar")


def test_a_clip_is_cut_from_the_film_and_from_the_music_that_belongs_to_it(
    stored: Stored, tmp_path: Path
) -> None:
    clips = [
        row(
            stored,
            0,
            clip_id=f"film-0@{start:g}",
            clip_start_s=start,
            clip_end_s=start + 0.4,
            # The cover runs at half the speed.
            clip_music_start_s=2 * start,
            clip_music_end_s=2 * start + 0.8,
            music_sha256=stored.cover,
            # As long as the clip, as all that such a row holds.
            music_duration_s=0.4,
            video_duration_s=0.4,
        )
        for start in (0.2, 0.4)
    ]
    write_rows(stored, clips, (*CLIPS, *IN_MUSIC))
    summary = export(stored, tmp_path / "out", video="mp4")
    assert (dict(summary.samples)["train"], summary.copied) == (2, 0)
    held = members(tmp_path / "out" / "train-00000.tar")
    keys = [key_of(clip["clip_id"]) for clip in clips]
    assert [name.partition(".")[0] for name in held if name.endswith("json")] == keys
    told = [json.loads(held[f"{key}.json"]) for key in keys]
    times = [
        [t[name] for name in ("video_from_s", "video_to_s", "music_from_s", "music_to_s")]
        for t in told
    ]
    np.testing.assert_allclose(times, [(0.2, 0.6, 0.4, 1.2), (0.4, 0.8, 0.8, 1.6)])
    cover = read_sound(Path(stored.root.path(f"assets/{stored.cover[:2]}/{stored.cover}")))
    ours = sound_of(held[f"{keys[0]}.music.flac"], tmp_path).samples
    assert np.abs(ours - cover.samples[3200:9600]).max() <= 0.5 / 32768
    (tmp_path / "clip.mp4").write_bytes(held[f"{keys[1]}.video.mp4"])
    assert len(list(frames(tmp_path / "clip.mp4"))) == 10


def test_a_clip_of_one_recording_needs_one_place_and_one_of_two_needs_both(
    stored: Stored, tmp_path: Path
) -> None:
    of_one = row(stored, 0, clip_id="a", clip_start_s=0.25, clip_end_s=0.75)
    of_two = row(stored, 1, clip_id="b", clip_start_s=0.25, clip_end_s=0.75)
    of_two |= {"music_sha256": stored.cover}
    backwards = row(stored, 3, clip_id="c", clip_start_s=0.75, clip_end_s=0.25)
    write_rows(stored, [of_one, of_two, backwards], CLIPS)
    summary = export(stored, tmp_path / "out")
    assert dict(summary.left_out) == {
        "b": "its row does not say where its clip lies in the music",
        "c": "its clip goes from 0.75 to 0.25 s",
    }
    ours = sound_of(members(tmp_path / "out" / "train-00000.tar")["a.music.flac"], tmp_path)
    whole = read_sound(asset(stored, 0)).samples[4000:12_000]
    assert np.abs(ours.samples - whole).max() <= 0.5 / 32768


@pytest.mark.parametrize("video", ["mp4", "frames"])
def test_a_clip_behind_the_end_of_its_film_takes_no_other_clip_along(
    video: str, stored: Stored, tmp_path: Path
) -> None:
    """A container that is longer than its pictures has such clips."""
    clips = [
        row(stored, 0, clip_id=f"film-0@{start:g}", clip_start_s=start, clip_end_s=start + 0.4)
        for start in (5.0, 0.2, 7.0, 0.8)
    ]
    write_rows(stored, clips, CLIPS)
    summary = export(stored, tmp_path / "out", video=video)
    assert dict(summary.samples) == {"train": 2, "test": 0}
    why = {key.rpartition("-")[0]: reason for key, reason in summary.left_out.items()}
    assert list(why) == ["film-0-5", "film-0-7"]
    assert all("the video shows no picture from" in reason for reason in why.values())
    held = members(tmp_path / "out" / "train-00000.tar")
    assert len([name for name in held if name.endswith(".flac")]) == 2
    assert not (tmp_path / "out" / ".made").exists()


def test_recordings_that_cannot_be_used_leave_their_rows_out_with_the_reason(
    stored: Stored, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    broken.write_bytes(b"RIFF" + bytes(100))
    from symmv_builder.storage.assets import add_asset, hash_file

    add_asset(stored.root, broken, hash_file(broken))
    rows = [row(stored, n) for n in (0, 1, 3)]
    rows[0]["music_sha256"] = hash_file(broken)
    rows[1]["music_sha256"] = "0" * 64
    write_rows(stored, rows)
    # In a process of its own, as for a person.
    summary = export(stored, tmp_path / "out", workers=1)
    assert dict(summary.samples) == {"train": 1, "test": 0}
    assert sorted(summary.left_out) == ["film-0", "film-1"]
    assert "cannot be opened as sound" in summary.left_out["film-0"]
    assert summary.left_out["film-1"] == "the recording of its music is not in the store"
    assert export(stored, tmp_path / "out").shards_made == 0
    write_rows(stored, rows[:2])
    with pytest.raises(NoRows, match="nothing of films can be exported"):
        export(stored, tmp_path / "none")


@pytest.mark.parametrize("published", [b"MThd" + bytes(20), b"PK\x03\x04" + bytes(20)])
def test_what_an_import_stores_of_notes_is_no_sound(
    published: bytes, stored: Stored, tmp_path: Path
) -> None:
    from symmv_builder.storage.assets import add_asset_bytes

    rows = [row(stored, n) for n in (0, 1)]
    for each in rows:
        each["music_sha256"] = add_asset_bytes(stored.root, published)
    write_rows(stored, rows)
    media = Media("webdataset")
    said = "its music is a file of notes, and no recording"
    with pytest.raises(NoRows, match=said):
        estimate_media(
            stored.root, stored.root, DATASET, tmp_path / "out", media, tell=lambda _: None
        )
    with pytest.raises(NoRows, match=said):
        export(stored, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    # The videos alone can be exported.
    summary = export(stored, tmp_path / "out", sound="none", video="mp4")
    assert summary.samples["train"] == 2


def test_titles_and_ids_of_strangers_name_no_file(stored: Stored, tmp_path: Path) -> None:
    title = '../../x\n\x1b[31m\x00"</json>\u202e'
    ids = ("a.b", "a-b", "a" * 80)
    rows = [row(stored, 0, entry_id=entry_id, title=title) for entry_id in ids]
    write_rows(stored, rows)
    export(stored, tmp_path / "out")
    held = members(tmp_path / "out" / "train-00000.tar")
    keys = {name.partition(".")[0] for name in held}
    assert keys == {key_of(entry_id) for entry_id in ids}
    assert len(keys) == 3
    assert all(len(key) <= 64 and key.replace("-", "").isalnum() for key in keys)
    assert all(json.loads(held[f"{key}.json"])["title"] == title for key in keys)


def test_how_much_it_will_be_is_said_before_anything_is_written(
    stored: Stored, tmp_path: Path
) -> None:
    write_rows(stored, [row(stored, n) for n in range(4)])
    media = Media("webdataset", video="mp4")
    out = tmp_path / "out"
    expected = estimate_media(
        stored.root, stored.root, DATASET, out, media, workers=0, tell=lambda _: None
    )
    assert not out.exists()
    told: list[Any] = []
    summary = export(stored, out, video="mp4", tell=told.append)
    assert dict(expected.samples) == dict(summary.samples)
    assert 0.6 < expected.total_bytes / summary.size_bytes < 1.6
    assert "4 samples, about" in told[0].detail
    again = estimate_media(
        stored.root, stored.root, DATASET, out, media, workers=0, tell=lambda _: None
    )
    assert (again.total_bytes, again.measured) == (0, 0)


def test_a_disk_without_the_space_is_told_first_and_one_that_fills_up_leaves_nothing_half(
    stored: Stored, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(stored, [row(stored, n) for n in range(4)])
    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
        with pytest.raises(DiskFull, match=r"it takes about .* MiB and 0\.0 MiB are free"):
            export(stored, out)
        assert not out.exists()
    original, calls = webdataset.write, 0

    def write(path: Path, layout: Any, samples: Iterator[Any]) -> dict[str, Any]:
        nonlocal calls
        calls += 1
        if calls == 2:
            next(samples)
            path.write_bytes(b"half")
            raise OSError(errno.ENOSPC, "no space")
        return original(path, layout, samples)

    monkeypatch.setattr(webdataset, "write", write)
    with pytest.raises(DiskFull, match="the disk is full"):
        export(stored, out, **TINY)
    assert b"half" not in files(out).values()
    assert export(stored, out, **TINY).shards_kept == 1


def test_a_folder_of_somebody_else_is_left_alone(stored: Stored, tmp_path: Path) -> None:
    write_rows(stored, [row(stored, 0)])
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(StopRun, match="export into another folder"):
        export(stored, out)
    assert files(out) == {"mine.txt": b"mine"}
    export(stored, tmp_path / "ours")
    with pytest.raises(StopRun, match="export into another folder"):
        export(stored, tmp_path / "ours", "hf")
    with locked_folder(tmp_path / "ours"), pytest.raises(CannotWrite, match="another process"):
        export(stored, tmp_path / "ours")
    receipt = tmp_path / "ours" / "export.json"
    receipt.write_text(receipt.read_text().replace("train-00000.tar", "../../train.tar"))
    with pytest.raises(StopRun, match="leads out of the folder"):
        export(stored, tmp_path / "ours")
    (tmp_path / "file").write_text("")
    with pytest.raises(StopRun, match="is not a folder"):
        export(stored, tmp_path / "file")


def test_what_cannot_be_asked_for_is_one_clear_line(stored: Stored, tmp_path: Path) -> None:
    with pytest.raises(NoShards):
        export(stored, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    write_rows(stored, [row(stored, 0)])
    with pytest.raises(UnknownName, match="webdataset, hf, lance, litdata"):
        Media("zip")
    with pytest.raises(UnknownName, match="flac, mp3, none"):
        Media("hf", sound="ogg")
    with pytest.raises(WrongArguments, match="both none"):
        Media("hf", sound="none", video="none")
    with pytest.raises(StopRun, match="`frame_rate_hz` is 0"):
        Media("hf", frame_rate_hz=0.0)
    with pytest.raises(UnknownName, match="no split is called 'dev'"):
        export(stored, tmp_path / "out", splits=("dev",))
    with pytest.raises(NoRows):
        export(stored, tmp_path / "out", splits=("test",))
    receipt = json.loads(stored.root.read(f"{DATASET}/dataset.json") or b"")
    from symmv_builder.storage.shards import write_receipt

    receipt["described"] = [c for c in receipt["described"] if c["name"] != "music_sha256"]
    receipt.pop("seal", None)
    write_receipt(stored.root, DATASET, {k: v for k, v in receipt.items() if k != "sha256"})
    with pytest.raises(MissingColumns, match="music_sha256"):
        export(stored, tmp_path / "out")
