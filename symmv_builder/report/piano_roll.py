"""One picture per piece of music: notes, beats and chords as they were found, line by line.

It answers at a glance whether the beat lies on the music, whether the melody is the
melody, and whether the chords fit the notes below them.
"""

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records import Beats, Chords, Floats, Key, Notes, Parts
from symmv_builder.report import ink
from symmv_builder.text import amount
from symmv_builder.vocab import NO_CHORD, pitch_class

_LINE_S = 15.0
_WIDTH_IN = 15.0
_SEMITONE_IN = 0.052
_BLACK = {1, 3, 6, 8, 10}


def draw_piano_roll(
    path: Path,
    notes: Notes,
    *,
    title: str,
    parts: Parts | None = None,
    beats: Beats | None = None,
    chords: Chords | None = None,
    key: Key | None = None,
    seconds: float = 30.0,
) -> None:
    """Write a PNG of the first `seconds` of the music, 15 s a line.

    With `parts` the notes are those of the grid, melody and accompaniment in two colours;
    without, the notes as transcribed. Opacity is velocity; a bar below is the pedal.
    """
    shown_s = max(1.0, min(seconds, _last(notes, chords)))
    lines = max(1, ceil(shown_s / _LINE_S - 1e-9))
    line_s = shown_s / lines if lines > 1 else shown_s
    low, high = pitch_range(parts or notes, shown_s)
    roll_in = (high - low) * _SEMITONE_IN
    band_in = 0.3 if chords is not None else 0.05
    height = 0.8 + lines * (roll_in + band_in + 0.5) + 0.1
    figure = ink.new_figure(_WIDTH_IN, height)
    _heading(figure, height, title, parts or notes, beats, chords, key)
    top = height - 0.8
    for line in range(lines):
        start = line * line_s
        box = (0.045, (top - band_in - roll_in) / height, 0.935, roll_in / height)
        axes = figure.add_axes(box)
        axes.set_xlim(start, start + line_s)
        axes.set_ylim(low, high)
        draw_keys(axes, low, high)
        if beats is not None:
            _beats(axes, beats, start, start + line_s)
        draw_notes(axes, parts or notes, start, start + line_s)
        draw_pedal(axes, notes, start, start + line_s)
        if chords is not None:
            above = figure.add_axes((box[0], (top - band_in) / height, box[2], 0.24 / height))
            above.set_xlim(start, start + line_s)
            draw_chords(figure, above, chords, start, start + line_s)
        top -= roll_in + band_in + 0.5
    ink.save(figure, path)


def _last(notes: Notes, chords: Chords | None) -> float:
    ends = [notes.ends_s.max()] if len(notes.ends_s) else []
    if chords is not None and len(chords.ends_s):
        ends.append(chords.ends_s.max())
    return float(max(ends, default=0.0))


def pitch_range(notes: Notes | Parts, shown_s: float) -> tuple[float, float]:
    """Lowest and highest pitch on paper: whole octaves' worth around what is played."""
    pitches = notes.pitches[notes.starts_s < shown_s]
    low, high = (int(pitches.min()), int(pitches.max())) if len(pitches) else (48, 72)
    middle = (low + high) / 2
    half = max((high - low) / 2 + 2.5, 13.0)
    return middle - half, middle + half


def _heading(
    figure: Any,
    height: float,
    title: str,
    notes: Notes | Parts,
    beats: Beats | None,
    chords: Chords | None,
    key: Key | None,
) -> None:
    y = 1 - 0.38 / height
    figure.text(
        0.045, y, ink.plain(title, 70), size=15, weight="bold", color=ink.INK, parse_math=False
    )
    facts = [amount(len(notes.pitches), "note")]
    if key is not None:
        facts.append(str(key).replace("-", "\u266d", 1).replace("#", "\u266f", 1))
    if beats is not None:
        facts.append(f"{beats.tempo_bpm:.0f} beats a minute")
    if chords is not None:
        facts.append(amount(len(chords.labels), "chord"))
    figure.text(0.98, y, "    ".join(facts), size=10, color=ink.FAINT, ha="right")
    if isinstance(notes, Parts):
        y -= 0.22 / height
        for x, word, shade in (
            (0.045, "melody", ink.MELODY),
            (0.115, "accompaniment", ink.ACCOMPANIMENT),
        ):
            figure.text(x, y, "\u25a0", size=9, color=shade)
            figure.text(x + 0.011, y, word, size=9, color=ink.FAINT)


def draw_keys(axes: Any, low: float, high: float, *, labels: bool = True) -> None:
    """Rows of black keys, lines between octaves, and a tick a second with `labels`."""
    for pitch in range(ceil(low), int(high) + 1):
        if pitch % 12 in _BLACK:
            axes.axhspan(pitch - 0.5, pitch + 0.5, color="#f3f4f7", lw=0, zorder=0)
        if pitch % 12 == 0:
            axes.axhline(pitch - 0.5, color=ink.RULE, lw=0.6, zorder=0.5)
    ticks = [pitch for pitch in range(ceil(low), int(high) + 1) if pitch % 12 == 0]
    axes.set_yticks(ticks, [f"C{pitch // 12 - 1}" for pitch in ticks])
    left, right = axes.get_xlim()
    seconds = np.arange(ceil(left), int(right) + 1) if labels else np.zeros(0)
    axes.set_xticks(seconds, [ink.clock_time(float(second))[:-2] for second in seconds])
    ink.bare(axes)
    axes.spines["bottom"].set_visible(True)
    axes.spines["bottom"].set_color(ink.RULE)
    axes.tick_params(axis="x", length=2.5, color=ink.FAINT)


def _beats(axes: Any, beats: Beats, start: float, end: float) -> None:
    inside = (beats.times_s >= start) & (beats.times_s <= end)
    down = inside & (beats.positions == 1)
    height = axes.get_xaxis_transform()
    axes.vlines(
        beats.times_s[inside & ~down], 0, 1, transform=height, color="#c3c8d2", lw=0.6,
        linestyles=(0, (1, 2)), zorder=1,
    )  # fmt: skip
    axes.vlines(beats.times_s[down], 0, 1, transform=height, color="#7d8494", lw=0.9, zorder=1)


def draw_notes(axes: Any, notes: Notes | Parts, start: float, end: float) -> None:
    """Notes between two moments; opacity is velocity, the melody has a colour of its own."""
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import to_rgb

    inside = (notes.starts_s < end) & (notes.ends_s > start)
    melody = notes.is_melody if isinstance(notes, Parts) else np.zeros(len(inside), dtype=bool)
    # The melody is drawn last, so that it lies on top.
    for mask, shade in ((~melody, ink.ACCOMPANIMENT), (melody, ink.MELODY)):
        which = inside & mask
        opacity = 0.3 + 0.7 * np.clip((notes.velocities[which] - 20) / 90, 0, 1)
        corners = _corners(notes.starts_s[which], notes.ends_s[which], notes.pitches[which])
        colours = [(*to_rgb(shade), float(each)) for each in opacity]
        axes.add_collection(
            PolyCollection(corners, facecolors=colours, edgecolors=shade, linewidths=0.4, zorder=3)
        )


def _corners(starts: Floats, ends: Floats, pitches: NDArray[np.int64]) -> list[Any]:
    # A hair is left between repeated notes, and a very short note stays visible.
    ends = np.maximum(ends - 0.008, starts + 0.03)
    return [
        ((a, p - 0.42), (a, p + 0.42), (b, p + 0.42), (b, p - 0.42))
        for a, b, p in zip(starts.tolist(), ends.tolist(), pitches.tolist(), strict=True)
    ]


def draw_pedal(axes: Any, notes: Notes, start: float, end: float) -> None:
    """The spans of the sustain pedal between two moments, as a bar at the bottom."""
    spans = [
        (down, up - down)
        for down, up in zip(notes.pedal_starts_s.tolist(), notes.pedal_ends_s.tolist(), strict=True)
        if down < end and up > start
    ]
    if spans:
        axes.broken_barh(
            spans, (0.0, 0.016), transform=axes.get_xaxis_transform(), color="#b0a58c", lw=0,
            zorder=2,
        )  # fmt: skip


def draw_chords(figure: Any, axes: Any, chords: Chords, start: float, end: float) -> None:
    """A band of labelled spans; a label that does not fit is made smaller, then left out."""
    axes.set_ylim(0, 1)
    axes.set_yticks([])
    axes.set_xticks([])
    ink.bare(axes)
    pixels = axes.get_window_extent().width / (end - start)
    renderer = figure.canvas.get_renderer()
    spans = zip(chords.starts_s.tolist(), chords.ends_s.tolist(), chords.labels, strict=True)
    for left, right, label in spans:
        left, right = max(left, start), min(right, end)
        if right <= left or label == NO_CHORD:
            continue
        axes.broken_barh([(left, right - left)], (0, 1), color=_tint(label), ec="white", lw=1.2)
        for size in (9.0, 8.0, 7.0, 6.0, 5.0):
            text = axes.text(
                (left + right) / 2, 0.47, ink.plain(label, 12), size=size, ha="center",
                va="center", color=ink.INK, parse_math=False, clip_on=True,
            )  # fmt: skip
            if text.get_window_extent(renderer).width <= (right - left) * pixels - 3:
                break
            text.remove()


def _tint(label: str) -> tuple[float, float, float]:
    """A pale colour by the root's place on the circle of fifths: near chords look alike."""
    from matplotlib.colors import hsv_to_rgb

    root = label[:2] if label[1:2] in ("#", "b") else label[:1]
    try:
        place = pitch_class(root) * 7 % 12
    except ValueError:
        return (0.92, 0.92, 0.92)
    red, green, blue = hsv_to_rgb((place / 12, 0.24, 0.97))
    return float(red), float(green), float(blue)
