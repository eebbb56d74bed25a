"""Reads a SoundFont 2 file: which recording a key of an instrument plays, and how.

The format is that of the SoundFont Technical Specification 2.04. A preset has zones, each with
an instrument; an instrument has zones, each with a sample. Generators of a zone replace those of
its global zone, and those of a preset's zone are added to those of the instrument's.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_INSTRUMENT, _KEYS, _VELOCITIES, _SAMPLE, _LOOP, _ROOT = 41, 43, 44, 53, 54, 58
# Those that a preset's zone cannot add to.
_NOT_ADDED = frozenset((0, 1, 2, 3, 4, 12, 45, 46, 47, 50, _KEYS, _VELOCITIES, _LOOP, 57, _ROOT))
_FILTER = 8
_DEFAULTS = {
    _FILTER: 13500, 56: 100, _ROOT: -1, **dict.fromkeys((25, 26, 27, 28, 30), -12000),
    **dict.fromkeys((33, 34, 35, 36, 38), -12000),
}  # fmt: skip
_EVERYTHING = (0, 127)
_COMPRESSED = 0x10

_BAG = np.dtype([("generators", "<u2"), ("modulators", "<u2")])
_GENERATOR = np.dtype([("kind", "<u2"), ("amount", "<i2")])
_PRESET = np.dtype(
    [("name", "S20"), ("preset", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("rest", "V12")]
)
_INSTRUMENTS = np.dtype([("name", "S20"), ("bag", "<u2")])
_SAMPLES = np.dtype(
    [
        *(("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4")),
        *(("loop_end", "<u4"), ("rate", "<u4"), ("key", "u1"), ("correction", "i1")),
        *(("link", "<u2"), ("type", "<u2")),
    ]
)
_TABLES = {
    "phdr": _PRESET, "pbag": _BAG, "pgen": _GENERATOR, "inst": _INSTRUMENTS, "ibag": _BAG,
    "igen": _GENERATOR, "shdr": _SAMPLES,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Envelope:
    """Lengths in seconds; `sustain` is a level of 0..1; hold and decay change with the key."""

    delay_s: float
    attack_s: float
    hold_s: float
    decay_s: float
    sustain: float
    release_s: float


@dataclass(frozen=True, slots=True)
class Region:
    """One recording and how it is played for a range of keys and velocities.

    Places in samples of the file: `start` and `end`, and the loop's first and last sample. Pitch
    in semitones, levels in dB, cutoffs in cents above 8.176 Hz.
    """

    keys: tuple[int, int]
    velocities: tuple[int, int]
    start: int
    end: int
    loop: tuple[int, int] | None
    loops_after_release: bool
    rate_hz: int
    root: float
    tune: float
    key_tracking: float
    attenuation_db: float
    pan: float
    cutoff_cents: float
    resonance_db: float
    sweep_cents: float
    volume: Mapping[int, float]
    modulation: Mapping[int, float]

    def fits(self, key: int, velocity: int) -> bool:
        """Check whether a note of this key and velocity sounds here."""
        return (
            self.keys[0] <= key <= self.keys[1]
            and self.velocities[0] <= velocity <= self.velocities[1]
        )

    def loudness(self, key: int) -> Envelope:
        """Give the envelope of the volume; its sustain is a gain."""
        return _envelope(self.volume, 33, key, 10 ** (-self.volume[37] / 200))

    def sweep(self, key: int) -> Envelope:
        """Give the envelope that moves the cutoff."""
        return _envelope(self.modulation, 25, key, 1 - min(self.modulation[29], 1000) / 1000)


@dataclass(frozen=True, slots=True)
class SampledInstrument:
    """The samples of a file, in -1..1, and the regions of one of its instruments."""

    samples: NDArray[np.float32]
    regions: tuple[Region, ...]


@lru_cache(maxsize=2)
def read_soundfont(path: Path, program: int, modified_ns: int) -> SampledInstrument:
    """Read the instrument of a General MIDI program (bank 0, else the first bank that has it).

    `modified_ns` is the file's time: another file of the same name is read anew. `ValueError`
    where the file is no SoundFont 2, or has no such instrument.
    """
    data = path.read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"sfbk":
        raise ValueError("it is no SoundFont 2 file")
    chunks = dict(_chunks(data))
    if missing := sorted({"smpl", *_TABLES} - set(chunks)):
        raise ValueError(f"it lacks {', '.join(missing)}")
    samples = np.frombuffer(chunks["smpl"][: len(chunks["smpl"]) // 2 * 2], "<i2")
    tables = {name: _table(chunks[name], kind) for name, kind in _TABLES.items()}
    try:
        regions = tuple(_regions(tables, program, len(samples)))
    except IndexError as error:
        raise ValueError("its tables contradict each other") from error
    if not regions:
        raise ValueError(f"it has no instrument for program {program}")
    return SampledInstrument(samples.astype(np.float32) / np.float32(32767), regions)


def _chunks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Iterate over name and content of every chunk, those in lists too."""
    places = [(12, len(data))]
    while places:
        place, end = places.pop()
        while place + 8 <= end:
            name, size = struct.unpack_from("<4sI", data, place)
            place += 8
            if name == b"LIST":
                places.append((place + 4, min(place + size, end)))
            else:
                yield name.decode("latin-1"), data[place : min(place + size, end)]
            place += size + size % 2


def _table(data: bytes, kind: Any) -> Any:
    return np.frombuffer(data[: len(data) // kind.itemsize * kind.itemsize], kind)


def _regions(tables: Mapping[str, Any], program: int, count: int) -> Iterator[Region]:
    """List the regions of a program, instrument by instrument."""
    presets = tables["phdr"][:-1]
    fitting = np.flatnonzero(presets["preset"] == program)
    if not len(fitting):
        return
    row = int(min(fitting, key=lambda number: presets["bank"][number]))
    bags = range(tables["phdr"]["bag"][row], tables["phdr"]["bag"][row + 1])
    for added in _zones(tables["pbag"], tables["pgen"], bags, _INSTRUMENT):
        place = added[_INSTRUMENT] & 0xFFFF
        bags = range(tables["inst"]["bag"][place], tables["inst"]["bag"][place + 1])
        for zone in _zones(tables["ibag"], tables["igen"], bags, _SAMPLE):
            keys = _overlap(_range(zone, _KEYS), _range(added, _KEYS))
            velocities = _overlap(_range(zone, _VELOCITIES), _range(added, _VELOCITIES))
            if keys[0] <= keys[1] and velocities[0] <= velocities[1]:
                values = {**_DEFAULTS, **zone}
                for kind, amount in added.items():
                    if kind not in _NOT_ADDED:
                        values[kind] = values.get(kind, 0) + amount
                sample = tables["shdr"][zone[_SAMPLE] & 0xFFFF]
                yield _region(values, sample, keys, velocities, count)


def _zones(bags: Any, generators: Any, which: range, last: int) -> Iterator[dict[int, int]]:
    """List the generators of each zone, on top of those of the global zone; `last` ends a zone."""
    common: dict[int, int] = {}
    for number in which:
        rows = generators[bags["generators"][number] : bags["generators"][number + 1]]
        zone = {**common, **dict(zip(rows["kind"].tolist(), rows["amount"].tolist(), strict=True))}
        if last in zone:
            yield zone
        elif number == which.start:
            common = zone


def _region(
    values: Mapping[int, int],
    sample: Any,
    keys: tuple[int, int],
    velocities: tuple[int, int],
    count: int,
) -> Region:
    def offset(fine: int, coarse: int) -> int:
        return values.get(fine, 0) + (values.get(coarse, 0) << 15)

    if int(sample["type"]) & _COMPRESSED:
        raise ValueError("its samples are compressed (SoundFont 3)")
    start, end = int(sample["start"]) + offset(0, 4), int(sample["end"]) + offset(1, 12)
    loop = int(sample["loop_start"]) + offset(2, 45), int(sample["loop_end"]) + offset(3, 50) - 1
    end = min(end, count - 1)
    if not 0 <= start < end or not int(sample["rate"]):
        raise ValueError("a sample of it ends before it begins")
    mode = values.get(_LOOP, 0) & 3
    loops = mode in (1, 3) and start <= loop[0] < loop[1] < count - 1
    root = values[_ROOT] if values[_ROOT] >= 0 else int(sample["key"])
    return Region(
        keys=keys,
        velocities=velocities,
        start=start,
        end=end,
        loop=loop if loops else None,
        loops_after_release=mode == 1,
        rate_hz=int(sample["rate"]),
        root=root,
        tune=values.get(51, 0) + (values.get(52, 0) + int(sample["correction"])) / 100,
        key_tracking=values[56] / 100,
        attenuation_db=min(max(values.get(48, 0), 0), 1440) / 10,
        pan=min(max(values.get(17, 0), -500), 500) / 1000,
        cutoff_cents=min(max(values[_FILTER], 1500), 13500),
        resonance_db=min(max(values.get(9, 0), 0), 960) / 10,
        sweep_cents=values.get(11, 0),
        volume={kind: values.get(kind, 0) for kind in range(33, 41)},
        modulation={kind: values.get(kind, 0) for kind in range(25, 33)},
    )


def _range(zone: Mapping[int, int], kind: int) -> tuple[int, int]:
    if kind not in zone:
        return _EVERYTHING
    return zone[kind] & 0xFF, zone[kind] >> 8 & 0xFF


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    return max(one[0], other[0]), min(one[1], other[1])


def _envelope(values: Mapping[int, float], first: int, key: int, sustain: float) -> Envelope:
    """Make an envelope of its eight generators, of which the last two are per key."""
    delay, attack, hold, decay, _, release, to_hold, to_decay = (
        values[first + number] for number in range(8)
    )
    hold, decay = hold + to_hold * (60 - key), decay + to_decay * (60 - key)
    return Envelope(
        delay_s=_seconds(delay),
        attack_s=_seconds(attack),
        hold_s=_seconds(hold),
        decay_s=_seconds(decay),
        sustain=sustain,
        release_s=_seconds(release),
    )


def _seconds(timecents: float) -> float:
    """Seconds; the specification's shortest time is none."""
    return 0.0 if timecents <= -12000 else float(2 ** (min(timecents, 8000) / 1200))
