"""What the package itself offers: models with their licences, and what a row of a dataset holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder import backends
from symmv_builder.datasets import schemas
from symmv_builder.errors import StopRun, UnknownName
from symmv_builder.settings import Settings
from symmv_builder.storage.outputs import check_outputs


def models(settings: Settings) -> list[dict[str, Any]]:
    """List every model: slot, name, tool, licence, and whether its weights are on this machine.

    `problem` says what is missing, weights or a package that runs them, and `can_be_fetched`
    whether `get_models` mends it. Nothing is downloaded for the answer; the next use downloads the
    weights of what is `fetched`.
    """
    with backends.without_fetching():
        return [_model(slot, name, settings.home) for slot, name in backends.all_models()]


def _model(slot: str, name: str, home: backends.ModelHome) -> dict[str, Any]:
    about, identity, problem, can_be_fetched = backends.About("", "", ""), None, "", False
    try:
        about = backends.about(slot, name)
        identity = backends.identify(slot, name, home)
    # Also of a plug-in that cannot be imported: the others are listed all the same.
    except StopRun as error:
        problem, can_be_fetched = str(error), backends.can_be_fetched(error)
    return {
        "slot": slot,
        "name": name,
        "default": backends.names(slot)[0] == name,
        "tool": about.tool,
        "licence": about.licence,
        "weights": about.weights,
        "fetched": about.fetched,
        "here": identity is not None,
        "version": identity.version if identity else "",
        "weights_sha256": identity.weights_sha256 if identity else "",
        "trained": identity.trained if identity else None,
        "problem": problem,
        "can_be_fetched": can_be_fetched,
    }


@dataclass(frozen=True, slots=True)
class Got:
    """One model whose weights were asked for; `problem` is empty where they are here now."""

    slot: str
    name: str
    weights_sha256: str = ""
    problem: str = ""


def get_models(settings: Settings, names: Sequence[str], *, every: bool = False) -> Iterator[Got]:
    """Download the weights of models that lack them, one after the other.

    With `every`, of all that can be downloaded. `StopRun` for a name that no model has.
    """
    available = backends.all_models()
    have = sorted({name for _, name in available})
    if unknown := sorted(set(names) - set(have)):
        raise UnknownName("model", unknown[0], have)
    models_here: set[tuple[str, str]] = set()
    for slot, name in available:
        if name in names or (every and _is_fetched(slot, name)):
            one = _get(slot, name, settings.home)
            # A model may stand in several slots, with the same weights.
            if (name, one.weights_sha256) not in models_here:
                yield one
            models_here.add((name, one.weights_sha256))


def _is_fetched(slot: str, name: str) -> bool:
    try:
        return backends.about(slot, name).fetched
    except StopRun:
        return False


def _get(slot: str, name: str, home: backends.ModelHome) -> Got:
    try:
        return Got(slot, name, backends.fetch(slot, name, home).weights_sha256)
    except StopRun as error:
        return Got(slot, name, problem=str(error))


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
