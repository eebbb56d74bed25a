"""What needs the development samples beside the checkout is also shown on data that is made.

A stranger has no samples: a test that takes them (`shared_data`) is skipped there. It names a test
that shows the same without them: `@pytest.mark.twin("test_name")`, or ``path::test_name``.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SAMPLES = "shared_data"
Functions = dict[str, ast.FunctionDef]


@pytest.fixture(scope="module")
def tests(root: Path, repository_files: list[Path]) -> dict[str, Functions]:
    """The functions of every file of tests, by its path."""
    paths = [path for path in repository_files if path.is_relative_to(root / "tests")]
    return {
        path.relative_to(root).as_posix(): {
            node.name: node
            for node in ast.parse(path.read_bytes()).body
            if isinstance(node, ast.FunctionDef)
        }
        for path in paths
        if path.suffix == ".py"
    }


def needs_samples(name: str, functions: Functions) -> bool:
    """Whether a test or a fixture takes the samples, itself or by a fixture of its file."""
    if name == SAMPLES:
        return True
    function = functions.get(name)
    return function is not None and any(
        needs_samples(argument.arg, functions) for argument in function.args.args
    )


def twins_of(function: ast.FunctionDef) -> Iterator[str]:
    for decorator in function.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "pytest.mark.twin":
            yield ast.literal_eval(decorator.args[0])


def with_samples(tests: dict[str, Functions]) -> list[tuple[str, str]]:
    return [
        (path, name)
        for path, functions in tests.items()
        for name in functions
        if name.startswith("test_") and needs_samples(name, functions)
    ]


def test_every_test_of_the_samples_names_a_twin_that_needs_none(
    tests: dict[str, Functions],
) -> None:
    pairs = with_samples(tests)
    assert len(pairs) > 20
    faults = []
    for path, name in pairs:
        named = list(twins_of(tests[path][name]))
        if not named:
            faults.append(f"{path}::{name} names no twin")
        for twin in named:
            place, _, other = twin.rpartition("::")
            functions = tests.get(place or path, {})
            if other not in functions or not other.startswith("test_"):
                faults.append(f"{path}::{name}: there is no test {twin}")
            elif needs_samples(other, functions):
                faults.append(f"{path}::{name}: {twin} needs the samples, too")
    assert faults == []


def test_a_twin_is_named_by_tests_of_the_samples_alone(tests: dict[str, Functions]) -> None:
    known = set(with_samples(tests))
    others = [
        f"{path}::{name}"
        for path, functions in tests.items()
        for name, function in functions.items()
        if (path, name) not in known and any(twins_of(function))
    ]
    assert others == []


def test_the_samples_are_taken_by_their_fixture_alone(
    root: Path, tests: dict[str, Functions]
) -> None:
    """Another way to them would be skipped, or fail, without a twin."""
    variable = "SYMMV" + "_SHARED"
    places = [path for path in tests if variable in (root / path).read_text()]
    assert places == ["tests/conftest.py"]
