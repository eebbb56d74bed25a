"""Where things are on this machine, read from the environment; never part of a key.

========================  =====================================================
``SYMMV_ROOT``            data root, a folder or an fsspec url (default ``data``)
``SYMMV_MANIFESTS``       where entries, splits and blocklist are (default: the data root)
``SYMMV_LEDGER``          SQLAlchemy url of the ledger (default: SQLite in a local root)
``SYMMV_DEVICE``          where models run: ``cpu`` (default), ``cuda``, ``cuda:1``
``SYMMV_PRECISION``       of CLIP: ``fp32`` (default), ``fp16``, ``bf16``
``SYMMV_SITES``           sites to crawl (default ``youtube,bilibili``)
``SYMMV_PROXY``           proxy of the crawl; never logged
``SYMMV_COOKIES``         cookies file of the crawl, Netscape format; never logged
``SYMMV_RATE``            most bytes a second of a download
``SYMMV_MODEL_<NAME>``    path of a backend's weights, folder or interpreter; the name in
                          capitals with ``_``, as in ``SYMMV_MODEL_VIT_B_32``
========================  =====================================================
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from symmv_builder.backends import ModelHome, all_models
from symmv_builder.errors import StopRun

if TYPE_CHECKING:
    from symmv_builder.backends.ytdlp import Downloader
    from symmv_builder.storage.ledger import Ledger
    from symmv_builder.storage.root import Root
    from symmv_builder.storage.store import Store

PRECISIONS = ("fp32", "fp16", "bf16")


@dataclass(frozen=True, slots=True)
class Settings:
    """The environment, checked."""

    root: str = field(repr=False)
    manifests: str = field(repr=False)
    ledger: str = field(repr=False)
    home: ModelHome
    sites: tuple[str, ...] = ("youtube", "bilibili")
    proxy: str = field(default="", repr=False)
    cookies: str = field(default="", repr=False)
    bytes_a_second: int | None = None

    def open_site(self) -> "Downloader":
        """The downloader behind the crawl, its toolchain checked; `StopRun` if that is broken."""
        from symmv_builder.backends.ytdlp import CANARY, LOOPBACK, Downloader, Politeness

        if self.sites == ("demo",):
            return Downloader(LOOPBACK, sites=self.sites)
        politeness = Politeness(
            proxy=self.proxy,
            cookies=Path(self.cookies) if self.cookies else None,
            bytes_a_second=self.bytes_a_second,
        )
        canary = CANARY if "youtube" in self.sites else None
        downloader = Downloader(politeness, sites=self.sites, canary=canary)
        downloader.check_toolchain()
        return downloader

    def open_manifests(self) -> "Root":
        """Where entries, splits, blocklist and the datasets' recipes are; makes nothing."""
        from symmv_builder.storage.root import Root

        return Root(self.manifests or self.root)

    def open_store(self, *, read_only: bool = False) -> "Store":
        """The data root with its manifests and ledger.

        With `read_only` nothing is made or written, a root that is not there is an empty one, and
        the ledger is opened when it is first asked for.
        """
        from symmv_builder.storage.root import Root
        from symmv_builder.storage.store import Store

        root = Root(self.root)
        manifests = Root(self.manifests) if self.manifests else root
        ledger = partial(self._open_ledger, root, read_only=read_only)
        return Store(root, manifests, ledger if read_only else ledger())

    def _open_ledger(self, root: "Root", *, read_only: bool) -> "Ledger":
        """The ledger; who writes makes a local root's folder where it is missing."""
        from symmv_builder.storage.ledger import Ledger

        url = self.ledger
        if not url:
            if not root.is_local:
                raise StopRun(
                    f"the data root {root.shown} is remote: set SYMMV_LEDGER to a database "
                    "url, for example sqlite:////path/to/ledger.sqlite"
                )
            folder = Path(root.path(""))
            if not read_only:
                _make_folder(folder)
            url = f"sqlite:///{folder.resolve() / 'ledger.sqlite'}"
        return Ledger(url, read_only=read_only)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StopRun(f"cannot make the data root {folder}: {error.strerror}") from error


def read_settings(
    environment: Mapping[str, str] | None = None, *, root: str | None = None
) -> Settings:
    """Settings out of the environment; `root` given on the command line goes first."""
    env = os.environ if environment is None else environment
    precision = env.get("SYMMV_PRECISION", "fp32")
    if precision not in PRECISIONS:
        raise StopRun(f"SYMMV_PRECISION is {precision!r}; it can be {', '.join(PRECISIONS)}")
    device = env.get("SYMMV_DEVICE", "cpu")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", device):
        raise StopRun(f"SYMMV_DEVICE is {device!r}; it can be cpu, cuda or cuda:N")
    return Settings(
        root=root or env.get("SYMMV_ROOT", "data"),
        manifests=env.get("SYMMV_MANIFESTS", ""),
        ledger=env.get("SYMMV_LEDGER", ""),
        home=ModelHome(device=device, precision=precision, paths=_model_paths(env)),
        sites=tuple(filter(None, env.get("SYMMV_SITES", "youtube,bilibili").split(","))),
        proxy=env.get("SYMMV_PROXY", ""),
        cookies=env.get("SYMMV_COOKIES", ""),
        bytes_a_second=_rate(env.get("SYMMV_RATE", "")),
    )


def _rate(text: str) -> int | None:
    if text and not re.fullmatch(r"[1-9]\d{0,11}", text):
        raise StopRun(f"SYMMV_RATE is {text!r}; it is a number of bytes a second")
    return int(text) if text else None


def _model_paths(env: Mapping[str, str]) -> dict[str, str]:
    paths: dict[str, str] = {}
    if not any(variable.startswith("SYMMV_MODEL_") for variable in env):
        return paths
    for name in sorted({name for _, name in all_models()}):
        variable = "SYMMV_MODEL_" + name.upper().replace("-", "_")
        if env.get(variable):
            paths[name] = env[variable]
        if env.get(variable + "_SHA256"):
            paths[name + ".sha256"] = env[variable + "_SHA256"]
    return paths
