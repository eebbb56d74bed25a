"""The data root: whole files or nothing, on a disk and in memory alike."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from symmv_builder.errors import StopRun
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


def test_what_a_killed_writer_left_is_cleared_when_it_is_old(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    root.write("folder/kept", b"x")
    old, new = tmp_path / "folder" / ".part-old", tmp_path / "folder" / ".part-new"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    root.sweep("folder")
    assert not old.exists()
    assert new.exists()
    assert root.read("folder/kept") == b"x"


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
