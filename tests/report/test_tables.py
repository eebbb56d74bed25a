"""Tables: every figure is there at 80 columns, and names are never markup."""

from io import StringIO

import pytest
from rich.table import Table

from symmv_builder.report.tables import (
    EntryRow,
    RejectionRow,
    StageRow,
    entries_table,
    plain_text,
    rejections_table,
    show,
    stages_table,
)

ENTRIES = entries_table(
    [
        EntryRow("[red]song[/]", "train", 0.77, 1379, 104, 12, "c# minor", 145.2, 13),
        EntryRow("x" * 100, "valid", 12.5),
    ]
)
REJECTIONS = rejections_table(
    [RejectionRow("still", "motion", "static_video", "changes by 0.00 [of] 255\x1b[31m")]
)
STAGES = stages_table(
    [
        StageRow("transcribe", "transkun", 7, 123.4, 0.57),
        StageRow("key", "", 7, 0.04, 0.0001, rejected=2),
    ]
)


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("table", [ENTRIES, REJECTIONS, STAGES])
def test_no_line_is_wider_than_the_page(table: Table, width: int) -> None:
    assert max(map(len, plain_text(table, width=width).splitlines())) <= width


def test_every_figure_of_an_entry_is_told_at_80_columns() -> None:
    text = plain_text(ENTRIES, width=80)
    line = next(line for line in text.splitlines() if "song" in line)
    assert line.split() == [
        "[red]song[/]", "train", "0.77", "1,379", "104", "12", "c#", "minor", "145", "13",
    ]  # fmt: skip
    assert "2 in all" in text
    assert "13.3" in text


def test_what_a_recipe_does_not_make_is_a_dash() -> None:
    line = next(line for line in plain_text(ENTRIES).splitlines() if "valid" in line)
    assert line.split()[2:] == ["12.50", "-", "-", "-", "-", "-", "-"]


def test_a_detail_is_folded_and_loses_its_control_characters() -> None:
    text = plain_text(REJECTIONS, width=80)
    assert "static_video" in text
    assert "[of]" in text
    assert "\x1b" not in text


def test_stages_tell_seconds_and_speed_at_80_columns() -> None:
    text = plain_text(STAGES, width=80)
    assert [line.split() for line in text.splitlines() if "transkun" in line] == [
        ["transcribe", "transkun", "7", "123.4", "0.5700", "1.8x", "-"]
    ]
    assert "10,000x" in text
    assert "put aside" in text


def test_away_from_a_terminal_a_table_is_plain_ascii() -> None:
    stream = StringIO()
    show(STAGES, stream)
    assert stream.getvalue().isascii()
    assert stream.getvalue() == plain_text(STAGES)


def test_tables_without_rows_are_drawn() -> None:
    for table in (entries_table([]), rejections_table([]), stages_table([])):
        assert plain_text(table, width=80)
