"""What workers and the process of a model say to each other: raw bytes over a Unix socket.

A worker sends `TOKEN_BYTES` first, which only the processes of its run know. Then it sends
requests: a header of a kind and a count, and what these two say. An answer is its bytes alone, in
the order of the requests; how many they are, both sides know. So no length that somebody claims
allocates memory, and nothing is unpickled.

| kind | count | follows | answer |
|---|---|---|---|
| HELLO | 0 | nothing | the model's scale, float64; the model is loaded then |
| IMAGES | up to `MOST_PICTURES` | so many inputs | float32 ``[n, dimensions]`` |
| PATCHES | up to `MOST_PICTURES` | so many inputs | float32 ``[n, tokens, token_width]`` |
| WORDS | up to `MOST_TEXT_BYTES` | a JSON list of texts | float32 ``[n, dimensions]`` |
"""

import json
import socket
import struct
from collections.abc import Sequence
from enum import IntEnum

from symmv_builder.backends import backend_class
from symmv_builder.backends.slots import SplitClip

HEADER = struct.Struct("!BI")
SCALE = struct.Struct("!d")
TOKEN_BYTES = 32
# Pictures of one request, and requests of one worker that are not answered yet.
MOST_PICTURES = 16
MOST_UNANSWERED = 8
MOST_TEXT_BYTES = 1 << 20
MOST_WORDS = 1024


class Kind(IntEnum):
    """What a request asks for."""

    HELLO = 0
    IMAGES = 1
    PATCHES = 2
    WORDS = 3


def split_class(name: str) -> type[SplitClip]:
    """Find the class of a model that can be served; `TypeError` where it has no halves."""
    kind = backend_class(SplitClip.slot, name)
    if not issubclass(kind, SplitClip):
        raise TypeError(f"{name} has no halves")
    return kind


def send(connection: socket.socket, kind: Kind, count: int, body: bytes | memoryview) -> None:
    """Send a request; `OSError` where the other side is gone or does not read."""
    connection.sendall(HEADER.pack(kind, count))
    connection.sendall(body)


def fill(connection: socket.socket, place: memoryview) -> None:
    """Fill a buffer with the bytes that come next; `OSError` where they do not come."""
    rest = place.cast("B")
    while rest:
        count = connection.recv_into(rest)
        if not count:
            raise ConnectionError("the other side is gone")
        rest = rest[count:]


def read(connection: socket.socket, size: int) -> bytes:
    """Read the next `size` bytes; `OSError` where they do not come."""
    place = bytearray(size)
    fill(connection, memoryview(place))
    return bytes(place)


def pack_words(words: Sequence[str]) -> bytes:
    """Write texts as a request holds them."""
    return json.dumps(list(words)).encode()


def unpack_words(body: bytes) -> list[str]:
    """Read the texts of a request; `ValueError` where it holds something else, none or too many."""
    words = json.loads(body)
    if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
        raise ValueError("no list of texts")
    if not 1 <= len(words) <= MOST_WORDS:
        raise ValueError(f"{len(words)} texts")
    # Half a character can be written in JSON, and no tokenizer reads it.
    "".join(words).encode()
    return words
