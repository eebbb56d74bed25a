"""What other packages add, by entry points: steps, backends, recipes, trainers, importers.

A package names what it adds in groups (``symmv_builder.steps`` and so on) of its `pyproject.toml`:

```toml
[project.entry-points."symmv_builder.steps"]
brightness = "my_package.brightness:STEP"
```

What this package brings goes before what others call the same. Nothing of a plug-in is imported
until its name is asked for, and one that cannot be used stops only what asks for it.
"""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from typing import Any

from symmv_builder.errors import StopRun
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
    """One thing that another package adds; `target` is ``module`` or ``module:attribute``."""

    group: str
    name: str
    target: str
    package: str

    def broken(self, why: str) -> StopRun:
        """The error that names this plug-in, its package and what is wrong, in one line."""
        what = f"the {GROUPS[self.group]} {self.name} of the package {self.package}"
        return StopRun(clean_line(f"{what} cannot be used: {why}"))


@lru_cache(maxsize=len(GROUPS))
def plugins(group: str) -> Mapping[str, Plugin]:
    """The plug-ins of a group by name; of two of one name the first by the package's name."""
    entries = metadata.entry_points(group=f"symmv_builder.{group}")
    found = [
        Plugin(group, entry.name, entry.value, entry.dist.name if entry.dist else "unknown")
        for entry in entries
    ]
    return {plugin.name: plugin for plugin in sorted(found, key=lambda p: p.package, reverse=True)}


def load(plugin: Plugin, kind: type | None = None) -> Any:
    """What a plug-in names; `StopRun` with its name and package where that is no `kind`.

    Whatever its import raises is the fault of its package, and told in one line.
    """
    module, _, attribute = plugin.target.partition(":")
    try:
        found = importlib.import_module(module)
        value = getattr(found, attribute) if attribute else found
    except Exception as error:
        raise plugin.broken(f"{type(error).__name__}: {error}") from error
    if kind is not None and not isinstance(value, kind):
        raise plugin.broken(f"{plugin.target} is no {kind.__name__}")
    return value
