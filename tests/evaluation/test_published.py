"""The papers' figures as they are printed, checked where the papers' text is at hand."""

import re

import pytest

from symmv_builder.evaluation import published_figures
from symmv_builder.evaluation.music import METRICS


def find(
    rows: tuple[published_figures.Figures, ...], name: str, table: str = ""
) -> dict[str, float]:
    [figures] = [f for f in rows if f.row == name and f.table.startswith(table)]
    return dict(figures.values)


def test_every_row_says_its_paper_and_table() -> None:
    families = (
        published_figures.MUSIC, published_figures.VMCP, published_figures.AMT,
        published_figures.REGRESSOR, published_figures.BEATS, published_figures.AUDIO,
    )  # fmt: skip
    for family in families:
        assert family
        places = [(f.paper, f.table, f.row) for f in family]
        assert len(set(places)) == len(places)
        assert all(f.values for f in family)


def test_the_figures_that_our_models_are_held_against() -> None:
    real = find(published_figures.MUSIC, "Real (SymMV)", "Table 2")
    assert [real[metric.name] for metric in METRICS] == [0.986, 4.197, 2.633, 0.023, 0.184]
    unconditional = find(published_figures.MUSIC, "V-MusProd", "Table 4")
    assert [unconditional[metric.name] for metric in METRICS] == [0.967, 4.070, 2.774, 0.005, 0.171]
    assert find(published_figures.VMCP, "V-MusProd") == {
        "p5": 15.7, "p10": 24.6, "p20": 44.8, "ar": 25.4,
        "sc": 0.983, "pe": 3.940, "pce": 2.607, "ebr": 0.004, "ioi": 0.174,
    }  # fmt: skip
    assert find(published_figures.AMT, "AMT")["matching_loss"] == 0.4662
    assert find(published_figures.REGRESSOR, "Bi-GRU") == {
        "rmse_density": 4.5030,
        "rmse_loudness": 0.0876,
    }


@pytest.mark.twin("test_a_figure_that_is_not_printed_is_named_by_its_row")
@pytest.mark.parametrize(
    ("family", "paper"),
    [
        (published_figures.VMCP, "symmv_v-musprod_vmcp.txt"),
        (published_figures.AMT, "video2music_muvi-sync_amt.txt"),
        (published_figures.REGRESSOR, "video2music_muvi-sync_amt.txt"),
        (published_figures.BEATS, "v2meow.txt"),
        (published_figures.AUDIO, "v2meow.txt"),
    ],
)
def test_every_figure_is_printed_on_one_line_of_its_paper(
    family: tuple[published_figures.Figures, ...], paper: str, shared_data: object
) -> None:
    text = (shared_data.parent / "papers" / paper).read_text()  # type: ignore[attr-defined]
    assert not_printed(family, text) == []


def not_printed(family: tuple[published_figures.Figures, ...], text: str) -> list[str]:
    """The rows whose figures do not all stand on one line of a text."""
    lines = [set(map(float, re.findall(r"\d+\.\d+", line))) for line in text.splitlines()]
    return [
        figures.row
        for figures in family
        if not any(set(figures.values.values()) <= line for line in lines)
    ]


def test_a_figure_that_is_not_printed_is_named_by_its_row() -> None:
    """On a table as two of the papers' own rows are printed, one of them with a wrong digit."""
    table = "LSTM 4.6247 0.0892\nBi-GRU 4.5030 0.0876\nGRU 4.6030 0.0889\n"
    assert not_printed(published_figures.REGRESSOR, table) == ["FC", "Bi-LSTM", "GRU"]
