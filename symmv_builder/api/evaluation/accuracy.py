"""How right annotations are against references, and whether two results of it differ."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from symmv_builder.datasets import accuracy as measure
from symmv_builder.datasets.accuracy import Accuracy
from symmv_builder.datasets.evaluate import Tell, silent
from symmv_builder.datasets.lacking import explaining
from symmv_builder.evaluation import significance
from symmv_builder.settings import Settings
from symmv_builder.storage.root import Root

# What share of resampled means the intervals hold.
LEVEL = significance.LEVEL


@dataclass(frozen=True, slots=True)
class AccuracyReport:
    """An accuracy: means over songs with intervals, and what was not compared."""

    accuracy: Accuracy

    def as_json(self) -> dict[str, Any]:
        """Give everything as plain data, which `compare` reads."""
        accuracy = self.accuracy
        return {
            "task": accuracy.task,
            "estimate": accuracy.estimate,
            "reference": accuracy.reference,
            "songs": len(accuracy.songs),
            "metrics": accuracy.mean,
            "interval": {
                name: None if math.isnan(ends[0]) else ends
                for name, ends in accuracy.interval.items()
            },
            "level": significance.LEVEL,
            "seed": significance.SEED,
            "per_song": accuracy.songs,
            "unmatched_estimates": list(accuracy.unmatched_estimates),
            "unmatched_references": list(accuracy.unmatched_references),
            "refused": [asdict(refused) for refused in accuracy.refused],
        }


def accuracy(
    settings: Settings,
    task: str,
    estimate: str | Path,
    reference: str | Path,
    *,
    split: str = "all",
    tell: Tell = silent,
) -> AccuracyReport:
    """Measure an estimate against what is right, song by song.

    `task` is ``transcription``, ``chords``, ``melody``, ``key`` or ``beats``; both sides are a
    file, a folder or a dataset of the root, of which `split` is taken. `StopRun` where nothing can
    be compared.
    """
    data, manifests = Root(settings.root), settings.open_manifests()

    def annotations(what: str) -> Any:
        with explaining(manifests, what):
            return measure.annotations_of(task, what, data, split=split, tell=tell)

    ours, real = annotations(str(estimate)), annotations(str(reference))
    return AccuracyReport(measure.measure(task, ours, real))


@dataclass(frozen=True, slots=True)
class Compared:
    """A comparison of two results by metric; `alone` songs are in one of the two only."""

    metrics: Mapping[str, significance.Comparison]
    alone: int


def compare(a: Path, b: Path) -> Compared:
    """Wilcoxon's signed-rank test over the songs of two results that were kept as JSON.

    The difference is A less B, its interval the bootstrap over songs. `StopRun` where a file is no
    such result, or they have no song in common.
    """
    return Compared(*measure.compare_results(a, b))
