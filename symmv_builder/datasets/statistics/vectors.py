"""The columns of vectors, of as many rows as a budget of bytes allows, spread evenly.

CLIP and colour are nearly all of a dataset's bytes (10,000 songs of SymMV: about 120 GB of colour),
so a report looks at a sample of whole row groups, the same one for the same shards, and says of how
many rows it is.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from symmv_builder.datasets.statistics.lists import flat
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import open_shard
from symmv_builder.storage.tables import numbers_of

BUDGET_BYTES = {"semantic": 640 * 2**20, "colour": 320 * 2**20}
_MOST_ROWS = 2000


@dataclass(frozen=True, slots=True)
class Means:
    """The mean vector of each row of a sample ``float32 [n, d]``, and which rows these are."""

    entries: tuple[str, ...]
    genres: tuple[str, ...]
    splits: tuple[str, ...]
    values: NDArray[np.float32]


def read_means(
    root: Root,
    folder: str,
    shards: Sequence[Mapping[str, Any]],
    column: str,
    budget_bytes: int | None = None,
) -> Means | None:
    """Average a column of vectors in each row of a sample; `None` where no shard has it."""
    row_groups = _row_groups(root, folder, shards, column, budget_bytes or BUDGET_BYTES[column])
    entries: list[str] = []
    genres: list[str] = []
    splits: list[str] = []
    parts: list[NDArray[np.float32]] = []
    for name, groups in row_groups:
        with open_shard(root, name) as file:
            present = [each for each in ("genre", "split") if each in file.schema_arrow.names]
            for group in groups:
                table = file.read_row_group(group, columns=["entry_id", *present, column])
                for row, mean in _means(table, column):
                    parts.append(mean)
                    entries.append(str(table.column("entry_id")[row].as_py()))
                    for each, out in (("genre", genres), ("split", splits)):
                        value = table.column(each)[row].as_py() if each in present else ""
                        out.append(str(value))
    if not parts:
        return None
    return Means(tuple(entries), tuple(genres), tuple(splits), np.stack(parts))


def _row_groups(
    root: Root, folder: str, shards: Sequence[Mapping[str, Any]], column: str, budget: int
) -> list[tuple[str, list[int]]]:
    """Choose row groups by shard: evenly spread ones, whose column fits the budget when decoded."""
    groups: list[tuple[str, int]] = []
    rows = size = 0
    for shard in shards:
        name = f"{folder}/{shard['path']}"
        with open_shard(root, name) as file:
            if column not in file.schema_arrow.names:
                return []
            leaves = [
                number
                for number in range(file.metadata.num_columns)
                if file.schema.column(number).path.split(".", 1)[0] == column
            ]
            for number in range(file.num_row_groups):
                group = file.metadata.row_group(number)
                groups.append((name, number))
                rows += group.num_rows
                size += sum(group.column(leaf).total_uncompressed_size for leaf in leaves)
    if not groups:
        return []
    share = min(1.0, budget / max(size, 1), _MOST_ROWS / max(rows, 1))
    count = max(1, int(share * len(groups)))
    indices = np.unique(np.linspace(0, len(groups) - 1, count).round().astype(int))
    places: dict[str, list[int]] = {}
    for place in indices.tolist():
        name, number = groups[place]
        places.setdefault(name, []).append(number)
    return list(places.items())


def _means(table: pa.Table, column: str) -> Iterator[tuple[int, NDArray[np.float32]]]:
    """Iterate over row and mean vector ``[d]`` of the rows that have any."""
    items, lengths = flat(table.column(column))
    if pa.types.is_binary(items.type):
        dtype, width = numbers_of(table.schema.field(column))
        ends = items.offset + np.cumsum(lengths)
        _, offsets, data = items.buffers()
        places = np.frombuffer(offsets, np.int32)
        vectors = np.frombuffer(data, np.uint8)
        for row, (end, length) in enumerate(zip(ends.tolist(), lengths.tolist(), strict=True)):
            if length:
                cut = vectors[places[end - length] : places[end]].view(dtype).reshape(-1, width)
                yield row, cut.mean(axis=0, dtype=np.float32)
        return
    width = items.type.list_size
    values = items.flatten().to_numpy(zero_copy_only=False).reshape(-1, width)
    end = 0
    for row, length in enumerate(lengths.tolist()):
        end += length
        if length:
            yield row, values[end - length : end].mean(axis=0, dtype=np.float32)


def project(values: NDArray[np.float32]) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Project rows to their first two principal components ``[n, 2]``.

    Gives each one's variance share.

    Signs are such that the largest loading of each component is positive, so that the same rows
    give the same picture. Of fewer than two rows both are zero.
    """
    table = values.astype(np.float64)
    table -= table.mean(axis=0)
    if len(table) < 2 or not table.any():
        return np.zeros((len(table), 2)), (0.0, 0.0)
    _, scales, axes = np.linalg.svd(table, full_matrices=False)
    axes = axes[:2]
    largest = np.abs(axes).argmax(axis=1)
    axes *= np.sign(axes[np.arange(len(axes)), largest])[:, None]
    places = np.zeros((len(table), 2))
    places[:, : len(axes)] = table @ axes.T
    shares = np.zeros(2)
    shares[: len(axes)] = (scales**2 / (scales**2).sum())[:2]
    return places, (float(shares[0]), float(shares[1]))


def near_pairs(means: Means, least: float, most: int) -> list[tuple[str, str, float]]:
    """Find pairs of rows whose mean vectors point alike: cosine from `least` on, nearest first."""
    norms = np.linalg.norm(means.values, axis=1, keepdims=True)
    table = means.values / np.maximum(norms, 1e-12)
    pairs: list[tuple[str, str, float]] = []
    for start in range(0, len(table), 512):
        cosines = table[start : start + 512] @ table.T
        rows, columns = np.nonzero(np.triu(cosines >= least, k=start + 1))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            pair = means.entries[start + row], means.entries[column]
            pairs.append((*pair, round(float(cosines[row, column]), 4)))
        if len(pairs) > 100 * most:
            break
    return sorted(pairs, key=lambda each: (-each[2], each[0], each[1]))[:most]
