"""The key of a study: what is behind the names that raters see. It never lies in the site."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from symmv_builder.errors import MalformedFile, NoSuchPath
from symmv_builder.files import read_json
from symmv_builder.study.plan import Session, Shown, Unit
from symmv_builder.study.questions import Question

FORMAT = "symmv-study/1"
KEY, SITE, ANSWERS = "key.json", "site", "answers"


@dataclass(frozen=True, slots=True)
class Key:
    """A study as it was made.

    `trials` are the units by the names that answers call them, in the order of their numbers;
    `checks` the right count of each check, by its name; `quietest` the right answer, 1 to 3, of
    each headphone trial. `models` stand in the order of the study's file.
    """

    study: str
    title: str
    preset: str
    questions: tuple[Question, ...]
    trials: Mapping[str, Unit]
    sessions: tuple[Session, ...]
    checks: Mapping[str, int]
    quietest: tuple[int, ...]
    headphones: str
    misses: int
    genres: Mapping[str, str]
    models: tuple[str, ...] = ()

    def named(self, shown: Shown) -> str:
        """The name by which answers call what is shown."""
        names = list(self.checks if shown.unit < 0 else self.trials)
        return names[shown.check if shown.unit < 0 else shown.unit]


def write_key(folder: Path, key: Key) -> None:
    (folder / KEY).write_text(json.dumps({"format": FORMAT, **asdict(key)}) + "\n")


def read_key(folder: Path) -> Key:
    """The key of the study in a folder; `StopRun` where there is none, or it is damaged."""
    path = folder / KEY
    if not path.is_file():
        raise NoSuchPath(folder, "folder of a study")
    content = read_json(path)
    try:
        if content.pop("format") != FORMAT:
            raise MalformedFile(path, f"this is not the key of a study ({FORMAT})")
        content["questions"] = tuple(Question(**each) for each in content["questions"])
        content["trials"] = {name: _unit(each) for name, each in content["trials"].items()}
        content["sessions"] = tuple(
            tuple(Shown(**shown) for shown in session) for session in content["sessions"]
        )
        content["quietest"] = tuple(content["quietest"])
        content["models"] = tuple(content.get("models", ()))
        return Key(**content)
    except (LookupError, TypeError, AttributeError) as error:
        raise MalformedFile(path, f"this is not the key of a study: {error!r}") from error


def _unit(fields: Mapping[str, Any]) -> Unit:
    pieces = tuple((str(model), str(video)) for model, video in fields["pieces"])
    return Unit(fields["kind"], fields["video"], pieces)
