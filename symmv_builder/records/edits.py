"""What a person changes of a record: one thing of it, named by where it stands."""

import math
from dataclasses import asdict, dataclass
from typing import Any

from symmv_builder.text import clean_line

MOVE, ADD, REMOVE, RENAME, MARK, TRIM = "move", "add", "remove", "rename", "mark", "trim"
# A trim is about the entry itself and not about one of its records.
WHOLE_ENTRY = "entry"
_LONGEST_NAME = 40
_LARGEST_NUMBER = 2**31 - 1
_VALUES: dict[str, type] = {
    MOVE: float, ADD: int, REMOVE: type(None), RENAME: str, MARK: bool, TRIM: float,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of the record `artifact`, on the record's own clock, in seconds.

    ========  ==================================================================================
    move      the beat or the cut at `at_s` goes to `value`
    add       at `at_s` there is a beat, the `value`-th of its bar; or a cut, behind which the frame
              with the presentation number `value` is the first
    remove    the beat or the cut at `at_s` is none
    rename    the chord or the key from `at_s` to `until_s` is called `value`; the key of a whole
              piece has neither time
    mark      the note of `pitch` (MIDI) that begins at `at_s` is melody, or is not: `value`
    trim      of the entry what lies from `at_s` to `value` is kept, on the VIDEO clock
    ========  ==================================================================================

    Nothing is named by its number: another model finds others, and numbers would mean others.
    """

    artifact: str
    kind: str
    value: float | str | bool | None = None
    at_s: float | None = None
    until_s: float | None = None
    pitch: int | None = None

    def __post_init__(self) -> None:
        if self.kind not in _VALUES:
            raise ValueError(f"not a kind of edit: {self.kind!r}; known: {', '.join(_VALUES)}")
        if _VALUES[self.kind] is float and type(self.value) is int:
            object.__setattr__(self, "value", float(self.value))
        if type(self.value) is not _VALUES[self.kind]:
            raise ValueError(f"{self.value!r} is no value of {self.kind}")
        for name in ("at_s", "until_s", "value"):
            self._check_number(name)
        if self.kind == ADD and int(self.value or 0) > _LARGEST_NUMBER:
            raise ValueError(f"{self.value} is no place in a bar, and no number of a frame")
        for text in (self.artifact, self.value if self.kind == RENAME else ""):
            if text != clean_line(str(text)) or len(str(text)) > _LONGEST_NAME:
                raise ValueError(f"a name is one clean line of at most {_LONGEST_NAME} characters")
        self._check_kind()

    def _check_number(self, name: str) -> None:
        value = getattr(self, name)
        is_number = type(value) in (int, float)
        if name != "value" and not is_number and value is not None:
            raise ValueError(f"{name} is no number")
        if is_number and not (math.isfinite(value) and value >= 0):
            raise ValueError(f"{name} is a time of a recording, and not {value}")

    def _check_kind(self) -> None:
        if self.at_s is None and self.kind != RENAME:
            raise ValueError(f"{self.kind} needs at_s")
        if (type(self.pitch) is int) != (self.kind == MARK):
            raise ValueError("a mark has a pitch, and nothing else has")
        if (self.artifact == WHOLE_ENTRY) != (self.kind == TRIM):
            raise ValueError("a trim is about the entry, and everything else about a record of it")
        if self.kind == TRIM and not (self.at_s or 0.0) < self.to_s:
            raise ValueError("a trim ends behind its start")

    @property
    def to_s(self) -> float:
        """Where a move or a trim ends."""
        return float(self.value or 0.0)

    def fields(self) -> dict[str, Any]:
        """Its fields as plain data, without those that it does not have."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def __str__(self) -> str:
        at = "" if self.at_s is None else f" at {self.at_s:.3f} s"
        match self.kind:
            case "move":
                return f"{self.artifact}{at} to {self.to_s:.3f} s"
            case "add" | "remove":
                return f"{self.artifact}: {self.kind}{at}"
            case "mark":
                part = "melody" if self.value else "accompaniment"
                return f"{self.artifact}: note {self.pitch}{at} is {part}"
            case "trim":
                return f"{self.artifact}: keep {self.at_s:.3f} to {self.to_s:.3f} s"
        return f"{self.artifact}{at} is {self.value}"
