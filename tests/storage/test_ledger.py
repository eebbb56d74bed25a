"""The ledger: last results, known files, recordings; opened twice, killed, or out of place."""

from collections.abc import Callable
from pathlib import Path

import pytest

from symmv_builder.errors import StopRun, StoreUnusable
from symmv_builder.storage.ledger import KnownFile, Ledger, Result
from symmv_builder.storage.ledger_checks import server_version


def open_ledger(tmp_path: Path) -> Ledger:
    return Ledger(f"sqlite:///{tmp_path / 'ledger.sqlite'}")


def test_the_last_result_of_a_step_is_the_one_that_counts(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    rejected = Result("a", "notes", "transcribe", "k1", "transkun", 1.5, "silent", "no sound")
    made = Result("a", "notes", "transcribe", "k2", "transkun", 2.5)
    other = Result("b", "notes", "transcribe", "k1", "transkun", 0.1)
    ledger.record_results("symmv", [rejected, other])
    assert ledger.results("symmv", "a") == [rejected]
    ledger.record_results("symmv", [made])
    assert ledger.results("symmv", "a") == [made]
    assert sorted(ledger.results("symmv"), key=lambda r: r.entry_id) == [made, other]


def test_datasets_do_not_see_each_other(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    assert ledger.datasets() == []
    ledger.record_results("symmv", [Result("a", "notes", "transcribe", "k", "", 0.0)])
    ledger.record_results("muvisync", [Result("a", "notes", "transcribe", "l", "", 0.0)])
    assert ledger.datasets() == ["muvisync", "symmv"]
    assert [result.key for result in ledger.results("symmv")] == ["k"]
    assert ledger.results("nothing") == []


def test_files_and_recordings_come_back_as_they_were_last_seen(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    old = KnownFile("/music/Привет 100%.wav", 1 << 40, 1_700_000_000_123_456_789, "ab" * 32)
    new = KnownFile(old.path, 5, old.modified_ns + 1, "cd" * 32)
    ledger.remember_files([old])
    assert ledger.known_files() == {old.path: old}
    ledger.remember_files([new])
    assert ledger.known_files() == {old.path: new}
    ledger.record_assets({("file", "a"): "ab" * 32, ("youtube", "KFNEtO7fO9M"): "cd" * 32})
    ledger.record_assets({("file", "a"): "ef" * 32})
    assert ledger.assets() == {("file", "a"): "ef" * 32, ("youtube", "KFNEtO7fO9M"): "cd" * 32}


def test_recording_nothing_is_allowed(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    ledger.record_results("symmv", [])
    ledger.record_assets({})
    ledger.remember_files([])
    assert ledger.results("symmv") == []


def test_many_results_are_recorded_in_one_go(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    results = [Result(f"e{n}", "notes", "transcribe", "k", "", 0.5) for n in range(5000)]
    ledger.record_results("symmv", results)
    assert len(ledger.results("symmv")) == 5000


def test_what_one_process_records_another_reads_at_once(ledger_url: str) -> None:
    writer, reader = Ledger(ledger_url), Ledger(ledger_url)
    writer.record_results("symmv", [Result("a", "notes", "transcribe", "k", "", 0.5)])
    assert len(reader.results("symmv")) == 1
    writer.close()
    reader.close()
    assert Ledger(ledger_url).datasets() == ["symmv"]


def test_a_result_is_there_without_closing(tmp_path: Path) -> None:
    """As after a kill: the write-ahead log alone holds it."""
    ledger = open_ledger(tmp_path)
    ledger.record_results("symmv", [Result("a", "notes", "transcribe", "k", "", 0.5)])
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("ledger.sqlite", "ledger.sqlite-wal"):
        (copy / name).write_bytes((tmp_path / name).read_bytes())
    assert len(open_ledger(copy).results("symmv")) == 1


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////nowhere/at/all/ledger.sqlite",
        "not a url",
        "unheard-of://host/name",
        "postgresql+psycopg://127.0.0.1:9/none",
    ],
)
def test_a_ledger_that_cannot_be_opened_is_one_clear_line(url: str) -> None:
    with pytest.raises(StopRun) as caught:
        Ledger(url)
    assert url in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_no_database_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "ledger.sqlite").write_bytes(b"this is not a database, whatever it is called" * 100)
    with pytest.raises(StopRun, match="not a database"):
        open_ledger(tmp_path)


def test_details_that_no_database_stores_are_stored_as_well_as_can_be(ledger_url: str) -> None:
    ledger = Ledger(ledger_url)
    detail = "a\0b \ud800 '; DROP TABLE results; -- 💥 \u202e"
    ledger.record_results("symmv", [Result("a", "notes", "s", "k", "", 0.0, "silent", detail)])
    [result] = ledger.results("symmv")
    assert result.detail == "ab \ufffd '; DROP TABLE results; -- 💥 \u202e"


@pytest.mark.parametrize("open_it", [Ledger, server_version])
def test_a_kind_of_database_that_is_not_known_is_told_with_those_that_are(
    open_it: Callable[[str], object],
) -> None:
    with pytest.raises(StoreUnusable) as stop:
        open_it("postgres://me:hush@host/x")
    assert "hush" not in str(stop.value)
    assert str(stop.value).endswith(
        ": postgres is no known kind of database; give postgresql+psycopg://USER:PASSWORD@HOST/"
        "DATABASE or sqlite:////PATH"
    )
