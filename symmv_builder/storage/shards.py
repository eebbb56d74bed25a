"""Rows to Parquet: sorted, bounded, and the same bytes whenever the rows are the same.

Where one shard ends and the next begins is decided by the rows themselves (content-defined
chunking, `ends_shard`): the same rows give the same files whatever was built before, and a row
that is added, changed or removed changes the one or two files around it. The other files are
neither read nor written.

Shards are written first and the receipt that names them last, so a reader who goes by the
receipt never sees half a dataset. Every page carries a checksum, which every reader checks.
"""

import base64
import errno
import hashlib
import io
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import asdict, fields, replace
from itertools import chain, groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from symmv_builder.clips import entry_of
from symmv_builder.errors import CannotRead, Damaged, MissingColumns, NoShards
from symmv_builder.schema import row_name
from symmv_builder.storage.outlines import (
    Outline,
    Shard,
    covers,
    digest_of,
    reusable,
    uncovered,
)
from symmv_builder.storage.receipts import (
    read_receipt,
    receipt_bytes,
    require_whole,
    write_receipt,
)
from symmv_builder.storage.root import Root
from symmv_builder.storage.tables import (
    Row,
    build_table,
    codecs,
    row_bytes,
    rows_of,
    table_bytes,
    text_columns,
)

__all__ = [
    "ROW_GROUP_BYTES",
    "TARGET_BYTES",
    "Outline",
    "Shard",
    "ShardWriter",
    "as_plain",
    "copy_shard",
    "covers",
    "digest_of",
    "ends_shard",
    "find_rows",
    "holds",
    "may_hold",
    "open_shard",
    "read_receipt",
    "read_rows",
    "receipt_bytes",
    "require_whole",
    "rewrite_without",
    "shards_of",
    "shards_stand",
    "standing_shards",
    "uncovered",
    "write_receipt",
]

TARGET_BYTES = 256 * 2**20
ROW_GROUP_BYTES = 16 * 2**20

_T = TypeVar("_T")


def ends_shard(row_id: str, size: int, total: int, target: int) -> bool:
    """Decide whether a shard of `total` bytes ends with its last row so far, of that id and size.

    A row ends its shard where the hash of its id falls below its share of three quarters of
    the target, so that ends come at random, once in as many bytes. None come before a quarter of
    the target is full, and a shard that holds three times the target ends with any row. So a
    shard's size is the target on average, and at most three times the target and one row.
    """
    if total >= 3 * target:
        return True
    place = int.from_bytes(hashlib.sha256(row_id.encode()).digest()[:8]) / 2**64
    return 4 * total >= target and place * 0.75 * target < size


class _Hashed(io.RawIOBase):
    """A file that is written from front to back and hashed on the way."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._hash = hashlib.sha256()
        self.size_bytes = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self._hash.update(view)
        self.size_bytes += view.nbytes
        return self._file.write(view)

    def close(self) -> None:
        self._file.close()
        super().close()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


def _write_file(
    root: Root, folder: str, schema: pa.Schema, split: str, tables: Iterable[pa.Table]
) -> Shard:
    """Write tables as the row groups of one shard, one in memory at a time.

    The name holds the content's hash: what the standing receipt names is never overwritten.
    """
    name, rows, first, last, size = "", 0, "", "", 0
    with root.replacing_in(f"{folder}/shards", lambda: name) as path, _Hashed(path) as sink:
        with pq.ParquetWriter(
            sink,
            schema,
            compression=codecs(schema),
            use_dictionary=text_columns(schema),
            write_page_checksum=True,
        ) as writer:
            for table in tables:
                writer.write_table(table)
                ids = table.column(_row_ids(schema))
                first, last = first or ids[0].as_py(), ids[-1].as_py()
                rows += table.num_rows
        size, sha256 = sink.size_bytes, sink.sha256
        name = f"{split}-{sha256[:16]}.parquet"
    return Shard(f"shards/{name}", rows, size, sha256, first, last)


def _row_ids(schema: pa.Schema) -> str:
    """Name the column that names the rows of shards of a schema."""
    return "clip_id" if "clip_id" in schema.names else "entry_id"


class ShardWriter:
    """Writes shards below ``<folder>/shards``; `target_bytes` is their size on average.

    Sizes are those before compression (`row_bytes`).
    """

    def __init__(
        self, root: Root, folder: str, schema: pa.Schema, target_bytes: int = TARGET_BYTES
    ) -> None:
        self.root = root
        self.folder = folder
        self.schema = schema
        self.target_bytes = target_bytes

    def write(self, rows: Iterable[Row]) -> list[Shard]:
        """Write rows that are sorted by split, entry and start; they are read once, in order."""
        shards = []
        for split, members in groupby(rows, key=lambda row: str(row["split"])):
            remaining = iter(members)
            for head in remaining:
                shards.append(self._write_one(split, chain([head], remaining)))
        return shards

    def update(
        self,
        outlines: Sequence[Outline],
        load: Callable[[Outline], Row],
        standing: Iterable[Shard],
    ) -> list[Shard]:
        """Write only the shards that changed, of rows that are sorted by split, entry and start.

        A standing shard stays where it begins a shard with the same rows as when it was made,
        and `load` is not called for these. Where a shard ends depends on its own rows alone, so
        the result is what `write` makes of all rows.
        """
        shard_at = reusable(standing)
        shards: list[Shard] = []
        for split, members in groupby(outlines, key=lambda outline: outline.split):
            outlines_of_split, at = list(members), 0
            while at < len(outlines_of_split):
                old = shard_at(split, outlines_of_split, at)
                if old is None:
                    shard = self._write_one(split, map(load, outlines_of_split[at:]))
                    rows = outlines_of_split[at : at + shard.rows]
                    old = replace(shard, state=digest_of(rows))
                shards.append(old)
                at += old.rows
        return shards

    def _write_one(self, split: str, rows: Iterable[Row]) -> Shard:
        """Write one shard of as many rows as belong to it; no more are taken."""
        cut = _Cut(self.schema, self.target_bytes)
        groups = _batches(cut.rows(rows), ROW_GROUP_BYTES)
        tables = (build_table(self.schema, group) for group in groups)
        shard = _write_file(self.root, self.folder, self.schema, split, tables)
        return replace(shard, is_open=not cut.is_by_rule)


class _Cut:
    """Takes the rows of one shard, with their sizes; `is_by_rule` where the rule ended it."""

    def __init__(self, schema: pa.Schema, target_bytes: int) -> None:
        self._schema = schema
        self._target = target_bytes
        self.is_by_rule = False

    def rows(self, rows: Iterable[Row]) -> Iterator[tuple[Row, int]]:
        total = 0
        for row in rows:
            size = row_bytes(self._schema, row)
            total += size
            self.is_by_rule = ends_shard(row_name(row), size, total, self._target)
            yield row, size
            if self.is_by_rule:
                return


def _batches(items: Iterable[tuple[_T, int]], limit: int) -> Iterator[list[_T]]:
    """Group items by their sizes, in lists of at most `limit` bytes, or of one item."""
    batch: list[_T] = []
    size = 0
    for item, added in items:
        if batch and size + added > limit:
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += added
    if batch:
        yield batch


def read_rows(root: Root, dataset: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Iterate over rows of the finished shards, in order, one row group in memory at a time.

    Values are as the writer takes them: scalars, tuples of labels, numpy arrays ``[t]`` or
    ``[t, d]``. `StopRun` where nothing was built, a shard is gone or it lacks a column.
    """
    receipt = read_receipt(root, dataset)
    if receipt is None:
        raise NoShards(dataset, root.shown)
    require_whole(root, dataset, receipt)
    yield from rows_named_by(root, dataset, receipt, columns)


def rows_named_by(
    root: Root, dataset: str, receipt: Mapping[str, Any], columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Iterate, as `read_rows` does, over rows of the shards of a receipt that may be unwritten."""
    for shard in receipt["shards"]:
        name = f"{dataset}/{shard['path']}"
        with open_shard(root, name) as file:
            missing = set(columns) - set(file.schema_arrow.names)
            if missing:
                raise MissingColumns(dataset, sorted(missing), root.path(name))
            for group in range(file.num_row_groups):
                yield from rows_of(file.read_row_group(group, columns=list(columns)))


@contextmanager
def open_shard(root: Root, name: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file whose pages are checked as they are read.

    `Damaged` with its name where it is gone or damaged, also while the block reads it;
    `StopRun` where the machine does not let it be read.
    """
    try:
        with root.as_ranges(name) as source:
            file = pq.ParquetFile(source, page_checksum_verification=True)
            with file:
                yield file
    except (OSError, pa.ArrowException) as error:
        cause = str(error).splitlines()[0]
        # What pyarrow finds wrong with a file has no number; a fault of the machine has one.
        if getattr(error, "errno", None) not in (None, errno.ENOENT):
            raise CannotRead(root.path(name), cause) from error
        problem = f"cannot be read: {cause}"
        raise Damaged(root.path(name), problem, "delete it and build again") from error


def holds(root: Root, name: str, ids: Collection[str]) -> bool:
    """Check whether a shard has a row of one of the entries; no other column is read."""
    # Imported here, and below: it takes as long as all else of Arrow, and few readers need it.
    import pyarrow.compute as pc

    sought = pa.array(sorted(ids), type=pa.string())
    with open_shard(root, name) as file:
        for group in range(file.num_row_groups):
            entry_ids = file.read_row_group(group, columns=["entry_id"]).column(0)
            if pc.any(pc.is_in(entry_ids, value_set=sought)).as_py():
                return True
    return False


def find_rows(root: Root, name: str, criteria: Mapping[str, Set[str]]) -> list[dict[str, str]]:
    """Find the rows of a shard in which one of some text columns has one of its wanted values.

    Only these columns are read and given; one that the shard lacks matches nothing.
    """
    import pyarrow.compute as pc

    rows: list[dict[str, str]] = []
    with open_shard(root, name) as file:
        present = [column for column in criteria if column in file.schema_arrow.names]
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, columns=present)
            hits = np.zeros(table.num_rows, dtype=bool)
            for column in present:
                values = pa.array(sorted(criteria[column]), type=pa.string())
                hits |= pc.is_in(table.column(column), value_set=values).to_numpy()
            rows += table.filter(pa.array(hits)).to_pylist()
    return rows


def rewrite_without(
    root: Root, folder: str, shard: Shard, ids: Collection[str], *, into: str | None = None
) -> Shard | None:
    """Write a shard of a folder anew without the rows of some entries; `None` if none are left.

    The new file lies in the same folder, or below `into`.

    The old file stays, since a receipt may name it. One row group is in memory at a time, and
    the bytes are those that `ShardWriter` makes of the rows that are left. `StopRun` where the
    file is gone or damaged.
    """
    unwanted = pa.array(sorted(ids), type=pa.string())
    with open_shard(root, f"{folder}/{shard.path}") as file:
        tables_left = _rows_without(file, unwanted)
        head = next(tables_left, None)
        if head is None:
            return None
        groups = _batches(chain([head], tables_left), ROW_GROUP_BYTES)
        schema = _schema_of_writer(file)
        tables = (pa.concat_tables(group).combine_chunks().cast(schema) for group in groups)
        rewritten = _write_file(root, into or folder, schema, shard.split, tables)
    return replace(rewritten, is_open=shard.is_open)


def _schema_of_writer(file: pq.ParquetFile) -> pa.Schema:
    """Read the schema that a file was written with: Parquet renames items of lists."""
    text = (file.metadata.metadata or {}).get(b"ARROW:schema")
    if text is None:
        return file.schema_arrow
    return pa.ipc.read_schema(pa.py_buffer(base64.b64decode(text)))


def _rows_without(file: pq.ParquetFile, unwanted: pa.Array) -> Iterator[tuple[pa.Table, int]]:
    """Iterate over a file's rows but those of some entries, each as a table, with its size."""
    import pyarrow.compute as pc

    for group in range(file.num_row_groups):
        table = file.read_row_group(group)
        is_unwanted = pc.is_in(table.column("entry_id"), value_set=unwanted)
        table = table.filter(pc.invert(is_unwanted))
        for number, size in enumerate(table_bytes(table)):
            yield table.slice(number, 1), size


def may_hold(shard: Shard, ids: Iterable[str]) -> bool:
    """Check whether an entry can lie between a shard's first and last row, if these are known."""
    first, last = entry_of(shard.first), entry_of(shard.last)
    return not first or any(first <= name <= last for name in ids)


def copy_shard(
    root: Root, source: str, target: str, sha256: str, *, into: Root | None = None
) -> None:
    """Copy a file within a root, or to another one, and check it on the way.

    `Damaged` where its hash is another.

    Nothing is put in place then. A mebibyte is in memory at a time.
    """
    try:
        with (
            root.as_local(source) as path,
            path.open("rb") as file,
            (into or root).replacing(target) as temporary,
        ):
            with _Hashed(temporary) as sink:
                while piece := file.read(2**20):
                    sink.write(piece)
            if sink.sha256 != sha256:
                problem = "is damaged: its sha256 is not that of the receipt"
                raise Damaged(root.path(source), problem, "delete it and build again")
    except FileNotFoundError as error:
        raise Damaged(root.path(source), "is gone", "build again") from error


def shards_stand(root: Root, dataset: str, receipt: Mapping[str, Any]) -> bool:
    """Check that the shards of a receipt are whole, and that killed writers left no others."""
    named = {s["path"].removeprefix("shards/"): s["size_bytes"] for s in receipt["shards"]}
    folder = f"{dataset}/shards"
    return set(named) == set(root.names(folder)) and all(
        root.size_bytes(f"{folder}/{name}") == size for name, size in named.items()
    )


def as_plain(shards: Iterable[Shard]) -> list[dict[str, Any]]:
    """Convert shards to plain data, as a receipt holds them."""
    return [asdict(shard) for shard in shards]


def shards_of(receipt: Mapping[str, Any]) -> list[Shard]:
    """List the shards that a receipt names; fields unknown to this version are left out."""
    names = {field.name for field in fields(Shard)}
    return [
        Shard(**{name: value for name, value in shard.items() if name in names})
        for shard in receipt["shards"]
    ]


def standing_shards(root: Root, dataset: str, receipt: Mapping[str, Any]) -> list[Shard]:
    """List the shards of a receipt whose files are there with their full size."""
    folder = f"{dataset}/shards"
    names = set(root.names(folder))
    return [
        shard
        for shard in shards_of(receipt)
        if shard.path.removeprefix("shards/") in names
        and root.size_bytes(f"{dataset}/{shard.path}") == shard.size_bytes
    ]
