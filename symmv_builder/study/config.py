"""The file of a study, read strictly: every mistake is named with its line and its key.

```toml
title = "Which music suits the video?"
models = ["pieces/ours", "pieces/cmt"]  # a folder of MP4s each; its name is the model's
questions = "symmv"                     # symmv, video2music, v2meow or gvmgen
raters = 24                             # how many are expected; each gets an order of its own
seed = 7

trials = 12                             # most pairs or pieces for one rater; 0: all
against = "ours"                        # every pair has this model in it; "": every pair of models
table = "videos.csv"                    # columns video,genre
hear = 0.8                              # share of a piece to be heard before answers; 0: none
attention = 2                           # checks; a rater who misses more than `misses` is left out
misses = 0
headphones = "ask"                      # off, ask (counted), require (who fails is left out)
consent = "..."

[[question]]                            # questions of one's own, after those of the preset
name = "calm"
text = "Which is calmer?"
kind = "pair"                           # pair, rating, series
points = 5
low = "not at all"                      # of rating and series
high = "very"
experts = false
```
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.errors import CannotRead, NoSuchPath
from symmv_builder.study.questions import KINDS, MOST_POINTS, PRESETS, Question
from symmv_builder.text import clean_line, clean_text
from symmv_builder.toml_text import TomlReader, read_toml

HEADPHONES = ("off", "ask", "require")
MOST_RATERS = 10_000
MOST_TRIALS = 1_000
CONSENT = (
    "Taking part is voluntary, and you can stop at any moment. We keep your answers, the time that "
    "each took, and whether you have musical training; not your name or your address. The answers "
    "are used for research and may be published."
)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_KEYS = (
    "title", "models", "questions", "raters", "seed", "trials", "against", "table", "hear",
    "attention", "misses", "headphones", "consent", "question",
)  # fmt: skip
_QUESTION_KEYS = ("name", "heading", "text", "kind", "points", "low", "high", "experts")


@dataclass(frozen=True, slots=True)
class Config:
    """What a study is to be; `models` are folders by name, `table` is a CSV file or `None`."""

    title: str
    models: Mapping[str, Path]
    questions: tuple[Question, ...]
    preset: str
    raters: int
    seed: int
    trials: int
    against: str
    table: Path | None
    hear: float
    attention: int
    misses: int
    headphones: str
    consent: str


def read_config(path: Path) -> Config:
    """The study that a file asks for; `StopRun` with line and key of what is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NoSuchPath(path) from error
    except (OSError, UnicodeDecodeError) as error:
        raise CannotRead(path, str(error)) from error
    return _Reader(text, str(path)).config(read_toml(text, str(path)), path.parent)


class _Reader(TomlReader):
    what = "a study"

    def config(self, table: Mapping[str, Any], folder: Path) -> Config:
        self.known(table, _KEYS, ())
        models: dict[str, Path] = {}
        for place in self.names(table, "models"):
            path = folder / Path(place).expanduser()
            if not path.is_dir():
                raise self.wrong(("models",), f"{place!r} is not a folder")
            name = clean_line(path.resolve().name)
            if name in models:
                raise self.wrong(("models",), f"two folders are called {name!r}")
            models[name] = path
        if not models:
            raise self.wrong(("models",), "a study needs the folder of one model at least")
        preset = self.typed(table, "questions", str, "")
        if preset:
            self.choice(table, "questions", tuple(PRESETS), None)
        questions = (*PRESETS.get(preset, ()), *self.own_questions(table))
        against = self.typed(table, "against", str, "")
        if against:
            self.choice(table, "against", tuple(models), None)
        config = Config(
            title=clean_line(self.typed(table, "title", str, "A listening study")),
            models=models,
            questions=questions,
            preset=preset,
            raters=self.number(table, "raters", 1, MOST_RATERS, 24),
            seed=self.number(table, "seed", 0, 2**31 - 1, 0),
            trials=self.number(table, "trials", 0, MOST_TRIALS, 0),
            against=against,
            table=self.file(table, "table", folder),
            hear=self.share(table, "hear", 0.8),
            attention=self.number(table, "attention", 0, 20, 2),
            misses=self.number(table, "misses", 0, 20, 0),
            headphones=self.choice(table, "headphones", HEADPHONES, "ask"),
            consent=clean_text(self.typed(table, "consent", str, CONSENT)).strip(),
        )
        self.check_questions(config)
        return config

    def check_questions(self, config: Config) -> None:
        questions = config.questions
        if not questions:
            raise self.wrong(("questions",), "no question is asked: name a preset, or write some")
        names = [question.name for question in questions]
        for name in names:
            if names.count(name) > 1:
                raise self.wrong(("question", "name"), f"two questions are called {name!r}")
        if len(config.models) < 2 and any(question.kind == "pair" for question in questions):
            raise self.wrong(("models",), "questions of pairs need the folders of two models")

    def own_questions(self, table: Mapping[str, Any]) -> list[Question]:
        questions = []
        for row in self.typed(table, "question", list, []):
            if not isinstance(row, dict):
                raise self.wrong(("question",), "each question is a table, [[question]]")
            where = ("question",)
            self.known(row, _QUESTION_KEYS, where)
            name = self.typed(row, "name", str, None, where)
            if not _NAME.fullmatch(name):
                raise self.wrong((*where, "name"), f"{name!r} should be like overall_quality")
            [kind] = [
                each for each in KINDS if each == self.choice(row, "kind", KINDS, "pair", where)
            ]
            points = self.number(row, "points", 2, MOST_POINTS, 5 if kind == "pair" else 7, where)
            text = clean_line(self.typed(row, "text", str, None, where))
            heading = clean_line(self.typed(row, "heading", str, name, where))
            low = clean_line(self.typed(row, "low", str, "very poor", where))
            high = clean_line(self.typed(row, "high", str, "very good", where))
            experts = self.typed(row, "experts", bool, False, where)
            questions.append(Question(name, heading, text, kind, points, low, high, experts))
        return questions

    def number(
        self, table: Mapping[str, Any], key: str, least: int, most: int, default: int,
        path: tuple[str, ...] = (),
    ) -> int:  # fmt: skip
        value: int = self.typed(table, key, int, default, path)
        if not least <= value <= most:
            raise self.wrong((*path, key), f"{value} should lie between {least} and {most}")
        return value

    def share(self, table: Mapping[str, Any], key: str, default: float) -> float:
        value = table.get(key, default)
        if type(value) not in (int, float) or not 0 <= value <= 1:
            raise self.wrong((key,), f"{value!r} should be a number between 0 and 1")
        return float(value)

    def file(self, table: Mapping[str, Any], key: str, folder: Path) -> Path | None:
        place: str = self.typed(table, key, str, "")
        if not place:
            return None
        path = folder / Path(place).expanduser()
        if not path.is_file():
            raise self.wrong((key,), f"{place!r} is not a file")
        return path
