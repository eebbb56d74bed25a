"""What a run writes down as it goes: a line of JSON a step and TensorBoard's events.

A run that goes on from a checkpoint forgets the lines behind it, so that the file is in the
end what an uninterrupted run would have written.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symmv_builder import packages
from symmv_builder.errors import Damaged
from symmv_builder.storage.root import disk_errors

METRICS = "metrics.jsonl"


class Journal:
    """Lines of ``metrics.jsonl`` and events below a run's folder.

    `step` is the last one that the run has behind it. With `silent` nothing is written: of
    several ranks only the first keeps a journal.
    """

    def __init__(self, folder: Path, step: int, *, silent: bool = False) -> None:
        self._path = folder / METRICS
        self._events: Any = None
        if silent:
            return
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            _forget(self._path, step)
        self._events = _event_writer(folder, step)

    def write(
        self, split: str, step: int, epoch: int, values: Mapping[str, float], speed: float = 0.0
    ) -> None:
        """Write one line: the losses of a split behind a step; `speed` in examples a second."""
        if self._events is None:
            return
        line = {"step": step, "epoch": epoch, "split": split, **values}
        if speed:
            line["examples_per_s"] = round(speed, 3)
        with disk_errors(self._path.parent), self._path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        for name, value in values.items():
            self._events.add_scalar(f"{split}/{name}", value, step)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *error: object) -> None:
        if self._events is not None:
            self._events.close()


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Read the lines of a run; a last one that a kill has cut short is left out.

    `Damaged` where any other is not a line of such a journal.
    """
    path = folder / METRICS
    lines = path.read_bytes().split(b"\n") if path.is_file() else []
    metrics = []
    for number, line in enumerate(lines, 1):
        try:
            if line or number < len(lines):
                metrics.append(_line_of(line))
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if number < len(lines):
                cause = f"{type(error).__name__}: {error}".splitlines()[0]
                problem = f"is damaged: line {number} is none of a training ({cause})"
                raise Damaged(path, problem, "remove that line, or the file") from error
    return metrics


def _line_of(text: bytes) -> dict[str, Any]:
    line = dict(json.loads(text.decode()))
    return line | {"step": int(line["step"])}


def _forget(path: Path, step: int) -> None:
    """Cut the file back to the lines up to a step."""
    lines = [line for line in read_metrics(path.parent) if line["step"] <= step]
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text("".join(json.dumps(line) + "\n" for line in lines))
    temporary.replace(path)


def _event_writer(folder: Path, step: int) -> Any:
    with packages.required("train"):
        from torch.utils.tensorboard import SummaryWriter
    return SummaryWriter(str(folder), purge_step=step + 1)
