"""The rows of a split as trainers and notebooks read them: numpy views, or a torch dataset."""

from typing import Any

from symmv_builder.storage.shard_rows import ShardRows


class Rows(ShardRows):
    """The rows of one split, which are a torch dataset, too, for loops that are not ours."""

    def to_torch(self, *, shuffle: bool = False, seed: int = 0) -> Any:
        """The rows as a torch `IterableDataset`: numeric columns are tensors (`iterable`)."""
        from symmv_builder.training.iterable import TorchRows

        return TorchRows(self, shuffle=shuffle, seed=seed)
