"""A run whose dataset has changed says what changed, and goes on where it is told to."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from symmv_builder.cli.advice import advised
from symmv_builder.errors import DataChanged, StopRun
from symmv_builder.storage.root import Root
from symmv_builder.training import checkpoint
from symmv_builder.training.amt.loading import KIND
from symmv_builder.training.amt.train import train
from symmv_builder.training.journal import read_metrics
from symmv_builder.training.runs import Outcome, Request
from tests.training.amt.amt_rows import TINY, amt_row, write_rows

FOREVER = replace(TINY, steps=60, patience=None)


def rows(*numbers: int, held_out: tuple[int, ...] = (90, 91)) -> list[dict[str, Any]]:
    return [
        *(amt_row(number) for number in numbers),
        *(amt_row(number, split="validation") for number in held_out),
    ]


def run(root: Root, out: Path, steps: int, **request: Any) -> Outcome:
    return train(replace(FOREVER, steps=steps), Request(root, "muvisync", out, **request))


def test_entries_that_came_and_went_are_named_and_the_run_goes_on(tmp_path: Path) -> None:
    root = write_rows(tmp_path / "data", rows(0, 1, 2, 3, 4, 5))
    run(root, tmp_path / "run", 3)
    root = write_rows(tmp_path / "data", rows(0, 1, 2, 3, 4, 7, 8))
    with pytest.raises(DataChanged) as stop:
        run(root, tmp_path / "run", 9)
    said = advised(stop.value)
    assert "muvisync has changed since" in said
    assert "train: 2 entries added (song-007, song-008), 1 entry removed (song-005)" in said
    assert "validation" not in said
    assert "--data-changed" in said
    assert "\n" not in said
    notes: list[str] = []
    outcome = run(root, tmp_path / "run", 9, data_changed=True, note=notes.append)
    assert (outcome.step, outcome.ended) == (9, "steps")
    [note] = notes
    assert "going on with the rows as they are now, from the next epoch on" in note
    trained = [line for line in read_metrics(tmp_path / "run") if line["split"] == "train"]
    assert [line["step"] for line in trained] == list(range(1, 10))
    # Six rows are two batches of four: the third step began the second epoch, the fourth the third.
    assert [line["epoch"] for line in trained[:4]] == [0, 0, 1, 2]
    assert run(root, tmp_path / "run", 12).step == 12, "now it remembers the rows of today"


def test_other_rows_of_validation_choose_the_best_anew(tmp_path: Path) -> None:
    root = write_rows(tmp_path / "data", rows(0, 1, 2, 3))
    run(root, tmp_path / "run", 4)
    root = write_rows(tmp_path / "data", rows(0, 1, 2, 3, held_out=(90, 95)))
    with pytest.raises(StopRun, match=r"\(validation: 1 entry added \(song-095\), 1 entry"):
        run(root, tmp_path / "run", 6)
    run(root, tmp_path / "run", 6, data_changed=True)
    last = checkpoint.read(tmp_path / "run" / "checkpoints" / "00000006", KIND)
    scores = [line["loss"] for line in read_metrics(tmp_path / "run") if "hits1" in line]
    assert last.state["best"] == scores[-1], "what other rows gave does not compare"


def test_the_same_entries_with_other_contents_are_told(tmp_path: Path) -> None:
    root = write_rows(tmp_path / "data", rows(0, 1, 2, 3))
    run(root, tmp_path / "run", 3)
    changed = rows(0, 1, 2, 3)
    changed[0]["density"] = changed[0]["density"] + 1
    root = write_rows(tmp_path / "data", changed)
    with pytest.raises(StopRun, match=r"\(train: 1 of 1 shards hold something else\)"):
        run(root, tmp_path / "run", 4)
    assert run(root, tmp_path / "run", 4, data_changed=True).step == 4


def test_a_run_that_is_done_says_so_of_the_same_data_alone(tmp_path: Path) -> None:
    root = write_rows(tmp_path / "data", rows(0, 1, 2, 3))
    first = run(root, tmp_path / "run", 3)
    assert run(root, tmp_path / "run", 3) == first
