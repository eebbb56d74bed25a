"""Files that a person asked for, in folders where files of theirs may lie.

One rule for every command: what is written never takes the place of something that was read, and
takes that of another file only where this program made it or the person says `overwrite`.
`check_outputs` holds it before any work is done.

Files that belong together, such as the MIDI and the sound of one piece, are a set: they are
written into a private folder beside their places, and that folder is renamed once it is whole.
From then on the new set stands. A process that is killed before leaves the old set, and one that
is killed after leaves moves that `finish_set` makes later. The set's receipt, a JSON file that
names the others with their sha256, moves last and says which files are ours.
"""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from symmv_builder.errors import CannotWrite, NoSuchPath, OutputExists
from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.root import disk_errors, flush_to_disk

_FILES = "files"
_NOT_OURS = "was not made by this command, or was changed since"


def check_outputs(
    outputs: Iterable[Path],
    *,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
    is_ours: Callable[[Path], bool] | None = None,
    remedy: str = "",
) -> None:
    """Raise `StopRun` where one of `outputs` may not be written.

    That is where it is one of `inputs`, under this or another name (links are followed); where a
    folder stands in its place, or a file in that of its folder; and where a file stands there that
    is not ours, unless `overwrite`. Without `is_ours` nobody can tell, and no file is.
    """
    sources = {identity: path for path in inputs if (identity := _identity(path)) is not None}
    for path in outputs:
        same_file = sources.get(_identity(path) or (0, 0))
        if same_file is not None:
            cause = f"it would take the place of {same_file}, which is read; write elsewhere"
            raise CannotWrite(path, cause)
        if path.is_dir():
            raise CannotWrite(path, "a folder stands in its place")
        if not path.parent.is_dir() and any(_stands(above) for above in _missing_folders(path)):
            raise CannotWrite(path, "a file stands in the place of a folder")
        if _stands(path) and not overwrite and not (is_ours and is_ours(path)):
            raise OutputExists(path, _NOT_OURS if is_ours else "", remedy)


def check_empty(folder: Path) -> None:
    """Raise `StopRun` where a folder for an export holds anything, or is none."""
    if folder.exists() and not folder.is_dir():
        raise NoSuchPath(folder, "folder")
    # Files of this name are a killed writer's.
    if folder.is_dir() and any(not each.name.startswith(".part-") for each in folder.iterdir()):
        problem = "holds something else than an export of this dataset"
        raise OutputExists(folder, problem, "export into another folder")


@contextmanager
def replacing_file(path: Path) -> Iterator[Path]:
    """Open a new file beside `path` that takes its place when the block ends well.

    It has a name that nobody can foresee and permissions as the umask says.
    """
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _new_file(path.parent)
    try:
        yield temporary
        with disk_errors(path.parent):
            flush_to_disk(temporary)
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def replacing_set(folder: Path, name: str, *, overwrite: bool = False) -> Iterator[Path]:
    """Open a private folder for a set of files that take their places in `folder` together.

    The block writes them there with `NAME.json` among them, a JSON object for `write_receipt`.
    `StopRun` where files stand in their places that are not ours, unless `overwrite`.
    """
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=_part(name), dir=folder))
    try:
        with locked_folder(staging), disk_errors(folder):
            yield staging
            for path in staging.iterdir():
                flush_to_disk(path)
            finish_set(folder, name, overwrite=overwrite)
            places = [folder / path.name for path in staging.iterdir()]
            is_whole = is_made(folder / f"{name}.json")
            check_outputs(places, overwrite=overwrite, is_ours=is_whole)
            staging.rename(folder / _ready(name))
        finish_set(folder, name, overwrite=overwrite)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_receipt(folder: Path, name: str, facts: dict[str, object]) -> None:
    """Write `NAME.json`: what is to be said of a set, and the sha256 of its other files."""
    hashes = {path.name: hash_file(path) for path in sorted(folder.iterdir())}
    text = json.dumps({**facts, _FILES: hashes}, indent=1) + "\n"
    (folder / f"{name}.json").write_text(text)


def finish_set(folder: Path, name: str, *, overwrite: bool = False) -> None:
    """Move a set to its place that a killed process had finished, and clear what others left.

    `StopRun` where files stand in the way that are not ours, unless `overwrite`.
    """
    _clear(folder, name)
    ready, receipt = folder / _ready(name), folder / f"{name}.json"
    if not _stands(ready):
        return
    if ready.is_symlink() or not ready.is_dir():
        raise OutputExists(ready, "was not made by this command", "remove it")
    new = _hashes(ready / receipt.name)
    waiting = sorted(path.name for path in ready.iterdir() if path.name != receipt.name)
    if set(waiting) - set(new) or any(hash_file(ready / each) != new[each] for each in waiting):
        raise OutputExists(ready, "holds what was not made by this command", "remove it")
    is_whole = is_made(receipt)
    with disk_errors(folder):
        if new:
            places = [folder / each for each in (*waiting, receipt.name)]
            check_outputs(places, overwrite=overwrite, is_ours=is_whole)
            for each in waiting:
                (ready / each).replace(folder / each)
            for each in set(_hashes(receipt)) - set(new):
                # Of the set before, which had a file more.
                if is_whole(folder / each):
                    (folder / each).unlink()
            (ready / receipt.name).replace(receipt)
        ready.rmdir()


def is_made(receipt: Path) -> Callable[[Path], bool]:
    """Make a check whether the set of this receipt holds a file, as it is now."""
    hashes = _hashes(receipt)

    def is_of_set(path: Path) -> bool:
        if path == receipt:
            return bool(hashes)
        is_file = path.is_file() and not path.is_symlink()
        return is_file and path.name in hashes and hash_file(path) == hashes[path.name]

    return is_of_set


def _hashes(receipt: Path) -> dict[str, str]:
    """File names and their sha256; empty for a file that is no receipt."""
    if receipt.is_symlink() or not receipt.is_file():
        return {}
    try:
        files = json.loads(receipt.read_bytes())[_FILES]
        pairs = {str(name): str(sha256) for name, sha256 in files.items()}
    except (OSError, ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return {}
    return pairs if all(_is_plain(name) for name in pairs) else {}


def _is_plain(name: str) -> bool:
    return name == os.path.basename(name) and name not in {"", ".", ".."}


def _clear(folder: Path, name: str) -> None:
    """Remove folders of this set whose writers are dead: those hold a lock on theirs."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for item in os.scandir(folder):
            if item.name.startswith(_part(name)) and item.is_dir(follow_symlinks=False):
                with suppress(OSError), locked_folder(Path(item.path)):
                    shutil.rmtree(item.path, ignore_errors=True)


@contextmanager
def locked_folder(folder: Path) -> Iterator[None]:
    """Hold a lock that ends with the process; `BlockingIOError` where another one holds it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _part(name: str) -> str:
    return f".{name}.part-"


def _ready(name: str) -> str:
    return f".{name}.ready"


def _new_file(folder: Path) -> Path:
    flags = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_WRONLY
    path = folder / f".part-{os.urandom(8).hex()}"
    os.close(os.open(path, flags, 0o666))
    return path


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        # As it will be once missing folders are made: ``new/..`` is here then.
        stat = os.stat(os.path.realpath(path))
    except OSError:
        return None
    return stat.st_dev, stat.st_ino


def _stands(path: Path) -> bool:
    return os.path.lexists(path)


def _missing_folders(path: Path) -> list[Path]:
    return [above for above in path.parents if not above.is_dir()]
