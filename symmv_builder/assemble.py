"""What a row is: the columns of a schema, each taken out of the record that holds it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symmv_builder.clips import Clip
from symmv_builder.records import Entry, Listing
from symmv_builder.schema import Column


@dataclass(frozen=True, slots=True)
class _ListingColumns:
    """A site's facts about a video, as columns hold them."""

    channel: str = ""
    channel_id: str = ""
    categories: tuple[str, ...] = ()
    uploaded: str = ""
    view_count: int = -1
    language: str = ""
    licence: str = ""
    kind: str = ""

    @property
    def is_creative_commons(self) -> bool:
        return "creative commons" in self.licence.casefold()


def _said_in(listing: Listing | None) -> _ListingColumns:
    if listing is None:
        return _ListingColumns()
    return _ListingColumns(
        channel=listing.channel,
        channel_id=listing.channel_id,
        categories=listing.categories,
        uploaded=listing.uploaded,
        view_count=-1 if listing.view_count is None else listing.view_count,
        language=listing.language,
        licence=listing.licence,
        kind=listing.kind,
    )


def assemble_row(
    columns: Sequence[Column],
    entry: Entry,
    split: str,
    records: Mapping[str, Any],
    clip: Clip | None = None,
) -> dict[str, Any]:
    """Assemble one row: scalars, strings, tuples of labels, and numpy arrays ``[t]`` or ``[t, d]``.

    `records` maps artifact names to records, cut already where the row is a `clip`. A feature of
    one dimension becomes a flat list. `ValueError` where a feature has another width than its
    column.
    """
    values = {
        "entry_id": entry.entry_id,
        "song_id": entry.song_id,
        "split": split,
        "music_url": entry.music.url,
        "video_url": entry.video.url,
    }
    if clip is not None:
        values["clip_id"] = clip.id_of(entry.entry_id)
    sources = {**records, "song": entry.song, "listing": _said_in(entry.listing), "clip": clip}
    row = {}
    for column in columns:
        artifact, _, field = column.take.partition(".")
        row[column.name] = (
            values[field] if artifact == "entry" else column.value_in(sources[artifact])
        )
    return row
