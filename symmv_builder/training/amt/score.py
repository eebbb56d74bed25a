"""The metrics of Video2Music's Table 4 and figures 11 to 13, on a split of a dataset.

Hits@k are teacher-forced: each second is predicted behind the true chords. Every target that
a song has counts, its end too (its first chord, which the paper's code never predicts, counts
where the model has a start symbol). Values are means over a song's positions, then over songs.
The matching loss compares all 159 logits with the chords that suit the strongest of the
second's feelings; padding has no part in it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from symmv_builder.errors import OtherFeatures
from symmv_builder.evaluation import chord_hits
from symmv_builder.storage.root import Root
from symmv_builder.training.amt.config import AmtConfig
from symmv_builder.training.amt.examples import PADDING, columns_of, prepare
from symmv_builder.training.amt.features import EXTRA_WIDTH
from symmv_builder.training.amt.loading import LoadedAmt, load
from symmv_builder.training.amt.losses import NO_EMOTION
from symmv_builder.training.amt.vocabulary import CHORDS, PAD, matching_table
from symmv_builder.training.data import Batch, Batching, Loader, Rows, on_device

BATCH = 16


def score(
    folder: Path,
    root: Root,
    dataset: str,
    split: str = "test",
    device: str = "cpu",
    tell: Callable[[int, int], None] = lambda done, songs: None,
) -> dict[str, Any]:
    """Score a run's best model: ``{"model", "songs", "metrics", "confusion", "left_out"}``.

    ``metrics`` holds ``hits1 hits3 hits5`` and, where the rows know feelings,
    ``matching_loss``; ``confusion`` counts true (row) against predicted (column) ``chord``,
    ``root`` and ``quality``, named as in `evaluation.chord_hits`, and in ``emotion`` the
    predicted qualities against those that suit the second. `tell` is given songs done and
    all there are. `StopRun` where nothing was built or the rows hold other features than the
    model learned from.
    """
    loaded = load(folder, device)
    config = replace(loaded.config, crop="start")
    rows = Rows(root, dataset, split, *columns_of(config))
    if len(rows):
        check_width(rows, loaded)
    loader = Loader(rows, evenly(config), Batching(BATCH, 0, shuffle=False), pad=PADDING)
    songs, table = [], matching_table()
    pairs: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    fits: list[NDArray[np.bool_]] = []
    for batch in loader.epoch(0):
        # In float32 on a GPU, too: in half precision chords of like probability would tie.
        with torch.no_grad():
            answers = ask(loaded.model, on_device(batch, loaded.device))
        for logits, targets, emotions in each_song(answers, batch):
            songs.append(song_scores(logits, targets, emotions, table))
            is_chord = targets < CHORDS
            pairs.append((targets[is_chord], logits[is_chord, :CHORDS].argmax(axis=1)))
            felt = np.where(emotions < 0, len(table) - 1, emotions)[is_chord]
            fits.append(table[felt][:, 1 : 1 + len(chord_hits.QUALITY_NAMES) - 1])
        tell(len(songs), len(rows))
    true, predicted = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return {
        "model": config.model,
        "songs": len(songs),
        "metrics": average(songs),
        "confusion": _confusions(true, predicted, np.concatenate(fits)),
        "left_out": loader.left_out.reasons,
    }


def evenly(config: AmtConfig) -> Callable[[dict[str, Any], np.random.Generator], Any]:
    """Prepare rows for a loader without anything drawn: the beginning of long songs."""
    return lambda row, rng: prepare(row, config)


def check_width(rows: Rows, loaded: LoadedAmt) -> None:
    """Raise `StopRun` where the rows' features are not those that the model learned from."""
    width = video_width(rows, loaded.config)
    if width != loaded.video_width:
        actual = f"{width} video features a second"
        raise OtherFeatures(rows.dataset, actual, loaded.folder, str(loaded.video_width))


def video_width(rows: Rows, config: AmtConfig) -> int:
    """Tell how wide `features.video_input` makes these rows; 0 for a model that sees no video."""
    if not config.sees_video or not len(rows):
        return 0
    return int(rows.row(0)["semantic"].shape[1]) + EXTRA_WIDTH


def each_song(
    logits: Tensor, batch: Batch
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]]:
    """Iterate over each real song, unpadded: logits ``[t, 159]``, targets and feelings ``[t]``."""
    scores = logits.float().cpu().numpy()
    targets, emotions = batch["targets"].cpu().numpy(), batch["emotions"].cpu().numpy()
    for place in np.flatnonzero(batch["real"].cpu().numpy()):
        real = targets[place] != PAD
        yield scores[place, real], targets[place, real], emotions[place, real]


def ask(model: torch.nn.Module, batch: Batch) -> Tensor:
    """Compute the logits of a batch that lies on the model's device."""
    names = ("inputs", "key", "inputs_mask", "video", "video_mask")
    logits: Tensor = model(*(batch.get(name) for name in names))
    return logits


def song_scores(
    logits: NDArray[np.float32],
    targets: NDArray[np.int64],
    emotions: NDArray[np.int64],
    table: NDArray[np.bool_],
) -> dict[str, float]:
    """Score one song without padding; no matching loss where no feeling is known."""
    scores = {f"hits{k}": chord_hits.hits_at(logits, targets, k) for k in chord_hits.PAPER_KS}
    felt = emotions != NO_EMOTION
    if felt.any():
        scores["matching_loss"] = chord_hits.matching_loss(logits[felt], table[emotions[felt]])
    return scores


def average(songs: list[dict[str, float]]) -> dict[str, float]:
    """Average over songs, each metric over those that have it."""
    names = dict.fromkeys(name for song in songs for name in song)
    return {name: float(np.mean([s[name] for s in songs if name in s])) for name in names}


def _confusions(
    true: NDArray[np.int64], predicted: NDArray[np.int64], fits: NDArray[np.bool_]
) -> Mapping[str, Any]:
    roots, qualities = chord_hits.roots, chord_hits.qualities
    sizes = len(chord_hits.ROOT_NAMES), len(chord_hits.QUALITY_NAMES)
    return {
        "chord": chord_hits.confusion(true, predicted, CHORDS),
        "root": chord_hits.confusion(roots(true), roots(predicted), sizes[0]),
        "quality": chord_hits.confusion(qualities(true), qualities(predicted), sizes[1]),
        "emotion": chord_hits.emotion_confusion(fits, qualities(predicted)),
    }
