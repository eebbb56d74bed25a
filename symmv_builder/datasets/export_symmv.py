"""The file layout in which SymMV was released, written from our rows.

Zhuo et al., "Video Background Music Generation: Dataset, Method and Evaluation", ICCV
2023. The release holds `SymMV.csv`, `midi/NNNNN.mid`, `midi/texture/NNNNN_new.mid` and
`chord/NNNNN.txt`, all on a grid of 220 ticks a quarter at 120 to the minute, whatever the
tempo of the music: a tick is 1/440 s of the recording. Our times are written on the same
axis, each rounded to the nearest tick. So notes, chords and beats stay together and in
real time; but chords change on tracked beats, not on multiples of 220 as in the release.

What the release lacks lies beside it: `beats/` (tick and place in the bar), `pedal/`
(ticks down and up), `parts/` (the quantised notes, melody and accompaniment as two
tracks), `splits.json`. There are no Shazam ids: as in 190 rows of the release, a row of
the table ends before that column.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.music.melody import texture
from symmv_builder.records import Floats, Ints, Key, Notes

TICKS_PER_S = 440
INDEX_DIGITS = 5

Row = Mapping[str, Any]


def to_ticks(times_s: Floats) -> Ints:
    """Round seconds to the nearest of the release's ticks, which begin at 0; shape kept."""
    ticks = np.rint(np.asarray(times_s) * TICKS_PER_S).astype(np.int64)
    return np.asarray(np.maximum(ticks, 0), dtype=np.int64)


def playable_notes(row: Row, prefix: str) -> Notes:
    """Put notes on whole ticks so that no doubt is left in a MIDI file which end is whose.

    A key that is struck again while it sounds ends there; of two notes that begin together
    on one key the longer stays. Every note lasts a tick at least. No pedal: the release has
    no controllers.
    """
    starts, ends = to_ticks(row[f"{prefix}_starts_s"]), to_ticks(row[f"{prefix}_ends_s"])
    ends = np.maximum(ends, starts + 1)
    pitches = np.asarray(row[f"{prefix}_pitches"], dtype=np.int64)
    by_key = np.lexsort((-ends, starts, pitches))
    starts, ends, pitches = starts[by_key], ends[by_key], pitches[by_key]
    velocities = np.asarray(row[f"{prefix}_velocities"], dtype=np.int64)[by_key]
    first = np.ones(len(starts), dtype=np.bool_)
    first[1:] = (np.diff(starts) != 0) | (np.diff(pitches) != 0)
    starts, ends, pitches = starts[first], ends[first], pitches[first]
    same_key = pitches[1:] == pitches[:-1]
    ends[:-1][same_key] = np.minimum(ends[:-1], starts[1:])[same_key]
    order = np.lexsort((pitches, starts))
    return Notes(
        starts_s=starts[order] / TICKS_PER_S,
        ends_s=ends[order] / TICKS_PER_S,
        pitches=pitches[order],
        velocities=velocities[first][order],
    )


def _midi(row: Row) -> bytes:
    return midi_bytes({"piano": playable_notes(row, "notes")})


def _texture(row: Row) -> bytes:
    return midi_bytes({"piano": texture(playable_notes(row, "notes"))})


def _parts(row: Row) -> bytes:
    is_melody = np.asarray(row["parts_is_melody"], dtype=np.bool_)
    names = ("parts_starts_s", "parts_ends_s", "parts_pitches", "parts_velocities")
    tracks = {}
    for track, mask in (("melody", is_melody), ("accompaniment", ~is_melody)):
        tracks[track] = playable_notes({name: row[name][mask] for name in names}, "parts")
    return midi_bytes(tracks)


def _chords(row: Row) -> bytes:
    spans = zip(
        to_ticks(row["chords_starts_s"]).tolist(),
        to_ticks(row["chords_ends_s"]).tolist(),
        row["chords_labels"],
        strict=True,
    )
    return _lines(span for span in spans if span[1] > span[0])


def _beats(row: Row) -> bytes:
    ticks = to_ticks(row["beats_times_s"]).tolist()
    return _lines(zip(ticks, row["beats_positions"].tolist(), strict=True))


def _pedal(row: Row) -> bytes:
    ends = to_ticks(row["pedal_ends_s"]).tolist()
    return _lines(zip(to_ticks(row["pedal_starts_s"]).tolist(), ends, strict=True))


def _lines(rows: Any) -> bytes:
    return "".join(" ".join(map(str, row)) + "\n" for row in rows).encode()


# Where each file of an entry goes, by the entry's index, and what it holds.
FILES: Mapping[str, Callable[[Row], bytes]] = {
    "midi/{}.mid": _midi,
    "midi/texture/{}_new.mid": _texture,
    "chord/{}.txt": _chords,
    "beats/{}.txt": _beats,
    "pedal/{}.txt": _pedal,
    "parts/{}.mid": _parts,
}

COLUMNS = (
    *(f"notes_{name}" for name in ("starts_s", "ends_s", "pitches", "velocities")),
    *(f"parts_{name}" for name in ("starts_s", "ends_s", "pitches", "velocities", "is_melody")),
    *("chords_starts_s", "chords_ends_s", "chords_labels", "beats_times_s", "beats_positions"),
    *("pedal_starts_s", "pedal_ends_s", "shazam_id", "key_tonic", "key_mode", "key_correlation"),
)


def dataset_files(rows: Sequence[tuple[str, Row]]) -> dict[str, bytes]:
    """Make the files about all entries: the release's table, and the splits by index."""
    lines = ["index\tyoutube_url\ttonality\tshazam_id\n"]
    splits: dict[str, list[str]] = {"train": [], "validation": [], "test": []}
    for index, row in rows:
        key = Key(row["key_tonic"], row["key_mode"], row["key_correlation"])
        # A song that nobody identified has three columns, as in the release.
        cells = [index, row["video_url"], str(key), row["shazam_id"]]
        lines.append("\t".join(cell for cell in cells if cell) + "\n")
        splits[row["split"]].append(index)
    return {
        "SymMV.csv": "".join(lines).encode(),
        "splits.json": (json.dumps(splits, indent=1) + "\n").encode(),
    }
