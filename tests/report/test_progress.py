"""The progress display: right counts, few lines in a log, no markup from names."""

from io import StringIO

from rich.console import Console

from symmv_builder.pipeline.events import Event
from symmv_builder.report.progress import Progress, ProgressCounts, span

STEPS = ["notes", "beats", "key"]


class Watch:
    def __init__(self) -> None:
        self.time_s = 0.0

    def __call__(self) -> float:
        return self.time_s


def run_build(progress: Progress, watch: Watch, *, entries: int = 3, step_s: float = 2.0) -> None:
    """Entries `[b]N`; the second is put aside at its second step."""
    with progress:
        progress.expect(entries)
        for number in range(entries):
            name = f"[b]{number}"
            for step in STEPS:
                progress.on_event(Event("begin", name, step=step))
                watch.time_s += step_s
                if (number, step) == (1, "beats"):
                    progress.on_event(
                        Event("rejected", name, step, reason="no_beats", detail="[/]")
                    )
                    break
                progress.on_event(Event("step", name, step, seconds=step_s, reused=step == "key"))
            else:
                progress.on_event(Event("entry", name))


def quiet(every_s: float) -> tuple[Progress, StringIO, Watch]:
    stream, watch = StringIO(), Watch()
    return Progress(STEPS, console=Console(file=stream), every_s=every_s, now=watch), stream, watch


def test_a_log_gets_one_line_for_each_end_and_few_others() -> None:
    progress, stream, watch = quiet(5.0)
    run_build(progress, watch)
    lines = stream.getvalue().splitlines()
    assert lines[0].startswith("2 of") or lines[0].startswith("0 of 3 entries")
    assert [line for line in lines if line.startswith("done")] == [
        "done       [b]0 (1 of 3, 6.0 s of work)",
        "done       [b]2 (3 of 3, 6.0 s of work)",
    ]
    assert "put aside  [b]1: no_beats at beats: [/]" in lines
    assert len(lines) <= 3 + 16 / 5


def test_a_fast_build_says_nothing_but_what_was_put_aside() -> None:
    progress, stream, watch = quiet(60.0)
    run_build(progress, watch, step_s=0.001)
    assert stream.getvalue().splitlines() == ["put aside  [b]1: no_beats at beats: [/]"]


def test_a_thousand_quick_entries_are_a_line_every_few_seconds() -> None:
    progress, stream, watch = quiet(5.0)
    run_build(progress, watch, entries=1000, step_s=0.005)
    assert len(stream.getvalue().splitlines()) <= 1 + 1000 * len(STEPS) * 0.005 / 5


def test_notes_are_lines_without_control_characters() -> None:
    progress, stream, _ = quiet(60.0)
    with progress:
        progress.on_event(Event("note", "", detail="writing \x1b[31mshards\nnow"))
        progress.on_event(Event("note", "a", detail="not finished"))
    assert stream.getvalue().splitlines() == [
        "writing \ufffd[31mshards now",
        "a: not finished",
    ]


def test_a_terminal_sees_a_table_of_stages_and_rejections() -> None:
    stream, watch = StringIO(), Watch()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    progress = Progress(STEPS, console=console, now=watch)
    run_build(progress, watch)
    shown = stream.getvalue()
    assert "3 of 3 entries" in shown
    assert "put aside: no_beats 1" in shown
    last = shown[shown.rindex("s each") :]
    assert "3/3" in last
    assert last.count("2/2") == 2


def test_time_left_follows_the_entries_that_ended() -> None:
    tally = ProgressCounts(list(STEPS), total=10, settled=2)
    assert tally.left_s(30.0) is None
    for name in ("a", "b"):
        tally.take(Event("entry", name))
    assert tally.left_s(30.0) == 90.0


def test_a_step_told_twice_is_counted_once() -> None:
    tally = ProgressCounts(list(STEPS))
    for _ in range(2):
        tally.take(Event("step", "a", step="notes", seconds=1.0))
    assert tally.done["notes"] == 1
    assert tally.take(Event("entry", "a")) == 1.0


def test_spans_are_said_as_people_say_them() -> None:
    assert [span(x) for x in (4.2, 59.6, 185, 7800)] == [
        "4 s", "1 min 00 s", "3 min 05 s", "2 h 10 min",
    ]  # fmt: skip


def test_what_is_worked_on_is_named_with_its_stage() -> None:
    progress, stream, watch = quiet(5.0)
    with progress:
        progress.expect(9)
        for number in range(6):
            progress.on_event(Event("begin", f"song-{number}", step="notes"))
        watch.time_s += 6.0
        progress.on_event(Event("load", "song-1", detail="the beats model madmom"))
    [line] = stream.getvalue().splitlines()
    assert line.endswith(
        "now song-0: notes, song-1: loading the beats model madmom, song-2: notes, "
        "song-3: notes, 2 more"
    )
