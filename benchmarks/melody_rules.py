"""How well each melody rule finds POP909's MELODY track in the mixture of its piano.

    python benchmarks/melody_rules.py POP909 [COUNT]             as they are, and changed
    python benchmarks/melody_rules.py POP909 COUNT transcribed   20 s each, played, transcribed

On songs that the model did not learn from. Prints note F1 (micro) on the 16th grid of the file's
beats: a note is right where its onset step and its pitch are.
"""

import sys
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from train_melody import DISTURBANCES, SEED, SONGS, TEXTURES, Song, read_song

from symmv_builder.music.melody import split_parts
from symmv_builder.music.rhythm import quantise
from symmv_builder.records import Beats, GridNotes

RULES = ("learned", "sustained", "skyline")
EXCERPT_S = 20.0
# The grid of a mixture, and the places (step * 128 + pitch) of its melody.
Case = tuple[GridNotes, set[int]]


def held_out(folder: Path) -> list[str]:
    """The songs of the folder that the model did not learn from."""
    known = set(SONGS.read_text().split())
    return sorted(path.name for path in folder.iterdir() if path.name not in known)


def places(grid: GridNotes) -> np.ndarray:
    return np.asarray(grid.onset_steps * 128 + grid.pitches)


def case_of(song: Song) -> Case:
    grid, truth = song.grid()
    return grid, set(places(grid)[truth].tolist())


def measure(cases: Iterable[Case]) -> tuple[dict[str, float], float]:
    """F1 of each rule over all cases, and how many the learned rule does in a second of CPU."""
    right, chosen = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0)
    wanted, spent, count = 0, 0.0, 0
    for grid, melody in cases:
        wanted, count = wanted + len(melody), count + 1
        for rule in RULES:
            begin = time.process_time()
            is_melody = split_parts(grid, rule=rule).is_melody  # type: ignore[arg-type]
            spent += (time.process_time() - begin) * (rule == "learned")
            found = places(grid)[is_melody].tolist()
            right[rule] += len(melody.intersection(found))
            chosen[rule] += len(found)
    return {r: 2 * right[r] / (chosen[r] + wanted) for r in RULES}, count / spent


def excerpt(song: Song) -> Song:
    """The notes that begin in 20 s from the middle, with their beats, from time 0."""
    first = float(song.beats.times_s[len(song.beats.times_s) // 8 * 4])
    inside = (song.starts >= first) & (song.starts < first + EXCERPT_S)
    beats = song.beats.times_s >= first
    return replace(
        song,
        starts=song.starts[inside] - first,
        ends=np.minimum(song.ends[inside] - first, EXCERPT_S + 1),
        pitches=song.pitches[inside],
        is_melody=song.is_melody[inside],
        beats=Beats(song.beats.times_s[beats] - first, song.beats.positions[beats]),
    )


def transcribed(song: Song) -> Case:
    """The song as transkun hears it played, and its true melody."""
    from symmv_builder.backends import ModelHome, tinysoundfont
    from symmv_builder.backends.transkun import Transkun

    model = Transkun(ModelHome())
    heard = model.transcribe(tinysoundfont.render(song.notes(), rate_hz=model.rate_hz))
    return quantise(heard, song.beats), case_of(song)[1]


def show(case: str, scores: dict[str, float], speed: float) -> None:
    print(f"{case:16s}" + "".join(f"{scores[rule]:11.3f}" for rule in RULES), end="")
    print(f"   learned: {speed:.0f} a second of CPU", flush=True)


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    numbers = held_out(folder)[: int(sys.argv[2]) if len(sys.argv) > 2 else None]
    print(f"{len(numbers)} songs held out\n{'':16s}" + "".join(f"{rule:>11s}" for rule in RULES))
    songs = [read_song(folder, number) for number in numbers]
    if "transcribed" in sys.argv[3:]:
        excerpts = [excerpt(song) for song in songs]
        show("excerpts", *measure(map(case_of, excerpts)))
        show("transcribed", *measure(map(transcribed, excerpts)))
        return
    show("as it is", *measure(map(case_of, songs)))
    for change in dict.fromkeys((*DISTURBANCES.values(), *TEXTURES)):
        random = np.random.default_rng(SEED + 1)
        show(change.__name__, *measure(case_of(change(song, random)) for song in songs))
    random = np.random.default_rng(SEED + 1)
    show("all at once", *measure(case_of(_all(song, random)) for song in songs))


def _all(song: Song, random: np.random.Generator) -> Song:
    for change in DISTURBANCES.values():
        song = change(song, random)
    return song


if __name__ == "__main__":
    main()
