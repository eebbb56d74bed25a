"""Made songs for the regressors, and training them in a process of one's own.

``python songs.py ROOT OUT SETTINGS [KILL_AT]`` trains; at step KILL_AT it kills itself as
`kill -9` does, without any chance to tidy up.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.datasets.schemas import published_schema
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.training.amt.regressor.config import PRESETS, RegressorConfig
from symmv_builder.training.amt.regressor.train import train
from symmv_builder.training.configs import with_settings
from symmv_builder.training.runs import Request, Tick
from tests.synthetic_rows import make_row

ROOT = Path(__file__).resolve().parents[4]
# A small model that draws random numbers and passes several validations and checkpoints.
SETTINGS = {
    "units": "8",
    "batch_size": "4",
    "steps": "20",
    "validate_every": "4",
    "checkpoint_every": "6",
    "log_every": "1",
}


def song(number: int, seconds: int, split: str = "train") -> dict[str, Any]:
    """A row whose density and loudness follow from what is seen."""
    row = make_row("muvisync", number, seconds=seconds, split=split)
    seen = row["semantic"][:, :2].astype(np.float32)
    row["density"] = np.round(4 + 16 * seen[:, 0]).astype(np.float32)
    row["loudness"] = (0.1 + 0.2 * seen[:, 1]).astype(np.float32)
    return row


def write(root: Root, rows: Sequence[dict[str, Any]], dataset: str = "muvisync") -> Root:
    """Rows, sorted by split, as the finished shards of a dataset."""
    shards = ShardWriter(root, dataset, published_schema(dataset)).write(rows)
    write_receipt(root, dataset, {"dataset": dataset, "shards": as_plain(shards)})
    return root


def dataset(folder: Path, train_songs: int = 10, held_out: int = 3) -> Root:
    """Songs of unlike length in the three splits."""
    splits = ["test"] * held_out + ["train"] * train_songs + ["validation"] * held_out
    rows = [song(n, 9 + 5 * (n % 3), split) for n, split in enumerate(splits)]
    return write(Root(str(folder)), rows)


def configured(**settings: str) -> RegressorConfig:
    return with_settings(PRESETS["smoke"], SETTINGS | settings)


def lines(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def main(root: str, out: str, settings: str, kill_at: str = "0") -> None:
    def tell(tick: Tick) -> None:
        if tick.part == "regressor" and tick.step == int(kill_at):
            os.kill(os.getpid(), signal.SIGKILL)

    train(configured(**json.loads(settings)), Request(Root(root), "muvisync", Path(out), tell=tell))


if __name__ == "__main__":
    main(*sys.argv[1:])
