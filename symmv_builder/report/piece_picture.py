"""Music and its video under one time line: frames and cuts, chords, notes, loudness.

The picture of Video2Music (Kang et al., 2024, Fig. 14) with chords and cuts, for one piece or for
several that were written for one video.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records import Beats, Chords, Floats, Notes, Parts
from symmv_builder.report import ink
from symmv_builder.report.piano_roll import (
    draw_chords,
    draw_keys,
    draw_notes,
    draw_pedal,
    pitch_range,
)
from symmv_builder.text import amount

# A line holds a minute; a longer piece has longer lines, not more of them.
_LINE_S = 60.0
_MOST_LINES = 5
_WIDTH_IN = 15.0
FRAMES_A_LINE = 8
_FRAME_IN, _CHORDS_IN, _LOUDNESS_IN, _SEMITONE_IN = 0.9, 0.26, 0.36, 0.028
_LEFT, _RIGHT = 0.05, 0.985
_CUT = "#e0a030"

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Shown:
    """One piece: its name, its notes, and what else is known of it.

    `loudness` ``[seconds]`` is the root mean square of each second over full scale.
    """

    title: str
    notes: Notes
    parts: Parts | None = None
    beats: Beats | None = None
    chords: Chords | None = None
    loudness: Floats | None = None


def line_length_s(seconds: float) -> float:
    """How many seconds a line of the picture of a piece holds."""
    lines = min(_MOST_LINES, max(1, ceil(seconds / _LINE_S - 1e-9)))
    return seconds / lines


def frame_times(seconds: float) -> list[float]:
    """The moments of a video of which a picture of so many seconds shows a frame."""
    step = line_length_s(seconds) / FRAMES_A_LINE
    return [float(time) for time in np.arange(step / 2, seconds, step)]


def draw_pieces(
    path: Path,
    pieces: Sequence[Shown],
    *,
    title: str,
    seconds: float,
    frames: Sequence[tuple[float, Picture]] = (),
    cuts_s: Sequence[float] | None = None,
    dpi: int = 110,
) -> None:
    """Write a PNG of pieces, one below the other, under the frames of their video.

    `frames` are those of `frame_times`, RGB uint8 ``[h, w, 3]`` with the time of each in s;
    `cuts_s` are drawn through everything. Names are shown as texts, whatever is in them.
    `ValueError` without a piece.
    """
    if not pieces:
        raise ValueError("a picture of pieces needs one at least")
    seconds = max(1.0, seconds)
    line_s = line_length_s(seconds)
    lines = round(seconds / line_s)
    ranges = [pitch_range(each.parts or each.notes, seconds) for each in pieces]
    heights = [
        (high - low) * _SEMITONE_IN + _CHORDS_IN + _LOUDNESS_IN + 0.34 for low, high in ranges
    ]
    line_in = (_FRAME_IN + 0.08 if frames else 0.1) + sum(heights) + 0.3
    height = 0.62 + lines * line_in
    figure = ink.new_figure(_WIDTH_IN, height)
    _heading(figure, height, title, _said(frames, cuts_s))
    for line in range(lines):
        start, top = line * line_s, height - 0.62 - line * line_in
        span = (start, min(start + line_s, seconds))
        if frames:
            _frames(figure, frames, span, line_s, top, height)
            top -= _FRAME_IN + 0.08
        for each, limits, size in zip(pieces, ranges, heights, strict=True):
            _piece(figure, each, limits, span, line_s, (top, size, height), len(pieces) > 1)
            _cuts(figure, cuts_s or (), span, line_s, (top, size, height))
            top -= size
    ink.save(figure, path, dpi=dpi)


def _said(frames: Sequence[object], cuts_s: Sequence[float] | None) -> str:
    if not frames:
        return ""
    if cuts_s is None:
        return "cuts not known"
    return amount(len(cuts_s), "cut")


def _heading(figure: Any, height: float, title: str, note: str) -> None:
    y = 1 - 0.38 / height
    figure.text(
        _LEFT, y, ink.plain(title, 80), size=15, weight="bold", color=ink.INK, parse_math=False
    )
    figure.text(_RIGHT, y, ink.plain(note), size=10, color=ink.FAINT, ha="right", parse_math=False)


def _frames(
    figure: Any,
    frames: Sequence[tuple[float, Picture]],
    span: tuple[float, float],
    line_s: float,
    top: float,
    height: float,
) -> None:
    """Each frame around its own moment, as wide as its share of the line."""
    share = (_RIGHT - _LEFT) / FRAMES_A_LINE
    for time_s, frame in frames:
        if not span[0] <= time_s < span[1]:
            continue
        middle = _LEFT + (_RIGHT - _LEFT) * (time_s - span[0]) / line_s
        box = (middle - share * 0.49, (top - _FRAME_IN) / height, share * 0.98, _FRAME_IN / height)
        axes = figure.add_axes(box)
        axes.imshow(frame, aspect="equal", interpolation="antialiased")
        axes.set_axis_off()


def _cuts(
    figure: Any,
    cuts_s: Sequence[float],
    span: tuple[float, float],
    line_s: float,
    place: tuple[float, float, float],
) -> None:
    top, size, height = place
    inside = [cut for cut in cuts_s if span[0] <= cut < span[1]]
    if inside:
        width = _RIGHT - _LEFT
        axes = figure.add_axes(
            (_LEFT, (top - size + 0.3) / height, width, (size - 0.3) / height), facecolor="none"
        )
        axes.set_xlim(span[0], span[0] + line_s)
        axes.set_ylim(0, 1)
        axes.vlines(inside, 0, 1, color=_CUT, lw=1.1)
        axes.set_axis_off()


def _piece(
    figure: Any,
    piece: Shown,
    limits: tuple[float, float],
    span: tuple[float, float],
    line_s: float,
    place: tuple[float, float, float],
    is_named: bool,
) -> None:
    top, size, height = place
    width = _RIGHT - _LEFT
    if is_named:
        figure.text(
            _LEFT, (top - 0.13) / height, ink.plain(piece.title, 70), size=9, weight="bold",
            color=ink.INK, parse_math=False,
        )  # fmt: skip

    def axes_of(above: float, tall: float) -> Any:
        axes = figure.add_axes((_LEFT, (top - above - tall) / height, width, tall / height))
        axes.set_xlim(span[0], span[0] + line_s)
        return axes

    head = 0.16 if is_named else 0.0
    if piece.chords is not None:
        draw_chords(figure, axes_of(head, _CHORDS_IN - 0.04), piece.chords, span[0], span[1])
    roll_in = size - _CHORDS_IN - _LOUDNESS_IN - 0.34
    axes = axes_of(head + _CHORDS_IN, roll_in - head)
    axes.set_ylim(*limits)
    draw_keys(axes, *limits, labels=False)
    draw_notes(axes, piece.parts or piece.notes, *span)
    draw_pedal(axes, piece.notes, *span)
    below = axes_of(_CHORDS_IN + roll_in + 0.02, _LOUDNESS_IN)
    _loudness(below, piece.loudness)
    ticks = np.arange(ceil(span[0]), span[1] + 1e-6, _step(line_s))
    below.set_xticks(ticks, [ink.clock_time(float(tick))[:-2] for tick in ticks])
    below.tick_params(axis="x", length=2.5, color=ink.FAINT)


def _step(line_s: float) -> int:
    return next((step for step in (1, 2, 5, 10, 15, 30, 60) if line_s / step <= 24), 120)


def _loudness(axes: Any, loudness: Floats | None) -> None:
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    ink.bare(axes)
    axes.text(
        -0.006, 0.5, "loudness", transform=axes.transAxes, size=7, ha="right", va="center",
        color=ink.FAINT,
    )  # fmt: skip
    if loudness is not None and len(loudness):
        # A piano's seconds lie far below full scale: the loudest one fills the band.
        values = loudness / max(float(loudness.max()), 1e-9)
        axes.stairs(
            values, np.arange(len(values) + 1), fill=True, color=ink.ACCOMPANIMENT, alpha=0.55
        )
