"""Examples a second out of our shards, out of tar files by the package webdataset, and out of the
files in which the papers' data lie.

    python benchmarks/loading.py [--muvisync 128] [--symmv 16] [--batch 8] [--rounds 2]

All layouts hold the same drawn rows of real size and are read into the same padded, shuffled
batches of tensors. MuVi-Sync: 300 s of CLIP features as ``.npy`` and seven text files of lines
``second value`` a song. SymMV: MIDI, chords as text, and CLIP and colour features as ``.npy``,
which the release lacks; drawn histograms are as sparse as real ones. The files are read by
torch's own loader with worker processes. The tar files are those that `symmv export --format
webdataset` writes of the same columns, arrays in the types of the shards. Shards are measured
decoded into memory (``again`` finds them there) and unpacked into a folder: ``first`` unpacks, or
maps what was unpacked before.

``first`` is an epoch of a new reader after the system was told to forget the files (which it may
not do), ``again`` one more with the same reader. All readers take turns, so that what else the
machine does meets each; the best of all rounds counts. ``CPU`` is examples for each second of CPU
time, of all processes and threads, in the first epoch.
"""

import argparse
import io
import os
import shutil
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import miditoolkit
import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Dataset

from symmv_builder.datasets import export_muvisync, export_symmv
from symmv_builder.datasets.media_export.formats import Layout as Samples
from symmv_builder.datasets.media_export.formats import webdataset
from symmv_builder.datasets.media_export.samples import Sample
from symmv_builder.datasets.schemas import columns_of, published_schema
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.training.data import Batch, Batching, Example, Loader, Rows
from symmv_builder.training.padding import stack
from symmv_builder.vocab import MUVISYNC_LABELS, SYMMV_LABELS, muvisync_id

Row = dict[str, Any]
MUVISYNC_TRACKS = ("semantic", "emotion", "motion", "scene_offset", "density", "loudness")
SYMMV_NOTES = ("notes_starts_s", "notes_ends_s", "notes_pitches", "notes_velocities")
SYMMV_TRACKS = ("semantic", "motion", "colour")
SYMMV_IDS = {label: number for number, label in enumerate(SYMMV_LABELS)}


def draw_muvisync(number: int) -> Row:
    """A row of 300 s, the features that the chord model and the regressors read."""
    rng, seconds = np.random.default_rng(number), 300
    labels = tuple(rng.choice(MUVISYNC_LABELS, seconds).tolist())
    row = _empty("muvisync", number)
    return row | {
        "key_tonic": "C",
        "key_mode": "major",
        "chords_labels": labels,
        "chords_starts_s": np.arange(seconds, dtype=np.float64),
        "chords_ends_s": np.arange(1, seconds + 1, dtype=np.float64),
        "normalised_chords_labels": labels,
        "density": rng.integers(0, 30, seconds).astype(np.float32),
        "loudness": rng.random(seconds, dtype=np.float32),
        "semantic": rng.normal(0, 0.4, (seconds, 768)).astype(np.float16),
        "emotion": rng.dirichlet(np.ones(6), seconds).astype(np.float32),
        "motion": (30 * rng.random(seconds)).astype(np.float32),
        "scene_offset": (np.arange(seconds) % 7).astype(np.float32),
    }


def draw_symmv(number: int) -> Row:
    """A row of 216 s with 1,267 notes, as the median song of the release has."""
    rng, seconds, notes = np.random.default_rng(number), 216, 1267
    starts = np.sort(rng.integers(0, (seconds - 2) * 440, notes)) / 440
    row = _empty("symmv", number)
    colour = np.zeros((seconds, 3, 4096), dtype=np.float32)
    bins = rng.integers(0, 4096, (seconds, 3, 250))
    np.put_along_axis(colour, bins, rng.dirichlet(np.ones(250), (seconds, 3)), axis=2)
    return row | {
        "notes_starts_s": starts,
        "notes_ends_s": starts + rng.integers(44, 440, notes) / 440,
        # No key is struck again while it sounds, which a MIDI file cannot hold.
        "notes_pitches": 30 + np.arange(notes) % 60,
        "notes_velocities": rng.integers(15, 88, notes),
        "chords_starts_s": np.arange(0, seconds, 2, dtype=np.float64),
        "chords_ends_s": np.arange(2, seconds + 2, 2, dtype=np.float64),
        "chords_labels": tuple(rng.choice(SYMMV_LABELS, seconds // 2).tolist()),
        "semantic": rng.normal(0, 0.4, (seconds * 6, 512)).astype(np.float16),
        "motion": (30 * rng.random(seconds * 5)).astype(np.float32),
        "colour": colour.reshape(seconds, -1),
    }


def _empty(dataset: str, number: int) -> Row:
    """A row of a dataset with nothing in it but its name."""
    row: Row = {}
    for column in columns_of(dataset):
        if not column.type.startswith("list"):
            row[column.name] = "" if column.type == "string" else 0
        elif "string" in column.type:
            row[column.name] = ()
        else:
            shape = (0, column.width) if column.width > 1 else (0,)
            row[column.name] = np.zeros(shape, dtype=np.float32)
    return row | {"entry_id": f"song-{number:04d}", "song_id": f"song-{number}", "split": "train"}


def prepare_muvisync(row: Row, rng: np.random.Generator) -> Example:
    """What the chord model and the regressors read of a row."""
    del rng
    chords = [muvisync_id(label) for label in row["normalised_chords_labels"]]
    return {"chords": np.array(chords)} | {name: row[name] for name in MUVISYNC_TRACKS}


def prepare_symmv(row: Row, rng: np.random.Generator) -> Example:
    """Notes, chords and features of a row."""
    del rng
    chords = [SYMMV_IDS[label] for label in row["chords_labels"]]
    return {"chords": np.array(chords)} | {name: row[name] for name in SYMMV_NOTES + SYMMV_TRACKS}


def read_lab(path: Path, skip: int, parse: Callable[[list[str]], Any]) -> list[Any]:
    """A line's values, second by second; some lines at the head are left out."""
    with path.open() as file:
        return [parse(line.split()[1:]) for line in file.readlines()[skip:]]


def read_muvisync(folder: Path, index: str) -> Example:
    """The same as `prepare_muvisync`, out of the files of the published features."""

    def number(values: list[str]) -> float:
        return float(values[0])

    names = {"motion": "motion", "scene_offset": "scene_offset", "loudness": "loudness"}
    names["density"] = "note_density"
    tracks = {
        name: np.array(read_lab(folder / f"vevo_{file}/all/{index}.lab", 0, number), np.float32)
        for name, file in names.items()
    }
    emotion = folder / f"vevo_emotion/6c_l14p/all/{index}.lab"
    chords = folder / f"vevo_chord/lab_v2_norm/all/{index}.lab"
    semantic = folder / f"vevo_semantic/all/2d/clip_l14p/{index}.npy"
    # A song of 300 s has one line more, see `export_muvisync`.
    labels = read_lab(chords, 1, lambda values: muvisync_id(values[0]))[:300]
    return tracks | {
        "chords": np.array(labels),
        "emotion": np.array(read_lab(emotion, 1, lambda v: list(map(float, v))), np.float32),
        "semantic": np.load(semantic),
    }


def read_symmv(folder: Path, index: str) -> Example:
    """The same as `prepare_symmv`, out of the release's files and arrays beside them."""
    midi = miditoolkit.MidiFile(str(folder / f"midi/{index}.mid"))
    notes = [note for instrument in midi.instruments for note in instrument.notes]
    table = np.array([[n.start, n.end, n.pitch, n.velocity] for n in notes])
    chords = (folder / f"chord/{index}.txt").read_text().splitlines()
    tracks = {name: np.load(folder / f"{name}/{index}.npy") for name in SYMMV_TRACKS}
    return tracks | {
        "chords": np.array([SYMMV_IDS[line.split()[2]] for line in chords]),
        "notes_starts_s": table[:, 0] / export_symmv.TICKS_PER_S,
        "notes_ends_s": table[:, 1] / export_symmv.TICKS_PER_S,
        "notes_pitches": table[:, 2],
        "notes_velocities": table[:, 3],
    }


@dataclass(frozen=True)
class Layout:
    """How one dataset is drawn, written and read both ways."""

    draw: Callable[[int], Row]
    files: Mapping[str, Callable[[Row], bytes]]
    digits: int
    read: Callable[[Path, str], Example]
    prepare: Callable[[Row, np.random.Generator], Example]
    columns: tuple[str, ...]


def _npy(name: str) -> Callable[[Row], bytes]:
    def write(row: Row) -> bytes:
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(row[name], dtype=np.float32), allow_pickle=False)
        return buffer.getvalue()

    return write


LAYOUTS = {
    "muvisync": Layout(
        draw_muvisync,
        export_muvisync.FILES,
        export_muvisync.INDEX_DIGITS,
        read_muvisync,
        prepare_muvisync,
        ("normalised_chords_labels", *MUVISYNC_TRACKS),
    ),
    "symmv": Layout(
        draw_symmv,
        {name: export_symmv.FILES[name] for name in ("midi/{}.mid", "chord/{}.txt")}
        | {f"{name}/{{}}.npy": _npy(name) for name in SYMMV_TRACKS},
        export_symmv.INDEX_DIGITS,
        read_symmv,
        prepare_symmv,
        ("chords_labels", *SYMMV_NOTES, *SYMMV_TRACKS),
    ),
}


class Files(Dataset[Example]):
    """Songs by number out of the papers' files."""

    def __init__(self, layout: Layout, folder: Path, count: int) -> None:
        self.layout = layout
        self.folder = folder
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Example:
        return self.layout.read(self.folder, f"{number + 1:0{self.layout.digits}d}")


PER_TAR = 8


def write(layout: Layout, dataset: str, folder: Path, count: int) -> None:
    """The same rows as shards, as tar files and as the papers' files."""
    root = Root(str(folder))

    def rows() -> Iterator[Row]:
        for number in range(count):
            row = layout.draw(number)
            for name, content in layout.files.items():
                path = folder / "files" / name.format(f"{number + 1:0{layout.digits}d}")
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content(row))
            yield row

    shards = ShardWriter(root, dataset, published_schema(dataset)).write(rows())
    write_receipt(root, dataset, {"shards": as_plain(shards)})
    stored = Rows(root, dataset, "train", layout.columns)
    (folder / "tars").mkdir()
    for first in range(0, count, PER_TAR):
        samples = (
            Sample(f"song-{number:04d}", stored.row(number))
            for number in range(first, min(first + PER_TAR, count))
        )
        schema = Samples(dataset, pa.schema([]), False, False, False)
        webdataset.write(folder / "tars" / f"train-{first:05d}.tar", schema, samples)


def read_tars(
    layout: Layout, folder: Path, batch: int, workers: int
) -> Callable[[int], Iterator[Batch]]:
    """Batches of the same examples as the package webdataset reads them, shuffled as it does."""
    import webdataset as package

    def example(sample: Row) -> Example:
        row = {
            name.removesuffix(".npy"): value
            for name, value in sample.items()
            if name.endswith(".npy")
        }
        return layout.prepare(sample["json"] | row, np.random.default_rng(0))

    def epoch(number: int) -> Iterator[Batch]:
        tars = [str(path) for path in sorted(folder.glob("*.tar"))]
        samples = package.WebDataset(tars, shardshuffle=len(tars), seed=number, empty_check=False)
        samples = samples.shuffle(16).decode().map(example)
        return iter(DataLoader(samples, batch, num_workers=workers, collate_fn=_stacked))

    return epoch


def _stacked(examples: list[Example]) -> Batch:
    # webdataset adds the key of a sample.
    return stack([{n: v for n, v in e.items() if n != "__key__"} for e in examples], {})


def forget(folder: Path) -> float:
    """Tell the system to forget a folder's files; how many MiB they are."""
    size = 0
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            size += path.stat().st_size
    return size / 2**20


@dataclass
class Rates:
    """Examples a second: of a first epoch, for each second of its CPU time, and of later ones."""

    first: float = 0.0
    cpu: float = 0.0
    again: float = 0.0

    def run(self, epoch: Callable[[int], Iterator[Batch]], count: int) -> None:
        """Three epochs of one reader; the best of all counts."""
        for number in range(3):
            started, cpu, examples = time.perf_counter(), sum(os.times()[:4]), 0
            for batch in epoch(number):
                examples += len(batch["chords"])
            if examples != count:
                raise SystemExit(f"{examples} examples came, and there are {count}")
            rate = count / (time.perf_counter() - started)
            if number:
                self.again = max(self.again, rate)
            else:
                self.first = max(self.first, rate)
                self.cpu = max(self.cpu, count / (sum(os.times()[:4]) - cpu))


def measure(
    layout: Layout, dataset: str, folder: Path, count: int, batch: int, rounds: int
) -> Iterator[tuple[str, int, Rates, float]]:
    """Name, workers, rates and MiB on the disk of each way to read."""
    files = Files(layout, folder / "files", count)
    unpacked = folder / "unpacked"

    def read_files(workers: int) -> Callable[[int], Iterator[Batch]]:
        return lambda epoch: iter(
            DataLoader(
                files,
                batch,
                shuffle=True,
                num_workers=workers,
                collate_fn=_stacked,
                generator=torch.Generator().manual_seed(epoch),
            )
        )

    def read_shards(to: Path | None, fresh: bool, workers: int) -> Callable[[int], Iterator[Batch]]:
        if fresh:
            shutil.rmtree(unpacked, ignore_errors=True)
        rows = Rows(Root(str(folder)), dataset, "train", layout.columns, unpacked=to)
        return Loader(rows, layout.prepare, Batching(batch, 1, workers=workers)).epoch

    ways: dict[str, tuple[Callable[[int], Callable[[int], Iterator[Batch]]], Path]] = {
        "the papers' files": (read_files, files.folder),
        "shards, decoded": (partial(read_shards, None, False), folder / dataset),
        "shards, unpacked": (partial(read_shards, unpacked, True), unpacked),
        "shards, unpacked before": (partial(read_shards, unpacked, False), unpacked),
    }
    if find_spec("webdataset"):
        tars = folder / "tars"
        ways["webdataset"] = (lambda workers: read_tars(layout, tars, batch, workers), tars)
    for workers in (0, 2):
        rates = {name: Rates() for name in ways}
        # Another way begins each round: the first finds a disk that others have not warmed.
        turns = deque(ways.items())
        for _ in range(rounds):
            for name, (read, lies) in turns:
                forget(lies)
                rates[name].run(read(workers), count)
            turns.rotate()
        for name, (_, lies) in ways.items():
            yield name, workers, rates[name], forget(lies)


def refuse_unlike(layout: Layout, dataset: str, folder: Path, count: int) -> None:
    """End where the two layouts do not give the same examples but for the files' rounding."""
    rows = Rows(Root(str(folder)), dataset, "train", layout.columns)
    files, rng = Files(layout, folder / "files", count), np.random.default_rng(0)
    for number in range(0, count, 5):
        ours, theirs = layout.prepare(rows.row(number), rng), files[number]
        for name, values in theirs.items():
            apart = _spread(ours[name]) - _spread(values)
            if np.abs(apart).max() > 0.01:
                raise SystemExit(f"song {number}, {name}: the layouts differ by {apart}")


def _spread(values: NDArray[Any]) -> NDArray[np.float64]:
    """Length, mean and deviation: notes of one tick may come in another order."""
    wide = np.asarray(values, dtype=np.float64)
    return np.array([len(wide), wide.mean(), wide.std()])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--muvisync", type=int, default=128, help="songs of MuVi-Sync")
    parser.add_argument("--symmv", type=int, default=16, help="songs of SymMV, 13 MB each")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    if not find_spec("webdataset"):
        print("the package webdataset is not installed and is left out (pip install webdataset)")
    for dataset, layout in LAYOUTS.items():
        count = getattr(arguments, dataset)
        if not count:
            continue
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            write(layout, dataset, folder, count)
            refuse_unlike(layout, dataset, folder, count)
            print(f"\n{dataset}: {count} songs, batches of {arguments.batch}, examples a second")
            print(f"{'':30}{'workers':>8}{'first':>9}{'CPU':>9}{'again':>9}{'MiB':>9}")
            for what, workers, rates, size in measure(
                layout, dataset, folder, count, arguments.batch, arguments.rounds
            ):
                cells = f"{rates.first:9.0f}{rates.cpu:9.0f}{rates.again:9.0f}{size:9.1f}"
                print(f"{what:30}{workers:8}{cells}", flush=True)


if __name__ == "__main__":
    main()
