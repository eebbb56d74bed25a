"""A form with a file is read the same however its bytes come, and nothing else is taken for one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, BinaryIO

import pytest
from starlette.datastructures import URL

from symmv_builder.web import uploads
from symmv_builder.web.guard import UPLOADS, Refused, Session
from symmv_builder.web.uploads import FormReader

BOUNDARY = "----form7"


def part(name: str, value: bytes, more: str = "") -> bytes:
    head = f'Content-Disposition: form-data; name="{name}"{more}\r\n'
    if more:
        head += "Content-Type: video/mp4\r\n"
    return f"--{BOUNDARY}\r\n{head}\r\n".encode() + value + b"\r\n"


END = f"--{BOUNDARY}--\r\n".encode()
# What nearly ends the part.
DATA = b"\r\n--" + f"\r\n--{BOUNDARY[:-1]}".encode() + b"\0\xff\r\n\r\n-" * 50 + b"\r\n-----"


class Kept(BytesIO):
    """A file whose bytes are there when it is closed."""


def read(data: bytes, step: int) -> tuple[dict[str, str], str, bytes]:
    file = Kept()
    seen: list[Mapping[str, str]] = []

    def opened(fields: Mapping[str, str]) -> BinaryIO:
        seen.append(dict(fields))
        return file

    reader = FormReader(BOUNDARY, opened)
    for place in range(0, len(data), step):
        reader.feed(data[place : place + step])
    found = reader.close()
    assert all(each.items() <= found.fields.items() for each in seen)
    return found.fields, found.filename, file.getvalue()


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 10**6])
def test_a_form_is_read_however_its_bytes_come(step: int) -> None:
    data = part("word", b"abc") + part("key", "\u00e9".encode())
    data += part("video", DATA, '; filename="a \xe9 b.mp4"') + part("late", b"") + END
    fields, filename, file = read(data, step)
    assert fields == {"word": "abc", "key": "\u00e9", "late": ""}
    assert filename == "a \u00e9 b.mp4"
    assert file == DATA


def test_no_file_is_no_file() -> None:
    assert read(part("video", b"", '; filename=""') + END, 5) == ({}, "", b"")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"--",
        b"x" * 100,
        END[:-4],
        part("word", b"abc"),
        part("word", b"abc")[:-2] + END,
        b"preamble\r\n" + part("word", b"abc") + END,
        part("word", b"abc").replace(b"form-data", b"attachment") + END,
        part("wo\r\nrd", b"abc") + END,
        part("WORD IN CAPITALS", b"abc") + END,
        part("word", b"x" * 9000) + END,
        b"".join(part(f"field{'x' * n}", b"") for n in range(41)) + END,
        f"--{BOUNDARY}\r\n".encode() + b"x" * 9000,
        part("a", b"1", '; filename="x"') + part("b", b"2", '; filename="y"') + END,
        part("a", b"bytes", '; filename=""') + END,
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    for step in (1, 10**6):
        with pytest.raises(Refused):
            read(data, step)


@dataclass
class Slow:
    """A request of which some bytes come, and then none."""

    data: bytes
    headers: Mapping[str, str] = field(
        default_factory=lambda: {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    )
    url: URL = field(default_factory=lambda: URL("/compose"))

    async def stream(self) -> AsyncIterator[bytes]:
        yield self.data
        await asyncio.sleep(5)


def test_a_form_of_which_nothing_more_comes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "_SILENCE_S", 0.01)
    session = Session("1", "", "abc", is_in=True)
    request: Any = Slow(part("word", b"abc"))
    with pytest.raises(Refused, match="nothing more"):
        asyncio.run(uploads.receive(request, session, lambda _: Kept()))
    monkeypatch.setitem(UPLOADS, "/compose", 10)
    with pytest.raises(Refused, match="at most 10 bytes"):
        asyncio.run(uploads.receive(request, session, lambda _: Kept()))
    monkeypatch.setattr(uploads, "_PATIENCE_S", 0.0)
    monkeypatch.setitem(UPLOADS, "/compose", 1000)
    with pytest.raises(Refused, match="took too long"):
        asyncio.run(uploads.receive(request, session, lambda _: Kept()))
    request.headers = {"content-type": "multipart/form-data"}
    with pytest.raises(Refused, match="no form of ours"):
        asyncio.run(uploads.receive(request, session, lambda _: Kept()))
