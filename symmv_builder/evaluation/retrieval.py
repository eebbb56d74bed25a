"""Video-Music CLIP Precision: does a piece of music find its own video among others?

Zhuo et al., "Video Background Music Generation: Dataset, Method and Evaluation", 2023, section
5.2: for each piece of music, its own video and M - 1 others drawn at random are ranked by the
cosine similarity of a video-music CLIP; P@K is the share of pieces whose own video is among the
first K, AR the mean rank of the own video. The paper has M = 70 and K = 5, 10, 20.

What the paper leaves open, and how it is here:

- *Ties.* Videos that are exactly as similar as the own one share their ranks: the own video gets
  the middle one. A model that finds all videos alike has the average rank of chance, (M + 1) / 2,
  and no precision.
- *Twins.* Several pieces may have the same video. A twin is as similar as the own video by
  definition and says nothing, so it is never drawn.
- *Few videos.* With fewer than M videos every pool holds all that there are; the result says how
  large the smallest pool was, and what chance would give for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.evaluation.metric import Metric

POOL = 70
KS = (5, 10, 20)

_SOURCE = 'Zhuo et al., "Video Background Music Generation", 2023, section 5.2'
_READS = ("music", "semantic")
METRICS = (
    *(
        Metric(
            f"p{k}",
            f"P@{k}",
            1,
            definition=f"share of pieces whose own video is among the first {k}",
            source=_SOURCE,
            unit="%",
            best="high",
            reads=_READS,
        )
        for k in KS
    ),
    Metric(
        "ar",
        "AR",
        1,
        definition="average rank of the own video among those of a pool",
        source=_SOURCE,
        unit="rank, from 1",
        best="low",
        reads=_READS,
    ),
)


@dataclass(frozen=True, slots=True)
class Retrieval:
    """Percentages P@5, P@10 and P@20, and the average rank (1 is best).

    `pool` is the size of the smallest pool, `songs` the number of pieces, `chance` what
    guessing gives for the pools that there were, by the names of the metrics.
    """

    p5: float
    p10: float
    p20: float
    ar: float
    pool: int
    songs: int
    chance: dict[str, float]


def cosine(left: NDArray[Any], right: NDArray[Any]) -> NDArray[np.float64]:
    """Cosine similarity ``[n, m]`` of rows ``[n, d]`` and ``[m, d]``; 0 where a row is zero.

    `ValueError` where a number is not finite.
    """
    units = []
    for rows in (left, right):
        rows = np.asarray(rows, dtype=np.float64)
        if not np.isfinite(rows).all():
            raise ValueError("an embedding holds a number that is not finite")
        lengths = np.linalg.norm(rows, axis=1, keepdims=True)
        units.append(np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0))
    return np.asarray(units[0] @ units[1].T)


def own_ranks(
    similarity: NDArray[Any],
    own: Sequence[int] | NDArray[np.int64],
    *,
    videos: Sequence[str] | None = None,
    pool: int = POOL,
    seed: int = 0,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Rank each piece's own video in its pool; gives the sizes of the pools too, both ``[n]``.

    `similarity` is ``[n pieces, m videos]``, `own` the column of each piece's video, `videos`
    a name for each column: columns of one name are the same video. The pool of a piece depends
    on `seed` and its number alone. `ValueError` where a similarity is not a number.
    """
    similarity = np.asarray(similarity, dtype=np.float64)
    if not np.isfinite(similarity).all():
        raise ValueError("a similarity is not a finite number")
    if len(own) != len(similarity):
        raise ValueError(f"{len(similarity)} pieces, but {len(own)} own videos")
    names = np.array(videos if videos is not None else range(similarity.shape[1]))
    _, first = np.unique(names, return_index=True)
    ranks = np.empty(len(similarity))
    sizes = np.empty(len(similarity), dtype=np.int64)
    for piece, column in enumerate(own):
        others = first[names[first] != names[column]]
        count = min(pool - 1, len(others))
        rival_rows = np.random.default_rng([seed, piece]).choice(others, count, replace=False)
        rivals, own_similarity = similarity[piece, rival_rows], similarity[piece, column]
        ranks[piece] = 1 + (rivals > own_similarity).sum() + (rivals == own_similarity).sum() / 2
        sizes[piece] = count + 1
    return ranks, sizes


def retrieve(
    similarity: NDArray[Any],
    own: Sequence[int] | NDArray[np.int64],
    *,
    videos: Sequence[str] | None = None,
    pool: int = POOL,
    seed: int = 0,
) -> Retrieval:
    """VMCP of pieces of music; arguments as `own_ranks`. `ValueError` without any piece."""
    ranks, sizes = own_ranks(similarity, own, videos=videos, pool=pool, seed=seed)
    if not len(ranks):
        raise ValueError("there is no piece of music to retrieve a video for")
    shares = {f"p{k}": 100 * float((ranks <= k).mean()) for k in KS}
    chance = {f"p{k}": 100 * float(np.minimum(k / sizes, 1).mean()) for k in KS}
    chance["ar"] = float(((sizes + 1) / 2).mean())
    ar = float(ranks.mean())
    return Retrieval(
        shares["p5"], shares["p10"], shares["p20"], ar, int(sizes.min()), len(ranks), chance
    )
