"""Tables of scores, confusion matrices as pictures, and how a count is shown."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from symmv_builder.evaluation import music, published_figures, retrieval
from symmv_builder.report.confusion import draw_confusion
from symmv_builder.report.counting import Counting
from symmv_builder.report.score_tables import ScoreLine, scores_table
from symmv_builder.report.tables import plain_text


def test_every_figure_is_there_at_80_columns() -> None:
    ours = ScoreLine("[red]mine[/] on symmv, test", {"sc": 0.5, "pe": 3.25, "pce": 2.0, "ioi": 0.1})
    text = plain_text(
        scores_table("Music", music.METRICS, published_figures.MUSIC, [ours]), width=80
    )
    for figures in published_figures.MUSIC:
        for name, value in figures.values.items():
            if name in ("sc", "pe", "pce", "ioi"):
                assert f"{value:.3f}" in text
    assert "3.250" in text
    assert "[red]mine[/]" in " ".join(text.split())


def test_columns_with_long_headings_are_all_there() -> None:
    """Those of a listening study, one beside another on a narrow terminal."""
    names = ("Music Melody", "Video Content", "Chord Quality", "Accom. Quality", "Overall Ranking")
    columns = [replace(music.METRICS[0], name=name, heading=name) for name in (*names, "a", "b")]
    ours = ScoreLine("starter over cmt", {c.name: 70.0 + n for n, c in enumerate(columns)})
    text = plain_text(scores_table("Preference", columns, (), [ours]), width=80)
    assert all(f" {70 + n}.000" in text for n in range(7))
    assert "Ranking" in text


def test_what_was_not_measured_is_a_dash_and_never_nan() -> None:
    text = plain_text(
        scores_table("VMCP", retrieval.METRICS, (), [ScoreLine("x", {"p5": float("nan")})])
    )
    assert "nan" not in text
    assert text.split().count("-") == 4


def test_differences_carry_their_sign() -> None:
    line = ScoreLine("less", {"p5": 1.0, "p10": -1.0}, is_signed=True)
    text = plain_text(scores_table("VMCP", retrieval.METRICS, (), [line]))
    assert "+1.0" in text
    assert "-1.0" in text


def test_the_same_confusion_gives_the_same_picture(tmp_path: Path) -> None:
    counts = np.diag([5, 0, 2])
    for name in ("one.png", "two.png"):
        draw_confusion(tmp_path / name, counts, ["C", "$x$", "G"], title="root")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def test_many_labels_are_cut_to_the_most_frequent(tmp_path: Path) -> None:
    counts = np.diag(np.arange(157))
    draw_confusion(tmp_path / "all.png", counts, [str(n) for n in range(157)], title="chord")
    assert (tmp_path / "all.png").stat().st_size > 1000


def test_an_empty_matrix_is_no_picture(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing was counted"):
        draw_confusion(tmp_path / "none.png", np.zeros((2, 2)), ["a", "b"], title="root")
    with pytest.raises(ValueError, match="labels"):
        draw_confusion(tmp_path / "none.png", np.eye(2), ["a"], title="root")
    assert not (tmp_path / "none.png").exists()


def test_a_count_is_said_now_and_then() -> None:
    stream, clock = StringIO(), iter([0.0, 1.0, 2.5, 2.5, 3.0, 9.0, 9.0])
    console = Console(file=stream, width=80)
    with Counting(console=console, now=lambda: next(clock)) as counting:
        for number in range(1, 5):
            counting.tell(number, 4, "song.mid")
    assert stream.getvalue().splitlines() == ["2 of 4: song.mid", "4 of 4: song.mid"]
