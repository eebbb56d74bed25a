"""What a trained model is worth on a split: its trainer's own score, with what stands behind it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from symmv_builder.datasets import evaluate as measure
from symmv_builder.datasets.lacking import explaining
from symmv_builder.datasets.remembered import require_receipt
from symmv_builder.errors import NoSuchPath, UnknownName, WrongArguments
from symmv_builder.report.confusion import draw_confusion
from symmv_builder.settings import Settings
from symmv_builder.storage.root import Root, disk_errors
from symmv_builder.training import find_trainer, model_scores
from symmv_builder.training.trainer import Confusion, ModelScore, Option, ScoreRequest

__all__ = ["ModelScore", "ModelScores", "Option", "model_scores", "score", "scores_of"]

# Of what there was how many: no measure of the model.
_COUNTS = ("songs", "seconds", "videos")


@dataclass(frozen=True, slots=True)
class ModelScores:
    """The result of a model's own score.

    It holds numbers by name, what was counted, matrices by name, and why a row could not be used,
    by entry. `by` is the score itself.
    """

    by: ModelScore

    model: Path
    dataset: str
    split: str
    metrics: Mapping[str, float]
    counts: Mapping[str, int]
    facts: Mapping[str, Any]
    confusion: Mapping[str, Any]
    untrained: tuple[str, ...]
    left_out: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Give everything as plain data."""
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
            "published": [asdict(row) for row in self.by.published],
        }

    def draw(self, folder: Path) -> list[Path]:
        """Write a PNG of each confusion matrix in which anything was counted."""
        files = []
        with disk_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            for name, matrix in self.confusion.items():
                if not any(map(any, matrix["counts"])):
                    continue
                path = folder / f"confusion-{name}.png"
                draw_confusion(
                    path,
                    matrix["counts"],
                    matrix["labels"],
                    title=f"Confusion: {name}",
                    true=self.by.confusions[name].rows,
                )
                files.append(path)
        return files


def scores_of(trainer: str, run: Path) -> list[ModelScore]:
    """List the scores of a trainer by which the checkpoints of a run can be measured."""
    # Imported here: it brings torch.
    from symmv_builder.training.run_folders import kinds

    kinds_present = kinds(run)
    return [by for by in find_trainer(trainer).scores if by.kind in kinds_present]


def score(
    settings: Settings,
    name: str,
    model: str | Path,
    dataset: str,
    *,
    split: str = "test",
    tell: measure.Tell = measure.silent,
    **options: Any,
) -> ModelScores:
    """Measure the best model of the training run in the folder `model` on a split of a dataset.

    `name` is that of a trainer's score (`model_scores`: ``amt``, ``regressor``, ``cmt``, ``vmcp``,
    ``relevance`` and those of other packages), `options` are those that it declares; numbers that
    it gives by themselves are metrics, too. `StopRun` where a folder or the split is missing.
    """
    by = model_scores()[name]
    values = _option_values(by, options)
    folder, data = Path(model), Root(settings.root)
    if not folder.is_dir():
        raise NoSuchPath(folder, "folder of a training run")
    if split == measure.ALL_SPLITS:
        raise WrongArguments(
            "a model is measured on one split; `split` takes train, validation or test"
        )
    manifests = settings.open_manifests()
    require_receipt(data, manifests, dataset)
    _, _, receipt = measure.rows_of_split(data, dataset, split, ["entry_id"])

    def count(done: int, of: int) -> None:
        tell(done, of, "songs")

    request = ScoreRequest(folder, data, dataset, split, settings.home.device, values, count)
    with explaining(manifests, dataset):
        measured = dict(by.measure(request))
    confusion, left_out = dict(measured.pop("confusion", {})), dict(measured.pop("left_out", {}))
    named = {**measured, **measured.pop("metrics", {})}
    numbers = {name: value for name, value in named.items() if _is_number(value)}
    untrained = {*measure.untrained_models(receipt)}
    ear = named.get("embedding")
    if ear and not ear["trained"]:
        untrained.add(ear["backend"])
    return ModelScores(
        by,
        folder,
        dataset,
        split,
        metrics={name: value for name, value in numbers.items() if name not in _COUNTS},
        counts={name: int(numbers[name]) for name in _COUNTS if name in numbers},
        facts={n: v for n, v in measured.items() if n not in numbers and n != "metrics"},
        confusion={
            name: _labelled(by.confusions[name], matrix) for name, matrix in confusion.items()
        },
        untrained=tuple(sorted(untrained)),
        left_out=left_out,
    )


def _option_values(by: ModelScore, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give a value to each option of a score; `StopRun` for an unknown one, or a missing folder."""
    declared = {option.name: option for option in by.options}
    if unknown := sorted(set(options) - set(declared)):
        raise UnknownName(f"option of {by.name}", unknown[0], tuple(declared))
    values = {name: option.checked(options.get(name)) for name, option in declared.items()}
    for value in values.values():
        if isinstance(value, Path) and not value.is_dir():
            raise NoSuchPath(value, "folder")
    return values


def _labelled(confusion: Confusion, matrix: Any) -> dict[str, Any]:
    """Label counts with the names of their rows and columns."""
    rows = matrix.tolist() if hasattr(matrix, "tolist") else [list(row) for row in matrix]
    return {"labels": list(confusion.labels), "counts": rows}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
