"""Results beside their entry: one file an artifact and key, never changed once written.

``<dataset>/sidecars/<entry_id>/<artifact>.<key>.npz`` holds a record's arrays and, as
JSON, its plain fields and its provenance; ``....rejected.json`` holds the reason for
which the step turned the entry away. Nothing in a sidecar is ever unpickled. Both carry a
checksum (`seals`) that whoever reads them checks.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any

import numpy as np

from symmv_builder.errors import Damaged
from symmv_builder.records import RECORD_TYPES, Provenance, Record, Rejection
from symmv_builder.storage import seals
from symmv_builder.storage.root import Root

_HEADER = "__record__"
# What numpy, zipfile and json raise for bytes that are not what was written.
_BROKEN = (
    ValueError, TypeError, KeyError, AttributeError, OSError, EOFError, RecursionError,
    RuntimeError, OverflowError, zipfile.BadZipFile, zlib.error,
)  # fmt: skip


def encode(record: Record, provenance: Provenance) -> bytes:
    """Encode a record and its provenance as the bytes of an npz file."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    plain: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(value, np.ndarray):
            arrays[field.name] = value
        else:
            plain[field.name] = value
    header = {
        "type": type(record).__name__,
        "fields": plain,
        "provenance": asdict(provenance),
    }
    text = json.dumps(header, sort_keys=True).encode()
    arrays[_HEADER] = np.frombuffer(text, dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **arrays)
    return buffer.getvalue()


def decode(data: bytes) -> tuple[Record, Provenance]:
    """Decode what `encode` made."""
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        header = json.loads(archive[_HEADER].tobytes())
        arrays = {name: archive[name] for name in archive.files if name != _HEADER}
    record = RECORD_TYPES[header["type"]](**header["fields"], **arrays)
    return record, Provenance(**header["provenance"])


class Sidecars:
    """The stored results of one dataset."""

    def __init__(self, root: Root, dataset: str) -> None:
        self.root = root
        self.dataset = dataset

    def _folder(self, entry_id: str) -> str:
        return f"{self.dataset}/sidecars/{entry_id}"

    def present(self, entry_id: str) -> frozenset[str]:
        """List the file names of everything stored of an entry, in one request."""
        return frozenset(self.root.names(self._folder(entry_id)))

    def sweep(self, entry_id: str) -> None:
        """Clear an entry's folder of what killed writers left behind."""
        self.root.sweep(self._folder(entry_id))

    def forgive(self, entry_id: str, artifact: str, key: str) -> None:
        """Remove a rejection, so that its step is tried again."""
        self.root.remove(f"{self._folder(entry_id)}/{self.rejected_name(artifact, key)}")

    def remove(self, entry_id: str) -> None:
        """Remove everything that is stored of an entry."""
        for name in self.root.names(self._folder(entry_id)):
            self.root.remove(f"{self._folder(entry_id)}/{name}")
        self.root.remove_folder(self._folder(entry_id))

    @staticmethod
    def made_name(artifact: str, key: str) -> str:
        return f"{artifact}.{key}.npz"

    @staticmethod
    def rejected_name(artifact: str, key: str) -> str:
        return f"{artifact}.{key}.rejected.json"

    @staticmethod
    def parts_of(name: str) -> tuple[str, str]:
        """Parse artifact and key from a sidecar's file name."""
        stem = name.removesuffix(".npz").removesuffix(".rejected.json")
        artifact, _, key = stem.rpartition(".")
        return artifact, key

    def place(self, entry_id: str, artifact: str, key: str) -> str:
        """Give the place of a result, for messages."""
        return self.root.path(f"{self._folder(entry_id)}/{self.made_name(artifact, key)}")

    def save(self, entry_id: str, artifact: str, key: str, record: Record, by: Provenance) -> None:
        file = self.made_name(artifact, key)
        data = seals.seal_archive(encode(record, by), f"{entry_id}/{file}")
        self.root.write(f"{self._folder(entry_id)}/{file}", data)

    def load(self, entry_id: str, artifact: str, key: str) -> tuple[Record, Provenance]:
        """Load the record under a key; `KeyError` where nothing is stored."""
        name = f"{self._folder(entry_id)}/{self.made_name(artifact, key)}"
        data = self.root.read(name)
        if data is None:
            raise KeyError(f"{entry_id} has no {artifact} under key {key}")
        with self._damage(name):
            seals.check_archive(data, self._place_of(name))
            return decode(data)

    def check(self, entry_id: str, file: str) -> bool | None:
        """Read a sidecar by its file's name: whether it carries a checksum, `None` if it is gone.

        One without a checksum is read as far as its archive has checksums of its parts.
        Raises `Damaged`.
        """
        name = f"{self._folder(entry_id)}/{file}"
        data = self.root.read(name)
        if data is None:
            return None
        with self._damage(name):
            if file.endswith(".rejected.json"):
                return self._read_rejection(data, name)[1]
            if not file.endswith(".npz"):
                raise ValueError("it is no sidecar")
            is_sealed = seals.check_archive(data, self._place_of(name))
            if not is_sealed:
                try:
                    decode(data)
                except MemoryError as error:
                    raise ValueError("it says that it is larger than memory") from error
            return is_sealed

    def reject(self, entry_id: str, artifact: str, key: str, rejection: Rejection) -> None:
        name = f"{self._folder(entry_id)}/{self.rejected_name(artifact, key)}"
        fields = seals.seal(asdict(rejection), self._place_of(name))
        self.root.write(name, json.dumps(fields, sort_keys=True).encode())

    def rejection(self, entry_id: str, artifact: str, key: str) -> Rejection:
        """Load the rejection under a key; `KeyError` where there is none."""
        name = f"{self._folder(entry_id)}/{self.rejected_name(artifact, key)}"
        data = self.root.read(name)
        if data is None:
            raise KeyError(f"{entry_id} has no rejected {artifact} under key {key}")
        with self._damage(name):
            return self._read_rejection(data, name)[0]

    def _read_rejection(self, data: bytes, name: str) -> tuple[Rejection, bool]:
        """Read a rejection, and whether it carries a checksum."""
        fields = json.loads(data)
        if json.dumps(fields, sort_keys=True).encode() != data:
            raise ValueError("it is not as it was written")
        rejection = Rejection(**seals.unseal(fields, self._place_of(name)))
        return rejection, seals.is_sealed(fields)

    def _place_of(self, name: str) -> str:
        """Give the last two parts of a sidecar's name: its entry and its file."""
        return "/".join(name.rsplit("/", 2)[1:])

    @contextmanager
    def _damage(self, name: str) -> Iterator[None]:
        """Make the error of a damaged file: no write leaves a broken one, but a disk may."""
        try:
            yield
        except _BROKEN as error:
            raise Damaged(self.root.path(name), "is damaged") from error
