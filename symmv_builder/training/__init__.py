"""What learns from the shards: one package a trainer, one loop each, read from top to bottom.

All that belongs to a trainer stands behind one object (`trainer.Trainer`): ``TRAINER`` in the
module `trainer` of its package, which needs no line here, or what an entry point of another package
names. Shared are only batches (`data`), checkpoints, and what a run is given and says (`runs`,
`ranks`, `stopping`, `configs`).
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

from symmv_builder import plugins
from symmv_builder.errors import StopRun, UnknownName
from symmv_builder.training.trainer import ModelScore, Option, Trainer

__all__ = ["PRESETS", "TRAINERS", "Option", "Trainer", "find_trainer", "trainers"]

Declared = TypeVar("Declared", Option, ModelScore)

PRESETS = ("paper", "small", "smoke")


def _built_in() -> dict[str, str]:
    """Packages below this one that have a module `trainer`, by name; nothing is imported."""
    folder = Path(__file__).parent
    packages = sorted(file.parent for file in folder.glob("*/**/trainer.py"))
    return {
        package.name: ".".join((__name__, *package.relative_to(folder).parts, "trainer"))
        for package in packages
    }


# Name of a trainer to the module that holds its ``TRAINER``.
TRAINERS: Mapping[str, str] = _built_in()


def names() -> list[str]:
    """List the trainers of this package and of others; nothing of theirs is imported."""
    return list(dict.fromkeys((*TRAINERS, *plugins.plugins("trainers"))))


def find_trainer(name: str) -> Trainer:
    """Find the trainer of a name, another package's too; `StopRun` where there is none."""
    if name in TRAINERS:
        built_in: Trainer = import_module(TRAINERS[name]).TRAINER
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
    """Import every trainer, by its name; one of another package that cannot be is left out."""
    for name in names():
        try:
            yield name, find_trainer(name)
        except StopRun:
            if name in TRAINERS:
                raise


def composing_options() -> dict[str, Option]:
    """List the options of all trainers whose models write music, by name; of two the first."""
    return _by_name(option for _, trainer in trainers() for option in trainer.options)


def model_scores() -> dict[str, ModelScore]:
    """List what is measured of trained models, by the name of the score; of two the first."""
    return _by_name(score for _, trainer in trainers() for score in trainer.scores)


def _by_name(declared: Iterable[Declared]) -> dict[str, Declared]:
    by_name: dict[str, Declared] = {}
    for each in declared:
        by_name.setdefault(each.name, each)
    return by_name
