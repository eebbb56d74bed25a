"""What a camera of the demo sees: eight kinds of moving picture, drawn as numbers.

A shot is a field of values 0-255 that changes with time, looked up in a palette: that
is fast, and it keeps movement (of the field) apart from colour (of the palette). Within
a shot everything moves smoothly; only a cut is sudden.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Field: TypeAlias = NDArray[np.uint8]
Palette: TypeAlias = NDArray[np.uint8]
Painter: TypeAlias = Callable[[float], Field]

# Dark to light, four colours each. Neighbours in this list differ in hue and lightness,
# so that any cut is a real one.
_PALETTES = {
    "dusk": ("1b1035", "6d2e7b", "e05a6d", "ffd08a"),
    "mint": ("e9fff4", "a8e6cf", "4fb286", "1c5d45"),
    "ember": ("140502", "7a1a05", "e2570f", "ffc23d"),
    "arctic": ("f5fbff", "b9dcf2", "5c9fd6", "1f4e86"),
    "moss": ("10160a", "3d4f1b", "8a9a3b", "dfe08f"),
    "rose": ("fff0f4", "f7b2c6", "d65a86", "6e1d3f"),
    "deep": ("02060f", "07305c", "0d7ea8", "7fe3e6"),
    "sand": ("fff6dd", "ecc98c", "c08a4a", "6b4523"),
    "neon": ("12002b", "5b00b8", "ff1fa3", "28f0ff"),
    "stone": ("eeeeea", "b8b8b0", "75756e", "2d2d2a"),
}
PALETTE_NAMES = tuple(_PALETTES)


def palette(name: str) -> Palette:
    """Make a ramp of 256 colours ``uint8 [256, 3]`` through the four of that name."""
    stops = np.array([list(bytes.fromhex(colour)) for colour in _PALETTES[name]], dtype=float)
    places = np.linspace(0, len(stops) - 1, 256)
    channels = [np.interp(places, np.arange(len(stops)), stops[:, i]) for i in range(3)]
    return np.asarray(np.rint(np.stack(channels, axis=1)), dtype=np.uint8)


def painter(kind: str, width: int, height: int, rng: np.random.Generator) -> Painter:
    """Make a shot's painter: seconds since its start to a field ``uint8 [height, width]``."""
    return _KINDS[kind](width, height, rng)


def texture(width: int, height: int, rng: np.random.Generator, *, coarse: int = 4) -> Field:
    """Smooth noise over the whole range 0-255: octaves of random grids, enlarged and summed."""
    total = np.zeros((height, width))
    for octave in range(4):
        cells = coarse * 2**octave
        grid = rng.random((max(2, cells * height // width), cells)).astype(np.float32)
        image = Image.fromarray(grid).resize((width, height), Image.Resampling.BICUBIC)
        total += np.asarray(image) / 2**octave
    total -= total.min()
    return np.asarray(total * (255 / total.max()), dtype=np.uint8)


def _axes(width: int, height: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give x from the left and y from the middle, in units of the height."""
    x = np.arange(width, dtype=np.float32)[None, :] / height
    y = (np.arange(height, dtype=np.float32)[:, None] - height / 2) / height
    return x.astype(np.float32), y.astype(np.float32)


def _clouds(width: int, height: int, rng: np.random.Generator) -> Painter:
    """Pan over a large texture."""
    big = texture(2 * width, 2 * height, rng, coarse=8)
    direction = rng.choice([-1, 1], 2)
    speed = rng.uniform(25, 60, 2) * direction

    def paint(t: float) -> Field:
        x, y = (int(v) for v in np.rint(speed * t))
        rows, columns = _fold(height, 2 * height, y), _fold(width, 2 * width, x)
        return big[rows[:, None], columns[None, :]]

    return paint


def _fold(count: int, size: int, shift: int) -> NDArray[np.int64]:
    """Take `count` indices from `shift`, mirrored at the borders so that a pan never jumps."""
    places = (np.arange(count) + shift + size // 4) % (2 * size)
    return np.where(places < size, places, 2 * size - 1 - places)


def _zoom(width: int, height: int, rng: np.random.Generator) -> Painter:
    """Zoom slowly into a large texture."""
    big = texture(2 * width, 2 * height, rng, coarse=10)
    inward = bool(rng.integers(2))

    def paint(t: float) -> Field:
        scale = 1.9 / (1 + 0.14 * t) if inward else 1 + 0.14 * min(t, 6.5)
        rows = height + np.rint((np.arange(height) - height / 2) * scale).astype(int)
        columns = width + np.rint((np.arange(width) - width / 2) * scale).astype(int)
        inside = np.ix_(rows.clip(0, 2 * height - 1), columns.clip(0, 2 * width - 1))
        return np.asarray(big[inside], dtype=np.uint8)

    return paint


def _discs(width: int, height: int, rng: np.random.Generator) -> Painter:
    """Balls that travel over a graded ground."""
    x, y = _axes(width, height)
    aspect = width / height
    ground = (40 + 70 * (y + 0.5) + 0 * x).astype(np.uint8)
    radii, shades = rng.uniform(0.06, 0.2, 6), rng.integers(130, 256, 6)
    phases, rates = rng.uniform(0, 2 * np.pi, (6, 2)), rng.uniform(0.3, 0.9, (6, 2))

    def paint(t: float) -> Field:
        field = ground.copy()
        for radius, shade, phase, rate in zip(radii, shades, phases, rates, strict=True):
            cx, cy = 0.5 + 0.5 * np.sin(phase + rate * t)
            distance = (x - np.float32(cx * aspect)) ** 2 + (y - np.float32(cy - 0.5)) ** 2
            inside = distance < radius**2
            shadow = (distance[inside] / radius**2 * 60).astype(np.uint8)
            field[inside] = np.uint8(shade) - shadow
        return field

    return paint


def _rings(width: int, height: int, rng: np.random.Generator) -> Painter:
    """Rings that grow out of a point."""
    x, y = _axes(width, height)
    cx, cy = rng.uniform(0.3, 0.7) * width / height, rng.uniform(-0.2, 0.2)
    radius = np.sqrt((x - np.float32(cx)) ** 2 + (y - np.float32(cy)) ** 2) * rng.uniform(18, 30)
    speed = rng.uniform(1.5, 3.0)

    def paint(t: float) -> Field:
        return (127.5 + 120 * np.sin(radius - np.float32(speed * t))).astype(np.uint8)

    return paint


def _stripes(width: int, height: int, rng: np.random.Generator) -> Painter:
    """Turn a grating slowly."""
    x, y = _axes(width, height)
    x = x - np.float32(width / height / 2)
    start, turn, fine = rng.uniform(0, np.pi), rng.uniform(0.05, 0.12), rng.uniform(10, 18)

    def paint(t: float) -> Field:
        angle = start + turn * t
        along = x * np.float32(fine * np.cos(angle)) + y * np.float32(fine * np.sin(angle))
        return (127.5 + 110 * np.sin(along - np.float32(1.2 * t))).astype(np.uint8)

    return paint


def _hills(width: int, height: int, rng: np.random.Generator) -> Painter:
    """Ranges of hills that pass at different speeds under a sky."""
    _, y = _axes(width, height)
    sky = np.repeat((235 - 70 * (y + 0.5)).astype(np.uint8), width, axis=1)
    places = np.arange(width)
    ranges = []
    for layer in range(4):
        waves = rng.uniform(0.006, 0.035, 3), rng.uniform(0, 6.3, 3)
        ranges.append((waves, 0.42 + 0.14 * layer, 150 - 45 * layer, 20.0 + 30.0 * layer))

    def paint(t: float) -> Field:
        field = sky.copy()
        for (rates, phases), level, shade, speed in ranges:
            along = places + speed * t
            ridge = sum(np.sin(r * along + p) for r, p in zip(rates, phases, strict=True)) / 28
            field[y + 0.5 > np.float32(level) + ridge[None, :].astype(np.float32)] = shade
        return field

    return paint


def _city(width: int, height: int, rng: np.random.Generator) -> Painter:
    """Draw a row of towers with lit windows; the camera travels past."""
    wide = 4 * width
    street = np.repeat(np.linspace(20, 90, height, dtype=np.uint8)[:, None], wide, axis=1)
    left = 0
    while left < wide:
        breadth, top = int(rng.integers(24, 60)), int(rng.uniform(0.2, 0.7) * height)
        street[top:, left : left + breadth] = rng.integers(95, 150)
        for row in range(top + 5, height - 6, 12):
            for column in range(left + 4, min(left + breadth - 5, wide), 9):
                street[row : row + 6, column : column + 5] = rng.choice([70, 120, 240])
        left += breadth + int(rng.integers(2, 14))
    speed = rng.uniform(18, 34)

    def paint(t: float) -> Field:
        start = round(speed * t)
        return street[:, start : start + width]

    return paint


def _sparks(width: int, height: int, rng: np.random.Generator) -> Painter:
    """Specks that rise past a dim texture, the nearer the faster."""
    ground = texture(width, height, rng) // 3
    count = 140
    xs, ys = rng.integers(0, width - 3, count), rng.uniform(0, height, count)
    depth, shades = rng.uniform(0.3, 1.0, count), rng.integers(150, 256, count)

    def paint(t: float) -> Field:
        field = ground.copy()
        rows = ((ys - 40 * depth * t) % (height - 3)).astype(int)
        for dy in range(3):
            for dx in range(3):
                field[rows + dy, xs + dx] = shades
        return field

    return paint


_KINDS: dict[str, Callable[[int, int, np.random.Generator], Painter]] = {
    "hills": _hills,
    "rings": _rings,
    "clouds": _clouds,
    "city": _city,
    "discs": _discs,
    "zoom": _zoom,
    "stripes": _stripes,
    "sparks": _sparks,
}
KINDS = tuple(_KINDS)
