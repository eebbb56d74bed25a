"""What learns from the shards: one package a trainer, one loop each, read from top to bottom.

A trainer offers ``PRESETS`` (a frozen dataclass of configuration by preset), ``WAYS`` (what other
values make it that of its paper or of its release) and
``train(config, request) -> Outcome``. Shared are only the reading of shards (`data`),
checkpoints, and what a run is given and says (`runs`, `ranks`, `configs`).
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass
from typing import Any

from symmv_builder import plugins
from symmv_builder.errors import StopRun

PRESETS = ("paper", "small", "smoke")


@dataclass(frozen=True, slots=True)
class Trainer:
    """Where a trainer's presets, ways and loop are, as ``module:name``; imported on first use."""

    presets: str
    ways: str
    train: str


def _trainer(package: str) -> Trainer:
    config = f"{__name__}.{package}.config"
    return Trainer(f"{config}:PRESETS", f"{config}:WAYS", f"{__name__}.{package}.train:train")


TRAINERS: dict[str, Trainer] = {
    "vmusprod": _trainer("vmusprod"),
    "amt": _trainer("amt"),
    "regressor": _trainer("amt.regressor"),
    "vmcp": _trainer("vmcp"),
}


def find_trainer(name: str) -> Trainer:
    """The trainer of a name, another package's too; `StopRun` where there is none."""
    if name in TRAINERS:
        return TRAINERS[name]
    added = plugins.plugins("trainers")
    if name not in added:
        known = ", ".join((*TRAINERS, *added))
        raise StopRun(f"no trainer is called {name!r}; known: {known}")
    trainer: Trainer = plugins.load(_plugin(name), Trainer)
    return trainer


def presets_of(name: str) -> Mapping[str, Any]:
    """The configurations of a trainer by preset; errors as of `find_trainer`."""
    with plugins.blaming(_plugin(name)):
        presets = _at(find_trainer(name).presets)
        if not all(is_dataclass(presets.get(preset)) for preset in PRESETS):
            raise TypeError(f"its presets {', '.join(PRESETS)} are not all dataclasses")
        return dict(presets)


def ways_of(name: str) -> Mapping[str, Mapping[str, str]]:
    """The changes of fields of a trainer by way; errors as of `find_trainer`."""
    with plugins.blaming(_plugin(name)):
        return dict(_at(find_trainer(name).ways))


def loop_of(name: str) -> Any:
    """The function ``train(config, request)`` of a trainer; errors as of `find_trainer`."""
    with plugins.blaming(_plugin(name)):
        return _at(find_trainer(name).train)


def _plugin(name: str) -> Any:
    return None if name in TRAINERS else plugins.find("trainers", name)


def _at(place: str) -> Any:
    module, _, attribute = place.partition(":")
    return getattr(importlib.import_module(module), attribute)
