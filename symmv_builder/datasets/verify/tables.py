"""Shards against their receipt, of a dataset and of its releases."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from symmv_builder.datasets import card, subsets
from symmv_builder.datasets.schemas import shards_schema
from symmv_builder.datasets.verify.problems import CheckCounts, Problem
from symmv_builder.errors import Damaged, StopRun
from symmv_builder.records import Entry
from symmv_builder.storage import clip_tables, releases
from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.shard_rows import ShardRows
from symmv_builder.storage.store import Store
from symmv_builder.text import amount


def check_shards(
    store: Store,
    dataset: str,
    receipt: Mapping[str, Any],
    entries: Sequence[Entry],
    splits: Mapping[str, str] | None,
    tally: CheckCounts,
) -> Iterator[Problem]:
    """Check the finished shards of a dataset: files, sizes, hashes, schema, rows and their splits.

    Without `splits` rows are not compared with the manifests, which are damaged then.
    """
    expected = None
    if splits is not None:
        expected = {entry.entry_id: splits.get(entry.song_id, "") for entry in entries}
    entry_ids: set[str] = set()
    for shard in receipt["shards"]:
        name = f"{dataset}/{shard['path']}"
        fault = _fault_of(store, name, shard, tally) or _fault_of_rows(
            store, name, shard, receipt, expected, entry_ids
        )
        if fault:
            yield Problem("shard", name, fault, fault == _GONE, dataset=dataset,
                          sha256=shard["sha256"], size_bytes=shard["size_bytes"])  # fmt: skip
    for path in receipt.get("lost", ()):
        yield Problem("shard", f"{dataset}/{path}", "was put aside; the next build writes it",
                      is_missing=True, dataset=dataset)  # fmt: skip
    named = {f"{dataset}/{shard['path']}" for shard in receipt["shards"]}
    for file in store.root.names(f"{dataset}/shards"):
        if f"{dataset}/shards/{file}" not in named:
            yield Problem("shard", f"{dataset}/shards/{file}", "is named by no receipt",
                          dataset=dataset)  # fmt: skip


_GONE = "is gone"
# The columns that say which entry, or which of its clips, a row is, and where it belongs.
_READ = ("entry_id", "clip_id", "split")
# Files of a release that describe nothing of it.
_BESIDE = (card.SUMS, "receipt.json")


def _fault_of(store: Store, name: str, shard: Mapping[str, Any], tally: CheckCounts) -> str:
    """Tell what is wrong with a file that should have a size and a hash; empty where nothing is."""
    tally.checked += 1
    if not store.root.exists(name):
        return _GONE
    try:
        size = store.root.size_bytes(name)
        if size != shard["size_bytes"]:
            return f"has {size} bytes and not {shard['size_bytes']}"
        with store.root.as_local(name) as path:
            is_same = hash_file(path) == shard["sha256"]
    except (OSError, StopRun) as error:
        return f"cannot be read: {error}"
    return "" if is_same else "does not have the sha256 of its receipt"


def _fault_of_rows(
    store: Store,
    name: str,
    shard: Mapping[str, Any],
    receipt: Mapping[str, Any],
    expected: Mapping[str, str] | None,
    entry_ids: set[str],
) -> str:
    """Tell what is wrong with the rows of a file whose bytes are as they were written."""
    try:
        with (
            store.root.as_local(name) as path,
            pq.ParquetFile(path, page_checksum_verification=True) as file,
        ):
            if file.metadata.num_rows != shard["rows"]:
                return f"has {amount(file.metadata.num_rows, 'row')} and not {shard['rows']}"
            promised = shards_schema(receipt)
            if promised is not None and not file.schema_arrow.equals(promised):
                return "does not have the columns of its schema"
            present = [name for name in _READ if name in file.schema_arrow.names]
            rows = file.read(columns=present).to_pydict()
    except (OSError, pa.ArrowException, KeyError) as error:
        return f"cannot be read: {str(error).splitlines()[0]}"
    names = rows.get("clip_id", rows["entry_id"])
    for name, entry_id, split in zip(names, rows["entry_id"], rows["split"], strict=True):
        if name in entry_ids:
            return f"has {name}, which is in the shards twice"
        entry_ids.add(name)
        if expected is None:
            continue
        if entry_id not in expected:
            return f"has {entry_id}, which is no entry"
        if split != expected[entry_id]:
            return f"has {entry_id} in {split}, and splits.json in {expected[entry_id] or 'none'}"
    return ""


def check_clips(
    store: Store, dataset: str, receipt: Mapping[str, Any], tally: CheckCounts
) -> Iterator[Problem]:
    """Check the table of clips that a receipt names."""
    named = receipt.get(clip_tables.FIELD)
    if not named:
        return
    tally.checked += 1
    name = f"{dataset}/{named['path']}"
    try:
        clip_tables.read_table(store.root, dataset, receipt)
    except Damaged as error:
        yield Problem("clips", name, error.problem, error.problem == _GONE, dataset=dataset,
                      sha256=named["sha256"], size_bytes=named["size_bytes"])  # fmt: skip


def check_subsets(store: Store, dataset: str, tally: CheckCounts) -> Iterator[Problem]:
    """Marks of rows: each file, and whether the shards that it is of have the rows that it names.

    One of shards that were written anew since is no damage, but its readers refuse it.
    """
    for name in subsets.subset_names(store.root, dataset):
        tally.checked += 1
        place = f"{dataset}/subsets/{name}.json"
        try:
            subset = subsets.stored_subset(store.root, dataset, name)
            if not subsets.stands(store.root, dataset, subset):
                tally.notes["subsets are of shards that were written anew: rank again"] += 1
                continue
            present = set(ShardRows(store.root, dataset, subset.split, ("entry_id",)).entries())
        except Damaged as error:
            # Damage of a shard itself is told as that.
            if error.path == store.root.path(place):
                yield Problem("subset", place, error.problem, dataset=dataset)
            continue
        except StopRun as error:
            yield Problem("subset", place, str(error), dataset=dataset)
            continue
        if absent_rows := sorted(set(subset.rows) - present):
            absent = amount(len(absent_rows), "row")
            what = f"marks {absent} that no shard has, such as {absent_rows[0]}"
            yield Problem("subset", place, what, dataset=dataset)


def check_releases(
    store: Store, dataset: str, versions: Sequence[str], tally: CheckCounts
) -> Iterator[Problem]:
    """Check every file of some releases against SHA256SUMS, and that against receipt and copy."""
    for version in versions:
        for path, what in _faults_of_release(store, dataset, version, tally):
            yield Problem("release", path, what, what == _GONE, dataset=dataset,
                          version=version)  # fmt: skip


def all_versions(store: Store, dataset: str) -> list[str]:
    """Versions of which there is a receipt or its copy."""
    versions = set(releases.versions(store, dataset))
    for version in store.root.folders(f"releases/{dataset}"):
        if store.root.exists(f"{releases.folder_of(dataset, version)}/receipt.json"):
            versions.add(version)
    return sorted(versions, key=releases.numbers_of)


def _faults_of_release(
    store: Store, dataset: str, version: str, tally: CheckCounts
) -> Iterator[tuple[str, str]]:
    folder, copy = releases.folder_of(dataset, version), releases.copy_of(dataset, version)
    copied = store.manifests.read(copy)
    if copied is None:
        yield copy, _GONE
    receipt = sound_receipt(store, dataset, version)
    texts = held_texts(store, folder, receipt or {card.FACTS: {}})
    tally.checked += 1 + len(texts)
    for name, data in texts.items():
        if data is None:
            yield f"{folder}/{name}", _GONE
    if receipt is None:
        yield f"{folder}/receipt.json", "and its copy among the manifests are not the same"
        return
    about = card.receipt_bytes(receipt)
    if texts["receipt.json"] not in (None, about):
        yield f"{folder}/receipt.json", "is damaged"
    if copied not in (None, about):
        yield copy, "is damaged"
    for name in damaged_texts(receipt, texts):
        yield f"{folder}/{name}", "is damaged"
    yield from _faults_of_files(store, folder, receipt, tally)


def held_texts(store: Store, folder: str, receipt: Mapping[str, Any]) -> dict[str, bytes | None]:
    """Read the files beside a release's shards as they are, `None` where one is gone."""
    return {name: store.root.read(f"{folder}/{name}") for name in card.names(receipt)}


def damaged_texts(receipt: Mapping[str, Any], texts: Mapping[str, bytes | None]) -> list[str]:
    """Tell which of SHA256SUMS and the files that describe a release are there and not as written.

    They say it of each other: a description that the sums do not list, and that is not what this
    version of the program writes of the receipt, is damaged; where there is none, the sums are.
    """
    sums = texts[card.SUMS]
    described = {n: d for n, d in texts.items() if d is not None and n not in _BESIDE}
    if sums is None or sums in sums_that_fit(receipt, described):
        return []
    listed = set(sums.splitlines())
    wrong = [n for n, d in described.items() if _line(n, d) not in listed]
    ours = {name: card.card(receipt, name) for name in card.names(receipt) if name not in _BESIDE}
    if sums in sums_that_fit(receipt, ours):
        return wrong
    return [name for name in wrong if described[name] != ours[name]] or [card.SUMS]


def _line(name: str, data: bytes) -> bytes:
    return f"{hashlib.sha256(data).hexdigest()}  {name}".encode()


def _faults_of_files(
    store: Store, folder: str, receipt: Mapping[str, Any], tally: CheckCounts
) -> Iterator[tuple[str, str]]:
    for shard in receipt["shards"]:
        fault = _fault_of(store, f"{folder}/{shard['path']}", shard, tally)
        if fault:
            yield f"{folder}/{shard['path']}", fault
    for name in strangers(store, folder, receipt):
        yield name, "is no part of the release"


def strangers(store: Store, folder: str, receipt: Mapping[str, Any]) -> list[str]:
    """List files in a release's folder that are no part of it."""
    expected = {*card.names(receipt), *(shard["path"] for shard in receipt["shards"])}
    places = [(folder, ""), (f"{folder}/shards", "shards/")]
    return [
        f"{inner}/{file}"
        for inner, prefix in places
        for file in store.root.names(inner)
        if prefix + file not in expected
    ]


def sums_that_fit(receipt: Mapping[str, Any], texts: Mapping[str, bytes]) -> tuple[bytes, bytes]:
    """Give the lawful SHA256SUMS: of all files, or of shards alone as earlier versions wrote."""
    about = {**texts, "receipt.json": card.receipt_bytes(receipt)}
    return card.sums(receipt, about), card.sums(receipt, {})


def sound_receipt(store: Store, dataset: str, version: str) -> dict[str, Any] | None:
    """Read a release's receipt: of it and its copy, if they differ, the one in SHA256SUMS."""
    folder = releases.folder_of(dataset, version)
    faults = [
        store.root.read(f"{folder}/receipt.json"),
        store.manifests.read(releases.copy_of(dataset, version)),
    ]
    sums = store.root.read(f"{folder}/SHA256SUMS") or b""
    readable = [data for data in faults if data is not None and _receipt_in(data) is not None]
    if len(set(readable)) == 2:
        named = [d for d in readable if hashlib.sha256(d).hexdigest().encode() in sums]
        readable = named
    return _receipt_in(readable[0]) if readable else None


def _receipt_in(data: bytes) -> dict[str, Any] | None:
    """Read a release's receipt from its bytes, `None` where they are not as one was written."""
    try:
        receipt = dict(json.loads(data))
        listed = [(s["path"], s["size_bytes"] + 0, s["sha256"] + "") for s in receipt["shards"]]
        whole = card.receipt_bytes(receipt) == data
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return receipt if whole and all(isinstance(path, str) for path, _, _ in listed) else None
