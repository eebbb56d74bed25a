"""What a reader of a dataset sees, to be compared."""

from pathlib import Path


def shards_of(dataset: Path) -> dict[str, bytes]:
    """Shards and receipt of a dataset, by name."""
    found = [*dataset.iterdir(), *dataset.glob("shards/*")]
    return {path.name: path.read_bytes() for path in sorted(found) if path.is_file()}
