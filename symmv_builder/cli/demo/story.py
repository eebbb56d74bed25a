"""What became of every cover and of every decoy of the demo's site, as tables."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from symmv_builder.api.crawl import Item
from symmv_builder.api.demo import World
from symmv_builder.api.demo_crawl import reached
from symmv_builder.report import tables
from symmv_builder.text import harmless

_ENDS = {
    "promoted": ("entry", "green"),
    "proposed": ("proposed", "green"),
    "review": ("review", "cyan"),
    "rejected": ("put aside", "yellow"),
}
# The states behind each step of the way, by how far an item has come.
_WAY = (
    "found",
    "its title read",
    "an official video matched",
    "both fetched",
    "every screen passed",
)
# What `crawl.match.officiality` gives a channel that plays still pictures.
_AUTOMATIC = 0.3


def story(items: Sequence[Item], world: World, new: tuple[int, int]) -> Iterator[Table]:
    """Show the funnel, a line for every cover, and one for everything else that searches found."""
    yield funnel(items, new)
    yield covers(items)
    yield decoys(items, world)


def _table(title: str, *columns: str) -> Table:
    table = tables.ruled_table(title)
    for column in columns:
        is_number = column in ("score", "covers")
        table.add_column(
            column, overflow="fold", justify="right" if is_number else "left",
            no_wrap=is_number or column in ("video", "became", "where"),
        )  # fmt: skip
    return table


def funnel(items: Sequence[Item], new: tuple[int, int]) -> Table:
    """Count how many covers came how far, and why the others did not."""
    title = f"symmv: the crawl (new in this run: {new[0]}, then {new[1]} in a second round)"
    table = _table(title, "covers", "came so far", "and no further")
    ways = [reached(item) for item in items]
    for place, name in enumerate(_WAY):
        stuck = Counter(
            item.reason or _ENDS.get(item.state, (item.state, ""))[0]
            for item, far in zip(items, ways, strict=True)
            if far == place and place < len(_WAY) - 1
        )
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(stuck.items()))
        table.add_row(str(sum(far >= place for far in ways)), name, Text(why, "yellow"))
    return table


def covers(items: Sequence[Item]) -> Table:
    """Show a line for every cover: what it was taken for, with which video, and how it ended."""
    table = _table(
        "symmv: every cover of the channel",
        "video", "read as", "official video", "score", "became", "why",
    )  # fmt: skip
    for item in sorted(items, key=lambda item: (item.state == "rejected", item.listing.uploaded)):
        end, style = _ENDS.get(item.state, (item.state, ""))
        song = item.parsed
        reading = f"{song.artist} - {song.title}" if song else harmless(item.listing.title, 60)
        official = item.official
        table.add_row(
            tables.cell(item.source.video_id, "bold"),
            tables.cell(reading, most=60),
            tables.cell(official.source.video_id if official else "-"),
            Text(f"{item.score:.2f}" if official else "-"),
            Text(end, style),
            tables.cell(_why(item)),
        )
    return table


def _why(item: Item) -> str:
    if item.state == "rejected":
        return f"{item.step}, {item.reason}: {harmless(item.detail, 200)}"
    if item.state == "review":
        best = _candidates(item)[0]
        return f"match: a person must look at it: {_against(best)}"
    return ""


def decoys(items: Sequence[Item], world: World) -> Table:
    """Show a line for every other video: for which cover it was found, and why it was not taken."""
    table = _table("symmv: what else the searches found", "video", "title", "score", "why not")
    originals = {item.official.source.video_id for item in items if item.official}
    best: dict[str, dict[str, Any]] = {}
    for item in items:
        for candidate in _candidates(item):
            name = candidate["url"].rpartition(":")[2]
            rank = (candidate["score"], candidate["parts"]["title"] * candidate["parts"]["artist"])
            best_so_far = best.get(name)
            if best_so_far is None or rank > (best_so_far["score"], best_so_far["likeness"]):
                best[name] = {**candidate, "likeness": rank[1]}
    for name, candidate in sorted(best.items(), key=lambda pair: pair[0].split("-", 1)[::-1]):
        if name not in originals and name not in world.covers:
            gone = candidate.get("gone", "")
            table.add_row(
                tables.cell(name, "bold"),
                tables.cell(candidate["title"], most=90),
                Text(f"{candidate['score']:.2f}"),
                tables.cell(gone or _against(candidate), most=120),
            )
    return table


def _candidates(item: Item) -> list[dict[str, Any]]:
    return list(json.loads(item.evidence))


def _against(penalties: Mapping[str, Any]) -> str:
    """Say in words what speaks against a candidate."""
    parts = penalties["parts"]
    phrases = [
        f"{name.removeprefix('against: ')} ({value:+.2f})"
        for name, value in parts.items()
        if value < 0
    ]
    if parts["artist"] < 0.6:
        phrases.insert(0, "another artist")
    if parts["title"] < 1.0:
        phrases.insert(0, f"another title ({parts['title']:.2f} alike)")
    if parts["channel"] <= 0.3:
        is_automatic = parts["channel"] == _AUTOMATIC
        phrases.append("an automatic channel" if is_automatic else "not the artist's channel")
    return ", ".join(phrases) or "the official video scores more"
