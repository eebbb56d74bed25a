"""Files that carry a checksum of themselves, so that a flipped bit anywhere in one is noticed.

A JSON object has it in a field, an npz file in the comment at the end of the zip archive. It
is the sha256 of everything else in the file and of the place where the file belongs: what was
copied to another place is noticed too. Files of earlier versions carry none and are read as they
are.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

_FIELD = "sha256"
_COMMENT = b"sha256:"
_LENGTH = len(_COMMENT) + 64
# A zip archive without a comment ends with its directory's end: this mark and 18 bytes.
_END, _END_LENGTH = b"PK\5\6", 22


class BrokenSeal(ValueError):
    """A file does not match its checksum."""


def seal(fields: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Add a checksum to the fields, none of which may have its name."""
    return {**fields, _FIELD: _of_fields(fields, place)}


def unseal(fields: Mapping[str, Any], place: str = "") -> dict[str, Any]:
    """Verify and remove the checksum of fields; `BrokenSeal` where it does not match."""
    plain = dict(fields)
    stored_seal = plain.pop(_FIELD, None)
    if stored_seal is None:
        # The name of the field may be what is damaged.
        if any(isinstance(v, str) and re.fullmatch("[0-9a-f]{64}", v) for v in plain.values()):
            raise BrokenSeal("its checksum is damaged")
    elif stored_seal != _of_fields(plain, place):
        raise BrokenSeal("its checksum is that of something else")
    return plain


def is_sealed(fields: Mapping[str, Any]) -> bool:
    """Check whether an object of JSON carries a checksum."""
    return _FIELD in fields


def is_sealed_text(data: bytes) -> bool:
    """Check whether the JSON object in a file carries a checksum."""
    return is_sealed(json.loads(data))


def _of_fields(fields: Mapping[str, Any], place: str) -> str:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{place}\n{text}".encode(errors="surrogatepass")).hexdigest()


def seal_archive(data: bytes, place: str) -> bytes:
    """Add a checksum to a zip archive without a comment, as its comment."""
    sealed = data[:-2] + _LENGTH.to_bytes(2, "little")
    return sealed + _COMMENT + _of_bytes(sealed, place)


def check_archive(data: bytes, place: str) -> bool:
    """Verify a zip archive; False where it has no checksum, `BrokenSeal` where that differs."""
    if data[-_LENGTH:].startswith(_COMMENT):
        if data[-64:] != _of_bytes(memoryview(data)[:-_LENGTH], place):
            raise BrokenSeal("its checksum is that of something else")
        return True
    if data[-_END_LENGTH:].startswith(_END) and data[-2:] == b"\0\0":
        return False
    raise BrokenSeal("it does not end as it was written")


def _of_bytes(data: bytes | memoryview, place: str) -> bytes:
    digest = hashlib.sha256(place.encode() + b"\n")
    digest.update(data)
    return digest.hexdigest().encode()
