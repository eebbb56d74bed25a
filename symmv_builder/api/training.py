"""Models learn from a dataset's shards: trained to the end of a preset, or gone on with."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from symmv_builder.api.options import CHECKPOINT_MINUTES, checked
from symmv_builder.api.texts import setting_text
from symmv_builder.datasets.evaluate import untrained_models
from symmv_builder.datasets.lacking import explaining
from symmv_builder.datasets.remembered import require_receipt
from symmv_builder.datasets.subsets import read_subset
from symmv_builder.errors import WrongSetting
from symmv_builder.pipeline.keys import digest
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt
from symmv_builder.training import PRESETS, TRAINERS, find_trainer
from symmv_builder.training.configs import as_plain
from symmv_builder.training.runs import (
    BY_SIGNAL,
    Outcome,
    Request,
    Tick,
    configure,
    start,
)

__all__ = ["PRESETS", "TRAINERS", "Outcome", "Tick", "find_trainer", "train"]


def train(
    trainer: str,
    dataset: str,
    out: str | Path,
    *,
    preset: str = "paper",
    way: str = "",
    root: str | Path | None = None,
    subset: str = "",
    minutes: float | None = None,
    tell: Callable[[Tick], None] = lambda _: None,
    **fields: Any,
) -> Outcome:
    """Train to the end of a preset, or go on with the run that stopped in the folder `out`.

    `trainer` is one of `TRAINERS` or another package's; `way` is
    ``paper`` or ``released`` (`training.runs.configure`), `fields` are single fields of the preset.
    The device is that of ``SYMMV_DEVICE``. With `subset` only the rows are learned from that are
    marked so (`api.ranking`). `StopRun` where trainer, dataset, a field or a
    checkpoint does not fit.

    Examples:
        >>> outcome = sb.train("markov", "midi", "runs/markov", root="data")
        >>> outcome.ended, sorted(outcome.losses)
        ('steps', ['chord', 'loss', 'mode', 'pitch', 'rhythm'])
    """
    texts = {name: setting_text(value) for name, value in fields.items()}
    config = configure(trainer, preset, texts, way)
    settings = read_settings(root=root)
    return run(trainer, config, dataset, Path(out), settings, minutes, subset=subset, tell=tell)


def config_of(trainer: str, preset: str, fields: Mapping[str, str] | None, way: str) -> Any:
    """Make the configuration of a trainer: a preset, in a `way`, with texts of single `fields`."""
    return configure(trainer, preset, fields or {}, way)


def fields_of(config: Any) -> dict[str, Any]:
    """List every field of a configuration, as plain data."""
    return as_plain(config)


def run(
    trainer: str,
    config: Any,
    dataset: str,
    out: Path,
    settings: Settings,
    minutes: float | None = None,
    *,
    subset: str = "",
    workers: int = 0,
    unpacked: Path | None = None,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
    data_changed: bool = False,
    wait: bool = False,
    tell: Callable[[Tick], None] = lambda _: None,
    note: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Train by a configuration of `config_of`.

    Of the other arguments only the data change the result: the dataset and, of its split train, the
    rows of a `subset`.

    `workers` threads prepare batches, decoded features are kept in the folder `unpacked`, with
    `data_changed` a run goes on though its dataset is another one, with `wait` it waits for another
    one in its folder. `StopRun` where dataset or folder does not fit, or a number is too small.
    """
    checked("minutes", minutes)
    checked("checkpoint-minutes", checkpoint_minutes)
    checked("threads", workers)
    manifests = settings.open_manifests()
    require_receipt(Root(settings.root), manifests, dataset)
    request = Request(
        root=Root(settings.root),
        dataset=dataset,
        out=out,
        device=settings.home.device,
        max_s=minutes * 60 if minutes else None,
        workers=workers,
        unpacked=unpacked,
        checkpoint_s=checkpoint_minutes * 60,
        data_changed=data_changed,
        wait=wait,
        tell=tell,
        note=note,
        subset=_marked(settings, dataset, subset) if subset else None,
    )
    with explaining(manifests, dataset):
        return start(trainer, config, request)


def _marked(settings: Settings, dataset: str, subset: str) -> frozenset[str]:
    """Name the rows that a training learns from; `StopRun` for a subset of other rows."""
    marked = read_subset(Root(settings.root), dataset, subset)
    if marked.split != "train":
        problem = f"its rows are of the split {marked.split}, and a training learns from train"
        raise WrongSetting("subset", subset, problem)
    return frozenset(marked.rows)


def folder_of(
    runs: str | Path,
    trainer: str,
    config: Any,
    dataset: str,
    settings: Settings,
    *,
    subset: str = "",
) -> Path:
    """Name the folder of a run by what it learns from: configuration, shards, rows of a `subset`.

    `StopRun` where the dataset has no shards, or no such subset of them.
    """
    receipt = require_receipt(Root(settings.root), settings.open_manifests(), dataset)
    learned_from = [trainer, as_plain(config), [shard["sha256"] for shard in receipt["shards"]]]
    if subset:
        learned_from.append(sorted(_marked(settings, dataset, subset)))
    return Path(runs) / f"{trainer}-{dataset}-{digest(learned_from)[:12]}"


def is_first_rank() -> bool:
    """Check whether this process is the first, or the only one, of those that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def is_alone() -> bool:
    """Check whether this process is none of several that torchrun started."""
    return os.environ.get("WORLD_SIZE", "1") == "1"


def is_unfinished(outcome: Outcome) -> bool:
    """Check whether a run ended before its last step, ready to be gone on with."""
    return outcome.ended in ("time", *BY_SIGNAL)


def untrained_behind(settings: Settings, dataset: str) -> tuple[str, ...]:
    """List the models with random weights that made a dataset's features."""
    return untrained_models(read_receipt(Root(settings.root), dataset) or {})
