"""Stop a command at every write that it does: ``python stopping.py COMMAND exit|full FOLDER``.

Every file that is opened for writing, renamed or removed, every folder made or removed and
every commit of the ledger is one place to stop at. For each of them, in turn: the command
runs on a copy of the same data root and is stopped there, then runs again undisturbed. What
it leaves must be what an undisturbed command leaves, byte for byte. Prints the number of
places; ends with exit code 1 and a line a difference where there is one.
"""

import errno
import os
import shutil
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import sqlalchemy as sa
import toy_build

from symmv_builder.crawl.folder import find_entries
from symmv_builder.datasets.build import build, in_processes, take_in
from symmv_builder.datasets.imports.take_in import take_in as take_in_release
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.datasets.propose import promote
from symmv_builder.datasets.release import release
from symmv_builder.datasets.takedown import take_down
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.pool import Effort
from symmv_builder.records import Entry, Listing, ParsedTitle, Source
from symmv_builder.storage import items as states
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.items import Item, Items
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

# Arrow imports it at its first conversion where it is installed: once here, not in each child.
with suppress(ImportError):
    import pandas  # noqa: F401

STOPPED = 77
# What differs between two runs of the same work.
VOLATILE = {"at", "seconds", "fetched_at", "checksum", "leased_until_s"}
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def open_store(root: Path) -> Store:
    place = Root(str(root))
    return Store(place, place, Ledger(f"sqlite:///{root}/ledger.sqlite"))


def take_in_folder(store: Store, media: Path) -> None:
    take_in(store, find_entries(media, "toy", pairs=False), "toy", lambda _: None)


def build_toy(store: Store, media: Path) -> None:
    plan = Plan("toy", toy_build.RECIPE.uses)
    run = in_processes(
        plan, store, toy_build.no_model, effort=Effort(workers=0), tell=lambda _: None
    )
    build(toy_build.RECIPE, plan, store, run)


def take_in_and_build(store: Store, media: Path) -> None:
    take_in_folder(store, media)
    build_toy(store, media)


def release_toy(store: Store, media: Path) -> None:
    release(store, "toy", "1.1.0")


def take_down_toy(store: Store, media: Path) -> None:
    take_down(store, "toy", "clip1", "asked by the artist")


def import_songs(store: Store, media: Path) -> None:
    songs = []
    for path in sorted(media.glob("*.mp4")):
        source = Source("file", path.stem)
        entry = Entry(path.stem, "toy", path.stem, source, source)
        songs.append(Song(entry, path, texts={"key": "C major"}))
    tree = Tree(tuple(songs), {"clip0": "test"}, {"lacks": []})
    take_in_release(store, "toy", tree, lambda _: None)


def promote_item(store: Store, media: Path) -> None:
    promote(Items(store.ledger), store, "toy", [states.entry_id_of(cover(1))], above=None)


def cover(number: int) -> Source:
    return Source("youtube", f"coverofsong{number}"[-11:])


def crawled(store: Store, media: Path) -> None:
    """Two proposals and one match under review, their recordings stored."""
    path = media / "clip0.mp4"
    for number, state in enumerate((states.PROPOSED, states.PROPOSED, states.REVIEW)):
        add_asset(store.root, path, hash_file(path))
        store.ledger.record_assets({("youtube", cover(number).video_id): hash_file(path)})
        listing = Listing(cover(number), "a cover")
        title = ParsedTitle("somebody", f"song {number}", 0.9)
        item = Item("toy", listing, "o", state=state, parsed=title, official=listing, score=0.9)
        Items(store.ledger).add([item])


def built_and_released(store: Store, media: Path) -> None:
    take_in_and_build(store, media)
    release(store, "toy", "1.0.0")


def nothing(store: Store, media: Path) -> None:
    pass


@dataclass(frozen=True)
class Command:
    """What stands before a command, and the command."""

    before: Callable[[Store, Path], None]
    run: Callable[[Store, Path], None]


COMMANDS = {
    "take_in": Command(nothing, take_in_folder),
    "import": Command(nothing, import_songs),
    "build": Command(nothing, take_in_and_build),
    "release": Command(built_and_released, release_toy),
    "takedown": Command(built_and_released, take_down_toy),
    "promote": Command(crawled, promote_item),
}


class Stopper:
    """Counts what changes a disk, and stops the process at one of these places."""

    def __init__(self, place: int, how: str, root: Path) -> None:
        self.count = 0
        self.place = place
        self.how = how
        self.root = str(root)

    def on_audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            changes = bool(flags & _WRITES)
        else:
            changes = event in ("os.rename", "os.remove", "os.rmdir", "os.mkdir")
            path = arguments[0] if changes else ""
        if changes and str(path).startswith(self.root) and "ledger.sqlite" not in str(path):
            self.reach()

    def on_commit(self, _: sa.Connection) -> None:
        self.reach()

    def reach(self) -> None:
        self.count += 1
        if self.count != self.place:
            return
        if self.how == "exit":
            os._exit(STOPPED)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def in_child(work: Callable[[], None]) -> int:
    """Do some work in a child process; its exit code."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 (the parent reads the exit code)
            traceback.print_exc(file=sys.stdout)
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_stopped(command: Command, root: Path, media: Path, place: int, how: str) -> None:
    stopper = Stopper(place, how, root)
    sa.event.listen(sa.Engine, "commit", stopper.on_commit)
    sys.addaudithook(stopper.on_audit)
    try:
        command.run(open_store(root), media)
    except (StopRun, OSError) as error:
        if stopper.count < place or how == "exit" or not _is_full(error):
            raise
    # A full disk at a place where nothing is lost by it does not end the command.
    if stopper.count >= place:
        os._exit(STOPPED)


def _is_full(error: BaseException) -> bool:
    causes = [error, error.__cause__, error.__context__]
    return any(isinstance(e, OSError) and e.errno == errno.ENOSPC for e in causes)


def snapshot(root: Path) -> dict[str, Any]:
    """Everything that lies below a root, and what its ledger holds beside locks of the dead."""
    held: dict[str, Any] = {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else "folder"
        for path in sorted(root.rglob("*"))
        if "ledger.sqlite" not in path.name
    }
    engine = sa.create_engine(f"sqlite:///{root}/ledger.sqlite")
    metadata = sa.MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        for table in metadata.sorted_tables:
            if table.name == "locks":
                continue
            columns = [column for column in table.columns if column.name not in VOLATILE]
            rows = connection.execute(sa.select(*columns)).all()
            held[f"ledger:{table.name}"] = sorted(map(repr, rows))
    return held


def differences(found: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    names = sorted(found.keys() | wanted.keys())
    return [
        f"{name}: {str(found.get(name))[:200]} instead of {str(wanted.get(name))[:200]}"
        for name in names
        if found.get(name) != wanted.get(name)
    ]


def main(name: str, how: str, folder: Path) -> int:
    command, media = COMMANDS[name], folder / "media"
    base, root = folder / "base", folder / "root"
    base.mkdir()
    in_child(lambda: command.before(open_store(base), media))

    def start(path: Path) -> Path:
        shutil.rmtree(path, ignore_errors=True)
        shutil.copytree(base, path)
        return path

    # In this process, so that its children find modules imported and statements compiled.
    command.run(open_store(start(root)), media)
    wanted = snapshot(root)
    for place in count(1):
        start(root)
        code = in_child(partial(run_stopped, command, root, media, place, how))
        if code == 0:
            break
        if code != STOPPED:
            sys.stdout.write(f"place {place}: ended with {code}\n")
            return 1
        # Stopped after its last write, a command says the second time that all is done.
        in_child(lambda: command.run(open_store(root), media))
        wrong = differences(snapshot(root), wanted)
        for line in wrong:
            sys.stdout.write(f"place {place}: {line}\n")
        if wrong:
            return 1
    sys.stdout.write(f"{place - 1}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
