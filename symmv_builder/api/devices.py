"""The devices of this machine, as torch finds them in a process of its own.

A torch that is broken ends that process alone, and nobody who asks holds torch in memory.
"""

import importlib.metadata
import json
import subprocess
import sys
from dataclasses import dataclass

from symmv_builder.errors import NoDevice

_PATIENCE_S = 120.0
_QUESTION = """
import json, torch
cuda = torch.version.cuda or ""
names = [torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count())] if cuda else []
print(json.dumps([torch.__version__, cuda, names, torch.get_num_threads()]))
"""


@dataclass(frozen=True, slots=True)
class Torch:
    """The installed build of torch: `cuda` is its CUDA version, empty in a build for the CPU."""

    version: str
    cuda: str
    gpus: tuple[str, ...]
    threads: int

    def fault_of(self, device: str) -> str:
        """Say why models cannot run on a device, ``cuda:1`` for one; empty where they can."""
        if device == "cpu":
            return ""
        if not self.cuda:
            return "this build of torch has no CUDA"
        if not self.gpus:
            return "torch finds no GPU"
        number = int(device.partition(":")[2] or 0)
        if number >= len(self.gpus):
            return f"the last of the GPUs that torch finds is cuda:{len(self.gpus) - 1}"
        return ""


class TorchBroken(Exception):
    """The installed torch cannot be imported; the text is the last line of what it said."""


def find_torch() -> Torch | None:
    """Ask the installed torch, `None` without one; `TorchBroken` where it ends in an error."""
    try:
        importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None
    command = [sys.executable, "-c", _QUESTION]
    process = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S
    )
    if process.returncode:
        lines = process.stderr.strip().splitlines()
        raise TorchBroken(lines[-1] if lines else f"exit code {process.returncode}")
    version, cuda, gpus, threads = json.loads(process.stdout.strip().splitlines()[-1])
    return Torch(version, cuda, tuple(gpus), threads)


def check_device(device: str) -> None:
    """Raise `NoDevice` where models cannot run on a device; of ``cpu`` nothing is asked.

    A torch that is missing or broken is not told of here: the models that need it do.
    """
    if device == "cpu":
        return
    try:
        torch = find_torch()
    except TorchBroken:
        return
    if torch and (fault := torch.fault_of(device)):
        raise NoDevice(device, f"models cannot run on {device}: {fault}")
