"""`run_entry`: the same key is reused, another is made, a rejection is remembered."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import toy

from symmv_builder.errors import Reason, RejectEntry, StopRun
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.pipeline.run import run_entry
from symmv_builder.pipeline.step import Step, Use, use
from symmv_builder.records import Screened
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path / "root"))


def steps_done(plan: Plan, root: Root, work: Work) -> list[tuple[str, bool]]:
    events: list[Event] = []
    run_entry(work, plan, root, toy.load_model, events.append)
    return [(event.step, event.reused) for event in events if event.kind == "step"]


def test_what_is_made_once_is_found_again(root: Root, tmp_path: Path) -> None:
    work = toy.work(root, tmp_path, "a", "four")
    assert steps_done(toy.plan(), root, work) == [("measured", False), ("doubled", False)]
    assert steps_done(toy.plan(), root, work) == [("measured", True), ("doubled", True)]


def test_results_come_out_of_the_sidecars_as_they_went_in(root: Root, tmp_path: Path) -> None:
    work = toy.work(root, tmp_path, "a", "four")
    run_entry(work, toy.plan(), root, toy.load_model)
    key = toy.plan().keys(work)["doubled"]
    record, provenance = Sidecars(root, "toy").load("a", "doubled", key)
    assert record == Screened("double", 8.0, 0.0)
    assert (provenance.step, provenance.backend) == ("double", "two")
    assert provenance.weights_sha256 == "a" * 64


def test_another_parameter_remakes_the_step_and_what_depends_on_it(
    root: Root, tmp_path: Path
) -> None:
    work = toy.work(root, tmp_path, "a", "four")
    run_entry(work, toy.plan(), root, toy.load_model)
    done = steps_done(toy.plan(factor=3), root, work)
    assert done == [("measured", False), ("doubled", False)]


def test_other_weights_remake_exactly_what_the_model_made(root: Root, tmp_path: Path) -> None:
    work = toy.work(root, tmp_path, "a", "four")
    run_entry(work, toy.plan(), root, toy.load_model)
    done = steps_done(toy.plan(weights="b" * 64), root, work)
    assert done == [("measured", True), ("doubled", False)]


def test_a_rejection_is_remembered_under_its_key(root: Root, tmp_path: Path) -> None:
    work = toy.work(root, tmp_path, "a", "reject me")
    first = run_entry(work, toy.plan(), root, toy.load_model)
    assert first.rejection is not None
    assert first.rejection.reason is Reason.SILENT
    events: list[Event] = []
    second = run_entry(work, toy.plan(), root, toy.load_model, events.append)
    assert second.rejection == first.rejection
    assert not any(event.kind == "begin" for event in events)


def test_a_rejection_is_tried_again_under_another_key(root: Root, tmp_path: Path) -> None:
    work = toy.work(root, tmp_path, "a", "reject me")
    run_entry(work, toy.plan(), root, toy.load_model)
    events: list[Event] = []
    run_entry(work, toy.plan(factor=2), root, toy.load_model, events.append)
    assert [event.step for event in events if event.kind == "begin"] == ["measured"]


def test_a_lost_sidecar_is_made_again(root: Root, tmp_path: Path) -> None:
    work = toy.work(root, tmp_path, "a", "four")
    run_entry(work, toy.plan(), root, toy.load_model)
    key = toy.plan().keys(work)["measured"]
    root.remove(f"toy/sidecars/a/measured.{key}.npz")
    assert steps_done(toy.plan(), root, work) == [("measured", False), ("doubled", True)]


def test_what_was_made_before_a_stop_is_kept(root: Root, tmp_path: Path) -> None:
    def stop(measured: Screened) -> Screened:
        raise StopRun("no disk")

    stopping = Plan(
        "toy",
        (use(toy.MEASURE, makes="measured"), use(Step("stop", 1, ("measured",), stop))),
    )
    work = toy.work(root, tmp_path, "a", "four")
    with pytest.raises(StopRun):
        run_entry(work, stopping, root, toy.load_model)
    assert any(name.startswith("measured.") for name in Sidecars(root, "toy").present("a"))


def test_steps_that_share_a_pass_are_made_in_one_call(root: Root, tmp_path: Path) -> None:
    calls = []

    def together(music: Path, watchers: Sequence[str]) -> list[Screened]:
        calls.append(list(watchers))
        return [Screened(name, 1.0, 0.0) for name in watchers]

    def watch(*, name: str = "x") -> str:
        return name

    uses = [
        use(Step(f"watch_{name}", 1, ("music",), watch, together=together), name=name)
        for name in "abc"
    ]
    work = toy.work(root, tmp_path, "e", "four")
    run_entry(work, Plan("toy", tuple(uses[:1])), root, toy.load_model)
    run_entry(work, Plan("toy", tuple(uses)), root, toy.load_model)
    assert calls == [["a"], ["b", "c"]]


def test_a_plan_refuses_a_step_whose_input_nothing_makes() -> None:
    with pytest.raises(ValueError, match="nothing before it makes"):
        Plan("toy", (use(toy.DOUBLE, model="two"),))


def test_a_step_must_declare_what_its_function_reads() -> None:
    with pytest.raises(TypeError, match="declares"):
        Step("wrong", 1, reads=("video",), run=toy.measure)


def rejected(root: Root, entry_id: str = "a") -> list[str]:
    return [name for name in Sidecars(root, "toy").present(entry_id) if "rejected" in name]


def test_a_result_that_is_taken_away_under_the_run_leaves_the_entry_for_another_run(
    root: Root, tmp_path: Path
) -> None:
    work = toy.work(root, tmp_path, "a", "four")
    run_entry(work, Plan("toy", toy.plan().uses[:1]), root, toy.load_model)
    name = f"toy/sidecars/a/measured.{toy.plan().keys(work)['measured']}.npz"
    outcome = run_entry(work, toy.plan(), root, toy.load_model, lambda _: root.remove(name))
    assert "measured was taken away" in outcome.retry
    assert not rejected(root)


def test_a_damaged_result_leaves_the_entry_for_another_run(root: Root, tmp_path: Path) -> None:
    work = toy.work(root, tmp_path, "a", "four")
    run_entry(work, Plan("toy", toy.plan().uses[:1]), root, toy.load_model)
    root.write(f"toy/sidecars/a/measured.{toy.plan().keys(work)['measured']}.npz", b"PK\3\4 no")
    outcome = run_entry(work, toy.plan(), root, toy.load_model)
    assert "is damaged" in outcome.retry
    assert not rejected(root)


def test_the_step_of_a_shared_pass_that_has_a_bug_is_found(root: Root, tmp_path: Path) -> None:
    def together(music: Path, watchers: Sequence[str]) -> list[Screened]:
        return [Screened(name, 1.0 / (name != "b"), 0.0) for name in watchers]

    def watch(*, name: str = "x") -> str:
        return name

    uses = [
        use(Step(f"watch_{name}", 1, ("music",), watch, together=together), name=name)
        for name in "abc"
    ]
    work = toy.work(root, tmp_path, "e", "four")
    outcome = run_entry(work, Plan("toy", tuple(uses)), root, toy.load_model)
    assert outcome.rejection is not None
    assert (outcome.rejection.step, outcome.rejection.reason) == ("watch_b", Reason.FAILED)
    assert [(r.artifact, bool(r.reason)) for r in outcome.results] == [
        ("watch_a", False),
        ("watch_b", True),
    ]


class Scribe:
    """Steps that share a pass and do the rest in turn; writes down in which order all happens."""

    def __init__(self, **raises: Exception) -> None:
        self.raises = raises
        self.said: list[str] = []
        # One object, by which steps are known to share it.
        self.together = self.listen

    def listen(self, music: Path, listeners: Sequence[str]) -> list[Callable[..., Screened]]:
        self.say("+".join(listeners))
        return [partial(self.rest, name) for name in listeners]

    def rest(self, name: str, *besides: Screened) -> Screened:
        self.say(name)
        return Screened(name, 1.0 + sum(record.value for record in besides), 0.0)

    def say(self, what: str) -> None:
        self.said.append(what)
        if what in self.raises:
            raise self.raises[what]

    def listener(self, name: str) -> Use:
        def hear(*, name: str = name) -> str:
            self.say(f"make {name}")
            return name

        return use(Step(f"hear_{name}", 1, ("music",), hear, together=self.together), makes=name)

    def alone(self, name: str) -> Use:
        def measure(music: Path) -> Screened:
            self.say(name)
            return Screened(name, 1.0, 0.0)

        return use(Step(f"measure_{name}", 1, ("music",), measure), makes=name)

    def plan(self) -> Plan:
        return Plan("toy", (self.listener("a"), self.alone("x"), self.listener("b")))


def test_a_step_of_a_pass_does_the_rest_when_its_turn_has_come(root: Root, tmp_path: Path) -> None:
    scribe, events = Scribe(), list[Event]()
    work = toy.work(root, tmp_path, "e", "four")
    outcome = run_entry(work, scribe.plan(), root, toy.load_model, events.append)
    assert scribe.said == ["make a", "make b", "a+b", "a", "x", "b"]
    assert [result.artifact for result in outcome.results] == ["a", "x", "b"]
    assert [(event.kind, event.step) for event in events] == [
        ("begin", "a+b"), ("begin", "a"), ("step", "a"),
        ("begin", "x"), ("step", "x"),
        ("begin", "b"), ("step", "b"),
    ]  # fmt: skip
    scribe.said.clear()
    run_entry(work, scribe.plan(), root, toy.load_model)
    assert scribe.said == []


def test_only_steps_whose_results_are_missing_sit_in(root: Root, tmp_path: Path) -> None:
    scribe = Scribe()
    work = toy.work(root, tmp_path, "e", "four")
    run_entry(work, Plan("toy", scribe.plan().uses[:1]), root, toy.load_model)
    scribe.said.clear()
    plan = Plan("toy", (*scribe.plan().uses, scribe.listener("c")))
    run_entry(work, plan, root, toy.load_model)
    assert scribe.said == ["x", "make b", "make c", "b+c", "b", "c"]


def test_no_step_of_a_pass_does_the_rest_where_an_earlier_step_turns_the_entry_away(
    root: Root, tmp_path: Path
) -> None:
    scribe = Scribe(x=RejectEntry(Reason.SILENT, "no sound"))
    work = toy.work(root, tmp_path, "e", "four")
    outcome = run_entry(work, scribe.plan(), root, toy.load_model)
    assert outcome.rejection is not None
    assert outcome.rejection.step == "measure_x"
    assert scribe.said == ["make a", "make b", "a+b", "a", "x"]
    names = Sidecars(root, "toy").present("e")
    assert {name.split(".")[0] for name in names} == {"a", "x"}


@pytest.mark.parametrize("at", ["a", "b"])
@pytest.mark.parametrize("error", [RejectEntry(Reason.NO_BEATS, "one"), ZeroDivisionError("bug")])
def test_the_step_of_a_pass_that_fails_in_its_turn_is_named(
    root: Root, tmp_path: Path, at: str, error: Exception
) -> None:
    scribe = Scribe(**{at: error})
    work = toy.work(root, tmp_path, "e", "four")
    outcome = run_entry(work, scribe.plan(), root, toy.load_model)
    assert outcome.rejection is not None
    assert outcome.rejection.step == f"hear_{at}"
    reason = error.reason if isinstance(error, RejectEntry) else Reason.FAILED
    assert outcome.rejection.reason is reason
    # The file is not decoded again to find who is to blame.
    assert scribe.said.count("a+b") == 1
    assert outcome.results[-1].artifact == at


def test_a_file_that_cannot_be_heard_is_turned_away_by_the_step_whose_turn_it_is(
    root: Root, tmp_path: Path
) -> None:
    scribe = Scribe(**{"a+b": RejectEntry(Reason.NO_AUDIO, "mute")})
    work = toy.work(root, tmp_path, "e", "four")
    outcome = run_entry(work, scribe.plan(), root, toy.load_model)
    assert outcome.rejection is not None
    assert (outcome.rejection.step, outcome.rejection.reason) == ("hear_a", Reason.NO_AUDIO)


def test_a_listener_that_cannot_be_made_is_left_out_and_blamed_in_its_turn(
    root: Root, tmp_path: Path
) -> None:
    scribe = Scribe(**{"make b": ZeroDivisionError("bug")})
    work = toy.work(root, tmp_path, "e", "four")
    outcome = run_entry(work, scribe.plan(), root, toy.load_model)
    assert outcome.rejection is not None
    assert (outcome.rejection.step, outcome.rejection.reason) == ("hear_b", Reason.FAILED)
    assert [result.artifact for result in outcome.results] == ["a", "x", "b"]


class Adding:
    """A listener of which the rest needs a result that is made after the pass."""

    def finish(self, x: Screened) -> Screened:
        return x


def test_what_a_step_of_a_pass_reads_besides_may_be_made_after_the_pass(
    root: Root, tmp_path: Path
) -> None:
    scribe = Scribe()

    def hear_sum() -> Adding:
        return "sum"  # type: ignore[return-value]

    adding = Step("hear_sum", 1, ("x", "music"), hear_sum, together=scribe.together)
    assert (adding.watched, adding.record_read("x")) == ("music", Screened)
    assert (adding.record_read("music"), adding.record_made) == (Path, Screened)
    work = toy.work(root, tmp_path, "e", "four")
    plan = Plan("toy", (*scribe.plan().uses, use(adding, makes="sum")))
    run_entry(work, plan, root, toy.load_model)
    assert scribe.said == ["make a", "make b", "a+b+sum", "a", "x", "b", "sum"]
    record, _ = Sidecars(root, "toy").load("e", "sum", plan.keys(work)["sum"])
    assert record == Screened("sum", 2.0, 0.0)


def test_recordings_of_one_content_are_one_file(root: Root, tmp_path: Path) -> None:
    scribe = Scribe()
    uses = (
        scribe.listener("a"),
        use(scribe.listener("b").step, makes="b", inputs={"music": "video"}),
    )
    # The two recordings of a toy are one file.
    run_entry(toy.work(root, tmp_path, "e", "four"), Plan("toy", uses), root, toy.load_model)
    assert "a+b" in scribe.said
    (tmp_path / "other").write_text("five!")
    sha256 = hash_file(tmp_path / "other")
    add_asset(root, tmp_path / "other", sha256)
    pair = replace(toy.work(root, tmp_path, "pair", "four"), video_sha256=sha256)
    scribe.said.clear()
    run_entry(pair, Plan("toy", uses), root, toy.load_model)
    assert scribe.said == ["make a", "a", "a", "make b", "b", "b"]


def test_a_step_of_a_pass_says_what_its_listener_takes() -> None:
    def hear_sum() -> Adding:
        return Adding()

    def together(music: Path, listeners: Sequence[Adding]) -> list[Any]:
        return []

    with pytest.raises(TypeError, match="but its `finish` \\('x',\\)"):
        Step("sum", 1, ("music", "y"), hear_sum, together=together)
    with pytest.raises(TypeError, match="reads no recording"):
        Step("sum", 1, ("x",), hear_sum, together=together)


def test_a_pass_is_no_part_of_a_key() -> None:
    def hear(music: Path) -> Screened:
        return Screened("x", 0.0, 0.0)

    def listener() -> Adding:
        return Adding()

    work = Work("e", "a" * 64, "b" * 64)
    alone = Plan("toy", (use(Step("hear", 1, ("music",), hear), makes="heard"),))
    shared = Step("hear", 1, ("music",), listener, together=Scribe().together)
    assert Plan("toy", (use(shared, makes="heard"),)).keys(work) == alone.keys(work)


def test_a_bug_over_a_result_names_the_file_of_that_result(root: Root, tmp_path: Path) -> None:
    def fail(measured: Screened) -> Screened:
        raise RecursionError

    plan = Plan("toy", (toy.plan().uses[0], use(Step("fail", 1, ("measured",), fail))))
    work = toy.work(root, tmp_path, "a", "four")
    outcome = run_entry(work, plan, root, toy.load_model)
    assert outcome.rejection is not None
    assert outcome.rejection.detail.startswith("RecursionError (pipeline/test_run.py:")
    assert f"sidecars/a/measured.{plan.keys(work)['measured']}.npz" in outcome.rejection.detail


def test_an_answer_of_a_step_that_is_no_record_is_a_bug(root: Root, tmp_path: Path) -> None:
    def answer(music: Path) -> object:
        return {"not": "a record"}

    work = toy.work(root, tmp_path, "a", "four")
    outcome = run_entry(
        work, Plan("toy", (use(Step("answer", 1, ("music",), answer)),)), root, toy.load_model
    )
    assert outcome.rejection is not None
    assert outcome.rejection.reason is Reason.FAILED


def test_a_listener_that_fails_is_not_the_fault_of_the_entry(root: Root, tmp_path: Path) -> None:
    def listen(event: object) -> None:
        raise BrokenPipeError("nobody is there")

    with pytest.raises(BrokenPipeError):
        run_entry(toy.work(root, tmp_path, "a", "four"), toy.plan(), root, toy.load_model, listen)
    assert not rejected(root)


def test_whoever_interrupts_a_step_is_heard(root: Root, tmp_path: Path) -> None:
    def interrupt(music: Path) -> Screened:
        raise KeyboardInterrupt

    plan = Plan("toy", (use(Step("interrupt", 1, ("music",), interrupt)),))
    with pytest.raises(KeyboardInterrupt):
        run_entry(toy.work(root, tmp_path, "a", "four"), plan, root, toy.load_model)
    assert not rejected(root)
