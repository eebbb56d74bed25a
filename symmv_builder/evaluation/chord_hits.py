"""How well chords are predicted, and how well they fit the feelings of a video.

Kang, Poria, Herremans, "Video2Music", 2024, section 5.3.1 and figures 11 to 13: Hits@k
(equation 9), the emotion matching loss as a metric (equation 7) and confusion matrices. Hits are
teacher-forced: the model has read the true chords before each position. Chords are numbered as
`vocab.MUVISYNC_LABELS`; a vocabulary may be larger (an end, a padding), and positions that are
padding never count. A song weighs as much as any other: values are taken over each song's own
positions, then averaged over songs (`over_songs`).
"""

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symmv_builder.evaluation.metric import Metric
from symmv_builder.vocab import MUVISYNC_LABELS, MUVISYNC_QUALITIES, NO_CHORD, SHARP_NAMES

PAPER_KS = (1, 3, 5)
# What the rows and columns of confusion matrices are called; no chord comes last.
ROOT_NAMES = (*SHARP_NAMES, NO_CHORD)
QUALITY_NAMES = (*MUVISYNC_QUALITIES, NO_CHORD)

_SOURCE = 'Kang, Poria, Herremans, "Video2Music", 2024, equation'
METRICS = (
    *(
        Metric(
            f"hits{k}",
            f"Hits@{k}",
            4,
            definition=f"share of seconds whose chord is among the {k} likeliest, mean over songs",
            source=f"{_SOURCE} 9",
            unit="0-1",
            best="high",
            reads=("normalised_chords", "key"),
        )
        for k in PAPER_KS
    ),
    Metric(
        "matching_loss",
        "Matching loss",
        4,
        definition="binary cross-entropy between the chords that are likely and those that fit "
        "the emotion of the video, mean over songs",
        source=f"{_SOURCE} 7",
        unit="nats",
        best="low",
        reads=("normalised_chords", "key", "emotion"),
    ),
)


def ranks(logits: ArrayLike, targets: ArrayLike) -> NDArray[np.int64]:
    """Rank each target ``[t]`` among the logits ``[t, v]`` of its position, from 1.

    Of equal logits the lower number stands first, so that a model that tells nothing apart
    does not count as right. `ValueError` where a target is not among the `v`.
    """
    z, classes = np.asarray(logits, dtype=np.float64), np.asarray(targets, dtype=np.int64)
    if z.ndim != 2 or classes.shape != z.shape[:1]:
        raise ValueError(f"logits {z.shape} and targets {classes.shape} are not [t, v] and [t]")
    if not np.isfinite(z).all():
        raise ValueError("logits hold values that are not finite")
    if classes.size and not (classes.min() >= 0 and classes.max() < z.shape[1]):
        raise ValueError(f"a target lies outside the {z.shape[1]} classes")
    target_logits = np.take_along_axis(z, classes[:, None], axis=1)
    is_earlier = np.arange(z.shape[1]) < classes[:, None]
    is_before = (z > target_logits) | ((z == target_logits) & is_earlier)
    return np.asarray(1 + is_before.sum(axis=1), dtype=np.int64)


def hits_at(logits: ArrayLike, targets: ArrayLike, k: int, *, pad: int | None = None) -> float:
    """Hits@k of one song (equation 9): the share of targets among the `k` highest logits.

    `logits` are ``[t, v]``, `targets` ``[t]``. Targets equal to `pad` do not count;
    `ValueError` where none is left.
    """
    classes = np.asarray(targets)
    valid = np.ones(len(classes), dtype=bool) if pad is None else classes != pad
    if not valid.any():
        raise ValueError("a song without a position has no hits")
    return float((ranks(logits, np.where(valid, classes, 0))[valid] <= k).mean())


def matching_loss(logits: ArrayLike, allowed: ArrayLike, valid: ArrayLike | None = None) -> float:
    """Emotion matching loss of one song (equation 7), the mean over its valid positions.

    Binary cross-entropy between the sigmoid of each logit ``[t, v]`` and whether that chord
    is `allowed` (``[t, v]``) by the emotion of the second, averaged over the `v` logits.
    `valid` is bool ``[t]``, false for padding. `ValueError` where no position is left.
    """
    z, fits = np.asarray(logits, dtype=np.float64), np.asarray(allowed, dtype=bool)
    if z.ndim != 2 or z.shape != fits.shape:
        raise ValueError(f"logits {z.shape} and allowed {fits.shape} are not both [t, v]")
    if valid is not None:
        mask = np.asarray(valid, dtype=bool)
        z, fits = z[mask], fits[mask]
    if not z.size:
        raise ValueError("a song without a position has no matching loss")
    # log(1 + e^z) - y z, written so that no exponential overflows.
    return float((np.maximum(z, 0) - z * fits + np.log1p(np.exp(-np.abs(z)))).mean())


def over_songs(songs: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Average each value over songs; `ValueError` without songs."""
    rows = list(songs)
    if not rows:
        raise ValueError("there is no song to average over")
    return {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}


def confusion(true: ArrayLike, predicted: ArrayLike, size: int) -> NDArray[np.int64]:
    """Count pairs of classes ``[size, size]``: row of what was true, column of what was predicted.

    `true` and `predicted` are whole numbers ``[t]`` below `size` (figures 11 and 12:
    chords as they are, or their `roots` or `qualities`); `ValueError` otherwise.
    """
    rows, columns = (np.asarray(a, dtype=np.int64) for a in (true, predicted))
    if rows.ndim != 1 or rows.shape != columns.shape:
        raise ValueError(f"true {rows.shape} and predicted {columns.shape} are not both [t]")
    both = np.concatenate([rows, columns])
    if both.size and not (both.min() >= 0 and both.max() < size):
        raise ValueError(f"a class lies outside 0-{size - 1}")
    counts = np.bincount(rows * size + columns, minlength=size * size)
    return counts.reshape(size, size).astype(np.int64)


def emotion_confusion(allowed: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64]:
    """Predicted qualities against those of the video's emotion (figure 13), ``[q, q]``.

    `allowed` is bool ``[t, q]``: the qualities that fit the second's emotion; `predicted`
    is ``[t]``. An emotion has several qualities and the paper does not say which of them is
    the true one, so here a prediction that fits counts on the diagonal, and one that does
    not is shared evenly among the rows that would have fitted. A second of an emotion
    without qualities (neutral) or without a predicted chord (number `q`) does not count.
    """
    fits, columns = np.asarray(allowed, dtype=bool), np.asarray(predicted, dtype=np.int64)
    if fits.ndim != 2 or columns.shape != fits.shape[:1]:
        raise ValueError(f"allowed {fits.shape} and predicted {columns.shape}: not [t, q] and [t]")
    size = fits.shape[1]
    if columns.size and not (columns.min() >= 0 and columns.max() <= size):
        raise ValueError(f"a quality lies outside 0-{size}")
    is_counted = fits.any(axis=1) & (columns < size)
    fits, columns = fits[is_counted], columns[is_counted]
    right = fits[np.arange(len(columns)), columns]
    shares = np.where(right[:, None], np.eye(size)[columns], fits / fits.sum(axis=1, keepdims=True))
    matrix = np.zeros((size, size))
    np.add.at(matrix.T, columns, shares)
    return matrix


def roots(chords: ArrayLike) -> NDArray[np.int64]:
    """Give the root 0-11 of each chord's number, 12 (the last of `ROOT_NAMES`) for no chord."""
    numbers = _chords(chords)
    return np.where(numbers == 0, len(SHARP_NAMES), (numbers - 1) // len(MUVISYNC_QUALITIES))


def qualities(chords: ArrayLike) -> NDArray[np.int64]:
    """Quality 0-12 of each chord's number, 13 (the last of `QUALITY_NAMES`) for no chord."""
    numbers = _chords(chords)
    count = len(MUVISYNC_QUALITIES)
    return np.where(numbers == 0, count, (numbers - 1) % count)


def _chords(chords: ArrayLike) -> NDArray[np.int64]:
    numbers = np.asarray(chords, dtype=np.int64)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < len(MUVISYNC_LABELS)):
        raise ValueError(f"a chord's number lies outside 0-{len(MUVISYNC_LABELS) - 1}")
    return numbers
