"""The configuration files: `symmv.toml` in the data root or the current folder, and the user's own.

```toml
root = "data"                     # paths count from the folder of this file
device = "cuda:0"
sites = ["youtube"]
rate = 2000000                    # bytes a second

[models]                          # by the names that `symmv models` prints
vit-b-32 = "weights/clip-b32"

[models_sha256]
vit-b-32 = "8e7a..."
```
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.errors import CannotRead
from symmv_builder.toml_text import TomlReader, line_of, read_toml

NAME = "symmv.toml"
# Keys whose values are places: a relative one counts from the folder of the file.
_PLACES = ("root", "manifests", "cookies")
_TEXTS = (*_PLACES, "ledger", "device", "precision", "proxy")
_TABLES = ("models", "models_sha256")
_KEYS = (*_TEXTS, "sites", "rate", *_TABLES)


@dataclass(frozen=True, slots=True)
class SettingText:
    """A value as the environment would hold it, and where it stands: ``FILE, line N``."""

    text: str
    where: str


def read_file(path: Path) -> dict[str, SettingText]:
    """Read what a file sets, by key; ``models.NAME`` for a model. `StopRun` with line and key."""
    try:
        text = path.read_text(encoding="utf-8")
    # A root that is no folder has no file either; what is wrong with it, its reader says.
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRead(path, str(error)) from error
    return _Reader(text, str(path), path.parent).settings(read_toml(text, str(path)))


class _Reader(TomlReader):
    """Turns the tables of a configuration file into texts."""

    what = "a configuration file"

    def __init__(self, text: str, where: str, folder: Path) -> None:
        super().__init__(text, where)
        self.folder = folder.absolute()

    def settings(self, table: Mapping[str, Any]) -> dict[str, SettingText]:
        self.known(table, _KEYS, ())
        settings = {}
        for key in table:
            if key in _TABLES:
                for name in self.typed(table, key, dict):
                    value = self.typed(table[key], name, str, path=(key,))
                    settings[f"{key}.{name}"] = self.setting_text(
                        (key, name), self.absolute(value) if key == "models" else value
                    )
            elif key == "sites":
                settings[key] = self.setting_text((key,), ",".join(self.names(table, key)))
            elif key == "rate":
                settings[key] = self.setting_text((key,), str(self.typed(table, key, int)))
            else:
                value = self.typed(table, key, str)
                settings[key] = self.setting_text(
                    (key,), self.absolute(value) if key in _PLACES else value
                )
        return settings

    def setting_text(self, path: tuple[str, ...], text: str) -> SettingText:
        line = line_of(self.text, path)
        return SettingText(text, f"{self.where}, line {line}" if line else self.where)

    def absolute(self, value: str) -> str:
        """Give a place as it is from anywhere; a url stays as it is."""
        if not value or "://" in value:
            return value
        return str(self.folder / Path(value).expanduser())
