"""`symmv evaluate music | beats`: what needs no trained model of ours."""

from collections.abc import Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.backends import Loader
from symmv_builder.cli import evaluating_accuracy, evaluating_models, evaluating_sound, options
from symmv_builder.cli.saying import say
from symmv_builder.cli.verdict import (
    Split,
    complain_of,
    print_json,
    say_left_out,
    say_untrained,
)
from symmv_builder.datasets import evaluate as measure
from symmv_builder.errors import StopRun
from symmv_builder.evaluation import music as music_metrics
from symmv_builder.evaluation import published
from symmv_builder.report import score_tables, tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.score_tables import Measured
from symmv_builder.storage.root import Root

app = typer.Typer(
    help="Measure music and models by the metrics of the papers, beside the papers' figures.",
    no_args_is_help=True,
)


def register(parent: typer.Typer) -> None:
    app.command()(music)
    app.command()(beats)
    evaluating_sound.register(app)
    evaluating_accuracy.register(app)
    evaluating_models.register(app)
    parent.add_typer(app, name="evaluate")


class Grid(StrEnum):
    """On which beats the empty beat rate of rows is counted."""

    TRACKED = "tracked"
    STEADY = "120"


class Voices(StrEnum):
    """Which notes of a row are measured."""

    NOTES = "notes"
    PARTS = "parts"


class Points(StrEnum):
    """What beat coverage and hit are taken of."""

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
    if bool(paths) == bool(dataset):
        raise StopRun("name either MIDI files and folders, or --dataset NAME")
    data = Root(options.settings(root).root)

    def of(what: str | None, files: Sequence[Path], tell: measure.Tell) -> measure.MusicOf:
        if what is None:
            return measure.music_of_files(files, tell=tell)
        return measure.music_of_dataset(
            data, what, split, notes=notes.value, tracked=beats is Grid.TRACKED, tell=tell
        )

    with Counting() as counting:
        ours = of(dataset, paths or [], counting.tell)
        real = None
        if reference:
            known = measure.is_dataset(data, reference)
            real = of(reference if known else None, [Path(reference)], counting.tell)
    if as_json:
        print_json(_music_json(ours, real))
    else:
        _print_music(ours, real)
    complain_of(ours.refused, real.refused if real else ())


def _music_json(ours: measure.MusicOf, real: measure.MusicOf | None) -> dict[str, Any]:
    out = _collection_json(ours)
    if real:
        out["reference"] = _collection_json(real)
        out["distance"] = _apart(ours, real)
    out["published"] = [asdict(figures) for figures in published.MUSIC]
    return out


def _collection_json(of: measure.MusicOf) -> dict[str, Any]:
    summary = of.summary
    return {
        "dataset": of.name,
        "split": of.split or None,
        "songs": summary.songs,
        "left_out": summary.left_out + len(of.left_out),
        "unusable": dict(of.left_out),
        "beats": of.clock,
        "metrics": asdict(summary.mean),
        "median": asdict(summary.median),
        "deviation": asdict(summary.deviation),
        "untrained": list(of.untrained),
        "refused": [asdict(refused) for refused in of.refused],
    }


def _apart(ours: measure.MusicOf, real: measure.MusicOf) -> dict[str, float]:
    return music_metrics.distance(asdict(ours.summary.mean), asdict(real.summary.mean))


def _print_music(ours: measure.MusicOf, real: measure.MusicOf | None) -> None:
    lines = [Measured(_called(real), asdict(real.summary.mean))] if real else []
    lines.append(Measured(_called(ours), asdict(ours.summary.mean)))
    lines.append(Measured("standard deviation over songs", asdict(ours.summary.deviation)))
    if real:
        lines.append(Measured("less the reference", _apart(ours, real), is_signed=True))
    tables.show(
        score_tables.scores_table(
            "Music quality; closer to real is better", score_tables.MUSIC, published.MUSIC, lines
        )
    )
    for of in (ours, real):
        if of:
            left_out = of.summary.left_out
            less = f", {left_out} of fewer than two notes left out" if left_out else ""
            say(f"{_called(of)}: empty beats by {of.clock}{less}")
            say_left_out(of.name, of.left_out)
            say_untrained(of.untrained)


def _called(of: measure.MusicOf) -> str:
    split = f", {of.split}" if of.split else ""
    return f"{of.name}{split} ({of.summary.songs} songs)"


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
    folders of MIDI, of JSON of `symmv run beats`, of text of `time [place in bar]`, or datasets.

    With --reference: coverage, hit and F1 of generated music against the real music of each video.
    MIDI files and recordings are paired with the reference by name: ENTRY.mid, ENTRY-3.wav and
    ENTRY.amt.mid belong to ENTRY.
    """
    if reference is None:
        if len(paths) != 2:
            raise StopRun("name ESTIMATE and REFERENCE, or generated music and --reference")
        estimate, annotated = map(str, paths)
        evaluating_accuracy.show_accuracy(
            "beats", estimate, annotated, split or "all", root, as_json
        )
        return
    settings = options.settings(root)
    data, loader = Root(settings.root), Loader(settings.home)
    with Counting() as counting:
        if measure.is_dataset(data, reference):
            real = measure.moments_of_dataset(data, reference, split or "test", points.value)
        else:
            real = measure.moments_of_files(
                [Path(reference)], points.value, loader, backend=backend, tell=counting.tell
            )
        ours = measure.moments_of_files(
            paths, points.value, loader, backend=backend, tell=counting.tell
        )
    scores, pairs, alone = measure.beat_scores(ours, real, window)
    if as_json:
        print_json(
            {
                "dataset": reference,
                "metrics": scores,
                "pairs": pairs,
                "without_pair": list(alone),
                "points": points.value,
                "window_s": window,
                "untrained": sorted({*ours.untrained, *real.untrained}),
                "refused": [asdict(r) for r in (*ours.refused, *real.refused)],
                "unusable": dict(real.left_out),
                "published": [asdict(figures) for figures in published.BEATS],
            }
        )
    else:
        line = Measured(f"{pairs} pieces against {reference}", scores)
        title = f"Beat coverage and hit, percent; {points.value} in windows of {window:g} s"
        tables.show(score_tables.scores_table(title, score_tables.BEATS, published.BEATS, [line]))
        say(f"coverage without the adjustment of LORIS: {scores['bcs_plain']:.1f}")
        if alone:
            say(f"{len(alone)} without a reference that has a beat: {', '.join(alone[:10])}")
        say_left_out(reference, real.left_out)
        say_untrained(sorted({*ours.untrained, *real.untrained}))
    complain_of(ours.refused, real.refused)
