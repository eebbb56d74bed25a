"""How well the screens tell right from wrong, on tables whose labels are known.

    python benchmarks/screening.py FOLDER [SONGS]

FOLDER holds MIDI files (POP909's or SymMV's songs, at any depth). Each song is made into an
"official video": the upper voice sung by one instrument, the rest played by others, bass and
drums below, an introduction in front; and into a piano cover: transposed, 0.8 to 1.25 times as
fast and not evenly, notes missing, beginning and end left out. A cover with its own song is
a positive, with the songs beside it a negative; so are parts of the videos of 10 to 60 s.
"""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.midi import read_notes
from symmv_builder.backends.sampler import render
from symmv_builder.music.align import RATE_HZ, align_features, chroma_features
from symmv_builder.records import Alignment, Notes

HOP_S = 0.25
LEADS, PADS, BASSES = (52, 53, 54, 65, 71, 73, 80, 81), (48, 24, 25, 4, 16, 88, 50), (33, 38, 32)
NEIGHBOURS = (1, 3, 7)
EXCERPTS_S = (10.0, 20.0, 30.0, 60.0)
LIMITS = (0.1, 0.25, 0.5, 0.75, 0.9)


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """A song as a cover and as a video: features of both, and where the one is in the other."""

    name: str
    cover: NDArray[np.float32]
    video: NDArray[np.float32]
    shift: int
    song_s: NDArray[np.float64]
    cover_s: NDArray[np.float64]
    intro_s: float


def of(
    notes: Notes,
    mask: NDArray[np.bool_],
    starts: NDArray[np.float64],
    ends: NDArray[np.float64],
    pitches: NDArray[np.int64],
) -> Notes:
    """Some notes of a song at other times and pitches, in order."""
    mask = mask & (pitches >= 21) & (pitches <= 108)
    order = np.flatnonzero(mask)[np.lexsort((pitches[mask], starts[mask]))]
    ends = np.maximum(ends, starts + 0.02)
    return Notes(starts[order], ends[order], pitches[order], notes.velocities[order])


def make_pair(path: Path, seed: int) -> Pair:
    """The two recordings of a song as features, made by one seed."""
    rng = np.random.default_rng(seed)
    notes = read_notes(path)
    end_s = float(notes.ends_s.max())
    knots = np.linspace(0.0, end_s, 12)
    pace = rng.uniform(0.8, 1.25) * (1.0 + 0.05 * rng.normal(size=11).clip(-1, 1))
    played = np.concatenate([[0.0], np.cumsum(np.diff(knots) * pace)])
    first, last = rng.uniform(0, 0.12) * end_s, end_s * (1 - rng.uniform(0, 0.12))
    played += rng.uniform(0, 8) - np.interp(first, knots, played)
    mask = (notes.starts_s >= first) & (notes.starts_s < last)
    mask &= rng.random(len(notes.starts_s)) > 0.1
    shift = int(rng.integers(-5, 7))
    starts = np.interp(notes.starts_s, knots, played) + rng.normal(size=len(mask)) * 0.015
    ends = np.interp(notes.ends_s, knots, played)
    cover = of(notes, mask, starts.clip(0), ends, notes.pitches + shift)
    intro_s = float(rng.uniform(0, 20))
    return Pair(
        name=path.stem,
        cover=features(sound(cover, 0)),
        video=features(official(notes, intro_s, rng)),
        shift=shift,
        song_s=knots,
        cover_s=played,
        intro_s=intro_s,
    )


def sound(notes: Notes, program: int) -> NDArray[np.float32]:
    return np.asarray(render(notes, rate_hz=RATE_HZ, program=program).mean(axis=1))


def features(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    return chroma_features(samples.astype(np.float32), hop_s=HOP_S)


def official(notes: Notes, intro_s: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """A band: lead, pad, bass an octave down, drums that have nothing to do with the notes."""
    starts, ends, high = notes.starts_s + intro_s, notes.ends_s + intro_s, notes.pitches >= 65
    low = notes.pitches < 55
    parts = [
        (of(notes, high, starts, ends, notes.pitches), rng.choice(LEADS), 1.0),
        (of(notes, ~high, starts, ends, notes.pitches), rng.choice(PADS), rng.uniform(0.5, 1.0)),
        (of(notes, low, starts, ends, notes.pitches - 12), rng.choice(BASSES), 0.6),
    ]
    voices = [gain * sound(part, int(program)) for part, program, gain in parts]
    mixed = np.zeros(max(map(len, voices)))
    for voice in voices:
        mixed[: len(voice)] += voice
    return (mixed + rng.uniform(0.3, 1.0) * drums(len(mixed), rng)).astype(np.float32)


def drums(length: int, rng: np.random.Generator) -> NDArray[np.float64]:
    beat, mixed = RATE_HZ * 30 // int(rng.uniform(80, 140)), np.zeros(length)
    size = RATE_HZ // 5
    time_s = np.arange(size) / RATE_HZ
    sweep = 2 * np.pi * (50 + 60 * np.exp(-40 * time_s)) * time_s
    kick = 0.7 * np.sin(sweep) * np.exp(-15 * time_s)
    for number, start in enumerate(range(0, length - size, beat)):
        hit = 0.15 * rng.normal(size=size) * np.exp(-40 * time_s)
        hit += kick if number % 4 == 0 else 0.0
        hit += 0.3 * rng.normal(size=size) * np.exp(-18 * time_s) if number % 4 == 2 else 0.0
        mixed[start : start + size] += hit
    return mixed


def error_s(alignment: Alignment, pair: Pair) -> float:
    """Median distance of the map's points from where the song really is."""
    song_s = np.interp(alignment.music_s, pair.cover_s, pair.song_s)
    return float(np.median(np.abs(alignment.video_s - song_s - pair.intro_s)))


def print_table(right: list[float], wrong: list[float], what: str) -> None:
    print(f"\n{what}: {len(right)} positives, {len(wrong)} negatives")
    print(f"  lowest positive {min(right):.3f}, highest negative {max(wrong):.3f}")
    for limit in LIMITS:
        hits, false = sum(c >= limit for c in right), sum(c >= limit for c in wrong)
        precision, recall = hits / max(1, hits + false), hits / len(right)
        print(f"  confidence >= {limit:4.2f}  precision {precision:.3f}  recall {recall:.3f}")


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    paths = sorted(Path(sys.argv[1]).rglob("*.mid"))
    paths = paths[: int(sys.argv[2]) if len(sys.argv) > 2 else len(paths)]
    pairs = [make_pair(path, seed) for seed, path in enumerate(paths)]
    right: list[float] = []
    wrong: list[float] = []
    errors, turned = [], 0
    for number, pair in enumerate(pairs):
        alignment = align_features(pair.cover, pair.video, hop_s=HOP_S)
        right.append(alignment.confidence)
        turned += alignment.shift_semitones == pair.shift
        errors.append(error_s(alignment, pair))
        for step in NEIGHBOURS:
            other = pairs[(number + step) % len(pairs)]
            wrong.append(align_features(pair.cover, other.video, hop_s=HOP_S).confidence)
    print_table(right, wrong, "whole songs")
    print(f"  transposition right in {turned} of {len(pairs)}")
    print(f"  median error: median {np.median(errors):.3f} s, worst song {max(errors):.3f} s")
    for length_s in EXCERPTS_S:
        print_table(*excerpts(pairs, length_s), f"{length_s:.0f} s of the video")


def excerpts(pairs: list[Pair], length_s: float) -> tuple[list[float], list[float]]:
    """Confidences of covers with a part of their own video, and with one of another."""
    size = round(length_s / HOP_S)
    right: list[float] = []
    wrong: list[float] = []
    for number, pair in enumerate(pairs):
        for step in (0, 1):
            video = pairs[(number + step) % len(pairs)].video
            part = video[len(video) // 2 - size // 2 :][:size]
            alignment = align_features(pair.cover, part, hop_s=HOP_S)
            (wrong if step else right).append(alignment.confidence)
    return right, wrong


if __name__ == "__main__":
    main()
