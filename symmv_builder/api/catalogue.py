"""What the package itself offers: models with their licences, and what a row of a dataset holds."""

import os
from pathlib import Path
from typing import Any

from symmv_builder import backends, datasets, schema
from symmv_builder.errors import StopRun
from symmv_builder.settings import Settings
from symmv_builder.storage.outputs import check_outputs


def models(settings: Settings) -> list[dict[str, Any]]:
    """Every model: slot, name, tool, licence, and whether its weights are on this machine.

    `problem` says how weights that are missing are got. Nothing is downloaded for the answer.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    return [_model(slot, name, settings.home) for slot, name in backends.TABLE]


def _model(slot: str, name: str, home: backends.ModelHome) -> dict[str, Any]:
    backend = backends.backend_class(slot, name)
    about = backend.about()
    try:
        identity, problem = backend.identify(home), ""
    except StopRun as error:
        identity, problem = None, str(error)
    return {
        "slot": slot,
        "name": name,
        "default": backends.names(slot)[0] == name,
        "tool": about.tool,
        "licence": about.licence,
        "weights": about.weights,
        "here": identity is not None,
        "version": identity.version if identity else "",
        "weights_sha256": identity.weights_sha256 if identity else "",
        "trained": identity.trained if identity else None,
        "problem": problem,
    }


def schemas(dataset: str | None = None) -> list[dict[str, Any]]:
    """Every column of a dataset's rows, or of both schemas, as JSON Schema-like plain data."""
    names = [datasets.recipe(dataset).schema_name] if dataset else list(datasets.NAMES)
    return [schema.describe(name) for name in names]


def write_schemas(folder: Path, *, overwrite: bool = False) -> None:
    """Write the files of `schemas/v1` below a folder.

    `StopRun` where a file of such a name is another one, unless `overwrite`.
    """
    changed = [
        folder / name
        for name, text in schema.render().items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != text.encode()
    ]
    check_outputs(changed, overwrite=overwrite)
    schema.main([str(folder)])
