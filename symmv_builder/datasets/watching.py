"""What a dataset's row says of a video, for a video that is in no dataset.

Music is composed for any video, from the same features that a model learned from: the
recipe's own stages make them, in the same one pass over the file, and what they make is cut
into the columns that a row of the dataset would have.
"""

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from symmv_builder.assemble import assemble_row
from symmv_builder.backends import ModelHome, ModelLoader
from symmv_builder.datasets.recipe import Recipe, make_plan
from symmv_builder.errors import NoSuchPath, RejectEntry, StopRun
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Work
from symmv_builder.pipeline.run import run_entry
from symmv_builder.pipeline.step import Use
from symmv_builder.records import Entry, Source
from symmv_builder.schema import Column
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars


def watch(
    video: Path, recipe: Recipe, home: ModelHome, tell: Callable[[Event], None] = lambda _: None
) -> dict[str, Any]:
    """Watch a video for a row of the recipe's dataset: numpy arrays, numbers and texts by column.

    `RejectEntry` where the file is no video that can be decoded, `StopRun` where a model's
    weights are not to be had.
    """
    if not video.is_file():
        raise NoSuchPath(video)
    uses = uses_of_the_video(recipe)
    plan = make_plan(replace(recipe, uses=uses, screening=()), home)
    sha256 = hash_file(video)
    source = Source("file", "watched")
    entry = Entry("watched", recipe.name, "watched", video=source, music=source)
    work = Work(entry.entry_id, sha256, sha256)
    with tempfile.TemporaryDirectory(prefix="symmv-") as folder:
        root = Root(folder)
        add_asset(root, video, sha256)
        outcome = run_entry(work, plan, root, ModelLoader(home), tell)
        if outcome.rejection is not None:
            raise RejectEntry(outcome.rejection.reason, outcome.rejection.detail)
        if outcome.retry:
            raise StopRun(outcome.retry)
        sidecars, keys = Sidecars(root, recipe.name), plan.keys(work)
        records = {u.makes: sidecars.load(entry.entry_id, u.makes, keys[u.makes])[0] for u in uses}
    columns = columns_of_the_video(recipe)
    return assemble_row(columns, entry, "", records)


def columns_of_the_video(recipe: Recipe) -> tuple[Column, ...]:
    """List the columns of a dataset's row that come out of the video alone."""
    artifacts = {use.makes for use in uses_of_the_video(recipe)}
    return tuple(column for column in recipe.columns if column.artifact in artifacts)


def uses_of_the_video(recipe: Recipe) -> tuple[Use, ...]:
    """List the uses that read nothing but the video and end in a column, in the recipe's order."""
    makers: Mapping[str, Use] = {use.makes: use for use in recipe.uses}
    artifacts = {column.artifact for column in recipe.columns}

    def sees_only(name: str) -> bool:
        return name == "video" or (
            name in makers and all(sees_only(other) for other in makers[name].inputs)
        )

    needed: set[str] = set()
    waiting = [name for name in artifacts if name in makers and sees_only(name)]
    while waiting:
        name = waiting.pop()
        if name in makers and name not in needed:
            needed.add(name)
            waiting.extend(makers[name].inputs)
    return tuple(use for use in recipe.uses if use.makes in needed)
