"""How large an export will be, said before anything is written.

Excerpts of a few samples are made and weighed; the rest follows from the lengths that rows state. A
video that is exported whole is as large as it is in the store.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from symmv_builder.datasets.media_export.cutting import Cutters
from symmv_builder.datasets.media_export.media import Media
from symmv_builder.datasets.media_export.plan import Planned, ShardCut
from symmv_builder.errors import DiskFull
from symmv_builder.text import amount

_PILOTS = 3
_PILOT_S = 10.0
_PATIENCE_S = 300.0
# What is written beside what was weighed: names, headers and padding of a sample.
_AROUND_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Estimate:
    """What is still to be written: samples by split, seconds and bytes.

    `measured` is how many samples were weighed, `free_bytes` the space on the target's disk,
    `left_out` why some samples cannot be made, by key.
    """

    samples: Mapping[str, int]
    sound_s: float
    video_s: float
    sound_bytes: int
    video_bytes: int
    column_bytes: int
    measured: int
    free_bytes: int
    left_out: Mapping[str, str]

    @property
    def total_bytes(self) -> int:
        return self.sound_bytes + self.video_bytes + self.column_bytes

    def check(self, folder: Path) -> None:
        """`DiskFull` where the disk has not the space."""
        if self.total_bytes > self.free_bytes:
            needs = f"it takes about {_mib(self.total_bytes)} MiB"
            raise DiskFull(folder, f"{needs} and {_mib(self.free_bytes)} MiB are free")

    def __str__(self) -> str:
        parts = {"sound": self.sound_bytes, "video": self.video_bytes, "columns": self.column_bytes}
        text = ", ".join(f"{name} {_mib(size)}" for name, size in parts.items() if size)
        samples = amount(sum(self.samples.values()), "sample")
        return (
            f"{samples}, about {_mib(self.total_bytes)} MiB ({text}); "
            f"{_mib(self.free_bytes)} MiB are free"
        )


def estimate(
    samples: Sequence[Planned], media: Media, root_url: str, folder: Path, *, workers: int
) -> Estimate:
    """Weigh some excerpts of what is to be written into `folder`, in a temporary folder.

    `workers` is that of `Cutters`, which one is enough for.
    """
    usable = [sample for sample in samples if not sample.problem]
    cuts = [(s.music, s.video) for s in usable]
    sound_s = sum(music.duration_s for music, _ in cuts if music)
    video_s = sum(video.duration_s for _, video in cuts if video)
    is_copied = media.has_video and all(video.is_whole for _, video in cuts if video)
    pilots = _pilots(usable, with_video=not is_copied)
    sound, video, measured = _weigh(pilots, media, root_url, min(1, workers))
    return Estimate(
        Counter(sample.split for sample in usable),
        sound_s,
        video_s,
        round(sound * sound_s),
        sum(s.video_bytes for s in usable) if is_copied else round(video * video_s),
        sum(s.column_bytes + _AROUND_BYTES for s in usable),
        measured,
        shutil.disk_usage(_standing(folder)).free,
        {sample.key: sample.problem for sample in samples if sample.problem},
    )


def _pilots(usable: Sequence[Planned], *, with_video: bool) -> list[Planned]:
    """A few samples from all over, shortened, each standing for an entry of its own."""
    count = min(_PILOTS, len(usable))
    pilots = [usable[(2 * n + 1) * len(usable) // (2 * count)] for n in range(count)]
    return [
        replace(
            sample,
            entry_id=f"pilot-{number}",
            key=f"pilot-{number}",
            music=_shortened(sample.music),
            video=_shortened(sample.video) if with_video else None,
        )
        for number, sample in enumerate(pilots)
        if sample.music or with_video
    ]


def _shortened(cut: ShardCut | None) -> ShardCut | None:
    """The middle of a cut."""
    if cut is None:
        return None
    middle_s, half_s = (cut.start_s + cut.end_s) / 2, min(cut.duration_s, _PILOT_S) / 2
    return replace(cut, start_s=middle_s - half_s, end_s=middle_s + half_s, is_whole=False)


def _weigh(
    pilots: Sequence[Planned], media: Media, root_url: str, workers: int
) -> tuple[float, float, int]:
    """Bytes a second of sound and of video, and how many samples were weighed."""
    sizes, lengths, measured = [0, 0], [0.0, 0.0], 0
    if pilots:
        with (
            tempfile.TemporaryDirectory(prefix="symmv-") as work,
            Cutters(
                root_url, media, Path(work), workers=workers, patience_s=_PATIENCE_S
            ) as cutters,
        ):
            for at, pilot in enumerate(pilots):
                excerpts = cutters.of(pilots, at)
                if isinstance(excerpts, str):
                    continue
                measured += 1
                of_sound = (pilot.music, [excerpts.music])
                of_video = (pilot.video, [excerpts.video, *excerpts.frames])
                for kind, (cut, paths) in enumerate((of_sound, of_video)):
                    sizes[kind] += sum(path.stat().st_size for path in paths if path)
                    lengths[kind] += cut.duration_s if cut else 0.0
    sound, video = (sizes[n] / lengths[n] if lengths[n] else 0.0 for n in (0, 1))
    return sound, video, measured


def _standing(folder: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(each for each in (folder.absolute(), *folder.absolute().parents) if each.is_dir())


def _mib(size: int) -> str:
    mebibytes = size / 2**20
    return f"{mebibytes:.1f}" if mebibytes < 10 else f"{mebibytes:.0f}"
