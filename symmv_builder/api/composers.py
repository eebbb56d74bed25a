"""Models that write music: which there are, and what each of them can be asked."""

from dataclasses import dataclass
from pathlib import Path

from symmv_builder.datasets import composing
from symmv_builder.errors import StopRun
from symmv_builder.training import composing_options, trainers
from symmv_builder.training.trainer import Option

__all__ = ["ModelAbout", "Option", "about_model", "composers", "options_of_models"]


def composers() -> list[str]:
    """List the trainers whose models write music."""
    return [name for name, trainer in trainers() if trainer.composes]


def options_of_models() -> list[Option]:
    """List what models of single trainers can be asked besides an `Order`."""
    return list(composing_options().values())


@dataclass(frozen=True, slots=True)
class ModelAbout:
    """A model that writes music: what people call it, and what it can be asked (`heeded`).

    `options` are those of its own trainer among them.
    """

    title: str
    heeded: frozenset[str]
    options: tuple[Option, ...]


def about_model(model: Path | None = None) -> ModelAbout:
    """Tell what the model of a run can be asked, without opening it; without a run, the starter.

    `StopRun` where the folder holds none that writes music.
    """
    run = composing.starter_run() if model is None else model
    _, trainer, heeded = composing.heeded_by(run)
    if not trainer.composes:
        raise StopRun(f"{run} holds a {trainer.title}, which writes no music")
    own = tuple(option for option in trainer.options if option.name in heeded)
    return ModelAbout(trainer.title, heeded, own)
