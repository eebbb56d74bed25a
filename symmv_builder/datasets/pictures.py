"""Pictures of an entry: what was heard as a piano roll, what was seen as a contact sheet."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import pyav
from symmv_builder.crawl.folder import file_name
from symmv_builder.records import Record, Scenes
from symmv_builder.report.contact_sheet import draw_contact_sheet
from symmv_builder.report.piano_roll import draw_piano_roll
from symmv_builder.storage.assets import open_asset
from symmv_builder.storage.outputs import check_outputs
from symmv_builder.storage.root import Root

_FRAME_WIDTH = 320


def draw_entry(
    root: Root,
    name: str,
    records: dict[str, Record],
    out: Path,
    *,
    start_s: float = 0.0,
    overwrite: bool = False,
) -> list[Path]:
    """Write ``NAME.notes.png`` and ``NAME.frames.png`` into a folder; which were written.

    `name` is that of the entry, or of a clip of it, whose video begins at `start_s` of the file.
    A picture whose records are missing (an entry that was put aside early) is left out. `StopRun`
    where a file of that name is there, unless `overwrite`.
    """
    # Records by artifact name: what an artifact is was decided by the recipe.
    by_name: dict[str, Any] = dict(records)
    file = file_name(name)
    score, sheet = out / f"{file}.notes.png", out / f"{file}.frames.png"
    check_outputs([score, sheet], overwrite=overwrite)
    paths = []
    if "notes" in by_name:
        draw_piano_roll(
            score,
            by_name["notes"],
            parts=by_name.get("parts"),
            beats=by_name.get("beats"),
            chords=by_name.get("chords"),
            key=by_name.get("key"),
            title=name,
        )
        paths.append(score)
    if {"scenes", "video_asset"} <= by_name.keys():
        with open_asset(root, by_name["video_asset"].sha256) as video:
            frames = scene_frames(video, by_name["scenes"], start_s)
        draw_contact_sheet(
            sheet,
            frames,
            by_name["scenes"].starts_s[1:].tolist(),
            title=name,
            duration_s=by_name["video_asset"].duration_s,
            motion=by_name.get("motion"),
            emotion=by_name.get("emotion"),
            colour=by_name.get("colour"),
        )
        paths.append(sheet)
    return paths


def scene_frames(
    video: Path, scenes: Scenes, start_s: float = 0.0
) -> list[tuple[float, NDArray[np.uint8]]]:
    """Draw a small picture from the middle of every scene, with its time in seconds.

    Times count from `start_s` of the file.
    """
    return pictures_at(video, ((scenes.starts_s + scenes.ends_s) / 2).tolist(), start_s)


def pictures_at(
    video: Path, times_s: Sequence[float], start_s: float = 0.0
) -> list[tuple[float, NDArray[np.uint8]]]:
    """Read a small picture of a video at each of some moments, in order, with its own time in s.

    Times count from `start_s` of the file. A video that ends before has fewer. Errors are those of
    `pyav.frames`.
    """
    moments_s = list(times_s)
    pictures = []
    for frame in pyav.frames(video):
        if not moments_s:
            break
        if frame.time_s - start_s >= moments_s[0]:
            step = max(1, frame.rgb().shape[1] // _FRAME_WIDTH)
            picture = np.ascontiguousarray(frame.rgb()[::step, ::step])
            pictures.append((frame.time_s - start_s, picture))
            moments_s.pop(0)
    return pictures
