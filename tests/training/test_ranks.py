"""Ranks: alone, and two processes that torchrun starts and that share their gradients."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from symmv_builder.errors import NoDevice, StopRun
from symmv_builder.training.ranks import Ranks, agree, autocast, join, seed_step, share, total

ROOT = Path(__file__).resolve().parents[2]

TWO = """
import json, sys
import torch
from torch import nn
from symmv_builder.training.ranks import agree, join, seed_step, share, total

with join("cpu") as ranks:
    torch.manual_seed(ranks.rank)
    module = nn.Linear(3, 2)
    learner = share(module, ranks)
    x = torch.arange(24.0).reshape(8, 3)[ranks.rank :: ranks.world]
    learner(x).square().mean().backward()
    seed_step(5, 6, ranks.rank)
    mine = torch.tensor([float(ranks.rank + 1), 10.0])
    found = {
        "rank": ranks.rank,
        "world": ranks.world,
        "first": ranks.is_first,
        "weight": module.weight.tolist(),
        "gradient": module.weight.grad.tolist(),
        "drawn": torch.rand(1).item(),
        "total": total(mine, ranks).tolist(),
        "mine": mine.tolist(),
        "one says so": agree(ranks.rank == 1, ranks),
        "none says so": agree(False, ranks),
    }
    with open(f"{sys.argv[1]}/{ranks.rank}.json", "w") as file:
        json.dump(found, file)
    # What shares gradients goes before the ranks part.
    del learner
assert not torch.distributed.is_initialized()
"""


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("two")
    (folder / "two.py").write_text(TWO)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    # Under load torch has aborted a process at its very end, behind what is tested here: the files
    # are what counts.
    subprocess.run(
        [*torchrun, "--nproc-per-node", "2", folder / "two.py", folder],
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        timeout=200,
    )
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.mark.slow
def test_two_processes_are_two_ranks_of_which_one_is_first(two: list[dict[str, Any]]) -> None:
    assert [one["rank"] for one in two] == [0, 1]
    assert [one["world"] for one in two] == [2, 2]
    assert [one["first"] for one in two] == [True, False]


@pytest.mark.slow
def test_two_processes_begin_alike_and_share_the_gradient_of_the_whole_batch(
    two: list[dict[str, Any]],
) -> None:
    torch.manual_seed(0)
    module = nn.Linear(3, 2)
    module(torch.arange(24.0).reshape(8, 3)).square().mean().backward()
    gradient = module.weight.grad
    assert gradient is not None
    for one in two:
        assert one["weight"] == module.weight.tolist(), "the first rank's, on both"
        torch.testing.assert_close(torch.tensor(one["gradient"]), gradient)
    assert two[0]["gradient"] == two[1]["gradient"]


@pytest.mark.slow
def test_two_processes_add_up_and_agree_but_draw_apart(two: list[dict[str, Any]]) -> None:
    for one in two:
        assert one["total"] == [3.0, 20.0]
        assert one["mine"] == [one["rank"] + 1, 10.0], "what is summed stays as it was"
        assert one["one says so"] is True
        assert one["none says so"] is False
    assert two[0]["drawn"] != two[1]["drawn"]


def test_one_process_alone_shares_nothing() -> None:
    with join("cpu") as ranks:
        assert ranks == Ranks(0, 1, torch.device("cpu"))
        assert ranks.is_first
        module, values = nn.Linear(2, 2), torch.ones(2)
        assert share(module, ranks) is module
        assert torch.equal(total(values, ranks), values)
        assert agree(True, ranks)
        assert not agree(False, ranks)
        with autocast(ranks.device):
            assert module(values).dtype == torch.float32


def test_a_step_draws_the_same_whatever_was_drawn_before() -> None:
    def draw(*place: int) -> float:
        seed_step(*place)
        return torch.rand(1).item()

    first = draw(1, 2, 0)
    torch.rand(17)
    assert draw(1, 2, 0) == first
    places = [(1, 2, 0), (1, 3, 0), (2, 2, 0), (1, 2, 1), (2**62, 2, 0)]
    assert len({draw(*place) for place in places}) == len(places)


@pytest.mark.parametrize("device", ["gpu", "cuda:x", ""])
def test_a_device_that_is_none_is_one_line(device: str) -> None:
    with pytest.raises(NoDevice, match="use cpu or cuda") as stop, join(device):
        pass
    assert "\n" not in str(stop.value)


def test_a_gpu_that_is_not_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(NoDevice, match="finds no GPU; use cpu"), join("cuda"):
        pass
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(NoDevice, match="GPU 7 is wanted, but there are 2"), join("cuda:7"):
        pass
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "3")
    with pytest.raises(NoDevice, match="GPU 3 is wanted, but there are 2"), join("cuda"):
        pass


def test_a_world_without_torchrun_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    for name in ("RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(StopRun, match="start them with torchrun") as stop, join("cpu"):
        pass
    assert "\n" not in str(stop.value)
