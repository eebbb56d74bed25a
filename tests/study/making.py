"""A small study, and raters who say what a test lets them."""

import json
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.api import study
from symmv_builder.study.answers import FORMAT
from symmv_builder.study.key import Key, read_key
from symmv_builder.study.plan import Unit
from symmv_builder.study.questions import Question
from tests.media import Pictures, Samples, noise, steady, tone, write_media

# What a rater says of a unit: the points of each question, from the first model to the second.
Opinion = Callable[[Unit, Question, int], int]


def clip(path: Path, seed: int) -> Path:
    """An MP4 file of half a second that says in its metadata whose it is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures = Pictures([noise(seed + number) for number in range(12)], steady(12))
    return write_media(path, pictures, Samples(tone(0.5), codec="aac"))


def pieces(folder: Path, models: Mapping[str, int]) -> Path:
    """A folder of MP4s for each model; the same videos, so one encoding does for all."""
    made: dict[int, bytes] = {}
    for model, videos in models.items():
        for video in range(videos):
            path = folder / "pieces" / model / f"video{video}.take1.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            if video not in made:
                made[video] = clip(folder / "clip.mp4", video).read_bytes()
            path.write_bytes(made[video])
    return folder


def made_study(folder: Path, models: Mapping[str, int], **settings: Any) -> Path:
    """The folder of a study of such pieces, by a file with `settings`."""
    pieces(folder, models)
    settings = {"models": [f"pieces/{model}" for model in models], "seed": 7} | settings
    lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
    (folder / "study.toml").write_text("\n".join(lines))
    study.make(folder / "study.toml", folder / "study")
    return folder / "study"


def state(key: Key, rater: int, opinion: Opinion, *, expert: bool = False, **other: Any) -> Any:
    """What the page sends for a rater of this opinion who hears every tone."""
    session = rater % len(key.sessions)
    trials: dict[str, Any] = {}
    for shown in key.sessions[session]:
        name = key.named(shown)
        if shown.unit < 0:
            trials[name] = {"answers": {"count": key.checks[name]}, "seconds": 2.0}
            continue
        unit = key.trials[name]
        answers = {}
        for question in key.questions:
            if question.kind == unit.kind and (expert or not question.for_experts):
                points = opinion(unit, question, rater)
                answers[question.name] = (
                    question.points + 1 - points if shown.is_swapped else points
                )
        trials[name] = {"answers": answers, "seconds": 9.5}
    return {
        "format": FORMAT,
        "study": key.study,
        "rater": f"{rater:032x}",
        "session": session + 1,
        "expert": expert,
        "headphones": list(key.quietest),
        "trials": trials,
    } | other


def answer(folder: Path, out: Path, count: int, opinion: Opinion, **other: Any) -> Path:
    """Files of answers of `count` raters, every second one an expert."""
    key = read_key(folder)
    out.mkdir(exist_ok=True)
    for rater in range(count):
        said = state(key, rater, opinion, expert=rater % 2 == 1, **other)
        (out / f"answers-{rater}.json").write_text(json.dumps(said))
    return out


def seeded(*numbers: object) -> np.random.Generator:
    """A generator for an opinion that wavers, the same for the same numbers."""
    return np.random.default_rng(zlib.crc32(repr(numbers).encode()))
