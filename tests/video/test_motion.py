"""Motion against a direct computation from frames that PyAV decodes by itself."""

from pathlib import Path
from typing import Literal

import av
import numpy as np
import pytest

from symmv_builder.timeline import Clock
from symmv_builder.video import frames, motion
from tests.media import Pictures, noise, paint, steady, write_media


def decoded(path: Path) -> list[tuple[float, np.ndarray]]:
    with av.open(str(path)) as container:
        return [
            (float(frame.pts * frame.time_base), frame.to_ndarray(format="rgb24").astype(int))  # type: ignore[operator]
            for frame in container.decode(video=0)
        ]


def expected(path: Path, hop_s: float, adjacent: bool, count: int) -> list[float]:
    native = decoded(path)
    at = [
        max([n for n, (time, _) in enumerate(native) if time <= step * hop_s + 1e-4], default=0)
        for step in range(count)
    ]
    values = [0.0]
    for step in range(1, count):
        other = at[step] - 1 if adjacent else at[step - 1]
        values.append(float(np.abs(native[at[step]][1] - native[max(other, 0)][1]).mean()))
    return values


@pytest.mark.parametrize(
    ("hop_s", "variant"), [(1.0, "adjacent"), (1.0, "sampled"), (0.2, "sampled")]
)
@pytest.mark.parametrize("uneven", [False, True])
def test_motion_equals_the_mean_absolute_difference(
    tmp_path: Path, hop_s: float, variant: Literal["adjacent", "sampled"], uneven: bool
) -> None:
    times = sorted({0.0, *np.random.default_rng(1).integers(0, 5000, 90) / 1000})
    times = [float(time) for time in times] if uneven else steady(120)
    path = write_media(tmp_path / "v.mp4", Pictures([noise(n) for n in range(len(times))], times))
    [track] = frames.watch(path, [motion.watch_motion(hop_s=hop_s, variant=variant)])
    assert track.name == "motion"
    assert track.clock is Clock.VIDEO
    assert track.values.shape[1] == 1
    assert track.values[0, 0] == 0.0
    wanted = expected(path, hop_s, variant == "adjacent", len(track.values))
    np.testing.assert_allclose(track.values[:, 0], wanted, rtol=1e-6, atol=1e-6)


def test_a_still_picture_does_not_move_and_black_to_white_is_255() -> None:
    black, white = np.zeros((8, 8, 3), np.uint8), np.full((8, 8, 3), 255, np.uint8)
    assert motion.difference(black, black) == 0.0
    assert motion.difference(black, white) == motion.difference(white, black) == 255.0


def test_a_frame_that_is_held_does_not_move(tmp_path: Path) -> None:
    path = write_media(
        tmp_path / "v.mp4", Pictures([paint((9, 9, 9)), paint((200, 9, 9))], [0.0, 4.0])
    )
    [track] = frames.watch(path, [motion.watch_motion(hop_s=1.0, variant="sampled")])
    assert track.values[:4, 0].tolist() == [0.0] * 4
    assert track.values[4, 0] > 20
