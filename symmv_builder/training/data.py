"""From shards to batches: one loader for every trainer.

What an epoch's batches are is a function of seed and epoch, whoever prepares them: any
number of workers gives the same batches, and a run that stopped after batch b of epoch e
goes on with batch b + 1 without reading what came before. Workers are threads: decoding,
copying and casting let go of Python's lock, all share one cache, and nothing is pickled.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from symmv_builder.errors import StopRun, WrongSetting
from symmv_builder.text import amount
from symmv_builder.training.padding import Batch, Example, Padding, on_device, scalars, stack
from symmv_builder.training.plan import PlannedStep, plan_epoch
from symmv_builder.training.rows import Rows
from symmv_builder.training.usable import LeftOut

__all__ = [
    "Batch",
    "Batching",
    "Example",
    "Loader",
    "Prepare",
    "Rows",
    "crop",
    "on_device",
    "transposition",
]

Row = dict[str, Any]
Place = tuple[int, int]
Prepare = Callable[[Row, np.random.Generator], Example]

# Batches that each worker may be ahead of the one that is used.
AHEAD = 2
# First words of seeds, so that the plan of an epoch and its rows draw unlike numbers.
_PLAN, _ROW = 1, 2


@dataclass(frozen=True, slots=True)
class Batching:
    """The way rows become batches; `batch_size` is each rank's.

    With `shuffle` every epoch has an order of its own, else all have the shards'. `buckets`
    classes of like length make for less padding, 0 leaves length aside. An epoch's last,
    smaller batch is left out with `drop_last`. `workers` threads prepare batches ahead, and
    0 prepares each when it is asked for; the batches are the same.
    """

    batch_size: int
    seed: int
    shuffle: bool = True
    buckets: int = 0
    workers: int = 0
    drop_last: bool = False

    def __post_init__(self) -> None:
        least = {"batch_size": 1, "seed": 0, "buckets": 0, "workers": 0}
        for name, bound in least.items():
            if getattr(self, name) < bound:
                raise WrongSetting(name, getattr(self, name), f"it has to be {bound} or more")


class Loader:
    """Batches of one rank, epoch by epoch.

    `prepare` makes an example of a row, or raises `UnusableRow`: such a row is noted in
    `left_out` and missing in its batch. Its generator is seeded by seed, epoch and row: crops and
    transpositions are drawn from it. Arrays of the row must not be written, and several workers
    call it at once. `length_of`,
    which buckets need, is a column whose lists are counted, or a function of a row without its
    features. Padding is `pad`'s value of a field or 0, up to a `multiple` of the length.

    A batch maps each field to a tensor (`padding.stack`), and besides holds ``index`` int64
    ``[b]``, the rows' numbers, and ``real`` bool ``[b]``: false where a row only fills a batch
    that would otherwise be empty, so that all ranks take part in every step. Where each row
    may count once, as in validation, weigh by ``real``.
    """

    def __init__(
        self,
        rows: Rows,
        prepare: Prepare,
        batching: Batching,
        *,
        rank: int = 0,
        world: int = 1,
        pad: Padding | None = None,
        length_of: str | Callable[[Row], int] | None = None,
        multiple: int = 1,
        pin: bool = False,
        left_out: LeftOut | None = None,
    ) -> None:
        if not 0 <= rank < world:
            raise ValueError(f"rank {rank} of {world}")
        if batching.buckets and length_of is None:
            raise ValueError("buckets need `length_of`")
        self.rows = rows
        self.prepare = prepare
        self.batching = batching
        self.rank = rank
        self.world = world
        self.left_out = LeftOut() if left_out is None else left_out
        self._pad = dict(pad or {})
        self._multiple = multiple
        self._pin = pin
        self._lengths = _lengths(rows, length_of) if length_of and batching.buckets else None
        self._place = (0, 0)
        self._plan = lru_cache(maxsize=4)(self._make_plan)
        what = f"{rows.dataset} in {rows.root.shown}"
        if not len(rows):
            raise LeftOut().no_rows(what, rows.split)
        if not self._plan(0):
            few = (
                f"{what} has {amount(len(rows), 'row')} of the split {rows.split}, less than a "
                f"batch for each of {world} ranks; use smaller batches"
            )
            raise WrongSetting("batch_size", batching.batch_size, few)

    def _make_plan(self, epoch: int) -> list[PlannedStep]:
        batching = self.batching
        return plan_epoch(
            self.rows.starts,
            self.rows.group_bytes,
            step_rows=batching.batch_size * self.world,
            rng=np.random.default_rng([_PLAN, batching.seed, epoch]),
            shuffle=batching.shuffle,
            lengths=self._lengths,
            buckets=batching.buckets,
            drop_last=batching.drop_last,
        )

    def batches(self, number: int) -> int:
        """Count how many batches each rank gets in that epoch."""
        return len(self._plan(number))

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Iterate over the batches of an epoch, from batch `start` on."""
        places = ((number, batch) for batch in range(start, self.batches(number)))
        for _, batch in self._prepared(places):
            yield batch

    def __iter__(self) -> Iterator[Batch]:
        """Batches from the state on, without end; the state moves with each that is taken."""
        epoch, start = self._place
        first = ((epoch, batch) for batch in range(start, self.batches(epoch)))
        later = ((e, batch) for e in count(epoch + 1) for batch in range(self.batches(e)))
        for (epoch, number), batch in self._prepared(chain(first, later)):
            is_last = number + 1 == self.batches(epoch)
            self._place = (epoch + 1, 0) if is_last else (epoch, number + 1)
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Tell which batch comes next, and of which rows, as JSON can hold it."""
        epoch, batch = self._place
        return {"epoch": epoch, "batch": batch, "rows": self.rows.digest, "step_rows": self._size}

    def load_state_dict(self, state: Mapping[str, Any], *, changed: bool = False) -> None:
        """Go on where another loader stood; `StopRun` where its batches were other ones.

        With `changed` the rows may be others; then the next epoch begins.
        """
        is_other = state.get("rows", self.rows.digest) != self.rows.digest
        if is_other and not changed:
            raise StopRun(
                f"the shards of {self.rows.dataset} changed since this training stopped; "
                "begin a new one in another folder"
            )
        if state.get("step_rows", self._size) != self._size:
            raise StopRun(
                f"this training took {state['step_rows']} rows a step over all ranks, now it "
                f"would take {self._size}; go on with as many ranks as before"
            )
        place = int(state["epoch"]), int(state["batch"])
        self._place = (place[0] + 1, 0) if is_other and place[1] else place

    @property
    def _size(self) -> int:
        return self.batching.batch_size * self.world

    def _prepared(self, places: Iterator[Place]) -> Iterator[tuple[Place, Batch]]:
        """Batches in the order of their places, made here or ahead by workers."""
        workers = self.batching.workers
        if workers == 0:
            for place in places:
                yield place, self._make(place)
            return
        pool = ThreadPoolExecutor(workers, thread_name_prefix="symmv-loader")
        pending: deque[tuple[Place, Future[Batch]]] = deque()
        try:
            for place in places:
                pending.append((place, pool.submit(self._make, place)))
                step = self._plan(place[0])[place[1]]
                for group in step.ahead(self.rank, self.world):
                    pool.submit(self.rows.table, group)
                if len(pending) > workers * AHEAD:
                    first, future = pending.popleft()
                    yield first, future.result()
            while pending:
                first, future = pending.popleft()
                yield first, future.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _make(self, place: Place) -> Batch:
        epoch, number = place
        share = self._plan(epoch)[number].share(self.rank, self.world).tolist()
        examples = [(row, example) for row in share if (example := self._example(row, epoch))]
        real = bool(examples)
        if not real:
            examples = [self._filler(epoch, number)]
        batch = stack([e for _, e in examples], self._pad, multiple=self._multiple, pin=self._pin)
        batch["index"] = scalars([row for row, _ in examples], torch.int64, self._pin)
        batch["real"] = scalars([real] * len(examples), torch.bool, self._pin)
        return batch

    def _filler(self, epoch: int, number: int) -> tuple[int, Example]:
        """Find a row for a batch that has none of its own: the next usable one of the epoch."""
        plan = self._plan(epoch)
        for step in [*plan[number:], *plan[:number]]:
            for row in step.rows.tolist():
                example = self._example(row, epoch)
                if example is not None:
                    return row, example
        raise self.left_out.no_rows(self.rows.dataset, self.rows.split)

    def _example(self, row: int, epoch: int) -> Example | None:
        rng = np.random.default_rng([_ROW, self.batching.seed, epoch, row])
        try:
            return self.left_out.use(
                self.rows.row(row), lambda row_values: self.prepare(row_values, rng)
            )
        except Exception as error:
            error.add_note(f"while preparing row {row} of {self.rows.dataset}, {self.rows.split}")
            raise


def _lengths(rows: Rows, length_of: str | Callable[[Row], int]) -> NDArray[np.int64]:
    if isinstance(length_of, str):
        return rows.lengths(length_of)
    return np.array([length_of(row) for row in rows.without_features()], dtype=np.int64)


def crop(
    example: Example, length: int, rng: np.random.Generator, rates: Mapping[str, int]
) -> Example:
    """Cut the same random stretch of `length` units out of several fields of the example.

    `rates` gives samples a unit by field: ``{"semantic": 6, "motion": 5}`` cuts seconds. An
    example that is not longer stays whole. Views, no copies.
    """
    units = min(len(example[name]) // rate for name, rate in rates.items())
    if units <= length:
        return example
    start = int(rng.integers(units - length + 1))
    cut = {n: example[n][start * rate : (start + length) * rate] for n, rate in rates.items()}
    return example | cut


def transposition(
    pitches: NDArray[Any],
    rng: np.random.Generator,
    *,
    reach: tuple[int, int] = (-5, 6),
    compass: tuple[int, int] = (21, 108),
) -> int:
    """Draw a shift in semitones within `reach` that leaves all pitches within `compass`.

    0 where there is no such shift; both ranges include their ends.
    """
    if len(pitches) == 0:
        return int(rng.integers(reach[0], reach[1] + 1))
    low = max(reach[0], compass[0] - int(pitches.min()))
    high = min(reach[1], compass[1] - int(pitches.max()))
    return int(rng.integers(low, high + 1)) if low <= high else 0
