"""A ledger's file answers as the ledger does, and is never written to."""

import sqlite3
from pathlib import Path

import pytest

from symmv_builder.errors import OldLedger, StoreUnusable
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.outcomes import LedgerFile, Outcomes
from symmv_builder.storage.results import Result

MADE = Result("b", "notes", "transcribe", "k1", "transkun", 1.5)
REJECTED = Result("a", "screen", "screen_notes", "k2", "", 0.25, "silent", "no sound: ´`")
OTHER = Result("a", "notes", "transcribe", "k3", "transkun", 0.5)


def asked(outcomes: Outcomes, dataset: str) -> list[object]:
    """Every answer about a dataset, those without an order sorted."""
    return [
        outcomes.requested_artifacts(dataset),
        outcomes.artifacts(dataset),
        outcomes.rejections(dataset),
        sorted(outcomes.costs(dataset)),
        [name for name, *_ in outcomes.costs(dataset)],
    ]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger with three results of `toy`, closed."""
    path = tmp_path / "a folder %41#" / "ledger.sqlite"
    path.parent.mkdir()
    ledger = Ledger(f"sqlite:///{path}")
    ledger.ask("toy", ["notes", "screen"])
    ledger.record_results("toy", [MADE, REJECTED, OTHER])
    ledger.close()
    return path


def test_every_database_gives_the_same_answers(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    ledger.ask("toy", ["notes", "screen"])
    ledger.record_results("toy", [MADE, REJECTED, OTHER])
    ledger.record_results("other", [MADE])
    assert asked(ledger, "toy") == [
        ("notes", "screen"),
        {"notes", "screen"},
        [REJECTED],
        [
            ("a", "notes", "transcribe", "transkun", 0.5, ""),
            ("a", "screen", "screen_notes", "", 0.25, "silent"),
            ("b", "notes", "transcribe", "transkun", 1.5, ""),
        ],
        ["a", "a", "b"],
    ]
    assert asked(ledger, "nothing") == [(), set(), [], [], []]


def test_a_file_gives_the_answers_of_its_ledger(path: Path) -> None:
    ledger = Ledger(f"sqlite:///{path}")
    for dataset in ("toy", "nothing", "toy' OR 1=1 --"):
        assert asked(LedgerFile(path), dataset) == asked(ledger, dataset)


def test_a_file_is_read_while_it_is_written(path: Path) -> None:
    ledger = Ledger(f"sqlite:///{path}")
    with ledger.writing():
        assert LedgerFile(path).artifacts("toy") == {"notes", "screen"}
    ledger.record_results("toy", [Result("c", "key", "key", "k", "", 0.0)])
    assert LedgerFile(path).artifacts("toy") == {"notes", "screen", "key"}


def test_a_file_that_is_not_there_knows_nothing_and_is_not_made(tmp_path: Path) -> None:
    file = LedgerFile(tmp_path / "ledger.sqlite")
    assert asked(file, "toy") == [(), set(), [], [], []]
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_a_table_knows_nothing_of_it_and_stays_as_it_is(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE asked")
    connection.close()
    before = path.read_bytes()
    assert LedgerFile(path).requested_artifacts("toy") == ()
    assert LedgerFile(path).rejections("toy") == [REJECTED]
    assert path.read_bytes() == before


def test_a_file_that_lacks_a_column_is_of_an_earlier_version(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("ALTER TABLE results DROP COLUMN detail")
    connection.close()
    with pytest.raises(OldLedger, match="earlier version"):
        LedgerFile(path).rejections("toy")


@pytest.mark.parametrize("content", [b"no database at all" * 100, None])
def test_what_is_no_database_is_one_clear_line(path: Path, content: bytes | None) -> None:
    path.unlink()
    path.mkdir() if content is None else path.write_bytes(content)
    with pytest.raises(StoreUnusable, match=r"ledger\.sqlite"):
        LedgerFile(path).artifacts("toy")
