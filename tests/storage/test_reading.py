"""A ledger is read as it lies: nothing is written, on whatever file system that is."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from symmv_builder.errors import StopRun
from symmv_builder.records import Listing, Source
from symmv_builder.settings import read_settings
from symmv_builder.storage.items import Item, Items
from symmv_builder.storage.ledger import Ledger, Result

RESULT = Result("a", "notes", "notes", "k1", "basic_pitch", 1.0)
# Opened in a process of its own: what a killed writer leaves is a log that nobody has folded in.
WRITE_AND_DIE = """
import os, sys
from symmv_builder.storage.ledger import Ledger, Result
ledger = Ledger(sys.argv[1])
ledger.record_results("symmv", [Result("a", "notes", "notes", "k1", "basic_pitch", 1.0)])
os._exit(0)
"""
# Everything is imported before: the other user may not be able to read the environment.
READ_AS_NOBODY = """
import json, os, sys
from symmv_builder.storage.ledger import Ledger
Ledger("sqlite://", read_only=True).datasets()
os.setgroups([]); os.setgid(65534); os.setuid(65534)
print(json.dumps([r.entry_id for r in Ledger(sys.argv[1], read_only=True).results("symmv")]))
"""

Mount = Callable[..., Path]


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/ledger.sqlite"


def write(folder: Path) -> None:
    ledger = Ledger(url_of(folder))
    ledger.record_results("symmv", [RESULT])
    ledger.close()


def write_and_die(folder: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, url_of(folder)], check=True)
    assert (folder / "ledger.sqlite-wal").stat().st_size > 0


def read(folder: Path) -> list[Result]:
    ledger = Ledger(url_of(folder), read_only=True)
    try:
        return ledger.results("symmv")
    finally:
        ledger.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a small file system of its own at a folder; needs the right to do so."""
    made: list[Path] = []

    def on(folder: Path, *options: str) -> Path:
        folder.mkdir(exist_ok=True)
        call = ["mount", *options, str(folder)]
        done = subprocess.run(call, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no right to mount: {done.stderr.strip()}")
        if folder not in made:
            made.append(folder)
        return folder

    try:
        yield on
    finally:
        for folder in reversed(made):
            subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_what_was_written_is_read_and_nothing_else_changes(tmp_path: Path) -> None:
    write(tmp_path)
    before = (tmp_path / "ledger.sqlite").read_bytes()
    assert read(tmp_path) == [RESULT]
    assert (tmp_path / "ledger.sqlite").read_bytes() == before


def test_a_reader_sees_what_a_writer_committed_meanwhile(tmp_path: Path) -> None:
    writer, reader = Ledger(url_of(tmp_path)), Ledger(url_of(tmp_path), read_only=True)
    assert reader.results("symmv") == []
    writer.record_results("symmv", [RESULT])
    assert reader.results("symmv") == [RESULT]


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    write(tmp_path)
    with pytest.raises(StopRun, match="readonly"):
        Ledger(url_of(tmp_path), read_only=True).record_results("symmv", [RESULT])


def test_a_ledger_that_is_not_there_knows_nothing_and_is_not_made(tmp_path: Path) -> None:
    ledger = Ledger(url_of(tmp_path / "nothing"), read_only=True)
    assert ledger.results("symmv") == []
    assert Items(ledger).find("symmv") == []
    assert list(tmp_path.iterdir()) == []
    store = read_settings({}, root=str(tmp_path / "root")).open_store(read_only=True)
    assert store.ledger.datasets() == []
    assert list(tmp_path.iterdir()) == []


def test_tables_that_a_ledger_lacks_are_empty_and_those_that_it_has_are_read(
    tmp_path: Path,
) -> None:
    write(tmp_path)
    assert Items(Ledger(url_of(tmp_path), read_only=True)).find("symmv") == []
    item = Item("symmv", Listing(Source("youtube", "a" * 11), "title"), "channel:x")
    Items(Ledger(url_of(tmp_path))).add([item])
    assert Items(Ledger(url_of(tmp_path), read_only=True)).find("symmv") == [item]


def test_what_is_no_database_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(StopRun, match="not a database"):
        read(tmp_path)


@pytest.mark.parametrize("make", [write, write_and_die])
def test_a_read_only_file_system_is_read_with_what_the_log_holds(
    tmp_path: Path, mount: Mount, make: Callable[[Path], None]
) -> None:
    folder = mount(tmp_path / "disk", "-t", "tmpfs", "tmpfs")
    make(folder)
    (folder / "ledger.sqlite-shm").unlink(missing_ok=True)
    mount(folder, "-o", "remount,ro")
    before = contents(folder)
    assert read(folder) == [RESULT]
    assert contents(folder) == before


@pytest.mark.parametrize("make", [write, write_and_die])
def test_a_full_disk_is_read_with_what_the_log_holds(
    tmp_path: Path, mount: Mount, make: Callable[[Path], None]
) -> None:
    folder = mount(tmp_path / "disk", "-t", "tmpfs", "-o", "size=1m", "tmpfs")
    make(folder)
    (folder / "ledger.sqlite-shm").unlink(missing_ok=True)
    with (folder / "filler").open("wb", buffering=0) as filler, pytest.raises(OSError):
        while True:
            filler.write(bytes(4096))
    assert read(folder) == [RESULT]


@pytest.mark.parametrize("make", [write, write_and_die])
@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_who_may_not_write_reads(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path)
    (tmp_path / "ledger.sqlite-shm").unlink(missing_ok=True)
    for folder in (tmp_path, *tmp_path.parents):
        if not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    tmp_path.chmod(0o555)
    before = contents(tmp_path)
    call = [sys.executable, "-c", READ_AS_NOBODY, url_of(tmp_path)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert json.loads(done.stdout) == ["a"]
    assert contents(tmp_path) == before
