"""Opens the model of a run that writes music: which trainer reads it, and with which options.

What a model may ask of a video are the columns of the dataset that it learned from (`seen`).
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symmv_builder import starter, training
from symmv_builder.errors import StopRun, UnknownName, WrongArguments
from symmv_builder.music.key import find_key
from symmv_builder.records import Key, Notes
from symmv_builder.training.composing import Composer, Order
from symmv_builder.training.run_folders import configuration, trainers_in
from symmv_builder.training.trainer import ComposeRequest, Option, Trainer

# What is said of the package's own model whenever it writes.
STARTER = (
    "the starter model writes: V-MusProd, trained on piano arrangements of POP909 (MIT licence); "
    "no video was in its training, so it takes length, cuts and motion (for the tempo) from yours"
)


def starter_run() -> Path:
    """Give the folder of the model that comes with the package, a run as any other."""
    return starter.path()


def heeded_by(run: Path) -> tuple[str, Trainer, frozenset[str]]:
    """Whose model a training's folder holds, and what of an order and of options it can heed.

    That is its trainer's word on the configuration that it was trained with. `StopRun` where the
    folder holds none.
    """
    names = trainers_in(run)
    if len(names) != 1:
        # It says what is wrong. Imported here: it brings torch.
        from symmv_builder.training.checkpoint import trainer_in

        names = {trainer_in(run)}
    [name] = names
    trainer = training.find_trainer(name)
    return name, trainer, trainer.heeds(configuration(run))


def open_composer(
    run: Path, options: Mapping[str, Any], device: str, order: Order | None = None
) -> Composer:
    """Open the model in a training's folder, whose checkpoints name its trainer.

    `options` are those of trainers by name; what is left out, or is as its default, is not asked
    for. `StopRun` where the folder holds no model that writes music, or one that cannot heed an
    option or what the `order` asks for.
    """
    name, trainer, heeded = heeded_by(run)
    values = _option_values(trainer, options)
    changes = {each for each, value in values.items() if value != _own(trainer)[each].default}
    if order is not None:
        changes |= order.non_defaults()
    for each in sorted(changes - heeded):
        others = ", ".join(f"`{one}`" for one in sorted(heeded))
        raise WrongArguments(f"this {trainer.title} cannot heed `{each}`; it heeds {others}")
    with training.blaming(name):
        return trainer.composer(ComposeRequest(run, device, values, _find_key))


def _option_values(trainer: Trainer, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give a value to each of a trainer's options; `StopRun` for what is asked of other models."""
    own = _own(trainer)
    declared = training.composing_options()
    for name, value in options.items():
        if name in own:
            continue
        if name not in declared:
            raise UnknownName("option", name, tuple(declared))
        if declared[name].checked(value) != declared[name].default:
            owners = [each for _, each in training.trainers() if declared[name] in each.options]
            titles = " and ".join(owner.title for owner in owners)
            raise StopRun(f"{name} is for {titles}; this model is {trainer.title}")
    return {name: option.checked(options.get(name)) for name, option in own.items()}


def _own(trainer: Trainer) -> dict[str, Option]:
    return {option.name: option for option in trainer.options}


def untrained(composer: Composer) -> list[str]:
    """List untrained models that made what a model learned from, as ``slot: name``."""
    return [
        f"{model['slot']}: {model['backend']}"
        for model in composer.learned_from
        if not model.get("trained", True)
    ]


def _find_key(notes: Notes) -> Key:
    return find_key(notes, profile="aarden-essen")
