"""What people corrected of what the machine found: a line of the manifest each.

``DATASET/corrections.jsonl`` is only ever added to. A correction stands until a further line undoes
it, or its line is taken out of the file again, with git for example. The machine's own record is
stored beside what a build makes of it (`pipeline.run`) and never changed.
"""

import secrets

from symmv_builder.records.corrections import Correction, correction_from, standing
from symmv_builder.storage import manifests
from symmv_builder.storage.root import Root

NAME = "corrections"
_ID_BYTES = 6


def new_id() -> str:
    """Make a new random id for a correction."""
    return secrets.token_hex(_ID_BYTES)


def read_corrections(root: Root, dataset: str) -> list[Correction]:
    """Read all corrections in file order; `StopRun` for a malformed line. Empty without a file.

    A line that stands there twice, as after a merge, counts once.
    """
    name, what = f"{dataset}/{NAME}.jsonl", "a correction"
    by_id: dict[str, Correction] = {}
    for number, fields in manifests.read_lines(root, name, what):
        with manifests.at_line(root, name, number, what):
            correction = correction_from(fields)
            if by_id.setdefault(correction.id, correction) != correction:
                raise ValueError(f"another line has the id {correction.id}")
    return list(by_id.values())


def read_standing(root: Root, dataset: str) -> dict[str, tuple[Correction, ...]]:
    """Read the corrections of a dataset that are not undone, by entry (`standing`)."""
    return standing(read_corrections(root, dataset))
