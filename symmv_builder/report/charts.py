"""Draws the figures of a report: one dataset, or two side by side, small enough for a phone.

Colours of text and rules are those of `ink` alone, so that the page can put its own in their
places in the dark.
"""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

import numpy as np

from symmv_builder.report import ink
from symmv_builder.report.figure import (
    Bands,
    BarChart,
    Content,
    Curves,
    Histogram,
    Matrix,
    PointChart,
    TableFigure,
    Tints,
)

WIDTH_IN = 3.9
_HEIGHT_IN = 2.6
_BAR_IN = 0.18
_MOST_BARS = 30
_SIZE = 9.0
# Two datasets, and groups within one: told apart by eyes that see fewer colours, too.
PAIR = (ink.ACCOMPANIMENT, ink.MELODY)
_GROUPS = ("#2d6a9f", "#d1495b", "#e0a030", "#3f9b6d", "#8a63b8", "#5fb3c8", "#9aa0ad", "#b8795c")
_MARKS = {"train": "o", "validation": "s", "test": "^"}
_LONGEST = 22


def draw(contents: Sequence[tuple[str, Content]]) -> Any | None:
    """A figure of one or two datasets, each with its label; `None` for what is a table.

    `ValueError` for contents of several kinds.
    """
    kinds = {type(content) for _, content in contents}
    if len(kinds) != 1:
        raise ValueError("contents of several kinds are no figure")
    kind = kinds.pop()
    if kind is TableFigure:
        return None
    if kind is Histogram:
        return _histograms(contents)
    if kind is BarChart:
        return _bars(contents)
    return _panels(contents)


def _axes(figure: Any, box: tuple[float, float, float, float]) -> Any:
    axes = figure.add_axes(box, facecolor="none")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(ink.FAINT)
    axes.tick_params(labelsize=_SIZE, colors=ink.INK, color=ink.FAINT, length=2.5)
    return axes


def _new(height: float) -> Any:
    figure = ink.new_figure(WIDTH_IN, height)
    figure.patch.set_alpha(0.0)
    return figure


def _label(axes: Any, x: str, y: str) -> None:
    axes.set_xlabel(x, size=_SIZE, color=ink.INK)
    axes.set_ylabel(y, size=_SIZE, color=ink.INK)


def _legend(axes: Any, **more: Any) -> None:
    legend = axes.legend(fontsize=_SIZE - 0.5, frameon=False, labelcolor=ink.INK, **more)
    for text in legend.get_texts():
        text.set_parse_math(False)


def _legend_below(axes: Any) -> None:
    _legend(
        axes, loc="upper center", bbox_to_anchor=(0.46, -0.2), ncols=3, columnspacing=1.0,
        handletextpad=0.4,
    )  # fmt: skip


def _legend_above(axes: Any) -> None:
    _legend(
        axes, loc="lower right", bbox_to_anchor=(1.02, 0.99), borderpad=0, labelspacing=0.15,
        handlelength=1.2,
    )  # fmt: skip


def _histograms(contents: Sequence[tuple[str, Any]]) -> Any:
    """Counts of one; of two the outlines of densities, since one may have more entries."""
    above = 0.2 + 0.17 * len(contents)
    height = _HEIGHT_IN + above - 0.2
    figure = _new(height)
    axes = _axes(figure, (0.19, 0.48 / height, 0.75, 1 - (0.48 + above) / height))
    for (label, content), shade in zip(contents, PAIR, strict=False):
        edges, counts = np.array(content.edges), np.array(content.counts, dtype=np.float64)
        legend = f"median {content.median:.4g}"
        if len(contents) == 1:
            axes.stairs(counts, edges, fill=True, color=shade, alpha=0.85)
        else:
            heights = counts / (counts.sum() * np.diff(edges))
            axes.stairs(heights, edges, color=shade, lw=1.6)
            axes.stairs(heights, edges, color=shade, fill=True, alpha=0.15)
            legend = f"{ink.plain(label, _LONGEST)}, {legend}"
        axes.axvline(content.median, color=shade, lw=1.2, ls=(0, (4, 2)), label=legend)
    _label(axes, contents[0][1].unit, "count" if len(contents) == 1 else "density")
    axes.margins(x=0)
    axes.locator_params(axis="x", nbins=6)
    if len(contents) == 1:
        axes.yaxis.get_major_locator().set_params(integer=True)
    _legend_above(axes)
    return figure


def _bars(contents: Sequence[tuple[str, Any]]) -> Any:
    """Bars from the top; the second dataset's stand beside those of the same label."""
    # In turns, so that the first of both are there where they name things differently.
    turns = zip_longest(*(content.labels for _, content in contents))
    labels = list(dict.fromkeys(label for turn in turns for label in turn if label is not None))
    labels = labels[: max(_MOST_BARS, *(len(content.labels) for _, content in contents))]
    above = 0.1 if len(contents) == 1 else 0.46
    height = 0.46 + above + len(labels) * _BAR_IN * (1 if len(contents) == 1 else 1.5)
    figure = _new(height)
    axes = _axes(figure, (0.36, 0.46 / height, 0.56, 1 - (0.46 + above) / height))
    thick = 0.76 / len(contents)
    is_share = "share" in contents[0][1].unit
    for number, (name, content) in enumerate(contents):
        by_label = dict(zip(content.labels, content.values, strict=True))
        values = [by_label.get(label, 0.0) for label in labels]
        places = np.arange(len(labels)) + (number - (len(contents) - 1) / 2) * thick
        axes.barh(places, values, height=thick, color=PAIR[number], label=ink.plain(name, _LONGEST))
        for place, value in zip(places.tolist(), values, strict=True):
            text = f" {100 * value:.1f} %" if is_share else f" {value:,.0f}"
            axes.text(value, place, text, size=_SIZE - 1.5, va="center", color=ink.INK)
    texts = axes.set_yticks(range(len(labels)), [ink.plain(label, _LONGEST) for label in labels])
    for tick in texts:
        tick.label1.set_parse_math(False)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.margins(x=0.14)
    axes.xaxis.get_major_locator().set_params(nbins=5, integer=not is_share)
    _label(axes, contents[0][1].unit, "")
    if len(contents) > 1:
        _legend_above(axes)
    return figure


def _panels(contents: Sequence[tuple[str, Any]]) -> Any:
    """One panel a dataset, one below the other."""
    heights = [_height_of(content) for _, content in contents]
    figure = _new(sum(heights))
    top = sum(heights)
    for (label, content), height in zip(contents, heights, strict=True):
        top -= height
        frame = (top / sum(heights), height / sum(heights))
        if len(contents) > 1:
            figure.text(
                0.02, frame[0] + frame[1] - 0.14 / sum(heights), ink.plain(label, 40),
                size=_SIZE, weight="bold", color=ink.INK, parse_math=False,
            )  # fmt: skip
        _panel(figure, content, frame, height)
    return figure


def _height_of(content: Content) -> float:
    if isinstance(content, Matrix):
        return 1.1 + 0.24 * len(content.rows)
    if isinstance(content, Tints):
        return 0.45 + 0.34 * len(content.rows)
    return 3.9 if isinstance(content, PointChart) else _HEIGHT_IN + 0.2


def _panel(figure: Any, content: Content, frame: tuple[float, float], height: float) -> None:
    bottom, share = frame

    def inner(left: float, low_in: float, width: float, top_in: float) -> Any:
        size = share * (height - low_in - top_in) / height
        return _axes(figure, (left, bottom + share * low_in / height, width, size))

    match content:
        case Curves():
            _curves(inner(0.19, 0.5, 0.78, 0.2), content)
        case Matrix():
            _matrix(inner(0.25, 0.06, 0.72, 0.9), content)
        case Bands():
            _bands(inner(0.14, 0.95, 0.83, 0.22), content)
        case PointChart():
            _points(inner(0.21, 1.3, 0.76, 0.22), content)
        case Tints():
            _tints(inner(0.29, 0.08, 0.68, 0.28), content)


def _curves(axes: Any, content: Curves) -> None:
    for number, (label, curve) in enumerate(content.curves.items()):
        shade = ink.FAINT if label == "all" else _GROUPS[(number - 1) % len(_GROUPS)]
        legend = f"{ink.plain(label, _LONGEST)} ({content.counts[label]:,})"
        style = (0, (4, 2)) if label == "all" else "solid"
        axes.plot(content.x, curve, color=shade, lw=1.5, ls=style, label=legend)
    axes.set_ylim(bottom=0)
    axes.margins(x=0)
    _label(axes, content.unit, "density")
    _legend(axes)


def _matrix(axes: Any, content: Matrix) -> None:
    table = np.array(content.values)
    # What is put together as one is dark enough without a ramp of its own.
    own = [place for place, label in enumerate(content.columns) if label != "other"]
    highest = max(float(table[:, own].max(initial=0.0)), 1e-9)
    axes.imshow(table, aspect="auto", cmap=_ramp(), vmin=0, vmax=highest, interpolation="nearest")
    for row, values in enumerate(content.values):
        for column, value in enumerate(values):
            if round(100 * value):
                # The ramp is light below and dark above, in the light and in the dark: so neither
                # is a colour of `ink`, in whose place a page has another in the dark.
                shade = "#f4f8fc" if value > 0.55 * highest else "#10202e"
                axes.text(
                    column, row, f"{100 * value:.0f}", size=_SIZE - 1.8, ha="center", va="center",
                    color=shade,
                )  # fmt: skip
    ink.bare(axes)
    axes.xaxis.tick_top()
    for which, labels in (("x", content.columns), ("y", content.rows)):
        ticks = [ink.plain(label, 14) for label in labels]
        getattr(axes, f"set_{which}ticks")(range(len(labels)), ticks)
        axes.tick_params(axis=which, labelsize=_SIZE - 0.8, labelcolor=ink.INK)
        for tick in getattr(axes, f"{which}axis").get_major_ticks():
            for label in (tick.label1, tick.label2):
                label.set_parse_math(False)
                if which == "x":
                    label.set_rotation(55)
                    label.set_horizontalalignment("left")
                    label.set_rotation_mode("anchor")


def _ramp() -> Any:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("symmv", ["#eef3f8", "#8fb8da", "#2d6a9f", "#123a5c"])


def _bands(axes: Any, content: Bands) -> None:
    base = np.zeros(len(next(iter(content.bands.values()))))
    edges = np.linspace(0, 100, len(base) + 1)
    for (word, shares), shade in zip(content.bands.items(), ink.EMOTION_COLOURS, strict=False):
        top = base + np.array(shares)
        axes.stairs(top, edges, baseline=base, fill=True, color=shade, label=ink.plain(word, 12))
        base = top
    axes.set_ylim(0, 1)
    axes.margins(x=0)
    _label(axes, "% of the video's length", "share")
    _legend_below(axes)


def _points(axes: Any, content: PointChart) -> None:
    genres = list(dict.fromkeys(sorted(content.genres, key=lambda name: (name == "other", name))))
    x, y = np.array(content.x), np.array(content.y)
    which, splits = np.array(content.genres), np.array(content.splits)
    for number, genre in enumerate(genres):
        for split, mark in _MARKS.items():
            mine = (which == genre) & (splits == split)
            if mine.any():
                axes.scatter(
                    x[mine], y[mine], s=9, marker=mark, color=_GROUPS[number % len(_GROUPS)],
                    alpha=0.65, linewidths=0, rasterized=len(x) > 400,
                )  # fmt: skip
        axes.scatter([], [], s=14, color=_GROUPS[number % len(_GROUPS)], label=ink.plain(genre, 16))
    for split, mark in _MARKS.items():
        if (splits == split).any():
            axes.scatter([], [], s=14, marker=mark, color=ink.FAINT, label=split)
    first, second = content.explained
    _label(
        axes,
        f"component 1, {100 * first:.0f} % of the variance",
        f"component 2, {100 * second:.0f} %",
    )
    _legend_below(axes)


def _tints(axes: Any, content: Tints) -> None:
    from matplotlib.colors import to_rgb

    table = np.array([[to_rgb(tint) for tint in row] for row in content.rows.values()])
    axes.imshow(table, aspect="auto", interpolation="nearest")
    ink.bare(axes)
    axes.set_xticks([])
    axes.set_yticks(range(len(content.rows)), [ink.plain(name, 16) for name in content.rows])
    axes.tick_params(axis="y", labelsize=_SIZE, labelcolor=ink.INK)
    for tick in axes.yaxis.get_major_ticks():
        tick.label1.set_parse_math(False)
    for row in range(1, len(content.rows)):
        axes.axhline(row - 0.5, color=ink.PAPER, lw=3)
