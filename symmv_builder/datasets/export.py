"""Our shards in the two papers' own layouts, so that code written for those reads ours.

Their files are named by a number. `index.csv` in the target folder says which entry has
which number; it is written first and kept from export to export, so a number that was
once given stays with its entry when others are added or go.
"""

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.datasets import export_muvisync, export_parquet, export_symmv
from symmv_builder.errors import (
    MalformedFile,
    MissingColumns,
    NoRows,
    NoShards,
    NoSuchPath,
    StopRun,
)
from symmv_builder.pipeline.events import Event
from symmv_builder.storage.outputs import check_empty, check_outputs
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt, read_rows
from symmv_builder.tables import parse_table
from symmv_builder.training.usable import LeftOut, UnusableRow

Tell = Callable[[Event], None]
Row = Mapping[str, Any]

_INDEX = "index.csv"
_SHARED_COLUMNS = ("entry_id", "song_id", "split", "music_url", "video_url")
_NOTE_EVERY = 100


@dataclass(frozen=True, slots=True)
class ExportSummary:
    """The result of an export; files whose bytes were already right are not written again.

    `left_out` is why nothing was written of a row, by entry.
    """

    dataset: str
    folder: Path
    entries: int
    written: int
    unchanged: int
    removed: int
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Layout:
    """The layout of a release's files.

    `files` maps a name, with the index left open, to what it holds of a row; `whole` gives the
    files that speak of all rows.
    """

    digits: int
    columns: tuple[str, ...]
    files: Mapping[str, Callable[[Row], bytes]]
    whole: Callable[[Sequence[tuple[str, Row]]], dict[str, bytes]]


_LAYOUTS = {
    "symmv": _Layout(
        export_symmv.INDEX_DIGITS,
        export_symmv.COLUMNS,
        export_symmv.FILES,
        export_symmv.dataset_files,
    ),
    "muvisync": _Layout(
        export_muvisync.INDEX_DIGITS,
        export_muvisync.COLUMNS,
        export_muvisync.FILES,
        export_muvisync.dataset_files,
    ),
}


class _Folder:
    """The target folder; counts what was written and what was right already."""

    def __init__(self, path: Path) -> None:
        if path.exists() and not path.is_dir():
            raise NoSuchPath(path, "folder")
        self.path = path
        self.root = Root(str(path.absolute()))
        self.written = self.unchanged = self.removed = 0

    def put(self, name: str, data: bytes) -> None:
        if self.root.read(name) == data:
            self.unchanged += 1
            return
        self.root.write(name, data)
        self.written += 1

    def remove(self, name: str) -> None:
        if self.root.exists(name):
            self.root.remove(name)
            self.removed += 1


def export(root: Root, dataset: str, out: Path, *, tell: Tell = lambda _: None) -> ExportSummary:
    """Write a dataset's shards into `out` in the layout of its paper's release.

    Of a dataset that follows no paper the shards themselves, with `columns.json`.

    The same shards give the same bytes. Files of an entry that has left the dataset, or of whose
    row none can be made, are removed; its number is not given to another. `StopRun` where there
    are no shards, where no row can be used, or where `out` holds something else than an export of
    this dataset.
    """
    receipt = read_receipt(root, dataset)
    if receipt is None:
        raise NoShards(dataset, root.shown)
    if _schema_of(receipt, dataset) not in _LAYOUTS:
        return _export_parquet(root, dataset, receipt, _Folder(out))
    layout, shared = _layout(receipt, dataset)
    rows = list(map(_named, read_rows(root, dataset, shared)))
    folder = _Folder(out)
    earlier = _read_index(folder, layout.digits)
    if not (out / _INDEX).exists():
        check_empty(out)
    numbers = _number(earlier, [row["entry_id"] for row in rows], layout.digits)
    _check_new(folder, layout, numbers, earlier)
    if numbers != earlier:
        # A number is kept before it is used; what stands beside it comes when the files are there.
        folder.root.write(_INDEX, _index_bytes(numbers, {}))
    left_out = LeftOut()
    slim = _write_entries(root, dataset, layout, shared, numbers, folder, tell, left_out)
    by_entry = {row["entry_id"]: row for row in rows if row["entry_id"] not in left_out.reasons}
    if rows and not by_entry:
        problem = f"nothing of {dataset} can be written: {left_out.summary(dataset)}"
        raise NoRows(dataset, "all", problem)
    folder.put(_INDEX, _index_bytes(numbers, by_entry))
    for entry_id in sorted(set(numbers) - set(by_entry)):
        for name in layout.files:
            folder.remove(name.format(numbers[entry_id]))
    for name, data in layout.whole(slim).items():
        folder.put(name, data)
    return ExportSummary(
        dataset,
        out,
        len(by_entry),
        folder.written,
        folder.unchanged,
        folder.removed,
        left_out.reasons,
    )


def _export_parquet(
    root: Root, dataset: str, receipt: Mapping[str, Any], folder: _Folder
) -> ExportSummary:
    files = export_parquet.files(root, dataset, receipt)
    earlier = export_parquet.earlier(folder.path, dataset)
    if not earlier:
        check_empty(folder.path)
    export_parquet.check_new(folder.path, files, earlier)
    for name, data in files.items():
        folder.put(name, data)
    for name in set(earlier) - set(files):
        folder.remove(name)
    counts = (folder.written, folder.unchanged, folder.removed)
    return ExportSummary(dataset, folder.path, int(receipt["entries"]), *counts)


def _schema_of(receipt: Mapping[str, Any], dataset: str) -> str:
    return str(receipt.get("schema", dataset)).partition("/")[0]


def _check_new(
    folder: _Folder, layout: _Layout, numbers: Mapping[str, str], earlier: Mapping[str, str]
) -> None:
    """Raise `StopRun` where a file that is not of an earlier export is where a new one goes."""
    new = [number for entry_id, number in numbers.items() if entry_id not in earlier]
    names = [name.format(number) for number in new for name in layout.files]
    # The index is the receipt of earlier exports: what it lists is ours, and so are the tables.
    whole = [] if earlier else [_INDEX, *layout.whole(())]
    places = [folder.path / name for name in (*names, *whole)]
    check_outputs(places, remedy="export into another folder")


def _layout(receipt: Mapping[str, Any], dataset: str) -> tuple[_Layout, list[str]]:
    """Find the layout of a dataset's schema, and which of the shared columns its shards hold.

    `StopRun` where an imported dataset lacks a column that the layout's files are made of.
    """
    schema = _schema_of(receipt, dataset)
    layout = _LAYOUTS[schema]
    available = receipt.get("columns", [*_SHARED_COLUMNS, *layout.columns])
    missing = [name for name in layout.columns if name not in available]
    if missing:
        use = f"of which files of {schema}'s layout are made"
        raise MissingColumns(dataset, missing, needed_for=use)
    return layout, [name for name in (*_SHARED_COLUMNS, "clip_id") if name in available]


def _named(row: Row) -> dict[str, Any]:
    """Turn a row into an entry of its own: a clip's name is spelled as one of an entry can be."""
    named = dict(row)
    if "clip_id" in named:
        named["entry_id"] = str(named.pop("clip_id")).replace("@", "-")
    return named


def _write_entries(
    root: Root,
    dataset: str,
    layout: _Layout,
    shared: Sequence[str],
    numbers: Mapping[str, str],
    folder: _Folder,
    tell: Tell,
    left_out: LeftOut,
) -> list[tuple[str, Row]]:
    """Write every entry's files; index and row without its long arrays, in order of index."""
    slim = []
    rows = map(_named, read_rows(root, dataset, (*shared, *layout.columns)))
    unknown = dict.fromkeys(set(_SHARED_COLUMNS) - set(shared), "")
    for count, row in enumerate(({**unknown, **row} for row in rows), start=1):
        index = numbers[row["entry_id"]]
        of_row = left_out.use(row, partial(_of_row, layout, index))
        if of_row is not None:
            files, short = of_row
            for name, data in files.items():
                folder.put(name, data)
            slim.append((index, short))
        if count % _NOTE_EVERY == 0:
            tell(Event("note", "", detail=f"{dataset}: {count} of {len(numbers)} entries exported"))
    return sorted(slim, key=lambda item: int(item[0]))


def _of_row(layout: _Layout, index: str, row: Row) -> tuple[dict[str, bytes], Row]:
    """Make a row's files, and the row without its long arrays.

    `UnusableRow` for an unlawful one.
    """
    for name, value in row.items():
        if isinstance(value, np.ndarray) and not np.isfinite(value).all():
            raise UnusableRow(f"its column {name} holds values that are not finite")
    short = {k: v for k, v in row.items() if isinstance(v, str | float | tuple)}
    try:
        files = {name.format(index): content(row) for name, content in layout.files.items()}
        # What the files that speak of all rows say of this one.
        layout.whole([(index, short)])
    except (ValueError, KeyError, IndexError, OverflowError) as error:
        raise UnusableRow(f"{type(error).__name__}: {error}") from error
    return files, short


def _read_index(folder: _Folder, digits: int) -> dict[str, str]:
    """Read the number of every entry that was ever exported into the folder."""
    data = folder.root.read(_INDEX)
    if data is None:
        return {}
    numbers: dict[str, str] = {}
    try:
        for row in parse_table(data, _INDEX, ("index", "entry_id")):
            index, entry_id = row["index"], row["entry_id"]
            # It becomes part of a path, so it must be a number as we write it.
            if index != f"{int(index):0{digits}d}" or int(index) < 1 or not entry_id:
                raise ValueError(f"{index!r} is not a number of {digits} digits")
            if entry_id in numbers or index in numbers.values():
                raise ValueError(f"{index} {entry_id} stands there twice")
            numbers[entry_id] = index
    except (ValueError, StopRun) as error:
        problem = f"it is not the index of such an export ({error}); export into another folder"
        raise MalformedFile(folder.path / _INDEX, problem) from error
    return numbers


def _number(earlier: Mapping[str, str], entry_ids: Sequence[str], digits: int) -> dict[str, str]:
    """Number entries: the known numbers, and the next free ones for new entries by their ids."""
    numbers = dict(earlier)
    last = max((int(index) for index in earlier.values()), default=0)
    for index, entry_id in enumerate(sorted(set(entry_ids) - set(earlier)), start=last + 1):
        numbers[entry_id] = f"{index:0{digits}d}"
    return numbers


def _index_bytes(numbers: Mapping[str, str], rows: Mapping[str, Row]) -> bytes:
    """Write `index.csv`: an entry that has left the dataset keeps its line, all else empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("index", *_SHARED_COLUMNS))
    for entry_id, index in sorted(numbers.items(), key=lambda item: int(item[1])):
        row = rows.get(entry_id, {})
        writer.writerow((index, entry_id, *(row.get(name, "") for name in _SHARED_COLUMNS[1:])))
    return text.getvalue().encode()
