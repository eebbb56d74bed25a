"""The dataset tree that Video2Music reads, written from our rows.

Kang et al., "Video2Music: Suitable Music Generation from Videos using an Affective
Multimodal Transformer model", 2024; the layout is that of its public repository and of
the MuVi-Sync features. One text file a feature and song, a line ``second value`` for each
second; semantic features as float32 `.npy` ``[t, 768]``; vocabulary, id list and splits
in `vevo_meta`.

Chords of `lab_v2_norm` are those in C major or A minor; the same in their own key lie
in `lab_v2`. The reader of that repository holds 300 seconds and fails on a song of
exactly 300: such a song gets one line more (``300 N``), which that reader sees and
leaves out. Its id list holds titles; ours holds entry ids, which are safe to print and
to split.
"""

import io
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.vocab import (
    EMOTIONS,
    MUVISYNC_LABELS,
    MUVISYNC_QUALITIES,
    NO_CHORD,
    SHARP_NAMES,
    muvisync_id,
    pitch_class,
)

INDEX_DIGITS = 3
READER_SECONDS = 300
TOP_CHORDS = 30
_YOUTUBE = "https://www.youtube.com/watch?v="
_SPLIT_FILES = {"train": "train", "validation": "val", "test": "test"}

Row = Mapping[str, Any]


def _normalised_chords(row: Row) -> bytes:
    key = "C major" if row["key_mode"] == "major" else "A minor"
    return _chord_lab(key, row["normalised_chords_labels"])


def _own_chords(row: Row) -> bytes:
    tonic = SHARP_NAMES[pitch_class(row["key_tonic"])]
    return _chord_lab(f"{tonic} {row['key_mode']}", row["chords_labels"])


def _chord_lab(key: str, labels: Sequence[str]) -> bytes:
    if len(labels) == READER_SECONDS:
        labels = (*labels, NO_CHORD)
    return f"key {key}\n".encode() + _lab(labels)


def _emotion(row: Row) -> bytes:
    head = " ".join(["time", *(f"{name}_prob" for name in EMOTIONS)]) + "\n"
    return head.encode() + _lab(" ".join(map(_decimal, values)) for values in row["emotion"])


def _motion(row: Row) -> bytes:
    return _lab(map(_decimal, row["motion"]))


def _loudness(row: Row) -> bytes:
    return _lab(map(_decimal, row["loudness"]))


def _density(row: Row) -> bytes:
    return _lab(str(float(value)) for value in row["density"])


def _scene_offset(row: Row) -> bytes:
    # The reader takes whole seconds only.
    return _lab(str(round(float(value))) for value in row["scene_offset"])


def _semantic(row: Row) -> bytes:
    values: NDArray[np.float32] = np.ascontiguousarray(row["semantic"], dtype="<f4")
    buffer = io.BytesIO()
    np.save(buffer, values, allow_pickle=False)
    return buffer.getvalue()


def _decimal(value: float) -> str:
    return f"{value:.4f}"


def _lab(values: Any) -> bytes:
    return "".join(f"{second} {value}\n" for second, value in enumerate(values)).encode()


# Where each file of an entry goes, by the entry's index, and what it holds.
FILES: Mapping[str, Callable[[Row], bytes]] = {
    "vevo_chord/lab_v2_norm/all/{}.lab": _normalised_chords,
    "vevo_chord/lab_v2/all/{}.lab": _own_chords,
    "vevo_emotion/6c_l14p/all/{}.lab": _emotion,
    "vevo_motion/all/{}.lab": _motion,
    "vevo_scene_offset/all/{}.lab": _scene_offset,
    "vevo_loudness/all/{}.lab": _loudness,
    "vevo_note_density/all/{}.lab": _density,
    "vevo_semantic/all/2d/clip_l14p/{}.npy": _semantic,
}

COLUMNS = (
    *("key_tonic", "key_mode", "chords_labels", "normalised_chords_labels"),
    *("density", "loudness", "semantic", "emotion", "motion", "scene_offset"),
)


def dataset_files(rows: Sequence[tuple[str, Row]]) -> dict[str, bytes]:
    """Make the files of `vevo_meta`: vocabulary, id list, splits and the commonest chords."""
    qualities = (NO_CHORD, *MUVISYNC_QUALITIES)
    files: dict[str, bytes] = {}
    for name, words in (
        ("chord", MUVISYNC_LABELS),
        ("chord_root", (NO_CHORD, *SHARP_NAMES)),
        ("chord_attr", qualities),
    ):
        files[f"{name}.json"] = json.dumps({word: i for i, word in enumerate(words)}).encode()
        files[f"{name}_inv.json"] = json.dumps(dict(enumerate(words))).encode()
    lines = [
        f"{index}-{row['entry_id']}\t{row['video_url'].removeprefix(_YOUTUBE)}\n"
        for index, row in rows
    ]
    files["idlist.txt"] = "".join(lines).encode()
    for split, name in _SPLIT_FILES.items():
        members = [f"{index}\n" for index, row in rows if row["split"] == split]
        files[f"split/v1/{name}.txt"] = "".join(members).encode()
    files["top_chord.txt"] = _top_chords(rows)
    return {f"vevo_meta/{name}": data for name, data in files.items()}


def _top_chords(rows: Sequence[tuple[str, Row]]) -> bytes:
    """List the commonest chords, as counted over all songs: label, number and seconds."""
    counts = Counter(label for _, row in rows for label in row["normalised_chords_labels"])
    counts.pop(NO_CHORD, None)
    top = sorted(counts.items(), key=lambda item: (-item[1], muvisync_id(item[0])))
    lines = [f"{label} {muvisync_id(label)} {count}\n" for label, count in top[:TOP_CHORDS]]
    return "".join(lines).encode()
