"""What works on this machine: one finding for each thing that a build, a crawl or a flow needs.

Every check has a time limit and ends in a finding, whatever happens in it, so one broken thing
hides no other. Nothing is downloaded, written to the data root, or made in the ledger.
"""

import importlib.metadata
import json
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

from symmv_builder import backends, datasets
from symmv_builder.api import devices
from symmv_builder.errors import StopRun, SymMVError
from symmv_builder.packages import THIS, extras
from symmv_builder.settings import (
    Setting,
    Settings,
    find_settings,
    read_settings,
    unknown_variables,
)
from symmv_builder.storage.ledger_checks import server_version
from symmv_builder.storage.root import Root
from symmv_builder.storage.urls import shown_url, without_secrets
from symmv_builder.text import amount
from symmv_builder.version import __version__

__all__ = ["ABSENT", "BROKEN", "WORKS", "Finding", "examine"]

WORKS = "works"
# Not there, and a build of the built-in datasets does without it.
ABSENT = "absent"
# Not there or not in order, and a build needs it or the user has asked for it.
BROKEN = "broken"

_OLDEST_PYTHON = (3, 11)
_LEAST_FREE_BYTES = 2**30
_PATIENCE_S = 10.0
# Weights are hashed when they are seen first, and torch is imported.
_LONG_PATIENCE_S = 120.0
_WHAT_HANGS = {
    "data root": "see that the disk or the bucket of the data root answers",
    "ledger": "see that the database of SYMMV_LEDGER answers",
    "Prefect's server": "see that the server of PREFECT_API_URL answers, or unset it",
}
_HUB = "https://huggingface.co"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing: what was found of it, and where it does not work, what to do about it.

    `fetch` is the model whose weights have to be got, if that helps.
    """

    what: str
    state: str
    found: str
    advice: str = ""
    fetch: str = ""


Check = Callable[[], Finding]


def examine(
    root: str | Path | None = None,
    environment: Mapping[str, str] | None = None,
    patience_s: float = _PATIENCE_S,
) -> list[Finding]:
    """Look at everything at the same time; it takes as long as the slowest, within its limit."""
    env = os.environ if environment is None else environment
    try:
        settings, problem = read_settings(env, root=root), ""
        device = find_settings(env, root=root)["device"]
    except StopRun as error:
        settings, problem = read_settings({}, root=root), str(error)
        device = find_settings({}, root=root)["device"]
    long_s = max(patience_s, _LONG_PATIENCE_S)
    checks: list[tuple[str, float, Check]] = [
        ("Python", patience_s, _python),
        ("package", patience_s, _package),
        ("settings", patience_s, partial(_settings, env, problem)),
        ("data root", patience_s, partial(_data_root, settings)),
        ("ledger", patience_s, partial(_ledger, settings)),
        ("cache", patience_s, partial(_folder, "cache", backends.cache_folder())),
        ("temporary folder", patience_s, _temporary),
        ("torch", long_s, partial(_torch, device)),
        *_models(settings, long_s),
        ("downloader", long_s, _downloader),
        ("Prefect's server", patience_s, partial(_prefect, env)),
        *(
            (f"extra {name}", patience_s, partial(_extra, name))
            for name in extras()
            if name != "dev"
        ),
    ]
    return _run_all(checks)


def _run_all(checks: Sequence[tuple[str, float, Check]]) -> list[Finding]:
    """Run the checks; gives their findings in order. A check that hangs is left to itself."""
    findings: dict[str, Finding] = {}

    def run(what: str, check: Check) -> None:
        try:
            findings[what] = check()
        except SymMVError as error:
            findings[what] = Finding(what, BROKEN, "cannot be used", str(error))
        except Exception as error:  # noqa: BLE001 (whatever is broken: the table says so)
            cause = " ".join(f"{type(error).__name__}: {error}".split())
            findings[what] = Finding(what, BROKEN, cause, f"{what} failed in a way nobody foresaw")

    begun = time.monotonic()
    threads = [threading.Thread(target=run, args=(w, c), daemon=True) for w, _, c in checks]
    for thread in threads:
        thread.start()
    for thread, (what, patience_s, _) in zip(threads, checks, strict=True):
        thread.join(max(0.0, begun + patience_s - time.monotonic()))
        if what not in findings:
            cause = f"no answer within {patience_s:.0f} s"
            advice = _WHAT_HANGS.get(what, f"something in {what} hangs on this machine")
            findings.setdefault(what, Finding(what, BROKEN, cause, advice))
    return [findings[what] for what, _, _ in checks]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    finding = f"{version} at {sys.executable}"
    if sys.version_info < _OLDEST_PYTHON:
        return Finding("Python", BROKEN, finding, "install Python 3.11 or later")
    return Finding("Python", WORKS, finding)


def _package() -> Finding:
    place = Path(__file__).resolve().parents[1]
    try:
        importlib.metadata.distribution(THIS)
    except importlib.metadata.PackageNotFoundError:
        advice = "install it (`pip install .` in the checkout): extras and plug-ins are not seen"
        return Finding("package", ABSENT, f"{__version__} in {place}, not installed", advice)
    return Finding("package", WORKS, f"{THIS} {__version__} in {place}")


def _settings(env: Mapping[str, str], problem: str) -> Finding:
    variables = sorted(name for name in env if name.startswith("SYMMV_"))
    finding = f"set in the environment: {', '.join(variables)}" if variables else "nothing is set"
    if problem:
        return Finding("settings", BROKEN, finding, problem)
    return Finding("settings", WORKS, finding, "; ".join(unknown_variables(env)))


def _data_root(settings: Settings) -> Finding:
    root = Root(settings.root)
    if root.is_local:
        return _folder("data root", Path(root.path("")))
    root.exists("symmv")
    return Finding("data root", WORKS, f"{root.shown} answers")


def _folder(what: str, folder: Path) -> Finding:
    """Check a folder in which files are made, or the one in which it would be."""
    existing = folder
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    place = str(folder) if existing == folder else f"{folder} (will be made)"
    if not existing.is_dir():
        return Finding(what, BROKEN, place, f"{existing} is no folder: choose another place")
    try:
        free = shutil.disk_usage(existing).free
        with tempfile.TemporaryFile(dir=existing) as handle:
            handle.write(b"symmv")
            handle.flush()
    except OSError as error:
        advice = f"make {existing} a folder that you may write to, or choose another"
        return Finding(what, BROKEN, f"{place}: {error.strerror}", advice)
    finding = f"{place}, {free / 1e9:.1f} GB free"
    if free < _LEAST_FREE_BYTES:
        return Finding(what, BROKEN, finding, f"free some space on the disk of {existing}")
    return Finding(what, WORKS, finding)


def _temporary() -> Finding:
    try:
        folder = Path(tempfile.gettempdir())
    except FileNotFoundError as error:
        advice = "set TMPDIR to a folder that you may write to"
        return Finding("temporary folder", BROKEN, str(error), advice)
    return _folder("temporary folder", folder)


def _ledger(settings: Settings) -> Finding:
    url = settings.ledger
    if not url:
        root = Root(settings.root)
        if not root.is_local:
            advice = "set SYMMV_LEDGER to a database's url: the data root is remote"
            return Finding("ledger", BROKEN, "none", advice)
        file = Path(root.path("ledger.sqlite")).resolve()
        if not file.exists():
            return Finding("ledger", WORKS, f"{file} (will be made)")
        url = f"sqlite:///{file}"
    try:
        version = server_version(url)
    except StopRun as error:
        advice = "start the database, or correct SYMMV_LEDGER" if settings.ledger else ""
        cause = without_secrets(str(error), url)
        return Finding("ledger", BROKEN, shown_url(url), f"{cause}. {advice}".strip(". "))
    return Finding("ledger", WORKS, f"{shown_url(url)}, {version}")


def _torch(device: Setting) -> Finding:
    """Examine torch's build and devices, and whether the device of the settings is one of them."""
    try:
        torch = devices.find_torch()
    except devices.TorchBroken as error:
        version = importlib.metadata.version("torch")
        return Finding("torch", BROKEN, f"{version}: {error}", "install torch anew")
    if torch is None:
        advice = f"pip install '{THIS}[models]'"
        return Finding("torch", BROKEN, "not installed: the models need it", advice)
    build = f"CUDA {torch.cuda}" if torch.cuda else "CPU"
    places = ", ".join(torch.gpus) or f"{amount(torch.threads, 'thread')} of the CPU"
    finding = f"{torch.version}, build for {build}, {places}"
    if fault := torch.fault_of(device.value):
        advice = f"{fault}: device is {device.value} by {device.place}; set it to cpu there"
        return Finding("torch", BROKEN, finding, advice)
    return Finding("torch", WORKS, f"{finding}; models run on {device.value}")


def _models(settings: Settings, patience_s: float) -> Iterator[tuple[str, float, Check]]:
    """Make a check for every slot; those that the built-in recipes use are needed for a build."""
    needed: dict[str, dict[str, None]] = {}
    for name in datasets.NAMES:
        for use in datasets.recipe(name).uses:
            if use.step.slot and use.model:
                needed.setdefault(use.step.slot, {})[use.model] = None
    for slot in dict.fromkeys(slot for slot, _ in backends.all_models()):
        check = partial(_slot, settings.home, slot, tuple(needed.get(slot, ())))
        yield f"model {slot}", patience_s, check


def _slot(home: backends.ModelHome, slot: str, needed: Sequence[str]) -> Finding:
    """Sort the models of a slot: they are here, downloaded at first use, or missing."""
    usable: list[str] = []
    fetched: list[str] = []
    missing: dict[str, StopRun] = {}
    for name in backends.names(slot):
        try:
            with backends.without_fetching():
                backends.identify(slot, name, home)
            usable.append(name)
        except StopRun as error:
            missing[name] = error
            if name not in home.paths and _only_weights_lack(slot, name):
                fetched.append(name)
    words = {"here": usable, "downloaded at first use": fetched}
    words["missing"] = [name for name in missing if name not in fetched]
    finding = "; ".join(f"{word}: {', '.join(names)}" for word, names in words.items() if names)
    what = f"model {slot}"
    unusable = [name for name in needed if name in missing] or ([] if usable else [*missing][:1])
    if not unusable:
        return Finding(what, WORKS, finding)
    name = next((name for name in unusable if name not in fetched), unusable[0])
    advice, fetch = str(missing[name]), name if backends.can_be_fetched(missing[name]) else ""
    if name not in fetched:
        return Finding(what, BROKEN if needed else ABSENT, finding, advice, fetch)
    # Of weights on the model hub it is known how another machine gets them; the others that are
    # downloaded come from the package index.
    how = getattr(missing[name], "how", "")
    problem = _no_way_to(is_on_hub=bool(how))
    if problem and not how:
        advice, fetch = f"get the weights of {name} where there is network", name
    elif problem:
        advice, fetch = how, ""
    elif fetch:
        advice = f"the weights of {name} are not here yet"
    state = BROKEN if problem and needed else ABSENT
    return Finding(what, state, f"{finding}{problem and f' ({problem})'}", advice, fetch)


def _only_weights_lack(slot: str, name: str) -> bool:
    """Check whether a model lacks nothing but weights, which it downloads by itself."""
    model = backends.backend_class(slot, name)
    has_packages = all(find_spec(module) for module in getattr(model, "needs", ()))
    return has_packages and backends.about(slot, name).fetched


def _no_way_to(*, is_on_hub: bool) -> str:
    """Tell why weights cannot be downloaded now; empty where they can, as far as is known."""
    if backends.is_offline():
        return "HF_HUB_OFFLINE is set"
    if not is_on_hub:
        return ""
    hub = urlsplit(os.environ.get("HF_ENDPOINT") or _HUB)
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy")):
        return ""
    try:
        port = hub.port or (443 if hub.scheme == "https" else 80)
        socket.create_connection((hub.hostname or "", port), timeout=_PATIENCE_S / 2).close()
    except OSError as error:
        return f"{hub.hostname} cannot be reached: {error.strerror or error}"
    return ""


def _downloader() -> Finding:
    """Examine yt-dlp with its JavaScript runtime, without which a crawl reads no YouTube."""
    from symmv_builder.backends.ytdlp import toolchain

    try:
        toolchain.check_version()
        toolchain.check_javascript("deno")
    except StopRun as error:
        return Finding("downloader", ABSENT, "no crawl of YouTube", str(error))
    version = importlib.metadata.version("yt-dlp")
    return Finding("downloader", WORKS, f"yt-dlp {version} with deno")


def _prefect(env: Mapping[str, str]) -> Finding:
    what = "Prefect's server"
    url = env.get("PREFECT_API_URL", "").rstrip("/")
    if not url:
        return Finding(what, WORKS, "none is named: a flow that is run starts one of its own")
    try:
        with urllib.request.urlopen(f"{url}/admin/version", timeout=_PATIENCE_S / 2) as answer:
            version = json.load(answer)
    except (OSError, ValueError) as error:
        advice = "start it (prefect server start), or correct or unset PREFECT_API_URL"
        cause = " ".join(str(error).split())
        return Finding(what, BROKEN, f"{shown_url(url)}: {cause}", advice)
    return Finding(what, WORKS, f"{version} at {shown_url(url)}")


def _extra(name: str) -> Finding:
    missing = []
    for package in sorted(extras()[name]):
        try:
            importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            missing.append(package)
    what = f"extra {name}"
    if missing:
        cause = f"{len(missing)} packages are not installed: {', '.join(missing)}"
        return Finding(what, ABSENT, cause, f"pip install '{THIS}[{name}]'")
    return Finding(what, WORKS, "installed")
