"""Excerpts of many entries, made in processes that a hostile file cannot take along.

An entry is one piece of work: however many samples it has, each of its recordings is decoded once.
Its excerpts lie in the work folder until they are in a shard.
"""

import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType

from symmv_builder.datasets.media_export.media import Media
from symmv_builder.datasets.media_export.plan import MadeSound, Planned
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.pipeline.guard import Guarded
from symmv_builder.pipeline.run import Tell
from symmv_builder.pipeline.sound_files import write_for_reading
from symmv_builder.records import SoundFile
from symmv_builder.storage.assets import open_asset
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars

Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Excerpts:
    """The files of one sample, and whether its video was copied without being decoded."""

    music: Path | None = None
    video: Path | None = None
    frames: tuple[Path, ...] = ()
    is_copy: bool = False

    def remove(self) -> None:
        """Remove the files, as far as they are there."""
        for path in (self.music, self.video):
            if path is not None:
                path.unlink(missing_ok=True)
        if self.frames:
            shutil.rmtree(self.frames[0].parent, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class CuttingWork:
    """What is cut from the recordings of one entry: what is read and spans, one a sample."""

    root_url: str
    media: Media
    folder: Path
    music: tuple[str | MadeSound, tuple[Span, ...]] | None
    video: tuple[str, tuple[Span, ...]] | None

    @property
    def count(self) -> int:
        return len((self.music or self.video or ("", ()))[1])


def work_of(root_url: str, media: Media, folder: Path, samples: Sequence[Planned]) -> CuttingWork:
    """The work of some samples of one entry."""
    music = [sample.music for sample in samples if sample.music]
    video = [sample.video for sample in samples if sample.video]
    return CuttingWork(
        root_url,
        media,
        folder,
        (music[0].source, tuple(cut.span for cut in music)) if music else None,
        (str(video[0].source), tuple(cut.span for cut in video)) if video else None,
    )


def cut(work: CuttingWork, tell: Tell = lambda _: None) -> list[Excerpts | str]:
    """Make the excerpts of one entry, one a sample, or say why a sample has none.

    `RejectEntry` where the recordings cannot be decoded.
    """
    from symmv_builder.backends.pyav import excerpts

    del tell
    root, media, count = Root(work.root_url), work.media, work.count
    work.folder.mkdir(parents=True, exist_ok=True)
    music: list[Path | None] = [None] * count
    video: list[tuple[Path | None, bool]] = [(None, False)] * count
    frames: list[list[Path]] = [[]] * count
    faults: dict[int, str] = {}
    if work.music:
        source, spans = work.music
        outs = [work.folder / f"{n}.music.{media.sound}" for n in range(count)]
        with _opened(root, source, work.folder) as path:
            rate_hz, mono = media.sound_rate_hz, media.mono
            excerpts.cut_sound(path, spans, outs, rate_hz=rate_hz, mono=mono, faults=faults)
        music = [*outs]
    if work.video:
        sha256, spans = work.video
        stems = [work.folder / f"{n}-video" for n in range(count)]
        with open_asset(root, sha256) as path:
            if media.has_frames:
                rate, side = media.frame_rate_hz, media.frame_side
                frames = excerpts.take_frames(
                    path, spans, stems, rate_hz=rate, side=side, faults=faults
                )
            else:
                video = [*excerpts.cut_video(path, spans, stems, faults=faults)]
    made = [
        Excerpts(sound, picture, tuple(each), is_copy)
        for sound, (picture, is_copy), each in zip(music, video, frames, strict=True)
    ]
    for number in faults:
        made[number].remove()
    return [faults.get(number, each) for number, each in enumerate(made)]


@contextmanager
def _opened(root: Root, source: str | MadeSound, folder: Path) -> Iterator[Path]:
    """The file of a recording, or of a sound that a step made, which lies in a folder meanwhile."""
    if isinstance(source, str):
        with open_asset(root, source) as path:
            yield path
        return
    sidecars = Sidecars(root, source.dataset)
    record, _ = sidecars.load(source.entry_id, source.artifact, source.key)
    if not isinstance(record, SoundFile):
        raise RejectEntry(Reason.UNREADABLE, f"its {source.artifact} is no sound")
    path = write_for_reading(record, source.artifact, folder)
    try:
        yield path
    finally:
        path.unlink()


class Cutters:
    """``with Cutters(...) as cutters: cutters.of(samples, 0)``: excerpts, made ahead of demand.

    `workers` processes are at work on the entries that follow; `patience_s` is the longest that
    one entry may take. With none the work is done in this process, for tests and debuggers:
    nothing can be killed then.
    """

    def __init__(
        self, root_url: str, media: Media, folder: Path, *, workers: int, patience_s: float
    ) -> None:
        self._root_url, self._media, self._folder = root_url, media, folder
        self._guards = [Guarded(cut, patience_s=patience_s) for _ in range(workers)]
        self._free: SimpleQueue[Guarded] = SimpleQueue()
        for guard in self._guards:
            self._free.put(guard)
        self._pool = ThreadPoolExecutor(max(1, workers))
        self._begun: dict[str, Future[list[Excerpts | str]]] = {}
        self._places: dict[str, tuple[str, int]] = {}

    def __enter__(self) -> "Cutters":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=True)
        for guard in self._guards:
            guard.__exit__(kind, error, trace)

    def of(self, samples: Sequence[Planned], at: int) -> Excerpts | str:
        """The excerpts of a sample, or why there are none; those after it are begun meanwhile."""
        sample = samples[at]
        if sample.problem:
            return sample.problem
        self._begin(samples, at)
        work, place = self._places[sample.key]
        try:
            excerpts = self._begun[work].result()[place]
        except RejectEntry as error:
            return f"its recordings cannot be used ({error.reason}): {error.detail}"
        if isinstance(excerpts, str):
            self._places.pop(sample.key)
        return excerpts

    def done_with(self, sample: Planned, excerpts: Excerpts) -> None:
        """Remove the files of a sample that are in a shard."""
        excerpts.remove()
        self._places.pop(sample.key, None)

    def _begin(self, samples: Sequence[Planned], at: int) -> None:
        """Begin the work of the sample and of a few entries after it."""
        ahead, place = max(1, 2 * len(self._guards)), at
        while ahead and place < len(samples):
            first, mine = samples[place], []
            while place < len(samples) and samples[place].entry_id == first.entry_id:
                mine.append(samples[place])
                place += 1
            ahead -= 1
            usable = [sample for sample in mine if not sample.problem]
            if usable and usable[0].key not in self._places:
                self._submit(usable)

    def _submit(self, samples: Sequence[Planned]) -> None:
        key = samples[0].key
        folder = self._folder / f"{len(self._begun):06d}"
        work = work_of(self._root_url, self._media, folder, samples)
        self._begun[key] = self._pool.submit(self._run, work)
        self._places |= {sample.key: (key, n) for n, sample in enumerate(samples)}

    def _run(self, work: CuttingWork) -> list[Excerpts | str]:
        if not self._guards:
            return cut(work)
        guard = self._free.get()
        try:
            excerpts: list[Excerpts | str] = guard(work)
            return excerpts
        finally:
            self._free.put(guard)
