"""Listening studies: make the site for raters, keep their answers, say what they mean."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from symmv_builder.api.evaluation import plain
from symmv_builder.errors import CannotMeasure, MalformedFile, UnknownName, WrongArguments
from symmv_builder.evaluation.listening import GROUPS
from symmv_builder.files import read_json
from symmv_builder.report import study_page
from symmv_builder.storage.outputs import finish_set, replacing_set, write_receipt
from symmv_builder.study import score as scoring
from symmv_builder.study import site
from symmv_builder.study.answers import read_answers
from symmv_builder.study.config import read_config
from symmv_builder.study.key import ANSWERS, Key, read_key
from symmv_builder.study.score import Scores
from symmv_builder.study.site import Made
from symmv_builder.study.store import Store

__all__ = ["GROUPS", "Made", "Scores", "Store", "StudyFiles"]

NAME = "scores"


@dataclass(frozen=True, slots=True)
class StudyFiles:
    """The files of a scored study, the page first."""

    files: list[Path]

    @property
    def page(self) -> Path:
        return self.files[0]


def make(
    config: str | Path,
    out: str | Path,
    *,
    overwrite: bool = False,
    note: Callable[[str], object] = lambda _: None,
) -> Made:
    """Make a study by its file, as `study.site` says; `StopRun` with line and key of a mistake."""
    return site.make(read_config(Path(config)), Path(out), overwrite=overwrite, note=note)


def open_store(folder: str | Path) -> Store:
    """Open the answer store of a study, to be served; `StopRun` where the folder holds none."""
    return Store(Path(folder))


def score(
    folder: str | Path,
    *answers: str | Path,
    metrics: Mapping[str, Sequence[str | Path]] | None = None,
) -> Scores:
    """Score answers (files and folders; none: those that the store kept) to the study in `folder`.

    `metrics` are files of ``symmv evaluate ... --json`` by model. `StopRun` where nobody answered.

        >>> score("my-study", "answers").preferences          # doctest: +SKIP
        [Preference(question='overall', group='all', first='ours', second='cmt', ...)]
    """
    key = read_key(Path(folder))
    paths = [Path(each) for each in answers] or [Path(folder) / ANSWERS]
    numbers = {model: _numbers(model, files, key) for model, files in (metrics or {}).items()}
    raters, refused = read_answers(paths, key)
    if not raters:
        why = f": {refused[0].reason}" if refused else ""
        raise CannotMeasure(f"no answers to this study are in {', '.join(map(str, paths))}{why}")
    return scoring.score(key, raters, refused, numbers)


def write(
    scores: Scores,
    out: str | Path,
    *,
    overwrite: bool = False,
) -> StudyFiles:
    """Write ``scores.html``, figures as PNG and SVG, and every number in ``numbers.json``."""
    place = Path(out)
    finish_set(place, NAME, overwrite=overwrite)
    with replacing_set(place, NAME, overwrite=overwrite) as staging:
        text = json.dumps(plain(scores.as_json()), indent=1, allow_nan=False) + "\n"
        (staging / "numbers.json").write_text(text)
        html = study_page.render(_page(scores), staging)
        (staging / f"{NAME}.html").write_text(html, encoding="utf-8")
        write_receipt(staging, NAME, {"raters": scores.raters})
        names = sorted(path.name for path in staging.iterdir())
    page = f"{NAME}.html"
    return StudyFiles([place / page, *(place / name for name in names if name != page)])


def _page(scores: Scores) -> study_page.StudyPage:
    excluded = [f"{count} failed the check of {name}" for name, count in scores.excluded.items()]
    facts = {
        "raters": str(scores.raters),
        "with musical training": str(scores.experts),
        "left out": ", ".join(excluded) or "nobody",
        "files refused": str(len(scores.refused)),
    }
    if scores.headphones_passed is not None:
        facts["passed the headphone check"] = str(scores.headphones_passed)
    return study_page.StudyPage(
        scores.title, facts, scores.questions, scores.preferences, scores.means, scores.tests,
        scores.rates, scores.agreement, scores.metrics, scores.published, scores.not_printed,
    )  # fmt: skip


def _numbers(model: str, files: Sequence[str | Path], key: Key) -> dict[str, float]:
    """Read the numbers under ``metrics`` of JSON files, by name."""
    models = list(dict.fromkeys(m for unit in key.trials.values() for m, _ in unit.pieces))
    if model not in models:
        raise UnknownName("model", model, models, "the study")
    numbers: dict[str, float] = {}
    for file in files:
        answer = read_json(Path(file))
        metrics = answer.get("metrics") if isinstance(answer, dict) else None
        if not isinstance(metrics, dict):
            raise MalformedFile(file, "this file has no metrics: it is not what a measure printed")
        for name, value in metrics.items():
            if type(value) not in (int, float):
                continue
            if name in numbers:
                raise WrongArguments(f"two files of {model} give the metric {name}")
            numbers[str(name)] = float(value)
    return numbers
