"""Clips: the pieces that an entry is cut into, by fixed windows, by its shots or by its bars.

A clip is cut on the VIDEO clock: its start and end are seconds of the video. Where music and video
are two recordings, the alignment of the entry says which seconds of the music belong to it
(`ClockMap`). Cutting looks at lengths and times alone and decodes nothing.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from math import ceil

import numpy as np

from symmv_builder.records import Alignment, Beats, Floats, Scenes
from symmv_builder.timeline import TOLERANCE_S, Clock, first_downbeat

# Raised when the same lengths and times would be cut otherwise.
VERSION = 2
# An alignment has a point a second; so far beyond its ends the clocks are taken to run on. So far
# may a clip reach beyond the end of a recording, too: the streams of a file end at different times.
EDGE_S = 1.0
# Two times that were computed in two ways and mean the same lie this close together.
SAME_S = 1e-6
_STEPS_PER_BEAT = 4
# Written without anything that means something in a path: ids become names of files.
_ENTRY = r"(?P<entry>[A-Za-z0-9][A-Za-z0-9._-]{0,79})"
_ID = re.compile(rf"{_ENTRY}@(?P<start_ms>[0-9]{{8,12}})ms")
_ADDRESS = re.compile(rf"{_ENTRY}@(?P<start_s>[0-9]{{1,7}}(\.[0-9]{{1,9}})?)s?")

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Clip:
    """A stretch of an entry: seconds of the video, and the seconds of the music that belong to it.

    `first_frame` is the number of the video's first frame in it (by the mean rate since the last
    cut before it), from which shots are counted anew; `steps_before` are the 16ths between the
    song's first downbeat and the clip's, which steps on the grid lose.
    """

    start_s: float
    end_s: float
    music_start_s: float
    music_end_s: float
    first_frame: int = 0
    steps_before: int = 0

    @property
    def numbers(self) -> tuple[float, float, float, float, int, int]:
        """All that a clip is, in the order of its fields."""
        times = (self.start_s, self.end_s, self.music_start_s, self.music_end_s)
        return (*times, self.first_frame, self.steps_before)

    def span(self, clock: Clock) -> Span:
        """Start and end on a clock, in seconds of that recording."""
        if clock is Clock.VIDEO:
            return self.start_s, self.end_s
        return self.music_start_s, self.music_end_s

    def id_of(self, entry_id: str) -> str:
        """Name the clip of an entry: ``sonata@00012500ms`` begins at 12.5 s.

        No entry has an ``@`` in its name, so no clip is called as an entry is.
        """
        return clip_id(entry_id, milliseconds(self.start_s))


def clip_id(entry_id: str, start_ms: int) -> str:
    """Name the clip of an entry that starts at a time."""
    return f"{entry_id}@{start_ms:08d}ms"


def milliseconds(seconds: float) -> int:
    """Round a time to the milliseconds by which clips are told apart."""
    return round(seconds * 1000)


def parse_address(address: str) -> tuple[str, int] | None:
    """Entry and start in milliseconds of ``ENTRY@SECONDS`` or of a clip's id; `None` for neither.

    >>> parse_address("sonata@12.5"), parse_address("sonata@00012500ms"), parse_address("sonata")
    (('sonata', 12500), ('sonata', 12500), None)
    """
    if match := _ID.fullmatch(address):
        return match["entry"], int(match["start_ms"])
    if match := _ADDRESS.fullmatch(address):
        return match["entry"], milliseconds(float(match["start_s"]))
    return None


def is_clip_id(name: str) -> bool:
    """Check whether a row's name is that of a clip."""
    return _ID.fullmatch(name) is not None


def entry_of(row_id: str) -> str:
    """Name the entry whose row or clip is called so."""
    return row_id.partition("@")[0]


@dataclass(frozen=True, slots=True)
class ClockMap:
    """The way from one clock of an entry to the other.

    Without an `alignment` both clocks are one: music and video are one recording, or begin
    together. An alignment maps what lies between its points; up to `EDGE_S` beyond them the
    clocks run on at the same pace, and further away nothing is known.
    """

    alignment: Alignment | None = None

    def to_music(self, video_s: float) -> float:
        """Give the second of the music that sounds at a second of the video; 0 or later."""
        if self.alignment is None or not len(self.alignment.video_s):
            return video_s
        return _mapped(video_s, self.alignment.video_s, self.alignment.music_s)

    def to_video(self, music_s: float) -> float:
        """Give the second of the video at which a second of the music sounds; 0 or later."""
        if self.alignment is None or not len(self.alignment.video_s):
            return music_s
        return _mapped(music_s, self.alignment.music_s, self.alignment.video_s)

    def covers(self, start_s: float, end_s: float) -> bool:
        """Check whether the map says of all of a stretch of the video what music belongs to it."""
        if self.alignment is None:
            return True
        video_s = self.alignment.video_s
        if not len(video_s):
            return False
        return bool(
            video_s[0] - EDGE_S <= start_s + TOLERANCE_S
            and end_s - TOLERANCE_S <= video_s[-1] + EDGE_S
        )

    def clip(self, start_s: float, end_s: float) -> Clip:
        """Make the clip of a stretch of the video."""
        return Clip(start_s, end_s, self.to_music(start_s), self.to_music(end_s))


def _mapped(time_s: float, here_s: Floats, there_s: Floats) -> float:
    if time_s < here_s[0]:
        return max(0.0, float(there_s[0] - (here_s[0] - time_s)))
    if time_s > here_s[-1]:
        return float(there_s[-1] + (time_s - here_s[-1]))
    return float(np.interp(time_s, here_s, there_s))


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of `length_s` seconds, one every `hop_s` from the start of the video.

    What is left at the end is a last, shorter one where it lasts `least_s` or more.
    """

    length_s: float
    hop_s: float
    least_s: float

    def spans(self, duration_s: float) -> Iterator[Span]:
        """Start and end of each in a video of a length, in order."""
        for number in count():
            start_s = number * self.hop_s
            left_s = duration_s - start_s
            if left_s < self.length_s - TOLERANCE_S:
                if left_s >= self.least_s - TOLERANCE_S and left_s > TOLERANCE_S:
                    yield start_s, duration_s
                return
            yield start_s, start_s + self.length_s
            if left_s <= self.length_s + TOLERANCE_S:
                return


@dataclass(frozen=True, slots=True)
class Shots:
    """Pieces of shots: none goes over a cut, and none lasts longer than `greatest_s`.

    A longer shot is cut every `greatest_s` from its start; a shot, or what is left of one, is left
    out where it is shorter than `least_s`.
    """

    least_s: float
    greatest_s: float

    def spans(self, duration_s: float, scenes: Scenes) -> Iterator[Span]:
        """Start and end of each in order; a video of which no shot is known is one shot."""
        whole = [(0.0, duration_s)]
        shots = zip(scenes.starts_s.tolist(), scenes.ends_s.tolist(), strict=True)
        pieces = Windows(self.greatest_s, self.greatest_s, self.least_s)
        for shot_start_s, shot_end_s in shots if len(scenes.starts_s) else whole:
            for start_s, end_s in pieces.spans(shot_end_s - shot_start_s):
                yield shot_start_s + start_s, min(shot_start_s + end_s, shot_end_s)


@dataclass(frozen=True, slots=True)
class Bars:
    """Stretches of `bars` whole bars, one every `hop_bars` from the first downbeat of the music.

    A bar lasts from a downbeat to the next: what sounds before the first and after the last
    downbeat is in no bar.
    """

    bars: int
    hop_bars: int

    def spans(self, beats: Beats) -> Iterator[Span]:
        """Start and end of each on the MUSIC clock, in order."""
        downbeats_s = beats.times_s[beats.positions == 1].tolist()
        for first in range(0, len(downbeats_s) - self.bars, self.hop_bars):
            yield downbeats_s[first], downbeats_s[first + self.bars]


Cut = Windows | Shots | Bars
# How a recipe names them.
WAYS: dict[str, type[Windows] | type[Shots] | type[Bars]] = {
    "windows": Windows,
    "scenes": Shots,
    "beats": Bars,
}


def way_of(cut: Cut) -> str:
    """Name a way to cut as a recipe does."""
    return next(name for name, kind in WAYS.items() if kind is type(cut))


@dataclass(frozen=True, slots=True)
class Lengths:
    """The facts of an entry by which it is cut: the video's length, and records that are there.

    `frame_rate_hz` is the video's mean rate, 0 where nobody knows it.
    """

    duration_s: float
    clocks: ClockMap
    scenes: Scenes | None = None
    beats: Beats | None = None
    frame_rate_hz: float = 0.0


def cut_entry(cut: Cut, lengths: Lengths) -> Iterator[Clip]:
    """Cut an entry into clips, in order, also those that reach beyond the alignment.

    `ValueError` where what the way of cutting looks at is not there.
    """
    yield from (with_counts(clip, lengths) for clip in _clips(cut, lengths))


def with_counts(clip: Clip, lengths: Lengths) -> Clip:
    """Add to a clip from which frame and which step it counts."""
    frame = _first_frame(clip.start_s, lengths.scenes, lengths.frame_rate_hz)
    return replace(clip, first_frame=frame, steps_before=_steps_before(clip, lengths.beats))


def _clips(cut: Cut, lengths: Lengths) -> Iterator[Clip]:
    clocks = lengths.clocks
    if isinstance(cut, Bars):
        if lengths.beats is None:
            raise ValueError("clips of bars are cut by beats")
        for music_start_s, music_end_s in cut.spans(lengths.beats):
            # The music's own times, and not those that come back from the video's.
            start_s, end_s = clocks.to_video(music_start_s), clocks.to_video(music_end_s)
            if end_s <= lengths.duration_s + TOLERANCE_S and end_s > start_s:
                yield Clip(start_s, end_s, music_start_s, music_end_s)
        return
    if isinstance(cut, Shots):
        if lengths.scenes is None:
            raise ValueError("clips of shots are cut by scenes")
        spans = cut.spans(lengths.duration_s, lengths.scenes)
    else:
        spans = cut.spans(lengths.duration_s)
    yield from (clocks.clip(start_s, end_s) for start_s, end_s in spans)


def _first_frame(start_s: float, scenes: Scenes | None, rate_hz: float) -> int:
    """Count frames to the first one at or after a time, from the last cut before it."""
    known_s, last_frame = 0.0, 0
    if scenes is not None and len(scenes.starts_s):
        at = int(np.searchsorted(scenes.starts_s, start_s + TOLERANCE_S, side="right")) - 1
        if at >= 0:
            known_s, last_frame = float(scenes.starts_s[at]), int(scenes.start_frames[at])
    return last_frame + max(0, ceil((start_s - known_s - TOLERANCE_S) * rate_hz))


def _steps_before(clip: Clip, beats: Beats | None) -> int:
    """Count 16ths between the song's first downbeat and the clip's."""
    if beats is None or not len(beats.times_s):
        return 0
    inside = np.searchsorted(beats.times_s, np.array(clip.span(Clock.MUSIC)) - SAME_S)
    first, last = int(inside[0]), int(inside[1])
    positions = beats.positions[first:last]
    within = first_downbeat(positions) if len(positions) else 0
    return _STEPS_PER_BEAT * (first + within - first_downbeat(beats.positions))


def sample_range(span: Span, hop_s: float) -> tuple[int, int]:
    """Find the samples of a grid of `hop_s` in a stretch: the first and the one behind the last."""
    first = max(0, ceil((span[0] - TOLERANCE_S) / hop_s))
    return first, max(first, ceil((span[1] - TOLERANCE_S) / hop_s))
