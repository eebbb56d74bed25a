"""The demo's videos: drawn shots joined by hard cuts whose times are known.

Every drawing is a plan (which shots, how long, in which colours) made from a seed, and
frames made from the plan. The plan is the truth that scene detection is compared with.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from symmv_builder.demo.shots import KINDS, PALETTE_NAMES, painter, palette, texture

_SHORTEST_SHOT_S = 1.6
_LONGEST_SHOT_S = 6.5
_LINE_S = 4.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """A video to draw: even width and height, frames a second, length, and a seed."""

    width: int
    height: int
    frame_rate: Fraction
    duration_s: float
    seed: int

    @property
    def frame_count(self) -> int:
        return max(1, round(self.duration_s * self.frame_rate))


@dataclass(frozen=True, slots=True)
class Shot:
    """One kind of picture in one palette, for `frames` frames from `start_frame` on."""

    kind: str
    palette: str
    start_frame: int
    frames: int


def plan(drawing: Drawing) -> tuple[Shot, ...]:
    """Plan the shots of a drawing in order; neighbours differ in kind and in palette."""
    rng = np.random.default_rng(drawing.seed)
    shortest = round(_SHORTEST_SHOT_S * drawing.frame_rate)
    longest = round(_LONGEST_SHOT_S * drawing.frame_rate)
    kinds = rng.permutation(len(KINDS))
    # Palettes alternate between those that begin dark and those that begin light.
    dark, light = (rng.permutation(np.arange(half, len(PALETTE_NAMES), 2)) for half in (0, 1))
    shots: list[Shot] = []
    start = 0
    while start < drawing.frame_count:
        number = len(shots)
        length = int(rng.integers(shortest, longest + 1))
        if drawing.frame_count - start - length < shortest:
            length = drawing.frame_count - start
        family = (dark, light)[number % 2]
        colours = PALETTE_NAMES[int(family[number // 2 % len(family)])]
        shots.append(Shot(KINDS[int(kinds[number % len(kinds)])], colours, start, length))
        start += length
    return tuple(shots)


def cut_times(drawing: Drawing) -> list[float]:
    """List the seconds at which a new shot begins, the first shot left out."""
    return [float(shot.start_frame / drawing.frame_rate) for shot in plan(drawing)[1:]]


def draw(drawing: Drawing) -> Iterator[NDArray[np.uint8]]:
    """Draw the frames of a drawing, RGB ``uint8 [height, width, 3]``."""
    for number, shot in enumerate(plan(drawing)):
        rng = np.random.default_rng((drawing.seed, number))
        paint = painter(shot.kind, drawing.width, drawing.height, rng)
        colours = palette(shot.palette)
        for frame in range(shot.frames):
            yield colours[paint(float(frame / drawing.frame_rate))]


def still(drawing: Drawing) -> Iterator[NDArray[np.uint8]]:
    """Draw one picture for the whole length: what a music video must not be."""
    rng = np.random.default_rng(drawing.seed)
    colours = palette(PALETTE_NAMES[drawing.seed % len(PALETTE_NAMES)])
    picture = colours[texture(drawing.width, drawing.height, rng)]
    for _ in range(drawing.frame_count):
        yield picture


def lettered(
    frames: Iterable[NDArray[np.uint8]], drawing: Drawing, lines: Sequence[str]
) -> Iterator[NDArray[np.uint8]]:
    """Draw frames with lines of verse over them, one after the other: a lyric video."""
    masks = [_letters(line, drawing) for line in lines]
    every = round(_LINE_S * drawing.frame_rate)
    for number, frame in enumerate(frames):
        ink, edge = masks[number // every % len(masks)]
        picture = np.where(edge, np.uint8(0), frame)
        yield np.where(ink, np.uint8(255), picture)


def _letters(line: str, drawing: Drawing) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Find where the ink of a line is and its edge, ``[h, w, 1]``; as large as fits."""
    size = drawing.height // 5
    while size > 6:
        font = ImageFont.load_default(size=size)
        left, top, right, bottom = font.getbbox(line, stroke_width=2)
        if right - left <= 0.94 * drawing.width:
            break
        size -= 1
    place = ((drawing.width - right - left) // 2, (drawing.height - bottom - top) // 2)
    masks = []
    for stroke in (0, 2):
        picture = Image.new("L", (drawing.width, drawing.height))
        ImageDraw.Draw(picture).text(place, line, fill=255, font=font, stroke_width=stroke)
        masks.append(np.asarray(picture)[:, :, None] > 127)
    return masks[0], masks[1]
