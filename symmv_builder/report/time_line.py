"""An entry on one time line as SVG: its scenes, chords, beats and notes, and its warp.

Everything stands where it sounds with the video: times of the music go through the alignment.
Colours are classes, which the style sheet of the page gives.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice

import numpy as np

from symmv_builder.clips import ClockMap
from symmv_builder.records import Alignment, Asset, Beats, Chords, Notes, Parts, Record, Scenes
from symmv_builder.report.elements import Html, element, joined
from symmv_builder.timeline import Clock

# Pixels a second; what is short is drawn wider, and what would be wider than a browser draws well
# closer.
_SCALE, _WIDEST_SCALE = 40.0, 200.0
_LEAST_PX, _MOST_PX = 1000, 30_000
_MOST_NOTES, _MOST_SPANS, _MOST_BEATS = 20_000, 4_000, 10_000
_LANE, _GAP, _ROW = 22, 6, 4
_MOST_POINTS = 600


def clocks(records: Mapping[str, Record]) -> ClockMap:
    """The way between the clocks of an entry, by its alignment where it has one."""
    alignment = records.get("alignment")
    return ClockMap(alignment if isinstance(alignment, Alignment) else None)


def warp_points(records: Mapping[str, Record]) -> list[tuple[float, float]]:
    """Seconds of the video with those of the music, at most some hundreds; none without one."""
    alignment = clocks(records).alignment
    if alignment is None or not len(alignment.video_s):
        return []
    step = max(1, -(-len(alignment.video_s) // _MOST_POINTS))
    return [
        (round(video, 3), round(music, 3))
        for video, music in zip(
            alignment.video_s[::step].tolist(), alignment.music_s[::step].tolist(), strict=True
        )
    ]


def length_s(records: Mapping[str, Record]) -> float:
    """Seconds of the video's clock that an entry takes; 0 where nothing is known."""
    ends = [0.0]
    video = records.get("video_asset")
    if isinstance(video, Asset):
        ends.append(video.duration_s)
    here = clocks(records)
    for record in records.values():
        if isinstance(record, Notes | Chords | Scenes) and len(record.ends_s):
            ends.append(_at(here, record.clock, float(record.ends_s.max())))
    return max(ends)


def draw(records: Mapping[str, Record], label: str) -> Html | None:
    """The time line as SVG, with its scale in ``data-scale``; `None` where nothing is known."""
    seconds = length_s(records)
    notes = records.get("parts", records.get("notes"))
    if not seconds or not isinstance(notes, Notes | Parts):
        return None
    scale = min(_WIDEST_SCALE, max(_SCALE, _LEAST_PX / seconds), _MOST_PX / seconds)
    width = max(1, round(seconds * scale))
    here = clocks(records)
    parts: list[Html] = []
    y = 0
    for name in ("scenes", "chords"):
        record = records.get(name)
        if isinstance(record, Scenes | Chords):
            labels = record.labels if isinstance(record, Chords) else None
            parts += _lane(name, record, labels, here, scale, y)
            y += _LANE + _GAP
    low, high = _pitches(notes)
    height = y + (high - low + 1) * _ROW
    parts += _octaves(low, high, width, y)
    beats = records.get("beats")
    if isinstance(beats, Beats):
        parts += _beats(beats, here, scale, y, height)
    parts += _notes(notes, here, scale, y, high)
    parts += _seconds(seconds, scale, height)
    parts.append(_line("cursor", 0, 0, height, id="cursor"))
    return element(
        "svg", *parts, class_="time-line", width=width, height=height + 18, role="img",
        viewBox=f"0 0 {width} {height + 18}", aria_label=label, data_scale=round(scale, 6),
    )  # fmt: skip


def warp(records: Mapping[str, Record]) -> Html | None:
    """The alignment as a curve: music over video, beside the diagonal of no warp."""
    points = warp_points(records)
    if len(points) < 2:
        return None
    (left, low), (right, high) = points[0], points[-1]
    wide, tall = max(right - left, 1e-6), max(high - low, 1e-6)
    size = 240

    def place(video_s: float, music_s: float) -> str:
        x, y = 40 + (video_s - left) / wide * size, 10 + size - (music_s - low) / tall * size
        return f"{x:.1f},{y:.1f}"

    curve = " ".join(place(*point) for point in points)
    return element(
        "svg",
        element("rect", x=40, y=10, width=size, height=size, class_="frame"),
        element("polyline", points=f"40,{10 + size} {40 + size},10", class_="even"),
        element("polyline", points=curve, class_="curve"),
        _text(40, size + 28, f"video {_tenth(left)} s"),
        _text(40 + size, size + 28, f"{_tenth(right)} s", text_anchor="end"),
        _text(34, 10 + size, _tenth(low), text_anchor="end"),
        _text(34, 20, _tenth(high), text_anchor="end"),
        _text(40, 4, "music, s"),
        class_="warp", role="img", viewBox=f"0 -8 {size + 50} {size + 44}",
        aria_label="Seconds of the music over seconds of the video",
    )  # fmt: skip


def _at(here: ClockMap, clock: Clock, time_s: float) -> float:
    return time_s if clock is Clock.VIDEO else here.to_video(time_s)


def _lane(
    name: str,
    spans: Scenes | Chords,
    labels: tuple[str, ...] | None,
    here: ClockMap,
    scale: float,
    y: int,
) -> Iterator[Html]:
    each = zip(spans.starts_s.tolist(), spans.ends_s.tolist(), strict=True)
    for number, (start_s, end_s) in enumerate(islice(each, _MOST_SPANS)):
        start, end = (_at(here, spans.clock, time_s) * scale for time_s in (start_s, end_s))
        label = labels[number] if labels is not None else f"shot {number + 1}"
        shade = f"{name} {'odd' if number % 2 else 'even'}"
        size = max(1.0, end - start - 1)
        yield element(
            "rect", element("title", f"{label}, {start_s:.2f} to {end_s:.2f} s"),
            x=f"{start:.1f}", y=y, width=f"{size:.1f}", height=_LANE, class_=shade,
        )  # fmt: skip
        if size > 7 * min(len(label), 12):
            yield _text(start + 4, y + 15, label[:12])


def _pitches(notes: Notes | Parts) -> tuple[int, int]:
    if not len(notes.pitches):
        return 48, 72
    return int(notes.pitches.min()) - 2, int(notes.pitches.max()) + 2


def _octaves(low: int, high: int, width: int, y: int) -> Iterator[Html]:
    for pitch in range(low, high + 1):
        if pitch % 12 == 0:
            place = y + (high - pitch + 1) * _ROW
            yield element("line", x1=0, x2=width, y1=place, y2=place, class_="octave")
            yield _text(2, place - 2, f"C{pitch // 12 - 1}")


def _beats(beats: Beats, here: ClockMap, scale: float, y: int, height: int) -> Iterator[Html]:
    for time_s, position in zip(
        beats.times_s[:_MOST_BEATS].tolist(), beats.positions[:_MOST_BEATS].tolist(), strict=True
    ):
        kind = "bar" if position == 1 else "beat"
        yield _line(kind, _at(here, beats.clock, time_s) * scale, y, height)


def _notes(notes: Notes | Parts, here: ClockMap, scale: float, y: int, high: int) -> Iterator[Html]:
    melody = notes.is_melody if isinstance(notes, Parts) else np.zeros(len(notes.pitches), bool)
    rows: Iterable[tuple[float, float, int, int, bool]] = zip(
        notes.starts_s.tolist(), notes.ends_s.tolist(), notes.pitches.tolist(),
        notes.velocities.tolist(), melody.tolist(), strict=True,
    )  # fmt: skip
    for start_s, end_s, pitch, velocity, is_melody in islice(rows, _MOST_NOTES):
        start, end = (_at(here, notes.clock, time_s) * scale for time_s in (start_s, end_s))
        yield element(
            "rect", x=f"{start:.1f}", y=y + (high - pitch) * _ROW, height=_ROW - 1,
            width=f"{max(1.5, end - start - 0.5):.1f}", class_="melody" if is_melody else "note",
            opacity=f"{0.4 + 0.6 * min(1.0, velocity / 110):.2f}",
        )  # fmt: skip


def _seconds(seconds: float, scale: float, height: int) -> Iterator[Html]:
    step = next(each for each in (1, 2, 5, 10, 30, 60, 300, 86400) if each * scale >= 40)
    for second in range(0, int(seconds) + 1, step):
        yield _text(second * scale + 2, height + 13, f"{second // 60}:{second % 60:02d}")
        yield element(
            "line", x1=f"{second * scale:.1f}", x2=f"{second * scale:.1f}", y1=height,
            y2=height + 5, class_="octave",
        )  # fmt: skip


def _line(kind: str, x: float, top: int, bottom: int, **more: object) -> Html:
    return element(
        "line", x1=f"{x:.1f}", x2=f"{x:.1f}", y1=top, y2=bottom, class_=kind, **more
    )  # fmt: skip


def _text(x: float, y: float, words: str, **more: object) -> Html:
    return element("text", joined([words]), x=f"{x:.1f}", y=y, **more)


def _tenth(seconds: float) -> str:
    """Seconds to a tenth; what is a hair below 0 is 0."""
    return f"{round(seconds, 1) + 0.0:.1f}"
