"""A build can be killed anywhere, run again, and gives the same bytes."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import toy_build

from symmv_builder.datasets.build import forgive
from symmv_builder.datasets.takedown import take_down
from symmv_builder.errors import NoEntries, Reason, StopRun
from symmv_builder.storage.assets import has_asset, hash_file
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.manifests import read_entries
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt
from symmv_builder.storage.store import Store

KILLS = int(os.environ.get("SYMMV_TEST_KILLS", "5"))


def make_media(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        text = "reject me" if number % 7 == 3 else "keep me"
        (folder / f"clip{number:03d}.mp4").write_text(f"{text} {number}")
    return folder


def contents(root: Path) -> dict[str, bytes]:
    """Everything that a reader of the dataset sees."""
    places = [root / "toy" / "shards", root / "toy"]
    return {
        str(path.relative_to(root)): path.read_bytes()
        for place in places
        for path in sorted(place.iterdir())
        if path.is_file()
    }


def quick(root: Path, media: Path | None) -> toy_build.Summary:
    root.mkdir(exist_ok=True)
    return toy_build.run(str(root), media, ledger_url=f"sqlite:///{root}/l.sqlite", workers=0)


@pytest.mark.slow
def test_killed_builds_end_in_the_same_bytes_as_one_that_was_left_alone(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 40)
    command = [sys.executable, toy_build.__file__]
    subprocess.run([*command, tmp_path / "whole", media], check=True, capture_output=True)
    chance = random.Random(1)
    for _ in range(KILLS):
        build = subprocess.Popen(
            [*command, tmp_path / "killed", media],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        time.sleep(chance.uniform(0.5, 2.5))
        # Half of the time the parent alone, whose workers must then leave by themselves.
        if chance.random() < 0.5:
            build.kill()
        else:
            os.killpg(build.pid, signal.SIGKILL)
        build.wait()
    subprocess.run([*command, tmp_path / "killed", media], check=True, capture_output=True)
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")


def test_a_finished_build_has_nothing_to_do(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 8)
    first = quick(tmp_path / "root", media)
    before = contents(tmp_path / "root")
    second = quick(tmp_path / "root", media)
    assert (first.made, first.rejected, first.up_to_date) == (7, 1, False)
    assert (second.made, second.rejected, second.up_to_date) == (7, 1, True)
    assert contents(tmp_path / "root") == before


def test_splits_that_were_emptied_stop_the_build_before_anything_is_written(
    tmp_path: Path,
) -> None:
    media = make_media(tmp_path / "media", 8)
    quick(tmp_path / "root", media)
    (tmp_path / "root" / "toy" / "splits.json").write_text("{}")
    before = contents(tmp_path / "root")
    with pytest.raises(StopRun, match="7 entries have splits"):
        quick(tmp_path / "root", media)
    assert contents(tmp_path / "root") == before


@pytest.mark.slow
def test_a_second_run_over_a_thousand_entries_is_quick(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 1000)
    root = tmp_path / "root"
    root.mkdir()
    url = f"sqlite:///{root}/l.sqlite"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(toy_build.time, "sleep", lambda _: None)
        toy_build.run(str(root), media, ledger_url=url, workers=0)
    started = time.perf_counter()
    assert toy_build.run(str(root), media, ledger_url=url, workers=0).up_to_date
    assert time.perf_counter() - started < 3.0


def test_new_recordings_are_added_and_old_songs_keep_their_split(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 30)
    quick(tmp_path / "root", media)
    before = split_of_entries(tmp_path / "root")
    for number in range(30, 45):
        (media / f"clip{number:03d}.mp4").write_text(f"keep me {number}")
    summary = quick(tmp_path / "root", media)
    after = split_of_entries(tmp_path / "root")
    assert summary.made == len(before) + 15
    assert {name: after[name] for name in before} == before


def split_of_entries(root: Path) -> dict[str, str]:
    tables = [pq.read_table(path) for path in sorted((root / "toy" / "shards").glob("*.parquet"))]
    return {
        name: split
        for table in tables
        for name, split in zip(
            table["entry_id"].to_pylist(), table["split"].to_pylist(), strict=True
        )
    }


def test_what_was_put_aside_is_tried_again_when_a_person_says_so(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 8)
    assert quick(tmp_path / "root", media).rejected == 1
    root = Root(str(tmp_path / "root"))
    store = Store(root, root, Ledger(f"sqlite:///{tmp_path}/root/l.sqlite"))
    assert forgive(store, "toy", [Reason.TIMED_OUT]) == 0
    assert forgive(store, "toy", [Reason.SILENT]) == 1
    again = quick(tmp_path / "root", media)
    assert (again.rejected, again.up_to_date) == (1, False)


def test_a_recording_that_changed_is_made_again(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 3)
    quick(tmp_path / "root", media)
    (media / "clip001.mp4").write_text("keep me, but otherwise")
    assert not quick(tmp_path / "root", media).up_to_date


def test_a_lost_shard_is_written_again(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 6)
    quick(tmp_path / "root", media)
    before = contents(tmp_path / "root")
    next((tmp_path / "root" / "toy" / "shards").iterdir()).unlink()
    quick(tmp_path / "root", media)
    assert contents(tmp_path / "root") == before


def test_a_shard_that_was_cut_short_is_written_again(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 6)
    quick(tmp_path / "root", media)
    before = contents(tmp_path / "root")
    shard = next((tmp_path / "root" / "toy" / "shards").iterdir())
    shard.write_bytes(shard.read_bytes()[:100])
    quick(tmp_path / "root", media)
    assert contents(tmp_path / "root") == before


def test_a_folder_does_not_bring_back_what_was_taken_down(tmp_path: Path) -> None:
    media, root = make_media(tmp_path / "media", 3), tmp_path / "root"
    quick(root, media)
    gone = hash_file(media / "clip001.mp4")
    place = Root(str(root))
    store = Store(place, place, Ledger(f"sqlite:///{root}/l.sqlite"))
    take_down(store, "toy", "clip001", "asked")
    # Its bytes are barred under another name too.
    (media / "renamed.mp4").write_bytes((media / "clip001.mp4").read_bytes())
    again = quick(root, media)
    assert again.made + again.rejected == 2
    assert not has_asset(place, gone)
    assert [e.entry_id for e in read_entries(place, "toy")] == ["clip000", "clip002"]


def test_a_lost_ledger_does_not_empty_the_shards(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 3)
    quick(tmp_path / "root", media)
    before = contents(tmp_path / "root")
    for path in (tmp_path / "root").glob("l.sqlite*"):
        path.unlink()
    again = quick(tmp_path / "root", None)
    assert (again.made, again.rejected) == (3, 0)
    assert contents(tmp_path / "root") == before


def test_without_ledger_and_manifest_of_recordings_the_folder_is_asked_for(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 3)
    quick(tmp_path / "root", media)
    for path in (tmp_path / "root").glob("l.sqlite*"):
        path.unlink()
    (tmp_path / "root/toy/recordings.jsonl").unlink()
    before = contents(tmp_path / "root")
    with pytest.raises(NoEntries):
        quick(tmp_path / "root", None)
    assert contents(tmp_path / "root") == before


def test_a_lost_sidecar_does_not_stand_in_the_way_of_new_shards(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 3)
    quick(tmp_path / "root", media)
    for path in (tmp_path / "root" / "toy" / "sidecars" / "clip000").iterdir():
        path.unlink()
    (media / "more.mp4").write_text("keep me too")
    assert quick(tmp_path / "root", media).made == 4


def test_a_root_on_another_file_system_holds_the_same_bytes(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", 6)
    quick(tmp_path / "root", media)
    url = f"memory://{tmp_path.name}"
    toy_build.run(url, media, ledger_url=f"sqlite:///{tmp_path}/remote.sqlite", workers=0)
    remote = Root(url)
    for name, data in contents(tmp_path / "root").items():
        if name != "l.sqlite":
            assert remote.read(name) == data
    assert read_receipt(remote, "toy") == read_receipt(Root(str(tmp_path / "root")), "toy")
