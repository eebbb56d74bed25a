"""`symmv train`: a model learns from a dataset's shards."""

import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.datasets.evaluate import untrained_models
from symmv_builder.report.learning import Learning, losses_in_words
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt

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
        str, typer.Argument(help="vmusprod, amt, regressor or vmcp.", show_default=False)
    ],
    data: Annotated[
        str, typer.Option("--data", help="Dataset to learn from, as it is called in the data root.")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the run; a run that stopped there is gone on with.")
    ],
    preset: Annotated[
        str, typer.Option(help="paper (a GPU), small (an hour or so) or smoke (about a minute).")
    ] = "paper",
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Another value for a field of the preset: FIELD=VALUE. May be repeated.",
            show_default=False,
        ),
    ] = None,
    way: Annotated[
        str,
        typer.Option(
            "--as",
            help="Take all choices of the `paper`, or of the `released` code, where the defaults "
            "are others; --set goes before it.",
            show_default=False,
        ),
    ] = "",
    root: options.Root = None,
    minutes: Annotated[
        float | None,
        typer.Option(min=0.01, help="End after so long, ready to be gone on with."),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=0, help="Threads that prepare batches ahead; 0: none.")
    ] = 2,
    unpack: Annotated[
        Path | None,
        typer.Option(
            help="Keep decoded features in this folder, several times as large as the shards: "
            "for a dataset whose features do not fit in memory."
        ),
    ] = None,
    checkpoint_minutes: Annotated[
        float,
        typer.Option(min=0.01, help="Keep where the run stands at least this often, in minutes."),
    ] = 5.0,
    data_changed: Annotated[
        bool,
        typer.Option(
            "--data-changed", help="Go on though the dataset has changed since the run stopped."
        ),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait while another process trains into the folder.")
    ] = False,
    show: Annotated[
        bool, typer.Option("--show", help="Print the configuration and train nothing.")
    ] = False,
) -> None:
    """Train a model; can be stopped at any moment and run again, to the same losses.

    Ctrl-C and SIGTERM let the step be finished and keep it; a second one ends at once.
    Under torchrun every process trains on its share: torchrun --nproc-per-node 2 --no-python
    symmv train ... Runs on SYMMV_DEVICE.
    """
    from symmv_builder.training.configs import as_plain
    from symmv_builder.training.runs import Outcome, Request, configure, start
    from symmv_builder.training.usable import summary

    given = options.assignments(set_, "FIELD=VALUE, as in batch_size=8")
    config = configure(trainer, preset, given, way)
    if show:
        for name, value in as_plain(config).items():
            say(f"{name} = {value}")
        return
    settings = options.settings(root)
    is_first = os.environ.get("RANK", "0") == "0"
    if is_first:
        say_untrained(Root(settings.root), data)

    def run(learning: Learning | None) -> Outcome:
        tell: dict[str, Any] = {"tell": learning.on_tick, "note": say} if learning else {}
        return start(
            trainer,
            config,
            Request(
                root=Root(settings.root),
                dataset=data,
                out=out,
                device=settings.home.device,
                max_s=minutes * 60 if minutes else None,
                workers=workers,
                unpacked=unpack,
                checkpoint_s=checkpoint_minutes * 60,
                data_changed=data_changed,
                wait=wait,
                **tell,
            ),
        )

    try:
        if is_first:
            with Learning() as learning:
                outcome = run(learning)
        else:
            outcome = run(None)
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nsymmv: interrupted; run the same command to go on from the last checkpoint\n"
        )
        raise typer.Exit(130) from None
    if is_first:
        left_out = summary(data, outcome.left_out)
        if left_out:
            complain(left_out)
        losses = {name: value for name, value in outcome.losses.items() if value is not None}
        said = [f"{trainer}: {_ENDED[outcome.ended]} at step {outcome.step}"]
        said += [losses_in_words(losses)] if losses else []
        say("; ".join([*said, f"model in {out}"]))
    if outcome.ended in _EXIT_CODES:
        raise typer.Exit(_EXIT_CODES[outcome.ended])


def say_untrained(root: Root, dataset: str) -> None:
    """A line for each model with random weights that made what is learned from."""
    receipt = read_receipt(root, dataset) or {}
    for name in untrained_models(receipt):
        complain(f"NOT TRAINED: {name} made features of {dataset}")
