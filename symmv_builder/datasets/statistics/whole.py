"""All figures of a dataset, or of a release of it, in their order on the page."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.datasets.statistics import crawled, seen
from symmv_builder.datasets.statistics.figures import figures_of
from symmv_builder.datasets.statistics.songs import Songs, read_songs
from symmv_builder.datasets.statistics.vectors import read_means
from symmv_builder.errors import MalformedFile, NoRows, NoShards, NotFound
from symmv_builder.files import read_json
from symmv_builder.report.figure import Statistics
from symmv_builder.storage import releases
from symmv_builder.storage.receipts import read_receipt, require_whole
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

RECEIPT = "receipt.json"
_SHARD = re.compile(r"shards/[\w-]+\.parquet")


@dataclass(frozen=True, slots=True)
class Described:
    """A dataset's figures, and the rows' numbers that they were made of."""

    statistics: Statistics
    songs: Songs
    folder: str
    receipt: Mapping[str, Any]


def describe(store: Store, dataset: str, version: str = "") -> Described:
    """Read a dataset's shards, or those of a release of it, and make every figure.

    Memory does not grow with the features; time does with the rows. `StopRun` where nothing is
    built, there is no such release, a shard is damaged, or no row is in it.
    """
    folder, receipt = _place(store, dataset, version)
    return _read(store.root, folder, receipt, (dataset, version), None if version else store)


def describe_release(folder: Path) -> Described:
    """Describe a release in a folder of its own as `describe` does, such as a downloaded one.

    `StopRun` where it holds no receipt of a release; names in it lead to files beside it alone.
    """
    path = folder / RECEIPT
    receipt = read_json(path)
    try:
        name, version = str(receipt["dataset"]), str(receipt["version"])
        places = [str(shard["path"]) for shard in receipt["shards"]]
    except (KeyError, TypeError) as error:
        raise MalformedFile(path, f"it is no receipt of a release: {error}") from error
    if strange := [place for place in places if not _SHARD.fullmatch(place)]:
        raise MalformedFile(path, f"it names a shard that is none: {strange[0]}")
    real = folder.resolve()
    return _read(Root(str(real.parent)), real.name, receipt, (name, version), None)


def _read(
    root: Root, folder: str, receipt: Mapping[str, Any], named: tuple[str, str], store: Store | None
) -> Described:
    dataset, version = named
    shards = receipt["shards"]
    songs = read_songs(root, folder, shards)
    if not len(songs):
        raise NoRows(dataset, "all")
    clip = read_means(root, folder, shards, "semantic")
    colour = read_means(root, folder, shards, "colour")

    def in_python(name: str) -> str:
        version_text = f'"{version}"' if version else ""
        opened = f'symmv_builder.open_dataset("{dataset}", root=ROOT)'
        return f'{opened}.statistics({version_text}).figure("{name}").content'

    figures = figures_of(songs, in_python)
    order = [each.name for each in figures].index("splits")
    figures[order:order] = [
        seen.colours(songs, colour, in_python),
        seen.plane_of_clip(songs, clip, in_python),
    ]
    figures += [
        seen.copies(songs, clip),
        *crawled.funnel(store, dataset, receipt, in_python),
        crawled.models(receipt, in_python),
    ]
    label = f"{dataset} {version}" if version else dataset
    statistics = Statistics(label, _facts(songs, receipt), tuple(figures), _notes(receipt))
    return Described(statistics, songs, folder, receipt)


def _place(store: Store, dataset: str, version: str) -> tuple[str, dict[str, Any]]:
    if version:
        releases.check_version(version)
        released = releases.find_releases(store, dataset)
        if version not in released:
            raise NotFound(f"release of {dataset}", version, store.root.shown)
        return releases.folder_of(dataset, version), released[version]
    receipt = read_receipt(store.root, dataset)
    if receipt is None:
        raise NoShards(dataset, store.root.shown)
    require_whole(store.root, dataset, receipt)
    return dataset, receipt


def _facts(songs: Songs, receipt: Mapping[str, Any]) -> dict[str, str]:
    facts = {"entries": f"{len(songs):,}", "songs": f"{len(set(songs.texts['song_id'])):,}"}
    for name, title in (("music_duration_s", "music"), ("video_duration_s", "video")):
        if name in songs.measures:
            seconds = float(np.nansum(songs.measures[name]))
            # Of a small dataset hours would be none.
            facts[title] = (
                f"{seconds / 3600:,.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"
            )
    if "notes" in songs.measures:
        facts["notes"] = f"{int(songs.measures['notes'].sum()):,}"
    genres = {genre for genre in songs.genres if genre}
    facts["genres"] = str(len(genres)) if genres else "not known"
    size = sum(int(shard["size_bytes"]) for shard in receipt["shards"])
    facts["shards"] = f"{len(receipt['shards'])}, {size / 1e6:,.1f} MB"
    facts["schema"] = str(receipt.get("schema", "not said"))
    return facts


def _notes(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    untrained = [m["backend"] for m in receipt.get("models", []) if not m.get("trained", True)]
    if not untrained:
        return ()
    names = ", ".join(sorted(set(untrained)))
    return (f"{names} has random weights: figures of what it made mean nothing.",)
