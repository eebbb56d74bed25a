"""Train the melody model of the package.

    python benchmarks/train_melody.py POP909 [WEIGHTS]     (needs catboost 1.2.10)

`melody_songs.txt` lists the songs that it learns from, each as it is, disturbed, and in another
texture; `melody_rules.py` judges on the others. One seed and no sampling: the same songs make the
same bytes, whatever the number of threads.
"""

import json
import sys
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import midi
from symmv_builder.music.melody.features import note_features
from symmv_builder.music.rhythm import quantise
from symmv_builder.records import Beats, GridNotes, Notes

SEED = 909
SONGS = Path(__file__).with_name("melody_songs.txt")
WEIGHTS = Path(__file__).parents[1] / "symmv_builder/music/melody/weights.npz"


@dataclass(frozen=True, slots=True)
class Song:
    """Notes ``[n]`` of melody and piano on the file's beats."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    pitches: NDArray[np.int64]
    is_melody: NDArray[np.bool_]
    beats: Beats

    def grid(self) -> tuple[GridNotes, NDArray[np.bool_]]:
        """The mixture on the grid, and which of its notes the melody has."""
        grid = quantise(self.notes(), self.beats)
        melody = quantise(self.notes(self.is_melody), self.beats)
        places = (each.onset_steps * 128 + each.pitches for each in (grid, melody))
        return grid, np.isin(*places)

    def notes(self, kept: NDArray[np.bool_] | slice = slice(None)) -> Notes:
        order = np.lexsort((self.pitches[kept], self.starts[kept]))
        starts, ends, pitches = (a[kept][order] for a in (self.starts, self.ends, self.pitches))
        return Notes(starts, ends, pitches, np.full(len(starts), 64))


def read_song(folder: Path, number: str) -> Song:
    """MELODY and PIANO of a song of POP909; BRIDGE, a second melody, is in neither part."""
    path = folder / number / f"{number}.mid"
    tracks = [(name.strip(), notes) for name, notes in midi.read_tracks(path)]
    tracks = [track for track in tracks if track[0] in ("MELODY", "PIANO")]
    return Song(
        *(np.concatenate([getattr(n, f) for _, n in tracks])
          for f in ("starts_s", "ends_s", "pitches")),
        np.concatenate([np.full(len(n.pitches), name == "MELODY") for name, n in tracks]),
        midi.read_beats(path),
    )  # fmt: skip


def pedal(song: Song, random: np.random.Generator) -> Song:
    """Notes ring to the next change of the pedal, every two or four beats."""
    changes = song.beats.times_s[:: int(random.choice([2, 4]))]
    place = np.searchsorted(changes, song.starts + 0.05)
    until = np.append(changes, np.inf)[place]
    return replace(song, ends=np.where(np.isfinite(until), np.maximum(song.ends, until), song.ends))


def jitter(song: Song, random: np.random.Generator) -> Song:
    """Starts and ends move by a normal error of 10 to 40 ms."""
    scale = random.uniform(0.01, 0.04)
    starts = np.maximum(song.starts + random.normal(0, scale, len(song.starts)), 0)
    ends = np.maximum(song.ends + random.normal(0, scale, len(song.ends)), starts + 0.02)
    return replace(song, starts=starts, ends=ends)


def missing(song: Song, random: np.random.Generator) -> Song:
    """One note of ten is gone."""
    return _only(song, random.random(len(song.starts)) >= 0.1)


def _only(song: Song, kept: NDArray[np.bool_]) -> Song:
    fields = ("starts", "ends", "pitches", "is_melody")
    return replace(song, **{name: getattr(song, name)[kept] for name in fields})


def octaves(song: Song, random: np.random.Generator) -> Song:
    """One note of ten is an octave off, or the accompaniment doubles the melody an octave below."""
    if random.random() < 0.5:
        off = (random.random(len(song.pitches)) < 0.1) * random.choice([-12, 12], len(song.pitches))
        return replace(song, pitches=(song.pitches + off).clip(21, 108))
    doubled = song.is_melody
    return replace(
        song,
        starts=np.append(song.starts, song.starts[doubled]),
        ends=np.append(song.ends, song.ends[doubled]),
        pitches=np.append(song.pitches, (song.pitches[doubled] - 12).clip(21)),
        is_melody=np.append(song.is_melody, np.zeros(int(doubled.sum()), dtype=np.bool_)),
    )


def transposition(song: Song, random: np.random.Generator) -> Song:
    """All notes move by up to seven semitones."""
    return replace(song, pitches=(song.pitches + int(random.integers(-7, 8))).clip(0, 127))


def tempo_level(song: Song, random: np.random.Generator) -> Song:
    """Beats at double or half tempo, or from another beat of the bar."""
    times, kind = song.beats.times_s, int(random.integers(3))
    if kind == 0:
        times = np.interp(np.arange(2 * len(times) - 1) / 2, np.arange(len(times)), times)
    if kind == 1:
        times = times[int(random.integers(2)) :: 2]
    first = int(random.integers(4))
    return replace(song, beats=Beats(times, (np.arange(len(times)) + first) % 4 + 1))


def tempo(song: Song, random: np.random.Generator) -> Song:
    """All is played at half to one and a half times its tempo."""
    scale = random.uniform(0.65, 2.0)
    beats = replace(song.beats, times_s=song.beats.times_s * scale)
    return replace(song, starts=song.starts * scale, ends=song.ends * scale, beats=beats)


def detached(song: Song, random: np.random.Generator) -> Song:
    """Melody and accompaniment each sound a part of their length, from a third on."""
    shares = random.uniform(0.35, 1.0, 2)[song.is_melody.astype(int)]
    return replace(song, ends=song.starts + shares * (song.ends - song.starts))


def thinned(song: Song, random: np.random.Generator) -> Song:
    """Of the accompaniment some of what lies under the melody is left: a tune in the right hand."""
    order = np.flatnonzero(song.is_melody)[np.argsort(song.starts[song.is_melody])]
    last = np.searchsorted(song.starts[order], song.starts + 1e-3) - 1
    under = song.pitches < song.pitches[order[last.clip(0)]]
    some = random.random(len(song.starts)) < random.uniform(0.3, 1.0)
    return _only(song, song.is_melody | (under & some))


def runs(song: Song, random: np.random.Generator) -> Song:
    """Some of the longer notes of the melody become runs of up to four notes to the next."""
    order = np.flatnonzero(song.is_melody)[np.argsort(song.starts[song.is_melody])]
    length = (song.ends - song.starts)[order]
    parts = np.where(random.random(len(order)) < random.uniform(0.2, 0.8), 4, 1)
    parts = np.clip(parts, 1, np.maximum(1, length // 0.1).astype(int))
    which = np.repeat(np.arange(len(order)), parts)
    step = np.arange(len(which)) - np.repeat(parts.cumsum() - parts, parts)
    goal = song.pitches[np.append(order[1:], order[-1])][which]
    pitch = song.pitches[order][which]
    share, part = step / parts[which], (length / parts)[which]
    starts = song.starts[order][which] + step * part
    rest = _only(song, ~song.is_melody)
    return replace(
        song,
        starts=np.append(rest.starts, starts),
        ends=np.append(rest.ends, starts + part),
        pitches=np.append(rest.pitches, np.rint(pitch + share * (goal - pitch)).astype(np.int64)),
        is_melody=np.append(rest.is_melody, np.ones(len(starts), dtype=np.bool_)),
    )


DISTURBANCES: dict[str, Callable[[Song, np.random.Generator], Song]] = {
    each.__name__: each for each in (tempo_level, transposition, octaves, missing, pedal, jitter)
}

# Other textures than those of pop songs, so that the model leans less on these.
TEXTURES: tuple[Callable[[Song, np.random.Generator], Song], ...] = (
    runs, thinned, tempo, detached, transposition,
)  # fmt: skip


def examples(folder: Path, number: str) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Features ``[n, f]`` and truth of a song, the same at every call.

    Three copies: as it is, disturbed, and in another texture.
    """
    random = np.random.default_rng([SEED, zlib.crc32(number.encode())])
    song = read_song(folder, number)
    disturbed = other = song
    for change in DISTURBANCES.values():
        if random.random() < 0.4:
            disturbed = change(disturbed, random)
    for change in TEXTURES:
        if random.random() < 0.6:
            other = change(other, random)
    grids = [each.grid() for each in (song, disturbed, other)]
    return (
        np.concatenate([note_features(grid).T for grid, _ in grids]),
        np.concatenate([truth for _, truth in grids]),
    )


def train(folder: Path, weights: Path) -> None:
    """Fit the trees and write them as arrays."""
    from catboost import CatBoostClassifier, Pool

    tables = [examples(folder, number) for number in SONGS.read_text().split()]
    table, truth = (np.concatenate(each) for each in zip(*tables, strict=True))
    print(f"{len(tables)} songs, {len(truth)} notes", flush=True)
    model = CatBoostClassifier(
        iterations=450, depth=7, learning_rate=0.15, border_count=64, random_seed=SEED,
        bootstrap_type="No", random_strength=0, thread_count=2, verbose=50,
        allow_writing_files=False,
    )  # fmt: skip
    model.fit(Pool(table, truth.astype(np.int64)))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.json"
        model.save_model(str(path), format="json")
        said = json.loads(path.read_text())
    trees = said["oblivious_trees"]
    scale, (bias,) = said["scale_and_bias"]
    np.savez(
        weights,
        features=np.array(
            [[s["float_feature_index"] for s in t["splits"]] for t in trees], np.uint8
        ),
        borders=np.array([[s["border"] for s in t["splits"]] for t in trees], np.float32),
        leaves=np.array([t["leaf_values"] for t in trees], np.float32) * np.float32(scale),
        bias=np.float64(bias),
    )
    print(f"{weights}: {weights.stat().st_size} bytes")


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    train(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else WEIGHTS)


if __name__ == "__main__":
    main()
