"""A build whose entries are cut into clips, with stages that make every kind of record at once.

An entry's recording is a JSON text: ``{"seconds": 30.0}``. All that is made of it follows from
that, so a test computes by hand what a clip holds.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from toy_build import no_model

from symmv_builder.clips import Windows
from symmv_builder.crawl.folder import find_entries
from symmv_builder.datasets import remembered
from symmv_builder.datasets.build import Summary, Tell, build, in_processes, take_in
from symmv_builder.datasets.recipe import ClipRules, Recipe
from symmv_builder.datasets.step_table import STEPS
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.pool import Effort
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import (
    Alignment,
    Asset,
    Beats,
    FeatureTrack,
    GridNotes,
    MediaKind,
    Notes,
    Scenes,
    Screened,
)
from symmv_builder.schema import Column
from symmv_builder.storage.assets import hash_file
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from symmv_builder.timeline import Clock

FRAMES_HZ, WAVE_HZ = 25.0, 10.0
# The music runs this much faster than the video, and begins this much later.
PACE, LATER_S = 1.25, 2.0


def _seconds(path: Path) -> float:
    return float(json.loads(path.read_text())["seconds"])


def read_video(video: Path) -> Asset:
    size, seconds = video.stat().st_size, _seconds(video)
    return Asset(hash_file(video), MediaKind.VIDEO, size, "toy", seconds, frame_rate_hz=FRAMES_HZ)


def read_music(music: Path) -> Asset:
    return Asset(hash_file(music), MediaKind.AUDIO, music.stat().st_size, "toy", _seconds(music))


def see_wave(video: Path) -> FeatureTrack:
    """Sample k is k."""
    values = np.arange(round(_seconds(video) * WAVE_HZ), dtype=np.float32)[:, None]
    return FeatureTrack("wave", 1 / WAVE_HZ, values, Clock.VIDEO)


def see_scenes(video: Path, *, shot_s: float = 7.0) -> Scenes:
    """A cut every so many seconds; none where that is 0."""
    seconds = _seconds(video)
    starts = np.arange(0.0, seconds, shot_s) if shot_s else np.zeros(0)
    ends = np.array([*starts[1:], seconds]) if shot_s else np.zeros(0)
    return Scenes(starts, ends, np.round(starts * FRAMES_HZ))


def hear_beats(music: Path) -> Beats:
    """A beat every half second, bars of four, the first downbeat at 1 s."""
    times = np.arange(0.0, _seconds(music), 0.5)
    return Beats(times, (np.arange(len(times)) - 2) % 4 + 1)


def hear_notes(music: Path) -> Notes:
    """A note every quarter of a second, 0.4 s long."""
    starts = np.arange(0.0, _seconds(music), 0.25)
    pitches = 60 + np.arange(len(starts)) % 12
    return Notes(starts, starts + 0.4, pitches, np.full(len(starts), 80))


def put_on_grid(notes: Notes) -> GridNotes:
    """The same notes: each begins on an eighth of the beats."""
    steps = np.round((notes.starts_s - 1.0) * 8).astype(int)
    return GridNotes(
        notes.starts_s, notes.ends_s, notes.pitches, notes.velocities, steps, np.full(len(steps), 2)
    )


def align(music: Path, video: Path) -> Alignment:
    """A point a second of the video, as far as the music goes."""
    seconds = np.arange(0.0, _seconds(video) + 1e-9, 1.0)
    music_s = (seconds - LATER_S) * PACE
    known = (music_s >= 0) & (music_s <= _seconds(music))
    return Alignment(music_s[known], seconds[known], 0.9)


def screen_wave(wave: FeatureTrack, *, max_mean: float = 1e9) -> Screened:
    mean = float(wave.values.mean()) if wave.values.size else 0.0
    if mean > max_mean:
        raise RejectEntry(Reason.STATIC_VIDEO, f"the mean of the wave is {mean:g}")
    return Screened("mean of the wave", mean, max_mean)


def _columns(*fields: tuple[str, str]) -> tuple[Column, ...]:
    return tuple(Column(f"{{}}_{name}", f"list<{kind}>", "", name, name) for name, kind in fields)


_SPANS = (("starts_s", "float64"), ("ends_s", "float64"))
_NOTES = (*_SPANS, ("pitches", "int32"))
VIDEO = Step("toy_video", 1, ("video",), read_video)
MUSIC = Step("toy_music", 1, ("music",), read_music)
WAVE = Step(
    "toy_wave", 1, ("video",), see_wave, columns=(Column("{}", "list<float32>", "", "", "values"),)
)
SCENES = Step(
    *("toy_scenes", 1, ("video",), see_scenes),
    columns=_columns(*_SPANS, ("start_frames", "int32")),
)
BEATS = Step(
    *("toy_beats", 1, ("music",), hear_beats),
    columns=_columns(("times_s", "float64"), ("positions", "int32")),
)
NOTES = Step("toy_notes", 1, ("music",), hear_notes, columns=_columns(*_NOTES))
GRID = Step(
    *("toy_grid", 1, ("notes",), put_on_grid),
    columns=_columns(*_NOTES, ("onset_steps", "int32")),
)
ALIGN = Step(
    *("toy_align", 1, ("music", "video"), align),
    columns=_columns(("music_s", "float64"), ("video_s", "float64")),
)
SCREEN = Step("screen_wave", 1, ("wave",), screen_wave)

for _step in (VIDEO, MUSIC, WAVE, SCENES, BEATS, NOTES, GRID, ALIGN, SCREEN):
    _name = next(name for name, value in list(globals().items()) if value is _step)
    STEPS[_step.name] = f"toy_clips:{_name}"

_USES = (
    use(VIDEO, makes="video_asset"),
    use(MUSIC, makes="music_asset"),
    use(WAVE, makes="wave"),
    use(SCENES, makes="scenes"),
    use(BEATS, makes="beats"),
    use(NOTES, makes="notes"),
    use(GRID, makes="grid"),
)
_ALIGNED = use(ALIGN, makes="alignment")


def recipe(clips: ClipRules | None = None, *, pairs: bool = False) -> Recipe:
    """A dataset of such entries, cut as the rules say, by default into windows of 5 s."""
    results = ("wave", "scenes", "beats", "notes", "grid")
    return Recipe(
        name="toy",
        uses=(*_USES, _ALIGNED) if pairs else _USES,
        shares={"train": 2, "test": 1},
        pairs=pairs,
        results=(*results, "alignment") if pairs else results,
        clips=clips or ClipRules(Windows(5.0, 5.0, 5.0)),
    )


def open_store(root: Path) -> Store:
    root.mkdir(exist_ok=True)
    place = Root(str(root))
    return Store(place, place, Ledger(f"sqlite:///{root}/ledger.sqlite"))


def run(root: Path, made_by: Recipe, folder: Path | None = None, **options: Any) -> Summary:
    """Take a folder in, if one is given, and build in this process."""
    store = open_store(root)
    tell: Tell = options.pop("tell", lambda _: None)
    if folder:
        take_in(store, find_entries(folder, "toy", pairs=made_by.pairs), "toy", lambda _: None)
    remembered.remember(store, made_by)
    plan = Plan("toy", made_by.uses)
    runner = in_processes(plan, store, no_model, effort=Effort(0), tell=tell)
    return build(made_by, plan, store, runner, tell=tell, **options)


def write_media(folder: Path, **seconds: float) -> Path:
    """A recording for each name; names with a dot in them are written with ``_`` in its place."""
    folder.mkdir(exist_ok=True)
    for name, length in seconds.items():
        text = json.dumps({"seconds": length, "of": name})
        (folder / f"{name.replace('_', '.')}.mp4").write_text(text)
    return folder
