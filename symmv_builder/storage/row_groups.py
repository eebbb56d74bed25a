"""Row groups of shards as Arrow tables: each decoded once for all threads that want it.

Parquet's lists are decoded value by value, which for features takes longer than reading
them. So the groups used last stay in memory; and with a folder to unpack into (always, for
remote shards) a decoded group is written there as it lies in memory, and from then on mapped:
no decoding, no copy, and it is the system that keeps as much of it in memory as there is
room for, once for all ranks of a machine.
"""

import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from symmv_builder.errors import StopRun
from symmv_builder.storage.root import Root, disk_errors


class Shards:
    """Parquet files of a root, opened part by part; their footers are read once."""

    def __init__(self, root: Root, names: Sequence[str]) -> None:
        self._root = root
        self.names = tuple(names)
        self._footers: dict[str, pq.FileMetaData] = {}

    @contextmanager
    def opened(self, name: str) -> Iterator[pq.ParquetFile]:
        """Open a shard; `StopRun` with its name where it is gone or damaged."""
        try:
            with self._root.as_ranges(name) as source, self._parsed(name):
                file = pq.ParquetFile(
                    source,
                    metadata=self._footers.get(name),
                    memory_map=self._root.is_local,
                    pre_buffer=not self._root.is_local,
                    page_checksum_verification=True,
                )
                with file:
                    self._footers[name] = file.metadata
                    yield file
        except OSError as error:
            raise self._stop(name, error) from error

    @contextmanager
    def _parsed(self, name: str) -> Iterator[None]:
        try:
            yield
        except pa.ArrowException as error:
            raise self._stop(name, error) from error

    def _stop(self, name: str, error: Exception) -> StopRun:
        cause = str(error).splitlines()[0]
        return StopRun(f"cannot read {self._root.path(name)}: {cause}; delete it and build again")

    def read(self, name: str, group: int, columns: Sequence[str]) -> pa.Table:
        """Read some columns of a row group, and no other bytes."""
        with self.opened(name) as file:
            return file.read_row_group(group, columns=list(columns))


class Groups:
    """Tables of row groups by shard and number; those used last, `limit_bytes` of them, stay."""

    def __init__(
        self,
        shards: Shards,
        columns: Sequence[str],
        *,
        limit_bytes: int,
        unpacked: Path | None,
        is_local: bool,
    ) -> None:
        self._shards = shards
        self._columns = tuple(columns)
        self._limit = limit_bytes
        self._lock = threading.Lock()
        self._tables: OrderedDict[tuple[str, int], Future[pa.Table]] = OrderedDict()
        self._bytes = 0
        self._folder = unpacked
        if unpacked is None and not is_local:
            # Goes when the object goes, or when Python ends.
            self._temporary = tempfile.TemporaryDirectory(prefix="symmv-rows-")
            self._folder = Path(self._temporary.name)

    def table(self, name: str, group: int) -> pa.Table:
        """Give a row group's table, decoded or cached; other threads wait while it is decoded."""
        with self._lock:
            promise = self._tables.get((name, group))
            is_first = promise is None
            if promise is None:
                promise = self._tables[name, group] = Future()
            self._tables.move_to_end((name, group))
        if is_first:
            try:
                table = self._make(name, group)
            except BaseException as error:
                with self._lock:
                    del self._tables[name, group]
                promise.set_exception(error)
                raise
            with self._lock:
                self._make_room(table.nbytes)
            promise.set_result(table)
        return promise.result()

    def _make_room(self, size: int) -> None:
        self._bytes += size
        for place, group in list(self._tables.items()):
            if self._bytes <= self._limit:
                break
            if group.done():
                self._bytes -= group.result().nbytes
                del self._tables[place]

    def _make(self, name: str, group: int) -> pa.Table:
        if self._folder is None:
            return self._shards.read(name, group, self._columns)
        columns = sha256(" ".join(self._columns).encode()).hexdigest()[:8]
        # A shard's name holds its content's hash.
        shard = name.rsplit("/", 1)[-1].removesuffix(".parquet")
        path = self._folder / f"{shard}-{group:05d}-{columns}.arrow"
        if not path.exists():
            _unpack(self._shards.read(name, group, self._columns), path)
        try:
            with pa.memory_map(str(path)) as source:
                return pa.ipc.open_file(source).read_all()
        except (OSError, pa.ArrowException) as error:
            raise StopRun(f"cannot read {path}: {error}; delete it") from error


def _unpack(table: pa.Table, path: Path) -> None:
    """Write a table as one batch, or nothing; several may do so at once."""
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            with pa.ipc.new_file(str(temporary), table.schema) as writer:
                writer.write_table(table.combine_chunks())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
