"""Train on a dataset as a flow: the same work as `symmv train`, once for every state of the shards.

    python -m symmv_builder.flows.train vmusprod symmv --preset small --minutes 600

A run's folder is named by what it learns from: configuration, shards and the rows of a subset. So
a schedule trains anew when a build has changed the dataset, goes on with what was stopped, and does
nothing where all is done. Several GPUs are torchrun's business, not a flow's: `symmv train` runs
under it.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from logging import Logger, LoggerAdapter
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from symmv_builder.api import training
from symmv_builder.api.options import CHECKPOINT_MINUTES, HELP, assignments, trainer_help
from symmv_builder.api.texts import left_out
from symmv_builder.api.training import Tick
from symmv_builder.report.learning import losses_in_words
from symmv_builder.settings import read_settings

from . import artifacts
from .artifacts import Progress
from .edge import whole_run
from .leaving import refusing, run_program

_LOGGED_EVERY_S = 30.0


@flow(name="train", persist_result=False)
@whole_run
def train(
    trainer: str,
    dataset: str,
    preset: str = "paper",
    runs: str = "runs",
    root: str | None = None,
    minutes: float | None = None,
    workers: int = 2,
    settings: dict[str, str] | None = None,
    way: str = "",
    subset: str = "",
    unpack: str | None = None,
    checkpoint_minutes: float = CHECKPOINT_MINUTES,
    wait: bool = False,
) -> State[dict[str, Any]]:
    """Train to the end of the preset, or for so many minutes; `settings` change single fields.

    The other options mean what those of `symmv train` mean. Ends as `Unfinished` where time was
    up: the next run goes on.
    """
    config = training.config_of(trainer, preset, settings, way)
    where = read_settings(root=root)
    out = training.folder_of(runs, trainer, config, dataset, where, subset=subset)
    logger = get_run_logger()
    for name in training.untrained_behind(where, dataset):
        logger.warning("NOT TRAINED: %s made features of %s", name, dataset)
    progress = Progress(f"train-{trainer}-{dataset}", f"steps of {trainer} on {dataset}", logger)
    curve: list[dict[str, Any]] = []
    with progress:
        outcome = training.run(
            trainer,
            config,
            dataset,
            out,
            where,
            minutes,
            subset=subset,
            workers=workers,
            unpacked=Path(unpack) if unpack else None,
            checkpoint_minutes=checkpoint_minutes,
            wait=wait,
            tell=_teller(logger, progress, curve),
            note=logger.info,
        )
    if unused := left_out(dataset, outcome.left_out):
        logger.warning(unused)
    artifacts.show_table(
        f"train-{trainer}-{dataset}", curve[-200:], "validation losses as training went on"
    )
    losses = {name: round(value, 6) for name, value in outcome.losses.items()}
    facts = {"ended": outcome.ended, "step": outcome.step, "run": str(out), "losses": losses}
    line = f"{trainer} on {dataset}: step {outcome.step}, {losses_in_words(losses)}; model in {out}"
    if training.is_unfinished(outcome):
        return Completed(name="Unfinished", message=f"{line}; the next run goes on", data=facts)
    return Completed(message=line, data=facts)


def _teller(
    logger: "Logger | LoggerAdapter[Any]", progress: Progress, curve: list[dict[str, Any]]
) -> Callable[[Tick], None]:
    """Ticks to the run's log, its progress bar and the table of validation losses."""
    logged_at_s = [0.0]
    reached: dict[str, int] = {}

    def tell(tick: Tick) -> None:
        if tick.part not in reached:
            progress.expect(tick.steps, tick.step)
        progress.advance(tick.step - reached.get(tick.part, tick.step))
        reached[tick.part] = tick.step
        row: Mapping[str, Any] = {
            "part": tick.part,
            "step": tick.step,
            "epoch": tick.epoch,
            **{name: round(value, 6) for name, value in tick.losses.items()},
        }
        if tick.is_validation:
            curve.append(dict(row))
        if tick.is_validation or time.monotonic() - logged_at_s[0] > _LOGGED_EVERY_S:
            logged_at_s[0] = time.monotonic()
            what = "validation" if tick.is_validation else "training"
            reached_at = f"{tick.part} step {tick.step}, epoch {tick.epoch}"
            logger.info("%s of %s: %s", what, reached_at, losses_in_words(tick.losses) or "begun")

    return tell


def train_options() -> argparse.ArgumentParser:
    """Make the options that `python -m flows.train` takes."""
    options = argparse.ArgumentParser(
        prog=f"python -m {__name__}", description="Train on a dataset's shards with Prefect."
    )
    options.add_argument("trainer", help=trainer_help())
    options.add_argument("dataset", help=HELP["data"])
    options.add_argument("--preset", default="paper", help=HELP["preset"])
    options.add_argument("--runs", default="runs", help="folder in which runs have folders")
    options.add_argument("--root", help=HELP["root"])
    options.add_argument("--minutes", type=float, help=HELP["minutes"])
    options.add_argument("--workers", type=int, default=2, help=HELP["threads"])
    options.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help=HELP["set"]
    )
    options.add_argument("--as", dest="way", default="", help=HELP["trained-as"])
    options.add_argument("--subset", default="", help=HELP["learned-subset"])
    options.add_argument("--unpack", help=HELP["unpack"])
    options.add_argument(
        "--checkpoint-minutes",
        type=float,
        default=CHECKPOINT_MINUTES,
        help=HELP["checkpoint-minutes"],
    )
    options.add_argument("--wait", action="store_true", help=HELP["wait-for-run"])
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a training by the options of the command line; gives the exit code."""
    options = train_options()
    values = options.parse_args(arguments)
    with refusing(options):
        fields = assignments(values.set, "FIELD=VALUE, as in batch_size=8")
        config = training.config_of(values.trainer, values.preset, fields, values.way)
        where = read_settings(root=values.root)
        training.folder_of(
            values.runs, values.trainer, config, values.dataset, where, subset=values.subset
        )
    return run_program(
        train,
        values.trainer,
        values.dataset,
        preset=values.preset,
        runs=values.runs,
        root=values.root,
        minutes=values.minutes,
        workers=values.workers,
        settings=fields,
        way=values.way,
        subset=values.subset,
        unpack=values.unpack,
        checkpoint_minutes=values.checkpoint_minutes,
        wait=values.wait,
    )


if __name__ == "__main__":
    # Workers must find the tasks under the module's own name, not under that of a program.
    from .train import main as run_main

    sys.exit(run_main())
