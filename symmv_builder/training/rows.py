"""The rows of a split as trainers and notebooks read them: numpy views, or a torch dataset."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from symmv_builder.storage.root import Root
from symmv_builder.storage.shard_rows import ShardRows


class Rows(ShardRows):
    """The rows of one split, which are a torch dataset, too, for loops that are not ours.

    Examples:
        >>> rows = sb.open_dataset("midi", root="data").rows("train", ["notes_pitches"])
        >>> rows.row(0)["notes_pitches"].dtype, len(rows.to_torch()) == len(rows)
        (dtype('uint8'), True)
    """

    def to_torch(self, *, shuffle: bool = False, seed: int = 0) -> Any:
        """The rows as a torch `IterableDataset`: numeric columns are tensors (`iterable`)."""
        from symmv_builder.training.iterable import TorchRows

        return TorchRows(self, shuffle=shuffle, seed=seed)


class SubsetRows(Rows):
    """The rows of a split whose names are among some, in the order of the shards, from 0."""

    def __init__(
        self, root: Root, dataset: str, split: str, columns: Sequence[str], names: Collection[str]
    ) -> None:
        super().__init__(root, dataset, split, columns)
        self.names = frozenset(names)
        self._numbers = [n for n, name in enumerate(self.entries()) if name in self.names]
        self._whole = self.starts
        # As one row group, in which a loader that shuffles puts them into any order.
        self.starts = (0, len(self._numbers))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return map(self.row, range(len(self)))

    def row(self, index: int) -> dict[str, Any]:
        if not 0 <= index < len(self):
            raise IndexError(f"row {index} of {len(self)}")
        return self._row_in(self._whole, self._numbers[index])

    def reopened(self) -> "SubsetRows":
        return SubsetRows(self.root, self.dataset, self.split, self.columns, self.names)
