"""The demo's data: media made on the spot, both datasets, and what is true of them.

What is done with them goes through the same functions as a person's own data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder import datasets
from symmv_builder.api.dataset import Dataset, open_dataset
from symmv_builder.api.entry import StoredEntry
from symmv_builder.api.questions import Status
from symmv_builder.demo.media import DemoMedia, Truth, make_media
from symmv_builder.demo.world import World, build_world
from symmv_builder.errors import StopRun
from symmv_builder.report import tables
from symmv_builder.settings import Settings, read_settings

__all__ = ["Demo", "World", "compare", "entry_row", "prepare", "stage_rows"]

_NEAR_S = 0.05


@dataclass(frozen=True, slots=True)
class Demo:
    """The demo's media, the world of its site, and its datasets by name.

    `notices` say of which dataset the CLIP is not trained, and why.
    """

    media: DemoMedia
    world: World
    settings: Settings
    datasets: Mapping[str, Dataset]
    notices: tuple[str, ...]

    def folder_of(self, name: str) -> Path | None:
        """Give the folder that a dataset takes in; `None` for the one that is crawled."""
        return self.media.muvisync if name == "muvisync" else None

    def truths(self) -> dict[str, Truth]:
        """Give the truth about each recording that we made, by ``SITE:ID``."""
        by_path = {truth.path: truth for truth in self.media.truths}
        crawled = {f"demo:{name}": by_path[path] for name, path in self.world.paths.items()}
        return crawled | {
            f"file:{Path(path).stem}": truth
            for path, truth in by_path.items()
            if path.startswith("muvisync/")
        }


def prepare(out: Path, say: Callable[[str], None]) -> Demo:
    """Make the media below `out`, and open both datasets in ``out/data``.

    Where its own CLIP cannot be had a dataset takes the untrained one; `say` is told of progress.
    """
    media = make_media(out / "media", progress=say)
    root = str(out / "data")
    opened, notices = {}, []
    for name in datasets.NAMES:
        opened[name], problem = _trained_or_not(name, root)
        if problem:
            notices.append(f"{name}: CLIP is NOT TRAINED in this demo, because {problem}")
            say(notices[-1])
    return Demo(media, build_world(media), read_settings(root=root), opened, tuple(notices))


def _trained_or_not(name: str, root: str) -> tuple[Dataset, str]:
    """Open the dataset with its own CLIP or, where that cannot be had, the untrained one and why.

    For the demo alone: a build of a person's own files stops instead.
    """
    dataset = open_dataset(name, root, way="default")
    try:
        dataset.plan()
    except StopRun as error:
        untrained = open_dataset(name, root, way="default", models={"clip": "untrained"})
        untrained.plan()
        return untrained, str(error)
    return dataset, ""


def entry_row(entry: StoredEntry) -> tables.EntryRow:
    """Make an entry's line in the table of what was made."""
    by_name: dict[str, Any] = dict(entry.records)
    labels = by_name["chords"].labels
    return tables.EntryRow(
        entry_id=entry.entry_id,
        split=entry.split,
        minutes=by_name["music_asset"].duration_s / 60,
        notes=len(by_name["notes"].pitches),
        chords=len(labels),
        distinct_chords=len(set(labels)),
        key=str(by_name["key"]),
        tempo_bpm=by_name["beats"].tempo_bpm if "beats" in by_name else None,
        scenes=len(by_name["scenes"].starts_s),
    )


def stage_rows(state: Status, media_s: float) -> list[tables.StageRow]:
    """List a dataset's stages with what they cost for each second of media."""
    return [
        tables.StageRow(
            step=cost.artifact,
            backend=cost.backend,
            entries=cost.made,
            seconds=cost.seconds,
            seconds_per_media_second=cost.seconds / media_s if media_s else 0.0,
            rejected=cost.rejected,
        )
        for cost in state.stages
    ]


def compare(entry: StoredEntry, truths: Mapping[str, Truth]) -> list[str]:
    """Compare what the stages made with what is true of an entry's recordings, a phrase each."""
    by_name: dict[str, Any] = dict(entry.records)
    sources = (entry.entry.video, entry.entry.music)
    video, music = (truths.get(f"{source.site}:{source.video_id}") for source in sources)
    parts = []
    if video is not None and video.cuts_s:
        cuts_s = by_name["scenes"].starts_s[1:].tolist()
        hit = sum(any(abs(cut - time) < _NEAR_S for time in cuts_s) for cut in video.cuts_s)
        parts.append(f"{hit} of {len(video.cuts_s)} cuts found, {len(cuts_s) - hit} extra")
    if music is not None and music.key:
        parts.append(f"key {by_name['key']} (written in {music.key})")
    if music is not None and music.tempo_bpm and "beats" in by_name:
        tempo = by_name["beats"].tempo_bpm
        parts.append(f"tempo {tempo:.0f} (played at {music.tempo_bpm:.0f})")
    if music is not None and music.notes is not None:
        transcribed, played_count = len(by_name["notes"].pitches), len(music.notes.pitches)
        parts.append(f"{transcribed} notes (played {played_count})")
    return parts
