"""What learns from the shards: one package a trainer, one loop each, read from top to bottom.

All that belongs to a trainer stands behind one object (`trainer.Trainer`), which the table here
names, or an entry point of another package. Shared are only batches (`data`), checkpoints, and what
a run is given and says (`runs`, `ranks`, `stopping`, `configs`).
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

from symmv_builder import plugins
from symmv_builder.errors import StopRun, UnknownName
from symmv_builder.training.trainer import ModelScore, Option, Trainer

__all__ = ["PRESETS", "TRAINERS", "Option", "Trainer", "find_trainer", "trainers"]

PRESETS = ("paper", "small", "smoke")

TRAINERS: Mapping[str, str] = {
    "vmusprod": "symmv_builder.training.vmusprod.trainer:TRAINER",
    "amt": "symmv_builder.training.amt.trainer:TRAINER",
    "regressor": "symmv_builder.training.amt.regressor.trainer:TRAINER",
    "vmcp": "symmv_builder.training.vmcp.trainer:TRAINER",
}


def names() -> list[str]:
    """The trainers of this package and of others; nothing of theirs is imported."""
    return list(dict.fromkeys((*TRAINERS, *plugins.plugins("trainers"))))


def find_trainer(name: str) -> Trainer:
    """The trainer of a name, another package's too; `StopRun` where there is none."""
    if name in TRAINERS:
        module, _, attribute = TRAINERS[name].partition(":")
        built_in: Trainer = getattr(import_module(module), attribute)
        return built_in
    plugin = plugins.find("trainers", name)
    if plugin is None:
        raise UnknownName("trainer", name, names())
    trainer: Trainer = plugins.load(plugin, Trainer)
    return trainer


def blaming(name: str) -> Any:
    """Tell in one line what a trainer of another package raises (`plugins.blaming`)."""
    return plugins.blaming(None if name in TRAINERS else plugins.find("trainers", name))


def trainers() -> Iterator[tuple[str, Trainer]]:
    """Every trainer with its name, imported; one of another package that cannot be is left out."""
    for name in names():
        try:
            yield name, find_trainer(name)
        except StopRun:
            if name in TRAINERS:
                raise


def composing_options() -> dict[str, Option]:
    """The options of all trainers whose models write music, by name; of two the first."""
    found: dict[str, Option] = {}
    for _, trainer in trainers():
        for option in trainer.options:
            found.setdefault(option.name, option)
    return found


def model_scores() -> dict[str, ModelScore]:
    """What is measured of trained models, by the name of the score; of two the first."""
    found: dict[str, ModelScore] = {}
    for _, trainer in trainers():
        for score in trainer.scores:
            found.setdefault(score.name, score)
    return found
