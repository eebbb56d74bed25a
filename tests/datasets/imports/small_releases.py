"""Releases in miniature, written as the real ones are."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.records import Notes
from symmv_builder.storage.root import Root

Call = Callable[..., tuple[int, str, str]]
Read = Callable[[Path, str], tuple[dict[str, Any], list[dict[str, Any]]]]
WriteDataset = Callable[[str, Sequence[dict[str, Any]]], Root]


def notes(pitches: Sequence[int], *, first_s: float = 0.5, gap_s: float = 0.5) -> Notes:
    """One note after another, each as long as the gap."""
    starts = first_s + gap_s * np.arange(len(pitches))
    return Notes(
        starts_s=np.asarray(starts, np.float64),
        ends_s=np.asarray(starts + gap_s, np.float64),
        pitches=np.array(pitches),
        velocities=np.full(len(pitches), 64),
    )


def write_pop909(folder: Path, number: str, **changed: str | bytes | None) -> Path:
    """A song of 16 beats at 120 to the minute, the first downbeat on the third beat.

    `changed` replaces files by their name without extension; `None` leaves one out.
    """
    place = folder / number
    place.mkdir(parents=True)
    tracks = {
        "MELODY": notes([72, 74, 76, 77] * 3),
        "BRIDGE": notes([60, 62], first_s=1.0),
        "PIANO": notes([48, 52, 55, 76] * 3),
    }
    beats = [f"{0.5 + 0.5 * n} {float(n % 2 == 0)} {float(n % 4 == 2)}\n" for n in range(16)]
    files: dict[str, str | bytes | None] = {
        number: midi_bytes(tracks),
        "beat_midi": "".join(beats),
        "chord_midi": "0.5\t1.5\tN\n1.5\t2.5\tEb:min\n2.5\t3.5\tEb:min/b3\n3.5\t7.5\tAb:maj6\n",
        "key_audio": "0.5 2.5 C:maj\n2.5 8.0 Eb:min\n",
    }
    for name, content in {**files, **changed}.items():
        path = place / f"{name}.{'mid' if name == number else 'txt'}"
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content is not None:
            path.write_text(content)
    return place


def splits_of(root: Path, dataset: str) -> dict[str, str]:
    return dict(json.loads((root / dataset / "splits.json").read_text()))
