"""The receipt of a dataset: which shards are finished, written last and sealed.

Apart from `shards`, so that a question about a dataset does not import Arrow.
"""

import json
from collections.abc import Mapping
from typing import Any

from symmv_builder.errors import MalformedFile, NoShards
from symmv_builder.storage import seals
from symmv_builder.storage.clip_tables import FIELD, FOLDER
from symmv_builder.storage.root import Root
from symmv_builder.text import amount

# Where the row of a clip lies in its recordings: seconds of the video, and of the music.
PLACE = ("clip_start_s", "clip_end_s", "clip_music_start_s", "clip_music_end_s")
# The field that says so of entries that a person trimmed, by entry; where rows are clips, of the
# video alone.
TRIMMED = "trimmed"


def read_receipt(root: Root, dataset: str) -> dict[str, Any] | None:
    """Read what the finished shards are, `None` where there are none.

    `StopRun` where it is damaged: it carries a checksum of itself.
    """
    data = root.read(f"{dataset}/dataset.json")
    try:
        return seals.unseal(json.loads(data)) if data is not None else None
    except (ValueError, TypeError, RecursionError) as error:
        problem = f"it is not a receipt: {error}; delete it and build again"
        raise MalformedFile(root.path(f"{dataset}/dataset.json"), problem) from error


def receipt_bytes(receipt: Mapping[str, Any]) -> bytes:
    """Encode a receipt as it is written, with a checksum of itself."""
    return (json.dumps(seals.seal(receipt), indent=1, sort_keys=True) + "\n").encode()


def require_whole(root: Root, dataset: str, receipt: Mapping[str, Any]) -> None:
    """Raise `StopRun` where a repair has put shards aside that no build has written anew yet."""
    if receipt.get("lost"):
        lack = f"lacks {amount(len(receipt['lost']), 'shard')} that a repair put aside"
        raise NoShards(dataset, root.shown, f"{dataset} in {root.shown} {lack}")


def write_receipt(root: Root, dataset: str, receipt: Mapping[str, Any]) -> None:
    """Write the receipt, then remove what an earlier build wrote and it does not name."""
    root.write(f"{dataset}/dataset.json", receipt_bytes(receipt))
    named = {shard["path"] for shard in receipt["shards"]}
    if FIELD in receipt:
        named.add(receipt[FIELD]["path"])
    for folder in ("shards", FOLDER):
        root.sweep(f"{dataset}/{folder}")
        for name in root.names(f"{dataset}/{folder}"):
            if f"{folder}/{name}" not in named:
                root.remove(f"{dataset}/{folder}/{name}")
