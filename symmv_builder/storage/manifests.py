"""What a person can read and review: entries, one JSON object a line, and the frozen splits.

A split belongs to a song, not to an entry, so that two covers of one song never stand
on both sides. Once written, a song's split does not move when songs are added.
"""

import codecs
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from symmv_builder.errors import MalformedFile, WrongSetting
from symmv_builder.records import Entry, Listing, SongInfo, Source
from symmv_builder.storage.root import Root


def write_entries(root: Root, dataset: str, entries: Iterable[Entry]) -> None:
    """Write all entries of a dataset, sorted by id, as JSON lines."""
    ordered = sorted(entries, key=lambda entry: entry.entry_id)
    lines = [json.dumps(entry_fields(entry), sort_keys=True) + "\n" for entry in ordered]
    root.write(f"{dataset}/entries.jsonl", "".join(lines).encode())


def read_entries(root: Root, dataset: str) -> list[Entry]:
    """Read the entries of a dataset, empty where it was never built.

    `StopRun` for a line that is not an entry, and for an id that is there twice.
    """
    name = f"{dataset}/entries.jsonl"
    entries: dict[str, Entry] = {}
    places: dict[str, int] = {}
    for number, fields in read_lines(root, name, "an entry"):
        with at_line(root, name, number, "an entry"):
            entry = entry_from(fields)
        if entry.entry_id in places:
            raise MalformedFile(
                root.path(name),
                f"it has the entry {entry.entry_id} in line {places[entry.entry_id]} and in line "
                f"{number}: remove one",
            )
        places[entry.entry_id] = number
        entries[entry.entry_id] = entry
    return list(entries.values())


def entry_fields(entry: Entry) -> dict[str, Any]:
    """Convert an entry to plain fields; that of the listing is left out where it has none."""
    fields = asdict(entry)
    if entry.listing is None:
        del fields["listing"]
    return fields


def entry_from(plain: Mapping[str, Any]) -> Entry:
    """Make an entry from its plain fields, as `entry_fields` gives them."""
    fields = dict(plain)
    fields["video"] = Source(**fields["video"])
    fields["music"] = Source(**fields["music"])
    song = fields.get("song", {})
    if not all(isinstance(value, str) for value in song.values()):
        raise TypeError("what is known of a song is text")
    fields["song"] = SongInfo(**song)
    if "listing" in fields:
        fields["listing"] = listing_from(fields["listing"])
    return Entry(**fields)


def listing_from(plain: Mapping[str, Any]) -> Listing:
    """Make a listing from its plain fields, as `dataclasses.asdict` gives them."""
    fields = dict(plain)
    fields["source"] = Source(**fields["source"])
    for name in ("categories", "tags"):
        fields[name] = tuple(map(str, fields.get(name, ())))
    listing = Listing(**fields)
    texts = (
        *(listing.title, listing.channel, listing.channel_id, listing.description),
        *(listing.uploaded, listing.language, listing.licence, listing.live_status, listing.kind),
    )
    if not all(isinstance(value, str) for value in texts):
        raise TypeError("what a site says of a video in words is text")
    if type(listing.view_count) not in (int, type(None)):
        raise TypeError("views are a whole number")
    return listing


def datasets(root: Root) -> list[str]:
    """List the names of the datasets that have entries."""
    return [name for name in root.folders("") if has_entries(root, name)]


def has_entries(root: Root, dataset: str) -> bool:
    """Check whether a dataset has a list of entries, without reading it."""
    return root.exists(f"{dataset}/entries.jsonl")


def read_blocklist(root: Root) -> dict[Source, str]:
    """Read the blocklist: every recording that was taken down, and why; people may edit it."""
    return {source: line["reason"] for source, line in _blocklist(root).items()}


def allowed(root: Root, entries: Iterable[Entry]) -> list[Entry]:
    """Keep the entries none of whose recordings was taken down, in any dataset."""
    blocked = read_blocklist(root)
    return [e for e in entries if e.music not in blocked and e.video not in blocked]


def taken_down(root: Root, dataset: str, entry_id: str) -> set[Source]:
    """List the recordings blocked when this entry was taken down; empty if it never was."""
    name = f"{dataset}/{entry_id}"
    return {source for source, line in _blocklist(root).items() if name in line["entries"]}


def _blocklist(root: Root) -> dict[Source, dict[str, Any]]:
    """Read the lines of the blocklist, by the recording that each bars.

    Every field is text, but for `entries`: what was taken down with it, as ``dataset/entry``.
    """
    name, what = "blocklist.jsonl", "a recording with a reason"
    lines: dict[Source, dict[str, Any]] = {}
    for number, plain in read_lines(root, name, what):
        with at_line(root, name, number, what):
            entries = plain.pop("entries", [])
            if not isinstance(entries, list):
                raise TypeError("entries is not a list")
            fields = {str(key): str(value) for key, value in plain.items()}
            source = Source(fields["site"], fields["video_id"])
            line = {"reason": fields["reason"], **fields, "entries": list(map(str, entries))}
            lines.setdefault(source, line)
    return lines


def blocked_contents(root: Root) -> frozenset[str]:
    """List the sha256 of every recording that was taken down: its bytes are blocked by any name."""
    return frozenset(line["sha256"] for line in _blocklist(root).values() if line.get("sha256"))


def block(
    root: Root,
    sources: Iterable[Source],
    reason: str,
    contents: Mapping[str, str],
    entries: Iterable[str] = (),
) -> None:
    """Add recordings to the blocklist; what stands there stays.

    `contents` is the sha256 of those that were stored, by url; `entries` are those that were
    taken down with them, as ``dataset/entry``.
    """
    entries = set(entries)
    lines = _blocklist(root)
    for source in sources:
        new = {"site": source.site, "video_id": source.video_id, "reason": reason}
        sha256 = contents.get(source.url)
        line = lines.setdefault(source, new | ({"sha256": sha256} if sha256 else {}))
        line["entries"] = sorted(entries.union(line.get("entries", ())))
    ordered = sorted(lines.items(), key=lambda item: (item[0].site, item[0].video_id))
    text = "".join(json.dumps(line, sort_keys=True) + "\n" for _, line in ordered)
    root.write("blocklist.jsonl", text.encode())


def read_splits(root: Root, dataset: str) -> dict[str, str]:
    """Read the frozen split of every song that has one, empty where none was ever written.

    `StopRun` for a file that is damaged or empty: songs would move between splits unseen.
    """
    name = f"{dataset}/splits.json"
    splits = read_object(root, name, "a list of splits", "put it back from a backup")
    for song, split in splits.items():
        if not isinstance(split, str):
            problem = f"it gives the song {song!r} no split but {split!r}"
            raise MalformedFile(root.path(name), problem)
    return splits


def check_splits(root: Root, dataset: str, splits: Mapping[str, str], built: int) -> None:
    """Raise `StopRun` where no song has a split although shards hold `built` entries.

    Whoever emptied the file did not mean that every song may change its split.
    """
    if built and not splits:
        raise MalformedFile(
            root.path(f"{dataset}/splits.json"),
            f"it names no song, and {built} entries have splits: put it back from a backup, "
            f"or remove the shards of {dataset} with their dataset.json to split anew",
        )


def read_object(root: Root, name: str, what: str, remedy: str) -> dict[str, Any]:
    """Read a JSON object that a person may have edited, empty where the file is not there.

    `StopRun` names the file, the line and the `remedy` where it is not `what` it should be.
    """
    data = root.read(name)
    if data is None:
        return {}
    try:
        value = json.loads(data.decode("utf-8-sig"))
        if not isinstance(value, dict):
            raise TypeError(f"it holds {type(value).__name__} and not an object")
    except (ValueError, TypeError, RecursionError) as error:
        problem = f"it is not {what}: {_cause(error, data.strip())}; {remedy}"
        raise MalformedFile(root.path(name), problem) from error
    return value


def read_lines(root: Root, name: str, what: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read every line's JSON object with its number; empty lines and a BOM are passed over."""
    data = root.read(name) or b""
    for number, line in enumerate(data.removeprefix(codecs.BOM_UTF8).splitlines(), start=1):
        if line.strip():
            with at_line(root, name, number, what):
                fields = json.loads(line.decode())
                if not isinstance(fields, dict):
                    raise TypeError(f"it is {type(fields).__name__} and not an object")
            yield number, fields


@contextmanager
def at_line(root: Root, name: str, number: int, what: str) -> Iterator[None]:
    """Stop the run for whatever is wrong with a line, with the file and the line named."""
    try:
        yield
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        problem = f"this is not {what}: {_cause(error)}"
        raise MalformedFile(root.path(name), problem, number) from error


def _cause(error: Exception, data: bytes = b" ") -> str:
    """Say in a few words what is wrong; `data` is the whole file where the line is not known."""
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start} is not UTF-8"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return str(error) if data else "it is empty"


def write_splits(root: Root, dataset: str, splits: Mapping[str, str]) -> None:
    """Write the frozen split of every song, sorted by song."""
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
            choices = f"it can be {', '.join(counts)}"
            raise WrongSetting(f"the split of song {song}", split, choices)
        counts[split] += 1
    total = sum(shares.values())
    new = sorted(set(songs) - set(splits), key=lambda s: hashlib.sha256(s.encode()).digest())
    for song in new:
        size = sum(counts.values()) + 1
        split = max(shares, key=lambda name: shares[name] * size / total - counts[name])
        splits[song] = split
        counts[split] += 1
    return splits
