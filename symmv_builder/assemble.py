"""What a row is: the columns of a schema, each taken out of the record that holds it."""

from collections.abc import Mapping, Sequence
from typing import Any

from symmv_builder.records import Entry
from symmv_builder.schema import Column


def assemble_row(
    columns: Sequence[Column], entry: Entry, split: str, records: Mapping[str, Any]
) -> dict[str, Any]:
    """One row: scalars, strings, tuples of labels, and numpy arrays ``[t]`` or ``[t, d]``.

    `records` maps artifact names to records. A feature of one dimension becomes a flat
    list. `ValueError` where a feature has another width than its column.
    """
    given = {
        "entry_id": entry.entry_id,
        "song_id": entry.song_id,
        "split": split,
        "music_url": entry.music.url,
        "video_url": entry.video.url,
    }
    held = {**records, "song": entry.song}
    row = {}
    for column in columns:
        artifact, _, field = column.take.partition(".")
        row[column.name] = given[field] if artifact == "entry" else column.value_in(held[artifact])
    return row
