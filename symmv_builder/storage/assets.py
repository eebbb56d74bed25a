"""Recordings by content: a file is stored once, under the sha256 of its bytes."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from symmv_builder.errors import CannotRead
from symmv_builder.storage.root import Root


def hash_file(path: Path) -> str:
    """Compute the sha256 of a file's bytes, read in pieces."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def add_asset_bytes(root: Root, data: bytes) -> str:
    """Store bytes that are in memory; gives their hash. A whole copy is not written again."""
    sha256 = hashlib.sha256(data).hexdigest()
    if not _stands(root, sha256, len(data)):
        root.write(asset_name(sha256), data)
    return sha256


def asset_name(sha256: str) -> str:
    """Give the name under which a recording lies in a root, by its hash."""
    return f"assets/{sha256[:2]}/{sha256}"


def _stands(root: Root, sha256: str, size_bytes: int) -> bool:
    """Check whether a recording is there whole: a damaged copy does not keep a good one out.

    The bytes of a local root are looked at, of a remote one the size alone.
    """
    if asset_size(root, sha256) != size_bytes:
        return False
    return not root.is_local or hash_file(Path(root.path(asset_name(sha256)))) == sha256


def add_asset(root: Root, path: Path, sha256: str) -> None:
    """Copy a file into the store under its hash; what is there whole is not copied again.

    The copy is hashed too: what lies under a hash has that hash, even when somebody
    writes to the original at the same moment.
    """
    if _stands(root, sha256, path.stat().st_size):
        return
    with root.replacing(asset_name(sha256)) as temporary:
        shutil.copyfile(path, temporary)
        if hash_file(temporary) != sha256:
            raise CannotRead(path, "it changes while it is read; run again when it is complete")


@contextmanager
def open_asset(root: Root, sha256: str) -> Iterator[Path]:
    """Give a local path to a stored recording, within the block."""
    with root.as_local(asset_name(sha256)) as path:
        yield path


def remove_asset(root: Root, sha256: str) -> None:
    """Remove a recording; one that is not there is no error."""
    root.remove(asset_name(sha256))
    root.remove_folder(asset_name(sha256).rpartition("/")[0])


def has_asset(root: Root, sha256: str) -> bool:
    """Check whether a recording of this hash is stored."""
    return root.exists(asset_name(sha256))


def asset_size(root: Root, sha256: str) -> int | None:
    """Give the size of a stored recording in bytes, `None` where it is not there."""
    try:
        return root.size_bytes(asset_name(sha256))
    except FileNotFoundError:
        return None
