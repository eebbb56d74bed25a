"""Entries as JAMS files, and what a JAMS file says otherwise than its entry.

JAMS is a JSON form for annotations of one recording (Humphrey et al., "JAMS: A JSON Annotated Music
Specification for Reproducible MIR Research", ISMIR 2014). A file of ours has these annotations:

=============  ===============  =================================================================
beats          ``beat``         the place in the bar
scenes         ``segment_open`` ``shot 1``, ``shot 2``, ... on the VIDEO clock
chords         ``chord``        in Harte's spelling; ``tag_open`` where a name has none
key            ``key_mode``     one for the piece
key_spans      ``key_mode``     as the piece goes on
parts          ``note_midi``    two: melody and accompaniment
=============  ===============  =================================================================

Their sandbox says which record of ours each is (`artifact`) and on whose clock it runs; that of the
file has the corrections that stand, with their authors, and what is kept of the entry. The package
``jams`` reads such files; it is not needed here: its form is small, and it would bring packages
that nothing else uses.
"""

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.datasets.annotations import harte_label
from symmv_builder.datasets.corrected import CorrectedEntry
from symmv_builder.editing import SAME_S, NotApplicable, edited, key_named, vocabulary
from symmv_builder.errors import CannotRead, MalformedFile
from symmv_builder.records import Beats, Chords, Edit, Key, KeySpans, Parts, Record, Scenes
from symmv_builder.records.edits import MARK, MOVE, RENAME, TRIM, WHOLE_ENTRY
from symmv_builder.version import __version__

SUFFIX = ".jams"
# The version of the form that files of ours name.
FORM = "0.3.5"
OURS = "symmv"
_MOST_BYTES = 16 * 2**20
_MOST_OBSERVATIONS = 100_000
# What is closer is the same time, written with fewer digits.
_ROUNDED_S = 0.001
_HARTE = re.compile(
    r"N|[A-G][b#]*(:(maj|min|dim|aug|sus2|sus4|maj6|min6|7|maj7|min7|dim7|hdim7|minmaj7|9))?"
)
_KEY = re.compile(r"[A-G][b#]?:(major|minor)")
_PARTS = {"melody": True, "accompaniment": False}
_BY_NAMESPACE = {"beat": "beats", "chord": "chords", "segment_open": "scenes"}

Observation = Mapping[str, Any]
Annotation = Mapping[str, Any]


def document(entry: CorrectedEntry) -> dict[str, Any]:
    """An entry, with the corrections that stand and apply, as a JAMS file's content."""
    song, trim = entry.entry.song, entry.trim
    mine = [each.correction for each in entry.corrections]
    authors = entry.authors
    annotations = [
        _annotation(entry, authors, *parts)
        for artifact, record in entry.records.items()
        for parts in _written(artifact, record)
    ]
    ends = [o["time"] + o["duration"] for each in annotations for o in each["data"]]
    return {
        "file_metadata": {
            "title": song.title,
            "artist": song.artist,
            "release": "",
            "duration": max(ends, default=0.0),
            "identifiers": {OURS: entry.entry.entry_id},
            "jams_version": FORM,
        },
        "annotations": annotations,
        "sandbox": {
            OURS: {
                "dataset": entry.entry.dataset,
                "entry_id": entry.entry.entry_id,
                "trim": list(trim) if trim else None,
                "corrections": [each.fields() for each in mine],
            }
        },
    }


def _annotation(
    entry: CorrectedEntry,
    authors: Mapping[str, Sequence[str]],
    artifact: str,
    namespace: str,
    data: list[dict[str, Any]],
    more: Mapping[str, str],
) -> dict[str, Any]:
    names = list(authors.get(artifact, ()))
    return {
        "namespace": namespace,
        "data": data,
        "time": 0,
        "duration": None,
        "annotation_metadata": {
            "corpus": entry.entry.dataset,
            "version": "",
            "curator": {"name": "", "email": ""},
            "annotator": {"names": names},
            "annotation_tools": f"symmv-builder {__version__}",
            "annotation_rules": "",
            "validation": "",
            "data_source": "program, corrected by hand" if names else "program",
        },
        "sandbox": {OURS: {"artifact": artifact, **more}},
    }


def _observation(time_s: float, end_s: float, value: Any) -> dict[str, Any]:
    return {"time": time_s, "duration": end_s - time_s, "value": value, "confidence": None}


def _spans(record: Any, values: Sequence[Any]) -> list[dict[str, Any]]:
    times = zip(record.starts_s.tolist(), record.ends_s.tolist(), values, strict=True)
    return [_observation(*each) for each in times]


def _written(
    artifact: str, record: Record
) -> Iterator[tuple[str, str, list[dict[str, Any]], dict[str, str]]]:
    """The annotations of a record: artifact, namespace, observations, and what else is said."""
    clock = {"clock": str(getattr(record, "clock", "music"))}
    match record:
        case Beats() if artifact == "beats":
            places = zip(record.times_s.tolist(), record.positions.tolist(), strict=True)
            yield artifact, "beat", [_observation(t, t, place) for t, place in places], clock
        case Scenes() if artifact == "scenes":
            names = [f"shot {number + 1}" for number in range(len(record.starts_s))]
            yield artifact, "segment_open", _spans(record, names), clock
        case Chords() if artifact == "chords":
            labels = [harte_label(label) for label in record.labels]
            is_harte = all(_HARTE.fullmatch(label) for label in labels)
            yield artifact, "chord" if is_harte else "tag_open", _spans(record, labels), clock
        case Key() if artifact == "key":
            name = _jams_key(record.tonic, record.mode)
            yield artifact, _key_space([name]), [_observation(0.0, 0.0, name)], clock
        case KeySpans() if artifact == "key_spans":
            keys = [_jams_key(*each) for each in zip(record.tonics, record.modes, strict=True)]
            yield artifact, _key_space(keys), _spans(record, keys), clock
        case Parts() if artifact == "parts":
            notes = _spans(record, record.pitches.tolist())
            for part, is_melody in _PARTS.items():
                mine = np.flatnonzero(record.is_melody == is_melody).tolist()
                yield artifact, "note_midi", [notes[n] for n in mine], {**clock, "part": part}


def _jams_key(tonic: str, mode: str) -> str:
    return f"{tonic.replace('-', 'b')}:{mode}"


def _key_space(names: Sequence[str]) -> str:
    return "key_mode" if all(_KEY.fullmatch(name) for name in names) else "tag_open"


def read_document(path: Path) -> dict[str, Any]:
    """The content of a JAMS file; `StopRun` where it cannot be read or is not of JAMS's form."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MalformedFile(path, f"it is larger than {_MOST_BYTES >> 20} MiB")
        # The package writes NaN where a confidence is not known: no JSON, and no number either.
        content = json.loads(path.read_text("utf-8-sig"), parse_constant=lambda _: None)
        check(content)
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:
        cause = str(error) or "it is nested too deeply"
        raise MalformedFile(path, f"it is no JAMS file: {cause}") from error
    document: dict[str, Any] = content
    return document


def _require(holds: object, problem: str) -> None:
    if not holds:
        raise ValueError(problem)


def check(document: Any) -> None:
    """`ValueError` where something is not of JAMS's form, as far as it is read here."""
    _require(isinstance(document, dict), "it is no object")
    for name in ("file_metadata", "sandbox"):
        _require(isinstance(document.get(name, {}), dict), f"{name} is no object")
    annotations = document.get("annotations", [])
    _require(isinstance(annotations, list), "annotations is no list")
    for number, each in enumerate(annotations):
        where = f"annotation {number}"
        _require(isinstance(each, dict), f"{where} is no object")
        for name in ("annotation_metadata", "data", "namespace"):
            _require(name in each, f"{where} has no {name}")
        _require(isinstance(each["namespace"], str), f"the namespace of {where} is no text")
        _require(isinstance(each.get("sandbox", {}), dict), f"the sandbox of {where} is no object")
        if isinstance(each["data"], dict) and not _artifact_of(each):
            # Dense ones, such as the contour of a pitch, are columns, and are not read here.
            continue
        _require(isinstance(each["data"], list), f"the data of {where} is no list of observations")
        _require(len(each["data"]) <= _MOST_OBSERVATIONS, f"{where} has too many observations")
        for observation in each["data"]:
            _check_observation(observation, where)


def _check_observation(observation: Any, where: str) -> None:
    what = f"an observation of {where}"
    _require(isinstance(observation, dict), f"{what} is no object")
    for name in ("time", "duration", "value", "confidence"):
        _require(name in observation, f"{what} has no {name}")
    for name in ("time", "duration"):
        value = observation[name]
        is_time = type(value) in (int, float) and math.isfinite(value) and value >= 0
        _require(is_time, f"the {name} of {what} is no time")


def entry_of(document: Mapping[str, Any], path: Path) -> str:
    """The entry that a JAMS file is about: by its own word, else by the file's name."""
    own_data = document.get("sandbox", {}).get(OURS, {})
    name = own_data.get("entry_id") if isinstance(own_data, dict) else None
    return name if isinstance(name, str) else path.name.removesuffix(SUFFIX)


def corrections_in(document: Mapping[str, Any]) -> list[Any]:
    """The plain fields of the corrections that a file of ours has."""
    own_data = document.get("sandbox", {}).get(OURS, {})
    lines = own_data.get("corrections", []) if isinstance(own_data, dict) else []
    return lines if isinstance(lines, list) else []


def edits_in(document: Mapping[str, Any], now: CorrectedEntry) -> list[Edit]:
    """What a JAMS file says otherwise than an entry as it is now, as edits in their order.

    `ValueError` where it cannot be said by edits: beats, cuts, chords or notes that the entry does
    not have, or that the file lacks.
    """
    edits: list[Edit] = []
    melody: list[Observation] | None = None
    for each in document.get("annotations", []):
        mine = each.get("sandbox", {}).get(OURS, {})
        artifact = _artifact_of(each)
        if artifact == "parts" and isinstance(mine, dict) and mine.get("part") == "melody":
            melody = each["data"]
        elif artifact in _READERS and artifact in now.records:
            found_here = _READERS[artifact](each["data"], now)
            # Who writes frames in place of seconds says how far a time may be off by that.
            rounded_s = mine.get("rounded_s", 0.0) if isinstance(mine, dict) else 0.0
            moved = [e for e in found_here if e.kind != MOVE or not _is_same(e, rounded_s)]
            edits += _ordered(now.records[artifact], moved)
    parts = now.records.get("parts")
    if melody is not None and isinstance(parts, Parts):
        edits += _marks(parts, melody)
    edits += _trim(document, now)
    return edits


def _artifact_of(annotation: Annotation) -> str:
    """Which record of ours an annotation is: by its own word, else by its namespace, else none.

    One key alone is that of the piece.
    """
    mine = annotation.get("sandbox", {}).get(OURS, {})
    named = mine.get("artifact") if isinstance(mine, dict) else None
    if named:
        return str(named)
    if annotation["namespace"] == "key_mode":
        return "key" if len(annotation["data"]) == 1 else "key_spans"
    return _BY_NAMESPACE.get(annotation["namespace"], "")


def _is_same(edit: Edit, rounded_s: float) -> bool:
    return abs(float(edit.value) - float(edit.at_s or 0.0)) <= rounded_s


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


def _moves(artifact: str, what: str, pairs: Sequence[tuple[float, Observation]]) -> list[Edit]:
    return [
        Edit(artifact, MOVE, float(each["time"]), at_s)
        for at_s, each in pairs
        if abs(at_s - each["time"]) > _ROUNDED_S
    ]


def _read_beats(data: Sequence[Observation], now: CorrectedEntry) -> list[Edit]:
    record: Any = now.records["beats"]
    return _moves("beats", "beats", _paired(data, record.times_s.tolist(), "beats"))


def _read_scenes(data: Sequence[Observation], now: CorrectedEntry) -> list[Edit]:
    record: Any = now.records["scenes"]
    return _moves("scenes", "shots", _paired(data, record.starts_s.tolist(), "shots")[1:])


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
    "beats": _read_beats,
    "scenes": _read_scenes,
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
