"""The data root: whole files or nothing, on a disk and in memory alike."""

import errno
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from symmv_builder.errors import StopRun
from symmv_builder.storage.processes import machine
from symmv_builder.storage.root import Root


@pytest.fixture(params=["local", "memory"])
def root(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Root]:
    """A root of each kind; nothing of it is left when the test ends."""
    if request.param == "local":
        yield Root(str(tmp_path / "data"))
        return
    yield Root("memory://symmv-tests")
    memory = fsspec.filesystem("memory")
    if memory.exists("/symmv-tests"):
        memory.rm("/symmv-tests", recursive=True)


def test_what_is_written_is_read_back_and_overwritten(root: Root) -> None:
    root.write("a/b.bin", b"one")
    root.write("a/b.bin", b"two")
    assert root.read("a/b.bin") == b"two"
    assert root.exists("a/b.bin")
    with root.as_local("a/b.bin") as path:
        assert path.read_bytes() == b"two"


def test_what_is_not_there_is_none_or_nothing_and_no_error(root: Root) -> None:
    assert root.read("a/b.bin") is None
    assert not root.exists("a/b.bin")
    assert root.names("a") == []
    root.remove("a/b.bin")


def test_names_are_the_files_of_one_folder_in_order(root: Root) -> None:
    for name in ("a/z", "a/b", "a/c", "x/y"):
        root.write(name, b"")
    assert root.names("a") == ["b", "c", "z"]
    root.remove("a/c")
    assert root.names("a") == ["b", "z"]


def test_a_folder_is_no_file_of_its_folder(root: Root) -> None:
    root.write("a/b", b"")
    root.write("a/folder/c", b"")
    assert root.names("a") == ["b"]


def test_replacing_puts_the_file_in_place_when_the_block_ends(root: Root) -> None:
    with root.replacing("a/b") as temporary:
        temporary.write_bytes(b"whole")
        assert not root.exists("a/b")
        assert root.names("a") == []
    assert root.read("a/b") == b"whole"
    assert not temporary.exists()


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_whoever_stops_in_the_middle_leaves_what_was_there(
    root: Root, error: type[BaseException]
) -> None:
    root.write("a/b", b"before")

    def write_half() -> None:
        with root.replacing("a/b") as temporary:
            temporary.write_bytes(b"hal")
            raise error

    with pytest.raises(error):
        write_half()
    assert root.read("a/b") == b"before"
    assert root.names("a") == ["b"]


def test_what_a_killed_process_leaves_is_not_taken_for_a_file(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    root.write("a/b", b"whole")
    (tmp_path / "a" / ".part-x7k2").write_bytes(b"hal")
    assert root.names("a") == ["b"]


@pytest.mark.parametrize(
    ("code", "words"),
    [(errno.ENOSPC, "disk is full"), (errno.EDQUOT, "quota"), (errno.EROFS, "read-only")],
)
def test_a_full_disk_stops_the_run_with_the_folder_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, words: str
) -> None:
    root = Root(str(tmp_path))
    root.write("a/b", b"before")

    def refuse(handle: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StopRun, match=words) as caught:
        root.write("a/b", b"after")
    assert str(tmp_path) in str(caught.value)
    assert root.read("a/b") == b"before"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b"]


def test_a_disk_that_is_failing_stops_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(handle: int) -> None:
        raise OSError(errno.EIO, "input/output error")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(StopRun, match="input/output"):
        Root(str(tmp_path)).write("a", b"")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_read_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with pytest.raises(StopRun, match="cannot read"):
        Root(str(tmp_path)).read("a")


def test_a_url_that_nothing_can_open_stops_the_run() -> None:
    with pytest.raises(StopRun, match="gopher"):
        Root("gopher://host/folder")


def test_a_root_in_a_place_that_is_a_file_stops_the_run(tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"a file")
    with pytest.raises(StopRun, match="data"):
        Root(str(tmp_path / "data")).write("a", b"")


BEGIN_AND_DIE = """
import os, sys
from symmv_builder.storage.root import Root
writing = Root(sys.argv[1]).replacing(sys.argv[2])
writing.__enter__().write_bytes(b"half")
os._exit(0)
"""


def begin_and_die(folder: Path, name: str) -> Path:
    """What a writer leaves that is killed in the middle."""
    subprocess.run([sys.executable, "-c", BEGIN_AND_DIE, str(folder), name], check=True)
    [path] = (folder / name).parent.glob(".part-*")
    return path


def test_what_a_dead_process_left_is_cleared_at_once_and_others_work_on(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    root.write("folder/kept", b"x")
    left = begin_and_die(tmp_path, "folder/big")
    with root.replacing("folder/mine") as mine:
        mine.write_bytes(b"whole")
        root.sweep("folder")
        assert not left.exists()
        assert mine.exists()
    assert root.names("folder") == ["kept", "mine"]


def test_what_another_machine_left_is_cleared_after_an_hour(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    folder = tmp_path / "folder"
    folder.mkdir()
    names = [".part-old", ".part-00000000-1-x7k2", f".part-{machine()}-{os.getpid()}-x7k2"]
    for name in names:
        (folder / name).write_bytes(b"half")
    root.sweep("folder")
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    for name in names:
        os.utime(folder / name, (time.time() - 3700, time.time() - 3700))
    root.sweep("folder")
    assert list(folder.iterdir()) == []


def test_a_whole_tree_is_swept_and_links_are_not_followed(tmp_path: Path) -> None:
    root, elsewhere = Root(str(tmp_path / "root")), tmp_path / "elsewhere"
    root.write("assets/ab/kept", b"x")
    elsewhere.mkdir()
    (elsewhere / ".part-old").write_bytes(b"not ours")
    os.utime(elsewhere / ".part-old", (0, 0))
    (tmp_path / "root" / "link").symlink_to(elsewhere)
    left = [begin_and_die(tmp_path / "root", name) for name in ("assets/ab/x", "a/b/c/d", "top")]
    assert root.sweep_all() == (3, 12)
    assert not any(path.exists() for path in left)
    assert (elsewhere / ".part-old").exists()
    assert root.read("assets/ab/kept") == b"x"
    assert root.sweep_all("nowhere") == (0, 0)


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        Root(str(tmp_path)).write("a/b", b"x")
        with Root(str(tmp_path)).replacing("a/c") as temporary:
            temporary.write_bytes(b"y")
            assert temporary.stat().st_mode & 0o777 == mode
    finally:
        os.umask(before)
    for name in ("a/b", "a/c"):
        assert (tmp_path / name).stat().st_mode & 0o777 == mode


def test_what_waits_for_an_upload_is_read_by_its_owner_alone() -> None:
    before = os.umask(0)
    try:
        with Root("memory://symmv-private").replacing("a/b") as temporary:
            assert temporary.stat().st_mode & 0o777 == 0o600
            temporary.write_bytes(b"x")
    finally:
        os.umask(before)


def test_files_and_folders_below_a_folder_are_listed(root: Root) -> None:
    for name in ("a/x/1", "a/x/22", "a/y/333", "b/4"):
        root.write(name, b"." * int(name[-1]))
    assert sorted(root.walk("a")) == [("a/x/1", 1), ("a/x/22", 2), ("a/y/333", 3)]
    assert root.folders("a") == ["x", "y"]
    assert root.folders("nowhere") == []
    assert list(root.walk("nowhere")) == []


def test_a_folder_is_removed_with_those_that_it_leaves_empty(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    root.write("a/kept", b"x")
    (tmp_path / "a/b/c").mkdir(parents=True)
    assert list(root.empty_folders("a")) == ["a/b/c"]
    root.remove_folder("a/b/c")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["kept"]


def test_parts_of_a_remote_file_are_read_by_two_readers_at_once() -> None:
    root = Root("memory://symmv-ranges")
    root.write("a/parts", bytes(range(100)))
    with root.as_ranges("a/parts") as one, root.as_ranges("a/parts") as other:
        assert not isinstance(one, Path)
        assert not isinstance(other, Path)
        assert one.seek(10) == 10
        assert other.seek(-5, os.SEEK_END) == 95
        assert one.read(3) == bytes([10, 11, 12])
        assert other.read(50) == bytes(range(95, 100))
        assert other.read(1) == b""
        assert one.tell() == 13
        assert one.read() == bytes(range(13, 100))
    with pytest.raises(FileNotFoundError), root.as_ranges("a/nothing"):
        pass


def test_parts_of_a_local_file_are_read_by_its_path(tmp_path: Path) -> None:
    with Root(str(tmp_path)).as_ranges("a/parts") as path:
        assert path == tmp_path / "a/parts"


def test_a_root_that_was_seen_is_never_made_anew(tmp_path: Path) -> None:
    root = Root(str(tmp_path / "data"))
    root.write("a/b", b"one")
    root.check()
    root.write("new/folder/c", b"two")
    (tmp_path / "data").rename(tmp_path / "away")
    with pytest.raises(StopRun, match="is gone"):
        root.check()
    with pytest.raises(StopRun, match="is gone"):
        root.write("a/b", b"three")
    assert not (tmp_path / "data").exists()
    (tmp_path / "data").mkdir()
    with pytest.raises(StopRun, match="another folder came"):
        root.write("a/b", b"three")
    (tmp_path / "data").rmdir()
    (tmp_path / "away").rename(tmp_path / "data")
    root.check()
    assert root.read("new/folder/c") == b"two"


def test_a_root_in_memory_always_stands(root: Root) -> None:
    root.write("a", b"")
    root.check()
