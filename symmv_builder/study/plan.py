"""Which rater is shown what, and in which order: balanced by construction, random by a seed.

A unit is what is judged at once: two pieces for one video, one piece, or several of one model. Over
the sessions

- every unit is shown as often as any other (within one), however few a rater is shown;
- of two pieces each is the first one as often as the other (within one), over the sessions for
  every unit, and within a session for every two models, where it shows their units in one run;
- of every two sessions after each other the second runs through its units in the order opposite to
  the first's, so that what comes early for one rater comes late for the next.

Checks of attention stand at even distances, never first.
"""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TypeAlias, TypeVar

from symmv_builder.study.questions import Kind

MOST_IN_A_SERIES = 10
Thing = TypeVar("Thing")


@dataclass(frozen=True, slots=True)
class Unit:
    """What is judged at once: pieces ``(model, video)``; `video` is empty for a series.

    Where `Shown.is_swapped`, the second of two is seen first.
    """

    kind: Kind
    video: str
    pieces: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A unit by its number in the study, or a check (`unit` below 0), in one session."""

    unit: int
    is_swapped: bool = False
    check: int = -1


Session: TypeAlias = tuple[Shown, ...]


def units_of(
    pieces: Mapping[str, Iterable[str]], kinds: Iterable[Kind], *, against: str, seed: int
) -> list[Unit]:
    """Everything that can be judged, in an order that spreads videos and models.

    `pieces` are the videos of each model; of two models the one that stands there first is the
    first. Pairs are those of every two models, or those with `against`, for every video of both.
    """
    rng = random.Random(seed)
    kinds = set(kinds)
    of_model = {model: sorted(videos) for model, videos in pieces.items()}
    videos = sorted({video for mine in of_model.values() for video in mine})
    rng.shuffle(videos)
    units: list[Unit] = []
    if "pair" in kinds:
        pairs = [pair for pair in combinations(of_model, 2) if not against or against in pair]
        for number, video in enumerate(videos):
            turned_pairs = _turned(pairs, number)
            units += [
                Unit("pair", video, tuple((model, video) for model in pair))
                for pair in turned_pairs
                if all(video in of_model[model] for model in pair)
            ]
    if "rating" in kinds:
        for number, video in enumerate(videos):
            models = [model for model in of_model if video in of_model[model]]
            units += [Unit("rating", video, ((model, video),)) for model in _turned(models, number)]
    if "series" in kinds:
        for model, mine in of_model.items():
            some = rng.sample(mine, min(len(mine), MOST_IN_A_SERIES))
            units.append(Unit("series", "", tuple((model, video) for video in some)))
    return units


def _turned(things: list[Thing], number: int) -> list[Thing]:
    """The same things, begun with another one for each number: each comes first as often."""
    start = number % max(1, len(things))
    return things[start:] + things[:start]


def sessions_of(
    units: Sequence[Unit], *, raters: int, trials: int, checks: int, seed: int
) -> list[Session]:
    """One session for each rater: `trials` units of pairs and pieces (0: all), series, checks.

    >>> units = units_of({"a": "xy", "b": "xy"}, ["pair"], against="", seed=1)
    >>> [len(session) for session in sessions_of(units, raters=2, trials=0, checks=1, seed=1)]
    [3, 3]
    """
    judged = [number for number, unit in enumerate(units) if unit.kind != "series"]
    series = [number for number, unit in enumerate(units) if unit.kind == "series"]
    most = min(trials, len(judged)) if trials else len(judged)
    ranks = _ranks(units)
    times = [0] * len(units)
    sessions = []
    start = 0
    for rater in range(raters):
        numbers = [judged[(start + step) % len(judged)] for step in range(most)] if judged else []
        start += most
        # The two sessions of a couple draw the same numbers, and the second sorts backwards.
        rng = random.Random(seed * 1_000_003 + rater // 2)
        place = {number: rng.random() for number in range(len(units))}
        backwards = rater % 2 == 1
        numbers.sort(key=place.__getitem__, reverse=backwards)
        last = sorted(series, key=place.__getitem__, reverse=backwards)
        session = [
            Shown(n, units[n].kind == "pair" and (ranks[n] + times[n]) % 2 == 1) for n in numbers
        ]
        for number in numbers:
            times[number] += 1
        sessions.append(tuple(_with_checks(session, checks) + [Shown(number) for number in last]))
    return sessions


def _ranks(units: Sequence[Unit]) -> list[int]:
    """The place of each unit among those of the same models: neighbours there differ in parity."""
    counts: dict[tuple[str, ...], int] = {}
    ranks = []
    for unit in units:
        models = tuple(model for model, _ in unit.pieces)
        if models not in counts:
            counts[models] = len(counts) % 2
        ranks.append(counts[models])
        counts[models] += 1
    return ranks


def _with_checks(session: list[Shown], checks: int) -> list[Shown]:
    pages: list[Shown] = []
    due = [round((check + 1) * len(session) / (checks + 1)) or 1 for check in range(checks)]
    for number, shown in enumerate(session, 1):
        pages.append(shown)
        pages += [Shown(-1, check=check) for check, place in enumerate(due) if place == number]
    pages += [Shown(-1, check=check) for check, place in enumerate(due) if place > len(session)]
    return pages
