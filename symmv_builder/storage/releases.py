"""A release: shards, checksums, cards and, last of all, the receipt. It never changes.

``releases/<dataset>/<version>/`` below the data root holds copies of the shards;
``releases/<dataset>-<version>.json`` among the manifests holds the receipt for review. Of one that
was withdrawn ``releases/<dataset>.withdrawn.json`` keeps the number and the sha256 of the receipt.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from symmv_builder.errors import MalformedFile, ReleaseExists, WrongSetting
from symmv_builder.storage.manifests import read_object
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import copy_shard, open_shard, shards_of
from symmv_builder.storage.store import Store

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})")


def folder_of(dataset: str, version: str) -> str:
    """Name the folder of a release in its data root."""
    return f"releases/{dataset}/{version}"


def folders(store: Store, dataset: str) -> list[str]:
    """List the folders of all releases of a dataset and of their shards, unfinished ones too."""
    releases = [folder_of(dataset, name) for name in store.root.folders(f"releases/{dataset}")]
    return [folder for version in releases for folder in (version, f"{version}/shards")]


def check_version(version: str) -> None:
    """Raise `StopRun` for what is not three numbers."""
    if not _VERSION.fullmatch(version):
        raise WrongSetting("version", version, "it has to be three numbers, as in 1.0.0")


def numbers_of(version: str) -> tuple[int, ...]:
    """Read a version as numbers, which sort as versions do: 1.0.10 comes after 1.0.9."""
    return tuple(map(int, version.split(".")))


def next_version(existing: Sequence[str]) -> str:
    """Raise the last number of the latest version; 1.0.0 where there is none."""
    if not existing:
        return "1.0.0"
    major, minor, patch = max(map(numbers_of, existing))
    return f"{major}.{minor}.{patch + 1}"


def next_free(store: Store, dataset: str) -> str:
    """Name the version that comes after all that were ever released of a dataset."""
    return next_version([*versions(store, dataset), *withdrawn(store, dataset)])


def check_free(store: Store, dataset: str, version: str) -> None:
    """Raise `StopRun` for a version that stands or was withdrawn: it never means anything else."""
    is_withdrawn = version in withdrawn(store, dataset)
    if is_withdrawn or version in versions(store, dataset):
        raise ReleaseExists(dataset, version, next_free(store, dataset), is_withdrawn)


def withdrawn(store: Store, dataset: str) -> dict[str, str]:
    """Read the sha256 of the receipt of every release that was withdrawn, by version."""
    name = _withdrawn_name(dataset)
    if store.manifests.read(name) is None:
        return {}
    remedy = "put it back from a copy"
    table = read_object(store.manifests, name, "a list of withdrawn releases", remedy)
    if not all(_VERSION.fullmatch(key) and isinstance(table[key], str) for key in table):
        problem = f"it is not a list of withdrawn releases: {remedy}"
        raise MalformedFile(store.manifests.path(name), problem)
    return table


def _withdrawn_name(dataset: str) -> str:
    return f"releases/{dataset}.withdrawn.json"


def find_releases(store: Store, dataset: str) -> dict[str, dict[str, Any]]:
    """Receipts of the finished releases of a dataset, by version."""
    return {
        version: _receipt(store.manifests, copy_of(dataset, version))
        for version in versions(store, dataset)
    }


def receipt_sha256(store: Store, dataset: str, version: str) -> str:
    """Compute the sha256 of the receipt of a release that stands, empty where it has none."""
    receipt = store.manifests.read(copy_of(dataset, version))
    return "" if receipt is None else hashlib.sha256(receipt).hexdigest()


def versions(store: Store, dataset: str) -> list[str]:
    """List the finished releases of a dataset."""
    pattern = re.compile(rf"{re.escape(dataset)}-(\d+\.\d+\.\d+)\.json")
    matches = map(pattern.fullmatch, store.manifests.names("releases"))
    return [match[1] for match in matches if match]


def _receipt(root: Root, name: str) -> dict[str, Any]:
    """Read a release's receipt; `StopRun` where it is damaged or lacks what every receipt has."""
    remedy = "put it back, or copy receipt.json of the release's own folder there"
    receipt = read_object(root, name, "a receipt of a release", remedy)
    missing = [field for field in ("schema", "shards", "splits") if field not in receipt]
    if missing:
        raise MalformedFile(root.path(name), f"it lacks {', '.join(missing)}: {remedy}")
    return receipt


def copy_shards(
    store: Store, dataset: str, version: str, receipt: Mapping[str, Any], source: str
) -> None:
    """Copy the shards of a folder to where the release of a version has them.

    Every shard is checked against its sha256 on the way: `Damaged` where one is damaged or gone.
    """
    folder = folder_of(dataset, version)
    for shard in receipt["shards"]:
        path = shard["path"]
        copy_shard(store.root, f"{source}/{path}", f"{folder}/{path}", shard["sha256"])


def split_bytes(store: Store, folder: str, receipt: Mapping[str, Any]) -> dict[str, int]:
    """Sum the bytes of each split's rows before compression, by the shards' footers."""
    sizes = dict.fromkeys(receipt["splits"], 0)
    for shard in shards_of(receipt):
        with open_shard(store.root, f"{folder}/{shard.path}") as file:
            groups = range(file.num_row_groups)
            sizes[shard.split] += sum(file.metadata.row_group(g).total_byte_size for g in groups)
    return sizes


def put(store: Store, dataset: str, version: str, texts: Mapping[str, bytes]) -> None:
    """Write the files beside a release's shards, in their order; ``receipt.json`` is the last."""
    folder = folder_of(dataset, version)
    for name, data in texts.items():
        store.root.write(f"{folder}/{name}", data)
    store.manifests.write(copy_of(dataset, version), texts["receipt.json"])


def copy_of(dataset: str, version: str) -> str:
    """Name where the copy of a release's receipt lies among the manifests."""
    return f"releases/{dataset}-{version}.json"


def note_withdrawn(store: Store, dataset: str, version: str) -> None:
    """Write down that a release, which still stands, is going to be withdrawn."""
    if sha256 := receipt_sha256(store, dataset, version):
        table = {**withdrawn(store, dataset), version: sha256}
        text = json.dumps(dict(sorted(table.items())), indent=1) + "\n"
        store.manifests.write(_withdrawn_name(dataset), text.encode())


def withdraw(store: Store, dataset: str, version: str) -> None:
    """Remove a release, or what was begun of one.

    Its receipt goes first, so that nobody takes what is half gone.
    """
    store.manifests.remove(copy_of(dataset, version))
    folder = folder_of(dataset, version)
    store.root.remove(f"{folder}/receipt.json")
    _clear(store.root, f"{folder}/shards")
    _clear(store.root, folder)
    store.root.remove_folder(f"{folder}/shards")
    store.root.remove_folder(folder)


def _clear(root: Root, folder: str) -> None:
    for name in root.names(folder):
        root.remove(f"{folder}/{name}")
