"""`symmv evaluate transcription | chords | melody | key | compare`, and `beats` of two names.

How right annotations are against references; no model of ours is needed.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api.evaluation.accuracy import LEVEL, AccuracyReport, accuracy
from symmv_builder.api.evaluation.accuracy import compare as compare_results
from symmv_builder.cli import options
from symmv_builder.cli.evaluate.verdict import complain_of, print_json
from symmv_builder.cli.saying import say
from symmv_builder.report import tables
from symmv_builder.report.counting import Counting
from symmv_builder.text import amount

Estimate = Annotated[
    str,
    typer.Argument(help="What is measured: a file, a folder, or a dataset of the data root."),
]
Reference = Annotated[
    str, typer.Argument(help="What is right: a file, a folder, or a dataset of the data root.")
]
Split = Annotated[
    str, typer.Option("--split", help="Rows of a dataset: train, validation, test or all.")
]
_SHOWN_NAMES = 5


def register(app: typer.Typer) -> None:
    for command in (transcription, chords, melody, key, compare):
        app.command()(command)


def transcription(
    estimate: Estimate,
    reference: Reference,
    split: Split = "all",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """F1 of notes by onset, and by onset and offset, within 50 and 100 ms.

    Takes MIDI, JSON of `symmv run transcribe`, or text of `onset offset pitch`.
    """
    show_accuracy("transcription", estimate, reference, split, root, as_json)


def chords(
    estimate: Estimate,
    reference: Reference,
    split: Split = "all",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Share of the time with the right chord: root, majmin, thirds, sevenths.

    Takes JSON of `symmv run chords`, or text of `start end label` (.lab, .txt).
    """
    show_accuracy("chords", estimate, reference, split, root, as_json)


def melody(
    estimate: Estimate,
    reference: Reference,
    split: Split = "all",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Precision, recall and F1 of melody notes by pitch and onset within 50 ms.

    Takes MIDI (its track MELODY, else all notes), JSON of `symmv run melody`, or text.
    """
    show_accuracy("melody", estimate, reference, split, root, as_json)


def key(
    estimate: Estimate,
    reference: Reference,
    split: Split = "all",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """MIREX's weighted key score, and the share of exactly right keys.

    Takes JSON of `symmv run key`, or text of `C major`, `C:maj` or `start end C:maj`.
    """
    show_accuracy("key", estimate, reference, split, root, as_json)


def show_accuracy(
    task: str, estimate: str, reference: str, split: str, root: str | None, as_json: bool
) -> None:
    """Measure and print; exit code 1 where something was left out."""
    with Counting() as counting:
        report = accuracy(
            options.settings(root), task, estimate, reference, split=split, tell=counting.tell
        )
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    complain_of(report.accuracy.refused)


def _print(report: AccuracyReport) -> None:
    tasks = report.accuracy
    songs = amount(len(tasks.songs), "song")
    say(f"{tasks.task}: {songs} of {tasks.estimate} against {tasks.reference}")
    interval = f"{LEVEL:.0%} interval"
    table = tables.plain_table("metric", "mean", interval, numbers=("mean",))
    for name, value in tasks.mean.items():
        tables.add_row(table, name, f"{value:.4f}", tables.span(*tasks.interval[name], ".4f"))
    tables.show(table)
    for names, what in (
        (tasks.unmatched_estimates, "without a reference"),
        (tasks.unmatched_references, "without an estimate"),
    ):
        if names:
            more = ", ..." if len(names) > _SHOWN_NAMES else ""
            say(f"{amount(len(names), 'song')} {what}: {', '.join(names[:_SHOWN_NAMES])}{more}")


def compare(
    a: Annotated[
        Path, typer.Argument(metavar="A.json", help="What `symmv evaluate TASK --json` printed.")
    ],
    b: Annotated[Path, typer.Argument(metavar="B.json", help="The same of another model.")],
    as_json: options.AsJson = False,
) -> None:
    """Do two results of the same songs differ: Wilcoxon's signed-rank test for each metric.

    The difference is A less B, its interval the bootstrap over songs.
    """
    compared = compare_results(a, b)
    metrics, alone = compared.metrics, compared.alone
    if as_json:
        comparisons = {name: asdict(each) for name, each in metrics.items()}
        print_json({"a": str(a), "b": str(b), "without_pair": alone, "metrics": comparisons})
        return
    numbers = ("songs", "A", "B", "A - B", "p")
    interval = f"{LEVEL:.0%} interval"
    say(f"A is {a}, B is {b}")
    headings = ("metric", "songs", "A", "B", "A - B", interval, "p")
    table = tables.plain_table(*headings, numbers=numbers)
    for name, each in metrics.items():
        values = (f"{each.mean_a:.4f}", f"{each.mean_b:.4f}", f"{each.difference:+.4f}")
        p = f"{each.p:.3g}" if each.p == each.p else "-"
        tables.add_row(
            table, name, each.songs, *values, tables.span(each.low, each.high, "+.4f"), p
        )
    tables.show(table)
    if alone:
        say(f"not compared: {amount(alone, 'song')} that only one of the two results has")
