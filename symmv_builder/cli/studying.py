"""`symmv study make | serve | score`: people say what they hear, and tables say what they said."""

from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api import study as studies
from symmv_builder.api.study import Scores
from symmv_builder.cli import options
from symmv_builder.cli.evaluate.verdict import print_json
from symmv_builder.cli.saying import complain, remark, say
from symmv_builder.report import score_tables, study_page, tables
from symmv_builder.text import amount

app = typer.Typer(
    help="Make a listening study for a browser, keep its answers, and score them.",
    no_args_is_help=True,
)
Folder = Annotated[Path, typer.Argument(help="Folder of the study.", show_default=False)]


def register(parent: typer.Typer) -> None:
    app.command()(make)
    app.command()(serve)
    app.command()(score)
    parent.add_typer(app, name="study")


def make(
    config: Annotated[
        Path,
        typer.Option(help="The file of the study: models, questions, raters.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the study to.")] = Path("study"),
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a study that has no answers yet.")
    ] = False,
) -> None:
    """Make a study: a blind site for raters, and the key of what it hides.

    Only the folder site/ may be shown to raters. key.json beside it says which piece is whose.
    """
    summary = studies.make(config, out, overwrite=overwrite, note=remark)
    for line in summary.left_out:
        complain(line)
    say(
        f"{summary.folder}: {amount(summary.pieces, 'piece')}, "
        f"{amount(summary.units, 'thing')} to judge, "
        f"{amount(summary.sessions, 'order')} for raters of up to {amount(summary.longest, 'step')}"
    )


def serve(
    folder: Folder,
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0: any free one.")] = 8400,
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="Name by which raters call this server, behind a proxy; may be repeated."
        ),
    ] = None,
) -> None:
    """Serve the site and keep answers as they come, one file of JSON lines a rater.

    Answers are flushed to the disk before a rater is told so. Ends with Ctrl-C. `symmv web --study`
    serves studies beside its other pages.
    """
    from symmv_builder.web.guard import Access
    from symmv_builder.web.raters import make_app
    from symmv_builder.web.server import answer

    access = Access(host, port, names=tuple(name or ()))
    app = make_app({"/": studies.open_store(folder)}, access)
    told = f"serves {folder}; answers go to {folder / 'answers'}"
    answer(app, access, tell=lambda where: say(f"{where} {told}"))


def score(
    folder: Folder,
    answers: Annotated[
        list[Path] | None,
        typer.Argument(
            help="Files of answers, and folders of them; by default those that the store kept.",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL=FILE",
            help="What `symmv evaluate ... --json` printed for a model; may be repeated.",
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Write scores.html, figures and numbers here.", show_default=False),
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Preference rates and mean ratings with intervals and tests, beside the papers' figures.

    Raters who miss the checks of attention are left out and counted. Exit code 1 where files hold
    no answers to this study.
    """
    metrics: dict[str, list[str]] = {}
    for each in metric or ():
        model, _, file = each.partition("=")
        if not file:
            raise typer.BadParameter(f"{each!r} is not MODEL=FILE", param_hint="--metric")
        metrics.setdefault(model, []).append(file)
    scores = studies.score(folder, *(answers or ()), metrics=metrics)
    if as_json:
        print_json(scores.as_json())
    else:
        _print(scores)
    if out is not None:
        remark(f"{studies.write(scores, out, overwrite=overwrite).page} is written")
    for refused in scores.refused:
        complain(f"{refused.file} is left out: {refused.reason}")
    if scores.refused:
        raise typer.Exit(1)


def _print(scores: Scores) -> None:
    preferences = study_page.preference_lines(scores.preferences, scores.rates)
    for title, lines, digits in (
        ("Preference, % of ratings", preferences, 1),
        ("Mean ratings", study_page.mean_lines(scores.means), 2),
    ):
        if lines:
            names = [name for line in lines for name in line.values]
            columns = study_page.columns(scores.questions, names, digits)
            printed = [each for each in scores.published if set(names) & set(each.values)]
            tables.show(score_tables.scores_table(title, columns, printed, lines))
    for row in scores.preferences:
        if row.group == "all":
            say(
                f"{scores.questions[row.question]}: {row.first} over {row.second} "
                f"{100 * row.rate:.1f} % ({100 * row.low:.1f} to {100 * row.high:.1f}), "
                f"p {study_page.p_in_words(row.p_adjusted)}"
            )
    for test in scores.tests:
        if test.group == "all":
            say(
                f"{scores.questions[test.question]}: {test.first} less {test.second} "
                f"{test.difference:+.2f} ({tables.span(test.low, test.high, '+.2f')}), "
                f"p {study_page.p_in_words(test.p_adjusted)}"
            )
    for agreed in scores.agreement:
        say(
            f"{scores.questions[agreed.question]}: agreement kappa {agreed.kappa:.3f}, "
            f"alpha {agreed.alpha:.3f}"
        )
    for beside in scores.metrics:
        if beside.found is not None:
            say(
                f"{beside.metric} and {scores.questions[beside.question]}: Spearman "
                f"{beside.found.spearman:+.2f}, Kendall {beside.found.kendall:+.2f} over "
                f"{beside.found.count} models"
            )
    excluded = ", ".join(f"{count} by {reason}" for reason, count in scores.excluded.items())
    say(
        f"{amount(scores.raters, 'rater')} ({amount(scores.experts, 'expert')}); "
        f"left out: {excluded or 'nobody'}"
    )
