"""Does generated music share the concepts of the original? KLD over class probabilities, and MCC.

Su et al., "V2Meow: Meowing to the Visual Beat via Video-to-Music Generation", 2023, "Evaluation
Metrics", after Agostinelli et al., "MusicLM", 2023:

- *KLD*: a classifier for many labels hears the original and the generated music; their class
  probabilities are compared by the divergence of Kullback and Leibler, the original's from the
  generated one's. Lower is closer. The paper's classes are AudioSet's, by a LEAF classifier.
- *MCC*: the mean cosine similarity between an embedding of the generated music and that of the
  original. Higher is closer. The paper's embedding is MuLan's.

Neither classifier nor embedding of the paper is public, so with another one the numbers do not
compare with the paper's. What it leaves open, and how it is here: probabilities of labels that do
not exclude one another are made to sum to one, as MusicLM says "probability distributions"; what
is heard of a recording in several segments is averaged before it is compared; every probability
is raised by `EPSILON`, so that a class that one side never hears costs no infinity.

Both come with what mismatched pairs give, the paper's "random shuffle": each piece against the
originals of all others.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.evaluation.metric import Metric
from symmv_builder.evaluation.retrieval import cosine

EPSILON = 1e-6

Floats = NDArray[np.float64]

_V2MEOW = 'Su et al., "V2Meow", 2023, "Evaluation Metrics"'
KLD = Metric(
    "kld",
    "KLD",
    definition="divergence of the classes that a classifier hears in the original from those that "
    "it hears in the generated music, mean over pairs",
    source=_V2MEOW,
    unit="nats",
    best="low",
    reads=("recordings or probabilities of classes of both sides",),
)
MCC = Metric(
    "mcc",
    "MCC",
    definition="cosine similarity of embeddings of generated music and original, mean over pairs",
    source=_V2MEOW,
    unit="-1-1",
    best="high",
    reads=("recordings or embeddings of both sides",),
)
METRICS = (KLD, MCC)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The mean over `pairs` of music and its original, and over all other pairs.

    `others` is ``nan`` where there is one original alone.
    """

    own: float
    others: float
    pairs: int


def class_distribution(likelihoods: NDArray[Any]) -> Floats:
    """Compute a recording's distribution over classes ``[c]`` from likelihoods ``[segments, c]``.

    `ValueError` where one is no probability, or all of them are 0.
    """
    table = np.asarray(likelihoods, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise ValueError(f"likelihoods of shape {table.shape} are not [segments, classes]")
    if not ((table >= 0) & (table <= 1)).all():
        raise ValueError("a likelihood of a class lies outside 0-1")
    mean = table.mean(axis=0)
    if not mean.sum():
        raise ValueError("no class is likely at all")
    return np.asarray(mean / mean.sum())


def kl_divergence(reference: NDArray[Any], generated: NDArray[Any]) -> float:
    """Compute how far a distribution over classes is from the original's, in nats; 0 if the same.

    `ValueError` where they are not over the same number of classes.
    """
    p, q = (np.asarray(side, dtype=np.float64) for side in (reference, generated))
    if p.shape != q.shape:
        raise ValueError(f"distributions over {p.shape} and {q.shape} classes do not compare")
    p, q = ((side + EPSILON) / (1 + EPSILON * len(side)) for side in (p, q))
    return float(np.sum(p * (np.log(p) - np.log(q))))


def kld(generated: Sequence[Floats], originals: Sequence[Floats], own: Sequence[int]) -> Agreement:
    """Average the KLD of pieces from their originals, and from all others.

    Both are distributions over classes ``[c]``; the original of piece i is number ``own[i]``.
    """
    return _agreement(
        np.array(
            [[kl_divergence(original, piece) for original in originals] for piece in generated]
        ),
        own,
    )


def mcc(generated: NDArray[Any], originals: NDArray[Any], own: Sequence[int]) -> Agreement:
    """Average the cosine of pieces ``[n, d]`` with their originals, and with all others.

    The original of piece i is the row ``own[i]`` of `originals` ``[m, d]``.
    """
    return _agreement(cosine(generated, originals), own)


def _agreement(table: Floats, own: Sequence[int]) -> Agreement:
    """Average a table ``[pieces, originals]`` where they belong together, and elsewhere."""
    if not len(table) or len(table) != len(own):
        raise ValueError(f"{len(table)} pieces, but {len(own)} originals")
    is_own = np.zeros(table.shape, dtype=np.bool)
    is_own[np.arange(len(own)), list(own)] = True
    others = table[~is_own]
    return Agreement(
        own=float(table[is_own].mean()),
        others=float(others.mean()) if others.size else float("nan"),
        pairs=len(table),
    )
