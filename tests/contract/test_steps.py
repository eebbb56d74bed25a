"""Every stage says what it reads, and can be keyed, named and explained."""

import importlib
import inspect
import json
import pkgutil
from collections import Counter
from collections.abc import Iterator

import pytest

from symmv_builder.backends import names
from symmv_builder.pipeline.step import Step

FOLDERS = ("crawl", "music", "video")
FILES = ("screen",)


def modules() -> Iterator[str]:
    for folder in FOLDERS:
        package = importlib.import_module(f"symmv_builder.{folder}")
        for found in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            yield found.name
    for name in FILES:
        if importlib.util.find_spec(f"symmv_builder.{name}"):
            yield f"symmv_builder.{name}"


def steps() -> list[tuple[str, str, Step]]:
    return [
        (module, name, value)
        for module in modules()
        for name, value in vars(importlib.import_module(module)).items()
        if isinstance(value, Step)
    ]


STEPS = steps()
every_step = pytest.mark.parametrize(
    ("module", "step"), [pytest.param(m, s, id=s.name) for m, _, s in STEPS]
)


def test_there_are_steps() -> None:
    assert STEPS


def test_no_two_steps_share_a_name() -> None:
    counts = Counter(step.name for _, _, step in STEPS)
    assert {name: count for name, count in counts.items() if count > 1} == {}


@every_step
def test_a_step_reads_what_its_function_takes(module: str, step: Step) -> None:
    kinds = inspect.Parameter
    parameters = list(inspect.signature(step.run).parameters.values())
    positional = tuple(p.name for p in parameters if p.kind is kinds.POSITIONAL_OR_KEYWORD)
    assert {p.kind for p in parameters} <= {kinds.POSITIONAL_OR_KEYWORD, kinds.KEYWORD_ONLY}
    assert positional == (() if step.together else step.reads)
    assert step.reads, "a step that reads nothing cannot be remade when something changes"


@every_step
def test_a_step_has_a_version_and_a_plain_name(module: str, step: Step) -> None:
    assert step.version >= 1
    assert step.name.isidentifier()
    assert step.name.islower()


@every_step
def test_settings_have_defaults_that_a_key_can_hold(module: str, step: Step) -> None:
    assert inspect.Parameter.empty not in step.defaults.values()
    json.dumps(dict(step.defaults), allow_nan=False)


@every_step
def test_a_step_is_explained_where_it_is_written(module: str, step: Step) -> None:
    assert step.run.__module__ == module, "a stage imports no stage"
    assert inspect.getdoc(step.run), f"{step.run.__qualname__} has no docstring"
    assert inspect.getdoc(importlib.import_module(module)), f"{module} has no docstring"


@every_step
def test_the_slot_of_a_step_has_models(module: str, step: Step) -> None:
    assert step.slot is None or names(step.slot)


@every_step
def test_a_step_says_which_types_it_takes_and_gives(module: str, step: Step) -> None:
    signature = inspect.signature(step.run)
    untyped = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
    assert untyped == []
    assert signature.return_annotation is not inspect.Signature.empty
