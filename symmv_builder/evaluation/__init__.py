"""How good is it: the metrics of the papers, one module a family, each citing its definition.

Metrics take plain arrays and give plain numbers; where the arrays come from is the business of
`symmv_builder.datasets.evaluate`. A module declares what it measures in ``METRICS`` (`metric`) and
is found by that.
"""

import pkgutil
from importlib import import_module

from symmv_builder.evaluation.metric import EmbeddingMetric, Metric, SongMetric

__all__ = [
    "EmbeddingMetric",
    "Metric",
    "SongMetric",
    "embedding_metrics",
    "metrics",
    "song_metrics",
]


def metrics() -> dict[str, tuple[Metric, ...]]:
    """List the metrics of each module that declares some, by the module's name."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    declared = {name: getattr(import_module(f"{__name__}.{name}"), "METRICS", ()) for name in names}
    return {name: tuple(of_module) for name, of_module in declared.items() if of_module}


def song_metrics() -> tuple[SongMetric, ...]:
    """List what is measured of a song's notes: the five metrics of V-MusProd, then all others."""
    declared = metrics()
    every = (*declared["music"], *(metric for some in declared.values() for metric in some))
    return tuple(dict.fromkeys(metric for metric in every if isinstance(metric, SongMetric)))


def embedding_metrics() -> tuple[EmbeddingMetric, ...]:
    """List the metrics of embeddings of recordings: the Frechet audio distance, then all others."""
    declared = metrics()
    every = (*declared["frechet"], *(metric for some in declared.values() for metric in some))
    return tuple(dict.fromkeys(metric for metric in every if isinstance(metric, EmbeddingMetric)))
