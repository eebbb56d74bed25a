"""Cross-modal relevance and temporal alignment of music and video, as GVMGen evaluates them.

Zuo et al., "GVMGen: A General Video-to-Music Generation Model with Hierarchical Attentions", 2025,
section "Evaluation Model": a trained model attends from each moment of a video to the moments of
its music, and sums both up to one vector each. "During evaluation the temporal alignment metric
and cross-modal relevance metric are derived from the average of diag": of the attention matrix
for alignment, of the matrix of cosine similarities for relevance.

Both need something to be held against: a model may attend to the diagonal of any pair, and
find any music relevant to any video. So each comes with what mismatched pairs, or no knowledge,
would give.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.evaluation.metric import Metric
from symmv_builder.evaluation.retrieval import cosine

_SOURCE = 'Zuo et al., "GVMGen", 2025, "Evaluation Model"'
METRICS = (
    Metric(
        "cmr",
        "CMR",
        definition="cross-modal relevance: cosine similarity of music and its own video, mean "
        "over pairs",
        source=_SOURCE,
        unit="-1-1",
        best="high",
        reads=("music", "semantic"),
    ),
    Metric(
        "ta",
        "TA",
        definition="temporal alignment: mean diagonal of the attention of music to its own video",
        source=_SOURCE,
        unit="0-1",
        best="high",
        reads=("music", "semantic"),
    ),
)


@dataclass(frozen=True, slots=True)
class Relevance:
    """CMR in -1..1 and TA in 0..1 over pairs, each with its reference.

    `cmr_others` is the mean similarity of music and the videos of other pairs, ``nan`` where
    there is one pair alone; `ta_chance` the alignment of attention that is even over time.
    `accuracy` is the share of pieces whose most similar video is their own.
    """

    cmr: float
    cmr_others: float
    accuracy: float
    ta: float
    ta_chance: float
    songs: int


def temporal_alignment(attention: NDArray[Any]) -> float:
    """Average the diagonal of an attention matrix ``[t, t]`` whose rows sum to 1."""
    attention = np.asarray(attention, dtype=np.float64)
    if attention.ndim != 2 or attention.shape[0] != attention.shape[1] or not len(attention):
        raise ValueError(f"attention of shape {attention.shape} is not a square over time")
    return float(attention.diagonal().mean())


def relevance(
    video: NDArray[Any], music: NDArray[Any], attentions: Sequence[NDArray[Any]]
) -> Relevance:
    """Score n pairs by their summaries ``[n, d]`` and attention matrices ``[t, t]``.

    `ValueError` without pairs, or where the numbers of pairs differ or are not finite.
    """
    if not len(video) == len(music) == len(attentions) or not len(video):
        raise ValueError(f"{len(video)} videos, {len(music)} pieces, {len(attentions)} attentions")
    similarity = cosine(music, video)
    pairs = len(similarity)
    own = similarity.diagonal()
    others = similarity[~np.eye(pairs, dtype=bool)]
    # Ties are failures: a model that finds everything alike has recognised nothing.
    beaten = (similarity >= own[:, None]).sum(axis=1) > 1
    return Relevance(
        cmr=float(own.mean()),
        cmr_others=float(others.mean()) if pairs > 1 else float("nan"),
        accuracy=float(1 - beaten.mean()),
        ta=float(np.mean([temporal_alignment(attention) for attention in attentions])),
        ta_chance=float(np.mean([1 / len(attention) for attention in attentions])),
        songs=pairs,
    )
