"""Arrays out of a pickle without unpickling it: nothing that it names is imported or called.

A pickle is a list of operations on a stack. Those of which dictionaries and arrays are made are
gone through here one by one (the names are those of `pickletools`); any other ends the reading.
"""

import pickletools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

# What a pickle of arrays calls: where numpy makes an empty one, and the type of its numbers.
_CALLED = {
    "numpy.core.multiarray._reconstruct": "array",
    "numpy._core.multiarray._reconstruct": "array",
    "numpy.dtype": "type",
}
_NAMED = frozenset((*_CALLED, "numpy.ndarray"))
_PLAIN = frozenset(
    (
        *("BININT", "BININT1", "BININT2", "LONG1", "BINUNICODE", "SHORT_BINUNICODE"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
    )
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_SILENT = frozenset(("PROTO", "FRAME", "STOP"))
_MARK = object()


class NoArrays(ValueError):
    """A file is no pickle of arrays alone."""


def read_arrays(path: Path) -> Mapping[str, Any]:
    """Nested dictionaries of arrays out of a pickle that holds nothing else.

    `NoArrays` for any other file.
    """
    try:
        tree = _Stack().read(path.read_bytes())
    except NoArrays:
        raise
    except Exception as error:
        # A damaged file may fail in any way: on an empty stack, an index, a type.
        raise NoArrays(f"it is no pickle of arrays alone ({type(error).__name__})") from error
    if not isinstance(tree, dict):
        raise NoArrays("it is no dictionary of arrays")
    return tree


class _PickledArray:
    """An array, or the type of one, that a pickle describes piece by piece."""

    def __init__(self, name: str, arguments: tuple[Any, ...]) -> None:
        self.name, self.arguments = name, arguments
        self.state: tuple[Any, ...] = ()

    def array(self) -> Any:
        _, shape, kind, in_columns, data = self.state
        order, name = kind.state[1], kind.arguments[0]
        numbers = np.dtype(name)
        if numbers.kind not in "fiub":
            raise NoArrays(f"an array of it holds {name}, which are no numbers")
        values = np.frombuffer(data, dtype=numbers.newbyteorder(order))
        return values.reshape(shape, order="F" if in_columns else "C")


class _Stack:
    """The stack of a pickle's machine, and its memory."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._operations: Mapping[str, Callable[[Any], object]] = {
            "MARK": lambda _: self._stack.append(_MARK),
            "EMPTY_DICT": lambda _: self._stack.append({}),
            "TUPLE": lambda _: self._stack.append(tuple(self._since_mark())),
            "SETITEM": lambda _: self._set(self._pop(2)),
            "SETITEMS": lambda _: self._set(self._since_mark()),
            "MEMOIZE": lambda _: self._remember(len(self._memo)),
            "BINPUT": self._remember,
            "LONG_BINPUT": self._remember,
            "BINGET": lambda place: self._stack.append(self._memo[place]),
            "LONG_BINGET": lambda place: self._stack.append(self._memo[place]),
            "STACK_GLOBAL": lambda _: self._name(".".join(self._pop(2))),
            "GLOBAL": lambda words: self._name(words.replace(" ", ".")),
            "REDUCE": lambda _: self._call(*self._pop(2)),
            "BUILD": lambda _: self._describe(*self._pop(1)),
        }

    def read(self, data: bytes) -> Any:
        """Read what the pickle leaves on the stack, with its arrays made."""
        for operation, argument, _ in pickletools.genops(data):
            name = operation.name
            if name in _PLAIN:
                self._stack.append(argument)
            elif name in _CONSTANTS:
                self._stack.append(_CONSTANTS[name])
            elif name in _TUPLES:
                self._stack.append(tuple(self._pop(_TUPLES[name])))
            elif name in self._operations:
                self._operations[name](argument)
            elif name not in _SILENT:
                raise NoArrays(f"it does {name}, of which no array is made")
        return _resolved(self._stack.pop())

    def _pop(self, count: int) -> list[Any]:
        at = len(self._stack) - count
        items = self._stack[at:]
        del self._stack[at:]
        return items

    def _since_mark(self) -> list[Any]:
        at = len(self._stack) - 1 - self._stack[::-1].index(_MARK)
        items = self._stack[at + 1 :]
        del self._stack[at:]
        return items

    def _set(self, items: list[Any]) -> None:
        self._stack[-1].update(zip(items[::2], items[1::2], strict=True))

    def _remember(self, place: int) -> None:
        self._memo[place] = self._stack[-1]

    def _name(self, name: str) -> None:
        if name not in _NAMED:
            raise NoArrays(f"it names {name}, which is no array")
        self._stack.append(name)

    def _call(self, name: str, arguments: tuple[Any, ...]) -> None:
        self._stack.append(_PickledArray(_CALLED[name], arguments))

    def _describe(self, state: tuple[Any, ...]) -> None:
        self._stack[-1].state = state


def _resolved(value: Any) -> Any:
    """Dictionaries with their arrays, once all of them are described."""
    if isinstance(value, dict):
        return {name: _resolved(item) for name, item in value.items()}
    return value.array() if isinstance(value, _PickledArray) and value.name == "array" else value
