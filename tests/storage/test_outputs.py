"""A person's files: what may be written where, and sets that take their places together."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from symmv_builder.errors import StopRun
from symmv_builder.storage.outputs import (
    check_outputs,
    finish_set,
    is_made,
    replacing_file,
    replacing_set,
    write_receipt,
)

# A program that writes a set of two files and stops at the Nth call that changes a folder.
STOPPED = """
import os, sys
from pathlib import Path
from symmv_builder.storage.outputs import replacing_set, write_receipt

folder, text, stop = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
calls = 0

def counted(real):
    def call(*given, **named):
        global calls
        calls += 1
        if calls == stop:
            os._exit(9)
        return real(*given, **named)
    return call

for name in ("mkdir", "rename", "replace", "unlink", "rmdir", "fsync"):
    setattr(os, name, counted(getattr(os, name)))
for name in ("write_text",):
    setattr(Path, name, counted(getattr(Path, name)))
with replacing_set(folder, "song") as staging:
    (staging / "song.mid").write_text(text + " notes")
    (staging / "song.wav").write_text(text + " sound")
    write_receipt(staging, "song", {"text": text})
"""


def write_set(folder: Path, text: str, kinds: tuple[str, ...] = ("mid", "wav")) -> None:
    with replacing_set(folder, "song") as staging:
        for kind in kinds:
            (staging / f"song.{kind}").write_text(f"{text} {kind}")
        write_receipt(staging, "song", {"text": text})


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def stopped(folder: Path, text: str, at: int) -> int:
    words = [sys.executable, "-c", STOPPED, str(folder), text, str(at)]
    return subprocess.run(words, check=False, timeout=60).returncode


@pytest.mark.slow
def test_a_set_that_is_stopped_anywhere_is_the_old_one_or_the_new_one(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    assert stopped(old, "old", 0) == 0
    assert stopped(new, "new", 0) == 0
    at, ended = 0, set()
    while True:
        at += 1
        folder = tmp_path / f"stopped-{at}"
        assert stopped(folder, "old", 0) == 0
        code = stopped(folder, "new", at)
        finish_set(folder, "song")
        left = contents(folder)
        assert left in (contents(old), contents(new))
        ended.add(left == contents(new))
        write_set(folder, "last")
        assert len(contents(folder)) == 3
        assert [path.name for path in folder.iterdir() if path.is_dir()] == []
        if code == 0:
            break
        assert code == 9
    assert at > 8
    assert ended == {True, False}


def test_a_set_of_fewer_files_leaves_none_of_the_one_before(tmp_path: Path) -> None:
    write_set(tmp_path, "one", ("mid", "wav", "mp4"))
    (tmp_path / "song.txt").write_text("a person's own")
    write_set(tmp_path, "two", ("mid",))
    assert sorted(contents(tmp_path)) == ["song.json", "song.mid", "song.txt"]


def test_an_error_while_writing_leaves_everything_as_it_was(tmp_path: Path) -> None:
    write_set(tmp_path, "one")
    before = contents(tmp_path)
    with suppress(ZeroDivisionError), replacing_set(tmp_path, "song") as staging:
        (staging / "song.mid").write_text("half")
        raise ZeroDivisionError
    assert contents(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == 3


def test_a_writer_that_is_alive_is_left_alone(tmp_path: Path) -> None:
    with replacing_set(tmp_path, "song") as staging:
        finish_set(tmp_path, "song")
        assert staging.is_dir()
        (staging / "song.mid").write_text("notes")
        write_receipt(staging, "song", {})
    assert sorted(contents(tmp_path)) == ["song.json", "song.mid"]


def test_a_finished_set_of_somebody_else_is_not_moved(tmp_path: Path) -> None:
    ready = tmp_path / ".song.ready"
    ready.mkdir()
    (ready / "song.mid").write_text("whose?")
    with pytest.raises(StopRun, match="holds what was not made by this command"):
        finish_set(tmp_path, "song")
    (ready / "song.json").write_text(json.dumps({"files": {"song.mid": "0" * 64}}))
    with pytest.raises(StopRun, match="holds what was not made by this command"):
        finish_set(tmp_path, "song")
    assert not (tmp_path / "song.mid").exists()


@pytest.mark.parametrize(
    "text",
    ["", "[" * 200_000, "[]", "null", '{"files": 3}', '{"files": {"../x": "0"}}', "\xff\xfe"],
)
def test_what_is_no_receipt_says_of_no_file_that_it_is_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "song.json").write_text(text, encoding="latin-1")
    (tmp_path / "song.mid").write_text("notes")
    made = is_made(tmp_path / "song.json")
    assert not made(tmp_path / "song.mid")
    assert not made(tmp_path / "song.json")


def others(folder: Path) -> Iterator[tuple[Path, list[Path], str]]:
    """An output, the inputs, and what is said of it."""
    given = folder / "given.mp4"
    given.write_text("read")
    for name, link in (("same", os.link), ("linked", os.symlink)):
        link(given, folder / name)
        yield folder / name, [given], "would take the place of"
    yield given, [given], "would take the place of"
    yield folder / "sub" / ".." / "given.mp4", [given], "would take the place of"
    (folder / "sub").mkdir()
    yield folder / "sub", [], "a folder stands in its place"
    yield given / "x.json", [], "a file stands in the place of a folder"
    yield given / "deep" / "x.json", [], "a file stands in the place of a folder"
    yield folder / "same", [], "is there already"
    (folder / "dangling").symlink_to(folder / "nowhere")
    yield folder / "dangling", [], "is there already"


def test_outputs_that_may_not_be_written_are_one_line(tmp_path: Path) -> None:
    for output, inputs, line in others(tmp_path):
        with pytest.raises(StopRun, match=line) as caught:
            check_outputs([tmp_path / "fine.json", output], inputs=inputs)
        assert "\n" not in str(caught.value)
    with pytest.raises(StopRun, match="was not made by this command"):
        check_outputs([tmp_path / "same"], is_ours=lambda _: False)
    check_outputs([tmp_path / "fine.json", tmp_path / "new" / "fine.json"])
    check_outputs([tmp_path / "same", tmp_path / "dangling"], overwrite=True)


def test_what_is_written_over_a_link_leaves_its_target_alone(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("kept")
    (tmp_path / "out.json").symlink_to(target)
    with replacing_file(tmp_path / "out.json") as temporary:
        assert temporary.parent == tmp_path
        temporary.write_text("new")
    assert target.read_text() == "kept"
    assert (tmp_path / "out.json").read_text() == "new"
    assert not (tmp_path / "out.json").is_symlink()


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with replacing_file(tmp_path / "one.json") as temporary:
            temporary.write_text("1")
        write_set(tmp_path, "one")
    finally:
        os.umask(before)
    for name in ("one.json", "song.mid", "song.json"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o640
