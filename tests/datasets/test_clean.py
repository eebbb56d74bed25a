"""What nobody needs is found and freed, and nothing else."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import toy_build

from symmv_builder import cli
from symmv_builder.datasets import changes, clean
from symmv_builder.errors import Locked, StopRun
from symmv_builder.records import Entry, Listing, Source
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests
from symmv_builder.storage.assets import add_asset_bytes, has_asset
from symmv_builder.storage.items import Item, Items
from symmv_builder.storage.ledger import Ledger, Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

DATASET = "muvisync"


def recording(store: Store, source: Source, data: bytes) -> str:
    sha256 = add_asset_bytes(store.root, data)
    store.ledger.record_assets({(source.site, source.video_id): sha256})
    return sha256


def source_of(name: str) -> Source:
    return Source("file", name)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two entries, one put aside, an item on its way, one rejected, and results of all."""
    root = Root(str(tmp_path))
    store = Store(root, root, Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"))
    entries = []
    for name in ("kept", "aside"):
        recording(store, source_of(name), name.encode() * 100)
        entries.append(Entry(name, DATASET, name, video=source_of(name), music=source_of(name)))
        root.write(f"{DATASET}/sidecars/{name}/notes.k2.npz", b"new")
        root.write(f"{DATASET}/sidecars/{name}/notes.k1.npz", b"older")
        result = Result(name, "notes", "notes", "k2", "", 1.0, "silent" if name == "aside" else "")
        store.ledger.record_results(DATASET, [result])
    manifests.write_entries(root, DATASET, entries)
    items = Items(store.ledger)
    for letter, state in (("w", states.FETCHED), ("r", states.REJECTED)):
        cover, official = (Source("youtube", letter * 10 + part) for part in "co")
        for each in (cover, official):
            recording(store, each, each.video_id.encode() * 10)
        video = Listing(official, "official")
        items.add([Item(DATASET, Listing(cover, "cover"), "channel:x", state, official=video)])
    return store


def found(store: Store, **options: Any) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for each in clean.find_waste(store, **options):
        kinds.setdefault(each.kind, []).append(each.name)
    return {kind: sorted(names) for kind, names in kinds.items()}


def asset_of(store: Store, source: Source) -> str:
    sha256 = store.ledger.asset_of(source.site, source.video_id)
    assert sha256
    return sha256


def files(folder: Path) -> set[str]:
    return {
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if not path.name.startswith("ledger.sqlite")
    }


def test_recordings_of_rejected_items_are_orphans_and_others_are_needed(store: Store) -> None:
    gone = [asset_of(store, Source("youtube", "r" * 10 + part)) for part in "co"]
    assert found(store) == {"orphans": sorted(f"assets/{sha[:2]}/{sha}" for sha in gone)}


def test_what_was_put_aside_is_found_only_when_it_is_asked_for(store: Store) -> None:
    sha = asset_of(store, source_of("aside"))
    assert found(store, rejected=True)["rejected"] == [f"assets/{sha[:2]}/{sha}"]
    assert [w.kind for w in clean.find_waste(store, DATASET, rejected=True)] == ["rejected"]
    assert list(clean.find_waste(store, DATASET)) == []


def test_a_recording_of_a_standing_entry_stays_whoever_else_was_put_aside(store: Store) -> None:
    shared = Entry("third", DATASET, "third", video=source_of("kept"), music=source_of("aside"))
    before = manifests.read_entries(store.manifests, DATASET)
    manifests.write_entries(store.manifests, DATASET, [*before, shared])
    assert "rejected" not in found(store, rejected=True)


def test_results_that_newer_ones_replaced_are_found_only_when_asked_for(store: Store) -> None:
    assert found(store, old_results=True)["old_results"] == [
        f"{DATASET}/sidecars/{name}/notes.k1.npz" for name in ("aside", "kept")
    ]


def test_results_of_entries_that_are_gone_are_found(store: Store) -> None:
    kept = manifests.read_entries(store.manifests, DATASET)[1:]
    manifests.write_entries(store.manifests, DATASET, kept)
    sha = asset_of(store, source_of("aside"))
    kinds = found(store)
    assert kinds["gone"] == [f"{DATASET}/sidecars/aside/notes.{key}.npz" for key in ("k1", "k2")]
    assert f"assets/{sha[:2]}/{sha}" in kinds["orphans"]


def test_what_is_freed_is_gone_and_all_else_is_as_it_was(store: Store, tmp_path: Path) -> None:
    kept = asset_of(store, source_of("kept"))
    empty = tmp_path / DATASET / "sidecars" / "nobody"
    empty.mkdir()
    before = files(tmp_path)
    waste = list(clean.find_waste(store, rejected=True, old_results=True))
    freed = clean.count(clean.free(store, waste))
    assert {kind: each.files for kind, each in freed.items()} == {
        "orphans": 2, "rejected": 1, "gone": 0, "old_results": 2, "partial": 0, "empty_folders": 1,
    }  # fmt: skip
    after = files(tmp_path)
    assert has_asset(store.root, kept)
    emptied = {each.name.rpartition("/")[0] for each in waste if each.owner}
    assert before - after == {each.name for each in waste} | emptied
    assert store.ledger.asset_of("youtube", "r" * 10 + "c") is None
    assert store.ledger.asset_of("file", "kept") == kept
    assert list(clean.find_waste(store, rejected=True, old_results=True)) == []


def test_a_ledger_that_lost_its_recordings_makes_none_unneeded(store: Store) -> None:
    store.ledger.forget_asset("file", "kept")
    sha = add_asset_bytes(store.root, b"nobody knows this")
    os.utime(store.root.path(f"assets/{sha[:2]}/{sha}"), (0, 0))
    names = found(store)["orphans"]
    assert len(names) == 2
    assert f"assets/{sha[:2]}/{sha}" not in names


def test_a_recording_that_nobody_knows_is_freed_when_it_is_old(store: Store) -> None:
    sha = add_asset_bytes(store.root, b"nobody knows this")
    name = f"assets/{sha[:2]}/{sha}"
    assert name not in found(store)["orphans"]
    os.utime(store.root.path(name), (0, 0))
    assert name in found(store)["orphans"]


def test_manifests_in_another_place_stop_it(store: Store, tmp_path: Path) -> None:
    other = Store(store.root, Root(str(tmp_path / "other")), store.ledger)
    with pytest.raises(StopRun, match="SYMMV_MANIFESTS"):
        list(clean.find_waste(other))


def test_what_a_killed_writer_left_anywhere_is_freed(store: Store, tmp_path: Path) -> None:
    script = (
        "import os, sys\n"
        "from symmv_builder.storage.root import Root\n"
        "writing = [Root(sys.argv[1]).replacing(name) for name in sys.argv[2:]]\n"
        "for each in writing:\n"
        "    each.__enter__().write_bytes(b'half')\n"
        "os._exit(0)\n"
    )
    places = ("assets/ab/abc", f"{DATASET}/shards/a.parquet", "releases/x/1.0.0/README.md")
    subprocess.run([sys.executable, "-c", script, str(tmp_path), *places], check=True)
    with store.root.replacing("assets/ab/mine") as mine:
        mine.write_bytes(b"a writer that runs")
        waste = [each for each in clean.find_waste(store) if each.kind == "partial"]
        assert {each.name.rpartition("/")[0] for each in waste} == {
            place.rpartition("/")[0] for place in places
        }
        list(clean.free(store, waste))
        assert mine.exists()
    assert has_asset(store.root, asset_of(store, source_of("kept")))


def test_a_build_after_cleaning_stands_and_takes_in_again_what_was_freed(tmp_path: Path) -> None:
    media, root = tmp_path / "media", tmp_path / "root"
    media.mkdir()
    root.mkdir()
    for number, text in enumerate(("keep me", "reject me", "keep me too")):
        (media / f"clip{number}.mp4").write_text(text)
    url = f"sqlite:///{root}/ledger.sqlite"
    toy_build.run(str(root), media, ledger_url=url, workers=0)
    place = Root(str(root))
    store = Store(place, place, Ledger(url))
    freed = clean.count(clean.free(store, clean.find_waste(store, rejected=True)))
    assert freed["rejected"].files == 1
    assert freed["orphans"].files == 0
    assert toy_build.run(str(root), None, ledger_url=url, workers=0).made == 2
    again = toy_build.run(str(root), media, ledger_url=url, workers=0)
    assert (again.made, again.rejected, again.unfinished) == (2, 1, 0)


def call(*arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["symmv", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
    return int(end.value.code or 0)


def test_the_command_counts_first_and_frees_when_it_is_told(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(tmp_path)
    assert call("clean", "--root", str(tmp_path), "--rejected", "--json") == 0
    counted = json.loads(capsys.readouterr().out)
    assert files(tmp_path) == before
    assert (counted["freed"], counted["files"]) == (False, 3)
    assert call("clean", "--root", str(tmp_path), "--rejected", "--json", "--yes") == 0
    freed = json.loads(capsys.readouterr().out)
    assert freed == {**counted, "freed": True}
    assert call("clean", "--root", str(tmp_path), "--rejected") == 0
    said = capsys.readouterr().out
    assert "0 files, 0.0 MB" in said
    assert "--retry REASON" in said
    assert call("clean", "nosuch", "--root", str(tmp_path)) == 2
    assert call("clean", "--root", str(tmp_path / "nothing")) == 0
    assert not (tmp_path / "nothing").exists()


def test_nothing_is_freed_while_another_thread_builds(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    store = Store(root, root, Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"))
    seen: list[Exception] = []

    def free_all() -> None:
        try:
            with clean.alone(store):
                pass
        except StopRun as error:
            seen.append(error)

    with changes.writing(store, "symmv"):
        thread = threading.Thread(target=free_all)
        thread.start()
        thread.join()
    assert [type(error) for error in seen] == [Locked]
    with clean.alone(store):
        pass
