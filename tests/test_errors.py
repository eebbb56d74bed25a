"""Errors by situation: fields, a message that is built of them, the same in another process."""

import dataclasses
import multiprocessing as mp
import pickle
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from symmv_builder import errors
from symmv_builder.errors import Reason, RejectEntry, RetryLater, SessionBlocked, StopRun

SITUATIONS = [
    kind
    for kind in (getattr(errors, name) for name in errors.__all__)
    if isinstance(kind, type) and issubclass(kind, StopRun) and kind is not StopRun
]
# A value for each type of a field.
VALUES: dict[str, Any] = {
    "str": "words",
    "str | os.PathLike[str]": Path("place/file.toml"),
    "collections.abc.Sequence[str]": ("one", "two"),
    "int": 7,
    "float": 1.5,
    "bool": True,
    "object": 0.25,
}


def example(kind: type[StopRun]) -> StopRun:
    hints = get_type_hints(kind)
    values = {}
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        hint = hints[field.name]
        values[field.name] = VALUES[hint.__name__ if isinstance(hint, type) else str(hint)]
    return kind(**values)


def examples() -> list[errors.SymMVError]:
    return [*map(example, SITUATIONS), *others()]


def others() -> list[errors.SymMVError]:
    return [
        StopRun("no disk"),
        RejectEntry(Reason.SILENT, "it is silent"),
        RetryLater("busy", 5.0, reason=Reason.MACHINE),
        SessionBlocked("refused", 7.0),
    ]


@pytest.mark.parametrize("kind", SITUATIONS)
def test_a_situation_has_documented_fields_and_says_them(kind: type[StopRun]) -> None:
    error = example(kind)
    assert str(error)
    assert "\n" not in str(error)
    assert error.args == (str(error),)
    assert kind.__doc__
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        assert f"{field.name}={getattr(error, field.name)!r}" in repr(error)
        documented = " ".join(base.__doc__ or "" for base in kind.__mro__[:2])
        assert f"`{field.name}`" in documented, f"{kind.__name__} does not say what {field.name} is"


@pytest.mark.parametrize("error", examples(), ids=repr)
def test_an_error_is_the_same_after_pickle(error: errors.SymMVError) -> None:
    error.add_note("seen by a worker")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 (our own bytes)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def _send(pipe: Any) -> None:
    for error in examples():
        pipe.send(error)


def test_errors_of_another_process_keep_class_and_fields() -> None:
    context = mp.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=_send, args=(there,))
    process.start()
    for error in examples():
        got = here.recv()
        assert (type(got), str(got), vars(got)) == (type(error), str(error), vars(error))
    process.join()


def test_an_error_of_another_package_that_cannot_cross_is_told_in_its_words() -> None:
    from symmv_builder.pipeline.pool import sendable

    error = StopRun("its file is broken")
    error.handle = lambda: None  # type: ignore[attr-defined]
    again = sendable(error)
    assert type(again) is StopRun
    assert str(again) == "its file is broken"
    assert sendable(known := errors.NoShards("toy", "data")) is known


def test_messages_say_what_their_fields_say() -> None:
    said = {
        str(errors.UnknownName("split", "x", ("train", "test"))): (
            "no split is called 'x'; known: train, test"
        ),
        str(errors.UnknownName("result", "x", ("notes",), where="toy")): (
            "toy has no result 'x'; it has: notes"
        ),
        str(errors.RecipeError("a.toml", "no such key", 3, "steps.key")): (
            "a.toml, line 3: steps.key: no such key"
        ),
        str(errors.DiskFull("data", "the disk is full")): (
            "cannot write to data: the disk is full"
        ),
        str(errors.MissingPackage("av", "pip install av")): (
            "av is not installed; run: pip install av"
        ),
    }
    assert all(found == wanted for found, wanted in said.items())
    assert errors.WrongArguments("give `split` or `entries`").arguments == ("split", "entries")
