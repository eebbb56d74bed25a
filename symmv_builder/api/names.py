"""The names that a person may write in a command: datasets, stages, trainers and models.

For completion in a shell, so a root or a plug-in that cannot be read gives no names, and no error.
"""

from contextlib import suppress

from symmv_builder import backends, datasets, training
from symmv_builder.datasets import remembered
from symmv_builder.errors import StopRun
from symmv_builder.settings import read_settings


def dataset_names() -> list[str]:
    """Datasets and recipes: those of the package and of plug-ins, and those of the data root."""
    names = [*datasets.installed(), *datasets.importable()]
    with suppress(StopRun):
        names += remembered.names_in(read_settings().open_manifests())
    return list(dict.fromkeys(names))


def stage_names() -> list[str]:
    """List the results that the recipes of the two datasets make."""
    recipes = [datasets.recipe(name) for name in datasets.NAMES]
    artifacts = [use.makes for recipe in recipes for use in (*recipe.known, *recipe.screening)]
    return ["title", *dict.fromkeys(artifacts)]


def model_names() -> list[str]:
    """List every model as ``--model`` takes it: ``SLOT=NAME``."""
    return [f"{slot}={name}" for slot, name in backends.all_models()]


def trainer_names() -> list[str]:
    """List what can be trained, other packages' too."""
    return training.names()
