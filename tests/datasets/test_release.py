"""Releases never change and refuse what means nothing; a takedown leaves no trace anywhere."""

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from symmv_builder.datasets import changes
from symmv_builder.datasets.release import release
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.datasets.takedown import others_that_use, take_down
from symmv_builder.errors import Damaged, ReleaseExists, StopRun
from symmv_builder.records import Entry, Listing, Source
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests, releases, seals, shards
from symmv_builder.storage.assets import add_asset, has_asset, hash_file
from symmv_builder.storage.items import Item, Items, LeaseLost
from symmv_builder.storage.ledger import Ledger, Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from tests.synthetic_rows import make_row

COUNT = 6


def source(number: int) -> Source:
    return Source("youtube", f"aaaaaaaa{number:03d}")


def video(number: int) -> Source:
    """Entries 0 and 1 share their official video."""
    return Source("youtube", f"bbbbbbbb{max(number, 1):03d}")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A built dataset of six entries, without the work of building it."""
    root = Root(str(tmp_path / "root"))
    (tmp_path / "root").mkdir()
    store = Store(root, root, Ledger(f"sqlite:///{tmp_path}/root/ledger.sqlite"))
    entries, rows = [], []
    for number in range(COUNT):
        entry_id = f"yt-{source(number).video_id}"
        entries.append(Entry(entry_id, "muvisync", entry_id, video(number), source(number)))
        rows.append(make_row("muvisync", number, split="train") | {"entry_id": entry_id})
        for recording in (source(number), video(number)):
            path = tmp_path / recording.video_id
            path.write_text(recording.video_id)
            add_asset(root, path, hash_file(path))
            store.ledger.record_assets({("youtube", recording.video_id): hash_file(path)})
        root.write(f"muvisync/sidecars/{entry_id}/key.k.npz", b"result")
        store.ledger.record_results("muvisync", [Result(entry_id, "key", "key", "k", "", 1.0)])
    manifests.write_entries(root, "muvisync", entries)
    Items(store.ledger).add(
        [
            Item("muvisync", Listing(source(n), "x"), "o", state=states.PROMOTED)
            for n in range(COUNT)
        ]
    )
    schema = published_schema("muvisync")
    written = shards.ShardWriter(root, "muvisync", schema, target_bytes=40_000).write(rows)
    receipt = {
        "dataset": "muvisync",
        "schema": "muvisync/v1",
        "state": "as built",
        "entries": COUNT,
        "splits": {"train": COUNT, "validation": 0, "test": 0},
        "rejections": {"silent": 2},
        "models": [model(trained=True)],
        "shards": shards.as_plain(written),
    }
    shards.write_receipt(root, "muvisync", receipt)
    return store


def model(*, trained: bool) -> dict[str, object]:
    return {
        "slot": "clip",
        "backend": "vit-l-14-336" if trained else "untrained-768",
        "version": "1",
        "weights_sha256": "a" * 64,
        "trained": trained,
        "precision": "fp32",
    }


def ids_below(store: Store, folder: str) -> set[str]:
    found = set()
    for path in sorted(Path(store.root.path(folder)).rglob("*.parquet")):
        found |= set(pq.read_table(path).column("entry_id").to_pylist())
    return found


def everything_that_names(store: Store, text: str) -> list[str]:
    """Files of the data root that still hold a text, the ledger and the blocklist aside."""
    kept = ("ledger.sqlite", "blocklist.jsonl")
    return [
        str(path)
        for path in Path(store.root.path("")).rglob("*")
        if path.is_file()
        and not path.name.startswith(kept)
        and (text.encode() in path.read_bytes() or text in str(path))
    ]


def test_a_release_holds_the_shards_their_sums_a_card_and_the_receipt(store: Store) -> None:
    receipt = release(store, "muvisync", "1.0.0")
    names = store.root.names("releases/muvisync/1.0.0")
    described = ["DATASHEET.md", "LICENSE.md", "README.md", "SHA256SUMS", "croissant.json"]
    assert names == [*described, "receipt.json"]
    assert ids_below(store, "releases/muvisync/1.0.0") == ids_below(store, "muvisync/shards")
    sums = (store.root.read("releases/muvisync/1.0.0/SHA256SUMS") or b"").decode().split()
    for shard in receipt["shards"]:
        path = Path(store.root.path(f"releases/muvisync/1.0.0/{shard['path']}"))
        assert hash_file(path) == shard["sha256"] == sums[sums.index(shard["path"]) - 1]


def test_a_version_is_released_once(store: Store) -> None:
    release(store, "muvisync", "1.0.0")
    with pytest.raises(ReleaseExists, match=r"released already") as caught:
        release(store, "muvisync", "1.0.0")
    assert caught.value.next_version == "1.0.1"
    with pytest.raises(StopRun, match="three numbers"):
        release(store, "muvisync", "latest")


def test_the_number_of_a_withdrawn_release_is_not_used_again(store: Store) -> None:
    release(store, "muvisync", "1.0.0")
    take_down(store, "muvisync", f"yt-{source(2).video_id}", "asked")
    take_down(store, "muvisync", f"yt-{source(3).video_id}", "asked")
    assert releases.versions(store, "muvisync") == ["1.0.2"]
    for version in ("1.0.0", "1.0.1"):
        with pytest.raises(ReleaseExists, match=r"was released and withdrawn") as caught:
            release(store, "muvisync", version)
        assert (caught.value.next_version, caught.value.is_withdrawn) == ("1.0.3", True)
    release(store, "muvisync", "1.0.3")
    assert releases.next_free(store, "muvisync") == "1.0.4"


def test_a_dataset_without_a_row_is_not_released(store: Store) -> None:
    receipt = shards.read_receipt(store.root, "muvisync") or {}
    shards.write_receipt(store.root, "muvisync", {**receipt, "shards": []})
    with pytest.raises(StopRun, match="muvisync has no row"):
        release(store, "muvisync", "1.0.0")


def test_features_of_an_untrained_model_are_not_released(store: Store) -> None:
    receipt = shards.read_receipt(store.root, "muvisync") or {}
    shards.write_receipt(store.root, "muvisync", {**receipt, "models": [model(trained=False)]})
    with pytest.raises(StopRun, match="untrained-768, which is not trained"):
        release(store, "muvisync", "1.0.0")
    assert not store.root.names("releases/muvisync/1.0.0")


def test_a_takedown_removes_an_entry_from_everything(store: Store) -> None:
    release(store, "muvisync", "1.0.0")
    entry_id = f"yt-{source(3).video_id}"
    done = take_down(store, "muvisync", entry_id, "asked by the artist")
    assert done.entries == (entry_id,)
    assert (done.withdrawn, done.released) == (("1.0.0",), ("1.0.1",))
    assert len(done.shards) >= 1
    assert everything_that_names(store, source(3).video_id) == []
    assert not has_asset(store.root, "0" * 64)
    assert len(ids_below(store, "muvisync/shards")) == COUNT - 1
    assert len(ids_below(store, "releases/muvisync/1.0.1")) == COUNT - 1
    assert entry_id not in {r.entry_id for r in store.ledger.results("muvisync")}


def test_what_was_taken_down_does_not_come_back(store: Store) -> None:
    items = Items(store.ledger)
    take_down(store, "muvisync", f"yt-{source(3).video_id}", "asked")
    item = items.get("muvisync", source(3))
    assert item is not None
    assert item.state == states.REMOVED
    fresh = Item("symmv", Listing(source(3), "again"), "another source")
    assert items.add([fresh]) == 0
    assert manifests.read_blocklist(store.manifests) == {source(3): "asked"}


def test_a_recording_that_others_use_stays_unless_it_is_named(store: Store) -> None:
    take_down(store, "muvisync", f"yt-{source(0).video_id}", "asked")
    assert ("youtube", video(0).video_id) in store.ledger.assets()
    done = take_down(store, "muvisync", f"youtube:{video(1).video_id}", "asked")
    assert f"yt-{source(1).video_id}" in done.entries
    assert ("youtube", video(1).video_id) not in store.ledger.assets()


def test_only_the_shards_that_hold_the_entry_are_rewritten(store: Store) -> None:
    before = set(store.root.names("muvisync/shards"))
    assert len(before) > 1
    done = take_down(store, "muvisync", f"yt-{source(5).video_id}", "asked")
    after = set(store.root.names("muvisync/shards"))
    assert len(done.shards) == 1
    assert len(before & after) == len(before) - 1


def test_a_takedown_that_is_run_again_ends_the_same(store: Store) -> None:
    release(store, "muvisync", "1.0.0")
    entry_id = f"yt-{source(2).video_id}"
    take_down(store, "muvisync", entry_id, "asked")
    again = take_down(store, "muvisync", entry_id, "asked")
    assert (again.shards, again.withdrawn, again.released) == ((), (), ())
    assert set(releases.find_releases(store, "muvisync")) == {"1.0.1"}


def test_a_name_that_stands_for_nothing_is_said(store: Store) -> None:
    with pytest.raises(StopRun, match="no entry is called 'nobody'"):
        take_down(store, "muvisync", "nobody", "asked")
    assert len(ids_below(store, "muvisync/shards")) == COUNT


def test_a_dataset_is_released_after_a_takedown_without_a_build(store: Store) -> None:
    entry_id = f"yt-{source(2).video_id}"
    take_down(store, "muvisync", entry_id, "asked")
    receipt = release(store, "muvisync", "1.0.0")
    assert receipt["entries"] == COUNT - 1
    assert entry_id not in ids_below(store, "releases/muvisync/1.0.0")


def test_no_empty_folder_stays_behind(store: Store) -> None:
    release(store, "muvisync", "1.0.0")
    take_down(store, "muvisync", f"yt-{source(2).video_id}", "asked")
    folders = [path for path in Path(store.root.path("")).rglob("*") if path.is_dir()]
    assert [str(path) for path in folders if not any(path.iterdir())] == []


def test_an_entry_that_stands_in_a_release_alone_is_taken_down(store: Store) -> None:
    release(store, "muvisync", "1.0.0")
    entries = manifests.read_entries(store.manifests, "muvisync")
    manifests.write_entries(store.manifests, "muvisync", entries[:1])
    entry_id = f"yt-{source(3).video_id}"
    Path(store.ledger.engine.url.database or "").unlink()
    fresh = Store(store.root, store.manifests, Ledger(str(store.ledger.engine.url)))
    done = take_down(fresh, "muvisync", entry_id, "asked")
    assert (done.withdrawn, done.released) == (("1.0.0",), ("1.0.1",))
    assert entry_id not in ids_below(store, "releases/muvisync/1.0.1")
    assert entry_id not in ids_below(store, "muvisync/shards")


def test_a_takedown_that_is_run_again_says_what_is_barred(store: Store) -> None:
    take_down(store, "muvisync", f"yt-{source(2).video_id}", "asked")
    Path(store.ledger.engine.url.database or "").unlink()
    fresh = Store(store.root, store.manifests, Ledger(str(store.ledger.engine.url)))
    again = take_down(fresh, "muvisync", f"yt-{source(2).video_id}", "asked")
    assert again.sources == (source(2).url,)
    assert again.shards == ()
    assert (again.entries, again.is_repeated) == ((), True)
    assert not take_down(fresh, "muvisync", "youtube:ccccccccccc", "asked").is_repeated


def test_what_was_taken_down_through_another_dataset_is_not_released(store: Store) -> None:
    hit = make_row("muvisync", 0, split="train") | {"music_url": source(3).url}
    schema = published_schema("muvisync")
    written = shards.ShardWriter(store.root, "muvisync", schema).write([hit])
    receipt = shards.read_receipt(store.root, "muvisync")
    assert receipt is not None
    receipt["shards"] = shards.as_plain(written)
    shards.write_receipt(store.root, "muvisync", receipt)
    name = f"youtube:{source(3).video_id}"
    take_down(store, "symmv", name, "asked")
    with pytest.raises(StopRun, match="taken down through another dataset"):
        release(store, "muvisync", "1.0.0")
    assert store.root.folders("releases/muvisync") == []
    done = take_down(store, "muvisync", name, "asked")
    assert len(done.shards) == 1
    with pytest.raises(StopRun, match="muvisync has no row"):
        release(store, "muvisync", "1.0.0")


def test_what_was_barred_while_files_were_stored_is_left_out(store: Store) -> None:
    new, same_bytes = Source("youtube", "cccccccccc1"), Source("youtube", "cccccccccc2")
    before = manifests.read_entries(store.manifests, "muvisync")
    entries = [
        Entry("new", "muvisync", "new", new, new),
        Entry("same", "muvisync", "same", same_bytes, same_bytes),
    ]
    hashes = {new: "1" * 64, same_bytes: "2" * 64}
    manifests.block(store.manifests, [new], "asked", {})
    manifests.block(store.manifests, [source(5)], "asked", {source(5).url: "2" * 64})
    assets = {(s.site, s.video_id): sha256 for s, sha256 in hashes.items()}
    with changes.writing(store, "muvisync"):
        assert changes.take_in(store, "muvisync", entries, assets) == 0
    assert manifests.read_entries(store.manifests, "muvisync") == before
    assert not assets.keys() & store.ledger.assets().keys()


def test_items_are_moved_together_and_only_from_where_they_may_be(store: Store) -> None:
    items = Items(store.ledger)
    stale = items.get("muvisync", source(0))
    assert stale is not None
    mine = [source(0), source(1)]
    items.move("muvisync", mine, states.MATCHED, before=[states.PROPOSED])
    assert items.get("muvisync", source(0)) == stale
    items.move("muvisync", mine, states.REMOVED, step="takedown", detail="asked")
    moved = [item.source for item in items.find("muvisync", [states.REMOVED])]
    assert moved == mine
    with pytest.raises(LeaseLost):
        items.save(stale)


def spoil(store: Store, name: str) -> None:
    """Flip one bit in a page that is not of a shard's ids."""
    path = Path(store.root.path(name))
    file = pq.ParquetFile(path)
    place = file.schema_arrow.names.index("music_duration_s")
    column = file.metadata.row_group(0).column(place)
    data = bytearray(path.read_bytes())
    data[column.data_page_offset + column.total_compressed_size - 1] ^= 1
    path.write_bytes(data)


def shard_of(store: Store, entry_id: str) -> str:
    receipt = shards.read_receipt(store.root, "muvisync")
    assert receipt is not None
    held = [s.path for s in shards.shards_of(receipt) if s.first <= entry_id <= s.last]
    return f"muvisync/{held[0]}"


@pytest.mark.parametrize("is_gone", [False, True], ids=["damaged", "gone"])
def test_a_release_of_a_damaged_shard_is_given_up_and_blocks_nobody(
    is_gone: bool, store: Store
) -> None:
    name = shard_of(store, f"yt-{source(3).video_id}")
    if is_gone:
        store.root.remove(name)
    else:
        spoil(store, name)
    with pytest.raises(StopRun, match=r"is damaged|is gone"):
        release(store, "muvisync", "1.0.0")
    assert store.root.folders("releases/muvisync") == []
    with changes.writing(store, "muvisync") as finished:
        assert finished is None


def test_a_stopped_release_of_a_shard_that_is_damaged_since_is_given_up(store: Store) -> None:
    plan = {
        "kind": "release",
        "about": {"version": "1.0.0"},
        "steps": [{"do": "write_release", "version": "1.0.0"}],
    }
    place = changes.pending("muvisync")
    store.root.write(place, json.dumps(seals.seal(plan)).encode())
    spoil(store, shard_of(store, f"yt-{source(3).video_id}"))
    told: list[str] = []
    with changes.writing(store, "muvisync", tell=told.append) as finished:
        assert finished is None
    assert "is given up" in told[-1]
    assert not store.root.exists(place)


def test_a_takedown_is_done_whatever_became_of_the_rows_beside_it(store: Store) -> None:
    release(store, "muvisync", "1.0.0")
    entry_id = f"yt-{source(3).video_id}"
    name = shard_of(store, entry_id)
    spoil(store, name)
    spoil(store, f"releases/muvisync/1.0.0/{name.removeprefix('muvisync/')}")
    done = take_down(store, "muvisync", entry_id, "asked")
    assert done.withdrawn == ("1.0.0",)
    assert done.released == ()
    assert releases.find_releases(store, "muvisync") == {}
    assert releases.next_free(store, "muvisync") == "1.0.1"
    assert entry_id not in ids_below(store, "muvisync/shards")
    assert everything_that_names(store, source(3).video_id) == []
    assert not store.root.exists(changes.pending("muvisync"))


def test_other_datasets_that_use_the_recording_are_named(store: Store) -> None:
    other = Entry("pair", "symmv", "song", music=source(9), video=source(3))
    manifests.write_entries(store.root, "symmv", [other])
    urls = take_down(store, "muvisync", f"yt-{source(3).video_id}", "asked").sources
    assert others_that_use(store, "muvisync", urls) == {"symmv": ["pair"]}
    assert others_that_use(store, "muvisync", [source(4).url]) == {}


def test_a_takedown_that_cannot_read_an_old_release_says_what_repairs_it(store: Store) -> None:
    release(store, "muvisync", "1.0.0")
    (name, *_) = sorted(Path(store.root.path("releases/muvisync/1.0.0")).rglob("*.parquet"))
    name.write_bytes(b"not a shard")
    with pytest.raises(Damaged, match="cannot be read, so what it holds is not known"):
        take_down(store, "muvisync", f"yt-{source(3).video_id}", "asked")
    assert not store.root.exists(changes.pending("muvisync"))
