"""What a JAMS file says otherwise than its entry, as edits (`datasets.jams` has the form)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from symmv_builder.datasets.annotations import harte_label
from symmv_builder.datasets.corrected import CorrectedEntry, addition
from symmv_builder.datasets.jams import OURS, Observation, artifact_of
from symmv_builder.editing import SAME_S, NotApplicable, edited, key_named, vocabulary
from symmv_builder.records import Edit, Parts, Record
from symmv_builder.records.edits import MARK, MOVE, REMOVE, RENAME, TRIM, WHOLE_ENTRY

# What a program calls beats that knows no more of them.
DOWNBEAT, BEAT = "downbeat", "beat"
# What is closer is the same time, written with fewer digits.
_ROUNDED_S = 0.001
# More than this is no place in a bar.
_MOST_PLACES = 1000


def edits_in(document: Mapping[str, Any], now: CorrectedEntry) -> list[Edit]:
    """What a JAMS file says otherwise than an entry as it is now, as edits in their order.

    `ValueError` where it cannot be said by edits: chords, keys or notes that the entry does not
    have, or that the file lacks, and beats or cuts that lie too close together.
    """
    edits: list[Edit] = []
    melody: list[Observation] | None = None
    for each in document.get("annotations", []):
        mine = each.get("sandbox", {}).get(OURS, {})
        artifact = artifact_of(each)
        if artifact == "parts" and isinstance(mine, dict) and mine.get("part") == "melody":
            melody = each["data"]
        elif artifact in ("beats", "scenes") and artifact in now.records:
            # Who writes frames in place of seconds says how far a time may be off by that.
            rounded_s = mine.get("rounded_s", 0.0) if isinstance(mine, dict) else 0.0
            edits += _timed(artifact, each["data"], now, max(_ROUNDED_S, float(rounded_s)))
        elif artifact in _READERS and artifact in now.records:
            edits += _READERS[artifact](each["data"], now)
    parts = now.records.get("parts")
    if melody is not None and isinstance(parts, Parts):
        edits += _marks(parts, melody)
    edits += _trim(document, now)
    return edits


def _ordered(record: Record, edits: Sequence[Edit]) -> list[Edit]:
    """Edits in an order in which each applies: a beat may have to make room for another."""
    remaining, order = list(edits), []
    while remaining:
        waiting, problem = [], ""
        for edit in remaining:
            try:
                record = edited(record, edit)
                order.append(edit)
            except NotApplicable as error:
                waiting.append(edit)
                problem = problem or str(error)
        if len(waiting) == len(remaining):
            raise ValueError(problem)
        remaining = waiting
    return order


def _paired(
    data: Sequence[Observation], times_s: Sequence[float], what: str
) -> list[tuple[float, Observation]]:
    """Each of our times with the observation of the same number."""
    if len(data) != len(times_s):
        count = f"it has {len(data)} {what} and the entry {len(times_s)}"
        raise ValueError(f"{count}: corrections change those that are there and add none")
    ordered = sorted(data, key=lambda each: float(each["time"]))
    return list(zip(times_s, ordered, strict=True))


def _timed(
    artifact: str, data: Sequence[Observation], now: CorrectedEntry, same_s: float
) -> list[Edit]:
    """The edits by which the beats or the cuts of an entry become those of a file.

    Between two that both have, as many others are the same ones, moved; else those of the entry
    are removed and those of the file added. A beat with another place in its bar is removed and
    added.
    """
    record: Any = now.records[artifact]
    theirs = sorted(data, key=lambda each: float(each["time"]))
    if artifact == "scenes":
        # A video begins with its first shot: there is no cut.
        ours, places, theirs = record.starts_s.tolist()[1:], None, theirs[1:]
    else:
        ours, places = record.times_s.tolist(), record.positions.tolist()
    first: list[Edit] = []
    added: list[Observation] = []
    for mine, others in _stretches(ours, theirs, same_s):
        if len(mine) != len(others):
            first += [Edit(artifact, REMOVE, at_s=ours[number]) for number in mine]
            added += others
            continue
        for number, each in zip(mine, others, strict=True):
            if places and _place_said(each["value"], places[number]) != places[number]:
                first.append(Edit(artifact, REMOVE, at_s=ours[number]))
                added.append(each)
            elif abs(ours[number] - each["time"]) > same_s:
                first.append(Edit(artifact, MOVE, float(each["time"]), ours[number]))
    edits = _ordered(record, first)
    for edit in edits:
        record = edited(record, edit)
    for each in added:
        time_s = float(each["time"])
        edit = addition(artifact, time_s, {**now.records, artifact: record})
        if places:
            edit = replace(edit, value=_place_said(each["value"], int(edit.value or 1)))
        record = edited(record, edit)
        edits.append(edit)
    return edits


def _stretches(
    ours: Sequence[float], theirs: Sequence[Observation], same_s: float
) -> Iterator[tuple[list[int], list[Observation]]]:
    """Numbers of our times and observations that belong together: each that is the same, alone.

    Others stand between the same ones of both, in their order.
    """
    mine: list[int] = []
    others: list[Observation] = []
    number = 0
    for each in theirs:
        while number < len(ours) and ours[number] < each["time"] - same_s:
            mine.append(number)
            number += 1
        if number < len(ours) and ours[number] <= each["time"] + same_s:
            yield mine, others
            yield [number], [each]
            mine, others, number = [], [], number + 1
        else:
            others.append(each)
    yield [*mine, *range(number, len(ours))], others


def _place_said(value: Any, place: int) -> int:
    """The place in its bar that a file says of a beat, by a number or a name; else `place`."""
    if type(value) in (int, float) and 1 <= value < _MOST_PLACES and value == int(value):
        return int(value)
    if value == DOWNBEAT:
        return 1
    return 2 if value == BEAT and place == 1 else place


def _renames(
    artifact: str,
    data: Sequence[Observation],
    record: Any,
    names: Sequence[str],
    read: Callable[[str], str],
) -> list[Edit]:
    edits = []
    ends_s = record.ends_s.tolist()
    for number, (at_s, each) in enumerate(_paired(data, record.starts_s.tolist(), artifact)):
        if abs(at_s - each["time"]) > SAME_S:
            problem = f"one of its {artifact} begins at {each['time']:.3f} s, ours at {at_s:.3f} s"
            raise ValueError(f"{problem}: corrections rename them and do not move them")
        name = read(str(each["value"]))
        if name != names[number]:
            edits.append(Edit(artifact, RENAME, name, at_s, ends_s[number]))
    return edits


def _read_chords(data: Sequence[Observation], now: CorrectedEntry) -> list[Edit]:
    record: Any = now.records["chords"]
    ours = {harte_label(label): label for label in vocabulary(record)}
    return _renames("chords", data, record, record.labels, lambda name: ours.get(name, name))


def _read_key(data: Sequence[Observation], now: CorrectedEntry) -> list[Edit]:
    record: Any = now.records["key"]
    if len(data) != 1:
        raise ValueError(f"a piece has one key, and not {len(data)}")
    name = _own_key(str(data[0]["value"]))
    return [] if name == f"{record.tonic} {record.mode}" else [Edit("key", RENAME, name)]


def _read_key_spans(data: Sequence[Observation], now: CorrectedEntry) -> list[Edit]:
    record: Any = now.records["key_spans"]
    names = [" ".join(each) for each in zip(record.tonics, record.modes, strict=True)]
    return _renames("key_spans", data, record, names, _own_key)


def _own_key(text: str) -> str:
    return " ".join(key_named(text.replace(":", " ")))


_READERS: Mapping[str, Callable[[Sequence[Observation], CorrectedEntry], list[Edit]]] = {
    "chords": _read_chords,
    "key": _read_key,
    "key_spans": _read_key_spans,
}


def _marks(record: Parts, melody: Sequence[Observation]) -> list[Edit]:
    """The notes whose mark differs: melody are those that the file says, and no others."""
    is_melody = np.zeros(len(record.pitches), np.bool_)
    for each in melody:
        near = (record.pitches == each["value"]) & ~is_melody
        apart = np.where(near, np.abs(record.starts_s - each["time"]), np.inf)
        if not len(apart) or apart.min() > SAME_S:
            raise ValueError(f"there is no note {each['value']} at {each['time']:.3f} s")
        is_melody[apart.argmin()] = True
    changed = np.flatnonzero(is_melody != record.is_melody).tolist()
    return [
        Edit("parts", MARK, bool(is_melody[n]), float(record.starts_s[n]),
             pitch=int(record.pitches[n]))
        for n in changed
    ]  # fmt: skip


def _trim(document: Mapping[str, Any], now: CorrectedEntry) -> list[Edit]:
    own_data = document.get("sandbox", {}).get(OURS, {})
    span = own_data.get("trim") if isinstance(own_data, dict) else None
    if not isinstance(span, list) or len(span) != 2:
        return []
    start_s, end_s = map(float, span)
    if now.trim == (start_s, end_s):
        return []
    return [Edit(WHOLE_ENTRY, TRIM, end_s, start_s)]
