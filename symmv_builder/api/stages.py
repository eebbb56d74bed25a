"""One stage on one file, for a notebook: what `symmv run` does."""

from pathlib import Path
from typing import Any

from symmv_builder.api.texts import setting_text
from symmv_builder.backends import Loader
from symmv_builder.datasets import remembered
from symmv_builder.datasets.stages import run_stage
from symmv_builder.records import Record
from symmv_builder.settings import read_settings


def run(
    stage: str,
    path: str | Path,
    *,
    recipe: str | None = None,
    backend: str | None = None,
    root: str | None = None,
    **settings: Any,
) -> Record:
    """The record that a stage makes of a file, as a build of its recipe would store it.

    `recipe` is a dataset's name or a recipe file; without it the stage is that of the recipe that
    it belongs to (`datasets.stages.home_of`). `settings` are the stage's parameters. It runs in
    this process: for files that nobody has looked at, the command `symmv run` has a process that
    may be lost. `StopRun` where stage, recipe, backend or a setting is not known, `RejectEntry`
    where the file is no good.

        >>> run("key", "song.mid", profile="aarden-essen").tonic      # doctest: +SKIP
        'C'
    """
    where = read_settings(root=root)
    chosen = remembered.chosen(where.open_manifests(), recipe) if recipe else None
    return run_stage(
        stage,
        Path(path),
        Loader(where.home),
        recipe=chosen,
        backend=backend,
        settings={name: setting_text(value) for name, value in settings.items()},
    )
