"""Decisions are lines of a file: by several people, undone by a further line or by git."""

import json
import math
from collections import Counter
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from symmv_builder.api import reviewing
from symmv_builder.api.crawl import promote
from symmv_builder.cli import app
from symmv_builder.datasets import reviewers
from symmv_builder.errors import MalformedFile, StopRun
from symmv_builder.evaluation.agreement import cohens_kappa
from symmv_builder.settings import Settings
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests
from symmv_builder.storage.decisions import Decision, add_decisions, read_decisions
from symmv_builder.storage.items import Items
from tests.web.rooms import DATASET, EVIL, STORED, Visitor, make_root, proposal, source, visitor


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_root(tmp_path, proposals=8, with_media=False)


def lines(settings: Settings) -> list[Decision]:
    return read_decisions(settings.open_manifests(), DATASET)


def state(settings: Settings, entry_id: str) -> str:
    return reviewing.pair(settings, DATASET, entry_id).judged.verdict.state


def alone(*numbers: int) -> list[str]:
    """Proposals of these that one vote decides."""
    return [p for p in map(proposal, numbers) if reviewers.needed(p) == 1]


def test_a_decision_is_one_line_with_who_what_when_and_why(settings: Settings) -> None:
    name = proposal(0)
    reviewing.reject(settings, DATASET, [name], f"  too\n {STORED}", by=" Ann  B ")
    [decision] = lines(settings)
    assert (decision.entry_id, decision.verdict, decision.reviewer) == (name, "reject", "Ann B")
    assert decision.reason.startswith("too <")
    assert decision.time.endswith("+00:00")
    path = Path(settings.root) / DATASET / "decisions.jsonl"
    first = path.read_bytes()
    reviewing.decide(settings, DATASET, [name], "undo", by="Ann B")
    assert path.read_bytes().startswith(first)
    assert state(settings, name) == "open"


def test_taking_lines_out_of_the_file_undoes_them(settings: Settings) -> None:
    [name, *_] = alone(0, 1, 2)
    path = Path(settings.root) / DATASET / "decisions.jsonl"
    reviewing.decide(settings, DATASET, [name], "accept", by="Ann")
    assert state(settings, name) == "accept"
    path.unlink()
    assert state(settings, name) == "open"


def test_promote_takes_what_was_accepted_and_never_what_was_rejected(settings: Settings) -> None:
    first, second, third, *_ = alone(*range(8))
    reviewing.decide(settings, DATASET, [first], "accept", by="Ann")
    reviewing.reject(settings, DATASET, [second], "another song", by="Ann")
    with pytest.raises(StopRun, match=r"another song.*undo"):
        promote(settings, DATASET, [second])
    assert promote(settings, DATASET, reviewed=True) == ([first], [])
    done, _ = promote(settings, DATASET, above=0.0)
    assert third in done
    assert second not in done
    entries = manifests.read_entries(settings.open_manifests(), DATASET)
    assert {first, third} <= {entry.entry_id for entry in entries}
    reviewing.decide(settings, DATASET, [second], "undo", by="Ann")
    assert promote(settings, DATASET, [second]) == ([second], [])


def test_a_match_that_was_let_through_is_looked_at_again_as_a_proposal(settings: Settings) -> None:
    doubtful = proposal(8)
    for by in ("Ann", "Bob"):
        reviewing.decide(settings, DATASET, [doubtful], "accept", by=by)
    assert promote(settings, DATASET, reviewed=True) == ([], [doubtful])
    items = Items(settings.open_store().ledger)
    items.move(DATASET, [source("p", 8)], states.PROPOSED)
    assert state(settings, doubtful) == "open"
    assert promote(settings, DATASET, reviewed=True) == ([], [])


def test_some_entries_are_seen_by_two_and_a_third_decides_where_they_differ() -> None:
    names = [f"yt-{number:011d}" for number in range(1000)]
    twice = [name for name in names if reviewers.needed(name) == 2]
    assert 70 <= len(twice) <= 130
    name = twice[0]

    def said(**votes: str) -> str:
        held = {
            by: Decision(name, by, verdict, "2026-01-01T00:00:00+00:00", "proposed", "why")
            for by, verdict in votes.items()
        }
        return reviewers.verdict_of(name, held).state

    assert said(ann="accept") == "open"
    assert said(ann="accept", bob="skip") == "open"
    assert said(ann="accept", bob="accept") == "accept"
    assert said(ann="accept", bob="reject") == "disputed"
    assert said(ann="accept", bob="reject", eve="reject") == "reject"


def test_nobody_is_asked_twice_and_what_was_skipped_comes_last(settings: Settings) -> None:
    def waiting(by: str) -> list[str]:
        return [each.recording.entry_id for each in reviewing.judged(settings, DATASET, by)]

    everything = waiting("Ann")
    assert everything == [proposal(number) for number in range(9)]
    reviewing.decide(settings, DATASET, [proposal(0)], "skip", by="Ann")
    assert waiting("Ann") == [*everything[1:], proposal(0)]
    assert waiting("Bob") == everything
    [name, *_] = alone(1, 2, 3)
    reviewing.decide(settings, DATASET, [name], "accept", by="Ann")
    assert name not in waiting("Ann")
    assert name not in waiting("Bob")


def test_the_pages_lead_through_the_proposals(settings: Settings) -> None:
    ann = visitor(settings)
    assert (
        ann.client.get(f"/review/{DATASET}", follow_redirects=False)
        .headers["location"]
        .startswith("/name?next=")
    )
    ann.get(f"/review/{DATASET}/{proposal(0)}")
    ann.send(f"/review/{DATASET}/{proposal(0)}", status=403, verdict="accept")
    ann.is_called("Ann \u00c4 <i>")
    ann.get(f"/review/{DATASET}/{proposal(0)}")
    for verdict in ("undo", "promote", ""):
        ann.send(f"/review/{DATASET}/{proposal(0)}", status=400, verdict=verdict)
    ann.send(f"/review/{DATASET}/{proposal(0)}", status=400, verdict="reject", reason=" ")
    ann.send(f"/review/{DATASET}/nobody", status=404, verdict="accept")
    assert lines(settings) == []
    ann.send(
        f"/review/{DATASET}/{proposal(0)}", verdict="reject", reason=EVIL.replace("\udc80", "")
    )
    ann.send(f"/review/{DATASET}/{proposal(1)}", verdict="accept")
    page = ann.get(f"/decisions/{DATASET}")
    assert "Ann \u00c4 &lt;i&gt;: accept" in page
    assert "<i>" not in page
    assert ann.send(f"/undo/{DATASET}") == f"/review/{DATASET}/{proposal(1)}"
    assert ann.send(f"/undo/{DATASET}") == f"/review/{DATASET}/{proposal(0)}"
    assert ann.send(f"/undo/{DATASET}") == f"/review/{DATASET}"
    assert [line.verdict for line in lines(settings)] == ["reject", "accept", "undo", "undo"]


def test_agreement_is_that_of_those_who_judged_the_same(settings: Settings) -> None:
    assert reviewing.agreement(settings, DATASET).fleiss is None
    for number, (ann, bob) in enumerate(
        [("accept", "accept"), ("accept", "reject"), ("reject", "reject"), ("reject", "reject")]
    ):
        for by, verdict in (("Ann", ann), ("Bob", bob)):
            reviewing.decide(settings, DATASET, [proposal(number)], verdict, by=by, reason="why")
    found = reviewing.agreement(settings, DATASET)
    [(first, second, both, kappa)] = found.pairs
    assert (first, second, both) == ("Ann", "Bob", 4)
    assert kappa == pytest.approx(0.5)
    assert found.entries == 4
    assert found.fleiss == pytest.approx((0.75 - 34 / 64) / (1 - 34 / 64))
    page = visitor(settings).is_called("Ann").get(f"/decisions/{DATASET}")
    assert "0.500" in page


def test_a_line_that_is_no_decision_stops_with_its_number(settings: Settings) -> None:
    [decision] = reviewing.decide(settings, DATASET, [proposal(0)], "accept", by="Ann")
    path = Path(settings.root) / DATASET / "decisions.jsonl"
    good = path.read_text()
    for wrong in (
        "{", '{"entry_id": "x"}', good.replace("accept", "perhaps"), good.replace("Ann", ""),
        good.replace(proposal(0), "../x"), good.replace(decision.time, "yesterday"),
    ):  # fmt: skip
        path.write_text(good + wrong)
        with pytest.raises(MalformedFile, match="decision"):
            lines(settings)
    path.write_text(good.rstrip("\n"))
    add_decisions(settings.open_store(), DATASET, [decision])
    assert lines(settings) == [decision, decision]


def test_the_command_line_rejects_by_the_same_function(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def call(*words: str) -> str:
        done = CliRunner().invoke(app, [*words, "--root", settings.root], catch_exceptions=True)
        return done.output if done.exception is None else str(done.exception)

    [name, *_] = alone(0, 1, 2)
    words = ("reject", DATASET, name, "--by", "Ann")
    assert "needs a reason" in call(*words)
    assert f"turned away by Ann: {name}" in call(*words, "--reason", "bad sound")
    assert "bad sound" in call("review", DATASET)
    reviewed = [json.loads(line) for line in call("review", DATASET, "--json").splitlines()]
    assert next(each for each in reviewed if each["entry_id"] == name)["reviewed"] == "reject"
    assert "turned away" in call("promote", DATASET, name)
    assert f"taken back by Ann: {name}" in call(*words, "--undo")
    assert "1 promoted" in call("promote", DATASET, name)
    assert "no proposal is called" in call("reject", DATASET, "nobody", "--reason", "x")


def test_cohens_kappa_is_that_of_a_table_counted_by_hand() -> None:
    """50 items: 20 both yes, 15 both no, 5 and 10 apart; 0.7 alike, 0.5 by chance."""
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohens_kappa(first, second) == pytest.approx(0.4)
    assert cohens_kappa(first, first) == 1
    assert math.isnan(cohens_kappa(["yes"], ["yes"]))
    for wrong in (([], []), (["yes"], ["yes", "no"])):
        with pytest.raises(ValueError, match="items"):
            cohens_kappa(*wrong)


@pytest.mark.slow
def test_two_at_once_judge_fifty_and_nothing_twice_that_one_vote_decides(tmp_path: Path) -> None:
    """Both press a key in turn; of a sample alone two votes are cast."""
    settings = make_root(tmp_path, proposals=50, with_media=False)
    app = visitor(settings).client.app
    both = [Visitor(TestClient(app, base_url="http://127.0.0.1:8000")) for _ in range(2)]
    for guest, name in zip(both, ("Ann", "Bob"), strict=True):
        guest.is_called(name)
    places = ["", ""]
    while not all(place.startswith("/decisions") for place in places):
        for number, guest in enumerate(both):
            if places[number].startswith("/decisions"):
                continue
            if not places[number]:
                answer = guest.client.get(f"/review/{DATASET}", follow_redirects=False)
                places[number] = answer.headers["location"]
            guest.get(places[number])
        for number, guest in enumerate(both):
            if not places[number].startswith("/decisions"):
                choice = "reject" if number else "accept"
                places[number] = guest.send(places[number], verdict=choice, reason="another song")
    every = [each.verdict for each in reviewing.judged(settings, DATASET)]
    judged = [verdict for verdict in every if verdict.votes]
    assert len(judged) == 51  # one waits as a doubtful match
    for verdict in judged:
        assert len(verdict.votes) <= verdict.needed
    shares = Counter(vote.reviewer for verdict in judged for vote in verdict.votes)
    assert min(shares.values()) >= 20
