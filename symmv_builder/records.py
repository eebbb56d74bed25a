"""The nouns: frozen records that flow through the stages.

A record is validated when it is made and does no input or output. Times are float64
seconds on the clock that the record names; arrays are read-only. `to_json` gives the
form that `symmv run` prints.
"""

import re
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder.arrays import same_length, set_array
from symmv_builder.errors import Bug, Reason
from symmv_builder.media_records import (
    AudioCodes,
    Loudness,
    MusicLabels,
    Pictures,
    SoundShares,
    TagTrack,
)
from symmv_builder.midi_file import MidiFile
from symmv_builder.text import clean_text
from symmv_builder.timeline import Clock, grid_times
from symmv_builder.vocab import MODES, pitch_class

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]

_LONGEST_DETAIL = 2000
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")
_SITES = {
    "file": (_ID, "file:{}"),
    "youtube": (re.compile(r"[A-Za-z0-9_-]{11}"), "https://www.youtube.com/watch?v={}"),
    # The site of `symmv_builder.demo.site`, on loopback; its yt-dlp plugin reads this form.
    "demo": (re.compile(r"[A-Za-z0-9_-]{11}"), "symmvdemo:watch:{}"),
    "bilibili": (re.compile(r"BV[A-Za-z0-9]{10}"), "https://www.bilibili.com/video/{}"),
}


def _check_spans(record: object, starts: Floats, ends: Floats) -> None:
    if (np.diff(starts) < 0).any():
        raise ValueError(f"{type(record).__name__}: starts are not sorted")
    if (ends < starts).any():
        raise ValueError(f"{type(record).__name__}: something ends before it starts")


class MediaKind(StrEnum):
    """What a file holds, by its streams and not by its name."""

    AUDIO = "audio"
    VIDEO = "video"
    MIDI = "midi"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a recording comes from: a site and the site's own identifier for it."""

    site: str
    video_id: str

    def __post_init__(self) -> None:
        if self.site not in _SITES:
            raise ValueError(f"unknown site {self.site!r}; known: {', '.join(sorted(_SITES))}")
        if not _SITES[self.site][0].fullmatch(self.video_id):
            raise ValueError(f"not an identifier of site {self.site}: {self.video_id!r}")

    @property
    def url(self) -> str:
        return _SITES[self.site][1].format(self.video_id)

    @classmethod
    def from_url(cls, url: str) -> "Source":
        """The source whose `url` this is; `ValueError` where it is none's."""
        for site, (_, form) in _SITES.items():
            prefix = form.format("")
            if url.startswith(prefix):
                return cls(site, url.removeprefix(prefix))
        raise ValueError(f"not an address of a recording: {url!r}")


@dataclass(frozen=True, slots=True)
class SongInfo:
    """What a song is called and what kind it is; what nobody knows is empty.

    `identified_by` says who knew: ``shazam``, or ``title`` when it was only parsed; `note`
    what stood against it, such as another song that was heard.
    """

    title: str = ""
    artist: str = ""
    genre: str = ""
    shazam_id: str = ""
    isrc: str = ""
    lyrics_url: str = ""
    identified_by: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if self.shazam_id.strip("0123456789"):
            raise ValueError(f"not a number of Shazam's: {self.shazam_id!r}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One pair: a recording of music and a video, and the song that both belong to.

    `listing` is what the site said of the video, where the entry came by a crawl.
    """

    entry_id: str
    dataset: str
    song_id: str
    video: Source
    music: Source
    song: SongInfo = SongInfo()
    listing: "Listing | None" = None

    def __post_init__(self) -> None:
        for name in ("entry_id", "dataset", "song_id"):
            if not _ID.fullmatch(getattr(self, name)):
                raise ValueError(f"not a valid {name}: {getattr(self, name)!r}")


@dataclass(frozen=True, slots=True)
class Asset:
    """A stored recording and what its container says of it.

    ``duration_s`` is that of the longest stream; fields of a missing stream are zero or
    empty. Width and height are as displayed (rotation and pixel aspect applied).
    """

    sha256: str
    kind: MediaKind
    size_bytes: int
    container: str
    duration_s: float
    audio_codec: str = ""
    audio_rate_hz: int = 0
    audio_channels: int = 0
    video_codec: str = ""
    width: int = 0
    height: int = 0
    frame_rate_hz: float = 0.0
    rotation_degrees: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "kind", MediaKind(self.kind))
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"not a sha256: {self.sha256!r}")


@dataclass(frozen=True, slots=True, eq=False)
class Notes:
    """Notes sorted by start, then pitch, and the spans of the sustain pedal.

    ``pitches`` are MIDI numbers 0-127, ``velocities`` 1-127; all note fields have shape
    ``[n]``, the pedal's ``[p]``.
    """

    starts_s: Floats
    ends_s: Floats
    pitches: Ints
    velocities: Ints
    clock: Clock = Clock.MUSIC
    pedal_starts_s: Floats = ()  # type: ignore[assignment]
    pedal_ends_s: Floats = ()  # type: ignore[assignment]

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        _set_notes(self)
        for name in ("pedal_starts_s", "pedal_ends_s"):
            set_array(self, name, np.float64)
        same_length(self, "pedal_starts_s", "pedal_ends_s")


def _set_spans(record: Any, *texts: str) -> None:
    for name in ("starts_s", "ends_s"):
        set_array(record, name, np.float64)
    for name in texts:
        object.__setattr__(record, name, tuple(map(str, getattr(record, name))))
    same_length(record, "starts_s", "ends_s", *texts)
    _check_spans(record, record.starts_s, record.ends_s)


def _set_notes(record: Any) -> None:
    _set_spans(record)
    for name in ("pitches", "velocities"):
        set_array(record, name, np.int64)
    same_length(record, "starts_s", "pitches", "velocities")
    if ((record.pitches < 0) | (record.pitches > 127)).any():
        raise ValueError(f"{type(record).__name__}: a pitch lies outside 0-127")
    if ((record.velocities < 1) | (record.velocities > 127)).any():
        raise ValueError(f"{type(record).__name__}: a velocity lies outside 1-127")


@dataclass(frozen=True, slots=True, eq=False)
class Beats:
    """Beats: times and their place in the bar (1 is the downbeat), shape ``[b]``.

    ``source`` says whether they were ``tracked`` in sound or stand in a ``file`` (empty where
    nobody said). ``tempo_level`` is their tempo over that of the pulse that a tracker found
    (0.5, 2/3, 1 or 2), and ``level_confidence`` (0-1) the probability of that level; `None` where
    none was chosen: beats that were written down, or the pulse itself.
    """

    times_s: Floats
    positions: Ints
    clock: Clock = Clock.MUSIC
    source: str = ""
    tempo_level: float = 1.0
    level_confidence: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_array(self, "times_s", np.float64)
        set_array(self, "positions", np.int64)
        same_length(self, "times_s", "positions")
        if (np.diff(self.times_s) <= 0).any():
            raise ValueError("Beats: times do not rise")
        if not 0 <= (self.level_confidence or 0.0) <= 1:
            raise ValueError("Beats: level_confidence lies outside 0-1")

    @property
    def tempo_bpm(self) -> float:
        """Sixty over the median gap between beats; 0 where there are fewer than two."""
        if len(self.times_s) < 2:
            return 0.0
        return float(60.0 / np.median(np.diff(self.times_s)))


@dataclass(frozen=True, slots=True, eq=False)
class GridNotes:
    """Notes snapped to the 16th grid of the tracked beats.

    ``onset_steps`` count 16ths from the first downbeat (negative before it),
    ``duration_steps`` are at least 1; ``starts_s`` and ``ends_s`` are the grid's times.
    """

    starts_s: Floats
    ends_s: Floats
    pitches: Ints
    velocities: Ints
    onset_steps: Ints
    duration_steps: Ints
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        _set_notes(self)
        set_array(self, "onset_steps", np.int64)
        set_array(self, "duration_steps", np.int64)
        same_length(self, "starts_s", "onset_steps", "duration_steps")


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """Quantised notes, each marked as melody or accompaniment; fields as `GridNotes`."""

    starts_s: Floats
    ends_s: Floats
    pitches: Ints
    velocities: Ints
    onset_steps: Ints
    duration_steps: Ints
    is_melody: NDArray[np.bool_]
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        _set_notes(self)
        set_array(self, "onset_steps", np.int64)
        set_array(self, "duration_steps", np.int64)
        set_array(self, "is_melody", np.bool_)
        same_length(self, "starts_s", "onset_steps", "duration_steps", "is_melody")


@dataclass(frozen=True, slots=True, eq=False)
class Chords:
    """Labelled spans, shape ``[c]``, sorted; a stretch without a span has no chord."""

    starts_s: Floats
    ends_s: Floats
    labels: tuple[str, ...]
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        _set_spans(self, "labels")


@dataclass(frozen=True, slots=True)
class Key:
    """Tonic (music21's spelling: ``B-``, ``C#``), mode, and how well its profile fits (r)."""

    tonic: str
    mode: str
    correlation: float

    def __post_init__(self) -> None:
        pitch_class(self.tonic)
        if self.mode not in MODES:
            raise ValueError(f"not a mode: {self.mode!r}")

    @property
    def tonic_class(self) -> int:
        """Pitch class of the tonic, 0-11."""
        return pitch_class(self.tonic)

    def __str__(self) -> str:
        """As the SymMV release writes it: ``E- major``, ``c# minor``."""
        tonic = self.tonic.lower() if self.mode == "minor" else self.tonic
        return f"{tonic} {self.mode}"


@dataclass(frozen=True, slots=True, eq=False)
class KeySpans:
    """The keys that a piece goes through, shape ``[k]``, in order; spelled as in `Key`."""

    starts_s: Floats
    ends_s: Floats
    tonics: tuple[str, ...]
    modes: tuple[str, ...]
    clock: Clock = Clock.MUSIC

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        _set_spans(self, "tonics", "modes")
        for tonic, mode in zip(self.tonics, self.modes, strict=True):
            Key(tonic, mode, 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class FeatureTrack:
    """A feature sampled every ``hop_s`` seconds from time 0: ``values`` float32 ``[t, d]``."""

    name: str
    hop_s: float
    values: NDArray[np.float32]
    clock: Clock

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        set_array(self, "values", np.float32, ndim=2)
        if not self.hop_s > 0:
            raise ValueError(f"FeatureTrack {self.name}: hop_s is {self.hop_s}")

    @property
    def times_s(self) -> Floats:
        return grid_times(len(self.values), self.hop_s)


@dataclass(frozen=True, slots=True, eq=False)
class Scenes:
    """Shots in order, shape ``[s]``: time and presentation number of each one's first frame."""

    starts_s: Floats
    ends_s: Floats
    start_frames: Ints
    clock: Clock = Clock.VIDEO

    def __post_init__(self) -> None:
        object.__setattr__(self, "clock", Clock(self.clock))
        _set_spans(self)
        set_array(self, "start_frames", np.int64)
        same_length(self, "starts_s", "start_frames")


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The map between the clocks: ``music_s[i]`` sounds at ``video_s[i]``, both rising, ``[n]``.

    `confidence` is 0-1; `shift_semitones` says how far the music stands above the video.
    """

    music_s: Floats
    video_s: Floats
    confidence: float
    shift_semitones: int = 0

    def __post_init__(self) -> None:
        for name in ("music_s", "video_s"):
            set_array(self, name, np.float64)
            if (np.diff(getattr(self, name)) < 0).any():
                raise ValueError(f"Alignment: {name} goes back in time")
        same_length(self, "music_s", "video_s")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a site says of a video without our having fetched it; unknown is `None` or empty."""

    source: Source
    title: str
    channel: str = ""
    channel_id: str = ""
    channel_is_verified: bool = False
    duration_s: float | None = None
    view_count: int | None = None
    categories: tuple[str, ...] = ()
    description: str = ""
    live_status: str = ""
    uploaded: str = ""
    language: str = ""
    licence: str = ""


@dataclass(frozen=True, slots=True)
class ParsedTitle:
    """Artist and title out of a video's title; `confidence` is 0-1.

    `marks` are what else the title says of the video: cover, piano, live, lyric, remix, ...
    """

    artist: str
    title: str
    confidence: float
    marks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Screened:
    """A test that the entry passed: what was measured, its value and the limit."""

    measure: str
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why an entry was put aside, and by which step; `bug` where the program is at fault."""

    step: str
    reason: Reason
    detail: str
    bug: Bug | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", Reason(self.reason))
        object.__setattr__(self, "detail", clean_text(self.detail)[:_LONGEST_DETAIL])
        if isinstance(self.bug, dict):
            object.__setattr__(self, "bug", Bug(**self.bug))


@dataclass(frozen=True, slots=True)
class Provenance:
    """What made a result: enough to make it again, and to know when it is out of date."""

    step: str
    version: int
    parameters: str
    backend: str
    model_version: str
    weights_sha256: str
    trained: bool
    inputs: str


_Heard: TypeAlias = Notes | Beats | GridNotes | Parts | Chords | Key | KeySpans
_Labelled: TypeAlias = MusicLabels | SoundShares | TagTrack
_Described: TypeAlias = AudioCodes | FeatureTrack | Loudness | Pictures | _Labelled
Record: TypeAlias = Asset | _Heard | _Described | Scenes | Screened | MidiFile

RECORD_TYPES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        *(Asset, Notes, Beats, GridNotes, Parts, Chords, Key, KeySpans, FeatureTrack, Scenes),
        *(Alignment, AudioCodes, Loudness, MusicLabels, Pictures, SoundShares, TagTrack),
        *(SongInfo, Screened, Rejection, MidiFile),
    )
}


def to_json(record: Record) -> dict[str, Any]:
    """The record's fields as plain Python values, for people and other programs.

    Arrays become lists; a `FeatureTrack` gains ``times_s``, and ``values`` of dimension
    one become a flat list; `Beats` gain ``tempo_bpm``.
    """
    out: dict[str, Any] = {}
    for field in fields(record):
        value = getattr(record, field.name)
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
