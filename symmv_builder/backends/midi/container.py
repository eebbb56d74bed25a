"""The bytes of a Standard MIDI file out of what it comes in: itself, RIFF (RMID) or gzip."""

import gzip
import io
import struct
import zlib
from pathlib import Path

from symmv_builder.errors import Reason, RejectEntry

MAX_BYTES = 8 << 20
_MIDI, _GZIP = b"MThd", b"\x1f\x8b"
_HEAD_BYTES = 4096


def is_midi(path: Path) -> bool:
    """Check whether a file begins as a MIDI file does, plain or packed, whatever its name says."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as handle:
            head = handle.read(_HEAD_BYTES)
        if head.startswith(_GZIP):
            head = zlib.decompressobj(wbits=31).decompress(head, 64)
    except (OSError, zlib.error):
        return False
    return head.startswith(_MIDI) or _is_rmid(head)


def read_bytes(path: Path) -> bytes:
    """Read the Standard MIDI file that a file is or holds.

    Neither the file nor what gzip unpacks may be over 8 MiB; no more than that is ever
    unpacked. `RejectEntry`: unreadable, empty_file, not_media, too_large.
    """
    try:
        with path.open("rb") as handle:
            data = handle.read(MAX_BYTES + 1)
    except OSError as error:
        detail = f"the file cannot be opened: {error.strerror}"
        raise RejectEntry(Reason.UNREADABLE, detail) from error
    if not data:
        raise RejectEntry(Reason.EMPTY_FILE, "the file has no bytes")
    if data.startswith(_GZIP):
        data = _unzipped(data)
    is_rmid = _is_rmid(data)
    if not is_rmid and not data.startswith(_MIDI):
        raise RejectEntry(Reason.NOT_MEDIA, "the file is not a Standard MIDI file")
    if len(data) > MAX_BYTES:
        raise RejectEntry(Reason.TOO_LARGE, f"the file is over {MAX_BYTES >> 20} MiB of MIDI")
    return _out_of_riff(data) if is_rmid else data


def _is_rmid(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"RMID"


def _unzipped(data: bytes) -> bytes:
    if len(data) > MAX_BYTES:
        raise RejectEntry(Reason.TOO_LARGE, f"the file is over {MAX_BYTES >> 20} MiB of gzip")
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
            return packed.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        detail = f"the file is damaged: gzip cannot unpack it ({error})"
        raise RejectEntry(Reason.UNREADABLE, detail) from error


def _out_of_riff(data: bytes) -> bytes:
    """Find the chunk ``data`` of a RIFF file; other chunks hold titles or sounds."""
    at = 12
    while len(data) - at >= 8:
        name, size = struct.unpack("<4sL", data[at : at + 8])
        at += 8
        if name == b"data" and data[at : at + 4] == _MIDI:
            return data[at : at + size]
        at += size + size % 2
    raise RejectEntry(Reason.UNREADABLE, "the file is damaged: its RIFF holds no MIDI data")
