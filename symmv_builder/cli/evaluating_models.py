"""`symmv evaluate amt | regressor | vmcp | relevance`: what a trained model is worth on a split."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api.evaluation.models import PUBLISHED_POOL, Scored, score
from symmv_builder.cli import options
from symmv_builder.cli.saying import say
from symmv_builder.cli.verdict import Split, print_json, say_left_out, say_untrained
from symmv_builder.report import score_tables, tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.score_tables import Column, Measured

Model = Annotated[
    Path, typer.Option("--model", help="Folder of the training run whose best model is measured.")
]
On = Annotated[str, typer.Option("--dataset", help="Dataset to measure on.")]
Generated = Annotated[
    Path | None,
    typer.Option(
        "--music",
        help="Generated music instead of the rows' own: a folder of MIDI files or recordings "
        "(WAV, FLAC, MP3, MP4 ...), named by entry.",
        show_default=False,
    ),
]
Sound = Annotated[
    options.Sounding | None,
    typer.Option(
        "--sound",
        help="Hear music as recording or as notes are played (rendered). Default: as in training.",
        show_default=False,
    ),
]
Pictures = Annotated[
    Path | None,
    typer.Option("--pictures", help="Draw the confusion matrices into this folder."),
]


def register(app: typer.Typer) -> None:
    app.command()(amt)
    app.command()(regressor)
    app.command()(vmcp)
    app.command()(relevance)


def amt(
    model: Model,
    dataset: On,
    split: Split = "test",
    root: options.Root = None,
    pictures: Pictures = None,
    as_json: options.AsJson = False,
) -> None:
    """Hits@1, 3 and 5 and the emotion matching loss of predicted chords; confusion of chords."""
    scored = run("amt", model, dataset, split, root)
    drawn = scored.draw(pictures) if pictures else []
    answer(
        "Chords, teacher-forced, mean over songs",
        score_tables.AMT,
        scored,
        as_json=as_json,
    )
    say_drawn(drawn, as_json=as_json)


def regressor(
    model: Model,
    dataset: On,
    split: Split = "test",
    root: options.Root = None,
    as_json: options.AsJson = False,
) -> None:
    """Root mean square error of note density and loudness estimated from video."""
    scored = run("regressor", model, dataset, split, root)
    guess = {c.name: scored.metrics.get(f"baseline_{c.name}") for c in score_tables.REGRESSOR}
    answer(
        "Root mean square error over the seconds of a split",
        score_tables.REGRESSOR,
        scored,
        as_json=as_json,
        beside=Measured("guessing the mean of the training split", guess),
    )


def vmcp(
    model: Model,
    dataset: On,
    split: Split = "test",
    root: options.Root = None,
    music: Generated = None,
    sound: Sound = None,
    as_json: options.AsJson = False,
) -> None:
    """Video-Music CLIP Precision: how often music finds its own video among others."""
    scored = run("vmcp", model, dataset, split, root, music, sound)
    answer(
        "Music finds its video: P@k in percent, average rank",
        score_tables.VMCP,
        scored,
        as_json=as_json,
        beside=Measured("chance", scored.facts.get("chance", {})),
        pool=PUBLISHED_POOL,
    )


def relevance(
    model: Model,
    dataset: On,
    split: Split = "test",
    root: options.Root = None,
    music: Generated = None,
    sound: Sound = None,
    as_json: options.AsJson = False,
) -> None:
    """GVMGen's cross-modal relevance (CMR) and temporal alignment (TA), by its evaluation model.

    The model is one that `symmv train vmcp --set objective=gvmgen` made.
    """
    scored = run("relevance", model, dataset, split, root, music, sound)
    others = {c.name: scored.metrics.get(f"{c.name}_mismatched") for c in score_tables.RELEVANCE}
    answer(
        "Music fits its video as a whole (CMR) and by time (TA)",
        score_tables.RELEVANCE,
        scored,
        as_json=as_json,
        beside=Measured("each video with another one's music", others),
    )


def run(
    kind: str,
    model: Path,
    dataset: str,
    split: str,
    root: str | None,
    music: Path | None = None,
    sound: options.Sounding | None = None,
) -> Scored:
    """Measure a model, with a count of how far that is."""
    with Counting() as counting:
        return score(
            options.settings(root),
            kind,
            model,
            dataset,
            split=split,
            music=music,
            sound=sound.value if sound else None,
            tell=counting.tell,
        )


def answer(
    title: str,
    columns: Sequence[Column],
    scored: Scored,
    *,
    as_json: bool,
    beside: Measured | None = None,
    pool: int | None = None,
) -> None:
    """JSON, or a table with what has to be said below it."""
    if as_json:
        print_json(scored.as_json())
        return
    lines = [Measured(f"{scored.model} on {scored.dataset}, {scored.split}", scored.metrics)]
    if beside and beside.values:
        lines.append(beside)
    tables.show(score_tables.scores_table(title, columns, scored.published, lines))
    shown = {column.name for column in columns}
    others = {n: v for n, v in scored.metrics.items() if n not in shown and v == v}
    told = [f"{value} {name}" for name, value in scored.counts.items()]
    told += [f"{name} {value:.4g}" for name, value in others.items()]
    if told:
        say(", ".join(told))
    here = scored.metrics.get("pool")
    if pool is not None and here is not None and here != pool:
        say(f"the pool here is {here:.0f} videos, the paper's {pool}: the figures do not compare")
    ear = scored.facts.get("embedding")
    if ear:
        say(f"music heard by {ear['backend']}, {scored.facts['sound']}")
    say_left_out(scored.dataset, scored.left_out)
    say_untrained(scored.untrained)


def say_drawn(paths: Sequence[Path], *, as_json: bool) -> None:
    if not as_json:
        for path in paths:
            say(f"wrote {path}")
