"""What a trained model is worth on a split: its trainer's own score, with what stands behind it."""

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from symmv_builder.datasets import evaluate as measure
from symmv_builder.errors import StopRun
from symmv_builder.evaluation import chord_hits, published
from symmv_builder.evaluation.published import Figures
from symmv_builder.pipeline.events import Tick
from symmv_builder.report.confusion import draw_confusion
from symmv_builder.settings import Settings
from symmv_builder.storage.root import Root, disk_errors
from symmv_builder.vocab import MUVISYNC_LABELS

# The module below `training` that has a kind of model's `score`, and the papers' figures.
_SCORES: Mapping[str, tuple[str, Sequence[Figures]]] = {
    "amt": ("amt.score", published.AMT),
    "regressor": ("amt.regressor.score", published.REGRESSOR),
    "vmcp": ("vmcp.score", published.VMCP),
    "relevance": ("vmcp.relevance", ()),
}
# How many videos the papers' music finds its own among.
PUBLISHED_POOL = published.VMCP_POOL
# Of what there was how many: no measure of the model.
_COUNTS = ("songs", "seconds", "videos")
# What the rows and columns of a model's confusion matrices are called.
_LABELS: Mapping[str, Sequence[str]] = {
    "chord": MUVISYNC_LABELS,
    "root": chord_hits.ROOT_NAMES,
    "quality": chord_hits.QUALITY_NAMES,
    "emotion": chord_hits.QUALITY_NAMES[:-1],
}


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model's own score gave: numbers by name, what was counted, matrices by name, and why
    a row could not be used, by entry.
    """

    model: Path
    dataset: str
    split: str
    metrics: Mapping[str, float]
    counts: Mapping[str, int]
    facts: Mapping[str, Any]
    confusion: Mapping[str, Any]
    untrained: tuple[str, ...]
    left_out: Mapping[str, str]
    published: Sequence[Figures]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain data."""
        return {
            "model": str(self.model),
            "dataset": self.dataset,
            "split": self.split,
            **self.counts,
            "metrics": self.metrics,
            "architecture": self.facts.get("model"),
            **{k: v for k, v in self.facts.items() if k not in ("model", "dataset")},
            **({"confusion": self.confusion} if self.confusion else {}),
            "unusable": dict(self.left_out),
            "untrained": list(self.untrained),
            "published": [asdict(row) for row in self.published],
        }

    def draw(self, folder: Path) -> list[Path]:
        """Write a PNG of each confusion matrix in which anything was counted."""
        drawn = []
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name, matrix in self.confusion.items():
                if not any(map(any, matrix["counts"])):
                    continue
                path = folder / f"confusion-{name}.png"
                true = "fits the emotion" if name == "emotion" else "true"
                draw_confusion(
                    path, matrix["counts"], matrix["labels"], title=f"Confusion: {name}", true=true
                )
                drawn.append(path)
        return drawn


def score(
    settings: Settings,
    kind: str,
    model: str | Path,
    dataset: str,
    *,
    split: str = "test",
    music: str | Path | None = None,
    sound: str | None = None,
    tell: measure.Tell = measure.silent,
) -> Scored:
    """Measure the best model of the training run in the folder `model` on a split of a dataset.

    `kind` is ``amt``, ``regressor``, ``vmcp`` or ``relevance``; numbers that a score gives by
    themselves are metrics, too. For the last two `music` is a folder of generated music instead of
    the rows' own, and `sound` how it is heard: ``recording`` or ``rendered``. `StopRun` where a
    folder or the split is missing.
    """
    more = _more(music, sound)
    folder, data = Path(model), Root(settings.root)
    if not folder.is_dir():
        raise StopRun(f"{folder} is not a folder; --model takes the folder of a training run")
    if split == measure.ALL_SPLITS:
        raise StopRun("a model is measured on one split; --split takes train, validation or test")
    _, _, receipt = measure.rows_of_split(data, dataset, split, ["entry_id"])
    module, figures = _SCORES[kind]
    # Imported here: it brings torch.
    own_score = importlib.import_module(f"symmv_builder.training.{module}").score
    made: dict[str, Any] = own_score(
        folder, data, dataset, split, settings.home.device, _telling(tell), **more
    )
    confusion, left_out = dict(made.pop("confusion", {})), dict(made.pop("left_out", {}))
    named = {**made, **made.pop("metrics", {})}
    numbers = {name: value for name, value in named.items() if _is_number(value)}
    untrained = {*measure.untrained_models(receipt)}
    ear = named.get("embedding")
    if ear and not ear["trained"]:
        untrained.add(ear["backend"])
    return Scored(
        folder,
        dataset,
        split,
        metrics={name: value for name, value in numbers.items() if name not in _COUNTS},
        counts={name: int(numbers[name]) for name in _COUNTS if name in numbers},
        facts={n: v for n, v in made.items() if n not in numbers and n != "metrics"},
        confusion={name: _labelled(name, matrix) for name, matrix in confusion.items()},
        untrained=tuple(sorted(untrained)),
        left_out=left_out,
        published=figures,
    )


def _more(music: str | Path | None, sound: str | None) -> dict[str, Any]:
    """What a score is told of the music to hear; `StopRun` where `music` is no folder."""
    told: dict[str, Any] = {}
    if music is not None:
        told["music"] = Path(music)
        if not told["music"].is_dir():
            raise StopRun(f"{music} is not a folder; --music takes a folder of music")
    if sound is not None:
        told["sound"] = str(sound)
    return told


def _telling(tell: measure.Tell) -> Any:
    """What a trainer may tell: a `Tick`, or counts of what is done and what there is."""

    def count(done: Any, of: int = 0, what: str = "songs") -> None:
        if isinstance(done, Tick):
            tell(done.step, done.steps, done.part)
        else:
            tell(int(done), of, what)

    return count


def _labelled(name: str, matrix: Any) -> dict[str, Any]:
    """Counts with the names of their rows and columns."""
    if isinstance(matrix, Mapping):
        counts, labels = matrix["counts"], matrix["labels"]
    else:
        counts, labels = matrix, _LABELS[name]
    rows = counts.tolist() if hasattr(counts, "tolist") else [list(row) for row in counts]
    return {"labels": list(labels), "counts": rows}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
