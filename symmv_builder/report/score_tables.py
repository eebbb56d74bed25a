"""What was measured in the shape of the papers' tables, the papers' own figures above ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from symmv_builder.evaluation.metric import Metric
from symmv_builder.evaluation.published_figures import Figures
from symmv_builder.report.tables import cell, ruled_table

__all__ = ["Metric", "ScoreLine", "scores_table"]

_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One line of ours; a value that is absent or no number shows as a dash."""

    label: str
    values: Mapping[str, float | None]
    is_signed: bool = False


def scores_table(
    title: str,
    columns: Sequence[Metric],
    published: Sequence[Figures],
    measured: Sequence[ScoreLine],
) -> Table:
    """A line per row of the papers, then our own in bold."""
    table = ruled_table(title)
    table.add_column("from", overflow="fold")
    table.add_column("row", overflow="fold", ratio=1)
    for column in columns:
        # A heading may take several lines, a number none: whatever the width, all are there.
        numbers = [_number(each.values.get(column.name), column.digits) for each in published]
        numbers += [
            _number(each.values.get(column.name), column.digits, each.is_signed)
            for each in measured
        ]
        widest = max((len(number) for number in numbers), default=1)
        heading = Text(column.heading)
        table.add_column(heading, justify="right", overflow="fold", min_width=widest)
    last = None
    for figures in published:
        place = f"{figures.paper}, {figures.table}"
        if last not in (None, place):
            table.add_section()
        table.add_row(
            Text(place if place != last else ""),
            cell(figures.row),
            *(_number(figures.values.get(c.name), c.digits) for c in columns),
        )
        last = place
    if published:
        table.add_section()
    for line in measured:
        table.add_row(
            Text("here", style="bold"),
            cell(line.label, "bold"),
            *(_number(line.values.get(c.name), c.digits, line.is_signed) for c in columns),
        )
    return table


def _number(value: float | None, digits: int, is_signed: bool = False) -> Text:
    if value is None or value != value:
        return Text(_NOTHING)
    return Text(f"{value:+.{digits}f}" if is_signed else f"{value:.{digits}f}")
