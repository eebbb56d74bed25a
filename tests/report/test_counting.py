"""How a count is shown, and that results printed meanwhile stay where they belong."""

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from symmv_builder.pipeline.events import Event, Tick
from symmv_builder.report.counting import Counting
from symmv_builder.report.learning import Learning
from symmv_builder.report.progress import Progress


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_without_a_terminal_a_line_now_and_then() -> None:
    out, clock = StringIO(), Clock()
    with Counting(console=Console(file=out, width=20), every_s=2.0, now=clock) as counting:
        for done, clock.now in enumerate((0.5, 2.0, 2.5, 4.0)):
            counting.tell(done, 4, "songs of a name longer than the line")
    assert out.getvalue().splitlines() == [
        "1 of 4: songs of a name longer than the line",
        "3 of 4: songs of a name longer than the line",
    ]


def test_a_share_is_shown_in_percent_and_what_has_no_count_by_its_name_alone() -> None:
    out = StringIO()
    with Counting(percent=True, console=Console(file=out), every_s=0.0) as counting:
        counting.tell(0, 0, "watching holiday.mp4")
        counting.tell(67, 100, "melody, piece 1 of 1")
        counting.tell(1, 1, "writing sound and video of holiday")
    assert out.getvalue().splitlines() == [
        "watching holiday.mp4",
        "67 %: melody, piece 1 of 1",
        "100 %: writing sound and video of holiday",
    ]


def test_on_a_terminal_one_moving_line_that_leaves_nothing_behind() -> None:
    out = StringIO()
    with Counting(console=Console(file=out, force_terminal=True, width=60)) as counting:
        counting.tell(1, 4, "songs")
    assert "1 of 4: songs" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")


def count(console: Console) -> None:
    with Counting(console=console) as counting:
        counting.tell(1, 4, "songs")
        print("a result")


def learn(console: Console) -> None:
    with Learning(console=console) as learning:
        learning.on_tick(Tick("chord", 1, 4, 0, {"loss": 1.0}))
        print("a result")


def build(console: Console) -> None:
    with Progress(["motion"], console=console) as progress:
        progress.on_event(Event("begin", "a", "motion"))
        print("a result")


@pytest.mark.parametrize("show", [count, learn, build])
def test_a_piped_result_stays_in_the_pipe_while_a_terminal_shows_progress(
    show: Callable[[Console], None], capsys: pytest.CaptureFixture[str]
) -> None:
    out = StringIO()
    show(Console(file=out, force_terminal=True, width=60))
    assert capsys.readouterr().out == "a result\n"
    assert "a result" not in out.getvalue()
