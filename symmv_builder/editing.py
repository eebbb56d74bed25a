"""Records as people correct them: an edit applied to what a machine found.

An edit names a beat, a cut, a chord or a note by where it stands (`records.Edit`). Where the record
has nothing there any more, because another model found others, the edit does not apply, and that is
said; it is never applied to the next best thing. `edited` has one rule for each kind of record.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np

from symmv_builder.records import Beats, Chords, Edit, Floats, Key, KeySpans, Parts, Record, Scenes
from symmv_builder.records.edits import MARK, MOVE, RENAME
from symmv_builder.vocab import (
    MODES,
    MUVISYNC_LABELS,
    MUVISYNC_QUALITIES,
    NO_CHORD,
    SHARP_NAMES,
    SYMMV_LABELS,
    SYMMV_ROOTS,
)

# Two times that mean the same beat, cut or onset lie this close together: the tolerance within
# which onsets are taken to agree in the evaluation of transcriptions (MIREX).
SAME_S = 0.05
_HARTE_LABELS = {
    NO_CHORD,
    *(
        f"{root}:{quality}"
        for root in {*SHARP_NAMES, *SYMMV_ROOTS, "Db", "Gb", "Ab"}
        for quality in MUVISYNC_QUALITIES
    ),
}
# Raised when the same edits of the same record would give another.
VERSION = 1


class NotApplicable(ValueError):
    """An edit of something that a record does not have."""


def apply_edits(record: Record, edits: Iterable[tuple[str, Edit]]) -> tuple[Record, dict[str, str]]:
    """Apply all edits that fit the record, one after the other; tells by name why others do not.

    An edit may be about what an earlier one made: a beat that was moved is moved again.
    """
    problems = {}
    for name, edit in edits:
        try:
            record = edited(record, edit)
        except NotApplicable as error:
            problems[name] = str(error)
    return record, problems


@singledispatch
def edited(record: Any, edit: Edit) -> Any:
    """Apply one edit to a record; `NotApplicable` where it has nothing that the edit is about.

    - A beat or a cut stays between its neighbours. The number of a shot's first frame follows from
      the mean rate up to the cut: with a rate that varies it may be some frames off.
    - A chord's name is one of the vocabulary that the record's other names are of.
    - A key that a person named has no correlation with a profile: it is 0.
    """
    raise NotApplicable(f"{edit.artifact} cannot be corrected: it is {type(record).__name__}")


def can_edit(kind: type) -> bool:
    """Check whether there is a rule for a kind of record."""
    return edited.dispatch(kind) is not edited.dispatch(object)


def key_named(text: str) -> tuple[str, str]:
    """Tonic (music21's spelling) and mode of a key's name; `ValueError` for what is none.

    >>> key_named("eb major"), key_named("F# minor"), key_named("b minor")
    (('E-', 'major'), ('F#', 'minor'), ('B', 'minor'))
    """
    tonic, _, mode = text.strip().partition(" ")
    tonic = tonic[:1].upper() + tonic[1:].replace("b", "-")
    try:
        Key(tonic, mode, 0.0)
    except ValueError:
        problem = f"{text!r} is no key: a note and {' or '.join(MODES)}, as in E- major"
        raise ValueError(problem) from None
    return tonic, mode


def _require(edit: Edit, kind: str) -> None:
    if edit.kind != kind:
        raise NotApplicable(f"{edit.artifact} takes {kind} and not {edit.kind}")


def _place(times_s: Floats, edit: Edit, what: str) -> int:
    """Find the number of what stands where the edit says."""
    at_s = edit.at_s
    if at_s is None:
        raise NotApplicable(f"which {what} is meant is not said")
    apart = np.abs(times_s - at_s)
    if not len(apart) or apart.min() > SAME_S + 1e-9:
        raise NotApplicable(f"there is no {what} at {at_s:.3f} s")
    return int(apart.argmin())


def _check_between(to_s: float, low_s: float, high_s: float, what: str) -> None:
    if not low_s < to_s < high_s:
        to = f"{to_s:.3f} s is not between its neighbours"
        raise NotApplicable(f"the {what} cannot go there: {to} ({low_s:.3f} and {high_s:.3f} s)")


@edited.register
def _(record: Beats, edit: Edit) -> Beats:
    _require(edit, MOVE)
    times_s = record.times_s.copy()
    place, to_s = _place(times_s, edit, "beat"), float(edit.value)
    low_s = times_s[place - 1] if place else -1.0
    high_s = times_s[place + 1] if place + 1 < len(times_s) else np.inf
    _check_between(to_s, low_s, high_s, "beat")
    times_s[place] = to_s
    return replace(record, times_s=times_s)


@edited.register
def _(record: Scenes, edit: Edit) -> Scenes:
    _require(edit, MOVE)
    # A video begins with its first shot: there is no cut.
    place, to_s = _place(record.starts_s[1:], edit, "cut") + 1, float(edit.value)
    _check_between(to_s, record.starts_s[place - 1], record.ends_s[place], "cut")
    starts_s, ends_s = record.starts_s.copy(), record.ends_s.copy()
    frames = record.start_frames.copy()
    rate_hz = frames[place] / starts_s[place]
    frames[place] = max(frames[place - 1] + 1, round(to_s * rate_hz))
    if abs(ends_s[place - 1] - starts_s[place]) <= SAME_S:
        ends_s[place - 1] = to_s
    starts_s[place] = to_s
    return replace(record, starts_s=starts_s, ends_s=ends_s, start_frames=frames)


def _span(record: Chords | KeySpans, edit: Edit, what: str) -> int:
    """Find the number of the span from start to end."""
    _require(edit, RENAME)
    place = _place(record.starts_s, edit, what)
    end_s = float(record.ends_s[place])
    if edit.until_s is None or abs(end_s - edit.until_s) > SAME_S + 1e-9:
        until = "an end that is not said" if edit.until_s is None else f"{edit.until_s:.3f} s"
        at = f"the {what} at {edit.at_s:.3f} s"
        raise NotApplicable(f"{at} ends at {end_s:.3f} s and not at {until}")
    return place


@edited.register
def _(record: Chords, edit: Edit) -> Chords:
    place, label = _span(record, edit, "chord"), str(edit.value)
    names = vocabulary(record)
    if label not in names:
        raise NotApplicable(f"{label} is no name of a chord here; there are: {', '.join(names)}")
    return replace(record, labels=_with(record.labels, place, label))


def vocabulary(record: Chords) -> tuple[str, ...]:
    """List the names that a chord of a record may have, SymMV's or MuVi-Sync's, if all are those.

    Else common ones in Harte's spelling, and those that the record has.
    """
    names = set(record.labels)
    for labels in (SYMMV_LABELS, MUVISYNC_LABELS):
        if names <= set(labels):
            return labels
    return tuple(sorted(names | _HARTE_LABELS))


def _with(texts: tuple[str, ...], place: int, text: str) -> tuple[str, ...]:
    return (*texts[:place], text, *texts[place + 1 :])


@edited.register
def _(record: Key, edit: Edit) -> Key:
    _require(edit, RENAME)
    return Key(*_key_of(edit), 0.0)


@edited.register
def _(record: KeySpans, edit: Edit) -> KeySpans:
    place = _span(record, edit, "key")
    tonic, mode = _key_of(edit)
    tonics, modes = _with(record.tonics, place, tonic), _with(record.modes, place, mode)
    return replace(record, tonics=tonics, modes=modes)


def _key_of(edit: Edit) -> tuple[str, str]:
    try:
        return key_named(str(edit.value))
    except ValueError as error:
        raise NotApplicable(str(error)) from error


@edited.register
def _(record: Parts, edit: Edit) -> Parts:
    _require(edit, MARK)
    same = np.flatnonzero(record.pitches == edit.pitch)
    place = same[_place(record.starts_s[same], edit, f"note {edit.pitch}")]
    is_melody = record.is_melody.copy()
    is_melody[place] = bool(edit.value)
    return replace(record, is_melody=is_melody)
