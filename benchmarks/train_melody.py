"""Train the melody model of the package.

    python benchmarks/train_melody.py POP909 [WEIGHTS]     (needs catboost 1.2.10)

`melody_songs.txt` lists the songs that it learns from, each as it is, disturbed, in another
texture and in new settings; `melody_rules.py` judges on the others. One seed and no sampling: the
same songs make the same bytes, whatever the number of threads.
"""

import json
import sys
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from melody_changes import DISTURBANCES, TEXTURES, Change, Song, excerpt, new_setting, read_song
from numpy.typing import NDArray

from symmv_builder.music.melody.forest import Forest
from symmv_builder.music.melody.model import melody_table
from symmv_builder.records import GridNotes

SEED = 909
# Trees of each forest, and the quarters of the songs that it learns from.
FORESTS = ((200, (0,)), (200, (1,)), (300, (2, 3)))
SONGS = Path(__file__).with_name("melody_songs.txt")
WEIGHTS = Path(__file__).parents[1] / "symmv_builder/music/melody/weights.npz"


def copies(folder: Path, number: str) -> list[tuple[GridNotes, NDArray[np.bool_]]]:
    """Grids of a song and which of their notes are melody, the same at every call.

    As it is, with few disturbances, with most of them, in another texture, in two new settings;
    and two excerpts of 15 to 60 s, one plain, one disturbed.
    """
    random = np.random.default_rng([SEED, zlib.crc32(number.encode())])
    song = read_song(folder, number)
    changed = [
        _changed(song, DISTURBANCES.values(), 0.4, random),
        _changed(song, DISTURBANCES.values(), 0.8, random),
        _changed(song, TEXTURES, 0.6, random),
        new_setting(song, random),
        _changed(new_setting(song, random), TEXTURES, 0.5, random),
    ]
    beats = random.integers(len(song.beats.times_s) // 2, size=2).tolist()
    parts = [
        excerpt(song, beats[0], random.uniform(15, 60)),
        _changed(
            excerpt(song, beats[1], random.uniform(15, 60)), DISTURBANCES.values(), 0.8, random
        ),
    ]
    return [each.grid() for each in (song, *changed, *parts)]


def _changed(
    song: Song, changes: Iterable[Change], share: float, random: np.random.Generator
) -> Song:
    for change in changes:
        if random.random() < share:
            song = change(song, random)
    return song


def train(folder: Path, weights: Path) -> None:
    """Fit forest after forest, each on other songs, and write their arrays.

    A forest finds more on the songs that it has learned than on others. The next one is to know
    how far it can be trusted, so that it learns from songs that the ones before have not seen.
    """
    numbers = SONGS.read_text().split()
    forests: list[Forest] = []
    for trees, quarters in FORESTS:
        tables, truths = [], []
        for number in (n for place, n in enumerate(numbers) if place % 4 in quarters):
            for grid, truth in copies(folder, number):
                tables.append(melody_table(grid, forests).T)
                truths.append(truth)
        table, truth = np.concatenate(tables), np.concatenate(truths)
        print(
            f"forest {len(forests) + 1}: {len(table)} notes, {table.shape[1]} features", flush=True
        )
        forests.append(fit(table, truth, trees))
    arrays = {
        f"{name}_{k}": getattr(forest, name)
        for k, forest in enumerate(forests)
        for name in ("features", "borders", "leaves", "bias")
    }
    np.savez(weights, **arrays)
    print(f"{weights}: {weights.stat().st_size} bytes")


def fit(table: NDArray[np.float32], truth: NDArray[np.bool_], trees: int) -> Forest:
    """Trees on features ``[n, f]`` and truth ``[n]``."""
    from catboost import CatBoostClassifier, Pool

    model = CatBoostClassifier(
        iterations=trees, depth=7, learning_rate=0.15, border_count=64, random_seed=SEED,
        bootstrap_type="No", random_strength=0, thread_count=2, verbose=50,
        allow_writing_files=False,
    )  # fmt: skip
    model.fit(Pool(table, truth.astype(np.int64)))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "model.json"
        model.save_model(str(path), format="json")
        weights = json.loads(path.read_text())
    fitted = weights["oblivious_trees"]
    scale, (bias,) = weights["scale_and_bias"]
    return Forest(
        np.array([[s["float_feature_index"] for s in t["splits"]] for t in fitted], np.uint8),
        np.array([[s["border"] for s in t["splits"]] for t in fitted], np.float32),
        np.array([t["leaf_values"] for t in fitted], np.float32) * np.float32(scale),
        float(bias),
    )


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    train(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) > 2 else WEIGHTS)


if __name__ == "__main__":
    main()
