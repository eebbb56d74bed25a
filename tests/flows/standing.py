"""What stands of a dataset: shards as a reader sees them, and what the toy's build has done."""

from pathlib import Path

from symmv_builder.storage.ledger import Ledger


def shards_of(dataset: Path) -> dict[str, bytes]:
    """Shards, receipt and entries of a dataset, by name."""
    found = [*dataset.iterdir(), *dataset.glob("shards/*")]
    files = (path for path in sorted(found) if path.is_file() and path.name != "recipe.toml")
    return {path.name: path.read_bytes() for path in files}


def ended(root: Path) -> set[str]:
    """Entries of the toy whose last step is stored, or that were turned away."""
    found = (root / "toy" / "sidecars").glob("*/*")
    return {
        path.parent.name
        for path in found
        if (path.name.startswith("wave.") and path.suffix == ".npz")
        or path.name.endswith(".rejected.json")
    }


def recorded(root: Path) -> set[str]:
    """The same, as the ledger in the data root says."""
    results = Ledger(f"sqlite:///{root}/ledger.sqlite").results("toy")
    return {result.entry_id for result in results if result.artifact == "wave" or result.reason}
