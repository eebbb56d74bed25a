"""Copies of releases at other places: on the model hub, in a bucket, in a folder.

Where copies went is written down before anything goes there (``releases/DATASET.copies.json``
among the manifests), so that a takedown can say which of them must be replaced. At every place
what makes a copy valid comes last: the tag on the hub, ``receipt.json`` elsewhere.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from symmv_builder.backends import hub_upload
from symmv_builder.datasets import card, changes
from symmv_builder.errors import CannotWrite, Damaged, MalformedFile, NotFound, WrongArguments
from symmv_builder.storage import releases
from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.manifests import read_object
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import copy_shard
from symmv_builder.storage.store import Store
from symmv_builder.storage.urls import shown_url

HUB = "hf://"
_RECEIPT = "receipt.json"


@dataclass(frozen=True, slots=True)
class Copy:
    """A version at a place; not `is_whole` where the copying was begun and never ended."""

    version: str
    to: str
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Outdated:
    """A place that holds versions which are withdrawn, and the one that should replace them.

    `successor` is empty where no release stands.
    """

    to: str
    versions: tuple[str, ...]
    successor: str


def check_place(to: str) -> None:
    """Raise `StopRun` where nothing can be copied to an address of this form."""
    if to.startswith(HUB):
        hub_upload.repository_of(to)
    elif "\0" in to or not to.strip():
        raise WrongArguments("`to` takes a folder or an address such as s3://BUCKET/PREFIX")
    elif "://" in to:
        Root(to)
    else:
        path = Path(to).absolute()
        existing = next((each for each in (path, *path.parents) if each.exists()), path)
        if existing.is_file():
            raise WrongArguments(f"`to` {to}: {existing} is a file, and copies go into a folder")


def copies(store: Store, dataset: str) -> list[Copy]:
    """List every copy that is known, in the order in which they were made."""
    name = _record(dataset)
    if store.manifests.read(name) is None:
        return []
    remedy = "put it back from a copy, or remove it and push again"
    table = read_object(store.manifests, name, "a list of copies of releases", remedy)
    try:
        return [Copy(**each) for each in table["copies"]]
    except (TypeError, KeyError) as error:
        problem = f"it is not a list of copies of releases: {remedy}"
        raise MalformedFile(store.manifests.path(name), problem) from error


def outdated(store: Store, dataset: str) -> list[Outdated]:
    """List the places with versions that stand no more in the data root."""
    current = releases.versions(store, dataset)
    newest = max(current, key=releases.numbers_of, default="")
    places: dict[str, list[str]] = {}
    for copy in copies(store, dataset):
        if copy.version not in current:
            places.setdefault(copy.to, []).append(copy.version)
    return [Outdated(to, tuple(versions), newest) for to, versions in places.items()]


def copy_to(
    store: Store,
    dataset: str,
    version: str,
    to: str,
    *,
    public: bool = False,
    wait: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> bool:
    """Copy a release to a place; False where it is there already.

    ``hf://OWNER/NAME`` is a data set repository, which then holds this release alone, under the
    version as tag. Everything else is a folder or an fsspec url below which ``DATASET/VERSION/``
    is written. Withdrawn versions that were copied there before are removed from it.
    `StopRun` where there is no such release, where the place refuses, or holds something else under
    its name, or a release of the dataset from another data root; `Damaged` where the release
    here is not what its receipt says.
    """
    check_place(to)
    address = _address(to)
    with changes.writing(store, dataset, wait=wait, tell=tell):
        standing = releases.find_releases(store, dataset)
        if version not in standing:
            raise NotFound(f"release of {dataset}", version, store.root.shown)
        withdrawn = [v for v in _versions_at(store, dataset, to) if v not in standing]
        check_origin(store, dataset, version, to)
        if Copy(version, address, True) not in copies(store, dataset):
            _note(store, dataset, Copy(version, address, False))
        if to.startswith(HUB):
            is_new = _to_hub(
                store, dataset, standing[version], to, withdrawn, public=public, tell=tell
            )
        else:
            is_new = _to_folder(store, dataset, standing[version], Root(to))
            for name in withdrawn:
                _remove(Root(to), f"{dataset}/{name}")
                tell(f"removed {name} from {address}")
        _note(store, dataset, Copy(version, address, True), without=withdrawn, spelled=to)
    return is_new


def check_origin(store: Store, dataset: str, version: str, to: str) -> None:
    """Raise `StopRun` where a folder holds a release of the dataset from another data root.

    Each release there, beside the `version` to be copied, has to be one that this root released,
    by the sha256 of its receipt. Versions that were withdrawn before these were kept are known by
    the list of copies. Of the hub, which holds one release, nothing is asked.
    """
    if to.startswith(HUB):
        return
    target = Root(to)
    receipts = releases.withdrawn(store, dataset)
    for name in releases.versions(store, dataset):
        receipts[name] = releases.receipt_sha256(store, dataset, name)
    ours = _versions_at(store, dataset, to)
    for name in set(target.folders(dataset)) - {version}:
        copied = target.read(f"{dataset}/{name}/{_RECEIPT}")
        if copied is None or (name in ours and name not in receipts):
            continue
        if hashlib.sha256(copied).hexdigest() != receipts.get(name):
            where = f"{target.shown.rstrip('/')}/{dataset}"
            cause = f"its {name} was not released from this data root; copy to another place"
            raise CannotWrite(where, cause)


def _versions_at(store: Store, dataset: str, to: str) -> list[str]:
    """List the versions that were copied to a place, as far as it is written down."""
    places = (_address(to), to)
    return [copy.version for copy in copies(store, dataset) if copy.to in places]


def _address(to: str) -> str:
    """Write a place as it is from every folder of this machine, without secrets."""
    if to.startswith(HUB):
        return to
    return shown_url(to) if "://" in to else str(Path(to).absolute())


def _record(dataset: str) -> str:
    return f"releases/{dataset}.copies.json"


def _note(
    store: Store,
    dataset: str,
    copy: Copy,
    without: Sequence[str] = (),
    *,
    spelled: str = "",
) -> None:
    """Write down a copy; versions of `without` are gone from its place.

    `spelled` is how earlier versions of the program wrote the place down.
    """
    places, versions = {copy.to, spelled}, {copy.version, *without}
    remaining = [
        c for c in copies(store, dataset) if c.to not in places or c.version not in versions
    ]
    table = {"copies": [asdict(each) for each in (*remaining, copy)]}
    store.manifests.write(_record(dataset), (json.dumps(table, indent=1) + "\n").encode())


def _to_hub(
    store: Store,
    dataset: str,
    receipt: Mapping[str, Any],
    to: str,
    withdrawn: list[str],
    *,
    public: bool,
    tell: Callable[[str], object],
) -> bool:
    version = receipt["version"]
    with _local_files(store, releases.folder_of(dataset, version), receipt) as files:
        return hub_upload.push(
            hub_upload.repository_of(to),
            files,
            version,
            public=public,
            withdrawn=withdrawn,
            tell=tell,
        )


@contextmanager
def _local_files(
    store: Store, folder: str, receipt: Mapping[str, Any]
) -> Iterator[dict[str, Path]]:
    """Give the files of a release on this machine by name.

    Each is what receipt and sums say of it.
    """
    sums = (store.root.read(f"{folder}/{card.SUMS}") or b"").decode().splitlines()
    hashes = {name: sha256 for sha256, _, name in (line.partition("  ") for line in sums)}
    with ExitStack() as stack:
        files: dict[str, Path] = {}
        for name in _names(receipt):
            place = f"{folder}/{name}"
            if not store.root.exists(place):
                raise Damaged(store.root.path(place), "is gone")
            path = stack.enter_context(store.root.as_local(place))
            if name != card.SUMS and hash_file(path) != hashes.get(name):
                raise Damaged(store.root.path(place), f"is not what {card.SUMS} says")
            files[name] = path
        yield files


def _names(receipt: Mapping[str, Any]) -> list[str]:
    """List all files of a release, the receipt last."""
    return [*(shard["path"] for shard in receipt["shards"]), *card.names(receipt)]


def _to_folder(store: Store, dataset: str, receipt: Mapping[str, Any], target: Root) -> bool:
    version = receipt["version"]
    source, folder = releases.folder_of(dataset, version), f"{dataset}/{version}"
    texts = {name: store.root.read(f"{source}/{name}") for name in card.names(receipt)}
    if missing := [name for name, data in texts.items() if data is None]:
        raise Damaged(f"{store.root.path(source)}/{missing[0]}", "is gone")
    standing = target.read(f"{folder}/{_RECEIPT}")
    if standing not in (None, texts[_RECEIPT]):
        where = f"{target.shown.rstrip('/')}/{folder}"
        cause = "it holds another release of this name; copy to another place"
        raise CannotWrite(where, cause)
    is_new = standing is None
    for shard in receipt["shards"]:
        name = f"{folder}/{shard['path']}"
        # A shard's name holds the hash of its content, and no write leaves half a file.
        if not target.exists(name) or target.size_bytes(name) != shard["size_bytes"]:
            copy_shard(store.root, f"{source}/{shard['path']}", name, shard["sha256"], into=target)
            is_new = True
    for name, data in texts.items():
        if data is not None and target.read(f"{folder}/{name}") != data:
            target.write(f"{folder}/{name}", data)
            is_new = True
    return is_new


def _remove(target: Root, folder: str) -> None:
    """Remove a copy: its receipt first, so that nobody takes what is half gone."""
    target.remove(f"{folder}/{_RECEIPT}")
    for inner in (f"{folder}/shards", folder):
        for name in target.names(inner):
            target.remove(f"{inner}/{name}")
        target.remove_folder(inner)
