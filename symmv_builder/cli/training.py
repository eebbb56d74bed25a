"""`symmv train`: a model learns from a dataset's shards."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symmv_builder.api.options import CHECKPOINT_MINUTES, HELP, assignments, trainer_help
from symmv_builder.api.texts import left_out
from symmv_builder.cli import completing, options
from symmv_builder.cli.saying import complain, say
from symmv_builder.errors import WrongArguments
from symmv_builder.report.learning import Learning, losses_in_words

if TYPE_CHECKING:
    from symmv_builder.api.training import Outcome

_ENDED = {
    "steps": "all steps are done",
    "early": "validation no longer improved",
    "time": "time is up; the same command goes on",
    "interrupted": "interrupted; the same command goes on",
    "terminated": "terminated; the same command goes on",
}
_EXIT_CODES = {"interrupted": 130, "terminated": 143}


def register(app: typer.Typer) -> None:
    app.command()(train)


def train(
    trainer: Annotated[
        str,
        typer.Argument(
            help=trainer_help(),
            show_default=False,
            autocompletion=completing.trainers,
        ),
    ],
    data: Annotated[
        str,
        typer.Option(
            "--data",
            help=HELP["data"],
            show_default=False,
            autocompletion=completing.datasets,
        ),
    ] = "",
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Learn from a folder of MIDI files: it is imported first, as `symmv import midi` "
            "does. In the place of --data.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the run; a run that stopped there is gone on with.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[str, typer.Option(help=HELP["preset"])] = "paper",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help=HELP["set"],
            show_default=False,
        ),
    ] = None,
    way: Annotated[
        str,
        typer.Option(
            "--as",
            help=HELP["trained-as"],
            show_default=False,
        ),
    ] = "",
    root: options.Root = None,
    subset: Annotated[
        str,
        typer.Option(help=HELP["learned-subset"], show_default=False),
    ] = "",
    minutes: Annotated[
        float | None,
        typer.Option(callback=options.checking("minutes"), help=HELP["minutes"]),
    ] = None,
    workers: Annotated[
        int, typer.Option(callback=options.checking("threads"), help=HELP["threads"])
    ] = 2,
    unpack: Annotated[Path | None, typer.Option(help=HELP["unpack"])] = None,
    checkpoint_minutes: Annotated[
        float,
        typer.Option(
            callback=options.checking("checkpoint-minutes"),
            help=HELP["checkpoint-minutes"],
        ),
    ] = CHECKPOINT_MINUTES,
    data_changed: Annotated[
        bool,
        typer.Option(
            "--data-changed", help="Go on though the dataset has changed since the run stopped."
        ),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help=HELP["wait-for-run"])] = False,
    show: Annotated[
        bool,
        typer.Option(
            "--show", help="Print the configuration and train nothing; takes no --data and --out."
        ),
    ] = False,
) -> None:
    """Train a model; can be stopped at any moment and run again, to the same losses.

    Ctrl-C and SIGTERM let the step be finished and keep it; a second one ends at once.
    Under torchrun every process trains on its share: torchrun --nproc-per-node 2 --no-python
    symmv train ... Runs on SYMMV_DEVICE.
    """
    from symmv_builder.api import training

    fields = assignments(set_, "FIELD=VALUE, as in batch_size=8")
    config = training.config_of(trainer, preset, fields, way)
    if show:
        for name, value in training.fields_of(config).items():
            say(f"{name} = {value}")
        return
    data, out = _places(data, from_, out, root, wait=wait)
    settings = options.settings(root)
    is_first = training.is_first_rank()
    if is_first:
        for name in training.untrained_behind(settings, data):
            complain(f"NOT TRAINED: {name} made features of {data}")

    def run(learning: Learning | None) -> "Outcome":
        telling: dict[str, Any] = {"tell": learning.on_tick, "note": say} if learning else {}
        return training.run(
            trainer,
            config,
            data,
            out,
            settings,
            minutes,
            subset=subset,
            workers=workers,
            unpacked=unpack,
            checkpoint_minutes=checkpoint_minutes,
            data_changed=data_changed,
            wait=wait,
            **telling,
        )

    if is_first:
        with Learning() as learning:
            outcome = run(learning)
    else:
        outcome = run(None)
    if is_first:
        unused = left_out(data, outcome.left_out)
        if unused:
            complain(unused)
        losses = {name: value for name, value in outcome.losses.items() if value is not None}
        lines = [f"{trainer}: {_ENDED[outcome.ended]} at step {outcome.step}"]
        lines += [losses_in_words(losses)] if losses else []
        say("; ".join([*lines, f"model in {out}"]))
    if outcome.ended in _EXIT_CODES:
        raise typer.Exit(_EXIT_CODES[outcome.ended])


def _places(
    data: str, folder: Path | None, out: Path | None, root: str | None, *, wait: bool
) -> tuple[str, Path]:
    """Give the dataset to learn from, imported first if it is a folder, and its run's folder."""
    if out is None or bool(data) == bool(folder):
        raise WrongArguments(
            "a training needs `out`, the run's folder, and either `data`, its dataset, or `from`, "
            "a folder of MIDI files"
        )
    return _imported(folder, root, wait=wait) if folder else data, out


def _imported(folder: Path, root: str | None, *, wait: bool) -> str:
    """Import a folder of MIDI files; the name of the dataset that it becomes."""
    from symmv_builder.api.importing import open_release
    from symmv_builder.api.training import is_alone
    from symmv_builder.cli.importing import take_in

    if not is_alone():
        raise WrongArguments(
            "several processes cannot import: import the folder before, for `data`"
        )
    release = open_release("midi", folder, root)
    take_in(release, wait=wait)
    return release.dataset.name
