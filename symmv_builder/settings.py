"""Where things are on this machine; never part of a key.

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

A configuration file has the same settings without ``SYMMV_`` and in small letters
(`settings_file`). What is said first holds: on the command line, in the environment, in
`symmv.toml` of the data root, in that of the current folder, in the user's own
(``$XDG_CONFIG_HOME/symmv/config.toml``), the default.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from symmv_builder.backends import PROGRAMS, ModelHome, all_models, variable_of
from symmv_builder.errors import CannotWrite, MalformedFile, StoreUnusable, WrongSetting
from symmv_builder.settings_file import NAME, SettingText, read_file
from symmv_builder.text import suggestions

if TYPE_CHECKING:
    from symmv_builder.backends.ytdlp import Downloader
    from symmv_builder.storage.ledger import Ledger
    from symmv_builder.storage.root import Root
    from symmv_builder.storage.store import Store

PRECISIONS = ("fp32", "fp16", "bf16")
# The ledger of a local root that has none elsewhere.
_LEDGER = "ledger.sqlite"


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of environment and files, checked; `given` names what is not the default."""

    root: str = field(repr=False)
    manifests: str = field(repr=False)
    ledger: str = field(repr=False)
    home: ModelHome
    sites: tuple[str, ...] = ("youtube", "bilibili")
    proxy: str = field(default="", repr=False)
    cookies: str = field(default="", repr=False)
    bytes_a_second: int | None = None
    given: frozenset[str] = frozenset()

    @property
    def named_root(self) -> str | None:
        """The data root as a command that is typed elsewhere names it; `None` for the default."""
        return self.root if "root" in self.given else None

    def open_site(self) -> "Downloader":
        """Open the downloader behind the crawl; `StopRun` where a program that it needs is missing.

        Nothing is asked of a site yet.
        """
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
        """Open where entries, splits, blocklist and the datasets' recipes are; makes nothing."""
        from symmv_builder.storage.root import Root

        return Root(self.manifests or self.root)

    def open_store(self, *, read_only: bool = False) -> "Store":
        """Open the data root with its manifests and ledger.

        With `read_only` nothing is made or written, a root that is not there is an empty one, and
        the ledger is opened when it is first asked for.
        """
        from symmv_builder.storage.outcomes import LedgerFile
        from symmv_builder.storage.root import Root
        from symmv_builder.storage.store import Store

        root = Root(self.root)
        manifests = Root(self.manifests) if self.manifests else root
        ledger = partial(self._open_ledger, root, read_only=read_only)
        if not read_only:
            return Store(root, manifests, ledger())
        in_root = not self.ledger and root.is_local
        return Store(root, manifests, ledger, LedgerFile(_ledger_file(root)) if in_root else None)

    def open_standing(self) -> "Store":
        """Open the store for a command that changes what is there, and makes no data root.

        Where a local root holds neither a ledger nor a dataset it is an empty one in memory, so
        that the command itself finds nothing, and leaves nothing behind.
        """
        from symmv_builder.storage.manifests import datasets

        empty = self.open_store(read_only=True)
        root = empty.root
        is_there = (
            bool(self.ledger)
            or not root.is_local
            or root.exists(_LEDGER)
            or any(root.exists(f"{name}/dataset.json") for name in root.folders(""))
            or bool(datasets(empty.manifests))
        )
        return self.open_store() if is_there else empty

    def _open_ledger(self, root: "Root", *, read_only: bool) -> "Ledger":
        """Open the ledger; who writes makes a local root's folder where it is missing."""
        from symmv_builder.storage.ledger import Ledger

        url = self.ledger
        if not url:
            if not root.is_local:
                raise StoreUnusable(
                    f"the data root {root.shown}",
                    "it is remote: set SYMMV_LEDGER to a database url, for example "
                    "sqlite:////path/to/ledger.sqlite",
                )
            if not read_only:
                _make_folder(Path(root.path("")))
            url = f"sqlite:///{_ledger_file(root)}"
        return Ledger(url, read_only=read_only)


def _ledger_file(root: "Root") -> Path:
    """Give the place of the ledger of a local root."""
    return Path(root.path("")).resolve() / _LEDGER


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CannotWrite(f"the data root {folder}", error.strerror or str(error)) from error


@dataclass(frozen=True, slots=True)
class Setting:
    """A value as it was found, and where: `source` is its default, a flag, a variable or a file."""

    name: str
    variable: str
    value: str
    source: str
    meaning: str
    is_secret: bool = False

    @property
    def place(self) -> str:
        """Say where the value stands: a file with its line, a variable, a flag."""
        is_variable = self.source.startswith("environment ")
        return f"the environment variable {self.variable}" if is_variable else self.source

    def wrong(self, rule: str) -> WrongSetting:
        """Make the error for a value that cannot be, named as its writer called it."""
        if self.source.startswith("environment"):
            return WrongSetting(self.variable, self.value, rule)
        return WrongSetting(self.name, self.value, rule, where=self.source)


DEFAULT = "default"
# Name, default, meaning; the names of `_SECRETS` are never printed.
_SETTINGS = (
    ("root", "data", "data root, a folder or an fsspec url"),
    ("manifests", "", "where entries, splits and blocklist are; the data root where empty"),
    ("ledger", "", "SQLAlchemy url of the ledger; SQLite in a local root where empty"),
    ("device", "cpu", "where models run: cpu, cuda, cuda:N"),
    ("precision", "fp32", "of CLIP: fp32, fp16, bf16"),
    ("sites", "youtube,bilibili", "sites to crawl"),
    ("proxy", "", "proxy of the crawl"),
    ("cookies", "", "cookies file of the crawl, Netscape format"),
    ("rate", "", "most bytes a second of a download"),
)
_SECRETS = ("proxy", "cookies")
# Variables that are no settings: of `symmv web`, of the demo's site, and of tests.
_OTHER_VARIABLES = ("SYMMV_WEB_TOKEN", "SYMMV_DEMO_SITE", "SYMMV_SHARED")
_OF_TESTS = ("SYMMV_TEST_", "SYMMV_TOY_")


def find_settings(
    environment: Mapping[str, str] | None = None, *, root: str | Path | None = None
) -> dict[str, Setting]:
    """Find every setting by name, with where it comes from; models as ``models.NAME``, if given.

    `root` is that of the command line. `StopRun` with line and key for a file that is wrong.
    """
    root = str(root) if root else None
    env = os.environ if environment is None else environment
    user_path = user_file(env)
    beside, own = read_file(Path(NAME)), read_file(user_path) if user_path else {}
    place = root or env.get("SYMMV_ROOT") or _text(beside, "root") or _text(own, "root") or "data"
    if "://" not in place and Path(place).resolve() != Path().resolve():
        in_root = read_file(Path(place) / NAME)
        if "root" in in_root:
            problem = "a file in the data root cannot name another one"
            raise MalformedFile(in_root["root"].where, problem, key="root")
        beside = {**beside, **in_root}
    for model in PROGRAMS:
        if named := beside.get(f"models.{model}"):
            problem = (
                f"a program to run is named in your own file ({user_path or 'config.toml'}) or by "
                f"{variable_of(model)}, not in a file that may have come with a folder"
            )
            raise MalformedFile(named.where, problem, key=f"models.{model}")
    files = {**own, **beside}
    flags = {"root": root} if root else {}
    settings = {}
    for name, default, meaning in _SETTINGS:
        settings[name] = _setting(
            name, f"SYMMV_{name.upper()}", default, meaning, flags, env, files
        )
    models = _model_names(env, files)
    for table, ending, meaning in (
        ("models", "", "weights, folder or interpreter of this model"),
        ("models_sha256", "_SHA256", "sha256 that these weights must have"),
    ):
        for model in models:
            variable = variable_of(model) + ending
            name = f"{table}.{model}"
            if env.get(variable) or name in files:
                settings[name] = _setting(name, variable, "", meaning, {}, env, files)
    return settings


def _setting(
    name: str,
    variable: str,
    default: str,
    meaning: str,
    flags: Mapping[str, str],
    env: Mapping[str, str],
    files: Mapping[str, SettingText],
) -> Setting:
    value, source = default, DEFAULT
    if name in flags:
        value, source = flags[name], f"flag --{name}"
    elif variable in env:
        value, source = env[variable], f"environment {variable}"
    elif name in files:
        value, source = files[name].text, files[name].where
    return Setting(name, variable, value, source, meaning, name in _SECRETS)


def _text(files: Mapping[str, SettingText], name: str) -> str:
    return files[name].text if name in files else ""


def user_file(environment: Mapping[str, str] | None = None) -> Path | None:
    """Find the user's own configuration file, as the XDG base directories say.

    `None` without a home.
    """
    env = os.environ if environment is None else environment
    folder = env.get("XDG_CONFIG_HOME") or (env.get("HOME") and f"{env['HOME']}/.config")
    return Path(folder) / "symmv" / "config.toml" if folder else None


def unknown_variables(environment: Mapping[str, str] | None = None) -> list[str]:
    """Say of each variable called ``SYMMV_...`` that nothing reads, and what may have been meant.

    A misspelt one changes nothing, and is no error: it may be of another version.
    """
    env = os.environ if environment is None else environment
    variables = [f"SYMMV_{name.upper()}" for name, _, _ in _SETTINGS] + list(_OTHER_VARIABLES)
    ours = sorted(name for name in env if name.startswith("SYMMV_"))
    unknown = [name for name in ours if name not in variables and not name.startswith(_OF_TESTS)]
    if unknown:
        models = sorted({variable_of(model) for _, model in all_models()})
        variables += [*models, *(f"{name}_SHA256" for name in models)]
    return [
        f"{name} is not known and changes nothing{suggestions(name, variables)}"
        for name in unknown
        if name not in variables
    ]


def _model_names(env: Mapping[str, str], files: Mapping[str, SettingText]) -> list[str]:
    """List the names of all models where any is set at all; `StopRun` for a file's unknown one."""
    named = {name: table for name, table in files.items() if name.startswith("models")}
    if not named and not any(variable.startswith("SYMMV_MODEL_") for variable in env):
        return []
    models = sorted({name for _, name in all_models()})
    for name, table in named.items():
        model = name.partition(".")[2]
        if model not in models:
            problem = f"no model is called so{suggestions(model, models)}"
            raise MalformedFile(table.where, problem, key=name)
    return models


def read_settings(
    environment: Mapping[str, str] | None = None, *, root: str | Path | None = None
) -> Settings:
    """Settings out of environment and files; `root` given on the command line goes first.

    `StopRun` for a value that cannot be, with where it stands.
    """
    settings = find_settings(environment, root=root)
    value = {name: each.value for name, each in settings.items()}
    if value["precision"] not in PRECISIONS:
        raise settings["precision"].wrong(f"it can be {', '.join(PRECISIONS)}")
    if not re.fullmatch(r"cpu|cuda(:\d+)?", value["device"]):
        raise settings["device"].wrong("it can be cpu, cuda or cuda:N")
    if value["rate"] and not re.fullmatch(r"[1-9]\d{0,11}", value["rate"]):
        raise settings["rate"].wrong("it has to be a number of bytes a second")
    paths = {}
    for name, text in value.items():
        table, _, model = name.partition(".")
        if model and text:
            paths[model + (".sha256" if table == "models_sha256" else "")] = text
    return Settings(
        root=value["root"],
        manifests=value["manifests"],
        ledger=value["ledger"],
        home=ModelHome(device=value["device"], precision=value["precision"], paths=paths),
        sites=tuple(filter(None, value["sites"].split(","))),
        proxy=value["proxy"],
        cookies=value["cookies"],
        bytes_a_second=int(value["rate"]) if value["rate"] else None,
        given=frozenset(name for name, each in settings.items() if each.source != DEFAULT),
    )
