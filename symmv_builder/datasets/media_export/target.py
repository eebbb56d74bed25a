"""The folder of an export: which shards stand there, and how they come to their places.

While an export is made its shards lie in ``.made``, named by a digest of what they hold, each with
a JSON file beside it that is written last. When all are there they are numbered, and `export.json`
says which is which. When a dataset has changed, the shards that stay go back to ``.made`` first, so
that whoever is interrupted anywhere knows every whole file by its name.
"""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from symmv_builder.datasets.media_export import formats
from symmv_builder.datasets.media_export.formats import Layout, PlacedShard
from symmv_builder.datasets.media_export.media import Media
from symmv_builder.errors import CannotWrite, MalformedFile, NoSuchPath
from symmv_builder.storage.outputs import check_empty, check_outputs, locked_folder, replacing_file
from symmv_builder.storage.root import disk_errors
from symmv_builder.storage.shards import Shard

RECEIPT = "export.json"
_MADE = ".made"


@dataclass(frozen=True, slots=True)
class Part:
    """A shard of an export: `shard.rows` rows of the dataset, of which `samples` are in its file.

    `left_out` says why others are not, by key; `facts` is what its format remembers. A part
    without samples has no file.
    """

    shard: Shard
    samples: int
    left_out: Mapping[str, str]
    facts: Mapping[str, Any]

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> "Part":
        left_out = {str(key): str(why) for key, why in plain["left_out"].items()}
        return cls(Shard(**plain["shard"]), int(plain["samples"]), left_out, dict(plain["facts"]))


class Target:
    """The folder `path` of an export of `dataset` in the format of `media`, locked for us."""

    def __init__(self, path: Path, dataset: str, media: Media) -> None:
        self.path, self.dataset, self.media = path, dataset, media
        self.format = formats.find(media.format)
        self.made = path / _MADE
        self.receipt = self._read()
        self.parts = self._standing()

    @property
    def work(self) -> Path:
        """Where excerpts lie until they are in a shard."""
        return self.made / "work"

    def begin(self) -> None:
        """Make the folder ours before anything else is in it, and clear what a killed one left."""
        with disk_errors(self.path):
            if not self.receipt:
                self._write({"complete": False, "parts": []})
            self.made.mkdir(exist_ok=True)
            for remnant in self.made.iterdir():
                if remnant == self.work or remnant.name.startswith(".part-"):
                    shutil.rmtree(remnant) if remnant.is_dir() else remnant.unlink()

    def made_file(self, split: str, state: str) -> Path:
        """Where a shard lies until it has a number."""
        return self.made / f"{split}-{state[:24]}{self.format.SUFFIX}"

    def keep(self, part: Part) -> Part:
        """Remember a part whose file is whole."""
        note = self.made_file(part.shard.split, part.shard.state).with_suffix(".json")
        with replacing_file(note) as temporary:
            temporary.write_text(json.dumps(asdict(part)))
        self.parts[part.shard.state] = part
        return part

    def place(self, parts: Sequence[Part], layout: Layout, facts: Mapping[str, Any]) -> bool:
        """Number the parts, in their order, and write the receipt; false where they stood so."""
        numbered = self._numbered(parts)
        receipt = {
            **facts,
            "complete": True,
            "samples": sum(part.samples for part in parts),
            "left_out": {key: why for part in parts for key, why in part.left_out.items()},
            "parts": [asdict(part) for part in numbered],
        }
        stand = all(_is_whole(self.path / each.shard.path, each) for each in numbered)
        if stand and self._with_names(receipt) == self.receipt:
            shutil.rmtree(self.made, ignore_errors=True)
            return False
        with disk_errors(self.path):
            self._park()
            self._check_places(numbered)
            self._write({**receipt, "complete": False})
            for part in numbered:
                if part.samples:
                    place = self.path / part.shard.path
                    place.parent.mkdir(parents=True, exist_ok=True)
                    self.made_file(part.shard.split, part.shard.state).replace(place)
            standing = [
                PlacedShard(part.shard.split, part.shard.path, part.samples, part.facts)
                for part in numbered
                if part.samples
            ]
            self.format.finish(self.path, layout, standing)
            self._write(receipt)
            shutil.rmtree(self.made, ignore_errors=True)
        return True

    def _numbered(self, parts: Sequence[Part]) -> list[Part]:
        numbers: dict[str, int] = {}
        named = []
        for part in parts:
            split = part.shard.split
            number = numbers.get(split, 0)
            numbers[split] = number + (part.samples > 0)
            # A part without a file keeps a name of which its split can be read.
            name = self.format.name(split, number) if part.samples else f"{split}-none"
            named.append(replace(part, shard=replace(part.shard, path=name)))
        return named

    def _park(self) -> None:
        """Bring shards of the standing receipt to where their content names them."""
        for plain in self.receipt.get("parts", ()):
            part = Part.of_plain(plain)
            place = self.path / part.shard.path
            if part.samples and self.parts.get(part.shard.state) is not None and place.is_file():
                parked = self.made_file(part.shard.split, part.shard.state)
                if not parked.exists():
                    place.replace(parked)
                    self.keep(part)
        for plain in self.receipt.get("parts", ()):
            (self.path / plain["shard"]["path"]).unlink(missing_ok=True)

    def _check_places(self, parts: Sequence[Part]) -> None:
        places = [self.path / part.shard.path for part in parts if part.samples]
        check_outputs(places, remedy="export into another folder")

    def _standing(self) -> dict[str, Part]:
        """The parts whose files are there, by their state."""
        standing: dict[str, Part] = {}
        for plain in self.receipt.get("parts", ()):
            part = Part.of_plain(plain)
            parked = self.made_file(part.shard.split, part.shard.state)
            if any(_is_whole(p, part) for p in (parked, self.path / part.shard.path)):
                standing[part.shard.state] = part
        notes = sorted(self.made.glob("*.json")) if self.made.is_dir() else []
        for note in notes:
            try:
                part = Part.of_plain(json.loads(note.read_bytes()))
            except (ValueError, LookupError, TypeError, AttributeError):
                continue
            if _is_whole(note.with_suffix(self.format.SUFFIX), part):
                standing[part.shard.state] = part
        return standing

    def _read(self) -> dict[str, Any]:
        place = self.path / RECEIPT
        if not place.is_file():
            check_empty(self.path)
            return {}
        try:
            standing = json.loads(place.read_bytes())
            for plain in standing["parts"]:
                name = Part.of_plain(plain).shard.path
                if Path(name).is_absolute() or ".." in Path(name).parts:
                    raise ValueError(f"{name!r} leads out of the folder")
            was = (standing["dataset"], standing["format"])
            if was != (self.dataset, self.media.format):
                raise ValueError(f"it is of {was[0]!r} as {was[1]!r}")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            problem = f"it is no receipt of this export ({error}); export into another folder"
            raise MalformedFile(place, problem) from error
        return dict(standing)

    def _entries(self) -> list[Path]:
        return list(self.path.iterdir()) if self.path.is_dir() else []

    def _write(self, receipt: Mapping[str, Any]) -> None:
        self.receipt = self._with_names(receipt)
        with replacing_file(self.path / RECEIPT) as temporary:
            temporary.write_text(json.dumps(self.receipt, indent=1, ensure_ascii=False) + "\n")

    def _with_names(self, receipt: Mapping[str, Any]) -> dict[str, Any]:
        whole = {"dataset": self.dataset, "format": self.media.format, **receipt}
        return dict(json.loads(json.dumps(whole)))


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """The folder of an export for one process alone; it is made where it is missing."""
    with disk_errors(folder):
        if folder.exists() and not folder.is_dir():
            raise NoSuchPath(folder, "folder")
        folder.mkdir(parents=True, exist_ok=True)
    try:
        lock = locked_folder(folder)
        lock.__enter__()
    except BlockingIOError as error:
        raise CannotWrite(folder, "another process exports into it") from error
    try:
        yield
    finally:
        lock.__exit__(None, None, None)


def _is_whole(path: Path, part: Part) -> bool:
    if not part.samples:
        return True
    return path.is_file() and path.stat().st_size == part.shard.size_bytes
