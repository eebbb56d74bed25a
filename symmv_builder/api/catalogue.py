"""What the package itself offers: models with their licences, and what a row of a dataset holds."""

import os
from pathlib import Path
from typing import Any

from symmv_builder import backends
from symmv_builder.datasets import schemas
from symmv_builder.errors import StopRun
from symmv_builder.settings import Settings
from symmv_builder.storage.outputs import check_outputs


def models(settings: Settings) -> list[dict[str, Any]]:
    """Every model: slot, name, tool, licence, and whether its weights are on this machine.

    `problem` says how weights that are missing are got. Nothing is downloaded for the answer.
    """
    os.environ["HF_HUB_OFFLINE"] = "1"
    return [_model(slot, name, settings.home) for slot, name in backends.all_models()]


def _model(slot: str, name: str, home: backends.ModelHome) -> dict[str, Any]:
    about, identity, problem = backends.About("", "", ""), None, ""
    try:
        about = backends.about(slot, name)
        identity = backends.identify(slot, name, home)
    # Also of a plug-in that cannot be imported: the others are listed all the same.
    except StopRun as error:
        problem = str(error)
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


def write_schemas(folder: Path, *, overwrite: bool = False) -> None:
    """Write the files of the published schemas, every version, below a folder.

    `StopRun` where a file of such a name is another one, unless `overwrite`.
    """
    changed = [
        folder / name
        for name, text in schemas.render().items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != text.encode()
    ]
    check_outputs(changed, overwrite=overwrite)
    schemas.main([str(folder)])
