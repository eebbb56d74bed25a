"""Where a dataset was exported to, so that a takedown can say which folders still hold an entry.

``DATASET/exports/*.json`` in the data root has a file for each folder, so two exports at once do
not disturb each other. A folder that was moved or copied by hand is not known.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from symmv_builder.errors import CannotWrite, Damaged
from symmv_builder.storage.manifests import read_object
from symmv_builder.storage.processes import machine
from symmv_builder.storage.root import Root


@dataclass(frozen=True, slots=True)
class Exported:
    """A folder of a machine that an export was written to, and in which `format`.

    The format is empty where it is the layout of the dataset's own paper. `choices` are those of
    the export beside its format that were not the default, by the names of arguments.
    """

    folder: str
    format: str
    machine: str
    choices: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def is_here(self) -> bool:
        """Whether the folder is one of this machine."""
        return self.machine == machine()

    @property
    def is_gone(self) -> bool:
        """Whether this machine can tell that the folder is no longer there."""
        return self.is_here and not Path(self.folder).is_dir()


def note_export(
    root: Root,
    dataset: str,
    folder: Path,
    format_: str = "",
    choices: Mapping[str, Any] = MappingProxyType({}),
    *,
    tell: Callable[[str], object] = lambda _: None,
) -> None:
    """Remember an export; where the data root cannot be written to, that is told."""
    exported = Exported(str(folder.resolve()), format_, machine(), dict(choices))
    place = _place(dataset, exported)
    try:
        root.write(place, (json.dumps(asdict(exported), sort_keys=True) + "\n").encode())
    except CannotWrite as error:
        tell(f"a takedown will not know of {folder}: {error}")


def exports(root: Root, dataset: str) -> list[Exported]:
    """List the folders that are known and not gone, in a fixed order."""
    exports = []
    for name in root.names(f"{dataset}/exports"):
        place = f"{dataset}/exports/{name}"
        remedy = "remove the file, and look for the folder yourself"
        try:
            exported = Exported(**read_object(root, place, "a record of an export", remedy))
        except TypeError as error:
            raise Damaged(root.path(place), "is no record of an export", remedy) from error
        if not exported.is_gone:
            exports.append(exported)
    return sorted(exports, key=lambda each: (each.machine, each.folder, each.format))


def _place(dataset: str, exported: Exported) -> str:
    # The last export into a folder counts: its choices are no part of the name.
    named = {"folder": exported.folder, "format": exported.format, "machine": exported.machine}
    text = json.dumps(named, sort_keys=True)
    return f"{dataset}/exports/{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
