"""Datasets whose rows are clips: against rows that are cut by hand, and through every door."""

import hashlib
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import toy_build
import toy_clips as toy

from symmv_builder.clips import Bars, Shots, Windows
from symmv_builder.datasets import questions
from symmv_builder.datasets.build import build
from symmv_builder.datasets.clip_rules import clip_counts
from symmv_builder.datasets.export import export
from symmv_builder.datasets.recipe import ClipRules, Recipe
from symmv_builder.datasets.release import release
from symmv_builder.datasets.takedown import take_down
from symmv_builder.datasets.verify import CheckCounts, verify
from symmv_builder.errors import MissingParts, MissingResult, NotFound
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.step import use
from symmv_builder.schema import CLIP, row_name
from symmv_builder.storage.root import Root
from symmv_builder.storage.shard_rows import ShardRows
from symmv_builder.storage.shards import read_receipt, read_rows
from symmv_builder.storage.sidecars import Sidecars

LENGTHS = {"a": 31.0, "b": 22.0, "c": 16.0, "d": 3.0}


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = toy.write_media(tmp_path_factory.mktemp("media"), **LENGTHS)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, media: Path) -> Path:
    """Entries of one recording, in windows of 5 s; a test that changes it takes its own."""
    root = tmp_path_factory.mktemp("built") / "root"
    toy.run(root, toy.recipe(), media)
    return root


def rows_in(root: Path) -> dict[str, dict[str, Any]]:
    """Every row of a dataset by its name."""
    place = Root(str(root))
    receipt = read_receipt(place, "toy") or {}
    return {row_name(row): row for row in read_rows(place, "toy", receipt["columns"])}


def hashes(root: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted((root / "toy" / "shards").iterdir())
    }


def test_rows_are_the_windows_of_every_entry(built: Path) -> None:
    rows = rows_in(built)
    assert sorted(rows) == [
        f"{name}@{start:05d}000ms" for name in ("a", "b", "c") for start in range(0, 60, 5)
        if start + 5 <= LENGTHS[name]
    ]  # fmt: skip
    # An entry's clips follow each other.
    assert list(rows) == sorted(rows, key=lambda name: (rows[name]["split"] != "train", name))
    for row in rows.values():
        start, end = row["clip_start_s"], row["clip_end_s"]
        assert (end - start, row["video_duration_s"]) == (5.0, 5.0)
        # By hand: what the toy stages make of a whole entry, between the two times.
        wave = np.arange(round(LENGTHS[row["entry_id"]] * toy.WAVE_HZ))
        inside = (wave / toy.WAVE_HZ >= start - 1e-9) & (wave / toy.WAVE_HZ < end - 1e-9)
        assert row["wave"].tolist() == wave[inside].tolist()
        onsets = np.arange(0.0, LENGTHS[row["entry_id"]], 0.25)
        mine = (onsets >= start) & (onsets < end)
        assert row["notes_starts_s"].tolist() == (onsets[mine] - start).tolist()
        assert row["notes_pitches"].tolist() == (60 + np.flatnonzero(mine) % 12).tolist()
        assert row["notes_ends_s"].max() == 5.0
        cuts = [cut for cut in np.arange(7.0, LENGTHS[row["entry_id"]], 7.0) if start < cut < end]
        assert row["scenes_starts_s"].tolist() == [0.0, *(cut - start for cut in cuts)]
        frames = [0, *(round((cut - start) * toy.FRAMES_HZ) for cut in cuts)]
        assert row["scenes_start_frames"].tolist() == frames
        # The grid's own first downbeat is that of the clip's beats.
        downbeat = row["beats_times_s"][np.flatnonzero(row["beats_positions"] == 1)[0]]
        at_zero = np.flatnonzero(row["grid_onset_steps"] == 0)
        assert row["grid_starts_s"][at_zero].tolist() == [downbeat]


def test_both_clocks_of_a_pair_are_cut_through_its_alignment(tmp_path: Path) -> None:
    folder = toy.write_media(tmp_path / "media", song_cover=26.0, song_video=30.0)
    made_by = toy.recipe(pairs=True)
    summary = toy.run(tmp_path / "root", made_by, folder)
    rows = list(rows_in(tmp_path / "root").values())
    # The alignment reaches from 2 s to 22 s of the video, and is taken to go a second further.
    assert [row["clip_start_s"] for row in rows] == [5.0, 10.0, 15.0]
    assert summary.clips is not None
    assert summary.clips.turned_away == {"misaligned": 3}
    for row in rows:
        start, end = ((row[f"clip_{end}_s"] - toy.LATER_S) * toy.PACE for end in ("start", "end"))
        assert (row["clip_music_start_s"], row["clip_music_end_s"]) == (start, end)
        assert row["music_duration_s"] == pytest.approx(5.0 * toy.PACE)
        onsets = np.arange(0.0, 26.0, 0.25)
        mine = onsets[(onsets >= start) & (onsets < end)] - start
        assert row["notes_starts_s"].tolist() == pytest.approx(mine.tolist())
        beats = np.arange(0.0, 26.0, 0.5)
        inside = beats[(beats >= start) & (beats < end)] - start
        assert row["beats_times_s"].tolist() == pytest.approx(inside.tolist())
        assert row["alignment_video_s"].tolist() == pytest.approx([0, 1, 2, 3, 4, 5])
        assert row["alignment_music_s"].tolist() == pytest.approx([1.25 * k for k in range(6)])
        assert len(row["wave"]) == 50


def test_pairs_that_begin_together_are_cut_without_an_alignment(tmp_path: Path) -> None:
    folder = toy.write_media(tmp_path / "media", song_cover=19.5, song_video=30.0)
    made_by = toy.recipe(ClipRules(Windows(10.0, 10.0, 10.0), "together"), pairs=True)
    summary = toy.run(tmp_path / "root", made_by, folder)
    rows = list(rows_in(tmp_path / "root").values())
    assert [row["clip_music_start_s"] for row in rows] == [0.0, 10.0]
    assert [row["music_duration_s"] for row in rows] == [10.0, 9.5]
    assert [len(row["notes_pitches"]) for row in rows] == [40, 38]
    # The third has no music.
    assert summary.clips is not None
    assert summary.clips.turned_away == {"too_short": 1}


def test_clips_of_bars_begin_on_downbeats(tmp_path: Path, media: Path) -> None:
    toy.run(tmp_path / "root", toy.recipe(ClipRules(Bars(2, 2))), media)
    rows = rows_in(tmp_path / "root")
    assert [r["clip_start_s"] for n, r in rows.items() if n.startswith("c@")] == [1.0, 5.0, 9.0]
    for row in rows.values():
        assert row["beats_positions"].tolist() == [1, 2, 3, 4] * 2
        assert row["grid_onset_steps"].tolist() == list(range(0, 32, 2))


def test_clips_of_scenes_hold_one_shot_each(tmp_path: Path, media: Path) -> None:
    toy.run(tmp_path / "root", toy.recipe(ClipRules(Shots(2.0, 4.0))), media)
    rows = rows_in(tmp_path / "root").values()
    starts = [row["clip_start_s"] for row in rows if row["entry_id"] == "c"]
    assert starts == [0.0, 4.0, 7.0, 11.0, 14.0]
    assert all(len(row["scenes_starts_s"]) == 1 for row in rows)
    assert all(row["scenes_start_frames"].tolist() == [0] for row in rows)


def test_a_screen_turns_a_clip_away_and_not_its_entry(tmp_path: Path, media: Path) -> None:
    screen = use(toy.SCREEN, max_mean=180.0)
    rules = ClipRules(Windows(5.0, 5.0, 5.0), screens=(screen,))
    summary = toy.run(tmp_path / "root", toy.recipe(rules), media)
    # The mean of the wave of a clip at t is 10 t + 24.5.
    kept = {name: [t for t in range(0, 60, 5) if t + 5 <= s and 10 * t + 24.5 <= 180]
            for name, s in LENGTHS.items()}  # fmt: skip
    found = Counter(row["entry_id"] for row in rows_in(tmp_path / "root").values())
    assert found == {name: len(starts) for name, starts in kept.items() if starts}
    assert (summary.made, summary.rejected) == (4, 0)
    assert summary.clips is not None
    assert (summary.clips.turned_away, summary.clips.entries_without) == ({"static_video": 2}, 1)
    store = toy.open_store(tmp_path / "root")
    entry = questions.find_entry(store, "a", "toy")
    [line] = list(questions._clip_lines(store, entry, 20_000))
    assert line.result.reason == "static_video"
    assert line.result.detail == "20 to 25 s: the mean of the wave is 224.5"
    count, *turned_away = questions._clip_lines(store, entry, None)
    assert (count.result.detail, len(turned_away)) == ("4 clips", 2)
    with pytest.raises(NotFound, match="no clip is called 'a@7'"):
        questions.find_clip(store, entry, 7_000)


def test_another_cut_runs_no_stage_and_writes_rows_anew(tmp_path: Path, media: Path) -> None:
    root = tmp_path / "root"
    told: list[Any] = []
    toy.run(root, toy.recipe(), media)
    first = hashes(root)
    other = toy.recipe(ClipRules(Windows(3.0, 2.0, 3.0)))
    summary = toy.run(root, other, tell=told.append)
    assert not summary.up_to_date
    assert not [event for event in told if event.kind in ("step", "begin", "load")]
    assert first != hashes(root)
    assert toy.run(root, other).up_to_date
    # And back to the same bytes; the other table of clips is gone.
    toy.run(root, toy.recipe())
    assert hashes(root) == first
    assert len(list((root / "toy" / "clips").iterdir())) == 1


def test_a_dataset_that_grew_has_the_rows_of_one_that_was_built_whole(
    tmp_path: Path, media: Path
) -> None:
    few = toy.write_media(tmp_path / "few", a=LENGTHS["a"], c=LENGTHS["c"])
    toy.run(tmp_path / "root", toy.recipe(), few, shard_bytes=3_000)
    before = hashes(tmp_path / "root")
    toy.run(tmp_path / "root", toy.recipe(), media)
    toy.run(tmp_path / "whole", toy.recipe(), media, shard_bytes=3_000)
    # Shards hold a few clips each: several begin with a clip of one entry.
    assert len(before) > 2
    grown, whole = rows_in(tmp_path / "root"), rows_in(tmp_path / "whole")
    assert {name: row["wave"].tolist() for name, row in grown.items()} == {
        name: row["wave"].tolist() for name, row in whole.items()
    }
    # And a shard of whose clips none changed is not written anew.
    assert set(before) & set(hashes(tmp_path / "root"))


def test_one_entry_of_400_clips_is_decoded_and_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = toy.write_media(tmp_path / "media", film=2004.0)
    made: Counter[str] = Counter()
    read: Counter[str] = Counter()
    load = Sidecars.load

    def count(self: Sidecars, entry_id: str, artifact: str, key: str) -> Any:
        read[artifact] += 1
        return load(self, entry_id, artifact, key)

    monkeypatch.setattr(Sidecars, "load", count)
    toy.run(
        *(tmp_path / "root", toy.recipe(), folder),
        tell=lambda event: made.update([event.step] if event.kind == "step" else []),
    )
    assert len(rows_in(tmp_path / "root")) == 400
    # A stage runs once; a record is read once to cut the entry, and once for all of its rows.
    assert set(made.values()) == {1}
    assert read["wave"] == 1
    assert max(read.values()) <= 2


def test_a_recipe_without_clips_writes_what_it_always_wrote(tmp_path: Path) -> None:
    """States and ids of shards are pinned: they decide which files stand after an update."""
    folder = tmp_path / "media"
    folder.mkdir()
    for number in range(8):
        (folder / f"clip{number:03d}.mp4").write_text(f"keep me {number}")
    root = tmp_path / "root"
    root.mkdir()
    toy_build.run(str(root), folder, ledger_url=f"sqlite:///{root}/l.sqlite", workers=0)
    receipt = read_receipt(Root(str(root)), "toy") or {}
    assert receipt["state"] == "d8c475f788b89a9dbaa063bc4c0bf9af"
    assert [(shard["first"], shard["state"]) for shard in receipt["shards"]] == [
        ("clip000", "6faadc6a3bcc6ddc3302df44528072e7"),
        ("clip007", "359333afe0eec9b328f741074fffebcc"),
        ("clip006", "e959ab13e020e0c4c13f27858c3403b3"),
    ]
    assert not {"clips", "clip_table", "clips_turned_away"} & receipt.keys()
    assert not {column.name for column in CLIP} & set(receipt["columns"])


def test_songs_keep_their_split_whatever_their_clips(built: Path) -> None:
    splits = json.loads((built / "toy" / "splits.json").read_text())
    assert {row["split"] for row in rows_in(built).values() if row["entry_id"] == "a"} == {
        splits["a"]
    }
    assert {row["song_id"]: row["split"] for row in rows_in(built).values()}.items() <= (
        splits.items()
    )


def test_the_loader_names_clips_and_reads_them_by_number(built: Path) -> None:
    place = Root(str(built))
    splits = {row["entry_id"]: row["split"] for row in rows_in(built).values()}
    rows = ShardRows(place, "toy", splits["a"], ("entry_id", "wave"))
    assert set(rows.columns) == {"entry_id", "wave", "clip_id"}
    number = rows.entries().index("a@00010000ms")
    assert rows.row(number)["wave"].tolist() == list(range(100, 150))
    assert row_name(rows.row(number)) == "a@00010000ms"
    # Who does not ask for entries gets what was asked for alone.
    assert ShardRows(place, "toy", splits["a"], ("wave",)).columns == ("wave",)


def test_status_counts_clips(built: Path) -> None:
    state = clip_counts(read_receipt(Root(str(built)), "toy") or {})
    assert state is not None
    assert state.text == (
        "13 clips of 3 entries, cut by windows of 5 s, one every 5 s; entries without a clip: 1"
    )


def test_verify_finds_a_damaged_table_and_the_next_build_writes_it(
    tmp_path: Path, media: Path
) -> None:
    root = tmp_path / "root"
    toy.run(root, toy.recipe(), media)
    store = toy.open_store(root)
    assert list(verify(store, "toy", CheckCounts())) == []
    [table] = (root / "toy" / "clips").iterdir()
    sound = table.read_bytes()
    table.write_bytes(sound.replace(b"5.0", b"6.0", 1))
    [problem] = verify(store, "toy", CheckCounts())
    assert (problem.kind, problem.path) == ("clips", f"toy/clips/{table.name}")
    table.unlink()
    [problem] = verify(store, "toy", CheckCounts())
    assert problem.is_missing
    assert not toy.run(root, toy.recipe()).up_to_date
    assert table.read_bytes() == sound


def test_a_lost_record_of_an_entry_is_made_again_and_its_clips_too(
    tmp_path: Path, media: Path
) -> None:
    root = tmp_path / "root"
    toy.run(root, toy.recipe(), media)
    before = hashes(root)
    for path in (root / "toy" / "sidecars" / "a").glob("scenes.*.npz"):
        path.unlink()
    other = toy.recipe(ClipRules(Windows(4.0, 4.0, 4.0)))
    told: list[Any] = []
    toy.run(root, other, tell=told.append)
    assert [event.step for event in told if event.kind == "step" and not event.reused] == ["scenes"]
    toy.run(root, toy.recipe())
    assert hashes(root) == before


def test_a_takedown_takes_all_clips_of_an_entry(tmp_path: Path, media: Path) -> None:
    root = tmp_path / "root"
    toy.run(root, toy.recipe(), media, shard_bytes=3_000)
    store = toy.open_store(root)
    release(store, "toy", "1.0.0")
    done = take_down(store, "toy", "a@10", "they asked")
    assert done.entries == ("a",)
    assert {row["entry_id"] for row in rows_in(root).values()} == {"b", "c"}
    receipt = read_receipt(store.root, "toy") or {}
    assert (receipt["entries"], receipt["entries_without_clips"]) == (2, 1)
    assert b'"a"' not in b"".join(p.read_bytes() for p in (root / "toy" / "clips").iterdir())
    assert list(verify(store, "toy", CheckCounts())) == []
    # The release's successor says how many clips of how many entries it has.
    [version] = done.released
    folder = root / "releases" / "toy" / version
    card = (folder / "README.md").read_text()
    assert "7 clips of 2 entries" in card
    assert "A row is a clip: entries were cut by windows of 5 s, one every 5 s." in card
    assert '"b/clip_id"' not in card
    tables = [pq.read_table(path) for path in (folder / "shards").iterdir()]
    assert {name for table in tables for name in table["entry_id"].to_pylist()} == {"b", "c"}
    summary = toy.run(root, toy.recipe())
    assert summary.clips is not None
    assert summary.clips.rows == 7


def test_an_export_holds_the_rows_with_their_clips(tmp_path: Path, built: Path) -> None:
    export(Root(str(built)), "toy", tmp_path / "out")
    names = [
        name
        for path in sorted((tmp_path / "out").glob("*.parquet"))
        for name in pq.read_table(path)["clip_id"].to_pylist()
    ]
    assert sorted(names) == sorted(rows_in(built))


def test_what_cuts_entries_has_to_be_made(tmp_path: Path, media: Path) -> None:
    made_by, root = toy.recipe(ClipRules(Shots(2.0, 4.0))), tmp_path / "root"
    few = [u for u in made_by.uses if u.makes in ("video_asset", "music_asset", "wave")]
    toy.run(root, replace(made_by, uses=tuple(few), clips=None), media)
    with pytest.raises(MissingParts, match="toy has no scenes, and they cut entries into scenes"):
        build(made_by, Plan("toy", tuple(few)), toy.open_store(root), lambda works: iter(()))


def test_a_row_whose_record_is_gone_says_which(tmp_path: Path, media: Path) -> None:
    root = tmp_path / "root"
    toy.run(root, toy.recipe(), media)
    receipt = json.loads((root / "toy" / "dataset.json").read_text())
    for shard in receipt["shards"]:
        (root / "toy" / shard["path"]).unlink()
    [wave] = (root / "toy" / "sidecars" / "a").glob("wave.*.npz")
    wave.unlink()
    made_by: Recipe = toy.recipe()
    with pytest.raises(MissingResult, match="the wave of a is gone"):
        build(made_by, Plan("toy", made_by.uses), toy.open_store(root), lambda works: iter(()))
