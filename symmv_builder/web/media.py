"""A recording as an answer: whole, or the range of it that a player asks for."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from fastapi import Response
from fastapi.responses import StreamingResponse

from symmv_builder.api.browsing import Media

_PIECE_BYTES = 2**18
_RANGE = re.compile(r"bytes=(\d{0,15})-(\d{0,15})")


def ranged(data: bytes, kind: str, byte_range: str | None) -> Response:
    """Bytes that are here, as `answer` gives those of a recording."""
    return _answer(len(data), kind, byte_range, lambda first, last: iter([data[first : last + 1]]))


def answer(media: Media, byte_range: str | None) -> Response:
    """The bytes of a recording; 206 for one range, 416 where it lies outside, 415 for no medium.

    Several ranges, and units that are not bytes, are answered with the whole, as HTTP allows.
    """
    if not media.type:
        return Response("no browser plays this recording\n", 415, media_type="text/plain")
    return _answer(media.size_bytes, media.type, byte_range, media.pieces)


def filed(path: Path, kind: str, byte_range: str | None, name: str = "") -> Response:
    """A file of ours, as `answer` gives a recording; with a `name`, one to be kept under it."""

    def pieces(first: int, last: int) -> Iterator[bytes]:
        with path.open("rb") as file:
            file.seek(first)
            remaining = last - first + 1
            while remaining > 0 and (data := file.read(min(_PIECE_BYTES, remaining))):
                remaining -= len(data)
                yield data

    response = _answer(path.stat().st_size, kind, byte_range, pieces)
    if name:
        response.headers["content-disposition"] = f'attachment; filename="{name}"'
    return response


def _answer(
    size: int, kind: str, byte_range: str | None, pieces: Callable[[int, int], Iterator[bytes]]
) -> Response:
    headers = {"accept-ranges": "bytes", "content-disposition": "inline"}
    match = _RANGE.fullmatch(byte_range or "")
    span = span_of(match[1], match[2], size) if match else None
    if match and span is None:
        headers["content-range"] = f"bytes */{size}"
        return Response(status_code=416, headers=headers)
    first, last = span or (0, size - 1)
    headers["content-length"] = str(last - first + 1)
    if span:
        headers["content-range"] = f"bytes {first}-{last}/{size}"
    status = 206 if span else 200
    return StreamingResponse(pieces(first, last), status, headers, kind)


def span_of(first: str, last: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a range as it is written; `None` where there are none.

    >>> span_of("2", "", 10), span_of("", "3", 10), span_of("10", "", 10)
    ((2, 9), (7, 9), None)
    """
    if not first:
        return (max(0, size - int(last)), size - 1) if last and int(last) and size else None
    start, end = int(first), min(int(last), size - 1) if last else size - 1
    return (start, end) if start <= end else None
