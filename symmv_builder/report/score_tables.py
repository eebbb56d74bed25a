"""What was measured in the shape of the papers' tables, the papers' own figures above ours."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from symmv_builder.evaluation.published import Figures
from symmv_builder.report.tables import cell, ruled_table

_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Column:
    """One metric: the name of its value, its heading, and how many digits are shown."""

    name: str
    heading: str
    digits: int = 3


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of ours; a value that is absent or no number shows as a dash."""

    label: str
    values: Mapping[str, float | None]
    is_signed: bool = False


MUSIC = (
    Column("sc", "SC"), Column("pe", "PE"), Column("pce", "PCE"), Column("ebr", "EBR", 4),
    Column("ioi", "IOI"),
)  # fmt: skip
VMCP = (
    Column("p5", "P@5", 1), Column("p10", "P@10", 1), Column("p20", "P@20", 1),
    Column("ar", "AR", 1),
)  # fmt: skip
AMT = (
    Column("hits1", "Hits@1", 4), Column("hits3", "Hits@3", 4), Column("hits5", "Hits@5", 4),
    Column("matching_loss", "Matching loss", 4),
)  # fmt: skip
REGRESSOR = (
    Column("rmse_density", "RMSE (density)", 4), Column("rmse_loudness", "RMSE (loudness)", 4),
)  # fmt: skip
RELEVANCE = (Column("cmr", "CMR"), Column("ta", "TA"))
BEATS = (
    Column("bcs", "Beat coverage", 1), Column("csd", "(sd)", 1), Column("bhs", "Beat hit", 1),
    Column("hsd", "(sd)", 1), Column("f1", "F1", 1),
)  # fmt: skip
AUDIO = (Column("fad", "FAD"),)
KLD = (Column("kld", "KLD"),)
MCC = (Column("mcc", "MCC"),)


def scores_table(
    title: str,
    columns: Sequence[Column],
    published: Sequence[Figures],
    measured: Sequence[Measured],
) -> Table:
    """A line per row of the papers, then our own in bold."""
    table = ruled_table(title)
    table.add_column("from", overflow="fold")
    table.add_column("row", overflow="fold", ratio=1, min_width=16)
    for column in columns:
        table.add_column(Text(column.heading), justify="right", no_wrap=True)
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
