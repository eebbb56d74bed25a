"""Answers of raters, read as the strangers' files that they are.

A file is JSON with the state of one rater, or JSON lines of which each is a later state of the same
one, as the answer store keeps them. Nothing in it is believed that the key of the study does not
know; where pieces stood is looked up in the key and not in the file.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.errors import NoSuchPath, StopRun
from symmv_builder.files import parse_json, read_text
from symmv_builder.study.key import Key
from symmv_builder.study.plan import Shown
from symmv_builder.study.tones import HEADPHONE_PASSES, MOST_COUNTED

FORMAT = "symmv-study-answers/1"
RATER = re.compile(r"[0-9a-f]{32}")
SUFFIXES = (".json", ".jsonl")


@dataclass(frozen=True, slots=True)
class Rater:
    """What one rater said: of each trial that was judged the points by question.

    `missed` checks were answered wrongly or not at all; `headphones` is how many of the headphone
    trials were right, `None` where there were none.
    """

    rater: str
    session: int
    is_expert: bool
    judged: tuple[tuple[Shown, Mapping[str, int]], ...]
    missed: int
    headphones: int | None

    def fault(self, key: Key) -> str:
        """Why this rater is left out; empty where nothing speaks against it."""
        if self.missed > key.misses:
            return "attention"
        if key.headphones == "require" and (self.headphones or 0) < HEADPHONE_PASSES:
            return "headphones"
        return ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that holds no answers to this study, and why."""

    file: str
    reason: str


def read_answers(paths: Iterable[Path], key: Key) -> tuple[list[Rater], list[Refusal]]:
    """The raters of files and folders, by their names; of two files of one the fuller counts.

    `StopRun` where a path is not there.
    """
    raters: dict[str, Rater] = {}
    refused = []
    for path in _files(paths):
        try:
            rater = _rater(_last(read_text(path)), key)
        except (ValueError, StopRun) as error:
            refused.append(Refusal(path.name, str(error)))
            continue
        previous = raters.get(rater.rater)
        if previous is None or len(previous.judged) <= len(rater.judged):
            raters[rater.rater] = rater
    return [raters[name] for name in sorted(raters)], refused


def _files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(each for each in path.iterdir() if each.suffix in SUFFIXES)
        elif path.is_file():
            yield path
        else:
            raise NoSuchPath(path)


def _last(text: str) -> Any:
    """The last whole state in a file: a store that was killed may have left half a line."""
    try:
        return parse_json(text)
    except ValueError:
        for line in reversed(text.splitlines()):
            with suppress(ValueError):
                if isinstance(state := parse_json(line), dict):
                    return state
        raise


def checked_state(state: Any, study: str) -> str:
    """The rater of a state; `ValueError` where it is none of this study."""
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise ValueError(f"these are no answers ({FORMAT})")
    if state.get("study") != study:
        raise ValueError("these are answers to another study")
    rater = state.get("rater")
    if not isinstance(rater, str) or not RATER.fullmatch(rater):
        raise ValueError("the rater is no name of 32 hexadecimal digits")
    return rater


def _rater(state: Any, key: Key) -> Rater:
    rater = checked_state(state, key.study)
    session, trials = state.get("session"), state.get("trials")
    if type(session) is not int or not 1 <= session <= len(key.sessions):
        raise ValueError(f"there is no session {session!r:.40}")
    if type(state.get("expert")) is not bool or not isinstance(trials, dict):
        raise ValueError("expert or trials are missing")
    pages = {key.named(each): each for each in key.sessions[session - 1]}
    if strange := set(trials) - set(pages):
        raise ValueError(f"{len(strange)} trials are not those of session {session}")
    judged, right = [], 0
    for name, each in pages.items():
        if name not in trials:
            continue
        answers = trials[name].get("answers") if isinstance(trials[name], dict) else None
        if not isinstance(answers, dict):
            raise ValueError(f"trial {name} has no answers")
        if each.unit < 0:
            right += _points(answers, "count", MOST_COUNTED) == key.checks[name]
        elif answers:
            judged.append((each, _judged(answers, key, name)))
    headphones = state.get("headphones")
    if not isinstance(headphones, list) or len(headphones) > len(key.quietest):
        raise ValueError("the answers of the headphone check are no list of its length")
    passes = sum(a == b for a, b in zip(headphones, key.quietest, strict=False))
    of_checks = sum(each.unit < 0 for each in pages.values())
    return Rater(
        rater, session, state["expert"], tuple(judged), of_checks - right,
        passes if key.quietest else None,
    )  # fmt: skip


def _judged(answers: Mapping[str, Any], key: Key, name: str) -> dict[str, int]:
    questions = {q.name: q for q in key.questions if q.kind == key.trials[name].kind}
    if not set(answers) <= set(questions):
        raise ValueError(f"trial {name} answers what was not asked")
    return {
        question: _points(answers, question, questions[question].points) for question in answers
    }


def _points(answers: Mapping[str, Any], name: str, most: int) -> int:
    value = answers.get(name)
    if type(value) is not int or not 1 <= value <= most:
        raise ValueError(f"{name} is {value!r:.40}, not a number from 1 to {most}")
    return value
