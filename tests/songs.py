"""Songs as MIDI files: sixteen bars of four chords each, with a tune above them."""

from pathlib import Path

import numpy as np

from symmv_builder.backends import midi
from symmv_builder.records import Notes


def song(folder: Path, name: str = "song.mid", shift: int = 0) -> Path:
    """Sixteen bars of four chords at 120 to the minute, a tune above them."""
    beats = 0.5 * np.arange(64)
    chords = np.array([(48, 52, 55, 72), (45, 52, 57, 69), (53, 57, 60, 77), (43, 50, 59, 74)])
    pitches = np.concatenate([chords[i // 4 % 4] for i in range(64)]) + shift
    notes = Notes(np.repeat(beats, 4), np.repeat(beats + 0.5, 4), pitches, np.full(256, 80))
    folder.mkdir(exist_ok=True)
    midi.write_notes(folder / name, {"piano": notes})
    return folder / name


def songs(folder: Path) -> Path:
    """Ten songs, `song0` to `song9`, in five keys and more."""
    for number in range(10):
        song(folder, f"song{number}.mid", number if number % 2 else number % 5)
    return folder
