"""A recording that a step made, given to a later step as it is given the recordings of an entry."""

from pathlib import Path

from symmv_builder.records import SoundFile


def write_for_reading(record: SoundFile, name: str, folder: Path) -> Path:
    """Write a recording that the result `name` holds to a file when first asked; gives its path.

    `folder` is temporary and belongs to one entry.
    """
    path = folder / f"{name}.flac"
    if not path.exists():
        path.write_bytes(record.data.tobytes())
    return path
