"""Rows as a torch dataset, for loops that are not ours."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from symmv_builder.storage.shard_rows import ShardRows


class TorchRows(IterableDataset[dict[str, Any]]):
    """Rows of a split, one after another; a number or an array becomes a tensor of its own memory.

    Texts and tuples of labels stay as they are. With `shuffle` each epoch has another order, the
    same for the same seed: row groups are permuted, and the rows within each. Workers of a
    `DataLoader` and ranks of torchrun deal the rows among themselves: together they give each row
    once. Say the epoch with `set_epoch`, as for a `DistributedSampler`.
    """

    def __init__(self, rows: ShardRows, *, shuffle: bool = False, seed: int = 0) -> None:
        super().__init__()
        self.rows, self.shuffle, self.seed, self.epoch = rows, shuffle, seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Count the rows of all ranks and workers together."""
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        # As torchrun says it; one process alone is rank 0 of 1.
        rank, world = (int(os.environ.get(n, d)) for n, d in (("RANK", "0"), ("WORLD_SIZE", "1")))
        info, rows = get_worker_info(), self.rows
        if info is not None:
            # A worker opens the shards itself: files and caches of the process that it was forked
            # from are not its own.
            rows = rows.reopened()
            rank, world = rank * info.num_workers + info.id, world * info.num_workers
        for place, index in enumerate(self._order()):
            if place % world == rank:
                yield {name: _tensor(value) for name, value in rows.row(index).items()}

    def _order(self) -> Iterator[int]:
        starts = self.rows.starts
        groups = np.arange(len(starts) - 1)
        generator = np.random.default_rng([self.seed, self.epoch])
        if self.shuffle:
            groups = generator.permutation(groups)
        for group in groups:
            rows = np.arange(starts[group], starts[group + 1])
            yield from (generator.permutation(rows) if self.shuffle else rows).tolist()


def _tensor(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        # Copied: the row's array is a read-only view of memory that others share.
        return torch.from_numpy(value.copy())
    return torch.tensor(value) if isinstance(value, bool | int | float) else value
