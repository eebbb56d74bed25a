"""Draws what raters of a listening study said: preferences, ratings, genres; for a phone, too."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symmv_builder.evaluation.listening import MeanRating, Preference, WinRate
from symmv_builder.evaluation.published_figures import Figures
from symmv_builder.report import ink

WIDTH_IN = 6.0
_ROW_IN = 0.3
_SIZE = 9.0
_LONGEST = 28
# Told apart by eyes that see fewer colours, too.
COLOURS = ("#2d6a9f", "#d1495b", "#e0a030", "#3f9b6d", "#8a63b8", "#5fb3c8", "#9aa0ad", "#b8795c")
_NEITHER = "#d9dce3"


def draw_preferences(
    rows: Sequence[Preference], headings: Mapping[str, str], published: Sequence[Figures]
) -> Any:
    """Shares that preferred the first, neither and the second of two models, by question.

    The line is the interval of the first share; a diamond is what the paper printed.
    """
    pairs = list(dict.fromkeys((row.first, row.second) for row in rows))
    figure, panels = _panels([sum((r.first, r.second) == p for r in rows) for p in pairs])
    for axes, pair in zip(panels, pairs, strict=True):
        mine = [row for row in rows if (row.first, row.second) == pair]
        places = np.arange(len(mine))[::-1]
        wins = np.array([row.rate for row in mine]) * 100
        ties = np.array([row.ties / row.ratings for row in mine]) * 100
        axes.barh(places, wins, 0.62, color=COLOURS[0], label=_short(pair[0]))
        axes.barh(places, ties, 0.62, left=wins, color=_NEITHER, label="neither")
        axes.barh(places, 100 - wins - ties, 0.62, left=wins + ties, color=COLOURS[1],
                  label=_short(pair[1]))  # fmt: skip
        gaps = [
            [share - 100 * row.low for share, row in zip(wins, mine, strict=True)],
            [100 * row.high - share for share, row in zip(wins, mine, strict=True)],
        ]
        axes.errorbar(wins, places, xerr=np.maximum(gaps, 0), fmt="none", ecolor=ink.INK, capsize=3)
        _printed(axes, mine, places, published)
        axes.axvline(50, color=ink.INK, linewidth=0.8, linestyle=":")
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of ratings", fontsize=_SIZE, color=ink.INK)
        _name_rows(axes, places, [headings.get(row.question, row.question) for row in mine])
        _legend(axes, [_short(pair[0]), "neither", _short(pair[1])])
    return figure


def _printed(
    axes: Any, rows: Sequence[Preference], places: Any, published: Sequence[Figures]
) -> None:
    """What a paper printed of a preference of two models; those of one model are in the table."""
    label = "as published"
    for figures in published:
        if " over " not in figures.row:
            continue
        for row, place in zip(rows, places, strict=True):
            if (value := figures.values.get(row.question)) is not None:
                axes.plot(
                    value, place, "D", markersize=4, markerfacecolor=ink.PAPER,
                    markeredgecolor=ink.INK, label=label,
                )  # fmt: skip
                label = ""


def draw_ratings(
    rows: Sequence[MeanRating], headings: Mapping[str, str], published: Sequence[Figures]
) -> Any:
    """Mean points of each model by question, with the interval; hollow: what the paper printed."""
    questions = list(dict.fromkeys(row.question for row in rows))
    models = list(dict.fromkeys(row.model for row in rows))
    height = max(1.0, 0.4 * (len(models) + len(published)))
    figure, [axes] = _panels([len(questions) * height])
    names = [*models, *(f"{each.row} (published)" for each in published)]
    step = 0.7 / max(1, len(names) - 1) if len(names) > 1 else 0.0
    places = {question: -float(number) for number, question in enumerate(questions)}
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        shift = 0.35 - step * number if step else 0.0
        if number < len(models):
            mine = [row for row in rows if row.model == name]
            means = np.array([row.mean for row in mine])
            gaps = [means - [row.low for row in mine], [row.high for row in mine] - means]
            at = [places[row.question] + shift for row in mine]
            axes.errorbar(
                means, at, xerr=np.maximum(gaps, 0), fmt="o", color=colour, capsize=3,
                markersize=5, label=_short(name),
            )  # fmt: skip
        else:
            values = published[number - len(models)].values
            some = [question for question in questions if question in values]
            axes.plot(
                [values[question] for question in some],
                [places[question] + shift for question in some],
                "D", color=colour, markerfacecolor=ink.PAPER, markersize=5, label=_short(name, 40),
            )  # fmt: skip
    axes.set_xlabel("mean points", fontsize=_SIZE, color=ink.INK)
    for place in list(places.values())[1:]:
        axes.axhline(place + 0.5, color=ink.RULE, linewidth=0.8)
    _name_rows(axes, list(places.values()), [headings.get(q, q) for q in questions])
    _legend(axes, [_short(model) for model in models])
    return figure


def draw_genres(rows: Sequence[WinRate], headings: Mapping[str, str]) -> Any:
    """Win rate of each model by genre, a panel a question, with the interval."""
    questions = list(dict.fromkeys(row.question for row in rows))
    genres = sorted({row.genre for row in rows})
    models = list(dict.fromkeys(row.model for row in rows))
    figure, panels = _panels([len(genres) * max(1.0, 0.4 * len(models))] * len(questions))
    for axes, question in zip(panels, questions, strict=True):
        for number, model in enumerate(models):
            mine = [row for row in rows if (row.question, row.model) == (question, model)]
            at = [-genres.index(row.genre) + 0.3 - 0.6 * number / max(1, len(models) - 1)
                  for row in mine]  # fmt: skip
            rates = np.array([row.rate for row in mine]) * 100
            gaps = [rates - [100 * r.low for r in mine], [100 * r.high for r in mine] - rates]
            axes.errorbar(
                rates, at, xerr=np.maximum(gaps, 0), fmt="o", markersize=5, capsize=3,
                color=COLOURS[number % len(COLOURS)], label=_short(model),
            )  # fmt: skip
        axes.axvline(50, color=ink.INK, linewidth=0.8, linestyle=":")
        axes.set_xlim(0, 100)
        axes.set_title(_short(headings.get(question, question)), fontsize=10, loc="left",
                       color=ink.INK, parse_math=False, pad=22)  # fmt: skip
        _name_rows(axes, [-float(n) for n in range(len(genres))], genres)
        _legend(axes, [_short(model) for model in models])
    panels[-1].set_xlabel("% of ratings that preferred the model", fontsize=_SIZE, color=ink.INK)
    return figure


def _panels(heights: Sequence[float]) -> tuple[Any, list[Any]]:
    """A figure with one panel below the other, as high as their rows need."""
    sizes = [_ROW_IN * height + 0.25 for height in heights]
    gap, top, bottom = 0.95, 0.6, 0.5
    whole = sum(sizes) + gap * (len(sizes) - 1) + top + bottom
    figure = ink.new_figure(WIDTH_IN, whole)
    panels, place = [], whole - top
    for size in sizes:
        axes = figure.add_axes((0.27, (place - size) / whole, 0.7, size / whole), facecolor="none")
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(ink.FAINT)
        axes.tick_params(labelsize=_SIZE, colors=ink.INK, color=ink.FAINT, length=2.5)
        axes.tick_params(axis="y", length=0)
        panels.append(axes)
        place -= size + gap
    return figure, panels


def _name_rows(axes: Any, places: Any, names: Sequence[str]) -> None:
    axes.set_yticks(list(places))
    axes.set_yticklabels([_short(name, 22) for name in names], parse_math=False)
    axes.set_ylim(min(places) - 0.5, max(places) + 0.5)


def _legend(axes: Any, order: Sequence[str]) -> None:
    """What was measured here first, in the order of the study, then what was published."""
    named = list(zip(*axes.get_legend_handles_labels(), strict=True))
    named.sort(key=lambda each: order.index(each[1]) if each[1] in order else len(order))
    handles, labels = zip(*named, strict=True)
    legend = axes.legend(
        handles,
        labels,
        loc="lower left", bbox_to_anchor=(0, 1.0), ncols=min(3, max(1, len(labels))),
        fontsize=8, frameon=False, handlelength=1.2, columnspacing=1.2, borderaxespad=0.1,
    )  # fmt: skip
    for each in legend.get_texts():
        each.set_parse_math(False)


def _short(text: str, most: int = _LONGEST) -> str:
    return ink.plain(text, most)
