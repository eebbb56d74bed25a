"""`run_entry`: the same key is reused, another is made, a rejection is remembered."""

from pathlib import Path

import pytest
import toy

from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.run import run_entry
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Screened
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path / "root"))


def steps_done(plan: Plan, root: Root, work: object) -> list[tuple[str, bool]]:
    events = []
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
    events = []
    second = run_entry(work, toy.plan(), root, toy.load_model, events.append)
    assert second.rejection == first.rejection
    assert not any(event.kind == "begin" for event in events)


def test_a_rejection_is_tried_again_under_another_key(root: Root, tmp_path: Path) -> None:
    work = toy.work(root, tmp_path, "a", "reject me")
    run_entry(work, toy.plan(), root, toy.load_model)
    events = []
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

    def together(music: Path, watchers: list[str]) -> list[Screened]:
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
