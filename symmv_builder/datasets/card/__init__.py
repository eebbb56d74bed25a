"""The files that stand beside a release's shards: each is a pure function of the receipt.

A release is described for people (the dataset card README.md, DATASHEET.md, LICENSE.md), for the
model hub (the front matter of README.md), for readers of Croissant (croissant.json) and for
`sha256sum` (SHA256SUMS). Same receipt, same bytes.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from symmv_builder.datasets.card.croissant import croissant
from symmv_builder.datasets.card.datasheet import datasheet
from symmv_builder.datasets.card.facts import FACTS
from symmv_builder.datasets.card.licence_file import licence_file
from symmv_builder.datasets.card.readme import plain_readme, readme

__all__ = ["FACTS", "SUMS", "card", "names", "receipt_bytes", "sums", "texts"]

SUMS = "SHA256SUMS"
_RECEIPT = "receipt.json"
_WRITERS = {
    "README.md": readme,
    "DATASHEET.md": datasheet,
    "LICENSE.md": licence_file,
    "croissant.json": croissant,
}


def names(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """List the files beside a release's shards in the order of writing, the receipt last.

    Releases of earlier versions of the program carry no facts, and have a plain README.md alone.
    """
    documents = tuple(_WRITERS) if FACTS in receipt else ("README.md",)
    return (SUMS, *documents, _RECEIPT)


def card(receipt: Mapping[str, Any], name: str) -> bytes:
    """Write one of the files that describe a release, as this version of the program does."""
    if FACTS not in receipt:
        return plain_readme(receipt).encode()
    return _WRITERS[name](receipt).encode()


def receipt_bytes(receipt: Mapping[str, Any]) -> bytes:
    """Encode a release's receipt as it is written."""
    return (json.dumps(receipt, indent=1, sort_keys=True) + "\n").encode()


def texts(receipt: Mapping[str, Any]) -> dict[str, bytes]:
    """Give the files of a release beside its shards, by name, in the order of `names`."""
    documents = [name for name in names(receipt) if name not in (SUMS, _RECEIPT)]
    about = {name: card(receipt, name) for name in documents}
    about[_RECEIPT] = receipt_bytes(receipt)
    return {SUMS: sums(receipt, about), **about}


def sums(receipt: Mapping[str, Any], about: Mapping[str, bytes]) -> bytes:
    """Write a SHA256SUMS of the shards of a receipt and of some files beside them."""
    hashes = {shard["path"]: shard["sha256"] for shard in receipt["shards"]}
    hashes |= {name: hashlib.sha256(about[name]).hexdigest() for name in sorted(about)}
    return "".join(f"{sha256}  {path}\n" for path, sha256 in hashes.items()).encode()
