"""One pass over a video, shared by every feature that wants its pictures.

Decoding costs more than most features, so a video is decoded once and its frames are
handed to watchers. The rule of time is the same for all of them: at grid point
``i * hop_s`` the picture is the one on screen, that is the last frame whose timestamp is
not later (the first frame where none is yet), so variable frame rates, gaps and odd
rates need no care elsewhere. Pixels are converted only when a watcher asks for them.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from symmv_builder.backends.pyav import Frame, frames
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.timeline import TOLERANCE_S, grid_length

# How often each file was decoded by this process: what tests and benchmarks count.
passes: Counter[Path] = Counter()


class Watcher(Protocol):
    """A watcher of a video: it looks once every `hop_s` seconds, or at every frame for `None`."""

    hop_s: float | None

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        """Look at one frame; `previous` is the native frame before it.

        `time_s` is the grid point, or the frame's own time where every frame is seen. A
        frame that stays on screen is seen again, as the same object.
        """

    def finish(self, duration_s: float) -> Any:
        """Make the record, once the video has ended after `duration_s` seconds."""


def watch(video: Path, watchers: Sequence[Watcher]) -> list[Any]:
    """Decode a video once and give one record a watcher, in their order.

    A watcher on a grid sees `timeline.grid_length(duration_s, hop_s)` frames, where the
    duration runs from time zero of the file to the end of the last frame.
    Raises `RejectEntry` for a video that cannot be decoded.
    """
    passes[video] += 1
    tickets = [_Ticket(watcher) for watcher in watchers]
    before: Frame | None = None
    current: Frame | None = None
    for frame in frames(video):
        for ticket in tickets:
            ticket.arrived(frame, current, before)
        before, current = current, frame
    if current is None:
        raise RejectEntry(Reason.NO_VIDEO, "the file shows no picture")
    duration_s = current.time_s + current.duration_s
    return [ticket.ended(duration_s, current, before) for ticket in tickets]


class _Ticket:
    """The place of one watcher on its grid."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._grid_index = 0

    def arrived(self, frame: Frame, current: Frame | None, before: Frame | None) -> None:
        """Settle what was on screen until now, as a frame came."""
        if self._watcher.hop_s is None:
            self._watcher.see(frame.time_s, frame, current)
        elif current is not None:
            while self._grid_index * self._watcher.hop_s + TOLERANCE_S < frame.time_s:
                self._watcher.see(self._grid_index * self._watcher.hop_s, current, before)
                self._grid_index += 1

    def ended(self, duration_s: float, current: Frame, before: Frame | None) -> Any:
        if self._watcher.hop_s is not None:
            for step in range(self._grid_index, grid_length(duration_s, self._watcher.hop_s)):
                self._watcher.see(step * self._watcher.hop_s, current, before)
        return self._watcher.finish(duration_s)
