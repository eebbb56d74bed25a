"""`symmv evaluate` of trained models: a command for each score that a trainer declares."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.api.evaluation.models import ModelScore, ModelScores, model_scores, score
from symmv_builder.cli import options
from symmv_builder.cli.declared import with_options
from symmv_builder.cli.evaluate.verdict import Split, print_json, say_left_out, say_untrained
from symmv_builder.cli.saying import say
from symmv_builder.report import score_tables, tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.score_tables import ScoreLine
from symmv_builder.text import amount

Model = Annotated[
    Path, typer.Option("--model", help="Folder of the training run whose best model is measured.")
]
On = Annotated[str, typer.Option("--dataset", help="Dataset to measure on.")]
Pictures = Annotated[
    Path | None,
    typer.Option("--pictures", help="Draw the confusion matrices into this folder."),
]


def register(app: typer.Typer) -> None:
    names_taken = {getattr(each.callback, "__name__", "") for each in app.registered_commands}
    for name, by in model_scores().items():
        if name not in names_taken:
            app.command(name=name, help=by.help)(command_of(by))


def command_of(by: ModelScore) -> Callable[..., None]:
    """Make the command that measures by a score, with its options."""

    def measured(
        model: Model,
        dataset: On,
        split: Split = "test",
        root: options.Root = None,
        own: Any = None,
        as_json: options.AsJson = False,
    ) -> None:
        show(by, model, dataset, split, root, own, as_json=as_json)

    def drawn(
        model: Model,
        dataset: On,
        split: Split = "test",
        root: options.Root = None,
        own: Any = None,
        pictures: Pictures = None,
        as_json: options.AsJson = False,
    ) -> None:
        show(by, model, dataset, split, root, own, pictures, as_json=as_json)

    return with_options(drawn if by.confusions else measured, by.options, "own")


def show(
    by: ModelScore,
    model: Path,
    dataset: str,
    split: str,
    root: str | None,
    own: dict[str, Any] | None = None,
    pictures: Path | None = None,
    *,
    as_json: bool = False,
) -> None:
    """Measure a model, and print JSON, or a table with what has to be said below it."""
    with Counting() as counting:
        scored = score(
            options.settings(root),
            by.name,
            model,
            dataset,
            split=split,
            tell=counting.tell,
            **(own or {}),
        )
    drawn = scored.draw(pictures) if pictures else []
    if as_json:
        print_json(scored.as_json())
        return
    _print(scored)
    for path in drawn:
        say(f"wrote {path}")


def _print(scored: ModelScores) -> None:
    by = scored.by
    measured = {**scored.facts, **scored.metrics}
    lines = [ScoreLine(f"{scored.model} on {scored.dataset}, {scored.split}", scored.metrics)]
    beside = by.beside.values(measured) if by.beside else {}
    if by.beside and beside:
        lines.append(ScoreLine(by.beside.label, beside))
    tables.show(score_tables.scores_table(by.title, by.metrics, by.published, lines))
    shown = {metric.name for metric in by.metrics}
    others = {n: v for n, v in scored.metrics.items() if n not in shown and v == v}
    counts = [amount(value, name.removesuffix("s")) for name, value in scored.counts.items()]
    counts += [f"{name} {value:.4g}" for name, value in others.items()]
    if counts:
        say(", ".join(counts))
    for remark in by.remarks(measured):
        say(remark)
    say_left_out(scored.dataset, scored.left_out)
    say_untrained(scored.untrained)
