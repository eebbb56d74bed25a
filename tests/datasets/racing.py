"""One of several commands that start at once: ``python racing.py WHAT NUMBER ROOT MEDIA [wait]``.

Waits for a file `go` beside the root, does its work and ends as the command line does: with 0
where all of it is done, with 2 and a line where it is not.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import stopping

from symmv_builder.datasets import changes
from symmv_builder.datasets.propose import promote
from symmv_builder.datasets.release import release
from symmv_builder.datasets.takedown import take_down
from symmv_builder.errors import StopRun
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Items
from symmv_builder.storage.store import Store


def _take_down(store: Store, media: Path, number: int, *, wait: bool) -> None:
    take_down(store, "toy", f"clip{number}", "asked", wait=wait)


def _promote(store: Store, media: Path, number: int, *, wait: bool) -> None:
    entry_id = states.entry_id_of(stopping.cover(number))
    promote(Items(store.ledger), store, "toy", [entry_id], above=None, wait=wait)


def _release(store: Store, media: Path, number: int, *, wait: bool) -> None:
    release(store, "toy", f"2.{number}.0", wait=wait)


def _build(store: Store, media: Path, number: int, *, wait: bool) -> None:
    with changes.writing(store, "toy", wait=wait):
        stopping.take_in_and_build(store, media)


def _import(store: Store, media: Path, number: int, *, wait: bool) -> None:
    with changes.writing(store, "toy", wait=wait):
        stopping.import_songs(store, media)


COMMANDS: dict[str, Callable[..., None]] = {
    "takedown": _take_down,
    "promote": _promote,
    "release": _release,
    "build": _build,
    "import": _import,
}


def main(what: str, number: str, root: str, media: str, *wait: str) -> int:
    while not Path(root).with_name("go").exists():
        time.sleep(0.002)
    try:
        store = stopping.open_store(Path(root))
        COMMANDS[what](store, Path(media), int(number), wait=bool(wait))
    except StopRun as error:
        sys.stderr.write(f"symmv: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
