"""What yt-dlp needs beside itself: a runtime for JavaScript, and a program that merges."""

import importlib.util
import sys
from pathlib import Path
from typing import Any

from symmv_builder.backends.ytdlp.failures import ToolchainBroken
from symmv_builder.errors import MissingPackage, StopRun, UnknownName
from symmv_builder.packages import is_installed, not_installed

_OLDEST = (2026, 7, 4)
_RUNTIMES = ("deno", "node", "bun", "quickjs")


def check_version() -> None:
    """Raise `StopRun` where yt-dlp is missing, or so old that it has known security holes."""
    if not is_installed("yt_dlp"):
        raise not_installed("yt_dlp", "crawl")
    from yt_dlp.version import __version__

    if tuple(int(part) for part in __version__.split(".")[:3]) < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        problem = f"yt-dlp {__version__} has known holes; {oldest} is the oldest that is used"
        raise MissingPackage("yt-dlp", "pip install --upgrade yt-dlp", problem)


def runtime_options(name: str) -> dict[str, str]:
    """Find a JavaScript runtime: beside our Python, as a package puts it, else on the PATH."""
    beside = Path(sys.executable).parent / name
    return {"path": str(beside)} if beside.is_file() else {}


def check_javascript(name: str) -> None:
    """Raise `StopRun` where the runtime, or the scripts that it runs for yt-dlp, are missing."""
    if name not in _RUNTIMES:
        raise UnknownName("JavaScript runtime", name, tuple(_RUNTIMES))
    from yt_dlp import YoutubeDL
    from yt_dlp.globals import supported_js_runtimes

    YoutubeDL({"quiet": True}, auto_init=False)
    info: Any = supported_js_runtimes.value[name](**runtime_options(name)).info
    if info is None or not info.supported:
        old = f" ({info.version} is too old)" if info is not None else ""
        raise ToolchainBroken(
            f"YouTube cannot be read without the JavaScript runtime {name}{old}; "
            "run: pip install deno"
        )
    if importlib.util.find_spec("yt_dlp_ejs") is None:
        raise ToolchainBroken(
            "YouTube cannot be read without the scripts of yt-dlp-ejs; run: pip install yt-dlp-ejs"
        )


def merging_program() -> Path | None:
    """Find the ffmpeg that the package imageio-ffmpeg carries, `None` where it is not installed."""
    if importlib.util.find_spec("imageio_ffmpeg") is None:
        return None
    try:
        return Path(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    except RuntimeError:
        return None


def load_demo_extractors() -> None:
    """Make yt-dlp know the loopback site, once a process, by its own way of loading plugins."""
    from importlib import invalidate_caches

    import yt_dlp.extractor
    from yt_dlp.globals import extractors, plugin_dirs, plugin_specs
    from yt_dlp.plugins import load_plugins

    yt_dlp.extractor.import_extractors()
    if "SymmvDemoIE" in extractors.value:
        return
    before = plugin_dirs.value
    plugin_dirs.value = [str(Path(__file__).resolve().parent)]
    invalidate_caches()
    try:
        load_plugins(plugin_specs.value["extractor"])
    finally:
        plugin_dirs.value = before
        invalidate_caches()
    if "SymmvDemoIE" not in extractors.value:
        raise StopRun("yt-dlp loads no plugins (YTDLP_NO_PLUGINS): the demo's site needs one")
