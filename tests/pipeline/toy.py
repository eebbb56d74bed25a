"""A plan whose steps are trivial, so that tests see the pipeline and nothing else."""

import errno
import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from symmv_builder.errors import Reason, RejectEntry, StopRun
from symmv_builder.pipeline.keys import ModelIdentity, Plan, Work
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Screened
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root


def measure(music: Path, *, factor: int = 1) -> Screened:
    """Size of the recording; what the file says decides what happens."""
    text = music.read_text()
    if "reject" in text:
        raise RejectEntry(Reason.SILENT, "the file says so")
    if "segfault" in text:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "outside" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    if "sleep" in text:
        time.sleep(60)
    if "stop" in text:
        raise StopRun("the weights are gone")
    if "memory" in text:
        raise MemoryError("not that much")
    if "files" in text:
        raise OSError(errno.EMFILE, "Too many open files")
    if "full" in text:
        raise OSError(errno.ENOSPC, "No space left on device")
    if "exit" in text:
        raise SystemExit(3)
    if "bug" in text:
        raise KeyError(f"a bug\0\ud800 of {text}")
    if "long" in text:
        raise ValueError("x" * 1_000_000)
    return Screened("size", float(len(text) * factor), 0.0)


def double(measured: Screened, *, model: float) -> Screened:
    return Screened("double", measured.value * model, 0.0)


MEASURE = Step("measure", 1, reads=("music",), run=measure)
DOUBLE = Step("double", 1, reads=("measured",), run=double, slot="factor")


def plan(factor: int = 1, weights: str = "a" * 64) -> Plan:
    return Plan(
        "toy",
        (
            use(MEASURE, makes="measured", factor=factor),
            use(DOUBLE, makes="doubled", model="two"),
        ),
        {("factor", "two"): ModelIdentity("two", "1", weights)},
    )


def listen(music: Path, listeners: Sequence[str]) -> list[Callable[[], Screened]]:
    """A pass whose steps do the rest when their turn has come; the file says what goes wrong."""
    text = music.read_text()
    hurt(text, "the pass")
    return [partial(rest, text, name) for name in listeners]


def rest(text: str, name: str) -> Screened:
    hurt(text, name)
    return Screened(name, float(len(text)), 0.0)


def hurt(text: str, where: str) -> None:
    if text == f"segfault in {where}":
        os.kill(os.getpid(), signal.SIGSEGV)
    if text == f"sleep in {where}":
        time.sleep(60)


def hear_first() -> str:
    return "first"


def hear_second() -> str:
    return "second"


def weigh(music: Path) -> Screened:
    """Size of the recording, whatever it says."""
    return Screened("weight", float(music.stat().st_size), 0.0)


WEIGH = Step("weigh", 1, ("music",), weigh)
FIRST, SECOND = (
    Step(f"hear_{name}", 1, ("music",), run, together=listen)
    for name, run in (("first", hear_first), ("second", hear_second))
)


def listening_plan() -> Plan:
    """Two steps of one pass, and one between them that takes no part in it."""
    return Plan(
        "toy",
        (use(FIRST, makes="first"), use(WEIGH, makes="weight"), use(SECOND, makes="second")),
    )


def load_model(slot: str, name: str) -> float:
    return {("factor", "two"): 2.0}[slot, name]


def load_slowly(slot: str, name: str) -> float:
    """Hangs as often as the file that the environment names has letters left."""
    left = Path(os.environ["TOY_HANGS"])
    text = left.read_text()
    if text:
        left.write_text(text[1:])
        time.sleep(60)
    return load_model(slot, name)


def load_badly(slot: str, name: str) -> float:
    raise AttributeError(f"{slot} has no {name}")


def load_too_much(slot: str, name: str) -> float:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def start_badly(slot: str, name: str) -> float:
    os._exit(7)


def work(root: Root, folder: Path, name: str, text: str) -> Work:
    """An entry whose two recordings are one file with this text."""
    path = folder / name
    path.write_text(text)
    sha256 = hash_file(path)
    add_asset(root, path, sha256)
    return Work(name, sha256, sha256)
