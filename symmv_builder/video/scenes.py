"""Where the shots change, and how long each one has lasted.

MuVi-Sync (Kang et al. 2024, section 3.2.3) finds shots with PySceneDetect's adaptive
detector and gives each second the time since the last change. TransNet V2 (Soucek and
Lokoc 2020) is the other detector. A video without a cut is one scene.
"""

from collections.abc import Mapping
from math import ceil

import numpy as np

from symmv_builder.backends.pyav import Frame
from symmv_builder.backends.slots import CutFinder, SceneModel
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack, Scenes
from symmv_builder.schema import Column
from symmv_builder.timeline import TOLERANCE_S, grid_length, grid_times
from symmv_builder.video import frames


class _SceneWatcher:
    def __init__(self, finder: CutFinder) -> None:
        self.hop_s: float | None = None
        self._finder = finder
        self._times_s: list[float] = []

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        finder = self._finder
        width, height = finder.size(frame.width, frame.height)
        finder.see(frame.small(width, height, finder.layout, finder.interpolation), time_s)
        self._times_s.append(time_s)

    def finish(self, duration_s: float) -> Scenes:
        cuts = self._finder.cuts()
        starts_s = [0.0, *(self._times_s[cut] for cut in cuts)]
        return Scenes(
            starts_s=np.array(starts_s),
            ends_s=np.array([*starts_s[1:], duration_s]),
            start_frames=np.array([0, *cuts]),
        )


def watch_scenes(
    *, model: SceneModel, threshold: float | None = None, min_scene_frames: int | None = None
) -> _SceneWatcher:
    """Shots of a video; the first starts at 0, each ends where the next starts.

    `threshold` and `min_scene_frames` are the detector's (PySceneDetect: ratio 3.0, 15
    frames or one second, whichever is shorter; TransNet V2: probability 0.5, 1 frame); `None`
    keeps its default.
    """
    return _SceneWatcher(model.finder(threshold=threshold, min_scene_frames=min_scene_frames))


def offset_scenes(scenes: Scenes, *, hop_s: float = 1.0) -> FeatureTrack:
    """Count seconds since the scene on screen was first sampled, values ``[t, 1]``.

    As MuVi-Sync's release counts: the grid point at or after a cut is 0, the next
    `hop_s`, so a scene that starts inside a second counts from the next whole second, and
    one that holds no grid point leaves no trace.
    """
    length = grid_length(float(scenes.ends_s[-1]) if len(scenes.ends_s) else 0.0, hop_s)
    first = np.array([ceil((start - TOLERANCE_S) / hop_s) for start in scenes.starts_s])
    points = np.arange(length)
    latest = first[np.searchsorted(first, points, side="right") - 1] if length else points
    values = grid_times(length, hop_s) - latest * hop_s
    return FeatureTrack("scene_offset", hop_s, values.astype(np.float32)[:, None], scenes.clock)


COLUMNS = (
    Column("{}_starts_s", "list<float64>", "s, video", "first frame of each shot", "starts_s"),
    Column("{}_ends_s", "list<float64>", "s, video", "end of each shot", "ends_s"),
    Column("{}_start_frames", "list<int32>", "frame", "number of each shot's first frame",
           "start_frames"),
)  # fmt: skip


def offset_columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare the column; the rate is a setting."""
    meaning = f"seconds since the last cut, at {1 / use.parameters['hop_s']:.3g} Hz"
    return (Column("{}", "list<float32>", "s", meaning, "values"),)


STEP = Step(
    "scenes",
    2,
    ("video",),
    watch_scenes,
    slot="scenes",
    together=frames.watch,
    columns=COLUMNS,
)
OFFSET = Step("scene_offset", 1, ("scenes",), offset_scenes, columns=offset_columns)
