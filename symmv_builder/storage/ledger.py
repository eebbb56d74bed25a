"""What was seen, made and turned away, and what each step cost: a small SQL database.

The sidecars are the truth; the ledger is the index over them that makes questions cheap
(`status`, `why`, is there anything to do?). Only the parent process of a build writes
to it. SQLite in WAL mode by default, PostgreSQL by url; SQLAlchemy Core, no ORM.
"""

import importlib
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from symmv_builder.errors import OldLedger, StoreUnusable
from symmv_builder.storage.columns import Text, checksum_column, checksum_of
from symmv_builder.storage.outcomes import Outcomes, open_to_read
from symmv_builder.storage.results import Result
from symmv_builder.storage.urls import shown_url, without_secrets

__all__ = ["KnownFile", "Ledger", "Result", "Text", "shown_url"]

_METADATA = sa.MetaData()
# The database in memory that a reader has beside the file, for tables that the file lacks.
_BESIDE = "beside"
# Any number that nobody else takes a lock by.
_CREATING = 7_266_811


_FILES = sa.Table(
    "files",
    _METADATA,
    sa.Column("path", sa.String, primary_key=True),
    sa.Column("size_bytes", sa.BigInteger, nullable=False),
    sa.Column("modified_ns", sa.BigInteger, nullable=False),
    sa.Column("sha256", sa.String(64), nullable=False),
    checksum_column(),
)

_RECORDINGS = sa.Table(
    "recordings",
    _METADATA,
    sa.Column("site", sa.String, primary_key=True),
    sa.Column("video_id", sa.String, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    sa.Column("fetched_at", sa.String, nullable=False),
    # 0 where an earlier version wrote the row.
    sa.Column("size_bytes", sa.BigInteger, nullable=False, server_default="0"),
    checksum_column(),
)

_WRITTEN = sa.Table(
    "written",
    _METADATA,
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("sha256", sa.String(64), nullable=False),
    checksum_column(),
)

_RESULTS = sa.Table(
    "results",
    _METADATA,
    sa.Column("dataset", sa.String, primary_key=True),
    sa.Column("entry_id", sa.String, primary_key=True),
    sa.Column("artifact", sa.String, primary_key=True),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("key", sa.String, nullable=False),
    sa.Column("backend", sa.String, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("detail", Text, nullable=False),
    sa.Column("at", sa.String, nullable=False),
    checksum_column(),
)

# Tables of which every row carries a checksum.
CHECKED = (_FILES, _RECORDINGS, _WRITTEN, _RESULTS)


_ASKED = sa.Table(
    "asked",
    _METADATA,
    sa.Column("dataset", sa.String, primary_key=True),
    sa.Column("artifacts", sa.String, nullable=False),
)


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A local file as it was when it was hashed."""

    path: str
    size_bytes: int
    modified_ns: int
    sha256: str


class Ledger(Outcomes):
    """All datasets of one data root.

    With `read_only` nothing is written: an SQLite file is opened as it lies, also on a file
    system that takes no writes, and one that is not there is a ledger that knows nothing.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        try:
            parsed = with_driver(url)
            self._is_file = parsed.get_backend_name() == "sqlite"
            self._read_only = read_only
            if read_only and self._is_file:
                self.engine = _open_to_read(parsed)
            else:
                # A server may restart within the months that a crawl goes on: connections are
                # tried before they are used.
                self.engine = sa.create_engine(parsed, pool_pre_ping=True)
                if self._is_file:
                    sa.event.listen(self.engine, "connect", _use_wal)
            sa.event.listen(self.engine, "handle_error", _stop_run)
            self.create(_METADATA)
        # The driver of a database that is named may raise anything for a url that it cannot read.
        except (sa.exc.SQLAlchemyError, sqlite3.Error, ImportError, ValueError, TypeError) as error:
            lines = str(getattr(error, "orig", error)).splitlines() or [type(error).__name__]
            cause = without_secrets(lines[0], url)
            raise StoreUnusable(f"the ledger {shown_url(url)}", cause) from error

    @property
    def is_read_only(self) -> bool:
        """Whether it was opened for reading."""
        return self._read_only

    def create(self, tables: sa.MetaData) -> None:
        """Make the tables and columns that are not there; of two processes the second waits.

        A column that is added to a table of an earlier version needs a `server_default`.
        """
        if self._read_only and self._is_file:
            with self.engine.connect() as connection:
                present = set(sa.inspect(connection).get_table_names())
                old = [table for table in tables.sorted_tables if table.name in present]
                if _missing_columns(connection, old):
                    raise OldLedger("the ledger", "it is of an earlier version of this program")
            # A name that the file lacks is looked up in the empty database beside it.
            with self.engine.begin() as connection:
                beside = connection.execution_options(schema_translate_map={None: _BESIDE})
                tables.create_all(beside)
            return
        if self._read_only:
            inspector = sa.inspect(self.engine)
            if all(inspector.has_table(name) for name in tables.tables):
                return
        with self.writing() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATING)))
            tables.create_all(connection)
            for column in _missing_columns(connection, tables.sorted_tables):
                table = column.table.name
                added = sa.schema.CreateColumn(column).compile(dialect=self.engine.dialect)
                connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {added}")

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Open a transaction that reads and then writes: SQLite locks at its start, so that two
        processes that read the same state cannot both act on it."""
        with self.engine.connect() as connection:
            if self.engine.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection
            connection.commit()

    def upsert(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert rows, or replace those whose primary key is there."""
        if not rows:
            return
        insert = self.insert_of(table)
        keys = [column.name for column in table.primary_key]
        changed = {c.name: insert.excluded[c.name] for c in table.columns if c.name not in keys}
        if "checksum" in table.columns:
            rows = [{**row, "checksum": checksum_of(table, row)} for row in rows]
        statement = insert.on_conflict_do_update(index_elements=keys, set_=changed)
        with self.engine.begin() as connection:
            connection.execute(statement, list(rows))

    def insert_new(self, table: sa.Table, rows: Sequence[Mapping[str, Any]]) -> int:
        """Insert the rows whose primary key is not there; gives how many these were."""
        if not rows:
            return 0
        [key, *_] = table.primary_key.columns
        statement = self.insert_of(table).on_conflict_do_nothing().returning(key)
        with self.engine.begin() as connection:
            return len(connection.execute(statement, list(rows)).all())

    def insert_of(self, table: sa.Table) -> Any:
        """Make the dialect's INSERT, which has ``on_conflict``."""
        dialect = importlib.import_module(f"sqlalchemy.dialects.{self.engine.dialect.name}")
        return dialect.insert(table)

    def close(self) -> None:
        self.engine.dispose()

    def remember_files(self, files: Iterable[KnownFile]) -> None:
        self.upsert(_FILES, [asdict(file) for file in files])

    def known_files(self) -> dict[str, KnownFile]:
        """Give every file that was hashed before, by path."""
        with self.engine.connect() as connection:
            query = sa.select(*(_FILES.c[name] for name in KnownFile.__slots__))
            return {row.path: KnownFile(*row) for row in connection.execute(query)}

    def record_assets(
        self, assets: Mapping[tuple[str, str], str], sizes: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """Record the content hash of recordings (site, video_id), and sizes in bytes by hash."""
        now = _now()
        self.upsert(
            _RECORDINGS,
            [
                {
                    "site": site,
                    "video_id": video_id,
                    "sha256": sha256,
                    "fetched_at": now,
                    "size_bytes": sizes.get(sha256, 0),
                }
                for (site, video_id), sha256 in assets.items()
            ],
        )

    def asset_sizes(self) -> dict[str, int]:
        """Give the size in bytes of every recording by its hash; 0 where it is not known."""
        query = sa.select(_RECORDINGS.c.sha256, sa.func.max(_RECORDINGS.c.size_bytes))
        with self.engine.connect() as connection:
            rows = connection.execute(query.group_by(_RECORDINGS.c.sha256))
            return {sha256: int(size) for sha256, size in rows}

    def manifest_hashes(self) -> dict[str, str]:
        """Give the sha256 of every manifest as last written, by name; empty for one removed."""
        with self.engine.connect() as connection:
            query = sa.select(_WRITTEN.c.name, _WRITTEN.c.sha256)
            return {str(name): str(sha256) for name, sha256 in connection.execute(query)}

    def remember_written(self, hashes: Mapping[str, str]) -> None:
        self.upsert(_WRITTEN, [{"name": n, "sha256": sha256} for n, sha256 in hashes.items()])

    def results_by_entry(self, dataset: str) -> Iterator[tuple[str, list[Result]]]:
        """Iterate over the last results, entry by entry; a few thousand are in memory at a time."""
        columns = [_RESULTS.c[name] for name in Result.__slots__]
        query = sa.select(*columns).where(_RESULTS.c.dataset == dataset)
        rows = self.stream(query.order_by(_RESULTS.c.entry_id))
        for entry_id, entry_rows in groupby(rows, key=lambda row: str(row.entry_id)):
            yield entry_id, [Result(*row) for row in entry_rows]

    def rows(self, statement: str, dataset: str) -> Iterator[Any]:
        yield from self.stream(sa.text(statement).bindparams(dataset=dataset))

    def stream(self, query: sa.Executable) -> Iterator[Any]:
        """Iterate over the rows of a query, a few thousand in memory at a time."""
        with self.engine.connect() as connection:
            for part in connection.execution_options(yield_per=5000).execute(query).partitions():
                yield from part

    def assets(self) -> dict[tuple[str, str], str]:
        """Give the content hash of every recording that was fetched, by site and id."""
        query = sa.select(_RECORDINGS.c.site, _RECORDINGS.c.video_id, _RECORDINGS.c.sha256)
        with self.engine.connect() as connection:
            return {(site, name): sha for site, name, sha in connection.execute(query)}

    def asset_of(self, site: str, video_id: str) -> str | None:
        """Give the content hash of one recording, `None` if it was never fetched."""
        query = sa.select(_RECORDINGS.c.sha256).where(
            _RECORDINGS.c.site == site, _RECORDINGS.c.video_id == video_id
        )
        with self.engine.connect() as connection:
            return connection.execute(query).scalar()

    def record_results(self, dataset: str, results: Iterable[Result]) -> None:
        now = _now()
        rows = [{"dataset": dataset, "at": now, **asdict(result)} for result in results]
        self.upsert(_RESULTS, rows)

    def results(self, dataset: str, entry_id: str | None = None) -> list[Result]:
        """Give the last result of every step, of a whole dataset or of one entry."""
        columns = [_RESULTS.c[name] for name in Result.__slots__]
        query = sa.select(*columns).where(_RESULTS.c.dataset == dataset)
        if entry_id is not None:
            query = query.where(_RESULTS.c.entry_id == entry_id)
        with self.engine.connect() as connection:
            return [Result(*row) for row in connection.execute(query)]

    def ask(self, dataset: str, artifacts: Sequence[str]) -> None:
        """Remember what the last build of a dataset was asked for."""
        if self.requested_artifacts(dataset) != tuple(artifacts):
            self.upsert(_ASKED, [{"dataset": dataset, "artifacts": " ".join(artifacts)}])

    def marks(self, dataset: str) -> Iterator[tuple[str, str, str, str]]:
        """Iterate over entry id, artifact, key and reason of every last result, entry by entry.

        What a survey of a large dataset needs, without the rest in memory.
        """
        names = ("entry_id", "artifact", "key", "reason")
        query = sa.select(*(_RESULTS.c[name] for name in names))
        query = query.where(_RESULTS.c.dataset == dataset).order_by(_RESULTS.c.entry_id)
        yield from self.stream(query)

    def forget_results(self, dataset: str, entry_id: str, artifact: str | None = None) -> None:
        """Remove every result of an entry, or that of one artifact."""
        of_entry = sa.and_(_RESULTS.c.dataset == dataset, _RESULTS.c.entry_id == entry_id)
        if artifact is not None:
            of_entry = sa.and_(of_entry, _RESULTS.c.artifact == artifact)
        with self.engine.begin() as connection:
            connection.execute(sa.delete(_RESULTS).where(of_entry))

    def forget_asset(self, site: str, video_id: str) -> None:
        """Remove what is known of a recording, and of the local files that held it."""
        is_recording = sa.and_(_RECORDINGS.c.site == site, _RECORDINGS.c.video_id == video_id)
        content = sa.select(_RECORDINGS.c.sha256).where(is_recording).scalar_subquery()
        with self.engine.begin() as connection:
            connection.execute(sa.delete(_FILES).where(_FILES.c.sha256 == content))
            connection.execute(sa.delete(_RECORDINGS).where(is_recording))

    def forget_contents(self, hashes: Sequence[str]) -> None:
        """Remove what is known of recordings by their contents, and of the files that held them."""
        with self.engine.begin() as connection:
            for table in (_FILES, _RECORDINGS):
                connection.execute(sa.delete(table).where(table.c.sha256.in_(hashes)))

    def rejected_entries(self, dataset: str) -> set[str]:
        """List the ids of a dataset's entries that a step rejected."""
        is_rejected = sa.and_(_RESULTS.c.dataset == dataset, _RESULTS.c.reason != "")
        query = sa.select(_RESULTS.c.entry_id).where(is_rejected).distinct()
        with self.engine.connect() as connection:
            return set(connection.execute(query).scalars())

    def datasets(self) -> list[str]:
        query = sa.select(_RESULTS.c.dataset).distinct().order_by(_RESULTS.c.dataset)
        with self.engine.connect() as connection:
            return list(connection.execute(query).scalars())


def _missing_columns(connection: sa.Connection, tables: Iterable[sa.Table]) -> list[sa.Column[Any]]:
    """List columns that the tables of a ledger made by an earlier version lack."""
    inspector = sa.inspect(connection)
    missing: list[sa.Column[Any]] = []
    for table in tables:
        columns = {column["name"] for column in inspector.get_columns(table.name)}
        missing += [column for column in table.columns if column.name not in columns]
    return missing


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def with_driver(url: str) -> sa.URL:
    """Add to a url the driver that the extra installs, where it names none.

    `ValueError` for a kind of database that is not known.
    """
    parsed = sa.make_url(url)
    try:
        parsed.get_dialect()
    except sa.exc.NoSuchModuleError as error:
        kinds = "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE or sqlite:////PATH"
        problem = f"{parsed.drivername} is no known kind of database; give {kinds}"
        raise ValueError(problem) from error
    named = parsed.drivername != "postgresql"
    return parsed if named else parsed.set(drivername="postgresql+psycopg")


def _stop_run(context: sa.ExceptionContext) -> None:
    """End the run where a ledger is locked, read-only, damaged or on a full disk."""
    error = context.sqlalchemy_exception
    if context.is_pre_ping:
        return
    if type(error) in (sa.exc.OperationalError, sa.exc.DatabaseError):
        url = context.engine.url.render_as_string(hide_password=False) if context.engine else ""
        cause = without_secrets(str(context.original_exception).splitlines()[0], url)
        raise StoreUnusable(f"the ledger {shown_url(url)}", cause)


def _use_wal(connection: Any, _: Any) -> None:
    cursor = connection.cursor()
    # First of all: changing the journal's mode may have to wait for another process too.
    cursor.execute("PRAGMA busy_timeout=30000")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.close()


def _open_to_read(url: sa.URL) -> sa.Engine:
    """Make an engine on an SQLite file that is never written to, with one connection."""
    in_memory = not url.database or url.database == ":memory:"
    connection, copy = open_to_read(None if in_memory else Path(str(url.database)))
    connection.execute(f"ATTACH ':memory:' AS {_BESIDE}")
    engine = sa.create_engine(url, creator=lambda: connection, poolclass=sa.pool.StaticPool)
    if copy:
        weakref.finalize(engine, copy.cleanup)
    return engine
