"""Entries as samples of FiftyOne, a program in which people look at datasets of videos.

The folder that it reads (``FiftyOneDataset``) is written here without its package, which would
bring a database: ``metadata.json`` declares the fields, ``samples.json`` has a sample an entry, and
``data/`` has the videos. What a stretch of the video holds is a temporal detection, of frames that
count from 1 by the video's mean rate; its times stand beside them, on the clock of the record:

=============  =============================================================================
`scenes`       shots
`chords`       as the dataset spells them
`key_spans`    the keys that the piece goes through; `key` is that of the whole
`beats`        a frame each, ``downbeat`` or ``beat``
`clips`        where rows are clips, each by its id, with the names of its subsets as tags
`kept`         what a person trimmed the entry to
=============  =============================================================================

Where music and video are two recordings, times of the music are brought to the video by the
alignment, without one as if both began together; what sounds where the video has no frame is left
out. Notes are counted and not shown: a song has thousands.
"""

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symmv_builder.clips import Clip, ClockMap
from symmv_builder.datasets.corrected import CorrectedEntry
from symmv_builder.records import (
    Alignment,
    Asset,
    Beats,
    Chords,
    Key,
    KeySpans,
    Notes,
    Parts,
    Provenance,
    Record,
    Scenes,
)
from symmv_builder.timeline import USUAL_RATE_HZ, Clock, frame_range
from symmv_builder.version import __version__

# The form of its database that the files are written in; newer versions of FiftyOne read it.
FORM = "1.0.0"
OURS = "symmv_builder"
_FIELDS = "fiftyone.core.fields."
_LABELS = "fiftyone.core.labels."
# The fields of a sample beside those of FiftyOne itself.
_TEXTS = (
    *("entry_id", "song_id", "split", "title", "artist", "genre"),
    *("rejected", "video_url", "music_url"),
)
_TEMPO = ("tempo_bpm", "tempo_level_confidence")
_COUNTS = ("note_count", "melody_note_count")
_SPANS = ("scenes", "chords", "key_spans", "beats", "clips", "kept")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a sample says beside the records of its entry.

    `file` is the video below the folder, `rejected` which step turned the entry away and why,
    `subsets` the names of subsets by row: the entry or one of its `clips`.
    """

    file: str
    split: str
    rejected: str = ""
    clips: Sequence[Clip] = ()
    subsets: Mapping[str, Sequence[str]] = field(default_factory=dict)


def metadata(dataset: str, about: Mapping[str, Any]) -> dict[str, Any]:
    """Declare a dataset to FiftyOne, without a sample; `about` is shown as its info."""
    detection = (
        *_label_fields(),
        _field("support", "FrameSupportField"),
        *(_field(name, "FloatField") for name in ("start_s", "end_s")),
        _field("clock", "StringField"),
    )
    spans = _field("detections", "ListField", f"{_LABELS}TemporalDetection", detection)
    spans["subfield"] = f"{_FIELDS}EmbeddedDocumentField"
    classified = f"{_LABELS}Classification"
    return {
        "name": dataset,
        "version": FORM,
        "media_type": "video",
        "info": {OURS: __version__, **about},
        "sample_fields": [
            _field("id", "ObjectIdField"),
            _field("filepath", "StringField"),
            _list_of_texts("tags"),
            _field("metadata", "EmbeddedDocumentField", "fiftyone.core.metadata.VideoMetadata"),
            *(_field(name, "StringField") for name in _TEXTS),
            *(_field(name, "FloatField") for name in _TEMPO),
            *(_field(name, "IntField") for name in _COUNTS),
            _field("key", "EmbeddedDocumentField", classified, _label_fields()),
            *(
                _field(name, "EmbeddedDocumentField", f"{_LABELS}TemporalDetections", [spans])
                for name in _SPANS
            ),
            _field("provenance", "DictField"),
            _list_of_texts("corrected_by"),
        ],
        "frame_fields": [_field("id", "ObjectIdField"), _field("frame_number", "FrameNumberField")],
    }


def _label_fields() -> tuple[dict[str, Any], ...]:
    return (
        _field("id", "ObjectIdField"),
        _list_of_texts("tags"),
        _field("label", "StringField"),
        _field("confidence", "FloatField"),
    )


def _field(
    name: str, kind: str, document: str | None = None, inner: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    return {
        "name": name,
        "ftype": _FIELDS + kind,
        "embedded_doc_type": document,
        "subfield": None,
        "fields": list(inner),
        "db_field": "_id" if name == "id" else name,
    }


def _list_of_texts(name: str) -> dict[str, Any]:
    return {**_field(name, "ListField"), "subfield": f"{_FIELDS}StringField"}


def sample(entry: CorrectedEntry, video: Asset, shown: Shown) -> dict[str, Any]:
    """Make a sample of an entry, as people corrected it; `video` is what its file holds."""
    source, song, authors = entry.entry, entry.entry.song, entry.authors
    name, records = source.entry_id, entry.records
    tags = [*filter(None, [shown.split]), *shown.subsets.get(name, ())]
    tags += ["rejected"] * bool(shown.rejected) + ["corrected"] * bool(authors)
    detector = _Detector(name, _clocks(records), video)
    beats, parts, notes = (records.get(each) for each in ("beats", "parts", "notes"))
    values = {
        "entry_id": name,
        "song_id": source.song_id,
        "split": shown.split or None,
        "title": song.title,
        "artist": song.artist,
        "genre": song.genre or None,
        "rejected": shown.rejected or None,
        "video_url": source.video.url,
        "music_url": source.music.url,
        "tempo_bpm": beats.tempo_bpm if isinstance(beats, Beats) else None,
        "tempo_level_confidence": beats.level_confidence if isinstance(beats, Beats) else None,
        "note_count": len(notes.pitches) if isinstance(notes, Notes) else None,
        "melody_note_count": int(parts.is_melody.sum()) if isinstance(parts, Parts) else None,
        "key": detector.key(records.get("key")),
    }
    spans = {
        artifact: detector.detections(artifact, _spans(record))
        for artifact, record in records.items()
        if isinstance(record, Scenes | Chords | KeySpans | Beats) and artifact in _SPANS
    }
    if shown.clips:
        spans["clips"] = detector.detections("clips", _clip_spans(name, shown))
    if entry.trim:
        spans["kept"] = detector.detections("kept", [_Span(*entry.trim, "kept", Clock.VIDEO)])
    number = _number(source.dataset, name)
    return {
        "_id": {"$oid": number},
        "_media_type": "video",
        # By which FiftyOne shuffles: even in 0-1, and the same at every export.
        "_rand": int(number[:8], 16) / 2**32,
        "filepath": shown.file,
        "tags": tags,
        "metadata": {
            "_cls": "VideoMetadata",
            "size_bytes": video.size_bytes,
            "frame_width": video.width,
            "frame_height": video.height,
            "frame_rate": detector.rate_hz,
            "total_frame_count": detector.frames,
            "duration": video.duration_s,
            "encoding_str": video.video_codec,
        },
        **values,
        **dict.fromkeys(_SPANS),
        **spans,
        "provenance": {
            artifact: _provenance(by, authors.get(artifact, ()))
            for artifact, by in entry.made_by.items()
        },
        "corrected_by": sorted({each for mine in authors.values() for each in mine}),
    }


def _clocks(records: Mapping[str, Record]) -> ClockMap:
    alignment = records.get("alignment")
    return ClockMap(alignment if isinstance(alignment, Alignment) else None)


def _provenance(by: Provenance, authors: Sequence[str]) -> dict[str, Any]:
    return {
        "step": by.step,
        "step_version": by.version,
        "model": by.backend,
        "model_version": by.model_version,
        "weights_sha256": by.weights_sha256,
        "trained": by.trained,
        "corrected_by": list(authors),
    }


@dataclass(frozen=True, slots=True)
class _Span:
    """A stretch of a recording, on its clock, and what is said of it."""

    start_s: float
    end_s: float
    label: str
    clock: Clock
    tags: Sequence[str] = ()


def _spans(record: Scenes | Chords | KeySpans | Beats) -> Iterator[_Span]:
    if isinstance(record, Beats):
        for time_s, place in zip(record.times_s.tolist(), record.positions.tolist(), strict=True):
            label = "downbeat" if place == 1 else "beat"
            yield _Span(time_s, time_s, label, record.clock)
        return
    match record:
        case Chords():
            labels: Sequence[str] = record.labels
        case KeySpans():
            labels = [" ".join(each) for each in zip(record.tonics, record.modes, strict=True)]
        case Scenes():
            labels = [f"shot {number + 1}" for number in range(len(record.starts_s))]
    times = zip(record.starts_s.tolist(), record.ends_s.tolist(), labels, strict=True)
    yield from (_Span(start_s, end_s, label, record.clock) for start_s, end_s, label in times)


def _clip_spans(entry_id: str, shown: Shown) -> Iterator[_Span]:
    for clip in shown.clips:
        name = clip.id_of(entry_id)
        tags = shown.subsets.get(name, ())
        yield _Span(clip.start_s, clip.end_s, name, Clock.VIDEO, tags=tags)


class _Detector:
    """Makes detections of spans of one entry's video."""

    def __init__(self, entry_id: str, clocks: ClockMap, video: Asset) -> None:
        self._name, self._clocks = entry_id, clocks
        self._opens_s = clocks.to_music(0.0)
        self.rate_hz = video.frame_rate_hz or USUAL_RATE_HZ
        self.frames = max(1, round(video.duration_s * self.rate_hz))

    def detections(self, artifact: str, spans: Iterable[_Span]) -> dict[str, Any]:
        numbered = enumerate(spans)
        made = (self._detection(_number(self._name, artifact, n), span) for n, span in numbered)
        return {"_cls": "TemporalDetections", "detections": [each for each in made if each]}

    def _detection(self, number: str, span: _Span) -> dict[str, Any] | None:
        """Make a detection of a span; `None` where the video has no frame of it."""
        times_s = (span.start_s, span.end_s)
        if span.clock is Clock.MUSIC:
            is_before = span.end_s < self._opens_s or span.start_s < span.end_s == self._opens_s
            if is_before:
                return None
            times_s = (self._clocks.to_video(times_s[0]), self._clocks.to_video(times_s[1]))
        first, last = frame_range(*times_s, self.rate_hz)
        if first > self.frames:
            return None
        return {
            "_cls": "TemporalDetection",
            "_id": {"$oid": number},
            "tags": list(span.tags),
            "label": span.label,
            "support": [first, min(last, self.frames)],
            "start_s": span.start_s,
            "end_s": span.end_s,
            "clock": str(span.clock),
        }

    def key(self, record: Record | None) -> dict[str, Any] | None:
        """Make a class of the piece's key; its confidence is how well its profile fits (r)."""
        if not isinstance(record, Key):
            return None
        return {
            "_cls": "Classification",
            "_id": {"$oid": _number(self._name, "key")},
            "tags": [],
            "label": f"{record.tonic} {record.mode}",
            "confidence": record.correlation if math.isfinite(record.correlation) else None,
        }


def _number(*names: object) -> str:
    """Make an id in the form of FiftyOne's database, the same at every export."""
    return hashlib.sha256("\0".join(map(str, names)).encode()).hexdigest()[:24]
