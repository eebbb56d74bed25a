"""Files that other people made: which of them may be read, their bytes, text and JSON.

A folder that is taken in may come from anyone. A link in it that leads out of it would copy
a private file of the user into a dataset, and a named pipe would be waited for without end:
`Folder` is the one place that decides which files count.
"""

import json
import os
import stat
from pathlib import Path
from typing import Any

from symmv_builder.errors import CannotRead, MalformedFile
from symmv_builder.text import clean_line

MAX_BYTES = 64 << 20


class Folder:
    """A folder that somebody hands over. `left_out` are lines for people on what was refused.

    A file counts if it is a regular one that lies in the folder. A link to such a file counts
    as a file of its own; a link that leads elsewhere does not. Linked folders are not entered
    by `files`: what lies in the folder is found at its own place.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.left_out: list[str] = []
        self._real = Path(os.path.realpath(path))

    def files(self) -> list[Path]:
        """List every file that counts, at any depth, sorted by path."""
        files, places = [], [self.path]
        while places:
            place = places.pop()
            try:
                with os.scandir(place) as listing:
                    items = sorted(listing, key=lambda item: item.name)
            except OSError as error:
                self._refuse(place, f"cannot be read: {error.strerror}")
                continue
            for item in items:
                path = place / item.name
                if item.is_dir(follow_symlinks=False):
                    places.append(path)
                elif item.is_file(follow_symlinks=False) or self.holds(path):
                    files.append(path)
        return sorted(files)

    def holds(self, path: Path) -> bool:
        """Check whether a path below the folder is a file that counts.

        What is not there, and a folder within, is passed over; anything else that does not
        count is named in `left_out`.
        """
        if not os.path.lexists(path):
            return False
        try:
            real = path.resolve(strict=True)
            kind = real.stat().st_mode
        except (OSError, RuntimeError):
            self._refuse(path, "is a link to nothing")
            return False
        if not real.is_relative_to(self._real):
            self._refuse(path, "leads out of the folder: links are not followed there")
        elif not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
            self._refuse(path, "is a device, pipe or socket and no file")
        else:
            return stat.S_ISREG(kind)
        return False

    def _refuse(self, path: Path, why: str) -> None:
        line = f"{clean_line(str(path))} {why}"
        if line not in self.left_out:
            self.left_out.append(line)


def read_file(path: Path) -> bytes:
    """Read the bytes of a small file; `StopRun` where it cannot be read or is over 64 MiB."""
    try:
        if path.stat().st_size > MAX_BYTES:
            cause = f"it is over {MAX_BYTES >> 20} MiB: no file of such a dataset is"
            raise CannotRead(path, cause)
        return path.read_bytes()
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error


def decode(data: bytes) -> str:
    """Decode UTF-8 or, by its byte order mark, UTF-16; else Windows-1252 or Latin-1.

    `ValueError` for UTF-16 that breaks off, and where NUL shows that it is no text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = data.decode("utf-16")
    else:
        for encoding in ("utf-8-sig", "cp1252", "latin-1"):
            try:
                text = data.decode(encoding)
                break
            except UnicodeDecodeError:
                continue
    if "\0" in text:
        raise ValueError("it is no text: it holds NUL")
    return text


def read_text(path: Path) -> str:
    """Read a small file in any encoding that `decode` knows; `StopRun` if it has none."""
    try:
        return decode(read_file(path))
    except ValueError as error:
        raise CannotRead(path, str(error)) from error


def parse_json(data: str | bytes) -> Any:
    """Parse a JSON text; `ValueError` also where it is nested too deeply."""
    try:
        return json.loads(data)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_json(path: Path) -> Any:
    """Read the value of a small JSON file; `StopRun` where it cannot be read or is none."""
    try:
        return parse_json(read_file(path))
    except ValueError as error:
        raise MalformedFile(path, f"this is not JSON: {error}") from error
