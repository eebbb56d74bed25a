"""The nouns: frozen records that flow through the stages.

A record is validated when it is made and does no input or output. Times are float64
seconds on the clock that the record names; arrays are read-only. `to_json` gives the
form that `symmv run` prints.

One module a subject; everybody imports the records from here.
"""

from dataclasses import fields
from typing import Any, TypeAlias

import numpy as np

from symmv_builder.midi_file import MidiFile
from symmv_builder.records.arrays import Floats, Ints
from symmv_builder.records.edits import Edit
from symmv_builder.records.entries import Asset, Entry, Listing, MediaKind, SongInfo, Source
from symmv_builder.records.media import (
    AudioCodes,
    Loudness,
    MusicLabels,
    Pictures,
    PublishedLabels,
    SoundFile,
    SoundShares,
    TagTrack,
)
from symmv_builder.records.music import (
    Beats,
    Chords,
    GridNotes,
    Key,
    KeySpans,
    Notes,
    Parts,
)
from symmv_builder.records.outcomes import Provenance, Rejection, Screened
from symmv_builder.records.titles import ParsedTitle
from symmv_builder.records.tracks import Alignment, FeatureTrack
from symmv_builder.records.video import Scenes, TimedText, VisualBeats

__all__ = [
    "RECORD_TYPES",
    "Alignment",
    "Asset",
    "AudioCodes",
    "Beats",
    "Chords",
    "Edit",
    "Entry",
    "FeatureTrack",
    "Floats",
    "GridNotes",
    "Ints",
    "Key",
    "KeySpans",
    "Listing",
    "Loudness",
    "MediaKind",
    "MusicLabels",
    "Notes",
    "ParsedTitle",
    "Parts",
    "Pictures",
    "Provenance",
    "PublishedLabels",
    "Record",
    "Rejection",
    "Scenes",
    "Screened",
    "SongInfo",
    "SoundFile",
    "SoundShares",
    "Source",
    "TagTrack",
    "TimedText",
    "VisualBeats",
    "to_json",
]

_MusicRecord: TypeAlias = Notes | Beats | GridNotes | Parts | Chords | Key | KeySpans
_VideoRecord: TypeAlias = Alignment | FeatureTrack | Scenes | TimedText | VisualBeats
_TagRecord: TypeAlias = Loudness | MusicLabels | PublishedLabels | SoundShares | TagTrack
_FileRecord: TypeAlias = AudioCodes | Pictures | SoundFile | MidiFile
Record: TypeAlias = Asset | _MusicRecord | _VideoRecord | _TagRecord | Screened | _FileRecord

RECORD_TYPES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Asset, Notes, Beats, GridNotes, Parts, Chords, Key, KeySpans, FeatureTrack, Scenes),
        *(AudioCodes, Loudness, MusicLabels, Pictures, PublishedLabels, SoundShares, TagTrack),
        *(VisualBeats, TimedText, SoundFile, Alignment, SongInfo, Screened, Rejection, MidiFile),
    )
}


def to_json(record: Record) -> dict[str, Any]:
    """Give the record's fields as plain Python values, for people and other programs.

    Arrays become lists; a `FeatureTrack` gains ``times_s``, and ``values`` of dimension
    one become a flat list; `Beats` gain ``tempo_bpm``; of a `SoundFile` only the size is said.
    """
    out: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
        if isinstance(record, SoundFile) and field.name == "data":
            out["size_bytes"] = len(value)
            continue
        out[field.name] = value.tolist() if isinstance(value, np.ndarray) else value
        if isinstance(value, tuple):
            out[field.name] = list(value)
    if isinstance(record, FeatureTrack):
        out["times_s"] = record.times_s.tolist()
        if record.values.shape[1] == 1:
            out["values"] = record.values[:, 0].tolist()
    if isinstance(record, Beats):
        out["tempo_bpm"] = record.tempo_bpm
    return out
