"""A dataset as a folder that FiftyOne opens: videos, fields, and what lies where in a video."""

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symmv_builder.backends.pyav.excerpts import suffix_of
from symmv_builder.datasets import fiftyone, subsets
from symmv_builder.datasets.corrected import CorrectedEntry, corrected_entries
from symmv_builder.datasets.exports import note_export
from symmv_builder.datasets.fiftyone import Shown
from symmv_builder.datasets.remembered import require_known
from symmv_builder.errors import OutputExists
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.run import Tell
from symmv_builder.records import Asset
from symmv_builder.settings import Settings
from symmv_builder.storage import manifests
from symmv_builder.storage.assets import asset_size, open_asset
from symmv_builder.storage.clip_tables import EntryClips, read_table
from symmv_builder.storage.outputs import replacing_file
from symmv_builder.storage.receipts import read_receipt
from symmv_builder.storage.root import Root, disk_errors
from symmv_builder.storage.store import Store
from symmv_builder.text import amount

__all__ = ["FiftyOneSummary", "export"]

METADATA, SAMPLES, DATA = "metadata.json", "samples.json", "data"
NO_VIDEO = "no video of it is stored"


@dataclass(frozen=True, slots=True)
class FiftyOneSummary:
    """The outcome of an export; `left_out` is why entries have no sample, by their id."""

    samples: int
    copied: int
    left_out: Mapping[str, str] = field(default_factory=dict)


def export(
    settings: Settings, dataset: str, folder: Path, *, tell: Tell = lambda _: None
) -> FiftyOneSummary:
    """Write a dataset as a ``FiftyOneDataset``; `datasets.fiftyone` has its form.

    An entry whose video is stored is a sample, as people corrected it. Videos are copied once: a
    copy of an earlier export stays, and one whose entry has gone is removed. `tell` hears of the
    copies. `StopRun` where `folder` holds something else.
    """
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    before = _earlier(folder, dataset)
    about = {"dataset": dataset, "data_root": store.root.shown}
    with replacing_file(folder / METADATA) as temporary:
        temporary.write_text(_line(fiftyone.metadata(dataset, about)), "utf-8")
    note_export(store.root, dataset, folder, "fiftyone", tell=lambda text: tell(_note(text)))
    shown = _Shows(store, dataset)
    files: set[str] = set()
    copied, left_out = 0, {}
    with (
        replacing_file(folder / SAMPLES) as temporary,
        temporary.open("w", encoding="utf-8") as out,
    ):
        out.write('{"samples": [')
        for entry in corrected_entries(store, dataset):
            name, video = entry.entry.entry_id, entry.records.get("video_asset")
            if not isinstance(video, Asset) or asset_size(store.root, video.sha256) is None:
                left_out[name] = NO_VIDEO
                continue
            file = f"{DATA}/{name}{suffix_of(video.container)}"
            if _copied(store.root, video, folder / file):
                copied += 1
                tell(_note(f"{dataset}: {amount(copied, 'video')} copied"))
            line = _line(fiftyone.sample(entry, video, shown.of(entry, file)))
            out.write(f"{',' * bool(files)}\n{line}")
            files.add(file)
        out.write("\n]}\n")
    for file in before - files:
        (folder / file).unlink(missing_ok=True)
    return FiftyOneSummary(len(files), copied, left_out)


def _note(text: str) -> Event:
    return Event("note", "", detail=text)


class _Shows:
    """Facts of samples beside records: rejections, splits, clips, subsets of the last build."""

    def __init__(self, store: Store, dataset: str) -> None:
        receipt = read_receipt(store.root, dataset) or {}
        self._rejected = {
            each.entry_id: f"{each.step}: {each.reason}, {each.detail}"
            for each in store.ledger.rejections(dataset)
        }
        self._splits = manifests.read_splits(store.manifests, dataset)
        self._clips = read_table(store.root, dataset, receipt)
        self._subsets: dict[str, list[str]] = {}
        for name in subsets.subset_names(store.root, dataset):
            marked = subsets.stored_subset(store.root, dataset, name)
            if subsets.stands(store.root, dataset, marked):
                for row in marked.rows:
                    self._subsets.setdefault(row, []).append(name)

    def of(self, entry: CorrectedEntry, file: str) -> Shown:
        name = entry.entry.entry_id
        clips = self._clips.get(name, EntryClips("", ())).clips
        split = self._splits.get(entry.entry.song_id, "")
        return Shown(file, split, self._rejected.get(name, ""), clips, self._subsets)


def _earlier(folder: Path, dataset: str) -> set[str]:
    """List the videos of an earlier export there; `StopRun` where something else is."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return set()
    try:
        info = json.loads((folder / METADATA).read_bytes())["info"]
        is_ours = fiftyone.OURS in info and info["dataset"] == dataset
    except (OSError, ValueError, LookupError, TypeError):
        is_ours = False
    if not is_ours:
        problem = f"holds something else than an export of {dataset} for FiftyOne"
        raise OutputExists(folder, problem, "export into another folder")
    return set(_files_in(folder / SAMPLES))


def _files_in(path: Path) -> Iterator[str]:
    """List the videos that a ``samples.json`` names, of those that an export of ours can."""
    try:
        samples: Sequence[Mapping[str, Any]] = json.loads(path.read_bytes())["samples"]
        files = [str(each["filepath"]) for each in samples]
    except (OSError, ValueError, LookupError, TypeError):
        return
    yield from (file for file in files if file == f"{DATA}/{Path(file).name}")


def _copied(root: Root, video: Asset, place: Path) -> bool:
    """Copy a stored video to a place; false where it is there already, by its size."""
    if place.is_file() and place.stat().st_size == video.size_bytes:
        return False
    with (
        open_asset(root, video.sha256) as source,
        replacing_file(place) as temporary,
        disk_errors(place.parent),
    ):
        shutil.copyfile(source, temporary)
    return True


def _line(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False)
