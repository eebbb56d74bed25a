"""Which stored file is which recording, kept beside the entries of a dataset.

The ledger knows it too and is asked first; this file is how it is known when the ledger is
lost, and what a person can read. ``recordings.jsonl`` has one JSON object an entry: its id
and the sha256 of each of its recordings (`music`, `video`, `published`) that is stored.
"""

import json
from collections.abc import Mapping

from symmv_builder.errors import MalformedFile
from symmv_builder.storage.root import Root

Hashes = Mapping[str, str]


def read_recordings(root: Root, dataset: str) -> dict[str, dict[str, str]]:
    """Read the hashes of every entry's recordings, by entry id; empty where none were written."""
    name = f"{dataset}/recordings.jsonl"
    recordings: dict[str, dict[str, str]] = {}
    for number, line in enumerate((root.read(name) or b"").splitlines(), start=1):
        try:
            fields = json.loads(line)
            entry_id = str(fields.pop("entry_id"))
            recordings[entry_id] = {str(kind): str(sha256) for kind, sha256 in fields.items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            problem = (
                "this does not say which file is which recording; remove the file: the next build "
                "writes it anew from the ledger"
            )
            raise MalformedFile(root.path(name), problem, number) from error
    return recordings


def write_recordings(root: Root, dataset: str, recordings: Mapping[str, Hashes]) -> None:
    """Write the hashes of every entry's recordings, sorted by entry id."""
    lines = [
        json.dumps({"entry_id": entry_id, **hashes}, sort_keys=True) + "\n"
        for entry_id, hashes in sorted(recordings.items())
        if hashes
    ]
    root.write(f"{dataset}/recordings.jsonl", "".join(lines).encode())
