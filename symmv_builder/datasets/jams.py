"""Entries as JAMS files.

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
that nothing else uses. `jams_edits` says how a file differs from its entry.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.datasets.annotations import harte_label
from symmv_builder.datasets.corrected import CorrectedEntry
from symmv_builder.errors import CannotRead, MalformedFile
from symmv_builder.records import Beats, Chords, Key, KeySpans, Parts, Record, Scenes
from symmv_builder.version import __version__

SUFFIX = ".jams"
# The version of the form that files of ours name.
FORM = "0.3.5"
OURS = "symmv"
_MOST_BYTES = 16 * 2**20
_MOST_OBSERVATIONS = 100_000
_HARTE = re.compile(
    r"N|[A-G][b#]*(:(maj|min|dim|aug|sus2|sus4|maj6|min6|7|maj7|min7|dim7|hdim7|minmaj7|9))?"
)
_KEY = re.compile(r"[A-G][b#]?:(major|minor)")
_BY_NAMESPACE = {"beat": "beats", "chord": "chords", "segment_open": "scenes"}
_PARTS = {"melody": True, "accompaniment": False}

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
        if isinstance(each["data"], dict) and not artifact_of(each):
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


def artifact_of(annotation: Annotation) -> str:
    """Tell which record of ours an annotation is: by its own word, or else by its namespace.

    One key alone is that of the piece; of other programs' annotations most are none.
    """
    mine = annotation.get("sandbox", {}).get(OURS, {})
    named = mine.get("artifact") if isinstance(mine, dict) else None
    if named:
        return str(named)
    if annotation["namespace"] == "key_mode":
        return "key" if len(annotation["data"]) == 1 else "key_spans"
    return _BY_NAMESPACE.get(annotation["namespace"], "")
