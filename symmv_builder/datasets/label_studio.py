"""Entries as tasks of Label Studio, and its answers as JAMS content.

Label Studio is a program for people who label data, in a browser. A task of ours has the addresses
of the recordings (``music``, ``video``) and, as its prediction, what was found in them:

=========  ==============================  ====================================================
`beats`    ``Labels`` of the music         where a region begins is the beat
`chords`   ``Labels`` of the music         a region with the chord's name
`keys`     ``Labels`` of the music         a region with the key's name
`key`      ``Choices``                     the key of the piece
`shots`    ``TimelineLabels`` of the       frames from 1, by the video's mean rate: times are
           video                           rounded to a frame
=========  ==============================  ====================================================

Notes are not among them: a song has thousands. Label Studio 1.23.2 took such tasks and gave answers
back in the form that is read here.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from operator import itemgetter
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from symmv_builder.datasets.corrected import CorrectedEntry
from symmv_builder.datasets.jams_edits import BEAT, DOWNBEAT
from symmv_builder.editing import vocabulary
from symmv_builder.music.key import MAJOR_TONICS, MINOR_TONICS
from symmv_builder.records import Asset, Beats, Chords, Key, KeySpans, Scenes
from symmv_builder.storage.assets import asset_name
from symmv_builder.timeline import USUAL_RATE_HZ, frame_range
from symmv_builder.version import __version__

# Where Label Studio serves files of its own machine, below its ``LOCAL_FILES_DOCUMENT_ROOT``.
LOCAL_FILES = "/data/local-files/?d={path}"
_BEAT_S = 0.04
_OURS = "symmv"
# The records that come back, by the name of their control.
_ARTIFACTS = {
    "beats": "beats",
    "chords": "chords",
    "keys": "key_spans",
    "key": "key",
    "shots": "scenes",
}
_KEY_NAMES = tuple(
    f"{tonic} {mode}"
    for mode, tonics in (("major", MAJOR_TONICS), ("minor", MINOR_TONICS))
    for tonic in tonics
)


def task(entry: CorrectedEntry, contents: Mapping[str, str], address: str) -> dict[str, Any]:
    """An entry as a task with its prediction.

    `contents` are the sha256 of ``music`` and ``video``, where they are stored; `address` is where
    a recording is served, with ``{path}`` (below the data root), ``{entry}`` and ``{kind}``.
    """
    name, song = entry.entry.entry_id, entry.entry.song
    urls = {
        kind: address.replace("{path}", quote(asset_name(sha256)))
        .replace("{entry}", quote(name, safe=""))
        .replace("{kind}", kind)
        for kind, sha256 in contents.items()
    }
    rate_hz = _frame_rate(entry)
    about = {"entry_id": name, "dataset": entry.entry.dataset, "title": song.title}
    return {
        "data": {**urls, **about, "artist": song.artist, "fps": rate_hz},
        "predictions": [
            {"model_version": f"symmv-builder {__version__}", "result": list(_regions(entry))}
        ],
    }


def _frame_rate(entry: CorrectedEntry) -> float:
    asset = entry.records.get("video_asset")
    return (asset.frame_rate_hz if isinstance(asset, Asset) else 0.0) or USUAL_RATE_HZ


def _regions(entry: CorrectedEntry) -> Iterator[dict[str, Any]]:
    for record in entry.records.values():
        match record:
            case Beats():
                names = [DOWNBEAT if place == 1 else BEAT for place in record.positions]
                ends_s = record.times_s + _BEAT_S
                yield from _spans("beats", record.times_s, ends_s, names)
            case Chords():
                yield from _spans("chords", record.starts_s, record.ends_s, record.labels)
            case KeySpans():
                both = zip(record.tonics, record.modes, strict=True)
                names = [" ".join(each) for each in both]
                yield from _spans("keys", record.starts_s, record.ends_s, names)
            case Key():
                value = {"choices": [f"{record.tonic} {record.mode}"]}
                yield _region("key", "music", "choices", 0, value)
            case Scenes():
                rate_hz = _frame_rate(entry)
                for number, (start_s, end_s) in enumerate(
                    zip(record.starts_s.tolist(), record.ends_s.tolist(), strict=True)
                ):
                    first, last = frame_range(start_s, end_s, rate_hz)
                    frames = {"start": first, "end": last}
                    shot = {"ranges": [frames], "timelinelabels": ["shot"]}
                    yield _region("shots", "video", "timelinelabels", number, shot)


def _spans(
    control: str, starts_s: Any, ends_s: Any, names: Iterable[str]
) -> Iterator[dict[str, Any]]:
    times = zip(starts_s.tolist(), ends_s.tolist(), names, strict=True)
    for number, (start_s, end_s, name) in enumerate(times):
        value = {"start": start_s, "end": end_s, "channel": 0, "labels": [name]}
        yield _region(control, "music", "labels", number, value)


def _region(control: str, to: str, kind: str, number: int, value: Any) -> dict[str, Any]:
    return {
        "id": f"{control}-{number}",
        "from_name": control,
        "to_name": to,
        "type": kind,
        "value": value,
    }


def interface(entries: Iterable[CorrectedEntry]) -> str:
    """The labelling interface of a project of such tasks, as XML."""
    chords: dict[str, None] = {}
    kinds: set[type] = set()
    for entry in entries:
        kinds |= {type(record) for record in entry.records.values()}
        for record in entry.records.values():
            if isinstance(record, Chords):
                chords |= dict.fromkeys(vocabulary(record))
    parts = ['  <Header value="$title"/>', '  <Audio name="music" value="$music"/>']
    if Beats in kinds:
        parts += _control("Labels", "beats", "music", (DOWNBEAT, BEAT))
    if Chords in kinds:
        parts += _control("Labels", "chords", "music", chords)
    if KeySpans in kinds:
        parts += _control("Labels", "keys", "music", _KEY_NAMES)
    if Key in kinds:
        parts += _control("Choices", "key", "music", _KEY_NAMES)
    if Scenes in kinds:
        parts.append('  <Video name="video" value="$video" framerate="$fps"/>')
        parts += _control("TimelineLabels", "shots", "video", ("shot",))
    return "\n".join(("<View>", *parts, "</View>", ""))


def _control(tag: str, name: str, to: str, labels: Iterable[str]) -> list[str]:
    item = "Choice" if tag == "Choices" else "Label"
    lines = [f"    <{item} value={quoteattr(label)}/>" for label in labels]
    return [f'  <{tag} name="{name}" toName="{to}">', *lines, f"  </{tag}>"]


def documents(tasks: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Entry, author and JAMS content of each task that somebody answered.

    `tasks` is what Label Studio exports as JSON. Of several answers to a task the last one counts;
    one that was skipped (``was_cancelled``) does not. `ValueError`, `TypeError` and the like where
    it has another form.
    """
    if not isinstance(tasks, list):
        raise TypeError("it is no list of tasks")
    for each in tasks:
        # What is exported in a shorter form, as JSON-MIN, has none.
        answers = [a for a in each["annotations"] if not a.get("was_cancelled")]
        if not answers:
            continue
        data = each["data"]
        answer = max(answers, key=lambda a: str(a.get("updated_at", "")))
        rate_hz = float(data["fps"])
        if not 0 < rate_hz < math.inf:
            raise ValueError(f"a video has no {rate_hz} frames a second")
        yield str(data["entry_id"]), _author(answer), _document(answer["result"], rate_hz)


def _author(answer: Mapping[str, Any]) -> str:
    """Who answered, as far as it is said: an address, or the number of a user."""
    by = answer.get("completed_by")
    if isinstance(by, dict):
        return str(by.get("email") or by.get("id") or "")
    return f"Label Studio user {by}" if by is not None else ""


def _document(result: Any, rate_hz: float) -> dict[str, Any]:
    data: dict[str, list[dict[str, Any]]] = {}
    for region in result:
        artifact = _ARTIFACTS.get(region.get("from_name", ""))
        if artifact is None:
            continue
        value = region["value"]
        if artifact == "key":
            data.setdefault(artifact, []).append(_seen(0.0, 0.0, value["choices"][0]))
        elif artifact == "scenes":
            for span in value["ranges"]:
                start_s, end_s = (span["start"] - 1) / rate_hz, span["end"] / rate_hz
                data.setdefault(artifact, []).append(_seen(start_s, end_s, "shot"))
        else:
            span = _seen(float(value["start"]), float(value["end"]), value["labels"][0])
            data.setdefault(artifact, []).append(span)
    rounded = {"scenes": 0.75 / rate_hz}
    annotations: list[dict[str, Any]] = [
        {
            "namespace": "",
            "annotation_metadata": {},
            "data": sorted(mine, key=itemgetter("time")),
            "sandbox": {_OURS: {"artifact": name, "rounded_s": rounded.get(name, 0.0)}},
        }
        for name, mine in data.items()
    ]
    return {"annotations": annotations, "sandbox": {}}


def _seen(start_s: float, end_s: float, value: Any) -> dict[str, Any]:
    return {"time": start_s, "duration": end_s - start_s, "value": value, "confidence": None}
