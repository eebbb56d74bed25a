"""The table of a dataset's clips: what each entry was cut into, and which clips were turned away.

`DATASET/clips/SHA256.jsonl` has a line for each entry. The receipt names the table by its content,
so a table and the shards beside it belong together; it can be made again of what entries hold.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from symmv_builder.clips import Clip, milliseconds
from symmv_builder.errors import Damaged
from symmv_builder.storage.root import Root

FOLDER = "clips"
# The field of a receipt that names the table.
FIELD = "clip_table"


@dataclass(frozen=True, slots=True)
class TurnedAway:
    """A clip that no row was made of: where it lies in the video, which screen it failed, why."""

    start_s: float
    end_s: float
    step: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class EntryClips:
    """The clips of an entry, in order; `state` is a digest of everything that decides on them."""

    state: str
    clips: tuple[Clip, ...]
    turned_away: tuple[TurnedAway, ...] = ()

    def at(self, start_ms: int) -> Clip | TurnedAway | None:
        """Find the clip that starts at a time, made or turned away; `None` where none does."""
        both: tuple[Clip | TurnedAway, ...] = (*self.clips, *self.turned_away)
        for each in both:
            if milliseconds(each.start_s) == start_ms:
                return each
        return None


Table = Mapping[str, EntryClips]


def count_reasons(table: Table) -> dict[str, int]:
    """Count how many clips were turned away for each reason, by its name."""
    reasons = Counter(each.reason for entry in table.values() for each in entry.turned_away)
    return dict(sorted(reasons.items()))


def table_bytes(table: Table) -> bytes:
    """Encode a table as it is written, a line an entry in the order of their ids."""
    lines = (
        {
            "entry_id": name,
            "state": entry.state,
            "clips": [clip.numbers for clip in entry.clips],
            "turned_away": [asdict(each) for each in entry.turned_away],
        }
        for name, entry in sorted(table.items())
    )
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines).encode()


def write_table(root: Root, dataset: str, table: Table) -> dict[str, Any]:
    """Write a table beside existing ones; gives the receipt's fields about it."""
    data = table_bytes(table)
    sha256 = hashlib.sha256(data).hexdigest()
    path = f"{FOLDER}/{sha256[:16]}.jsonl"
    if not root.exists(f"{dataset}/{path}"):
        root.write(f"{dataset}/{path}", data)
    return {"path": path, "size_bytes": len(data), "sha256": sha256}


def read_table(root: Root, dataset: str, receipt: Mapping[str, Any]) -> Table:
    """Read the table that a receipt names, empty where it names none.

    `Damaged` where the table is gone or is not what the receipt says.
    """
    named = receipt.get(FIELD)
    if not named:
        return {}
    name = f"{dataset}/{named['path']}"
    data = root.read(name)
    problem = "is gone" if data is None else "does not have the sha256 of its receipt"
    if data is None or hashlib.sha256(data).hexdigest() != named["sha256"]:
        raise Damaged(root.path(name), problem, "build again")
    return dict(_entries(data))


def stands(root: Root, dataset: str, receipt: Mapping[str, Any]) -> bool:
    """Check that the table named by a receipt is as it was written; True where it names none."""
    try:
        read_table(root, dataset, receipt)
    except Damaged:
        return False
    return True


def _entries(data: bytes) -> Iterator[tuple[str, EntryClips]]:
    for line in data.splitlines():
        fields = json.loads(line)
        clips = tuple(Clip(*values) for values in fields["clips"])
        turned_away = tuple(TurnedAway(**each) for each in fields["turned_away"])
        yield str(fields["entry_id"]), EntryClips(str(fields["state"]), clips, turned_away)


def without(root: Root, dataset: str, receipt: Mapping[str, Any], ids: Collection[str]) -> Any:
    """Remove entries from a receipt's table; gives the new receipt, the same one without a table.

    A damaged table is left out: the next build makes it again.
    """
    if FIELD not in receipt:
        return receipt
    try:
        table = read_table(root, dataset, receipt)
    except Damaged:
        table = {}
    remaining = {name: entry for name, entry in table.items() if name not in ids}
    return {**receipt, **facts_of(remaining), FIELD: write_table(root, dataset, remaining)}


def facts_of(table: Table) -> dict[str, Any]:
    """Give the receipt's fields about clips without a row."""
    empty = sum(not entry.clips for entry in table.values())
    return {"clips_turned_away": count_reasons(table), "entries_without_clips": empty}
