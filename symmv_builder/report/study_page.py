"""The page of a scored listening study: tables in the papers' shape, their own figures, tests."""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.evaluation.listening import (
    GROUPS,
    Agreement,
    Group,
    MeanRating,
    MetricBeside,
    Preference,
    RatingTest,
    WinRate,
)
from symmv_builder.evaluation.metric import Metric
from symmv_builder.evaluation.published_figures import Figures
from symmv_builder.report import ink, markup, study_charts
from symmv_builder.report.markup import PageMedia
from symmv_builder.report.page_style import REPORT_STYLE
from symmv_builder.report.score_tables import ScoreLine
from symmv_builder.report.tables import span

_TESTED = (
    "Each rater counts once: p is that of Wilcoxon's signed-rank test over raters, corrected for "
    "the number of tests of a group by Holm's method. Intervals of rates are Wilson's over "
    "ratings, those of means a bootstrap over raters; all are of 95 %."
)
_STYLE = ".wide td:nth-child(2) { min-width: 9rem; }"
_PRINTED = "Of papers as printed: other videos, other raters, other models."


@dataclass(frozen=True, slots=True)
class StudyPage:
    """Everything that the page shows; `headings` of questions by their name.

    `not_printed` says why no figures of a paper stand beside, empty where they do or there is none.
    """

    title: str
    facts: Mapping[str, str]
    headings: Mapping[str, str]
    preferences: Sequence[Preference]
    means: Sequence[MeanRating]
    tests: Sequence[RatingTest]
    rates: Sequence[WinRate]
    agreement: Sequence[Agreement]
    metrics: Sequence[MetricBeside]
    published: Sequence[Figures]
    not_printed: str = ""


def render(page: StudyPage, folder: Path) -> str:
    """The page as text; its figures are written into `folder` where matplotlib is installed."""
    parts = [markup.part("study", "The study", markup.facts(page.facts.items()))]
    drawn = _draw(page, folder)
    of_all = [row for row in page.preferences if row.group == "all"]
    if of_all:
        inner = _shaped(page, preference_lines(page.preferences, page.rates))
        parts.append(markup.part("preference", "Preference, % of ratings", inner))
        inner = markup.paragraph(_TESTED) + _preferences(page) + drawn.get("preferences", "")
        parts.append(markup.part("tests", "Two models side by side", inner))
    if page.means:
        inner = _shaped(page, mean_lines(page.means)) + drawn.get("ratings", "")
        parts.append(markup.part("ratings", "Mean ratings", inner))
        if page.tests:
            inner = markup.paragraph(_TESTED) + _tests(page)
            parts.append(markup.part("differences", "Differences of ratings", inner))
    if any(row.genre != "all" for row in page.rates):
        inner = _genres(page) + drawn.get("genres", "")
        parts.append(markup.part("genres", "Win rate by genre", inner))
    parts.append(markup.part("agreement", "Agreement between raters", _agreement(page)))
    if page.metrics:
        parts.append(markup.part("metrics", "Metrics beside people", _metrics(page)))
    lead = "A listening study: what raters said, and how sure that is."
    return markup.layout(page.title, lead, parts, style=REPORT_STYLE + _STYLE)


def columns(headings: Mapping[str, str], names: Sequence[str], digits: int) -> list[Metric]:
    """Questions as columns of a table of scores, in the order in which they were asked."""
    return [Metric(name, head, digits) for name, head in headings.items() if name in names]


def preference_lines(rows: Sequence[Preference], rates: Sequence[WinRate]) -> list[ScoreLine]:
    """A line for each two models and group, in percent; of more than two each model against all."""
    lines = []
    for first, second in dict.fromkeys((row.first, row.second) for row in rows):
        for group in GROUPS:
            mine = {
                row.question: 100 * row.rate
                for row in rows
                if (row.first, row.second, row.group) == (first, second, group)
            }
            if mine:
                lines.append(ScoreLine(f"{first} over {second}{_said(group)}", mine))
    whole = [row for row in rates if row.genre == "all"]
    models = list(dict.fromkeys(row.model for row in whole))
    if len(models) > 2:
        for model in models:
            of_model = {row.question: 100 * row.rate for row in whole if row.model == model}
            lines.append(ScoreLine(f"{model} over all others", of_model))
    return lines


def mean_lines(rows: Sequence[MeanRating]) -> list[ScoreLine]:
    """A line for each model and group."""
    lines = []
    for model in dict.fromkeys(row.model for row in rows):
        for group in GROUPS:
            mine = {r.question: r.mean for r in rows if (r.model, r.group) == (model, group)}
            if mine:
                lines.append(ScoreLine(f"{model}{_said(group)}", mine))
    return lines


def _said(group: Group) -> str:
    return "" if group == "all" else f", {group}"


def _shaped(page: StudyPage, lines: Sequence[ScoreLine]) -> str:
    """A table in the shape of a paper's, the paper's own rows first."""
    questions = {name for line in lines for name in line.values}
    names = [name for name in page.headings if name in questions]
    heads = ("from", "row", *(page.headings[name] for name in names))
    digits = 2 if any(row.question in questions for row in page.means) else 1
    rows: list[list[object]] = [
        [
            f"{each.paper}, {each.table}",
            each.row,
            *(_number(each.values.get(n), digits) for n in names),
        ]
        for each in page.published
        if questions & set(each.values)
    ]
    said = _PRINTED if rows else page.not_printed
    note = markup.paragraph(said) if said else ""
    rows += [
        ["here", line.label, *(_number(line.values.get(name), digits) for name in names)]
        for line in lines
    ]
    return note + markup.table(heads, rows, heads[2:])


def _preferences(page: StudyPage) -> str:
    heads = ("question", "models", "raters", "ratings", "first", "neither", "second", "95 %", "p")
    rows = [
        (
            page.headings.get(row.question, row.question), f"{row.first} over {row.second}",
            row.raters, row.ratings, row.wins, row.ties, row.losses,
            f"{100 * row.low:.1f} to {100 * row.high:.1f}", p_in_words(row.p_adjusted),
        )
        for row in page.preferences
        if row.group == "all"
    ]  # fmt: skip
    return markup.table(heads, rows, heads[2:])


def _tests(page: StudyPage) -> str:
    heads = ("question", "models", "raters", "difference", "95 %", "p")
    rows = [
        (
            page.headings.get(row.question, row.question), f"{row.first} less {row.second}",
            row.raters, f"{row.difference:+.2f}", span(row.low, row.high, "+.2f"),
            p_in_words(row.p_adjusted),
        )
        for row in page.tests
        if row.group == "all"
    ]  # fmt: skip
    return markup.table(heads, rows, heads[2:])


def _genres(page: StudyPage) -> str:
    models = list(dict.fromkeys(row.model for row in page.rates))
    heads = ("question", "genre", *models)
    rates = {(row.question, row.genre, row.model): row for row in page.rates}
    order = list(page.headings)
    places = sorted(
        {(row.question, row.genre) for row in page.rates},
        key=lambda place: (order.index(place[0]), place[1] != "all", place[1]),
    )
    rows = []
    for question, genre in places:
        cells: list[object] = [page.headings.get(question, question), genre]
        for model in models:
            row = rates.get((question, genre, model))
            cells.append(f"{100 * row.rate:.1f} % of {row.of}" if row else "-")
        rows.append(cells)
    return markup.table(heads, rows, heads[2:])


def _agreement(page: StudyPage) -> str:
    heads = ("question", "judged", "ratings", "Fleiss' kappa", "Krippendorff's alpha")
    rows = [
        (page.headings.get(row.question, row.question), row.items, row.ratings,
         _number(row.kappa, 3), _number(row.alpha, 3))
        for row in page.agreement
    ]  # fmt: skip
    return markup.table(heads, rows, heads[1:])


def _metrics(page: StudyPage) -> str:
    about = "Over models: of a handful of models no order of theirs is unlikely by chance."
    heads = ("metric", "question", "models", "Spearman", "p", "Kendall", "p ")
    rows: list[tuple[object, ...]] = []
    for row in page.metrics:
        start = (row.metric, page.headings.get(row.question, row.question), len(row.models))
        if row.found is None:
            rows.append((*start, "-", "-", "-", "-"))
        else:
            correlation = row.found
            rows.append(
                (*start, f"{correlation.spearman:+.2f}", p_in_words(correlation.spearman_p),
                 f"{correlation.kendall:+.2f}", p_in_words(correlation.kendall_p))
            )  # fmt: skip
    return markup.paragraph(about) + markup.table(heads, rows, heads[2:])


def _draw(page: StudyPage, folder: Path) -> dict[str, str]:
    """Figures by name as HTML, each written as PNG and SVG; none without matplotlib."""
    if importlib.util.find_spec("matplotlib") is None:
        return {}
    drawings: dict[str, tuple[Any, str]] = {}
    of_all = [row for row in page.preferences if row.group == "all"]
    if of_all:
        figure = study_charts.draw_preferences(of_all, page.headings, page.published)
        drawings["preferences"] = (figure, "Preferences by question, with 95 % intervals")
    rated = [row for row in page.means if row.group == "all"]
    if rated:
        printed = [
            each for each in page.published if {row.question for row in rated} & set(each.values)
        ]
        figure = study_charts.draw_ratings(rated, page.headings, printed)
        drawings["ratings"] = (figure, "Mean ratings by question, with 95 % intervals")
    genres = [row for row in page.rates if row.genre != "all"]
    if genres:
        figure = study_charts.draw_genres(genres, page.headings)
        drawings["genres"] = (figure, "Win rates by genre, with 95 % intervals")
    charts = {}
    for name, (figure, caption) in drawings.items():
        for suffix in ("png", "svg"):
            ink.save(figure, folder / f"{name}.{suffix}", dpi=150)
        charts[name] = markup.media(PageMedia(folder / f"{name}.png", caption), folder)
    return charts


def p_in_words(p: float) -> str:
    """A p-value as tables show it; a dash where nothing was tested (``nan``)."""
    if p != p:
        return "-"
    return "< .001" if p < 0.001 else f"{p:.3f}"


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None or value != value else f"{value:.{digits}f}"
