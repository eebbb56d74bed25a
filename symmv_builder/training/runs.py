"""What a training is given, what it says while it runs, and what it leaves.

Nothing of a `Request` but its data changes what is learned; that is the configuration's alone.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, is_dataclass
from pathlib import Path
from typing import Any

from symmv_builder.errors import FolderTaken, StopRun, TooLittleMemory, UnknownName
from symmv_builder.pipeline.events import Tick
from symmv_builder.storage.root import Root
from symmv_builder.training import PRESETS, blaming, find_trainer
from symmv_builder.training.configs import with_settings
from symmv_builder.training.rows import Rows, SubsetRows
from symmv_builder.training.run_lock import hold_run

__all__ = ["Outcome", "Request", "Tick", "configure", "start"]

CHECKPOINT_S = 300.0
# How a run ends that a signal ended.
BY_SIGNAL = ("interrupted", "terminated")


def _silent(tick: Tick) -> None:
    del tick


def _unsaid(line: str) -> None:
    del line


@dataclass(frozen=True, slots=True)
class Request:
    """The places where a training reads, writes and runs.

    `out` is the run's folder: a run that stopped there is gone on with. `max_s` ends the run
    after so many seconds with a checkpoint from which the same command goes on. In the folder
    `unpacked` decoded features are kept, where there is one: larger than shards, and mapped.
    `note` is given lines for people. A checkpoint is written every `checkpoint_s` seconds, besides
    those that the configuration asks for by steps. With `data_changed` a run goes on though its
    dataset is no longer what it was; with `wait` it waits for another one in its folder to end.
    With a `subset` only the rows of the split train that it names are learned from.
    """

    root: Root
    dataset: str
    out: Path
    device: str = "cpu"
    max_s: float | None = None
    workers: int = 0
    unpacked: Path | None = None
    tell: Callable[[Tick], None] = field(default=_silent)
    note: Callable[[str], None] = field(default=_unsaid)
    checkpoint_s: float = CHECKPOINT_S
    data_changed: bool = False
    wait: bool = False
    subset: frozenset[str] | None = None

    def deadline(self, began: float) -> float:
        """Tell when time is up for a run that began then, both on the clock of `time.monotonic`."""
        return math.inf if self.max_s is None else began + self.max_s

    def rows(self, split: str, columns: Sequence[str], optional: Sequence[str] = ()) -> Rows:
        """Open the rows of a split; `StopRun` as `Rows` raises it."""
        if self.subset is not None and split == "train":
            return SubsetRows(
                self.root, self.dataset, split, columns, self.subset, optional,
                unpacked=self.unpacked,
            )  # fmt: skip
        return Rows(self.root, self.dataset, split, columns, optional, unpacked=self.unpacked)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a training: its last checkpoint, and why it ended.

    `ended` is ``steps`` (all were done), ``early`` (validation no longer fell), ``time``, or
    ``interrupted`` or ``terminated`` by a signal. `left_out` is why a row could not be used, by
    entry, of the rows that this process came to.
    """

    checkpoint: Path
    best: Path
    step: int
    losses: Mapping[str, float]
    ended: str
    left_out: Mapping[str, str] = field(default_factory=dict)


def outcome_of(
    run: Path, state: Mapping[str, Any], losses: Mapping[str, float], left_out: Mapping[str, str]
) -> Outcome:
    """Summarise what the loop in the folder `run` left, which stands at `state`.

    Its last model is the best where none was chosen.
    """
    # Imported here: it brings torch.
    from symmv_builder.training.checkpoint import place_of

    last, best = place_of(run, state["step"]), run / "best"
    best = best if best.is_dir() else last
    return Outcome(last, best, state["step"], losses, state["ended"], dict(left_out))


def configure(trainer: str, preset: str, settings: Mapping[str, str], way: str = "") -> Any:
    """Make the configuration of a trainer's preset with single settings changed.

    `way` (``paper``, ``released``) changes all that the defaults do in another way than the paper
    or the released code; `settings` go before it. `StopRun` where one is not known.
    """
    with blaming(trainer):
        trainer_found = find_trainer(trainer)
        presets, ways = dict(trainer_found.presets), dict(trainer_found.ways)
        if not all(is_dataclass(presets.get(name)) for name in PRESETS):
            raise TypeError(f"its presets {', '.join(PRESETS)} are not all dataclasses")
    if preset not in PRESETS:
        raise UnknownName("preset", preset, PRESETS)
    if way and way not in ways:
        raise UnknownName("way", way, tuple(ways), where=trainer)
    values = {**ways.get(way, {}), **settings}
    return with_settings(presets[preset], values)


def start(trainer: str, config: Any, request: Request) -> Outcome:
    """Train, from the beginning or from where the run in ``request.out`` stopped.

    One process at a time trains in a folder; of several ranks the first holds it for all.
    `StopRun` where another does, where the folder is not that of such a run, and where memory is
    too small or a GPU's compiler fails: both are settings' matter.
    """
    is_first = os.environ.get("RANK", "0") == "0"
    _require_folder_of(trainer, request.out)
    with hold_run(request.out, wait=request.wait) if is_first else nullcontext():
        return _train(trainer, config, request)


def _require_folder_of(trainer: str, out: Path) -> None:
    """Raise `FolderTaken` where a folder holds what is no run of this trainer."""
    from symmv_builder.training import run_folders

    kinds = run_folders.kinds(out)
    others = sorted(kind for kind in kinds if run_folders.trainer_of(kind) != trainer)
    if others:
        raise FolderTaken(out, f"a run of {others[0]}")
    if kinds or not out.exists() or run_folders.is_begun(out):
        return
    if not out.is_dir() or any(out.iterdir()):
        raise FolderTaken(out, "something else than a run")


def _train(trainer: str, config: Any, request: Request) -> Outcome:
    try:
        outcome = find_trainer(trainer).train(config, request)
    except Exception as error:
        cause = str(error).strip().splitlines()[:1] or [type(error).__name__]
        # Of a GPU's memory torch tells in a class, of the CPU's in a RuntimeError's words.
        is_memory = isinstance(error, MemoryError) or "can't allocate memory" in str(error)
        if is_memory or type(error).__name__ == "OutOfMemoryError":
            raise TooLittleMemory(request.device, config.batch_size) from error
        if type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            advice = "compile=false does without a compiler"
            raise StopRun(f"the model cannot be compiled here ({cause[0]}); {advice}") from error
        raise
    if not isinstance(outcome, Outcome):
        raise StopRun(f"the trainer {trainer} gave {type(outcome).__name__}, which is no Outcome")
    return outcome
