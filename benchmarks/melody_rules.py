"""How well each melody rule finds POP909's MELODY track in the mixture of its piano.

    python benchmarks/melody_rules.py POP909 [COUNT]             as they are, and changed
    python benchmarks/melody_rules.py POP909 COUNT transcribed   20 s each, played, transcribed
    python benchmarks/melody_rules.py scores                     keyboard pieces and chorales

On songs that the model did not learn from. Prints note F1 (micro) on the 16th grid of the file's
beats: a note is right where its onset step and its pitch are. Scores are those of music21's
corpus; the highest notes of the upper staff, or of the soprano, are taken as their melody.
"""

import sys
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from melody_changes import DISTURBANCES, TEXTURES, Song, excerpt, new_setting, read_song
from train_melody import SEED, SONGS

from symmv_builder.music.melody import split_parts
from symmv_builder.music.rhythm import quantise
from symmv_builder.records import GridNotes

RULES = ("learned", "sustained", "skyline")
EXCERPT_S = 20.0
KEYBOARD = (
    "mozart/k545/movement1_exposition", "schumann_clara/polonaise_op1n1",
    "schumann_clara/polonaise_op1n2", "schumann_clara/polonaise_op1n3",
    "schumann_clara/polonaise_op1n4", "chopin/mazurka06-2", "joplin/maple_leaf_rag",
    "cpebach/h186",
)  # fmt: skip
CHORALES = ("bach/bwv10.7", "bach/bwv101.7", "bach/bwv102.7", "bach/bwv103.6", "bach/bwv108.6")
# The grid of a mixture, and the places (step * 128 + pitch) of its melody.
Case = tuple[GridNotes, set[int]]


def held_out(folder: Path) -> list[str]:
    """The songs of the folder that the model did not learn from."""
    names = set(SONGS.read_text().split())
    return sorted(path.name for path in folder.iterdir() if path.name not in names)


def places(grid: GridNotes) -> np.ndarray:
    return np.asarray(grid.onset_steps * 128 + grid.pitches)


def case_of(song: Song) -> Case:
    grid, truth = song.grid()
    return grid, set(places(grid)[truth].tolist())


def measure(cases: Iterable[Case]) -> tuple[dict[str, float], float]:
    """F1 of each rule over all cases, and how many the learned rule does in a second of CPU."""
    right, picks = dict.fromkeys(RULES, 0), dict.fromkeys(RULES, 0)
    melody_notes, spent, count = 0, 0.0, 0
    for grid, melody in cases:
        melody_notes, count = melody_notes + len(melody), count + 1
        for rule in RULES:
            begin = time.process_time()
            is_melody = split_parts(grid, rule=rule).is_melody  # type: ignore[arg-type]
            spent += (time.process_time() - begin) * (rule == "learned")
            melody_places = places(grid)[is_melody].tolist()
            right[rule] += len(melody.intersection(melody_places))
            picks[rule] += len(melody_places)
    return {r: 2 * right[r] / (picks[r] + melody_notes) for r in RULES}, count / spent


def score_case(work: str) -> Case:
    """A score of music21's corpus at 100 beats a minute, and the top of its first staff."""
    from music21 import corpus

    rows: dict[tuple[int, int], int] = {}
    tops: dict[int, int] = {}
    for staff, part in enumerate(corpus.parse(work).parts):
        for note in part.stripTies().flatten().notes:
            onset = round(float(note.offset) * 4)
            steps = max(1, round(float(note.quarterLength) * 4))
            for pitch in (each.midi for each in note.pitches):
                rows[onset, pitch] = max(steps, rows.get((onset, pitch), 0))
                if staff == 0:
                    tops[onset] = max(pitch, tops.get(onset, 0))
    onsets, pitches, steps = np.array([(*place, rows[place]) for place in sorted(rows)]).T
    starts, ends = onsets * 0.15, (onsets + steps) * 0.15
    grid = GridNotes(starts, ends, pitches, np.full(len(rows), 64), onsets, steps)
    return grid, {onset * 128 + pitch for onset, pitch in tops.items()}


def transcribed(song: Song) -> Case:
    """The song as transkun hears it played, and its true melody."""
    from symmv_builder.backends import ModelHome, sampler
    from symmv_builder.backends.transkun import Transkun

    model = Transkun(ModelHome())
    transcript = model.transcribe(sampler.render(song.notes(), rate_hz=model.rate_hz))
    return quantise(transcript, song.beats), case_of(song)[1]


def show(case: str, scores: dict[str, float], speed: float) -> None:
    print(f"{case:32s}" + "".join(f"{scores[rule]:11.3f}" for rule in RULES), end="")
    print(f"   learned: {speed:.0f} a second of CPU", flush=True)


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    heading = f"{'':32s}" + "".join(f"{rule:>11s}" for rule in RULES)
    if sys.argv[1] == "scores":
        print(heading)
        for work in (*KEYBOARD, *CHORALES):
            show(work, *measure([score_case(work)]))
        show("keyboard pieces", *measure(map(score_case, KEYBOARD)))
        show("chorales", *measure(map(score_case, CHORALES)))
        return
    folder = Path(sys.argv[1])
    numbers = held_out(folder)[: int(sys.argv[2]) if len(sys.argv) > 2 else None]
    print(f"{len(numbers)} songs held out\n{heading}")
    songs = [read_song(folder, number) for number in numbers]
    if "transcribed" in sys.argv[3:]:
        excerpts = [excerpt(song, len(song.beats.times_s) // 8 * 4, EXCERPT_S) for song in songs]
        show("excerpts", *measure(map(case_of, excerpts)))
        show("transcribed", *measure(map(transcribed, excerpts)))
        return
    show("as it is", *measure(map(case_of, songs)))
    bridged = (read_song(folder, number, bridge=True) for number in numbers)
    show("with BRIDGE", *measure(map(case_of, bridged)))
    for change in dict.fromkeys((*DISTURBANCES.values(), *TEXTURES, new_setting)):
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
