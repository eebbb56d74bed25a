"""What a run writes down, and what it forgets when it goes on."""

import sys
from pathlib import Path

import pytest

from symmv_builder.errors import Damaged, MissingPackage
from symmv_builder.training.journal import METRICS, Journal, read_metrics


def write(folder: Path, behind: int, *steps: int) -> None:
    with Journal(folder, behind) as journal:
        for step in steps:
            journal.write("train", step, 0, {"loss": 1.0 / step}, 12.3456)


def test_a_line_says_step_split_and_losses(tmp_path: Path) -> None:
    write(tmp_path, 0, 1, 2)
    assert read_metrics(tmp_path) == [
        {"step": 1, "epoch": 0, "split": "train", "loss": 1.0, "examples_per_s": 12.346},
        {"step": 2, "epoch": 0, "split": "train", "loss": 0.5, "examples_per_s": 12.346},
    ]


def test_lines_behind_the_checkpoint_and_one_cut_short_are_forgotten(tmp_path: Path) -> None:
    write(tmp_path, 0, 1, 2, 3, 4)
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 5, "epo')
    write(tmp_path, 2, 3)
    assert [line["step"] for line in read_metrics(tmp_path)] == [1, 2, 3]
    assert all(line.endswith("}") for line in (tmp_path / METRICS).read_text().splitlines())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (b'{"step": 1}\n{"step": 2, "lo\n{"step": 3}\n', 2),
        (b'\xff\xfe\n{"step": 3}\n', 1),
        (b'{"step": 1}\n[]\n', 2),
        (b'{"step": 1}\n{"epoch": 2}\n', 2),
        (b'{"step": 1}\n\n{"step": 2}\n', 2),
        (b"[" * 100_000 + b"\n", 1),
    ],
    ids=["half a line", "not UTF-8", "a list", "no step", "an empty line", "deeply nested"],
)
def test_a_damaged_line_that_is_not_the_last_is_one_line(
    text: bytes, line: int, tmp_path: Path
) -> None:
    (tmp_path / METRICS).write_bytes(text)
    with pytest.raises(Damaged, match=rf"metrics.jsonl is damaged: line {line} is none") as stop:
        Journal(tmp_path, 5)
    assert "\n" not in str(stop.value)
    assert (tmp_path / METRICS).read_bytes() == text


def test_a_silent_journal_writes_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "run", 0, silent=True) as journal:
        journal.write("train", 1, 0, {"loss": 1.0})
    assert not (tmp_path / "run").exists()


def test_without_tensorboard_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingPackage, match=r"pip install 'symmv-builder\[train\]'"):
        Journal(tmp_path, 0)
