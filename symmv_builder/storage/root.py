"""The data root: a folder or any fsspec url, read and written whole files at a time.

A write is all or nothing: on a local disk a temporary file is flushed and renamed, on
an object store a single put is atomic by itself. Whoever is killed in the middle leaves
no half-written file under a final name.
"""

import errno
import io
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import fsspec
from fsspec.implementations.local import LocalFileSystem

from symmv_builder.errors import StopRun

_PART = ".part-"
_LEFT_BEHIND_S = 3600.0

_DISK_ERRORS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission denied",
    errno.EEXIST: "a file stands in the place of a folder",
    errno.ENOTDIR: "a file stands in the place of a folder",
    errno.EFBIG: "a file may not be as large as that",
}


class Root:
    """Names are relative, with ``/``; contents are bytes."""

    def __init__(self, url: str) -> None:
        self.url = url
        try:
            # Without a cache of listings: other machines write to the same root.
            self._fs, self._base = fsspec.core.url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise StopRun(f"cannot use {url} as data root: {error}") from error
        self.is_local = isinstance(self._fs, LocalFileSystem)

    def path(self, name: str) -> str:
        return f"{self._base.rstrip('/')}/{name}"

    def read(self, name: str) -> bytes | None:
        """The file's bytes, `None` where there is no such file."""
        try:
            if self.is_local:
                return Path(self.path(name)).read_bytes()
            with _remote_errors(self.url):
                return bytes(self._fs.cat_file(self.path(name)))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StopRun(f"cannot read {self.path(name)}: {error.strerror}") from error

    def write(self, name: str, data: bytes) -> None:
        """Put a whole file in place, or leave everything as it was."""
        if not self.is_local:
            with _remote_errors(self.url, writing=True):
                self._fs.pipe_file(self.path(name), data)
            return
        with self.replacing(name) as temporary:
            temporary.write_bytes(data)

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """A local path to write to, whose file takes the name's place when the block ends well."""
        folder, _, last = name.rpartition("/")
        with self.replacing_in(folder, lambda: last) as temporary:
            yield temporary

    @contextmanager
    def replacing_in(self, below: str, name: Callable[[], str]) -> Iterator[Path]:
        """As `replacing`, for a file of a folder whose name is known when it is written."""
        folder = Path(self.path(below)) if self.is_local else Path(tempfile.gettempdir())
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(prefix=_PART, dir=folder)
            os.close(handle)
        path = Path(temporary)
        try:
            with disk_errors(folder):
                yield path
                if self.is_local:
                    flush_to_disk(path)
                    path.chmod(0o644)
                    path.replace(folder / name())
                else:
                    with _remote_errors(self.url, writing=True):
                        self._fs.put_file(str(path), self.path(f"{below}/{name()}"))
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def as_local(self, name: str) -> Iterator[Path]:
        """A local path with the file's contents, for tools that want a path."""
        if self.is_local:
            yield Path(self.path(name))
            return
        with tempfile.TemporaryDirectory(prefix="symmv-") as folder:
            path = Path(folder) / name.rsplit("/", 1)[-1]
            with _remote_errors(self.url):
                self._fs.get_file(self.path(name), str(path))
            yield path

    @contextmanager
    def as_ranges(self, name: str) -> Iterator[Path | io.RawIOBase]:
        """What reads parts of a file: its path, or of a remote file what asks for those alone."""
        if self.is_local:
            yield Path(self.path(name))
            return
        with _remote_errors(self.url), _Ranges(self._fs, self.path(name)) as file:
            yield file

    def exists(self, name: str) -> bool:
        with _remote_errors(self.url):
            return bool(self._fs.exists(self.path(name)))

    def size_bytes(self, name: str) -> int:
        """How large a file is that is there."""
        if self.is_local:
            return Path(self.path(name)).stat().st_size
        with _remote_errors(self.url):
            return int(self._fs.size(self.path(name)))

    def names(self, folder: str) -> list[str]:
        """Names of the finished files directly in a folder, sorted; empty where there is none."""
        try:
            if self.is_local:
                found = [item.name for item in os.scandir(self.path(folder)) if item.is_file()]
            else:
                with _remote_errors(self.url):
                    listing = self._fs.ls(self.path(folder), detail=True, refresh=True)
                files = [item["name"] for item in listing if item["type"] == "file"]
                found = [name.rsplit("/", 1)[-1] for name in files]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in found if not name.startswith(_PART))

    def sweep(self, folder: str) -> None:
        """Remove what killed writers left in a local folder more than an hour ago."""
        if not self.is_local:
            return
        with suppress(FileNotFoundError, NotADirectoryError):
            for item in os.scandir(self.path(folder)):
                if item.name.startswith(_PART):
                    with suppress(FileNotFoundError):
                        if time.time() - item.stat().st_mtime > _LEFT_BEHIND_S:
                            Path(item.path).unlink()

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        with suppress(FileNotFoundError), _remote_errors(self.url):
            self._fs.rm_file(self.path(name))


class _Ranges(io.RawIOBase):
    """A remote file of which each read is one request for as many bytes; none are kept.

    What fsspec opens itself may be one object for all readers, with one place in the file.
    """

    def __init__(self, fs: Any, path: str) -> None:
        self._fs = fs
        self._path = path
        self._size = int(fs.size(path))
        self._at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at

    def read(self, size: int = -1) -> bytes:
        end = self._size if size < 0 else min(self._at + size, self._size)
        if end <= self._at:
            return b""
        data = bytes(self._fs.cat_file(self._path, start=self._at, end=end))
        self._at += len(data)
        return data


def flush_to_disk(path: Path) -> None:
    """Make sure that a renamed file cannot turn out empty after a power cut."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a disk that cannot be written into a `StopRun` that names the folder."""
    try:
        yield
    except OSError as error:
        cause = _DISK_ERRORS.get(error.errno or 0, error.strerror or str(error))
        raise StopRun(f"cannot write to {folder}: {cause}") from error


@contextmanager
def _remote_errors(url: str, *, writing: bool = False) -> Iterator[None]:
    """Turn whatever a remote file system raises into a `StopRun` that names the root.

    Every fsspec implementation raises its own library's errors. Only a file that is not
    there passes, unless it was to be written: then it is the bucket that is not there.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, StopRun) or (isinstance(error, FileNotFoundError) and not writing):
            raise
        cause = str(error).splitlines()[0] if str(error) else type(error).__name__
        doing = "write to" if writing else "read from"
        raise StopRun(f"cannot {doing} the data root {url}: {cause}") from error
