"""`symmv evaluate music | beats`: what needs no trained model of ours."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api.evaluation import estimate_and_reference
from symmv_builder.api.evaluation import music as measure
from symmv_builder.api.evaluation.music import MusicOf, MusicReport
from symmv_builder.cli import options
from symmv_builder.cli.evaluate import accuracy, models, sound
from symmv_builder.cli.evaluate.verdict import (
    Split,
    complain_of,
    print_json,
    say_left_out,
    say_untrained,
)
from symmv_builder.cli.saying import say
from symmv_builder.report import score_tables, tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.score_tables import ScoreLine
from symmv_builder.text import amount

app = typer.Typer(
    help="Measure music and models by the metrics of the papers, beside the papers' figures.",
    no_args_is_help=True,
)


def register(parent: typer.Typer) -> None:
    app.command()(music)
    app.command()(beats)
    sound.register(app)
    accuracy.register(app)
    models.register(app)
    parent.add_typer(app, name="evaluate")


class Grid(StrEnum):
    """On which beats the empty beat rate of rows is counted."""

    TRACKED = "tracked"
    STEADY = "120"


class Voices(StrEnum):
    """The notes of a row that are measured."""

    NOTES = "notes"
    PARTS = "parts"


class Points(StrEnum):
    """The points that beat coverage and hit are taken of."""

    BEATS = "beats"
    ONSETS = "onsets"


Reference = Annotated[
    str | None,
    typer.Option(
        "--reference",
        help="Real music to compare with: a dataset in the data root, a file or a folder.",
        show_default=False,
    ),
]
Generated = Annotated[
    list[Path], typer.Argument(metavar="PATH...", help="Files of generated music, or folders.")
]


def music(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PATH...]", help="MIDI files or folders of them."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Measure the rows of this dataset.", show_default=False)
    ] = None,
    split: Split = "test",
    root: options.Root = None,
    reference: Reference = None,
    beats: Annotated[
        Grid,
        typer.Option(help="Beats of rows: as tracked, or 120 to the minute as in SymMV's MIDI."),
    ] = Grid.TRACKED,
    notes: Annotated[
        Voices, typer.Option(help="Notes of rows: as transcribed, or the quantised parts.")
    ] = Voices.NOTES,
    as_json: options.AsJson = False,
) -> None:
    """Scale consistency, pitch and pitch class entropy, empty beat rate, inter-onset interval.

    SC PE PCE EBR IOI as MusPy and mgeval define them. Closer to real music is better.
    """
    with Counting() as counting:
        report = measure.music(
            options.settings(root),
            *(paths or ()),
            dataset=dataset,
            split=split,
            reference=reference,
            notes=notes.value,
            tracked=beats is Grid.TRACKED,
            tell=counting.tell,
        )
    if as_json:
        print_json(report.as_json())
    else:
        _print_music(report)
    complain_of(report.refused)


def _print_music(report: MusicReport) -> None:
    ours, real = report.ours, report.real
    lines = [ScoreLine(_called(real), real.summary.mean)] if real else []
    lines.append(ScoreLine(_called(ours), ours.summary.mean))
    lines.append(ScoreLine("standard deviation over songs", ours.summary.deviation))
    if report.distance:
        lines.append(ScoreLine("less the reference", report.distance, is_signed=True))
    tables.show(
        score_tables.scores_table(
            "Music quality; closer to real is better", report.columns, report.published, lines
        )
    )
    for of in (ours, real):
        if of:
            left_out = of.summary.left_out
            less = f", {left_out} of fewer than two notes left out" if left_out else ""
            say(f"{_called(of)}: empty beats by {of.clock}{less}")
            say_left_out(of.name, of.left_out)
            say_untrained(of.untrained)


def _called(of: MusicOf) -> str:
    split = f", {of.split}" if of.split else ""
    return f"{of.name}{split} ({amount(of.summary.songs, 'song')})"


def beats(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...",
            help="Generated music; without --reference two names: ESTIMATE REFERENCE.",
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Option(help="The real music: a dataset in the data root, a file or a folder."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Which split of a dataset. Default: test with --reference, else all."),
    ] = None,
    root: options.Root = None,
    window: Annotated[
        float, typer.Option(min=0.01, help="Length of what has a beat or has none, in seconds.")
    ] = 1.0,
    points: Annotated[
        Points,
        typer.Option(help="Tracked beats, or onsets, which is what the papers' code takes."),
    ] = Points.BEATS,
    backend: Annotated[
        str | None,
        typer.Option(help="Beat tracker of recordings; see `symmv models`.", show_default=False),
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Tracked beats against annotated ones (ESTIMATE REFERENCE), or V2Meow's beat coverage and hit.

    Of two names: F of beats and downbeats at each metrical level, CMLt and AMLt. They are files or
    folders of MIDI, of JSON of `symmv run beats`, of text (`time`, or `time place-in-bar`), or
    datasets.

    With --reference: coverage, hit and F1 of generated music against the real music of each video.
    MIDI files and recordings are paired with the reference by name: ENTRY.mid, ENTRY-3.wav and
    ENTRY.amt.mid belong to ENTRY.
    """
    if reference is None:
        estimate, annotated = estimate_and_reference(paths)
        accuracy.show_accuracy("beats", estimate, annotated, split or "all", root, as_json)
        return
    with Counting() as counting:
        report = measure.beats(
            options.settings(root),
            *paths,
            reference=reference,
            split=split or "test",
            window=window,
            points=points.value,
            backend=backend,
            tell=counting.tell,
        )
    if as_json:
        print_json(report.as_json())
    else:
        line = ScoreLine(f"{amount(report.pairs, 'piece')} against {reference}", report.scores)
        title = f"Beat coverage and hit, percent; {points.value} in windows of {window:g} s"
        tables.show(score_tables.scores_table(title, report.columns, report.published, [line]))
        say(f"coverage without the adjustment of LORIS: {report.scores['bcs_plain']:.1f}")
        if report.alone:
            alone = ", ".join(report.alone[:10])
            pieces = amount(len(report.alone), "piece")
            say(f"{pieces} without a reference that has a beat: {alone}")
        say_left_out(reference, report.left_out)
        say_untrained(report.untrained)
    complain_of(report.refused)
