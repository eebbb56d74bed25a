"""The rows of a split of a dataset that is built, for whoever learns from them or looks at them."""

from collections.abc import Sequence

from symmv_builder.datasets import remembered
from symmv_builder.datasets.lacking import explaining
from symmv_builder.datasets.recipe_file import SPLITS
from symmv_builder.datasets.subsets import read_subset
from symmv_builder.errors import UnknownName
from symmv_builder.storage.store import Store
from symmv_builder.training.rows import Rows, SubsetRows

__all__ = ["Rows"]


def open_rows(
    store: Store, dataset: str, split: str, columns: Sequence[str] = (), *, subset: str = ""
) -> Rows:
    """Open the rows of a split, of all columns by default, or those that `subset` marks alone.

    `StopRun` where nothing is built, or a column, the split or the subset is absent.
    """
    if split not in SPLITS:
        raise UnknownName("split", split, SPLITS)
    receipt = remembered.require_receipt(store.root, store.manifests, dataset)
    if isinstance(columns, str):
        columns = [columns]
    columns = columns or receipt.get("columns", ())
    with explaining(store.manifests, dataset):
        if subset:
            marked = read_subset(store.root, dataset, subset)
            names = marked.rows if marked.split == split else ()
            return SubsetRows(store.root, dataset, split, columns, names)
        return Rows(store.root, dataset, split, columns)
