"""Generated music beside the real, as models hear it: Frechet distance, KLD, MCC."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.backends import ModelIdentity, ModelLoader, backend_class, identify, names
from symmv_builder.datasets.evaluate import Refused, Tell, is_dataset, silent
from symmv_builder.datasets.lacking import explaining
from symmv_builder.datasets.sounds import (
    Ear,
    PieceTables,
    Question,
    hear_dataset,
    hear_files,
    paired,
)
from symmv_builder.errors import CannotMeasure, WrongSetting
from symmv_builder.evaluation import (
    EmbeddingMetric,
    Metric,
    embedding_metrics,
    frechet,
    published_figures,
    semantics,
)
from symmv_builder.evaluation.published_figures import Figures
from symmv_builder.records import Floats
from symmv_builder.settings import Settings
from symmv_builder.storage.root import Root
from symmv_builder.training.vmcp.hearing import SLOT

# The models that hear recordings, the default first.
EARS = names(SLOT)
# The embedding of the papers' Frechet distances that stand beside ours.
_PUBLISHED_OVER = "vggish"

Paths = str | Path | Sequence[str | Path]


@dataclass(frozen=True, slots=True)
class Both:
    """Generated and real music as one model heard them; `name` says which, or whose tables.

    `model` is `None` where every side is a table of others, `is_alone` true where none is.
    """

    ours: PieceTables
    real: PieceTables
    name: str
    model: ModelIdentity | None
    is_alone: bool
    untrained: tuple[str, ...]

    @property
    def refused(self) -> tuple[Refused, ...]:
        """Files that could not be read."""
        return (*self.ours.refused, *self.real.refused)

    def about(self, what: str) -> dict[str, Any]:
        """Tell what JSON says of any of the metrics; `what` is what the model was asked for."""
        return {
            what: self.name,
            "model": asdict(self.model) if self.model else None,
            "untrained": list(self.untrained),
            "refused": [asdict(refused) for refused in self.refused],
            "unusable": {**self.ours.left_out, **self.real.left_out},
        }


def _hear(
    question: Question,
    settings: Settings,
    generated: Sequence[str | Path],
    reference: Paths,
    backend: str | None,
    sound: str,
    split: str,
    tell: Tell,
) -> Both:
    data, manifests = Root(settings.root), settings.open_manifests()
    ear = Ear(ModelLoader(settings.home), question, backend, sound)  # type: ignore[arg-type]
    if not hasattr(backend_class(SLOT, ear.name), question):
        cause = "it gives no tags; a model that does is musicnn"
        raise WrongSetting("model", ear.name, cause)

    def heard(paths: Sequence[str | Path]) -> PieceTables:
        if len(paths) == 1 and is_dataset(data, str(paths[0])):
            with explaining(manifests, str(paths[0])):
                return hear_dataset(data, str(paths[0]), split, ear, tell=tell)
        return hear_files([Path(path) for path in paths], ear, tell=tell)

    real_paths = [reference] if isinstance(reference, str | Path) else list(reference)
    sides = (heard(generated), heard(real_paths))
    by_model = any(side.by_model for side in sides)
    by_others = any(side.by_others for side in sides)
    model = identify(SLOT, ear.name, settings.home) if by_model else None
    untrained = {name for side in sides for name in side.untrained}
    if model and not model.trained:
        untrained.add(model.backend)
    name = " and ".join([ear.name] * by_model + ["tables of others"] * by_others)
    return Both(*sides, name, model, not by_others, tuple(sorted(untrained)))


@dataclass(frozen=True, slots=True)
class DistanceReport:
    """Metrics of two sets of embeddings [n, dimensions], `counts` of them a side.

    `values` are by the metrics' names; ``fad`` is the Frechet distance. Where the set of a side is
    too small its covariance is not of full rank, and that distance comes out too large.
    """

    both: Both
    values: Mapping[str, float]
    counts: tuple[int, int]
    dimensions: int
    is_full_rank: bool
    published: Sequence[Figures]
    columns: Sequence[EmbeddingMetric]

    def as_json(self) -> dict[str, Any]:
        """Give everything as plain data."""
        return {
            "metrics": dict(self.values),
            **self.both.about("embedding"),
            "embeddings": {"generated": self.counts[0], "reference": self.counts[1]},
            "dimensions": self.dimensions,
            "is_full_rank": self.is_full_rank,
            "published": [asdict(row) for row in self.published],
        }


def audio(
    settings: Settings,
    *paths: str | Path,
    reference: Paths,
    backend: str | None = None,
    sound: str = "recording",
    split: str = "test",
    tell: Tell = silent,
) -> DistanceReport:
    """Measure generated music beside the real: Frechet audio distance and each `EmbeddingMetric`.

    Both are recordings, MIDI, tables of embeddings, folders, or one dataset of the root; `backend`
    hears them, rows as ``recording`` or ``rendered``. `StopRun` where there is no distance.
    """
    both = _hear("embed", settings, paths, reference, backend, sound, split, tell)
    tables = (both.ours.table, both.real.table)
    try:
        sets = [frechet.gaussian(table) for table in tables]
        for what, one in zip(("generated", "real"), sets, strict=True):
            if one.count < one.width:
                raise ValueError(
                    f"{one.count} {what} examples are fewer than the {one.width} dimensions of "
                    f"{both.name}"
                )
    except ValueError as error:
        raise CannotMeasure(f"there is no Frechet distance: {error}") from error
    declared = embedding_metrics()
    values = {metric.name: _measured(metric, *tables) for metric in declared}
    is_comparable = (
        both.is_alone
        and both.model is not None
        and both.model.trained
        and both.model.backend == _PUBLISHED_OVER
    )
    return DistanceReport(
        both,
        values,
        (sets[0].count, sets[1].count),
        sets[0].width,
        all(one.is_full for one in sets),
        published_figures.AUDIO if is_comparable else (),
        declared,
    )


def _measured(metric: EmbeddingMetric, ours: Floats, real: Floats) -> float:
    try:
        return metric.measure(ours, real)
    except ValueError as error:
        raise CannotMeasure(f"there is no {metric.heading}: {error}") from error


@dataclass(frozen=True, slots=True)
class PairsReport:
    """Pieces against their originals: the mean over pairs, and over pieces and originals of others.

    `width` is the number of classes or dimensions, `alone` are pieces without an original.
    """

    metric: Metric
    both: Both
    agreement: semantics.Agreement
    width: int
    alone: tuple[str, ...]
    asked: str
    counted: str

    def as_json(self) -> dict[str, Any]:
        """Give everything as plain data."""
        name = self.metric.name
        metrics = {name: self.agreement.own, f"{name}_others": self.agreement.others}
        return {
            "metrics": metrics,
            **self.both.about(self.asked),
            self.counted: self.width,
            "pairs": self.agreement.pairs,
            "without_pair": list(self.alone),
            "published": [],
        }


def kld(
    settings: Settings,
    *paths: str | Path,
    reference: Paths,
    backend: str | None = None,
    sound: str = "recording",
    split: str = "test",
    tell: Tell = silent,
) -> PairsReport:
    """V2Meow's divergence of class probabilities between each piece and its original (KLD).

    The classes are the tags of the model that hears, or tables [n, classes] of any classifier.
    `StopRun` where nothing pairs, or the tables are no probabilities of one width.
    """
    both = _hear("tag", settings, paths, reference, backend, sound, split, tell)
    pairs, alone = paired(both.ours, both.real)
    try:
        originals = [semantics.class_distribution(table) for _, table in both.real.tables]
        pieces = [semantics.class_distribution(table) for _, table, _ in pairs]
        result = semantics.kld(pieces, originals, [number for *_, number in pairs])
    except ValueError as error:
        raise CannotMeasure(f"there is no divergence: {error}") from error
    return PairsReport(
        semantics.KLD, both, result, len(originals[0]), tuple(alone), "classifier", "classes"
    )


def mcc(
    settings: Settings,
    *paths: str | Path,
    reference: Paths,
    backend: str | None = None,
    sound: str = "recording",
    split: str = "test",
    tell: Tell = silent,
) -> PairsReport:
    """V2Meow's mean cosine similarity of embeddings of each piece and its original (MCC).

    Embeddings as by `audio`. `StopRun` where nothing pairs.
    """
    both = _hear("embed", settings, paths, reference, backend, sound, split, tell)
    pairs, alone = paired(both.ours, both.real)
    originals = np.stack([table.mean(axis=0) for _, table in both.real.tables])
    pieces = np.stack([table.mean(axis=0) for _, table, _ in pairs])
    result = semantics.mcc(pieces, originals, [number for *_, number in pairs])
    width = int(originals.shape[1])
    return PairsReport(semantics.MCC, both, result, width, tuple(alone), "embedding", "dimensions")
