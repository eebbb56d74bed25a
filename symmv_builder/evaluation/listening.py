"""What the raters of a listening study said: rates, means, tests, agreement, beside metrics.

A rater is the unit of every test, since answers of one person are not independent: of two pieces
the signed preference is averaged for each rater and compared with none, of ratings the difference
of two models on the same videos is. Tests are `significance.compare_paired`, with Holm's correction
over all of one group of raters. The interval of a rate is Wilson's over ratings, and so takes these
for independent; that of a mean is the bootstrap over raters. "No preference" counts as a win of
neither, and stays in the denominator (Su et al. 2023, appendix A4).
"""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal, TypeAlias, TypeVar

import numpy as np

from symmv_builder.evaluation.agreement import fleiss_kappa, krippendorff_alpha
from symmv_builder.evaluation.differences import holm
from symmv_builder.evaluation.significance import (
    RankCorrelation,
    compare_paired,
    confidence_interval,
    rank_correlation,
    rate_interval,
)
from symmv_builder.records import Floats

Group: TypeAlias = Literal["all", "experts", "non-experts"]
GROUPS: tuple[Group, ...] = ("all", "experts", "non-experts")


@dataclass(frozen=True, slots=True)
class Choice:
    """One answer on two pieces: `points` of `of`, from 1 (for `first`) to `of` (for `second`)."""

    question: str
    rater: str
    is_expert: bool
    video: str
    first: str
    second: str
    points: int
    of: int

    @property
    def preference(self) -> float:
        """1 for the first model, -1 for the second, 0 for neither."""
        return 1 - 2 * (self.points - 1) / (self.of - 1)


@dataclass(frozen=True, slots=True)
class Rating:
    """One answer on one piece, or on a series (`video` is empty then)."""

    question: str
    rater: str
    is_expert: bool
    video: str
    model: str
    points: int
    of: int


Answer = TypeVar("Answer", bound=Choice | Rating)
Label = TypeVar("Label", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Preference:
    """The rate at which the first of two models was preferred, with its interval and the test."""

    question: str
    group: Group
    first: str
    second: str
    raters: int
    ratings: int
    wins: int
    ties: int
    losses: int
    rate: float
    low: float
    high: float
    p: float
    p_adjusted: float = 1.0


@dataclass(frozen=True, slots=True)
class MeanRating:
    """The mean over raters of a model's points (of each rater the mean), with its interval."""

    question: str
    group: Group
    model: str
    raters: int
    ratings: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class RatingTest:
    """The difference of two models' points (first - second), over raters."""

    question: str
    group: Group
    first: str
    second: str
    raters: int
    difference: float
    low: float
    high: float
    p: float
    p_adjusted: float = 1.0


@dataclass(frozen=True, slots=True)
class WinRate:
    """The rate at which a model was preferred over whatever it stood beside, in one genre."""

    question: str
    genre: str
    model: str
    wins: int
    of: int
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of raters on `items`; ``nan`` where nothing was judged twice."""

    question: str
    items: int
    ratings: int
    kappa: float
    alpha: float


@dataclass(frozen=True, slots=True)
class MetricBeside:
    """A metric's order of the models beside that of people; `None` where nothing can be said."""

    metric: str
    question: str
    models: tuple[str, ...]
    found: RankCorrelation | None


def preferences(choices: Sequence[Choice]) -> list[Preference]:
    """Count preferences of each question, group and two models."""
    rates = []
    for group in GROUPS:
        group_rates = []
        of_group = _of_group(choices, group)
        for (question, first, second), some in _grouped(
            of_group, lambda c: (c.question, c.first, c.second)
        ).items():
            wins = sum(each.preference > 0 for each in some)
            losses = sum(each.preference < 0 for each in some)
            low, high = rate_interval(wins, len(some))
            by_rater = _by_rater((each.rater, each.preference) for each in some)
            group_rates.append(
                Preference(
                    question, group, first, second, len(by_rater), len(some), wins,
                    len(some) - wins - losses, losses, wins / len(some), low, high,
                    compare_paired(by_rater, np.zeros(len(by_rater))).p,
                )
            )  # fmt: skip
        corrected = holm([each.p for each in group_rates])
        rates += [
            replace(each, p_adjusted=p) for each, p in zip(group_rates, corrected, strict=True)
        ]
    return rates


def mean_ratings(ratings: Sequence[Rating]) -> list[MeanRating]:
    """Average the ratings of each question, group and model."""
    means = []
    for group in GROUPS:
        of_group = _of_group(ratings, group)
        for (question, model), some in _grouped(of_group, lambda r: (r.question, r.model)).items():
            by_rater = _by_rater((each.rater, each.points) for each in some)
            low, high = confidence_interval(by_rater)
            mean = float(by_rater.mean())
            row = (question, group, model, len(by_rater), len(some), mean, low, high)
            means.append(MeanRating(*row))
    return means


def rating_tests(ratings: Sequence[Rating]) -> list[RatingTest]:
    """Test ratings of each question, group and two models that share raters and videos."""
    tests = []
    for group in GROUPS:
        group_tests = []
        of_group = _of_group(ratings, group)
        for question, some in _grouped(of_group, lambda r: r.question).items():
            points = {(each.model, each.rater, each.video): each.points for each in some}
            models = list(dict.fromkeys(each.model for each in some))
            for first, second in combinations(models, 2):
                differences = _by_rater(
                    (rater, value - points[second, rater, video])
                    for (model, rater, video), value in points.items()
                    if model == first and (second, rater, video) in points
                )
                if not len(differences):
                    continue
                test = compare_paired(differences, np.zeros(len(differences)))
                group_tests.append(
                    RatingTest(
                        question, group, first, second, test.songs, test.difference, test.low,
                        test.high, test.p,
                    )
                )  # fmt: skip
        corrected = holm([each.p for each in group_tests])
        tests += [
            replace(each, p_adjusted=p) for each, p in zip(group_tests, corrected, strict=True)
        ]
    return tests


def win_rates(choices: Sequence[Choice], genres: Mapping[str, str]) -> list[WinRate]:
    """Share the wins of each question, genre (`genres` by video.

    "all" has every video) and model.
    """
    wins: dict[tuple[str, str, str], int] = defaultdict(int)
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for each in choices:
        for genre in dict.fromkeys(("all", genres.get(each.video, ""))):
            for model, sign in ((each.first, 1), (each.second, -1)):
                if genre:
                    counts[each.question, genre, model] += 1
                    wins[each.question, genre, model] += each.preference * sign > 0
    return [
        WinRate(*place, wins[place], of, wins[place] / of, *rate_interval(wins[place], of))
        for place, of in counts.items()
    ]


def agreement(answers: Sequence[Choice] | Sequence[Rating]) -> list[Agreement]:
    """Measure agreement of each question.

    Alpha is ordinal, nominal of questions with two answers.
    """
    coefficients = []
    for question, some in _grouped(answers, lambda a: a.question).items():
        items = {item: place for place, item in enumerate(dict.fromkeys(map(_item, some)))}
        raters = {rater: place for place, rater in enumerate(sorted({e.rater for e in some}))}
        of = max(each.of for each in some)
        table = np.full((len(raters), len(items)), np.nan)
        counts = np.zeros((len(items), of))
        for each in some:
            table[raters[each.rater], items[_item(each)]] = each.points
            counts[items[_item(each)], each.points - 1] += 1
        alpha = krippendorff_alpha(table, "nominal" if of == 2 else "ordinal")
        coefficients.append(Agreement(question, len(items), len(some), fleiss_kappa(counts), alpha))
    return coefficients


def beside_metrics(
    metrics: Mapping[str, Mapping[str, float]],
    rates: Sequence[WinRate],
    means: Sequence[MeanRating],
) -> list[MetricBeside]:
    """Correlate each metric and question over the models that have both.

    `metrics` are by model and name.
    """
    by_question: dict[str, dict[str, float]] = defaultdict(dict)
    for rate in rates:
        if rate.genre == "all":
            by_question[rate.question][rate.model] = rate.rate
    for mean in means:
        if mean.group == "all":
            by_question[mean.question][mean.model] = mean.mean
    correlations = []
    for name in dict.fromkeys(name for by_name in metrics.values() for name in by_name):
        for question, by_model in by_question.items():
            both = tuple(model for model in by_model if name in metrics.get(model, {}))
            ours = [metrics[model][name] for model in both]
            theirs = [by_model[model] for model in both]
            correlations.append(MetricBeside(name, question, both, rank_correlation(ours, theirs)))
    return correlations


def _item(answer: Choice | Rating) -> Hashable:
    if isinstance(answer, Choice):
        return answer.video, answer.first, answer.second
    return answer.video, answer.model


def _grouped(answers: Iterable[Answer], by: Callable[[Answer], Label]) -> dict[Label, list[Answer]]:
    groups: dict[Label, list[Answer]] = defaultdict(list)
    for each in answers:
        groups[by(each)].append(each)
    return groups


def _of_group(answers: Sequence[Answer], group: Group) -> list[Answer]:
    return [each for each in answers if group == "all" or each.is_expert == (group == "experts")]


def _by_rater(values: Iterable[tuple[str, float]]) -> Floats:
    """Average each rater's values ``[raters]``."""
    of: dict[str, list[float]] = defaultdict(list)
    for rater, value in values:
        of[rater].append(value)
    return np.array([np.mean(ratings) for ratings in of.values()], dtype=np.float64)
