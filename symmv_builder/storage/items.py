"""What a crawl knows: every recording that was found, how far it came, when to try again.

An item is a cover (or a video that is its own music). It moves through states by leases:
whoever works on it has it for a while, renews the lease meanwhile, and gives it back at the
end; if that worker dies, the lease runs out and another takes it. Every change raises the
item's version, and a save by somebody who has an older version changes nothing (`LeaseLost`):
whoever comes back late never sets another's progress back. Retries wait in `next_try_s`, not
in a sleeping worker. A breaker that is open keeps everybody from the network; tombstones keep
what was taken down from ever coming back.
"""

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import sqlalchemy as sa

from symmv_builder.errors import SymMVError
from symmv_builder.records import Listing, ParsedTitle, SongInfo, Source
from symmv_builder.storage import processes
from symmv_builder.storage.ledger import Ledger, Text
from symmv_builder.storage.manifests import listing_from

FOUND, PARSED, MATCHED, REVIEW = "found", "parsed", "matched", "review"
FETCHED, PROPOSED, PROMOTED = "fetched", "proposed", "promoted"
REJECTED, REMOVED = "rejected", "removed"
STATES = (FOUND, PARSED, REVIEW, MATCHED, FETCHED, PROPOSED, PROMOTED, REJECTED, REMOVED)

_METADATA = sa.MetaData()

_ITEMS = sa.Table(
    "items",
    _METADATA,
    sa.Column("dataset", sa.String, primary_key=True),
    sa.Column("site", sa.String, primary_key=True),
    sa.Column("video_id", sa.String, primary_key=True),
    sa.Column("origin", Text, nullable=False),
    sa.Column("state", sa.String, nullable=False, index=True),
    sa.Column("listing", sa.String, nullable=False),
    sa.Column("parsed", sa.String, nullable=False),
    sa.Column("official", sa.String, nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("evidence", sa.String, nullable=False),
    sa.Column("song", sa.String, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("next_try_s", sa.Float, nullable=False),
    sa.Column("leased_until_s", sa.Float, nullable=False),
    sa.Column("owner", sa.String, nullable=False, server_default=""),
    sa.Column("version", sa.Integer, nullable=False, server_default="0"),
    sa.Column("refused_s", sa.Float, nullable=False, server_default="0"),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("detail", Text, nullable=False),
)

_BREAKERS = sa.Table(
    "breakers",
    _METADATA,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("open_until_s", sa.Float, nullable=False),
    sa.Column("detail", Text, nullable=False),
)

_PASSES = sa.Table(
    "passes",
    _METADATA,
    sa.Column("dataset", sa.String, primary_key=True),
    sa.Column("origin", sa.String, primary_key=True),
    sa.Column("ended_s", sa.Float, nullable=False),
)

_TOMBSTONES = sa.Table(
    "tombstones",
    _METADATA,
    sa.Column("site", sa.String, primary_key=True),
    sa.Column("video_id", sa.String, primary_key=True),
    sa.Column("reason", Text, nullable=False),
)


class LeaseLost(SymMVError):
    """Another worker has leased or changed the item since: what was to be stored is dropped."""


@dataclass(frozen=True, slots=True)
class Item:
    """One recording in the crawl.

    `evidence` is JSON: the ranked candidates with their parts. `refused_s` is when a site first
    said that a recording of the item is gone, 0 if it has not; the answer counts when it is
    given again on another day. `version` is that of the row that the item was read from.
    """

    dataset: str
    listing: Listing
    origin: str
    state: str = FOUND
    parsed: ParsedTitle | None = None
    official: Listing | None = None
    score: float = 0.0
    evidence: str = "[]"
    song: SongInfo = field(default_factory=SongInfo)
    attempts: int = 0
    next_try_s: float = 0.0
    refused_s: float = 0.0
    step: str = ""
    reason: str = ""
    detail: str = ""
    version: int = 0

    @property
    def source(self) -> Source:
        return self.listing.source


_PREFIXES = {"youtube": "yt", "bilibili": "bb"}


def entry_id_of(source: Source) -> str:
    """Make the entry id of a recording from its site and its id there, safe as a file name."""
    return f"{_PREFIXES.get(source.site, source.site)}-{source.video_id}"


class Items:
    """The crawl's part of the ledger. Times are seconds since the epoch, given by the caller."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        # Says a person who holds a lease, and tells two crawls of one process apart.
        self._owner = f"{processes.machine()}:{os.getpid()}:{secrets.token_hex(4)}"
        ledger.create(_METADATA)

    def add(self, items: Iterable[Item]) -> int:
        """Add new items; gives how many. Known ones and those with a tombstone stay as they are."""
        buried = self.tombstones()
        rows = [_to_row(item) for item in items if item.source not in buried]
        return self._ledger.insert_new(_ITEMS, rows)

    def known_ids(self, dataset: str, origin: str | None = None) -> set[str]:
        """List the ids found so far, of a dataset or of one of its sources."""
        query = sa.select(_ITEMS.c.video_id).where(_ITEMS.c.dataset == dataset)
        if origin is not None:
            query = query.where(_ITEMS.c.origin == origin)
        with self._ledger.engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def get(self, dataset: str, source: Source) -> Item | None:
        query = sa.select(_ITEMS).where(_of(dataset, source))
        with self._ledger.engine.connect() as connection:
            row = connection.execute(query).first()
        return _from_row(row) if row else None

    def find(self, dataset: str, states: Sequence[str] = ()) -> list[Item]:
        """List all items, or those in some states, in the order of their ids."""
        query = sa.select(_ITEMS).where(_ITEMS.c.dataset == dataset)
        if states:
            query = query.where(_ITEMS.c.state.in_(states))
        with self._ledger.engine.connect() as connection:
            items = [_from_row(row) for row in connection.execute(query)]
        # Sorted here: databases differ in how they order text.
        return sorted(items, key=lambda item: (item.source.site, item.source.video_id))

    def sources(self, dataset: str, states: Sequence[str]) -> Iterator[Source]:
        """Iterate over the recordings of items in some states, official videos included."""
        columns = (_ITEMS.c.site, _ITEMS.c.video_id, _ITEMS.c.official)
        in_states = sa.and_(_ITEMS.c.dataset == dataset, _ITEMS.c.state.in_(states))
        with self._ledger.engine.connect() as connection:
            rows = connection.execution_options(yield_per=1000).execute(
                sa.select(*columns).where(in_states)
            )
            for site, video_id, official in rows:
                yield Source(site, video_id)
                if official:
                    yield Source(**json.loads(official)["source"])

    def some(self, dataset: str, site: str, states: Sequence[str], limit: int) -> list[Item]:
        """Draw a few items of a site in some states at random."""
        query = (
            sa.select(_ITEMS)
            .where(_ITEMS.c.dataset == dataset, _ITEMS.c.site == site, _ITEMS.c.state.in_(states))
            .order_by(sa.func.random())
            .limit(limit)
        )
        with self._ledger.engine.connect() as connection:
            return [_from_row(row) for row in connection.execute(query)]

    def lease(
        self,
        dataset: str,
        states: Sequence[str],
        *,
        limit: int | None,
        now_s: float,
        lease_s: float,
    ) -> list[Item]:
        """Take up to `limit` items that are due and that nobody holds.

        On PostgreSQL rows that another worker is taking are passed over, not waited for.
        """
        due = (
            sa.select(_ITEMS)
            .where(
                _ITEMS.c.dataset == dataset,
                _ITEMS.c.state.in_(states),
                _ITEMS.c.next_try_s <= now_s,
                _ITEMS.c.leased_until_s <= now_s,
            )
            .order_by(_ITEMS.c.next_try_s, _ITEMS.c.site, _ITEMS.c.video_id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        leased = []
        with self._ledger.writing() as connection:
            for item in [_from_row(row) for row in connection.execute(due)]:
                renewed = replace(item, version=item.version + 1)
                leasing = sa.update(_ITEMS).where(_of(dataset, item.source))
                connection.execute(
                    leasing.values(
                        leased_until_s=now_s + lease_s, owner=self._owner, version=renewed.version
                    )
                )
                leased.append(renewed)
        return leased

    def renew(self, items: Iterable[Item], until_s: float) -> None:
        """Extend our leases of items to a time; those that are not ours any more stay as they are.

        An item that was stored meanwhile without a lease is not leased again.
        """
        self._set_leases(items, leased_until_s=until_s)

    def give_back(self, items: Iterable[Item]) -> None:
        """End our leases of items without changing their state."""
        self._set_leases(items, leased_until_s=0.0, owner="")

    def end_dead_leases(self) -> None:
        """End the leases of processes of this machine that are no more; others run out."""
        on_this_machine = _ITEMS.c.owner.startswith(f"{processes.machine()}:", autoescape=True)
        owners = sa.select(_ITEMS.c.owner).where(on_this_machine).distinct()
        with self._ledger.engine.connect() as connection:
            holders = connection.execute(owners).scalars().all()
        dead = [owner for owner in holders if not processes.is_running(int(owner.split(":")[1]))]
        if dead:
            with self._ledger.writing() as connection:
                theirs = sa.update(_ITEMS).where(_ITEMS.c.owner.in_(dead))
                connection.execute(theirs.values(leased_until_s=0.0, owner=""))

    def _set_leases(self, items: Iterable[Item], **values: Any) -> None:
        with self._ledger.writing() as connection:
            for item in items:
                is_ours = _ITEMS.c.owner == self._owner
                update = sa.update(_ITEMS).where(_of(item.dataset, item.source), is_ours)
                connection.execute(update.values(**values))

    def save(self, item: Item, *, held_until_s: float = 0.0) -> Item:
        """Store an item's new state, and end its lease unless it is held until later.

        Gives the item with its new version. Raises `LeaseLost`, and changes nothing, where
        the stored item is not the version that this one was read as. A takedown (REMOVED)
        outranks every lease.
        """
        row = _to_row(item) | {
            "leased_until_s": held_until_s,
            "owner": self._owner if held_until_s else "",
            "version": _ITEMS.c.version + 1,
        }
        is_item = _of(item.dataset, item.source)
        if item.state != REMOVED:
            is_item = sa.and_(is_item, _as_read(item))
        with self._ledger.writing() as connection:
            changed = connection.execute(
                sa.update(_ITEMS).where(is_item).values(**row).returning(_ITEMS.c.version)
            ).scalar()
        if changed is None:
            raise LeaseLost(f"{entry_id_of(item.source)} was taken up by somebody else meanwhile")
        return replace(item, version=changed)

    def advance(self, item: Item, state: str, *, held_until_s: float = 0.0, **changes: Any) -> Item:
        """Store the item in its next state as by `save`, with attempts and refusals reset."""
        fresh = replace(
            item,
            state=state,
            attempts=0,
            next_try_s=0.0,
            refused_s=0.0,
            step="",
            reason="",
            detail="",
            **changes,
        )
        return self.save(fresh, held_until_s=held_until_s)

    def move(
        self,
        dataset: str,
        sources: Iterable[Source],
        state: str,
        *,
        before: Sequence[str] = (),
        step: str = "",
        detail: str = "",
    ) -> None:
        """Bring items to a state, all of them at once, whoever holds them.

        Those that are there already stay as they are; so do, with `before`, those that are in
        none of these states.
        """
        is_other = _ITEMS.c.state != state
        movable = sa.and_(is_other, _ITEMS.c.state.in_(before)) if before else is_other
        fresh = {
            "state": state,
            "step": step,
            "reason": "",
            "detail": detail,
            "attempts": 0,
            "next_try_s": 0.0,
            "refused_s": 0.0,
            "leased_until_s": 0.0,
            "owner": "",
            "version": _ITEMS.c.version + 1,
        }
        with self._ledger.writing() as connection:
            for source in sources:
                is_movable = sa.and_(_of(dataset, source), movable)
                connection.execute(sa.update(_ITEMS).where(is_movable).values(**fresh))

    def counts(self, dataset: str) -> dict[tuple[str, str, str], int]:
        """Count the items in each (state, step, reason)."""
        columns = (_ITEMS.c.state, _ITEMS.c.step, _ITEMS.c.reason)
        query = sa.select(*columns, sa.func.count()).where(_ITEMS.c.dataset == dataset)
        with self._ledger.engine.connect() as connection:
            rows = connection.execute(query.group_by(*columns))
            return {(state, step, reason): count for state, step, reason, count in rows}

    def next_due_s(self, dataset: str, states: Sequence[str]) -> float | None:
        """Give when the next waiting item is due, in seconds; `None` where nothing waits."""
        soonest = sa.func.min(
            sa.case(
                (_ITEMS.c.leased_until_s > _ITEMS.c.next_try_s, _ITEMS.c.leased_until_s),
                else_=_ITEMS.c.next_try_s,
            )
        )
        query = sa.select(soonest).where(_ITEMS.c.dataset == dataset, _ITEMS.c.state.in_(states))
        with self._ledger.engine.connect() as connection:
            return connection.execute(query).scalar()

    def open_breaker(self, name: str, until_s: float, detail: str) -> None:
        """Open the circuit breaker `name` until a time; never shortens one that is open longer."""
        breaker = self.breaker(name)
        until_s = max(until_s, breaker[0]) if breaker else until_s
        row = {"name": name, "open_until_s": until_s, "detail": detail}
        self._ledger.upsert(_BREAKERS, [row])

    def breaker(self, name: str) -> tuple[float, str] | None:
        """Give until when a breaker is open, and why; `None` if it was never opened."""
        query = sa.select(_BREAKERS.c.open_until_s, _BREAKERS.c.detail)
        with self._ledger.engine.connect() as connection:
            row = connection.execute(query.where(_BREAKERS.c.name == name)).first()
        return (row[0], row[1]) if row else None

    def end_pass(self, dataset: str, origin: str, now_s: float) -> None:
        """Note that a source was listed to its end; until then its next pass must be full."""
        self._ledger.upsert(_PASSES, [{"dataset": dataset, "origin": origin, "ended_s": now_s}])

    def passed(self, dataset: str) -> set[str]:
        """List the sources of which a whole pass has ended."""
        query = sa.select(_PASSES.c.origin).where(_PASSES.c.dataset == dataset)
        with self._ledger.engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def bury(self, source: Source, reason: str) -> None:
        """Write a tombstone: no crawl takes this recording again."""
        row = {"site": source.site, "video_id": source.video_id, "reason": reason}
        self._ledger.upsert(_TOMBSTONES, [row])

    def tombstones(self) -> dict[Source, str]:
        """List everything that was taken down, and why."""
        with self._ledger.engine.connect() as connection:
            rows = connection.execute(sa.select(_TOMBSTONES))
            return {Source(site, video_id): reason for site, video_id, reason in rows}


def _of(dataset: str, source: Source) -> sa.ColumnElement[bool]:
    return sa.and_(
        _ITEMS.c.dataset == dataset,
        _ITEMS.c.site == source.site,
        _ITEMS.c.video_id == source.video_id,
    )


def _as_read(item: Item) -> sa.ColumnElement[bool]:
    """Check whether a row is still the version that an item was read as."""
    return _ITEMS.c.version == item.version


def _to_row(item: Item) -> dict[str, Any]:
    return {
        "dataset": item.dataset,
        "site": item.source.site,
        "video_id": item.source.video_id,
        "origin": item.origin,
        "state": item.state,
        "listing": json.dumps(asdict(item.listing)),
        "parsed": json.dumps(asdict(item.parsed)) if item.parsed else "",
        "official": json.dumps(asdict(item.official)) if item.official else "",
        "score": item.score,
        "evidence": item.evidence,
        "song": json.dumps(asdict(item.song)),
        "attempts": item.attempts,
        "next_try_s": item.next_try_s,
        "leased_until_s": 0.0,
        "owner": "",
        "version": item.version,
        "refused_s": item.refused_s,
        "step": item.step,
        "reason": item.reason,
        "detail": item.detail,
    }


def _from_row(columns: sa.Row[Any]) -> Item:
    row = columns._mapping
    parsed = json.loads(row["parsed"]) if row["parsed"] else None
    return Item(
        dataset=row["dataset"],
        listing=listing_from(json.loads(row["listing"])),
        origin=row["origin"],
        state=row["state"],
        parsed=ParsedTitle(**{**parsed, "marks": tuple(parsed["marks"])}) if parsed else None,
        official=listing_from(json.loads(row["official"])) if row["official"] else None,
        score=row["score"],
        evidence=row["evidence"],
        song=SongInfo(**json.loads(row["song"])),
        attempts=row["attempts"],
        next_try_s=row["next_try_s"],
        refused_s=row["refused_s"],
        step=row["step"],
        reason=row["reason"],
        detail=row["detail"],
        version=row["version"],
    )
