"""How work goes on: trainings by their journals, crawls by their funnels, breakers.

Read from what builds, crawls and trainings write down as they go; nothing is asked of them.
"""

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from symmv_builder.api.crawl import funnel
from symmv_builder.datasets.job import breakers
from symmv_builder.errors import Damaged, NotFound
from symmv_builder.settings import Settings
from symmv_builder.storage.items import Items
from symmv_builder.training.journal import METRICS, read_metrics

__all__ = [
    "Breaker",
    "TrainingRun",
    "crawl_funnel",
    "flow_pages",
    "open_breakers",
    "training_run",
    "training_runs",
]

Curve = tuple[tuple[int, float], ...]
# A journal is a line a step; a larger one is none of ours to read for a page.
_MOST_BYTES = 256 * 2**20
_MOST_POINTS = 400


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A run's folder by its name: its last step, when it wrote last, and its curves.

    `curves` are values over steps by what they measure and the split, thinned out; `fault` says
    why they cannot be read.
    """

    name: str
    step: int
    written_s: float
    curves: Mapping[str, Mapping[str, Curve]]
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Breaker:
    """A reason that keeps crawls from the network, and for how many seconds more."""

    name: str
    rests_s: float


def training_runs(folder: Path) -> dict[str, Path]:
    """List the folders of runs in a folder, itself included, that have a journal; by name.

    Where a run trains several parts one after the other, each is named as in ``my-run: chord``.
    """
    names = {folder.name: folder}
    for run in _folders_in(folder):
        names[run.name] = run
        names |= {f"{run.name}: {part.name}": part for part in _folders_in(run)}
    return {name: place for name, place in names.items() if (place / METRICS).is_file()}


def _folders_in(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []


def training_run(folder: Path, name: str) -> TrainingRun:
    """Find the run of that name among those of a folder; `StopRun` where there is none."""
    place = training_runs(folder).get(name)
    if place is not None:
        return _read(name, place)
    raise NotFound("run", name, str(folder))


def _read(name: str, place: Path) -> TrainingRun:
    about = (place / METRICS).stat()
    if about.st_size > _MOST_BYTES:
        return TrainingRun(name, 0, about.st_mtime, {}, "its journal is too large to show")
    try:
        lines = read_metrics(place)
    except Damaged as error:
        return TrainingRun(name, 0, about.st_mtime, {}, str(error))
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for line in lines:
        for measure, value in line.items():
            if measure in ("step", "epoch", "split", "examples_per_s"):
                continue
            if isinstance(value, int | float) and math.isfinite(value):
                of_name = curves.setdefault(measure, {})
                of_name.setdefault(str(line.get("split")), []).append((line["step"], float(value)))
    thin = {
        measure: {s: _thinned(c) for s, c in splits.items()} for measure, splits in curves.items()
    }
    return TrainingRun(name, lines[-1]["step"] if lines else 0, about.st_mtime, thin)


def _thinned(points: list[tuple[int, float]]) -> Curve:
    """Thin points to at most so many, the last one included."""
    step = math.ceil(len(points) / _MOST_POINTS)
    sparse = points[:: max(1, step)]
    return tuple(sparse if sparse[-1] == points[-1] else [*sparse, points[-1]])


def crawl_funnel(settings: Settings, dataset: str) -> list[dict[str, object]]:
    """Count how many recordings of a crawl are in each state, and why they were put aside."""
    return list(funnel(Items(settings.open_store(read_only=True).ledger), dataset))


def flow_pages(environment: Mapping[str, str] | None = None) -> str:
    """Give the address of Prefect's own pages, where the environment names its server; else "".

    `PREFECT_UI_URL` says it itself; else it is that of `PREFECT_API_URL` without its ``/api``.
    """
    env = os.environ if environment is None else environment
    pages, server = (env.get(f"PREFECT_{n}_URL", "").rstrip("/") for n in ("UI", "API"))
    address = pages or (server.removesuffix("/api") if server.endswith("/api") else "")
    return address if address.startswith(("http://", "https://")) else ""


def open_breakers(
    settings: Settings, *, now: Callable[[], float] = time.time
) -> tuple[Breaker, ...]:
    """Tell what keeps crawls from the network at this moment."""
    items = Items(settings.open_store(read_only=True).ledger)
    rests = [Breaker(name, until_s - now()) for name, until_s in breakers(items)]
    return tuple(each for each in rests if each.rests_s > 0)
