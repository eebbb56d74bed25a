"""`symmv evaluate audio | kld | mcc`: generated music beside the real, as models hear it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from symmv_builder.api.evaluation import sound as measure
from symmv_builder.cli import options
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

Report = TypeVar("Report")

Generated = Annotated[
    list[Path],
    typer.Argument(
        metavar="PATH...", help="Generated music: recordings, MIDI, tables, folders, or a dataset."
    ),
]
Reference = Annotated[
    list[Path],
    typer.Option(help="The real music: files, folders or a dataset. May be repeated."),
]
Backend = Annotated[
    str | None,
    typer.Option(
        help=f"Model that hears recordings: {', '.join(measure.EARS)}.",
        show_default=measure.EARS[0],
    ),
]
Sound = Annotated[
    options.Sounding,
    typer.Option(
        "--sound", help="Hear rows, and pieces of several files, as recordings or notes as played."
    ),
]


def register(app: typer.Typer) -> None:
    app.command()(audio)
    app.command()(kld)
    app.command()(mcc)


def _say_both(both: measure.Both, generated: Sequence[Path], reference: Sequence[Path]) -> None:
    """Say which rows could not be heard, and which models have random weights."""
    for paths, side in ((generated, both.ours), (reference, both.real)):
        say_left_out(str(paths[0]), side.left_out)
    say_untrained(both.untrained)


def _heard(
    ask: Callable[..., Report],
    paths: Sequence[Path],
    reference: Sequence[Path],
    backend: str | None,
    sound: options.Sounding,
    split: str,
    root: str | None,
) -> Report:
    """Measure with `ask` of `api.evaluation.sound`; recordings are counted as they are heard."""
    with Counting() as counting:
        return ask(
            options.settings(root),
            *paths,
            reference=reference,
            backend=backend,
            sound=sound.value,
            split=split,
            tell=counting.tell,
        )


def audio(
    paths: Generated,
    reference: Reference,
    backend: Backend = None,
    sound: Sound = options.Sounding.RECORDING,
    split: Split = "test",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Frechet audio distance between generated and real recordings, or their embeddings.

    Embeddings are .npy or .npz files of shape (n, d), from any model; recordings are embedded here,
    and MIDI files are played for it. Distances over different embeddings do not compare.
    """
    report = _heard(measure.audio, paths, reference, backend, sound, split, root)
    if as_json:
        print_json(report.as_json())
    else:
        both, width = report.both, report.dimensions
        label = f"{both.name}: {report.counts[0]} against {report.counts[1]} embeddings"
        line = ScoreLine(label, dict(report.values))
        title = f"Frechet audio distance over {both.name}, {width} dimensions"
        tables.show(score_tables.scores_table(title, report.columns, report.published, [line]))
        say(f"this distance compares with others over {both.name} alone")
        if not report.is_full_rank:
            say(
                f"too few: with {width} embeddings of {width} dimensions or fewer on a side the "
                "covariance is not of full rank, and the distance comes out too large"
            )
        _say_both(both, paths, reference)
    complain_of(report.both.refused)


def kld(
    paths: Generated,
    reference: Reference,
    backend: Backend = None,
    sound: Sound = options.Sounding.RECORDING,
    split: Split = "test",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """V2Meow's divergence of class probabilities between each piece and its original (KLD).

    The classes are the tags of the model that hears; .npy files hold the probabilities (n, classes)
    of any classifier. Pieces are paired with originals by name, as by `evaluate beats`.
    """
    report = _heard(measure.kld, paths, reference, backend, sound, split, root)
    title = f"Divergence of class probabilities by {report.both.name}, {report.width} classes"
    remark = "V2Meow's figures are over AudioSet's classes by another classifier: none stands here"
    if as_json:
        print_json(report.as_json())
    else:
        _print(report, title)
        say(remark)
        _say_both(report.both, paths, reference)
    complain_of(report.both.refused)


def mcc(
    paths: Generated,
    reference: Reference,
    backend: Backend = None,
    sound: Sound = options.Sounding.RECORDING,
    split: Split = "test",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """V2Meow's mean cosine similarity of embeddings of each piece and its original (MCC).

    Embeddings and pairs as by `evaluate audio` and `evaluate beats`; the nearest to the paper's
    MuLan that can be had is `--backend clap`.
    """
    report = _heard(measure.mcc, paths, reference, backend, sound, split, root)
    title = f"Cosine similarity of embeddings by {report.both.name}, {report.width} dimensions"
    remark = "V2Meow's figures are over MuLan, which is not public: none stands here"
    if as_json:
        print_json(report.as_json())
    else:
        _print(report, title)
        say(remark)
        _say_both(report.both, paths, reference)
    complain_of(report.both.refused)


def _print(report: measure.PairsReport, title: str) -> None:
    """Print a table of pairs, with what mismatched pairs give below."""
    name, result = report.metric.name, report.agreement
    lines = [
        ScoreLine(f"{amount(result.pairs, 'piece')} beside the original", {name: result.own}),
        ScoreLine("each piece and the originals of others", {name: result.others}),
    ]
    tables.show(score_tables.scores_table(title, [report.metric], (), lines))
    if report.alone:
        alone = ", ".join(report.alone[:10])
        say(f"{len(report.alone)} without an original of their name: {alone}")
