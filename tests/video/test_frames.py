"""The one pass: which frame a watcher sees at which time, and that it is one pass."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.pyav import Frame
from symmv_builder.errors import RejectEntry
from symmv_builder.video import colour, frames, motion, scenes, semantic
from tests.media import Pictures, Samples, noise, steady, tone, write_media


class Notebook:
    """Writes down what it is shown."""

    def __init__(self, hop_s: float | None) -> None:
        self.hop_s = hop_s
        self.seen: list[tuple[float, int, int | None]] = []
        self.frames: list[Frame] = []

    def see(self, time_s: float, frame: Frame, previous: Frame | None) -> None:
        self.seen.append((round(time_s, 6), frame.index, previous.index if previous else None))
        self.frames.append(frame)

    def finish(self, duration_s: float) -> tuple[list[tuple[float, int, int | None]], float]:
        return self.seen, duration_s


def video(path: Path, times_s: list[float], rate: int = 25) -> Path:
    pictures = [noise(number) for number in range(len(times_s))]
    return write_media(path, Pictures(pictures, times_s, Fraction(rate)))


def on_screen(times_s: list[float], duration_s: float, hop_s: float) -> list[int]:
    """The rule in its plainest form."""
    count = int(np.ceil((duration_s - 1e-4) / hop_s))
    return [
        max([n for n, time in enumerate(times_s) if time <= step * hop_s + 1e-4], default=0)
        for step in range(count)
    ]


@pytest.mark.parametrize("hop_s", [1.0, 0.2, 1 / 6, 0.04, 0.01])
@pytest.mark.parametrize("rate", [24, 25, 30, 12])
def test_the_frame_at_a_grid_point_is_the_one_on_screen(
    tmp_path: Path, hop_s: float, rate: int
) -> None:
    times = steady(rate * 2 + 3, rate)
    path = video(tmp_path / "v.mp4", times, rate)
    [(seen, duration_s)] = frames.watch(path, [Notebook(hop_s)])
    assert duration_s == pytest.approx(len(times) / rate, abs=1e-3)
    assert [index for _, index, _ in seen] == on_screen(times, duration_s, hop_s)
    assert [time for time, _, _ in seen] == [round(n * hop_s, 6) for n in range(len(seen))]
    assert all(previous == (index - 1 if index else None) for _, index, previous in seen)


def test_a_frame_that_stays_on_screen_is_seen_again(tmp_path: Path) -> None:
    times = [0.0, 0.3, 3.5, 3.6]
    book = Notebook(1.0)
    [(seen, _)] = frames.watch(video(tmp_path / "v.mp4", times), [book])
    assert [index for _, index, _ in seen] == [0, 1, 1, 1]
    assert book.frames[1] is book.frames[3]
    assert [previous for _, _, previous in seen] == [None, 0, 0, 0]


def test_before_the_first_frame_the_first_frame_is_seen(tmp_path: Path) -> None:
    late = Pictures([noise(n) for n in range(30)], [2.5 + time for time in steady(30)])
    path = write_media(tmp_path / "late.mkv", late, Samples(tone(4.0)))
    [(seen, duration_s)] = frames.watch(path, [Notebook(1.0)])
    assert duration_s == pytest.approx(3.7, abs=0.01)
    assert [index for _, index, _ in seen] == [0, 0, 0, 12]


def test_a_watcher_without_a_hop_sees_every_frame_at_its_own_time(tmp_path: Path) -> None:
    times = [0.0, 0.3, 0.35, 2.0]
    [(seen, _)] = frames.watch(video(tmp_path / "v.mp4", times), [Notebook(None)])
    assert seen == [(0.0, 0, None), (0.3, 1, 0), (0.35, 2, 1), (2.0, 3, 2)]


def test_each_watcher_gets_the_record_that_it_would_get_alone(tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", steady(60))
    hops = [None, 1.0, 1 / 6]
    together = frames.watch(path, [Notebook(hop) for hop in hops])
    alone = [frames.watch(path, [Notebook(hop)])[0] for hop in hops]
    assert together == alone


def test_all_features_of_a_video_take_one_decode(tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4", steady(60))
    clip = load("clip", "untrained-512", ModelHome())
    adaptive = load("scenes", "adaptive", ModelHome())
    before = frames.passes[path]
    records = frames.watch(
        path,
        [
            motion.watch_motion(hop_s=0.2, variant="sampled"),
            semantic.watch_semantic(model=clip, hop_s=1 / 6),
            colour.watch_colour(bins=16),
            scenes.watch_scenes(model=adaptive),
        ],
    )
    assert frames.passes[path] == before + 1
    assert [len(record.values) for record in records[:3]] == [12, 15, 3]
    assert records[3].ends_s[-1] == pytest.approx(2.4)


def test_steps_of_the_one_pass_name_it_and_read_the_video() -> None:
    for step in (motion.STEP, semantic.STEP, colour.STEP, scenes.STEP):
        assert step.together is frames.watch
        assert step.reads == ("video",)


def test_a_video_that_cannot_be_decoded_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_text("no video")
    with pytest.raises(RejectEntry):
        frames.watch(path, [Notebook(1.0)])
