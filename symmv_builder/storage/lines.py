"""Files of the manifests that are only ever added to, a JSON object a line."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from symmv_builder.storage import locks
from symmv_builder.storage.store import Store


@contextmanager
def alone(store: Store, dataset: str, name: str) -> Iterator[None]:
    """Be the only one who adds to a file; whoever writes the dataset is not waited for."""
    with locks.hold(store.ledger, f"{dataset}/{name}", wait=True):
        yield


def append(store: Store, dataset: str, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Add lines behind those that stand there, which stay as they are, byte for byte.

    The caller is `alone` with the file. It is replaced in one piece.
    """
    place = f"{dataset}/{name}.jsonl"
    data = store.manifests.read(place) or b""
    if data and not data.endswith(b"\n"):
        data += b"\n"
    store.manifests.write(place, data + text_of(lines))


def text_of(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Lines as a file holds them."""
    return "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines).encode()
