"""Samples of an export with recordings as a torch dataset: clips with their sound, streamed.

It reads the tar files that `datasets.media_export` writes for WebDataset. They are not read
through: a sample's place in its file is found by the headers alone, so that any order costs the
same, and parts that nobody asked for are never read from the disk.
"""

import io
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from symmv_builder.errors import MalformedFile, NoRows, NoSuchPath, WrongSetting

_BLOCK = 512
_RECEIPT = "export.json"
_SOUND = ("music.flac", "music.mp3")
# What becomes one list of a sample: ``frames.0000.jpg``.
_IN_A_LIST = re.compile(r"[^.]+\.[0-9]{4,}\.[a-z]+")

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _TarSample:
    """One sample in a tar file: its key, and where each of its members lies."""

    key: str
    members: dict[str, Place]


class ExportedSamples(IterableDataset[dict[str, Any]]):
    """Samples of a split of an export in `folder`, one after another.

    A sample is a dict: ``sample`` (its key), the columns of its row (arrays as tensors, text and
    numbers as they are), ``music`` float32 ``[channels, n]`` with ``music_rate_hz``, ``video`` and
    each of ``frames``, or of a column of pictures, as the bytes of their files. `parts` are those
    that are wanted, all without it: ``row`` (what is no array), ``music``, ``video``, ``frames``,
    and columns that are arrays or pictures.

    With `crop_s` each sample gives so many seconds of its sound, from a start that is drawn anew
    in every epoch; shorter sound is followed by silence, so that samples of one rate and layout
    can be stacked. With `shuffle` shards, and the samples within each, come in an order of their
    own in each epoch, the same for the same seed (`set_epoch`). Workers of a `DataLoader` and
    ranks of torchrun deal the samples among themselves: together they give each once. `StopRun`
    where `folder` holds no finished export as webdataset, or none of the split.
    """

    def __init__(
        self,
        folder: str | Path,
        split: str = "train",
        *,
        parts: Sequence[str] = (),
        crop_s: float | None = None,
        shuffle: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if crop_s is not None and not crop_s > 0:
            raise WrongSetting("crop_s", crop_s, "it has to be more than 0")
        self.folder, self.split, self.parts, self.crop_s = Path(folder), split, parts, crop_s
        self.shuffle, self.seed, self.epoch = shuffle, seed, 0
        self.shards, self._count = _shards(self.folder, split)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order, and the crops, of the next epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        """Count the samples of all ranks and workers together."""
        return self._count

    def __iter__(self) -> Iterator[dict[str, Any]]:
        # As torchrun says it; one process alone is rank 0 of 1.
        rank, world = (int(os.environ.get(n, d)) for n, d in (("RANK", "0"), ("WORLD_SIZE", "1")))
        info = get_worker_info()
        if info is not None:
            rank, world = rank * info.num_workers + info.id, world * info.num_workers
        order = np.random.default_rng([self.seed, self.epoch])
        shards = order.permutation(len(self.shards)) if self.shuffle else range(len(self.shards))
        place = 0
        for number in shards:
            with _opened(self.shards[number]) as file:
                samples: Iterable[_TarSample] = _samples_in(file)
                if self.shuffle:
                    listed = list(samples)
                    samples = (listed[index] for index in order.permutation(len(listed)))
                for item in samples:
                    if place % world == rank:
                        start = np.random.default_rng([self.seed, self.epoch, place])
                        yield self._sample(file, item, start)
                    place += 1

    def _sample(self, file: int, item: _TarSample, start: np.random.Generator) -> dict[str, Any]:
        sample: dict[str, Any] = {"sample": item.key}
        for name, (at, size) in item.members.items():
            part = _part_of(name)
            if self.parts and part not in self.parts:
                continue
            content = os.pread(file, size, at)
            if part == "row":
                sample |= json.loads(content)
            elif name in _SOUND:
                sample |= self._sound(content, start)
            elif _IN_A_LIST.fullmatch(name):
                sample.setdefault(part, []).append(content)
            elif name.endswith(".npy"):
                array = np.load(io.BytesIO(content), allow_pickle=False)
                sample[part] = torch.from_numpy(array)
            else:
                sample[part] = content
        return sample

    def _sound(self, content: bytes, start: np.random.Generator) -> dict[str, Any]:
        samples, rate_hz = decode_sound(content)
        if self.crop_s is not None:
            length = round(self.crop_s * rate_hz)
            at = int(start.integers(max(1, samples.shape[1] - length + 1)))
            samples = samples[:, at : at + length]
            samples = np.pad(samples, ((0, 0), (0, length - samples.shape[1])))
        return {
            "music": torch.from_numpy(np.ascontiguousarray(samples)),
            "music_rate_hz": rate_hz,
        }


def decode_sound(content: bytes) -> tuple[np.ndarray[Any, np.dtype[np.float32]], int]:
    """Decode a sound file in memory to float32 ``[channels, n]``; gives its rate in Hz.

    `RejectEntry` as `backends.pyav.read_sound`, whose limits hold.
    """
    from symmv_builder.backends.pyav import read_sound

    # A file in memory alone: the decoder opens paths, which is where its limits are.
    handle = os.memfd_create("symmv-sound")
    try:
        os.write(handle, content)
        sound = read_sound(Path(f"/proc/self/fd/{handle}"))
    finally:
        os.close(handle)
    return sound.samples.T, sound.rate_hz


def _part_of(name: str) -> str:
    """Tell which part of a sample a member belongs to."""
    return "row" if name == "json" else name.partition(".")[0]


def _shards(folder: Path, split: str) -> tuple[list[Path], int]:
    """List the tar files of a split in their order, and how many samples they hold."""
    place = folder / _RECEIPT
    if not place.is_file():
        raise NoSuchPath(place)
    try:
        receipt = json.loads(place.read_bytes())
        parts = [part for part in receipt["parts"] if part["samples"]]
        names = [str(part["shard"]["path"]) for part in parts]
        if receipt["format"] != "webdataset" or not receipt["complete"]:
            raise ValueError("no finished export as webdataset")
        if any(Path(name).name != name for name in names):
            raise ValueError("its shards lead out of the folder")
        numbers = [n for n, name in enumerate(names) if name.rpartition("-")[0] == split]
        count = sum(int(parts[n]["samples"]) for n in numbers)
    except (ValueError, LookupError, TypeError) as error:
        raise MalformedFile(place, f"it cannot be read as an export: {error}") from error
    if not numbers:
        splits = sorted({name.rpartition("-")[0] for name in names})
        raise NoRows(str(receipt["dataset"]), split, known=splits)
    return [folder / names[n] for n in numbers], count


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a tar file; gives its descriptor.

    Members are read by their places. To map the file costs a fault of every page when it is read
    for the first time, which takes longer than the copy.
    """
    try:
        with path.open("rb") as file:
            yield file.fileno()
    except (OSError, ValueError) as error:
        raise MalformedFile(path, f"it cannot be read as a shard: {error}") from error


def _samples_in(file: int) -> Iterator[_TarSample]:
    """Find the samples of a tar file by its headers; members of one sample follow one another.

    One after another, so that a disk is read from front to back where that is their order.
    """
    sample: _TarSample | None = None
    at, long_name, end = 0, "", os.fstat(file).st_size
    while at + _BLOCK <= end and (header := os.pread(file, _BLOCK, at))[0]:
        size, start = int(header[124:136].rstrip(b"\0 ") or b"0", 8), at + _BLOCK
        if header[257:262] != b"ustar" or start + size > end:
            raise ValueError(f"no header of a member at byte {at}")
        kind, name = header[156:157], long_name or header[:100].partition(b"\0")[0].decode()
        long_name = ""
        if kind == b"L":
            long_name = os.pread(file, size, start).rstrip(b"\0").decode()
        elif kind == b"0":
            key, _, member = name.partition(".")
            if sample is None or sample.key != key:
                if sample is not None:
                    yield sample
                sample = _TarSample(key, {})
            sample.members[member] = start, size
        at = start + -(-size // _BLOCK) * _BLOCK
    if sample is not None:
        yield sample
