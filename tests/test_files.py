"""Which files of a folder count, and text of any encoding."""

import json
import os
import socket
from pathlib import Path

import pytest

from symmv_builder.errors import StopRun
from symmv_builder.files import Folder, parse_json, read_json
from symmv_builder.text import clean_line, clean_text


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file, links within and out of the folder, a loop, a pipe and a socket."""
    inside, outside = tmp_path / "in", tmp_path / "out"
    (inside / "sub").mkdir(parents=True)
    outside.mkdir()
    for path in (inside / "a.mid", inside / "sub" / "b.mid", outside / "secret.mid"):
        path.write_bytes(b"x")
    links = {
        "again.mid": "a.mid", "up.mid": "sub/../a.mid", "secret.mid": "../out/secret.mid",
        "absolute.mid": str(outside / "secret.mid"), "there": "../out", "within": "sub",
        "round": "round", "gone.mid": "nothing.mid", "self": ".",
    }  # fmt: skip
    for name, target in links.items():
        (inside / name).symlink_to(target)
    os.mkfifo(inside / "pipe.mid")
    return inside


def test_links_out_of_a_folder_pipes_and_sockets_do_not_count(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    with socket.socket(socket.AF_UNIX) as place:
        place.bind("socket.mid")
        handed_in = Folder(folder)
        names = [path.relative_to(folder).as_posix() for path in handed_in.files()]
    assert names == ["a.mid", "again.mid", "sub/b.mid", "up.mid"]
    said = {Path(line.split()[0]).name: line for line in handed_in.left_out}
    assert set(said) == {
        "secret.mid", "absolute.mid", "there", "round", "gone.mid", "pipe.mid", "socket.mid"
    }  # fmt: skip
    assert "leads out of the folder" in said["there"]
    assert "pipe" in said["pipe.mid"]


def test_a_folder_may_be_reached_through_a_link(folder: Path) -> None:
    (folder.parent / "link").symlink_to(folder)
    handed_in = Folder(folder.parent / "link")
    assert handed_in.holds(folder.parent / "link" / "a.mid")
    assert not handed_in.holds(folder.parent / "link" / "secret.mid")


def test_json_that_is_nested_too_deeply_is_one_line(tmp_path: Path) -> None:
    for text in ("[" * 200_000, '{"a":' * 200_000, "{", "\ufffe", ""):
        with pytest.raises(ValueError, match=r"."):
            parse_json(text)
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(StopRun, match=r"x\.json: this is not JSON"):
            read_json(tmp_path / "x.json")


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("caf\udce9", "caf\ufffd"), ("\ud800x", "\ufffdx"), ("a\0b", "ab"), ("\x1b[31m", "[31m"),
        ("e\u0301 \u00e9", "e\u0301 \u00e9"), ("two\n\tlines", "two\n\tlines"), ("\x9b", ""),
        ("\U0001f600", "\U0001f600"),
    ],
)  # fmt: skip
def test_text_becomes_what_everything_can_store(text: str, clean: str) -> None:
    assert clean_text(text) == clean
    assert json.loads(json.dumps(clean).encode()) == clean_text(clean) == clean
    clean_text(text).encode()


def test_a_line_has_no_line_breaks() -> None:
    assert clean_line(" two\r\n lines\x00 ") == "two lines"
