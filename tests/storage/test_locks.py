"""One writer at a time: who holds a lock, how it is waited for, how the dead lose it."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from symmv_builder.errors import Locked, StopRun
from symmv_builder.storage import locks
from symmv_builder.storage.ledger import Ledger

HOLDER = """
import sys, time
from symmv_builder.storage import locks
from symmv_builder.storage.ledger import Ledger
with locks.hold(Ledger(sys.argv[1]), "symmv"):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(url: str, seconds: float) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", HOLDER, url, str(seconds)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_the_second_is_told_who_holds_a_lock_since_when(ledger_url: str) -> None:
    process = holder(ledger_url, 60)
    try:
        with pytest.raises(Locked) as caught, locks.hold(Ledger(ledger_url), "symmv"):
            pass
        assert f"symmv is being written by process {process.pid} on " in str(caught.value)
        assert abs(caught.value.since_s - time.time()) < 60
        with locks.hold(Ledger(ledger_url), "muvisync"):
            pass
    finally:
        process.kill()
        process.wait()


def test_the_second_waits_where_it_is_told_to(ledger_url: str) -> None:
    process = holder(ledger_url, 1.5)
    told: list[str] = []
    with locks.hold(Ledger(ledger_url), "symmv", wait=True, tell=told.append):
        assert process.wait(10) == 0
    assert len(told) == 1
    assert told[0].startswith("waiting: symmv is being written by process ")


def test_a_process_that_was_killed_holds_nothing(ledger_url: str) -> None:
    process = holder(ledger_url, 60)
    process.kill()
    # Not waited for: the process stays as a zombie, and its id is still taken.
    time.sleep(0.2)
    with locks.hold(Ledger(ledger_url), "symmv"):
        pass
    process.wait()


def test_a_block_within_a_block_is_the_same_writer(ledger_url: str) -> None:
    with locks.hold(Ledger(ledger_url), "symmv") as outer:
        with locks.hold(Ledger(ledger_url), "symmv") as inner:
            assert inner is outer
        outer.check()
    with pytest.raises(RuntimeError, match="does not hold its lock"):
        locks.current(Ledger(ledger_url), "symmv")


def test_another_thread_is_another_writer(ledger_url: str) -> None:
    seen: list[Exception] = []

    def second() -> None:
        try:
            with locks.hold(Ledger(ledger_url), "symmv"):
                pass
        except StopRun as error:
            seen.append(error)

    with locks.hold(Ledger(ledger_url), "symmv"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert [type(error) for error in seen] == [Locked]


def test_a_lock_that_was_not_renewed_is_taken_and_its_holder_notices(
    ledger_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = Ledger(ledger_url)
    with locks.hold(ledger, "symmv") as lock:
        # As if this process had stood still for longer than its lease.
        with ledger.engine.begin() as connection:
            connection.execute(sa.text("update locks set renewed_s = renewed_s - 1000"))
        process = holder(ledger_url, 0.5)
        with pytest.raises(StopRun, match="lost its lock on symmv"):
            lock.check()
        assert process.wait(10) == 0


def test_a_holder_renews_its_lock(ledger_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "_RENEW_S", 0.05)
    ledger = Ledger(ledger_url)
    query = sa.text("select renewed_s from locks")
    with locks.hold(ledger, "symmv"), ledger.engine.connect() as connection:
        first = connection.execute(query).scalar()
        connection.rollback()
        time.sleep(0.5)
        assert connection.execute(query).scalar() > first  # type: ignore[operator]


def test_first_writers_of_a_new_root_do_not_meet(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/ledger.sqlite"
    code = "import sys; from symmv_builder.storage.ledger import Ledger; Ledger(sys.argv[1])"
    commands = [subprocess.Popen([sys.executable, "-c", code, url]) for _ in range(6)]
    assert [command.wait(60) for command in commands] == [0] * 6
