"""A release: shards, checksums, card and, last of all, the receipt. It never changes.

``releases/<dataset>/<version>/`` below the data root holds copies of the shards;
``releases/<dataset>-<version>.json`` among the manifests holds the receipt for review.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from symmv_builder.errors import StopRun
from symmv_builder.storage.manifests import read_object
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import copy_shard
from symmv_builder.storage.store import Store

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})")


def folder_of(dataset: str, version: str) -> str:
    return f"releases/{dataset}/{version}"


def folders(store: Store, dataset: str) -> list[str]:
    """The folders of all releases of a dataset and of their shards, unfinished ones too."""
    versions = [folder_of(dataset, name) for name in store.root.folders(f"releases/{dataset}")]
    return [folder for version in versions for folder in (version, f"{version}/shards")]


def check_version(version: str) -> None:
    """`StopRun` for what is not three numbers."""
    if not _VERSION.fullmatch(version):
        raise StopRun(f"{version!r} is not a version; write three numbers, as in 1.0.0")


def numbers_of(version: str) -> tuple[int, ...]:
    """A version as numbers, which sort as versions do: 1.0.10 comes after 1.0.9."""
    return tuple(map(int, version.split(".")))


def next_version(versions: Sequence[str]) -> str:
    """The latest version with its last number raised; 1.0.0 where there is none."""
    if not versions:
        return "1.0.0"
    major, minor, patch = max(map(numbers_of, versions))
    return f"{major}.{minor}.{patch + 1}"


def find_releases(store: Store, dataset: str) -> dict[str, dict[str, Any]]:
    """Receipts of the finished releases of a dataset, by version."""
    found = {}
    for name in store.manifests.names("releases"):
        match = re.fullmatch(rf"{re.escape(dataset)}-(\d+\.\d+\.\d+)\.json", name)
        if match:
            found[match[1]] = _receipt(store.manifests, f"releases/{name}")
    return found


def _receipt(root: Root, name: str) -> dict[str, Any]:
    """A release's receipt; `StopRun` where it is damaged or lacks what every receipt has."""
    remedy = "put it back, or copy receipt.json of the release's own folder there"
    receipt = read_object(root, name, "a receipt of a release", remedy)
    missing = [field for field in ("schema", "shards", "splits") if field not in receipt]
    if missing:
        raise StopRun(f"{root.path(name)} lacks {', '.join(missing)}: {remedy}")
    return receipt


def write_release(
    store: Store, dataset: str, version: str, receipt: Mapping[str, Any], source: str
) -> dict[str, Any]:
    """Copy the shards of a folder and put a release in place; the receipt as written.

    Every shard is checked against its sha256 on the way: `StopRun` where one is damaged or
    gone, and then there is no release.
    """
    folder = folder_of(dataset, version)
    for shard in receipt["shards"]:
        path = shard["path"]
        copy_shard(store.root, f"{source}/{path}", f"{folder}/{path}", shard["sha256"])
    return finish_release(store, dataset, version, receipt)


def finish_release(
    store: Store, dataset: str, version: str, receipt: Mapping[str, Any]
) -> dict[str, Any]:
    """Write sums, card and, last, the receipt of a release whose shards are in place."""
    folder = folder_of(dataset, version)
    sums = "".join(f"{shard['sha256']}  {shard['path']}\n" for shard in receipt["shards"])
    store.root.write(f"{folder}/SHA256SUMS", sums.encode())
    full = {**receipt, "version": version}
    store.root.write(f"{folder}/README.md", card(full).encode())
    text = json.dumps(full, indent=1, sort_keys=True) + "\n"
    store.root.write(f"{folder}/receipt.json", text.encode())
    store.manifests.write(f"releases/{dataset}-{version}.json", text.encode())
    return full


def withdraw(store: Store, dataset: str, version: str) -> None:
    """Remove a release: its receipt first, so that nobody takes what is half gone."""
    store.manifests.remove(f"releases/{dataset}-{version}.json")
    folder = folder_of(dataset, version)
    store.root.remove(f"{folder}/receipt.json")
    _clear(store.root, f"{folder}/shards")
    _clear(store.root, folder)
    store.root.remove_folder(f"{folder}/shards")
    store.root.remove_folder(folder)


def _clear(root: Root, folder: str) -> None:
    for name in root.names(folder):
        root.remove(f"{folder}/{name}")


def card(receipt: Mapping[str, Any]) -> str:
    """The release's README: what is in it, what made it, what was left out."""
    splits = ", ".join(f"{name} {count}" for name, count in receipt["splits"].items())
    lines = [
        f"# {receipt['dataset']} {receipt['version']}",
        "",
        f"{receipt['entries']} entries ({splits}) in {len(receipt['shards'])} Parquet shards,",
        f"schema {receipt['schema']}. `sha256sum -c SHA256SUMS` checks them.",
        "",
        "| slot | model | version | weights (sha256) |",
        "|---|---|---|---|",
    ]
    lines += [
        f"| {m['slot']} | {m['backend']} | {m['version']} | {m['weights_sha256'][:16]} |"
        for m in receipt["models"]
    ]
    lines += ["", "Put aside while building:", ""]
    lines += [f"- {reason}: {count}" for reason, count in receipt["rejections"].items()]
    lines += [] if receipt["rejections"] else ["- nothing"]
    return "\n".join(lines) + "\n"
