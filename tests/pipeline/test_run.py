"""`run_entry`: the same key is reused, another is made, a rejection is remembered."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import toy

from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.pipeline.run import run_entry
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Screened
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
