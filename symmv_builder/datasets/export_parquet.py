"""A dataset that no paper released: its shards as they are, and what their columns are.

`columns.json` describes every column (name, type, unit, meaning) and lists the files beside it, so
that a later export takes away what the dataset no longer has.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symmv_builder.errors import MalformedFile, NoShards
from symmv_builder.storage.outputs import check_outputs
from symmv_builder.storage.root import Root

INDEX = "columns.json"


def files(root: Root, dataset: str, receipt: Mapping[str, Any]) -> dict[str, bytes]:
    """List what an export holds, by name: the shards (``train-00000.parquet``), then the index."""
    numbers: dict[str, int] = {}
    result = {}
    for shard in receipt["shards"]:
        split = Path(shard["path"]).name.partition("-")[0].partition(".")[0]
        data = root.read(f"{dataset}/{shard['path']}")
        if data is None:
            raise NoShards(dataset, root.shown, f"{shard['path']} of {dataset} is gone")
        number = numbers.setdefault(split, 0)
        numbers[split] += 1
        result[f"{split}-{number:05d}.parquet"] = data
    index = {"dataset": dataset, "columns": receipt.get("described", []), "files": [*result]}
    return {**result, INDEX: (json.dumps(index, indent=2) + "\n").encode()}


def earlier(folder: Path, dataset: str) -> tuple[str, ...]:
    """List the files of an earlier export of the dataset there; `StopRun` for one of another."""
    path = folder / INDEX
    if not path.is_file():
        return ()
    try:
        receipt = json.loads(path.read_text())
        names = tuple(str(name) for name in receipt["files"])
        if receipt["dataset"] != dataset or any(Path(name).name != name for name in names):
            raise ValueError(receipt["dataset"])
    except (ValueError, KeyError, TypeError) as error:
        problem = f"it is not of an export of {dataset}; give another folder"
        raise MalformedFile(path, problem) from error
    return (*names, INDEX)


def check_new(folder: Path, names: Mapping[str, bytes], earlier_names: tuple[str, ...]) -> None:
    """Raise `StopRun` where a file of somebody else stands in the place of a new one."""
    places = [folder / name for name in names if name not in earlier_names]
    check_outputs(places, remedy="export into another folder")
