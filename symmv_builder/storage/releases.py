"""A release: shards, checksums, card and, last of all, the receipt. It never changes.

``releases/<dataset>/<version>/`` below the data root holds copies of the shards;
``releases/<dataset>-<version>.json`` among the manifests holds the receipt for review.
"""

import hashlib
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
    found = [folder_of(dataset, name) for name in store.root.folders(f"releases/{dataset}")]
    return [folder for version in found for folder in (version, f"{version}/shards")]


def check_version(version: str) -> None:
    """`StopRun` for what is not three numbers."""
    if not _VERSION.fullmatch(version):
        raise StopRun(f"{version!r} is not a version; write three numbers, as in 1.0.0")


def numbers_of(version: str) -> tuple[int, ...]:
    """A version as numbers, which sort as versions do: 1.0.10 comes after 1.0.9."""
    return tuple(map(int, version.split(".")))


def next_version(taken: Sequence[str]) -> str:
    """The latest version with its last number raised; 1.0.0 where there is none."""
    if not taken:
        return "1.0.0"
    major, minor, patch = max(map(numbers_of, taken))
    return f"{major}.{minor}.{patch + 1}"


def find_releases(store: Store, dataset: str) -> dict[str, dict[str, Any]]:
    """Receipts of the finished releases of a dataset, by version."""
    return {
        version: _receipt(store.manifests, copy_of(dataset, version))
        for version in versions(store, dataset)
    }


def versions(store: Store, dataset: str) -> list[str]:
    """The finished releases of a dataset."""
    pattern = re.compile(rf"{re.escape(dataset)}-(\d+\.\d+\.\d+)\.json")
    matches = map(pattern.fullmatch, store.manifests.names("releases"))
    return [match[1] for match in matches if match]


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
    full = {**receipt, "version": version}
    about = texts(full)
    # The receipt is the last of them.
    for name in ("SHA256SUMS", "README.md", "receipt.json"):
        store.root.write(f"{folder}/{name}", about[name])
    store.manifests.write(copy_of(dataset, version), about["receipt.json"])
    return full


def copy_of(dataset: str, version: str) -> str:
    """Where the copy of a release's receipt lies among the manifests."""
    return f"releases/{dataset}-{version}.json"


def texts(receipt: Mapping[str, Any]) -> dict[str, bytes]:
    """The files of a release beside its shards, by name: card, receipt, sums of all others."""
    about = {
        "README.md": card(receipt).encode(),
        "receipt.json": (json.dumps(receipt, indent=1, sort_keys=True) + "\n").encode(),
    }
    return {**about, "SHA256SUMS": sums(receipt, about)}


def sums(receipt: Mapping[str, Any], about: Mapping[str, bytes]) -> bytes:
    """A SHA256SUMS of the shards of a receipt and of some files beside them."""
    hashes = {shard["path"]: shard["sha256"] for shard in receipt["shards"]}
    hashes |= {name: hashlib.sha256(about[name]).hexdigest() for name in sorted(about)}
    return "".join(f"{sha256}  {path}\n" for path, sha256 in hashes.items()).encode()


def withdraw(store: Store, dataset: str, version: str) -> None:
    """Remove a release: its receipt first, so that nobody takes what is half gone."""
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


def _cell(text: str) -> str:
    """A text as a cell of a table in Markdown."""
    return text.replace("|", "\\|")


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
    if described := receipt.get("described"):
        lines += ["", "| column | type | unit | meaning |", "|---|---|---|---|"]
        lines += [
            f"| {c['name']} | {c['type']} | {c['unit']} | {_cell(c['meaning'])} |"
            for c in described
        ]
    lines += ["", "Put aside while building:", ""]
    lines += [f"- {reason}: {count}" for reason, count in receipt["rejections"].items()]
    lines += [] if receipt["rejections"] else ["- nothing"]
    return "\n".join(lines) + "\n"
