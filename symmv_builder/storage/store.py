"""The three places of a data root that belong together."""

from dataclasses import dataclass

from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root


@dataclass(frozen=True, slots=True)
class Store:
    """Bytes in `root`, what a person reviews in `manifests`, the index over both in `ledger`.

    `manifests` is the root itself unless a person keeps it elsewhere, in a git checkout
    for example.
    """

    root: Root
    manifests: Root
    ledger: Ledger
