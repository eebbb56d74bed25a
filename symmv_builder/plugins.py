"""What other packages add, by entry points: steps, backends, recipes, trainers, importers.

A package names what it adds in groups (``symmv_builder.steps`` and so on) of its `pyproject.toml`:

```toml
[project.entry-points."symmv_builder.steps"]
brightness = "my_package.brightness:STEP"
```

What this package brings goes before what others call the same. Nothing of a plug-in is imported
until its name is asked for, and one that cannot be used stops only what asks for it. What two
packages call the same is neither's: it is refused when it is asked for.
"""

import importlib
import sys
import sysconfig
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from symmv_builder.errors import PluginBroken, SymMVError
from symmv_builder.text import clean_line

# Group to what one of it is called.
GROUPS: Mapping[str, str] = {
    "steps": "step",
    "backends": "backend",
    "recipes": "recipe",
    "trainers": "trainer",
    "importers": "importer",
}


@dataclass(frozen=True, slots=True)
class Plugin:
    """One thing that another package adds; `target` is ``module`` or ``module:attribute``.

    `is_rival` where several packages add it; `package` then names them all.
    """

    group: str
    name: str
    target: str
    package: str
    is_rival: bool = False

    def broken(self, why: str) -> PluginBroken:
        """Make the error that names this plug-in, its package and what is wrong, in one line."""
        return PluginBroken(GROUPS[self.group], self.name, self.package, clean_line(why))


@cache
def installed() -> Mapping[str, Mapping[str, Plugin]]:
    """List all plug-ins by group and name; one that several packages add names all of them.

    One look at every installed package, however many groups are asked for.
    """
    by_group: dict[str, dict[str, Plugin]] = {group: {} for group in GROUPS}
    entries = metadata.entry_points()
    for group, by_name in by_group.items():
        mine = entries.select(group=f"symmv_builder.{group}")
        for entry in sorted(mine, key=lambda entry: entry.dist.name if entry.dist else ""):
            package = entry.dist.name if entry.dist else "unknown"
            if entry.name in by_name:
                first = by_name[entry.name]
                packages = f"{first.package}, {package}"
                by_name[entry.name] = Plugin(
                    group, entry.name, first.target, packages, is_rival=True
                )
            else:
                by_name[entry.name] = Plugin(group, entry.name, entry.value, package)
    return by_group


def plugins(group: str) -> Mapping[str, Plugin]:
    """List the plug-ins of a group by name."""
    return installed()[group]


def find(group: str, name: str) -> Plugin | None:
    """Find the plug-in of a name, `None` where there is none; `StopRun` where several add it.

    Their results would share keys, so none of them goes first.
    """
    plugin = plugins(group).get(name)
    if plugin is not None and plugin.is_rival:
        problem = "it is in several packages, uninstall all but one"
        raise PluginBroken(GROUPS[group], name, plugin.package, problem)
    return plugin


@contextmanager
def blaming(plugin: Plugin | None) -> Iterator[None]:
    """Tell whatever a plug-in's code raises here in one line that names the plug-in (`StopRun`).

    What it prints goes to standard error, so that answers for programs stay whole. An exit is told
    too; what is raised on purpose (`SymMVError`) passes, and an interrupt does.
    Without a plug-in everything passes: this package's own bugs show their traceback.
    """
    if plugin is None:
        yield
        return
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (SymMVError, KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:
        raise plugin.broken(f"{type(error).__name__}: {error}{_place(error)}") from error


def _place(error: BaseException) -> str:
    """File and line of the plug-in's code that raised an error; empty where none of it did."""
    passed = (str(Path(__file__).parent), "<")
    library = sysconfig.get_path("stdlib")
    frames = traceback.extract_tb(error.__traceback__)
    theirs = [
        frame
        for frame in frames
        if not frame.filename.startswith(passed)
        and ("site-packages" in frame.filename or not frame.filename.startswith(library))
    ]
    return f" ({Path(theirs[-1].filename).name}, line {theirs[-1].lineno})" if theirs else ""


def load(plugin: Plugin, kind: type | None = None) -> Any:
    """Load what a plug-in names; `StopRun` with its name and package where that is no `kind`.

    Whatever its import raises is the fault of its package, and told in one line.
    """
    module, _, attribute = plugin.target.partition(":")
    with blaming(plugin):
        loaded = importlib.import_module(module)
        value = getattr(loaded, attribute) if attribute else loaded
    if kind is not None and not isinstance(value, kind):
        raise plugin.broken(f"{plugin.target} is no {kind.__name__}")
    return value
