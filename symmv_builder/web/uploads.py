"""A form with a file: read piece by piece, its fields first, its file straight to its place.

The form of ours says its word before its file comes, so that nothing of what another site sends
is ever stored. Names of files are texts; where the bytes go is the caller's matter.
"""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

from fastapi import Request

from symmv_builder.text import clean_line
from symmv_builder.web.guard import UPLOADS, Refused, Session, is_word

_MOST_FIELDS, _MOST_FIELD_BYTES, _MOST_HEAD_BYTES = 40, 8 * 1024, 4 * 1024
# How long a form may take, and how long nothing may come of it.
_PATIENCE_S, _SILENCE_S = 1800.0, 30.0
_BOUNDARY = re.compile(r"boundary=\"?([0-9A-Za-z'()+_,./:=?-]{1,70})\"?\s*$")
_PART = re.compile(
    rb'content-disposition: form-data; name="([a-z_]{1,40})"(?:; filename="([^\r\n]*)")?'
    rb"(?:\r\n|$)",
    re.IGNORECASE,
)


@dataclass
class Upload:
    """What a form says: its fields, and what its file is called where it has one."""

    fields: dict[str, str] = field(default_factory=dict)
    filename: str = ""


class FormReader:
    """Reads multipart/form-data (RFC 7578) as it comes; `Refused` for what is no form of ours.

    `open_file` is asked with the fields before the file where its bytes go; one file is taken, and
    a field for a file in which none was chosen is none.
    """

    def __init__(self, boundary: str, open_file: Callable[[Mapping[str, str]], BinaryIO]) -> None:
        self.upload = Upload()
        self._open_file = open_file
        self._mark = b"\r\n--" + boundary.encode()
        # As if a line had ended before: so the first mark is found as all others are.
        self._rest = b"\r\n"
        self._step: Callable[[], bool] = self._before
        self._name, self._value = "", b""
        self._file: BinaryIO | None = None
        self._has_file = False

    def feed(self, data: bytes) -> None:
        self._rest += data
        while self._step():
            pass

    def close(self) -> Upload:
        """What was read; `Refused` where the form did not come to its end."""
        if self._step != self._over:
            raise Refused(400, "the form did not come to its end")
        return self.upload

    def _before(self) -> bool:
        if len(self._rest) < len(self._mark):
            return False
        if not self._rest.startswith(self._mark):
            raise Refused(400, "this is no form of ours")
        self._rest = self._rest[len(self._mark) :]
        self._step = self._marked
        return True

    def _marked(self) -> bool:
        """Behind a mark: another part, or the end."""
        if len(self._rest) < 2:
            return False
        ends, self._rest = self._rest[:2], self._rest[2:]
        if ends not in (b"--", b"\r\n"):
            raise Refused(400, "this is no form of ours")
        self._step = self._over if ends == b"--" else self._head
        return True

    def _head(self) -> bool:
        head, mark, rest = self._rest.partition(b"\r\n\r\n")
        if not mark:
            if len(self._rest) > _MOST_HEAD_BYTES:
                raise Refused(400, "this is no form of ours")
            return False
        match = _PART.match(head)
        if match is None or len(head) > _MOST_HEAD_BYTES:
            raise Refused(400, "this is no form of ours")
        self._name, self._value, self._rest = match[1].decode(), b"", rest
        if match[2] is None:
            self._step = self._field
        else:
            self._begin_file(match[2])
        return True

    def _begin_file(self, filename: bytes) -> None:
        if self._has_file:
            raise Refused(400, "a form brings one file")
        self._step = self._bytes
        if filename:
            self._has_file = True
            # Browsers write a quotation mark so (HTML, multipart form data).
            named = filename.decode("utf-8", "replace").replace("%22", '"')
            self.upload.filename = clean_line(named)
            self._file = self._open_file(self.upload.fields)

    def _field(self) -> bool:
        data, is_whole = self._taken()
        self._value += data
        if len(self._value) > _MOST_FIELD_BYTES or len(self.upload.fields) >= _MOST_FIELDS:
            raise Refused(413, "a field of this form is too large, or there are too many")
        if is_whole:
            self.upload.fields[self._name] = self._value.decode("utf-8", "replace")
        return is_whole

    def _bytes(self) -> bool:
        data, is_whole = self._taken()
        if self._file is not None:
            self._file.write(data)
        elif data:
            raise Refused(400, "a file without a name is none of ours")
        if is_whole:
            self._file = None
        return is_whole

    def _taken(self) -> tuple[bytes, bool]:
        """What of the part is there, and whether that is its end."""
        at = self._rest.find(self._mark)
        if at >= 0:
            data, self._rest = self._rest[:at], self._rest[at + len(self._mark) :]
            self._step = self._marked
            return data, True
        # What may be the beginning of a mark stays.
        sure = max(0, len(self._rest) - len(self._mark) + 1)
        data, self._rest = self._rest[:sure], self._rest[sure:]
        return data, False

    def _over(self) -> bool:
        # Nothing behind the end counts.
        self._rest = b""
        return False


async def receive(
    request: Request, session: Session, open_file: Callable[[Mapping[str, str]], BinaryIO]
) -> Upload:
    """The form of a request that a page of ours sent, its file written where `open_file` says.

    `Refused` for one of another page or browser, and for one that is too large or too slow.
    """
    match = _BOUNDARY.search(request.headers.get("content-type", ""))
    if match is None:
        raise Refused(400, "this is no form of ours")

    def opened(fields: Mapping[str, str]) -> BinaryIO:
        _check_word(fields, session)
        return open_file(fields)

    reader, most = FormReader(match[1], opened), UPLOADS[request.url.path]
    until, size, chunks = time.monotonic() + _PATIENCE_S, 0, request.stream()
    while True:
        try:
            data = await asyncio.wait_for(anext(chunks), _SILENCE_S)
        except StopAsyncIteration:
            break
        except TimeoutError:
            raise Refused(408, "nothing more of this form came") from None
        size += len(data)
        if size > most:
            raise Refused(413, f"a form has at most {most} bytes")
        if time.monotonic() > until:
            raise Refused(408, "this form took too long")
        reader.feed(data)
    upload = reader.close()
    _check_word(upload.fields, session)
    return upload


def _check_word(fields: Mapping[str, str], session: Session) -> None:
    if not is_word(fields.get("word", ""), session):
        raise Refused(403, "this form is out of date: open the page again")
