"""A trainer that learns the mean of a column."""

import json
from dataclasses import dataclass

import numpy as np

from symmv_builder.training import Trainer
from symmv_builder.training.runs import Outcome, Request
from symmv_builder.training.trainer import Columns


@dataclass(frozen=True)
class Config:
    column: str = "brightness"


PRESETS = {"paper": Config(), "small": Config(), "smoke": Config()}


class Mean(Trainer):
    title = "mean of a column"
    presets = PRESETS

    def columns(self, config: Config) -> Columns:
        return ("entry_id", config.column), ()

    def train(self, config: Config, request: Request) -> Outcome:
        """Write the mean of a column to ``mean.json``."""
        rows = request.rows("train", *self.columns(config))
        mean = float(np.mean([np.mean(row[config.column]) for row in rows]))
        request.out.mkdir(parents=True, exist_ok=True)
        path = request.out / "mean.json"
        path.write_text(json.dumps(mean))
        return Outcome(path, path, 1, {"mean": mean}, "steps")


TRAINER = Mean()
