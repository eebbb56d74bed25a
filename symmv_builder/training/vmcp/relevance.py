"""Cross-modal relevance and temporal alignment, by GVMGen's evaluation model trained here.

Zuo et al. 2025, section "Evaluation Model"; the model is `alignment`, what the figures mean and
what they are held against `evaluation.alignment`.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from symmv_builder.evaluation.alignment import relevance
from symmv_builder.storage.root import Root
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmcp.features import pair_segments, video_segments
from symmv_builder.training.vmcp.hearing import Floats32, Sounding
from symmv_builder.training.vmcp.loading import LoadedVmcp, load
from symmv_builder.training.vmcp.pairs import Pairs, no_pairs, open_pairs

Pair: TypeAlias = tuple[Floats32, Floats32]


def score(
    folder: Path,
    root: Root,
    dataset: str,
    split: str = "test",
    device: str = "cpu",
    tell: Callable[[int, int], None] = lambda done, songs: None,
    music: Path | None = None,
    sound: Sounding | None = None,
) -> dict[str, Any]:
    """Compute ``cmr``, ``ta``, and what they are held against.

    That is ``cmr_others accuracy ta_chance songs``.

    Besides, ``cmr_mismatched`` and ``ta_mismatched`` are the scores of each video with the next
    song's music, ``nan`` where there is one song alone. Music as in `vmcp.score.score`: a row's own
    is compared with its video as in training, that of files, which was made for the video, from the
    beginning of both to the end of the shorter.
    """
    loaded = load(folder, "gvmgen", device)
    request = open_pairs(loaded, root, dataset, split, music, sound)

    def pair(row: Mapping[str, Any]) -> Pair:
        if not music:
            return own_pair(request, row)
        return video_segments(row["semantic"], request.segment_s), request.music_of(row)

    pairs, left_out = [], LeftOut()
    for number, row in enumerate(request.rows):
        pair_found = left_out.use(row, pair)
        if pair_found is not None:
            pairs.append(pair_found)
        tell(number + 1, len(request.rows))
    if not pairs:
        raise no_pairs(dataset, split, left_out)
    scores = asdict(relevance(*ask(loaded, pairs)))
    shifted = [(pairs[i][0], pairs[(i + 1) % len(pairs)][1]) for i in range(len(pairs))]
    others = relevance(*ask(loaded, shifted)) if len(pairs) > 1 else None
    return (
        scores
        | request.heard_by
        | {
            "cmr_mismatched": others.cmr if others else float("nan"),
            "ta_mismatched": others.ta if others else float("nan"),
            "left_out": left_out.reasons,
        }
    )


def own_pair(request: Pairs, row: Mapping[str, Any]) -> Pair:
    """Compute segments of a row's video and of its own music ``[t, d]`` each, as in training."""
    own = request.features.of_row(row, request.windows)
    aligned = request.loaded.config.pairs == "aligned"
    return pair_segments(row, own, request.segment_s, aligned=aligned)


def ask(
    loaded: LoadedVmcp, pairs: list[Pair]
) -> tuple[NDArray[np.float32], NDArray[np.float32], list[NDArray[np.float32]]]:
    """Summaries of videos and of music, ``[n, joint]`` each, and attention ``[t, t]`` of pairs."""
    videos, pieces, attentions = [], [], []
    for pair in pairs:
        length = min(len(pair[0]), len(pair[1]), loaded.config.max_segments)
        video, music = (
            torch.from_numpy(np.ascontiguousarray(part[:length]))[None].to(loaded.device)
            for part in pair
        )
        mask = torch.ones(1, length, dtype=torch.bool, device=loaded.device)
        with torch.no_grad():
            z_video, z_music, attention, _ = loaded.model(video, music, mask)
        videos.append(z_video[0].cpu().numpy())
        pieces.append(z_music[0].cpu().numpy())
        attentions.append(attention[0].cpu().numpy())
    return np.stack(videos), np.stack(pieces), attentions
