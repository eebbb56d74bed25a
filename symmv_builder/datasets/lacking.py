"""Columns that the shards of a dataset lack: which step would make them, and where it stands."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from symmv_builder import datasets
from symmv_builder.datasets import remembered
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.errors import MissingColumns, StopRun
from symmv_builder.storage.root import Root


@contextmanager
def explaining(manifests: Root, dataset: str) -> Iterator[None]:
    """Say of columns that are missed in the block which steps the dataset's recipe lacks for them.

    A recipe that cannot be read explains nothing: the error passes as it is.
    """
    try:
        yield
    except MissingColumns as error:
        try:
            own = remembered.recipe_of(manifests, dataset)
        except StopRun:
            raise error from None
        raise _explained(error, own) from error


def _explained(error: MissingColumns, own: Recipe) -> MissingColumns:
    own_columns = {column.name for column in own.columns}
    missed = [name for name in error.columns if name not in own_columns]
    if not missed:
        return error
    for name in datasets.NAMES:
        steps = _steps_for(missed, datasets.recipe(name))
        if steps:
            return replace(error, steps=steps, like=name)
    return replace(error, is_unknown=True)


def _steps_for(columns: Sequence[str], recipe: Recipe) -> tuple[str, ...]:
    """List the results of a recipe that fill all of some columns; none where it lacks one, too."""
    makers = {column.name: column.artifact for column in recipe.columns}
    if not set(columns) <= makers.keys():
        return ()
    return tuple(dict.fromkeys(makers[name] for name in columns))
