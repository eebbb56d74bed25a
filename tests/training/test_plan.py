"""The plan of an epoch: few row groups at a time, each rank its own, read before they are due."""

from itertools import accumulate
from typing import Any

import numpy as np
import pytest

from symmv_builder.training import plan
from symmv_builder.training.plan import PlannedStep, plan_epoch

GROUPS, ROWS = 40, 25
STARTS = (0, *accumulate([ROWS] * GROUPS))
SMALL = [1000] * GROUPS


def steps_of(sizes: list[int], *, seed: int = 0, **options: Any) -> list[PlannedStep]:
    options = {"step_rows": 8, "shuffle": True} | options
    return plan_epoch(STARTS, sizes, rng=np.random.default_rng(seed), **options)


def groups_of(rows: Any) -> set[int]:
    return {int(row) // ROWS for row in rows}


def test_neighbouring_steps_come_from_a_few_row_groups_that_are_not_read_again() -> None:
    steps = steps_of(SMALL)
    window = -(-plan.STEPS_IN_A_WINDOW * 8 // ROWS)
    for group in range(GROUPS):
        at = [number for number, step in enumerate(steps) if group in groups_of(step.rows)]
        assert max(at) - min(at) <= 40, "two windows and what was left over"
    for first in range(0, len(steps) - 16, 16):
        seen = set().union(*(groups_of(step.rows) for step in steps[first : first + 16]))
        assert len(seen) <= 2 * window + 1
    assert len(groups_of(steps[0].rows)) > 2, "and yet a step's rows are of several"


def test_large_row_groups_make_small_windows() -> None:
    steps = steps_of([plan.WINDOW_BYTES // 2] * GROUPS)
    assert all(len(groups_of(step.rows)) <= 4 for step in steps)
    assert sorted(np.concatenate([step.rows for step in steps])) == list(range(GROUPS * ROWS))


@pytest.mark.parametrize("world", [1, 2, 4])
def test_each_rank_reads_about_its_share_of_the_row_groups(world: int) -> None:
    steps = steps_of(SMALL, step_rows=8 * world)
    read = [
        set().union(*(groups_of(step.share(rank, world)) for step in steps))
        for rank in range(world)
    ]
    everything = sum(len(groups) for groups in read)
    assert everything < 2 * GROUPS, "where each rank read all, it would be one more a rank"
    for step in steps:
        shares = [step.share(rank, world) for rank in range(world)]
        assert sorted(np.concatenate(shares)) == sorted(step.rows)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_windows_row_groups_are_read_ahead_during_the_one_before() -> None:
    read: set[int] = set()
    announced: set[int] = set()
    late = []
    for number, step in enumerate(steps_of(SMALL)):
        if step.place == 0:
            read |= announced
        missing = groups_of(step.rows) - read
        late += [number] if missing else []
        read |= missing
        announced |= set(step.ahead(0, 1))
    assert late, "the first window's steps read for themselves"
    assert max(late) < plan.STEPS_IN_A_WINDOW


def test_ranks_read_ahead_all_row_groups_together_and_few_of_them_twice() -> None:
    ahead: list[list[int]] = [[], [], []]
    steps = steps_of(SMALL, step_rows=9)
    for step in steps:
        for rank in range(3):
            ahead[rank] += step.ahead(rank, 3)
    first = groups_of(np.concatenate([s.rows for s in steps if s.following == steps[0].following]))
    assert set().union(*ahead) | first == set(range(GROUPS))
    windows = sum(step.place == 0 for step in steps)
    assert all(len(set(one)) == len(one) <= GROUPS / 3 + windows for one in ahead)


def test_buckets_put_rows_of_like_length_together_and_shuffle_within() -> None:
    lengths = np.random.default_rng(1).integers(10, 1000, GROUPS * ROWS)

    def spread(buckets: int, **options: Any) -> float:
        steps = steps_of(SMALL, lengths=lengths, buckets=buckets, **options)
        return float(np.mean([np.ptp(lengths[step.rows]) for step in steps]))

    assert spread(0) > 600
    assert spread(8) < 300
    assert spread(8, shuffle=False) < 300
    one, other = (steps_of(SMALL, lengths=lengths, buckets=8, seed=seed)[3].rows for seed in (1, 2))
    assert set(one) != set(other)


def test_nothing_to_plan_is_no_steps() -> None:
    rng = np.random.default_rng(0)
    assert plan_epoch((0,), [], step_rows=4, rng=rng, shuffle=True) == []
