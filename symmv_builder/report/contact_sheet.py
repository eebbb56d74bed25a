"""One picture per video: a frame of every scene, and the features under a common time line.

It answers at a glance whether scenes were cut where the eye cuts them, and whether
motion, emotion and colour follow what is seen.
"""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records import FeatureTrack
from symmv_builder.report import ink
from symmv_builder.text import amount
from symmv_builder.vocab import EMOTIONS

_COLUMNS = 6
_FEWEST_COLUMNS = 4
_GAP = 0.04
_MOST_FRAMES = 30
_WIDTH_IN = 14.0
_STRIP_IN = {"motion": 0.85, "emotion": 0.95, "colour": 0.6}
_TINTS = 48


def draw_contact_sheet(
    path: Path,
    frames: Sequence[tuple[float, NDArray[np.uint8]]],
    cuts_s: Sequence[float],
    *,
    title: str,
    duration_s: float,
    motion: FeatureTrack | None = None,
    emotion: FeatureTrack | None = None,
    colour: FeatureTrack | None = None,
) -> None:
    """Write a PNG of `frames` (time in s, RGB uint8 ``[h, w, 3]``), one a scene, and strips.

    `emotion` holds one column per word of `vocab.EMOTIONS`, `colour` an RGB-uv histogram
    per row (``3 * bins * bins``). Of more than 30 frames, 30 spread evenly are shown.
    """
    if not frames:
        raise ValueError(f"no frames for the contact sheet of {title}")
    pictures = _spread(frames)
    rows = ceil(len(pictures) / _COLUMNS)
    columns = max(_FEWEST_COLUMNS, ceil(len(pictures) / rows))
    tracks = {"motion": motion, "emotion": emotion, "colour": colour}
    strips = [(name, track) for name, track in tracks.items() if track is not None]
    tallest = max(frame.shape[0] / frame.shape[1] for _, frame in pictures)
    cell_in = 0.96 * _WIDTH_IN / (columns + _GAP * (columns - 1))
    row_in = min(cell_in * tallest, 3.2) + 0.3
    strips_in = [_STRIP_IN[name] for name, _ in strips]
    height = 0.55 + rows * row_in + sum(strips_in) + 0.14 * len(strips) + 0.6
    figure = ink.new_figure(_WIDTH_IN, height)
    _heading(figure, height, title, duration_s, len(cuts_s), len(frames), len(pictures))
    top = 1 - 0.55 / height
    _thumbnails(figure, pictures, columns, rows, top, row_in / height)
    top -= rows * row_in / height
    _strips(figure, strips, top, height, duration_s, cuts_s)
    ink.save(figure, path)


def _spread(
    frames: Sequence[tuple[float, NDArray[np.uint8]]],
) -> list[tuple[float, NDArray[np.uint8]]]:
    if len(frames) <= _MOST_FRAMES:
        return list(frames)
    places = np.linspace(0, len(frames) - 1, _MOST_FRAMES).round().astype(int)
    return [frames[index] for index in places.tolist()]


def _heading(
    figure: Any, height: float, title: str, duration_s: float, cuts: int, scenes: int, shown: int
) -> None:
    y = 1 - 0.38 / height
    figure.text(0.02, y, ink.plain(title), size=15, weight="bold", color=ink.INK, parse_math=False)
    facts = f"{ink.clock_time(duration_s)}   {amount(cuts + 1, 'scene')}   {amount(cuts, 'cut')}"
    if shown < scenes:
        facts += f"   {shown} of {scenes} frames shown"
    figure.text(0.98, y, facts, size=10, color=ink.FAINT, ha="right")


def _thumbnails(
    figure: Any,
    pictures: list[tuple[float, NDArray[np.uint8]]],
    columns: int,
    rows: int,
    top: float,
    row: float,
) -> None:
    grid = figure.add_gridspec(
        rows, columns, left=0.02, right=0.98, top=top, bottom=top - rows * row, wspace=_GAP,
        hspace=0.0,
    )  # fmt: skip
    for number, (time_s, frame) in enumerate(pictures):
        axes = figure.add_subplot(grid[number // columns, number % columns])
        axes.imshow(frame, aspect="equal", interpolation="antialiased")
        axes.set_anchor("S")
        axes.set_axis_off()
        axes.set_title(
            f"{number + 1}   {ink.clock_time(time_s)}", size=8, color=ink.INK, pad=2.5, loc="left"
        )


def _strips(
    figure: Any,
    strips: list[tuple[str, FeatureTrack]],
    top: float,
    height: float,
    duration_s: float,
    cuts_s: Sequence[float],
) -> None:
    y = top - 0.25 / height
    for number, (name, track) in enumerate(strips):
        size = _STRIP_IN[name] / height
        axes = figure.add_axes((0.09, y - size, 0.79, size))
        {"motion": _motion, "emotion": _emotion, "colour": _colour}[name](axes, track)
        axes.set_xlim(0, duration_s)
        ink.bare(axes)
        axes.text(
            -0.012, 0.5, name, transform=axes.transAxes, ha="right", va="center", size=9,
            color=ink.INK,
        )  # fmt: skip
        line = "#ffffff" if name == "emotion" else ink.INK
        axes.vlines(
            cuts_s, 0, 1, transform=axes.get_xaxis_transform(), color=line, lw=0.7, alpha=0.6
        )
        if number < len(strips) - 1:
            axes.set_xticks([])
        else:
            axes.set_xticks(_ticks(duration_s))
            axes.xaxis.set_major_formatter(lambda value, _: ink.clock_time(value)[:-2])
            axes.tick_params(axis="x", length=3, color=ink.FAINT)
        y -= size + 0.14 / height


def _ticks(duration_s: float) -> list[float]:
    steps = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800)
    step = next((step for step in steps if duration_s / step <= 14), 3600)
    return [float(value) for value in np.arange(0, duration_s + 1e-9, step)]


def _held(track: FeatureTrack) -> NDArray[np.float64]:
    """Borders of a track's samples: each value holds for one hop, ``[t + 1]``."""
    return np.asarray(np.arange(len(track.values) + 1) * track.hop_s, dtype=np.float64)


def _motion(axes: Any, track: FeatureTrack) -> None:
    values = track.values[:, 0]
    axes.stairs(values, _held(track), fill=True, color=ink.ACCOMPANIMENT, alpha=0.85)
    highest = float(values.max()) if len(values) else 0.0
    axes.set_ylim(0, max(highest * 1.08, 1e-6))
    axes.set_yticks([])
    axes.text(
        1.012, 0.5, f"highest {highest:.1f}\nof 255", transform=axes.transAxes, size=8,
        va="center", color=ink.FAINT,
    )  # fmt: skip


def _emotion(axes: Any, track: FeatureTrack) -> None:
    edges, base = _held(track), np.zeros(len(track.values))
    for column, (word, shade) in enumerate(zip(EMOTIONS, ink.EMOTION_COLOURS, strict=True)):
        top = base + track.values[:, column]
        axes.fill_between(
            edges, np.append(base, base[-1:]), np.append(top, top[-1:]), step="post", color=shade,
            lw=0,
        )  # fmt: skip
        y = 0.92 - 0.168 * (len(EMOTIONS) - 1 - column)
        axes.text(1.012, y, "\u25a0", transform=axes.transAxes, size=8, va="center", color=shade)
        axes.text(1.026, y, word, transform=axes.transAxes, size=8, va="center", color=ink.INK)
        base = top
    axes.set_ylim(0, 1)
    axes.set_yticks([])


def _colour(axes: Any, track: FeatureTrack) -> None:
    columns = np.stack([tints(row) for row in track.values], axis=1)
    axes.imshow(
        columns, aspect="auto", interpolation="nearest", origin="lower",
        extent=(0, len(track.values) * track.hop_s, 0, 1),
    )  # fmt: skip
    axes.set_yticks([])
    axes.text(
        1.012, 0.5, "tints by their\nshare of light", transform=axes.transAxes, size=8,
        va="center", color=ink.FAINT,
    )  # fmt: skip


def tints(histogram: NDArray[np.float32]) -> NDArray[np.float64]:
    """An RGB-uv histogram ``[3 * bins * bins]`` as 48 tints ``[48, 3]`` in order of hue.

    Each tint takes room by its share. The plane of red holds log(R/G) and log(R/B), so a
    bin is a colour up to its lightness; faint bins, the kernel's tails, are left out.
    """
    bins = round((len(histogram) / 3) ** 0.5)
    if 3 * bins * bins != len(histogram):
        raise ValueError(f"{len(histogram)} values are not an RGB-uv histogram")
    plane = np.asarray(histogram[: bins * bins], dtype=np.float64)
    centres = np.linspace(-3.0, 3.0, bins)
    u, v = (axis.ravel() for axis in np.meshgrid(centres, centres, indexing="ij"))
    colours = np.stack([np.ones_like(u), np.exp(-u), np.exp(-v)], axis=1)
    colours /= colours.max(axis=1, keepdims=True)
    cells = np.flatnonzero(plane >= 0.2 * plane.max())
    hue = np.arctan2(np.sqrt(3) * (v[cells] - u[cells]), v[cells] + u[cells])
    cells = cells[np.argsort(hue, kind="stable")]
    share = np.cumsum(plane[cells])
    if share[-1] <= 0:
        return np.zeros((_TINTS, 3))
    places = (np.arange(_TINTS) + 0.5) / _TINTS * share[-1]
    return np.asarray(colours[cells[np.searchsorted(share, places)]], dtype=np.float64)
