"""What a reader of a dataset sees, to be compared."""

from pathlib import Path


def shards_of(dataset: Path) -> dict[str, bytes]:
    """Shards and receipt of a dataset, by name."""
    files = [*(dataset / "shards").iterdir(), *(p for p in dataset.iterdir() if p.is_file())]
    return {path.name: path.read_bytes() for path in sorted(files)}
