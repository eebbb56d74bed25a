"""A recording that a step made, given to a later step as it is given the recordings of an entry."""

from pathlib import Path

from symmv_builder.records import SoundFile


def write_for_reading(record: SoundFile, name: str, folder: Path) -> Path:
    """The path of a file with a recording that the result `name` holds, written when first asked.

    `folder` is temporary and belongs to one entry.
    """
    path = folder / f"{name}.flac"
    if not path.exists():
        path.write_bytes(record.data.tobytes())
    return path
