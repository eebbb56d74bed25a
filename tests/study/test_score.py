"""Raters with known preferences: rates, tests, means, genres, agreement come out right."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.api import study
from symmv_builder.api.study import Scores
from symmv_builder.errors import CannotMeasure, MalformedFile, UnknownName, WrongArguments
from symmv_builder.study.answers import read_answers
from symmv_builder.study.key import Key, read_key
from symmv_builder.study.plan import Unit
from symmv_builder.study.questions import Question
from tests.study.making import answer, made_study, seeded, state

stats = pytest.importorskip("scipy.stats")


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """SymMV's questions, 8 raters: `ours` wins every melody, wavers elsewhere."""
    folder = tmp_path_factory.mktemp("pairs")
    (folder / "genres.csv").write_text(
        "video,genre\nvideo0,Pop\nvideo1,Pop\nvideo2,Jazz\nvideo3,Jazz\nother,Rock\n"
    )
    made = made_study(folder, {"ours": 4, "cmt": 4}, questions="symmv", table="genres.csv")

    def opinion(unit: Unit, question: Question, rater: int) -> int:
        if question.name == "melody":
            return 1
        if question.name == "video_content":
            return 1 if unit.video in ("video0", "video1") else 2
        return 1 + int(seeded(unit.video, question.name, rater).random() < 0.4)

    return made, answer(made, folder / "answers", 8, opinion)


@pytest.fixture(scope="module")
def scores(chosen: tuple[Path, Path]) -> Scores:
    return study.score(*chosen)


def test_rates_are_those_of_what_was_said(scores: Scores) -> None:
    assert (scores.raters, scores.experts, dict(scores.excluded)) == (8, 4, {})
    rows = {(row.question, row.group): row for row in scores.preferences}
    melody = rows["melody", "all"]
    assert (melody.first, melody.second) == ("ours", "cmt")
    assert (melody.wins, melody.ties, melody.losses, melody.ratings) == (32, 0, 0, 32)
    assert melody.rate == 1
    theirs = stats.binomtest(32, 32).proportion_ci(method="wilson")
    assert (melody.low, melody.high) == pytest.approx((theirs.low, theirs.high))
    # Eight raters of one mind: both tails of the 2 ** 8 signs, by hand.
    assert melody.p == pytest.approx(2 / 2**8)
    content = rows["video_content", "all"]
    assert (content.wins, content.losses, content.p) == (16, 16, 1.0)


def test_only_experts_are_asked_of_chords(scores: Scores) -> None:
    ratings = {(row.question, row.group): row.ratings for row in scores.preferences}
    assert ratings["chords", "experts"] == ratings["chords", "all"] == 16
    assert ("chords", "non-experts") not in ratings
    assert ratings["overall", "experts"] + ratings["overall", "non-experts"] == 32


def test_tests_are_scipys_over_raters_with_holms_correction(
    chosen: tuple[Path, Path], scores: Scores
) -> None:
    folder, answers = chosen
    key = read_key(folder)
    raters, _ = read_answers([answers], key)
    units = list(key.trials.values())
    signed: dict[str, list[float]] = {}
    for rater in raters:
        mine: dict[str, list[float]] = {}
        for shown, given in rater.judged:
            for name, points in given.items():
                ours = (points == 1) != shown.is_swapped
                assert units[shown.unit].pieces[0][0] == "ours"
                mine.setdefault(name, []).append(1.0 if ours else -1.0)
        for name, values in mine.items():
            signed.setdefault(name, []).append(float(np.mean(values)))
    rows = [row for row in scores.preferences if row.group == "all"]
    assert len(rows) == len(signed) == 7
    by_p = sorted(rows, key=lambda row: row.p)
    highest = 0.0
    for place, row in enumerate(by_p):
        of_raters = np.array(signed[row.question])
        p = stats.wilcoxon(of_raters, zero_method="wilcox").pvalue if of_raters.any() else 1.0
        assert row.p == pytest.approx(p), row.question
        highest = max(highest, min(1.0, p * (7 - place)))
        assert row.p_adjusted == pytest.approx(highest)


def test_win_rates_by_genre_are_of_the_videos_of_that_genre(scores: Scores) -> None:
    rates = {(r.question, r.genre, r.model): r for r in scores.rates}
    assert rates["video_content", "Pop", "ours"].rate == 1
    assert rates["video_content", "Jazz", "ours"].rate == 0
    assert rates["video_content", "Jazz", "cmt"].rate == 1
    assert rates["video_content", "all", "ours"].rate == 0.5
    assert rates["video_content", "Pop", "ours"].of == 16


def test_agreement_is_one_where_all_say_the_same_of_each_video(scores: Scores) -> None:
    found = {row.question: row for row in scores.agreement}
    assert found["video_content"].kappa == pytest.approx(1)
    assert found["video_content"].alpha == pytest.approx(1)
    assert np.isnan(found["melody"].kappa)  # one answer alone was ever given
    assert abs(found["overall"].kappa) < 0.4


def test_ratings_have_means_over_raters_and_tests_of_the_same_videos(tmp_path: Path) -> None:
    made = made_study(
        tmp_path, {"ours": 3, "theirs": 3, "third": 3}, questions="video2music", headphones="off",
    )  # fmt: skip
    base = {"ours": 6, "theirs": 4, "third": 2}

    def opinion(unit: Unit, question: Question, rater: int) -> int:
        # Every third rater is one point more generous: to all models alike.
        return base[unit.pieces[0][0]] + (rater % 3 == 0)

    scores = study.score(made, answer(made, tmp_path / "answers", 9, opinion))
    means = {(row.question, row.model): row for row in scores.means if row.group == "all"}
    assert means["omq", "ours"].mean == pytest.approx(6 + 1 / 3)
    assert means["lm", "third"].mean == pytest.approx(2 + 1 / 3)
    assert means["omq", "ours"].low < means["omq", "ours"].mean < means["omq", "ours"].high
    assert (means["omq", "ours"].raters, means["omq", "ours"].ratings) == (9, 27)
    tests = {(t.question, t.first, t.second): t for t in scores.tests if t.group == "all"}
    assert tests["omq", "ours", "third"].difference == pytest.approx(4)
    assert (tests["omq", "ours", "third"].low, tests["omq", "ours", "third"].high) == (4, 4)
    assert tests["omq", "ours", "third"].p == pytest.approx(2 / 2**9)
    assert tests["omq", "ours", "third"].p_adjusted == pytest.approx(15 * 2 / 2**9)
    assert [row.row for row in scores.published] == ["Music Transformer", "Video2Music"]


def test_the_first_model_is_first_where_the_second_has_more_pieces(tmp_path: Path) -> None:
    for seed in range(3):
        folder = tmp_path / str(seed)
        folder.mkdir()
        made = made_study(
            folder, {"ours": 1, "cmt": 3}, questions="video2music", headphones="off", seed=seed
        )
        answers = answer(made, folder / "answers", 2, lambda unit, *_: 4)
        scores = study.score(made, answers)
        assert {(test.first, test.second) for test in scores.tests} == {("ours", "cmt")}


def test_five_points_have_a_middle_that_nobody_wins(tmp_path: Path) -> None:
    made = made_study(tmp_path, {"a": 3, "b": 3}, questions="v2meow", headphones="off")
    points = {"video0": 2, "video1": 3, "video2": 5}
    scores = study.score(
        made, answer(made, tmp_path / "answers", 5, lambda unit, *_: points[unit.video])
    )
    row = next(row for row in scores.preferences if row.group == "all")
    assert (row.wins, row.ties, row.losses) == (5, 5, 5)
    assert row.rate == pytest.approx(1 / 3)


def test_a_series_is_rated_as_one(tmp_path: Path) -> None:
    made = made_study(tmp_path, {"a": 3, "b": 3}, questions="gvmgen", headphones="off", trials=2)
    scores = study.score(made, answer(made, tmp_path / "answers", 4, lambda unit, *_: 3))
    rated = {(r.question, r.model): r.ratings for r in scores.means if r.group == "all"}
    assert rated["mr", "a"] == rated["mr", "b"] == 4
    # The paper's own values are not at hand, and the page says so.
    assert scores.published == ()
    text = study.write(scores, tmp_path / "scores").page.read_text()
    assert "Zuo et al. 2025, Table 2: OMQ, MVC, MR) is not shown" in text


def test_who_fails_the_checks_is_left_out_and_counted(tmp_path: Path) -> None:
    made = made_study(tmp_path, {"a": 2, "b": 2}, questions="v2meow", headphones="require")
    key = read_key(made)
    out = answer(made, tmp_path / "answers", 4, lambda *_: 1)
    careless, deaf, early = (json.loads((out / f"answers-{n}.json").read_text()) for n in range(3))
    name = next(iter(key.checks))
    careless["trials"][name]["answers"]["count"] = key.checks[name] % 5 + 1
    deaf["headphones"] = [place % 3 + 1 for place in key.quietest]
    del early["trials"][list(key.checks)[1]]
    for number, said in enumerate((careless, deaf, early)):
        (out / f"answers-{number}.json").write_text(json.dumps(said))
    scores = study.score(made, out)
    assert (scores.raters, scores.headphones_passed) == (1, 1)
    assert dict(scores.excluded) == {"attention": 2, "headphones": 1}
    (out / "answers-3.json").unlink()
    assert study.score(made, out).preferences == []


def hostile(said: Any, key: Key) -> dict[str, Any]:
    """Files of answers that are none, by what is wrong with each."""
    trial = next(name for name in said["trials"] if name in key.trials)

    def changed(**other: Any) -> str:
        return json.dumps(said | other)

    def answered(answers: Any) -> str:
        return changed(trials=said["trials"] | {trial: {"answers": answers}})

    return {
        "no JSON": "{",
        "a list": "[]",
        "deep": "[" * 100_000,
        "another study": changed(study="0" * 16),
        "a path": changed(rater="../../../etc/passwd"),
        "no rater": changed(rater=None),
        "session": changed(session=999),
        "a bool for a session": changed(session=True),
        "strange trial": changed(trials={"__proto__": {"answers": {}}}),
        "trials": changed(trials=[1]),
        "no answers": changed(trials={trial: 3}),
        "too many points": answered({"relevance": 6, "preference": 1}),
        "text": answered({"relevance": "5", "preference": 1}),
        "infinite": answered({"relevance": float("inf")}),
        "not asked": answered({"melody": 1}),
        "headphones": changed(headphones="112233" * 99),
    }


def test_hostile_answers_are_refused_with_a_reason_each_and_the_rest_counts(
    tmp_path: Path,
) -> None:
    made = made_study(tmp_path, {"a": 2, "b": 2}, questions="v2meow")
    key = read_key(made)
    out = answer(made, tmp_path / "answers", 1, lambda *_: 1)
    files = hostile(state(key, 5, lambda *_: 5), key)
    for number, text in enumerate(files.values()):
        (out / f"evil{number}.json").write_text(text)
    (out / "binary.json").write_bytes(b"\x00\xff" * 50)
    scores = study.score(made, out)
    assert scores.raters == 1
    reasons = {refused.file: refused.reason for refused in scores.refused}
    assert len(reasons) == len(files) + 1
    assert all(reasons.values())
    assert all(len(reason) < 200 for reason in reasons.values())


def test_of_two_states_of_a_rater_the_fuller_counts_and_half_a_line_does_not(
    tmp_path: Path,
) -> None:
    made = made_study(tmp_path, {"a": 2, "b": 2}, questions="v2meow")
    key = read_key(made)
    whole = state(key, 0, lambda *_: 1)
    early = whole | {"trials": dict(list(whole["trials"].items())[:1])}
    lines = [json.dumps(early), json.dumps(whole), json.dumps(whole)[:50]]
    (made / "answers" / f"{whole['rater']}.jsonl").write_text("\n".join(lines))
    (tmp_path / "mailed.json").write_text(json.dumps(early))
    scores = study.score(made, made / "answers", tmp_path / "mailed.json")
    assert Counter(row.ratings for row in scores.preferences if row.group == "all") == {2: 2}
    assert study.score(made).raters == 1  # without names, what the store kept


def test_nobody_answered_is_one_line(tmp_path: Path) -> None:
    made = made_study(tmp_path, {"a": 1, "b": 1}, questions="v2meow")
    with pytest.raises(CannotMeasure, match="no answers to this study are in"):
        study.score(made)


def test_metrics_are_laid_beside_what_people_said(tmp_path: Path) -> None:
    models = {"a": 1, "b": 1, "c": 1, "d": 1}
    made = made_study(tmp_path, models, questions="video2music", headphones="off")
    liked = {"a": 1, "b": 3, "c": 5, "d": 7}
    out = answer(made, tmp_path / "answers", 2, lambda unit, *_: liked[unit.pieces[0][0]])
    files = {}
    for model, (fad, p5) in {"a": (9, 1), "b": (7, 3), "c": (4, 2), "d": (1, 4)}.items():
        files[model] = [tmp_path / f"{model}.json"]
        files[model][0].write_text(json.dumps({"metrics": {"fad": fad, "p5": p5, "none": None}}))
    found = {
        (row.metric, row.question): row.found
        for row in study.score(made, out, metrics=files).metrics
    }
    assert {metric for metric, _ in found} == {"fad", "p5"}
    for metric, coefficients in (("fad", (-1, -1)), ("p5", (0.8, 4 / 6))):
        beside = found[metric, "omq"]
        assert beside is not None
        assert (beside.spearman, beside.kendall) == pytest.approx(coefficients)
    with pytest.raises(UnknownName, match="no model 'z'"):
        study.score(made, out, metrics={"z": files["a"]})
    with pytest.raises(WrongArguments, match="two files of a"):
        study.score(made, out, metrics={"a": [*files["a"], *files["a"]]})
    files["a"][0].write_text("[]")
    with pytest.raises(MalformedFile, match="no metrics"):
        study.score(made, out, metrics=files)


def test_the_page_holds_tables_figures_and_the_papers_values(
    scores: Scores, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    written = study.write(scores, tmp_path / "scores")
    names = {path.name for path in written.files}
    figures = {f"{name}.{kind}" for name in ("preferences", "genres") for kind in ("png", "svg")}
    assert names == {"scores.html", "scores.json", "numbers.json", *figures}
    text = written.page.read_text()
    assert "V-MusProd, Table 3" in text
    assert "ours over cmt, experts" in text
    assert "is not shown" not in text
    numbers = json.loads((tmp_path / "scores" / "numbers.json").read_text())
    assert numbers["preferences"][0]["rate"] == 1.0
    assert study.write(scores, tmp_path / "scores").files == written.files
