"""How well symbolic chords agree with POP909's annotation, on songs that nothing was tuned on.

    python benchmarks/chords.py FOLDER [MODEL ...]     (a folder of POP909 songs)

The constants of `symmv_builder.backends.chord_templates` were chosen on the songs whose
number's sha256 begins with an even byte; this measures the others, with the published beats.
Prints mean scores of mir_eval over songs, and songs a second.
"""

import hashlib
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

from symmv_builder.backends import ModelHome, load, midi, names
from symmv_builder.datasets.annotations import harte_label, read_labels
from symmv_builder.datasets.imports.importers.pop909 import positions_in_bar
from symmv_builder.evaluation.accuracy import chord_scores
from symmv_builder.music.chords import name_chords
from symmv_builder.records import Beats


def is_held_out(song: str) -> bool:
    return hashlib.sha256(song.encode()).digest()[0] % 2 == 1


def beats_of(folder: Path) -> Beats | None:
    """The published beats of the MIDI file; `None` where no downbeat is marked."""
    table = np.loadtxt(folder / "beat_midi.txt", ndmin=2)
    downbeats = np.flatnonzero(table[:, 2] == 1)
    if len(table) < 2 or not len(downbeats):
        return None
    return Beats(table[:, 0], positions_in_bar(downbeats, len(table)))


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    warnings.simplefilter("ignore")
    songs = sorted(path for path in Path(sys.argv[1]).iterdir() if is_held_out(path.name))
    for name in sys.argv[2:] or names("symbolic_chords"):
        model, scores, took_s = load("symbolic_chords", name, ModelHome()), [], 0.0
        for folder in songs:
            beats = beats_of(folder)
            if beats is None:
                continue
            notes = midi.read_notes(folder / f"{folder.name}.mid")
            began = time.perf_counter()
            chords = name_chords(notes, beats, model=model)
            took_s += time.perf_counter() - began
            spelled = replace(chords, labels=tuple(map(harte_label, chords.labels)))
            scores.append(chord_scores(spelled, read_labels(folder / "chord_midi.txt")))
        means = {key: np.mean([score[key] for score in scores]) for key in scores[0]}
        line = "  ".join(f"{key} {value:.4f}" for key, value in means.items())
        print(f"{name}: {len(scores)} songs  {line}  {len(scores) / took_s:.0f} songs/s")


if __name__ == "__main__":
    main()
