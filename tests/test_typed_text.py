"""Texts as values of the types that Python's annotations name."""

from typing import Any, Literal

import pytest

from symmv_builder.typed_text import in_words, parse

VALUES = [
    (bool, "True", True),
    (int, "3", 3),
    (float, "1e3", 1000.0),
    (str, "", ""),
    (int | None, "None", None),
    (Literal["a", 2], "2", 2),
    (Literal["a"] | None, "a", "a"),
    (tuple[int, ...], "1, 2", (1, 2)),
    (tuple[int, ...], " ", ()),
    (tuple[int, str], "1,x", (1, "x")),
]


@pytest.mark.parametrize(("hint", "text", "value"), VALUES, ids=repr)
def test_a_text_is_a_value_of_its_type(hint: Any, text: str, value: Any) -> None:
    parsed = parse(hint, text)
    assert (parsed, type(parsed)) == (value, type(value))


@pytest.mark.parametrize(
    ("hint", "text"),
    [
        (bool, "yes"),
        (int, "1.5"),
        (float, "nan"),
        (Literal["a"], "b"),
        (Literal["a"] | None, ""),
        (tuple[int, str], "1"),
    ],
    ids=repr,
)
def test_what_is_none_is_refused(hint: Any, text: str) -> None:
    with pytest.raises(ValueError):
        parse(hint, text)


def test_types_are_told_in_words() -> None:
    assert in_words(int | None) == "a whole number or none"
    assert in_words(Literal["a", "b"]) == "a, b"
    assert in_words(tuple[float, ...]) == "a number and so on, with commas"
