"""What the answers to a study say: those of raters who pass its checks, counted and tested."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from symmv_builder.evaluation import listening
from symmv_builder.evaluation.listening import Choice, Rating
from symmv_builder.evaluation.published_figures import LISTENERS, NOT_PRINTED, Figures
from symmv_builder.study.answers import Rater, Refusal
from symmv_builder.study.key import Key
from symmv_builder.study.tones import HEADPHONE_PASSES


@dataclass(frozen=True, slots=True)
class Scores:
    """A study in numbers; `excluded` counts raters by reason, `refused` are files without use.

    Where the questions are of a paper of which no figure is `published`, `not_printed` says why.
    """

    title: str
    questions: Mapping[str, str]
    raters: int
    experts: int
    excluded: Mapping[str, int]
    headphones_passed: int | None
    refused: Sequence[Refusal]
    preferences: Sequence[listening.Preference]
    means: Sequence[listening.MeanRating]
    tests: Sequence[listening.RatingTest]
    rates: Sequence[listening.WinRate]
    agreement: Sequence[listening.Agreement]
    metrics: Sequence[listening.MetricBeside]
    published: Sequence[Figures]
    not_printed: str

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return asdict(self)


def score(
    key: Key,
    raters: Sequence[Rater],
    refused: Sequence[Refusal] = (),
    metrics: Mapping[str, Mapping[str, float]] | None = None,
) -> Scores:
    """Score the raters of a study; `metrics` are numbers of each model by name."""
    accepted = [rater for rater in raters if not rater.fault(key)]
    choices, ratings = judgements(key, accepted)
    means = listening.mean_ratings(ratings)
    rates = listening.win_rates(choices, key.genres)
    heard = [rater.headphones for rater in accepted if rater.headphones is not None]
    return Scores(
        title=key.title,
        questions={question.name: question.heading for question in key.questions},
        raters=len(accepted),
        experts=sum(rater.is_expert for rater in accepted),
        excluded=Counter(fault for rater in raters if (fault := rater.fault(key))),
        headphones_passed=sum(passes >= HEADPHONE_PASSES for passes in heard) if heard else None,
        refused=refused,
        preferences=listening.preferences(choices),
        means=means,
        tests=listening.rating_tests(ratings),
        rates=rates,
        agreement=[*listening.agreement(choices), *listening.agreement(ratings)],
        metrics=listening.beside_metrics(metrics or {}, rates, means),
        published=LISTENERS.get(key.preset, ()),
        not_printed=NOT_PRINTED.get(key.preset, ""),
    )


def judgements(key: Key, raters: Sequence[Rater]) -> tuple[list[Choice], list[Rating]]:
    """The answers of raters in the order of the study, so that its first model stays the first.

    Where a piece stood is undone here.
    """
    points = {question.name: question.points for question in key.questions}
    units = list(key.trials.values())
    judged = [(shown, rater, given) for rater in raters for shown, given in rater.judged]
    judged.sort(key=lambda each: each[0].unit)
    choices, ratings = [], []
    for shown, rater, answers in judged:
        unit = units[shown.unit]
        for question, given in answers.items():
            of = points[question]
            by = (question, rater.rater, rater.is_expert, unit.video)
            if unit.kind == "pair":
                value = of + 1 - given if shown.is_swapped else given
                (first, _), (second, _) = unit.pieces
                choices.append(Choice(*by, first, second, value, of))
            else:
                ratings.append(Rating(*by, unit.pieces[0][0], given, of))
    places = {model: place for place, model in enumerate(key.models)}
    ratings.sort(key=lambda each: places.get(each.model, 0))
    return choices, ratings
