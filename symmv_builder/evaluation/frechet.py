"""Frechet audio distance between two sets of embeddings, whatever model made them.

Kilgour et al., "Fréchet Audio Distance: A Metric for Evaluating Music Enhancement Algorithms",
Interspeech 2019, equation 1: the distance of two Gaussians with the sets' means and covariances,

    |m1 - m2|^2 + tr(C1) + tr(C2) - 2 tr((C1 C2)^(1/2)).

V2Meow (Table 1) and GVMGen (Table 4) report it over VGGish and TRILL. Distances over different
embeddings cannot be compared with one another, and a set that is not much larger than the
embedding is wide makes the distance too large.

`scipy.linalg.sqrtm` of C1 C2, which is not symmetric, goes complex and loses digits where a
covariance is singular. C1 C2 has the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2), which are
real and not negative: the trace of the root is the sum of their roots.
"""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symmv_builder.evaluation.metric import EmbeddingMetric

Matrix: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Gaussian:
    """Mean ``[d]`` and covariance ``[d, d]`` (n - 1 in the denominator) of `count` embeddings."""

    count: int
    mean: Matrix
    covariance: Matrix

    @property
    def width(self) -> int:
        return len(self.mean)

    @property
    def is_full(self) -> bool:
        """Whether there are enough embeddings for a covariance of full rank: d + 1."""
        return self.count > self.width


def gaussian(embeddings: ArrayLike) -> Gaussian:
    """Fit the Gaussian of embeddings ``[n, d]``.

    `ValueError` for fewer than two, or not numbers.
    """
    table = np.asarray(embeddings, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] == 0:
        raise ValueError(f"embeddings of shape {table.shape} are not [n, d]")
    if len(table) < 2:
        raise ValueError(f"{len(table)} embedding has no covariance; it takes two at least")
    if not np.isfinite(table).all():
        raise ValueError("embeddings hold values that are not finite")
    mean = table.mean(axis=0)
    centred = table - mean
    return Gaussian(len(table), mean, centred.T @ centred / (len(table) - 1))


def frechet_distance(one: Gaussian, other: Gaussian) -> float:
    """Compute the squared Frechet (2-Wasserstein) distance of two Gaussians, never below 0.

    `ValueError` where the embeddings are not of one width.
    """
    if one.width != other.width:
        raise ValueError(f"embeddings of {one.width} and {other.width} dimensions do not compare")
    apart = one.mean - other.mean
    root = _root(one.covariance)
    product = root @ other.covariance @ root
    # Symmetric but for rounding; eigvalsh reads one triangle.
    shared = np.linalg.eigvalsh((product + product.T) / 2)
    overlap = float(np.sqrt(np.clip(shared, 0, None)).sum())
    traces = float(np.trace(one.covariance) + np.trace(other.covariance))
    return max(0.0, float(apart @ apart) + traces - 2 * overlap)


def _root(covariance: Matrix) -> Matrix:
    """Compute the symmetric root of a covariance; eigenvalues below 0 are rounding."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T)


METRICS = (
    EmbeddingMetric(
        "fad",
        "FAD",
        definition="squared Frechet distance of the Gaussians of two sets of embeddings",
        source='Kilgour et al., "Fréchet Audio Distance", Interspeech 2019, equation 1',
        unit="squared units of the embedding",
        best="low",
        reads=("recordings or embeddings of both sides",),
        measure=lambda ours, real: frechet_distance(gaussian(ours), gaussian(real)),
    ),
)
