"""Which process this is among those of a run, and where it computes.

One process alone is rank 0 of 1. Under ``torchrun`` the environment says who is who; the
processes talk over NCCL on GPUs and over gloo without.
"""

import gc
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from symmv_builder.errors import NoDevice, StopRun


@dataclass(frozen=True, slots=True)
class Ranks:
    """This process among `world` many, and its device."""

    rank: int
    world: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        return self.rank == 0


@contextmanager
def join(device: str) -> Iterator[Ranks]:
    """Join the ranks of this run.

    `StopRun` where the device or the other processes are not there.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    place = device_of(device, int(os.environ.get("LOCAL_RANK", "0")) if world > 1 else None)
    if world == 1:
        yield Ranks(0, 1, place)
        return
    try:
        torch.distributed.init_process_group(
            "nccl" if place.type == "cuda" else "gloo",
            device_id=place if place.type == "cuda" else None,
        )
    except (ValueError, RuntimeError) as error:
        cause = str(error).splitlines()[0]
        raise StopRun(
            f"WORLD_SIZE={world}, but the processes do not find each other: {cause}; "
            "start them with torchrun"
        ) from error
    try:
        yield Ranks(torch.distributed.get_rank(), world, place)
    finally:
        # What shares gradients is held in circles: it has to go before the group that it uses, or
        # torch may abort the process at its end.
        gc.collect()
        torch.distributed.destroy_process_group()


def device_of(device: str, local: int | None = None) -> torch.device:
    """Find the device of a name; one of several processes takes the GPU of its number `local`.

    `NoDevice` where the device is not there.
    """
    try:
        place = torch.device(device)
    except RuntimeError as error:
        raise NoDevice(device, f"{device} is no device; use cpu or cuda") from error
    if place.type != "cuda":
        return place
    if not torch.cuda.is_available():
        raise NoDevice(device, f"{device} is asked for, but this torch finds no GPU; use cpu")
    number = (place.index or 0) if local is None else local
    if number >= torch.cuda.device_count():
        problem = (
            f"GPU {number} is wanted, but there are {torch.cuda.device_count()}; "
            "start as many processes as there are GPUs"
        )
        raise NoDevice(device, problem)
    place = torch.device("cuda", number)
    torch.cuda.set_device(place)
    return place


def share(module: nn.Module, ranks: Ranks, *, compiled: bool = False) -> nn.Module:
    """Wrap the module so that gradients are averaged over the ranks, if there are several.

    With `compiled` it is a program first, on a GPU alone: around shared gradients the compiler cuts
    a model into pieces.
    """
    if compiled and ranks.device.type == "cuda":
        module = torch.compile(module)  # type: ignore[assignment]
    if ranks.world == 1:
        return module
    devices = [ranks.device] if ranks.device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(module, device_ids=devices)


def seed_step(seed: int, step: int, rank: int) -> None:
    """Seed torch from the step's number, so that a resumed run draws what the first one drew."""
    torch.manual_seed(((seed * 1_000_003 + step) * 1_009 + rank) % 2**63)


def autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Use bfloat16 for matrix products on a GPU; on a CPU everything stays float32."""
    if device.type != "cuda":
        return nullcontext()
    return torch.autocast("cuda", dtype=torch.bfloat16)


def total(values: Tensor, ranks: Ranks) -> Tensor:
    """Sum a tensor over all ranks, outside of what gradients flow through."""
    if ranks.world > 1:
        values = values.detach().to(ranks.device, copy=True)
        torch.distributed.all_reduce(values)
    return values


def agree(flag: bool, ranks: Ranks) -> bool:
    """Check whether any rank says so: all must leave a loop at the same step."""
    if ranks.world == 1:
        return flag
    return bool(total(torch.tensor(float(flag), device=ranks.device), ranks).item() > 0)
