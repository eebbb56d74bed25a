"""Videos as the columns of a dataset's row, for a model that learned from such rows.

A row of such a dataset has them; of a video in a file they are made by the dataset's own stages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from symmv_builder import datasets
from symmv_builder.backends import ModelHome, names
from symmv_builder.backends.pyav.excerpts import cut_video
from symmv_builder.clips import clip_id, entry_of, parse_address
from symmv_builder.crawl.folder import file_name, identifier
from symmv_builder.datasets.recipe import Recipe, with_models
from symmv_builder.datasets.recipe_file import SPLITS
from symmv_builder.datasets.watching import columns_of_the_video, watch
from symmv_builder.errors import NoRows, NotFound, Reason, RejectEntry, WrongArguments
from symmv_builder.pipeline.events import Event
from symmv_builder.storage.assets import has_asset, open_asset
from symmv_builder.storage.receipts import PLACE
from symmv_builder.storage.root import Root
from symmv_builder.storage.shard_rows import ShardRows
from symmv_builder.training.composing import Composer, Tell, WatchedVideo

# What says where the clip of a row, or a trimmed entry, lies, and in which recording.
_OF_PARTS = ("video_sha256", *PLACE)


def watch_files(
    paths: Sequence[Path],
    composer: Composer,
    home: ModelHome,
    choices: Mapping[str, str],
    refuse: Callable[[Path, RejectEntry], None],
    tell: Tell = lambda done, of, what: None,
) -> list[WatchedVideo]:
    """Watch videos in files through the stages of the dataset that the model learned from.

    CLIP is the one whose features it knows, unless `choices` name another. Nothing is made that
    the model does not read, and no weights are asked for that this would take; shots alone are
    found for every model, since its pieces are shown under them. What cannot be decoded as a video
    goes to `refuse`, and the others go on. `tell` is told which one is watched, without a count.
    """
    recipe = _as_it_learned(composer, choices)
    shown = {"video_asset", "scenes"}
    unread = {c.name for c in recipe.columns if c.artifact not in shown} - composer.reads
    recipe = replace(recipe, absent=recipe.absent | unread)
    videos: list[WatchedVideo] = []
    for number, path in enumerate(paths):

        def count(_: Event, path: Path = path, number: int = number) -> None:
            of_several = f" ({number + 1} of {len(paths)})" if len(paths) > 1 else ""
            tell(0, 0, f"watching {path.name}{of_several}")

        try:
            if not path.is_file():
                raise RejectEntry(Reason.UNREADABLE, f"{path} is not a file")
            row = watch(path, recipe, home, count)
        except RejectEntry as error:
            refuse(path, error)
        else:
            videos.append(WatchedVideo(name_of(path), row, str(row["video_sha256"]), path))
    return videos


def name_of(video: Path) -> str:
    """Name the piece for a video in a file: a plain name, safe as that of a file."""
    return identifier(video.stem)


def cuts_of(row: Mapping[str, Any]) -> list[float] | None:
    """Tell when a video's row says that it cuts, in seconds; `None` where the row does not know.

    Rows of models that read no scenes may have the seconds since the last cut instead.
    """
    if "scenes_starts_s" in row:
        return [float(start) for start in row["scenes_starts_s"][1:]]
    if "scene_offset" not in row:
        return None
    since = np.asarray(row["scene_offset"], dtype=np.float64)
    places = np.flatnonzero(np.diff(since) < 0) + 1
    return [float(place - since[place]) for place in places]


def _as_it_learned(composer: Composer, choices: Mapping[str, str]) -> Recipe:
    records = {
        str(model["slot"]): str(model["backend"])
        for model in composer.learned_from
        if model.get("slot") == "clip" and str(model["backend"]) in names("clip")
    }
    return with_models(datasets.recipe(composer.dataset), records | dict(choices))


def rows_seen(
    composer: Composer,
    root: Root,
    dataset: str,
    *,
    entries: Sequence[str] = (),
    split: str | None = None,
) -> list[WatchedVideo]:
    """Read videos in rows of a dataset: those of `entries`, or a whole split, in the shards' order.

    An entry that was cut into clips stands for all of them; a clip is named ``ENTRY@SECONDS`` or
    by its id. `StopRun` where an entry is in no shard.
    """
    named = {_row_id(entry): entry for entry in entries}
    columns = [column.name for column in columns_of_the_video(datasets.recipe(composer.dataset))]
    videos = []
    entry_ids: set[str] = set()
    for name in [split] if split else SPLITS:
        rows = ShardRows(root, dataset, name, ("entry_id",), (*columns, *_OF_PARTS))
        for number, row_id in enumerate(rows.entries()):
            names = {row_id, entry_of(row_id)}
            if not entries or names & named.keys():
                row = rows.row(number)
                if "video_duration_s" not in row:
                    row["video_duration_s"] = _length_s(row)
                entry_ids |= names
                # Other people's rows: the name becomes that of a file. Of a clip the store has no
                # file of its own: it is cut out of its entry's (`stored`), as a trimmed video is.
                sha256 = "" if PLACE[0] in row else str(row.get("video_sha256", ""))
                videos.append(WatchedVideo(file_name(row_id), row, sha256))
    missing = sorted(entry for row_id, entry in named.items() if row_id not in entry_ids)
    if missing:
        raise NotFound(f"row of {dataset}", ", ".join(missing), root.shown, tuple(entry_ids))
    if not videos:
        raise NoRows(dataset, split or "all")
    return videos


@contextmanager
def stored(
    root: Root, videos: Sequence[WatchedVideo], refuse: Callable[[str, RejectEntry], None]
) -> Iterator[list[WatchedVideo]]:
    """Add each video's file, where the store has it; clips are cut out of theirs.

    However many clips a video has, it is decoded once. A video that cannot be cut goes to `refuse`,
    or a clip in which it shows no picture, and the others go on.
    """
    with ExitStack() as opened:
        files: dict[str, Path] = {}
        clips: dict[str, list[WatchedVideo]] = {}
        for video in videos:
            sha256 = str(video.row.get("video_sha256", ""))
            if sha256 and sha256 not in files and has_asset(root, sha256):
                files[sha256] = opened.enter_context(open_asset(root, sha256))
            if PLACE[0] in video.row and sha256 in files:
                clips.setdefault(sha256, []).append(video)
        folder = Path(opened.enter_context(TemporaryDirectory(prefix="symmv-")))
        cut: dict[str, Path | None] = {}
        for sha256, clips_of_file in clips.items():
            spans = [(v.row["clip_start_s"], v.row["clip_end_s"]) for v in clips_of_file]
            stems, faults = [folder / video.name for video in clips_of_file], dict[int, str]()
            try:
                outs = cut_video(files[sha256], spans, stems, faults=faults)
            except RejectEntry as error:
                cut |= dict.fromkeys((video.name for video in clips_of_file), None)
                refuse(entry_of(clips_of_file[0].name), error)
            else:
                cut |= {
                    video.name: path for video, (path, _) in zip(clips_of_file, outs, strict=True)
                }
                for number, fault in faults.items():
                    cut[clips_of_file[number].name] = None
                    refuse(clips_of_file[number].name, RejectEntry(Reason.UNREADABLE, fault))
        placed = [
            replace(video, path=cut.get(video.name, files.get(video.sha256))) for video in videos
        ]
        yield [video for video in placed if cut.get(video.name, Path()) is not None]


def _row_id(entry: str) -> str:
    """Name the row of an entry, or of a clip of one, as the shards do."""
    address = parse_address(entry)
    return clip_id(*address) if address else entry


def _length_s(row: Mapping[str, Any]) -> float:
    """Give the seconds of a video whose file nobody here has seen: as many as its features."""
    for name, hop_s in (("emotion", 1.0), ("scene_offset", 1.0), ("motion", 0.2)):
        if name in row:
            return len(row[name]) * hop_s
    raise WrongArguments(
        "these rows hold no features of a video to write music for; a model that was trained "
        "without video writes `count` pieces of `seconds` without `dataset`"
    )
