"""What strangers wrote comes out unharmed, and harms nobody who reads it."""

import pytest

from flows import artifacts
from symmv_builder.api import questions
from symmv_builder.api.crawl import recording_of
from symmv_builder.records import Listing, ParsedTitle, Source
from symmv_builder.storage.items import Item
from symmv_builder.storage.ledger import Result
from symmv_builder.text import harmless

HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "![x](http://127.0.0.1/pixel.png)",
    "a | b |\n| c | d |",
    "```\ncode\n```",
    "# heading\n\n- list",
    "http://example.org/login www.example.org me@example.org",
    "../../etc/passwd",
    '=HYPERLINK("http://example.org")',
    "\u202egnihtemos\u202c",
    "&lt;b&gt; **bold** _it_ ~~no~~ \\| `x`",
    "\x00\x1b[31mred\x07",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_of_a_stranger_is_markup(text: str) -> None:
    shown = artifacts.inert(text)
    plain = shown.replace("&#", "").replace(";", "")
    assert not set(plain) & set('<>[]|`*_~\\#!&:/=@"{}\n\r\x00\x1b\x07\u202e\u202c')
    assert "www." not in shown


@pytest.mark.parametrize(
    "text", ["Привет", "椎名林檎 - 丸ノ内サディスティック", "שלום", "👩‍👩‍👧 🎹", "naïve café"]
)
def test_what_is_harmless_stays_as_it_is(text: str) -> None:
    assert harmless(text) == text


def test_a_title_of_ten_kilobytes_is_cut() -> None:
    assert len(artifacts.inert("x" * 10_000)) == 120


def test_a_table_of_hostile_titles_keeps_its_rows_and_columns() -> None:
    items = [
        recording_of(
            Item(
                "symmv",
                Listing(Source("youtube", f"aaaaaaaa{number:03d}"), text, channel=text),
                "channel:x",
                parsed=ParsedTitle(text, text, 0.5),
                official=Listing(Source("youtube", "b" * 11), text, channel=text),
            )
        )
        for number, text in enumerate(HOSTILE)
    ]
    for table, columns in ((artifacts.proposals(items), 6), (artifacts.put_aside(items), 5)):
        rows = [line for line in table.splitlines() if line.startswith("| yt")]
        assert len(rows) == len(HOSTILE)
        assert {row.count("|") for row in rows} == {columns + 1}
        assert "<" not in table


def test_hostile_details_of_rejections_are_text() -> None:
    results = [Result("a", "notes", "screen", "k", "", 1.0, "silent", text) for text in HOSTILE]
    table = artifacts.rejected_examples(results)
    assert "<" not in table
    assert len([line for line in table.splitlines() if line.startswith("| a ")]) == len(HOSTILE)


def test_tables_count_by_step_and_by_reason() -> None:
    results = [
        Result("a", "notes", "transcribe", "k", "", 2.0),
        Result("b", "notes", "transcribe", "k", "", 1.0, "silent", "no sound"),
        Result("b", "key", "find_key", "k", "", 0.0),
    ]
    assert questions.rejections(results) == [
        {"step": "transcribe", "reason": "silent", "entries": 1}
    ]
    assert questions.throughput(results) == [
        {"step": "transcribe", "entries": 2, "seconds": 3.0, "entries an hour": 2400.0}
    ]
