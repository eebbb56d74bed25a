"""One writer a dataset: a lock in the ledger that its holder renews while it lives.

The ledger is the one place that every machine which works on a data root shares. A holder
renews its lock every few seconds from a thread of its own; a lock that was not renewed for
two minutes belongs to nobody, and neither does one whose process has ended on this machine.
Readers take no lock: they go by receipts and manifests, which are replaced in one piece.
"""

import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from symmv_builder.errors import Locked, LockLost, StopRun
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.processes import is_running, machine, started

LEASE_S = 120.0
_RENEW_S = 10.0
_LOOK_S = 0.5

_METADATA = sa.MetaData()

_LOCKS = sa.Table(
    "locks",
    _METADATA,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("owner", sa.String, nullable=False),
    sa.Column("machine", sa.String, nullable=False),
    sa.Column("host", sa.String, nullable=False),
    sa.Column("pid", sa.BigInteger, nullable=False),
    sa.Column("started", sa.String, nullable=False),
    sa.Column("command", sa.String, nullable=False),
    sa.Column("since_s", sa.Float, nullable=False),
    sa.Column("renewed_s", sa.Float, nullable=False),
)


@dataclass(slots=True)
class Lock:
    """A lock that this process holds, in `thread`; `depth` counts nested holders."""

    ledger: Ledger
    name: str
    owner: str
    thread: int
    depth: int = 1

    def check(self) -> None:
        """Raise `StopRun` where the lock was lost: this process slept longer than its lease."""
        query = sa.select(_LOCKS.c.owner).where(_LOCKS.c.name == self.name)
        with self.ledger.engine.connect() as connection:
            owner = connection.execute(query).scalar()
        if owner != self.owner:
            raise LockLost(self.name, LEASE_S)


# The locks of this process, by ledger and name: one of a name at a time, since the ledger says so.
_HELD_LOCKS: dict[tuple[str, str], Lock] = {}


@contextmanager
def hold(
    ledger: Ledger,
    name: str,
    *,
    wait: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Iterator[Lock]:
    """Be the only writer of what `name` stands for until the block ends.

    Raises `Locked` where another process has the lock; with `wait`, waits for it and says
    so through `tell` once. A block inside a block of the same thread shares its lock.
    """
    place = (str(ledger.engine.url), name)
    outer = _HELD_LOCKS.get(place)
    if outer is not None and outer.thread == threading.get_ident():
        outer.depth += 1
        try:
            yield outer
        finally:
            outer.depth -= 1
        return
    lock = _acquire(ledger, name, wait=wait, tell=tell)
    _HELD_LOCKS[place] = lock
    ended = threading.Event()
    threading.Thread(target=_renew, args=(lock, ended), daemon=True).start()
    try:
        yield lock
    finally:
        ended.set()
        del _HELD_LOCKS[place]
        _release(lock)


def current(ledger: Ledger, name: str) -> Lock:
    """Give the lock that this thread holds; every change of a dataset needs one.

    `RuntimeError` where there is none, which is a mistake of the program.
    """
    lock = _HELD_LOCKS.get((str(ledger.engine.url), name))
    if lock is None or lock.thread != threading.get_ident():
        raise RuntimeError(f"{name} is changed by a thread that does not hold its lock")
    return lock


def _acquire(ledger: Ledger, name: str, *, wait: bool, tell: Callable[[str], object]) -> Lock:
    ledger.create(_METADATA)
    has_told = False
    while True:
        owner = secrets.token_hex(8)
        holder = _take(ledger, name, owner)
        if holder is None:
            return Lock(ledger, name, owner, threading.get_ident())
        who = f"process {holder.pid} on {holder.host} ({holder.command})"
        locked = Locked(name, who, holder.since_s)
        if not wait:
            raise locked
        if not has_told:
            tell(f"waiting: {name} is being written by {locked.holder}")
            has_told = True
        time.sleep(_LOOK_S)


def _take(ledger: Ledger, name: str, owner: str) -> sa.Row[Any] | None:
    """Take a lock that is free; else the row of who has it."""
    with ledger.writing() as connection:
        now_s = _now_s(connection)
        row = connection.execute(
            sa.select(_LOCKS).where(_LOCKS.c.name == name).with_for_update()
        ).first()
        if row is not None and _is_alive(row, now_s):
            return row
        values = {
            "owner": owner,
            "machine": machine(),
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "started": started(os.getpid()),
            "command": _command(),
            "since_s": now_s,
            "renewed_s": now_s,
        }
        if row is not None:
            connection.execute(sa.update(_LOCKS).where(_LOCKS.c.name == name).values(**values))
            return None
        insert = ledger.insert_of(_LOCKS).values(name=name, **values).on_conflict_do_nothing()
        if connection.execute(insert).rowcount:
            return None
        # Two came at once to a server where no row could be locked yet.
        return connection.execute(sa.select(_LOCKS).where(_LOCKS.c.name == name)).first()


def _is_alive(row: sa.Row[Any], now_s: float) -> bool:
    if now_s - row.renewed_s > LEASE_S:
        return False
    if row.machine != machine():
        return True
    return is_running(row.pid) and started(row.pid) == row.started


def _renew(lock: Lock, ended: threading.Event) -> None:
    is_own = sa.and_(_LOCKS.c.name == lock.name, _LOCKS.c.owner == lock.owner)
    while not ended.wait(_RENEW_S):
        # A ledger that cannot be reached for a moment is asked again; `check` has the last word.
        with suppress(StopRun, sa.exc.SQLAlchemyError), lock.ledger.engine.begin() as connection:
            now_s = _now_s(connection)
            connection.execute(sa.update(_LOCKS).where(is_own).values(renewed_s=now_s))


def _release(lock: Lock) -> None:
    is_own = sa.and_(_LOCKS.c.name == lock.name, _LOCKS.c.owner == lock.owner)
    # On a full disk the row stays; it is known to be of a process that has ended.
    with suppress(StopRun), lock.ledger.engine.begin() as connection:
        connection.execute(sa.delete(_LOCKS).where(is_own))


def _now_s(connection: sa.Connection) -> float:
    """Give seconds since the epoch by the one clock that all writers share, where there is one."""
    if connection.dialect.name == "postgresql":
        return float(connection.execute(sa.text("select extract(epoch from now())")).scalar() or 0)
    return time.time()


def _command() -> str:
    """Give the command line's program and first words: what a person recognises a run by."""
    words = [Path(sys.argv[0] or "python").name, *sys.argv[1:3]]
    return " ".join(word for word in words if "://" not in word)[:120]
