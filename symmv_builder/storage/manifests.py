"""What a person can read and review: entries, one JSON object a line, and the frozen splits.

A split belongs to a song, not to an entry, so that two covers of one song never stand
on both sides. Once written, a song's split does not move when songs are added.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from symmv_builder.errors import StopRun
from symmv_builder.records import Entry, SongInfo, Source
from symmv_builder.storage.root import Root


def write_entries(root: Root, dataset: str, entries: Iterable[Entry]) -> None:
    """All entries of a dataset, sorted by id, as JSON lines."""
    ordered = sorted(entries, key=lambda entry: entry.entry_id)
    lines = [json.dumps(asdict(entry), sort_keys=True) + "\n" for entry in ordered]
    root.write(f"{dataset}/entries.jsonl", "".join(lines).encode())


def read_entries(root: Root, dataset: str) -> list[Entry]:
    """The entries of a dataset, empty where it was never built."""
    data = root.read(f"{dataset}/entries.jsonl")
    entries = []
    for number, line in enumerate((data or b"").splitlines(), start=1):
        if not line.strip():
            continue
        try:
            entries.append(entry_from(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            where = root.path(f"{dataset}/entries.jsonl")
            raise StopRun(f"{where}, line {number}, is not an entry: {error}") from error
    return entries


def entry_from(plain: Mapping[str, Any]) -> Entry:
    """An entry out of its plain fields, as `dataclasses.asdict` gives them."""
    fields = dict(plain)
    fields["video"] = Source(**fields["video"])
    fields["music"] = Source(**fields["music"])
    fields["song"] = SongInfo(**fields.get("song", {}))
    return Entry(**fields)


def datasets(root: Root) -> list[str]:
    """The datasets that have entries, by name."""
    return [name for name in root.folders("") if root.exists(f"{name}/entries.jsonl")]


def read_blocklist(root: Root) -> dict[Source, str]:
    """Every recording that was taken down, and why: what a person may review and move about."""
    return {source: line["reason"] for source, line in _blocklist(root).items()}


def _blocklist(root: Root) -> dict[Source, dict[str, str]]:
    """The lines of the blocklist, by the recording that each bars."""
    lines = {}
    for line in (root.read("blocklist.jsonl") or b"").decode().splitlines():
        fields = {str(name): str(value) for name, value in json.loads(line).items()}
        lines[Source(fields["site"], fields["video_id"])] = fields
    return lines


def blocked_contents(root: Root) -> frozenset[str]:
    """The sha256 of every recording that was taken down: its bytes are barred by any name."""
    return frozenset(line["sha256"] for line in _blocklist(root).values() if line.get("sha256"))


def block(root: Root, sources: Iterable[Source], reason: str, contents: Mapping[str, str]) -> None:
    """Add recordings to the blocklist; what stands there stays.

    `contents` is the sha256 of those that were stored, by url.
    """
    lines = _blocklist(root)
    for source in sources:
        line = {"site": source.site, "video_id": source.video_id, "reason": reason}
        sha256 = contents.get(source.url)
        lines.setdefault(source, line | ({"sha256": sha256} if sha256 else {}))
    ordered = sorted(lines.items(), key=lambda item: (item[0].site, item[0].video_id))
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for _, line in ordered)
    root.write("blocklist.jsonl", text.encode())


def read_splits(root: Root, dataset: str) -> dict[str, str]:
    """The frozen split of every song that has one."""
    data = root.read(f"{dataset}/splits.json")
    try:
        return dict(json.loads(data)) if data else {}
    except (ValueError, TypeError) as error:
        where = root.path(f"{dataset}/splits.json")
        raise StopRun(f"{where} is not a list of splits: {error}") from error


def write_splits(root: Root, dataset: str, splits: Mapping[str, str]) -> None:
    text = json.dumps(dict(sorted(splits.items())), indent=1) + "\n"
    root.write(f"{dataset}/splits.json", text.encode())


def assign_splits(
    songs: Iterable[str], frozen: Mapping[str, str], shares: Mapping[str, int]
) -> dict[str, str]:
    """Split of every song: the frozen ones stay, new ones fill up what is furthest behind.

    New songs come in the order of a hash of their id, so neither the alphabet nor the
    order of arrival decides. `shares` are proportions, such as 1000/70/70.
    """
    splits = dict(frozen)
    counts = dict.fromkeys(shares, 0)
    for song, split in splits.items():
        if split not in counts:
            raise StopRun(f"song {song} is in split {split!r}; known: {', '.join(counts)}")
        counts[split] += 1
    total = sum(shares.values())
    new = sorted(set(songs) - set(splits), key=lambda s: hashlib.sha256(s.encode()).digest())
    for song in new:
        size = sum(counts.values()) + 1
        split = max(shares, key=lambda name: shares[name] * size / total - counts[name])
        splits[song] = split
        counts[split] += 1
    return splits
