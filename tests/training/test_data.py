"""The loader: every row once, the same batches whoever prepares them, and on from anywhere."""

import threading
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from symmv_builder.errors import StopRun
from symmv_builder.storage.root import Root
from symmv_builder.training.data import (
    Batch,
    Batching,
    Example,
    Loader,
    Rows,
    crop,
    transposition,
)
from symmv_builder.training.usable import UnusableRow
from tests.training.small_shards import COLUMNS, ROWS, assert_same, build, loader, prepare


@pytest.fixture
def rows(tmp_path: Path) -> Rows:
    root = Root(str(tmp_path))
    build(root)
    return Rows(root, "muvisync", "train", COLUMNS)


def indices(batches: Iterator[Batch]) -> list[list[int]]:
    return [batch["index"][batch["real"]].tolist() for batch in batches]


def test_a_split_without_rows_or_with_less_than_a_batch_stops(rows: Rows) -> None:
    empty = Rows(rows.root, "muvisync", "test", COLUMNS)
    assert len(empty) == 0
    with pytest.raises(StopRun, match="no row of the split test"):
        loader(empty)
    few = Rows(rows.root, "muvisync", "validation", COLUMNS)
    assert loader(few).batches(0) == 1
    with pytest.raises(StopRun, match=r"1 row .* use smaller batches"):
        loader(few, drop_last=True)


def test_a_damaged_shard_stops_with_its_name_in_a_worker_too(rows: Rows, tmp_path: Path) -> None:
    [first, *_] = sorted((tmp_path / "muvisync" / "shards").glob("train-*"))
    data = bytearray(first.read_bytes())
    data[4:-2000] = bytes(len(data) - 2004)
    first.write_bytes(data)
    for workers in (0, 2):
        with pytest.raises(StopRun, match=rf"cannot read .*{first.name}.*build again") as stop:
            list(loader(rows, workers=workers).epoch(0))
        assert "\n" not in str(stop.value)


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("world", [1, 2, 3])
@pytest.mark.parametrize("buckets", [0, 3])
def test_every_row_comes_once_an_epoch_over_all_ranks(
    rows: Rows, workers: int, world: int, buckets: int
) -> None:
    ranks = [
        loader(rows, workers=workers, rank=rank, world=world, buckets=buckets)
        for rank in range(world)
    ]
    for epoch in (0, 1):
        seen = [indices(one.epoch(epoch)) for one in ranks]
        assert {len(batches) for batches in seen} == {ranks[0].batches(epoch)}
        assert sorted(n for batches in seen for b in batches for n in b) == list(range(ROWS))


def test_a_rank_that_has_no_row_of_the_last_step_fills_in_one_that_does_not_count(
    tmp_path: Path,
) -> None:
    build(Root(str(tmp_path)), count=9)
    nine = Rows(Root(str(tmp_path)), "muvisync", "train", COLUMNS)
    last = [list(loader(nine, rank=rank, world=2).epoch(0))[-1] for rank in (0, 1)]
    assert [batch["real"].tolist() for batch in last] == [[True], [False]]
    assert last[0]["index"].tolist() != [None]
    assert last[1]["density"].shape[0] == 1


def test_two_ranks_together_see_what_one_with_twice_the_batch_sees(rows: Rows) -> None:
    one = loader(rows, batch_size=8, buckets=2)
    two = [loader(rows, rank=rank, world=2, buckets=2) for rank in (0, 1)]
    halves = zip(*(indices(half.epoch(5)) for half in two), strict=True)
    assert [sorted(a + b) for a, b in halves] == [sorted(b) for b in indices(one.epoch(5))]


def test_the_last_smaller_batch_can_be_dropped(rows: Rows) -> None:
    sizes = [len(batch) for batch in indices(loader(rows, drop_last=True).epoch(0))]
    assert sizes == [4] * 5
    assert sum(len(batch) for batch in indices(loader(rows).epoch(0))) == ROWS


@pytest.mark.parametrize("buckets", [0, 2])
def test_the_batches_are_the_same_with_any_number_of_workers(rows: Rows, buckets: int) -> None:
    alone = list(loader(rows, buckets=buckets).epoch(1))
    for workers in (1, 3):
        assert_same(list(loader(rows, buckets=buckets, workers=workers).epoch(1)), alone)


def test_epochs_and_seeds_differ_and_an_epoch_repeats_itself(rows: Rows) -> None:
    orders = [indices(loader(rows, seed=seed).epoch(e)) for seed in (1, 2) for e in (0, 1)]
    assert all(a != b for n, a in enumerate(orders) for b in orders[:n])
    assert_same(list(loader(rows).epoch(4)), list(loader(rows).epoch(4)))


def test_what_a_row_draws_changes_by_epoch_and_by_row_only(rows: Rows) -> None:
    def drawn(epoch: int, **options: Any) -> dict[int, float]:
        batches = loader(rows, **options).epoch(epoch)
        return {
            row: value
            for batch in batches
            for row, value in zip(batch["index"].tolist(), batch["drawn"].tolist(), strict=True)
        }

    first = drawn(0)
    assert drawn(0, batch_size=2, buckets=2, workers=2) == first
    assert len(set(first.values())) == ROWS
    second = drawn(1)
    assert all(second[row] != value for row, value in first.items())


def test_without_shuffling_rows_keep_their_order(rows: Rows) -> None:
    batches = indices(loader(rows, shuffle=False).epoch(3))
    assert [n for batch in batches for n in batch] == list(range(ROWS))


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_goes_on_at_any_batch_and_over_the_end_of_an_epoch(
    rows: Rows, shuffle: bool, workers: int
) -> None:
    options: dict[str, Any] = {"shuffle": shuffle, "buckets": 2}
    whole = list(islice(loader(rows, **options), 14))
    for stop in range(12):
        first = loader(rows, workers=workers, **options)
        for _ in islice(first, stop):
            pass
        state = first.state_dict()
        assert (state["epoch"], state["batch"]) == divmod(stop, 6)
        second = loader(rows, workers=workers, **options)
        second.load_state_dict(state)
        assert_same(list(islice(second, 14 - stop)), whole[stop:])
    assert_same(list(loader(rows, **options).epoch(1, start=2)), whole[8:12])


def test_a_loader_does_not_go_on_among_other_rows_or_ranks(rows: Rows, tmp_path: Path) -> None:
    state = loader(rows).state_dict()
    with pytest.raises(StopRun, match="as many ranks as before"):
        loader(rows, world=2).load_state_dict(state)
    build(Root(str(tmp_path)), count=20)
    other = Rows(Root(str(tmp_path)), "muvisync", "train", COLUMNS)
    with pytest.raises(StopRun, match="shards of muvisync changed"):
        loader(other).load_state_dict(state)


def test_masks_say_what_is_real_and_padding_is_what_was_asked(rows: Rows) -> None:
    padded = 0
    for batch in loader(rows, pad={"density": -1}).epoch(0):
        for place, number in enumerate(batch["index"].tolist()):
            row = rows.row(number)
            length = len(row["density"])
            for name, value in (("density", row["density"]), ("semantic", row["semantic"])):
                mask = batch[f"{name}_mask"][place]
                assert mask.dtype == torch.bool
                assert mask.tolist() == [n < length for n in range(len(mask))]
                found = batch[name][place].numpy()
                wanted = value[:, :4] if value.ndim == 2 else value
                np.testing.assert_array_equal(found[:length], wanted)
                assert (found[length:] == (-1 if name == "density" else 0)).all()
            padded += batch["density"].shape[1] - length
        assert batch["density_mask"].sum(1).max() == batch["density"].shape[1]
    assert padded > 0


def test_a_batch_holds_three_kinds_of_number(rows: Rows) -> None:
    def kinds(row: dict[str, Any], rng: np.random.Generator) -> Example:
        half = row["semantic"]
        return {
            "half": half,
            "double": row["density"].astype(np.float64),
            "byte": np.arange(len(half), dtype=np.uint8),
            "flag": np.ones(2, dtype=np.bool_),
            "turned": half[::-1],
            "many": np.asarray(len(half)),
            "yes": np.asarray(True),
        }

    batch = next(iter(loader(rows, kinds)))
    found = {name: tensor.dtype for name, tensor in batch.items() if "mask" not in name}
    assert found == {
        "half": torch.float32,
        "turned": torch.float32,
        "double": torch.float32,
        "byte": torch.int64,
        "flag": torch.bool,
        "many": torch.int64,
        "yes": torch.bool,
        "index": torch.int64,
        "real": torch.bool,
    }
    for place, length in enumerate(batch["many"].tolist()):
        assert torch.equal(batch["turned"][place, :length].flip(0), batch["half"][place, :length])
    assert batch["many"].tolist() == batch["half_mask"].sum(1).tolist()


def test_lengths_can_be_padded_to_a_multiple(rows: Rows) -> None:
    for batch in loader(rows, multiple=8).epoch(0):
        assert batch["density"].shape[1] in (8, 16)
        assert batch["density_mask"].sum(1).tolist() == [
            3 + n * 5 % 7 for n in batch["index"].tolist()
        ]


@pytest.mark.parametrize("length_of", ["density", lambda row: len(row["density"])])
def test_buckets_make_for_less_padding(rows: Rows, length_of: Any) -> None:
    def padding(buckets: int) -> int:
        batching = Batching(4, 7, buckets=buckets)
        made = Loader(rows, prepare, batching, length_of=length_of)
        masks = [batch["density_mask"] for epoch in range(3) for batch in made.epoch(epoch)]
        return sum(int((~mask).sum()) for mask in masks)

    assert padding(6) < padding(0) / 2


def test_a_length_is_taken_of_a_row_without_its_features(rows: Rows) -> None:
    seen: list[set[str]] = []

    def length_of(row: dict[str, Any]) -> int:
        seen.append(set(row))
        return len(row["density"])

    Loader(rows, prepare, Batching(4, 7, buckets=2), length_of=length_of)
    assert seen == [{"entry_id", "density", "chords_labels"}] * ROWS
    with pytest.raises(ValueError, match="length_of"):
        Loader(rows, prepare, Batching(4, 7, buckets=2))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_row_that_cannot_be_used_is_left_out_and_nothing_else_moves(
    rows: Rows, workers: int
) -> None:
    def some(row: dict[str, Any], rng: np.random.Generator) -> Example:
        if not int(row["entry_id"][-3:]) % 3:
            raise UnusableRow("divisible by three")
        return prepare(row, rng)

    usable = {number for number in range(ROWS) if number % 3}
    every, fewer = loader(rows), loader(rows, some, workers=workers)
    assert fewer.batches(0) == every.batches(0)
    for whole, left in zip(every.epoch(0), fewer.epoch(0), strict=True):
        wanted = [n for n in whole["index"].tolist() if n in usable]
        assert left["index"][left["real"]].tolist() == wanted
        assert len(left["density"]) >= 1
    names = {f"song-{number:03d}" for number in range(0, ROWS, 3)}
    assert fewer.left_out.reasons == dict.fromkeys(names, "divisible by three")
    rest = list(islice(fewer.epoch(1), 2, None))
    assert_same(list(fewer.epoch(1, start=2)), rest)


def test_a_batch_without_any_row_of_its_own_holds_one_that_does_not_count(rows: Rows) -> None:
    def only(row: dict[str, Any], rng: np.random.Generator) -> Example:
        if row["entry_id"] != "song-011":
            raise UnusableRow("another song")
        return prepare(row, rng)

    batches = list(loader(rows, only).epoch(0))
    assert [batch["index"].tolist() for batch in batches] == [[11]] * 6
    assert sum(int(batch["real"].sum()) for batch in batches) == 1


def test_rows_of_which_none_can_be_used_stop(rows: Rows) -> None:
    def none(row: dict[str, Any], rng: np.random.Generator) -> Example:
        raise UnusableRow("too old")

    said = r"no row of muvisync, split train, can be used: 23 rows .* song-000 \(too old\); .* more"
    with pytest.raises(StopRun, match=said):
        next(loader(rows, none).epoch(0))


@pytest.mark.parametrize("workers", [0, 2])
def test_an_error_in_preparing_surfaces_as_itself_and_names_the_row(
    rows: Rows, workers: int
) -> None:
    def broken(row: dict[str, Any], rng: np.random.Generator) -> Example:
        if row["entry_id"] == "song-008":
            raise ZeroDivisionError("eight")
        return prepare(row, rng)

    with pytest.raises(ZeroDivisionError, match="eight") as found:
        list(loader(rows, broken, workers=workers).epoch(0))
    assert found.value.__notes__ == ["while preparing row 8 of muvisync, train"]


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (lambda n: {"a": np.zeros((2, 3 + n % 2))}, "field a: shapes"),
        (lambda n: {"a": np.asarray("text")}, "field a holds <U4"),
        (lambda n: {"a": np.zeros(2), f"b{n}": np.zeros(2)}, "unlike fields"),
        (lambda n: {"a": np.zeros(2, dtype=bool if n % 2 else float)}, "one kind of number"),
    ],
)
def test_examples_that_do_not_agree_are_an_error(rows: Rows, field: Any, message: str) -> None:
    number = iter(range(100))
    with pytest.raises(ValueError, match=message):
        next(loader(rows, lambda row, rng: field(next(number))).epoch(0))


def loader_threads() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("symmv-loader")]


def test_workers_end_with_the_epoch_with_a_break_and_with_an_error(rows: Rows) -> None:
    batches = loader(rows, workers=2).epoch(0)
    next(batches)
    assert len(loader_threads()) == 2
    list(batches)
    assert loader_threads() == []
    for _ in loader(rows, workers=2):
        break
    assert loader_threads() == []
    with pytest.raises(TypeError):
        list(loader(rows, lambda row, rng: len(1), workers=2).epoch(0))  # type: ignore[arg-type,return-value]
    assert loader_threads() == []


def test_workers_are_ahead_by_no_more_than_a_few_batches(rows: Rows) -> None:
    prepared: list[int] = []

    def count(row: dict[str, Any], rng: np.random.Generator) -> Example:
        prepared.append(1)
        return prepare(row, rng)

    batches = iter(loader(rows, count, workers=1, batch_size=1))
    next(batches)
    deadline = time.monotonic() + 5
    while len(prepared) < 3 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)
    assert len(prepared) == 3, "the one that is used, and two ahead"


@pytest.mark.parametrize("field", ["batch_size", "seed", "buckets", "workers"])
def test_a_number_that_makes_no_batches_is_one_line(field: str) -> None:
    with pytest.raises(StopRun, match=f"{field} is -1; it has to be [01] or more"):
        Batching(**({"batch_size": 4, "seed": 7} | {field: -1}))  # type: ignore[arg-type]


def test_a_crop_cuts_the_same_seconds_out_of_tracks_of_unlike_rates() -> None:
    example = {"six": np.arange(60) // 6, "one": np.arange(10), "all": np.zeros(3)}
    starts = set()
    for seed in range(30):
        cut = crop(example, 4, np.random.default_rng(seed), {"six": 6, "one": 1})
        assert cut["six"].tolist() == np.repeat(cut["one"], 6).tolist()
        assert len(cut["one"]) == 4
        assert np.shares_memory(cut["six"], example["six"])
        assert cut["all"] is example["all"]
        starts.add(int(cut["one"][0]))
    assert starts == set(range(7))
    assert crop(example, 10, np.random.default_rng(0), {"six": 6, "one": 1}) == example


def test_a_transposition_stays_on_the_piano_and_within_reach() -> None:
    rng = np.random.default_rng(0)
    middle = np.array([60, 64], dtype=np.uint8)
    assert {transposition(middle, rng) for _ in range(300)} == set(range(-5, 7))
    high = np.array([60, 106], dtype=np.uint8)
    assert {transposition(high, rng) for _ in range(300)} == set(range(-5, 3))
    assert transposition(np.array([21, 108]), rng) == 0
    assert {transposition(middle[:0], rng, reach=(0, 1)) for _ in range(30)} == {0, 1}
