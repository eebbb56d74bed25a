"""The figures of a report: nothing cut off, nothing lost, readable in the dark."""

from typing import Any

import pytest

from symmv_builder.report import charts, ink
from symmv_builder.report.figure import BarChart, Content, Matrix, PointChart

pytest.importorskip("matplotlib")


def drawn(contents: list[tuple[str, Content]]) -> Any:
    figure = charts.draw(contents)
    assert figure is not None
    return figure


def test_bars_of_two_datasets_show_what_one_of_them_lacks() -> None:
    first, second = (BarChart((name, "C major"), (1, 1), "entries") for name in ("a", "b"))
    [axes] = drawn([("one", first), ("other", second)]).axes
    assert {each.get_text() for each in axes.get_yticklabels()} == {"a", "b", "C major"}
    many = [BarChart(tuple(f"{name}{n}" for n in range(30)), (1,) * 30, "entries") for name in "ab"]
    [axes] = drawn([("one", many[0]), ("other", many[1])]).axes
    assert len(axes.get_yticklabels()) == 30


def test_the_names_of_both_axes_of_points_are_within_the_picture() -> None:
    content = PointChart((-3.0, 3.0), (-0.0004, 0.0004), ("Pop",) * 2, ("train",) * 2, (0.9, 0.1))
    figure = drawn([("one", content)])
    figure.canvas.draw()
    [axes] = figure.axes
    for label in (axes.xaxis.label, axes.yaxis.label):
        extent = label.get_window_extent()
        assert 0 <= extent.x0 < extent.x1 <= figure.bbox.x1
        assert 0 <= extent.y0 < extent.y1 <= figure.bbox.y1


def test_numbers_in_cells_have_colours_that_stay_in_the_dark() -> None:
    content = Matrix(("a", "b"), ("c", "d"), ((0.1, 0.9), (0.9, 0.1)), "", "")
    [axes] = drawn([("one", content)]).axes
    colours = {text.get_color() for text in axes.texts}
    assert len(colours) == 2
    assert not colours & {ink.INK, ink.FAINT, ink.RULE, ink.PAPER}
