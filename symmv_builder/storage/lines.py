"""Files of the manifests that are only ever added to, a JSON object a line."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from symmv_builder.storage import locks
from symmv_builder.storage.store import Store


@contextmanager
def alone(store: Store, dataset: str, name: str) -> Iterator[None]:
    """Hold the lock for appending to a file; it does not wait for the dataset's writer."""
    with locks.hold(store.ledger, f"{dataset}/{name}", wait=True):
        yield


def append(store: Store, dataset: str, name: str, lines: Iterable[Mapping[str, Any]]) -> None:
    """Append lines; those that are in the file stay as they are, byte for byte.

    The caller holds the lock of the file (`alone`), which is replaced in one piece.
    """
    place = f"{dataset}/{name}.jsonl"
    data = store.manifests.read(place) or b""
    if data and not data.endswith(b"\n"):
        data += b"\n"
    store.manifests.write(place, data + text_of(lines))


def text_of(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Encode objects as lines of JSON, as a file holds them."""
    return "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines).encode()
