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
from symmv_builder.records.edits import ADD, MARK, MOVE, REMOVE, RENAME
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
    - A beat or a cut that is added stands further than `SAME_S` from all others. Around one that is
      added or removed the other beats keep their places in the bar.
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


def _require(edit: Edit, *kinds: str) -> None:
    if edit.kind not in kinds:
        raise NotApplicable(f"{edit.artifact} takes {' or '.join(kinds)} and not {edit.kind}")


def _place(times_s: Floats, edit: Edit, what: str) -> int:
    """Find the number of what stands where the edit says."""
    at_s = edit.at_s
    if at_s is None:
        raise NotApplicable(f"which {what} is meant is not said")
    distances_s = np.abs(times_s - at_s)
    if not len(distances_s) or distances_s.min() > SAME_S + 1e-9:
        raise NotApplicable(f"there is no {what} at {at_s:.3f} s")
    return int(distances_s.argmin())


def _new_place(times_s: Floats, edit: Edit, what: str) -> tuple[int, float]:
    """Find the number that something new will have among `times_s`, and its time."""
    at_s = float(edit.at_s or 0.0)
    if len(times_s) and np.abs(times_s - at_s).min() <= SAME_S:
        raise NotApplicable(f"there is a {what} at {at_s:.3f} s already")
    return int(np.searchsorted(times_s, at_s)), at_s


def _check_between(to_s: float, low_s: float, high_s: float, what: str) -> None:
    if not low_s < to_s < high_s:
        to = f"{to_s:.3f} s is not between its neighbours"
        raise NotApplicable(f"the {what} cannot go there: {to} ({low_s:.3f} and {high_s:.3f} s)")


@edited.register
def _(record: Beats, edit: Edit) -> Beats:
    _require(edit, MOVE, ADD, REMOVE)
    if edit.kind == ADD:
        return _with_beat(record, edit)
    times_s = record.times_s.copy()
    place, to_s = _place(times_s, edit, "beat"), edit.to_s
    if edit.kind == REMOVE:
        rest = np.delete(times_s, place), np.delete(record.positions, place)
        return replace(record, times_s=rest[0], positions=rest[1])
    low_s = times_s[place - 1] if place else -1.0
    high_s = times_s[place + 1] if place + 1 < len(times_s) else np.inf
    _check_between(to_s, low_s, high_s, "beat")
    times_s[place] = to_s
    return replace(record, times_s=times_s)


def _with_beat(record: Beats, edit: Edit) -> Beats:
    place, at_s = _new_place(record.times_s, edit, "beat")
    if not edit.value:
        raise NotApplicable("places in a bar are counted from 1")
    times_s = np.insert(record.times_s, place, at_s)
    return replace(
        record, times_s=times_s, positions=np.insert(record.positions, place, int(edit.value))
    )


def counted_place(record: Beats, at_s: float) -> int:
    """Give the place in its bar of a beat that is new at a time: behind the beat before it.

    Behind the last place that the record has comes the first one again; before all beats the
    place is counted backwards.
    """
    last = max(1, int(record.positions.max(initial=1)))
    number = int(np.searchsorted(record.times_s, at_s))
    if number:
        return int(record.positions[number - 1]) % last + 1
    following = int(record.positions[0]) if len(record.positions) else 1
    return following - 1 if following > 1 else last


@edited.register
def _(record: Scenes, edit: Edit) -> Scenes:
    _require(edit, MOVE, ADD, REMOVE)
    if edit.kind == ADD:
        return _with_cut(record, edit)
    # A video begins with its first shot: there is no cut.
    place, to_s = _place(record.starts_s[1:], edit, "cut") + 1, edit.to_s
    if edit.kind == REMOVE:
        return replace(
            record,
            starts_s=np.delete(record.starts_s, place),
            ends_s=np.delete(record.ends_s, place - 1),
            start_frames=np.delete(record.start_frames, place),
        )
    _check_between(to_s, record.starts_s[place - 1], record.ends_s[place], "cut")
    starts_s, ends_s = record.starts_s.copy(), record.ends_s.copy()
    frames = record.start_frames.copy()
    frames[place] = max(frames[place - 1] + 1, frame_at(record, to_s, starts_s[place]))
    if abs(ends_s[place - 1] - starts_s[place]) <= SAME_S:
        ends_s[place - 1] = to_s
    starts_s[place] = to_s
    return replace(record, starts_s=starts_s, ends_s=ends_s, start_frames=frames)


def _with_cut(record: Scenes, edit: Edit) -> Scenes:
    place, at_s = _new_place(record.starts_s, edit, "cut")
    if not place or at_s >= record.ends_s[place - 1] - SAME_S:
        raise NotApplicable(f"no shot goes on at {at_s:.3f} s")
    frames = record.start_frames
    low = int(frames[place - 1]) + 1
    high = int(frames[place]) - 1 if place < len(frames) else np.iinfo(np.int64).max
    return replace(
        record,
        starts_s=np.insert(record.starts_s, place, at_s),
        ends_s=np.insert(record.ends_s, place - 1, at_s),
        start_frames=np.insert(frames, place, max(low, min(int(edit.value or 0), high))),
    )


def frame_at(record: Scenes, at_s: float, until_s: float, rate_hz: float = 0.0) -> int:
    """Give the presentation number of the frame at a time, by the mean rate up to a cut.

    The cut is the last one until `until_s`; where none is, the number is by `rate_hz`.
    """
    before = np.flatnonzero((record.starts_s > 0) & (record.starts_s <= until_s))
    if len(before):
        last = before[-1]
        rate_hz = record.start_frames[last] / record.starts_s[last]
    return round(at_s * rate_hz)


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
