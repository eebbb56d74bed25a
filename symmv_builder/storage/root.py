"""The data root: a folder or any fsspec url, read and written whole files at a time.

A write is all or nothing: on a local disk a temporary file is flushed and renamed, on
an object store a single put is atomic by itself. Whoever is killed in the middle leaves
no half-written file under a final name.
"""

import errno
import io
import os
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from symmv_builder.errors import CannotRead, CannotWrite, DiskFull, StopRun, StoreUnusable
from symmv_builder.packages import missing_package
from symmv_builder.storage.processes import is_running, machine
from symmv_builder.storage.urls import shown_url, without_secrets

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
        self._fs: Any = None
        folder = _folder_of(url)
        if folder is None:
            self._fs, self._base, self.is_local = _opened(url)
        else:
            self._base, self.is_local = folder, True
        if self.is_local and os.path.exists(self._base) and not os.path.isdir(self._base):
            raise StoreUnusable(f"the data root {self.shown}", "it is a file and no folder")
        self._identity: tuple[int, int] | None = None

    @property
    def shown(self) -> str:
        """The url without its secrets, for messages."""
        return shown_url(self.url)

    def path(self, name: str) -> str:
        return f"{self._base.rstrip('/')}/{name}"

    def check(self) -> None:
        """Check a local root: `StopRun` where its folder is gone or has become another one.

        What it is found to be at the first call it has to stay: a folder that was renamed,
        or a disk that was unmounted, is never made anew by what is written later.
        """
        if not self.is_local:
            return
        try:
            facts = os.stat(self._base)
        except OSError as error:
            cause = f"it is gone ({error.strerror}): put it back and run again"
            raise StoreUnusable(f"the data root {self.shown}", cause) from error
        identity = (facts.st_dev, facts.st_ino)
        if self._identity not in (None, identity):
            cause = "another folder came in its place under the run"
            raise StoreUnusable(f"the data root {self.shown}", cause)
        self._identity = identity

    def _make_folder(self, folder: Path) -> None:
        """Make a folder, below the root alone once that is known to stand."""
        if self._identity is None or not self.is_local:
            folder.mkdir(parents=True, exist_ok=True)
            return
        self.check()
        missing = []
        while not folder.is_dir() and folder != Path(self._base):
            missing.append(folder)
            folder = folder.parent
        for each in reversed(missing):
            each.mkdir(exist_ok=True)

    def read(self, name: str) -> bytes | None:
        """Read the file's bytes, `None` where there is no such file."""
        try:
            if self.is_local:
                return Path(self.path(name)).read_bytes()
            with _remote_errors(self.url):
                return bytes(self._fs.cat_file(self.path(name)))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CannotRead(self.path(name), error.strerror or str(error)) from error

    def write(self, name: str, data: bytes) -> None:
        """Write a file atomically: whole, or not at all."""
        if not self.is_local:
            with _remote_errors(self.url, writing=True):
                self._fs.pipe_file(self.path(name), data)
            return
        with self.replacing(name) as temporary:
            temporary.write_bytes(data)

    @contextmanager
    def replacing(self, name: str) -> Iterator[Path]:
        """Give a local path to write to; the file takes the name's place if the block succeeds."""
        folder, _, last = name.rpartition("/")
        with self.replacing_in(folder, lambda: last) as temporary:
            yield temporary

    @contextmanager
    def replacing_in(self, below: str, name: Callable[[], str]) -> Iterator[Path]:
        """Replace as `replacing` does a file of a folder whose name is known when it is written."""
        folder = Path(self.path(below)) if self.is_local else Path(tempfile.gettempdir())
        with self._writing_to(folder):
            self._make_folder(folder)
            # What waits for its upload lies in a folder of everybody and is read by nobody else.
            path = _new_part(folder, 0o666 if self.is_local else 0o600)
        try:
            with self._writing_to(folder):
                yield path
                if self.is_local:
                    flush_to_disk(path)
                    path.replace(folder / name())
                else:
                    with _remote_errors(self.url, writing=True):
                        self._fs.put_file(str(path), self.path(f"{below}/{name()}".lstrip("/")))
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def _writing_to(self, folder: Path) -> Iterator[None]:
        """Translate as `disk_errors`, but a folder that is gone may be gone with the whole root."""
        with disk_errors(folder):
            try:
                yield
            except FileNotFoundError:
                if self._identity is not None:
                    self.check()
                raise

    @contextmanager
    def as_local(self, name: str) -> Iterator[Path]:
        """Give a local path with the file's contents, for tools that need a path."""
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
        """Give what reads parts of a file: its path, or a remote file's reader of those alone."""
        if self.is_local:
            yield Path(self.path(name))
            return
        with _remote_errors(self.url), _Ranges(self._fs, self.path(name)) as file:
            yield file

    def exists(self, name: str) -> bool:
        if self.is_local:
            return os.path.exists(self.path(name))
        with _remote_errors(self.url):
            return bool(self._fs.exists(self.path(name)))

    def size_bytes(self, name: str) -> int:
        """Give the size of an existing file in bytes."""
        if self.is_local:
            return Path(self.path(name)).stat().st_size
        with _remote_errors(self.url):
            return int(self._fs.size(self.path(name)))

    def names(self, folder: str) -> list[str]:
        """List the finished files directly in a folder, sorted; empty where there is none."""
        try:
            if self.is_local:
                entries = [item.name for item in os.scandir(self.path(folder)) if item.is_file()]
            else:
                with _remote_errors(self.url):
                    listing = self._fs.ls(self.path(folder), detail=True, refresh=True)
                files = [item["name"] for item in listing if item["type"] == "file"]
                entries = [name.rsplit("/", 1)[-1] for name in files]
        except (FileNotFoundError, NotADirectoryError):
            return []
        except OSError as error:
            raise CannotRead(self.path(folder), error.strerror or str(error)) from error
        return sorted(name for name in entries if not name.startswith(_PART))

    def walk(self, folder: str = "") -> Iterator[tuple[str, int]]:
        """Iterate over all finished files below a folder with their sizes in bytes."""
        if self.is_local:
            for entry, name in self._scan(folder):
                if not entry.name.startswith(_PART) and entry.is_file(follow_symlinks=False):
                    with suppress(FileNotFoundError):
                        yield name, entry.stat(follow_symlinks=False).st_size
            return
        base = f"{self._fs._strip_protocol(self.path(folder)).rstrip('/')}/"
        with suppress(FileNotFoundError), _remote_errors(self.url):
            for path, facts in self._fs.find(base, detail=True).items():
                yield f"{folder}/{path.removeprefix(base)}".lstrip("/"), int(facts["size"] or 0)

    def folders(self, folder: str) -> list[str]:
        """List the folders directly in a folder, sorted; empty where there is none."""
        try:
            if self.is_local:
                items = os.scandir(self.path(folder))
                return sorted(e.name for e in items if e.is_dir(follow_symlinks=False))
            with _remote_errors(self.url):
                listing = self._fs.ls(self.path(folder), detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
        paths = [item["name"].rstrip("/") for item in listing if item["type"] == "directory"]
        return sorted(path.rsplit("/", 1)[-1] for path in paths)

    def left_behind(self, folder: str = "", *, below: bool = True) -> Iterator[tuple[str, int]]:
        """List what killed writers left in a local folder (and below it), with sizes in bytes.

        That is what a process of this machine began that is no more, and what nobody, on
        whatever machine, has written to for an hour. On a bucket a write leaves nothing.
        """
        if not self.is_local:
            return
        for entry, name in self._scan(folder, below=below):
            if entry.name.startswith(_PART):
                with suppress(FileNotFoundError):
                    facts = entry.stat(follow_symlinks=False)
                    if _is_left_behind(entry.name, facts.st_mtime):
                        yield name, facts.st_size

    def sweep(self, folder: str) -> None:
        """Remove what killed writers left directly in a local folder."""
        for name, _ in self.left_behind(folder, below=False):
            Path(self.path(name)).unlink(missing_ok=True)

    def sweep_all(self, folder: str = "") -> tuple[int, int]:
        """Remove what killed writers left below a local folder; counts files and bytes."""
        files = size = 0
        for name, size_bytes in self.left_behind(folder):
            Path(self.path(name)).unlink(missing_ok=True)
            files, size = files + 1, size + size_bytes
        return files, size

    def empty_folders(self, folder: str) -> Iterator[str]:
        """List all local folders below a folder that are empty."""
        if self.is_local:
            for path, inner, files in os.walk(self.path(folder), topdown=False):
                if not inner and not files:
                    below = os.path.relpath(path, self.path(folder))
                    yield folder if below == "." else f"{folder}/{below}"

    def remove_folder(self, name: str) -> None:
        """Remove a local folder if it is empty, and the folders above it that it leaves empty."""
        while self.is_local and name:
            try:
                Path(self.path(name)).rmdir()
            except FileNotFoundError:
                pass
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    return
                cause = f"it cannot be removed: {error.strerror}"
                raise CannotWrite(self.path(name), cause) from error
            name = name.rpartition("/")[0]

    def _scan(self, folder: str, *, below: bool = True) -> Iterator[tuple["os.DirEntry[str]", str]]:
        """Iterate over a local folder's entries with their names in the root.

        Links are not followed.
        """
        inner = []
        place = self.path(folder)
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(place) as items:
            for entry in items:
                name = f"{folder}/{entry.name}".lstrip("/")
                if not entry.is_dir(follow_symlinks=False):
                    yield entry, name
                elif below:
                    inner.append(name)
        for name in sorted(inner):
            yield from self._scan(name)

    def move(self, name: str, target: str) -> None:
        """Give a file another name in the same root; nothing must lie there."""
        if self.is_local:
            final = Path(self.path(target))
            with disk_errors(final.parent):
                self._make_folder(final.parent)
                Path(self.path(name)).rename(final)
            return
        with _remote_errors(self.url, writing=True):
            self._fs.mv(self.path(name), self.path(target))

    def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""
        with suppress(FileNotFoundError), _remote_errors(self.url):
            if self.is_local:
                Path(self.path(name)).unlink()
            else:
                self._fs.rm_file(self.path(name))


def _folder_of(url: str) -> str | None:
    """Complete the path of a root that is written as a folder; `None` for a url."""
    if "://" in url or "::" in url or url.startswith(("file:", "local:", "data:")):
        return None
    if url.startswith("~"):
        url = os.path.expanduser(url)
    url = "" if url == "." else url.removeprefix("./")
    return os.path.join(os.getcwd(), url).rstrip("/") or "/"


def _opened(url: str) -> tuple[Any, str, bool]:
    """Open the file system of a url: it, where in it the root begins, and whether it is local."""
    # Imported here: most roots are folders, and who asks one a question is answered sooner.
    import fsspec
    from fsspec.implementations.local import LocalFileSystem

    try:
        # Without a cache of listings: other machines write to the same root.
        fs, base = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except (ValueError, ImportError) as error:
        # fsspec says which package it lacks, not what to run.
        missing = missing_package(error.__cause__ or error, "s3")
        cause = without_secrets(str(missing or error), url)
        raise StoreUnusable(f"the data root {shown_url(url)}", cause) from error
    return fs, base, isinstance(fs, LocalFileSystem)


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


def _new_part(folder: Path, mode: int) -> Path:
    """Make an empty temporary file that tells who makes it; its permissions follow the umask.

    ``.part-<machine>-<process>-<random>``: whoever finds it later can tell whether its
    writer still runs.
    """
    path = folder / f"{_PART}{machine()}-{os.getpid()}-{secrets.token_hex(4)}"
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode))
    return path


def _is_left_behind(name: str, modified_s: float) -> bool:
    if time.time() - modified_s > _LEFT_BEHIND_S:
        return True
    writer, _, token = name.removeprefix(_PART).partition("-")
    process = token.partition("-")[0]
    return writer == machine() and process.isdecimal() and not is_running(int(process))


def flush_to_disk(path: Path) -> None:
    """Make sure that a renamed file cannot turn out empty after a power cut."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn a disk that cannot be written into a `CannotWrite` or `DiskFull` with the folder."""
    try:
        yield
    except OSError as error:
        cause = _DISK_ERRORS.get(error.errno or 0, error.strerror or str(error))
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else CannotWrite
        raise kind(folder, cause) from error


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
        kind = CannotWrite if writing else CannotRead
        cause = without_secrets(cause, url)
        raise kind(f"the data root {shown_url(url)}", cause) from error
