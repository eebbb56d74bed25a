"""VMCP: how often music finds its own video, by a trained video-music CLIP.

Zhuo et al. 2023, section 5.2. A song and a video are each the mean of the unit vectors of their
segments; a song longer than what the encoders learned from is encoded piece by piece. How pools
are drawn and ties count is `evaluation.retrieval`'s.
"""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from symmv_builder.evaluation.retrieval import POOL, cosine, retrieve
from symmv_builder.schema import row_name
from symmv_builder.storage.root import Root
from symmv_builder.training.ranks import autocast
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmcp.features import video_segments
from symmv_builder.training.vmcp.hearing import Sounding
from symmv_builder.training.vmcp.loading import LoadedVmcp, load
from symmv_builder.training.vmcp.model import MusicEncoder, VideoMusicClip
from symmv_builder.training.vmcp.pairs import no_pairs, open_pairs


def score(
    folder: Path,
    root: Root,
    dataset: str,
    split: str = "test",
    device: str = "cpu",
    tell: Callable[[int, int], None] = lambda done, songs: None,
    music: Path | None = None,
    sound: Sounding | None = None,
    *,
    pool: int = POOL,
    seed: int = 0,
) -> dict[str, Any]:
    """Compute ``p5 p10 p20`` in percent, ``ar``, ``pool``, ``songs`` and ``chance`` (metrics').

    The music is that of the rows, heard as in training or as `sound` says, or with `music` the
    files of a folder, MIDI or recordings, named by entry; the videos of all rows of the split are
    in the pool. `tell` is given rows done and in all. `StopRun` where nothing fits: no rows, other
    features, no file for any entry.
    """
    loaded = load(folder, "vmcp", device)
    request = open_pairs(loaded, root, dataset, split, music, sound, optional=("video_url",))
    model = loaded.model
    if not isinstance(model, VideoMusicClip):
        raise TypeError(f"{folder} holds a {type(model).__name__}")
    videos: list[NDArray[np.float64]] = []
    pieces: list[NDArray[np.float64]] = []
    names, own = [], []
    left_out = LeftOut()
    for number, row in enumerate(request.rows):
        entry = row_name(row)
        video = left_out.use(row, lambda row: video_segments(row["semantic"], request.segment_s))
        if video is not None:
            segments = left_out.use(row, request.music_of)
            if segments is not None:
                pieces.append(summary_of(loaded, model.music, segments))
                own.append(len(videos))
            videos.append(summary_of(loaded, model.video, video))
            # Clips of one video are videos of their own; entries that share a video are not.
            names.append(entry if "clip_id" in row else str(row.get("video_url") or entry))
        tell(number + 1, len(request.rows))
    if not pieces:
        raise no_pairs(dataset, split, left_out)
    similarity = cosine(np.stack(pieces), np.stack(videos))
    retrieval = retrieve(similarity, own, videos=names, pool=pool, seed=seed)
    about = request.heard_by | {"videos": len(set(names))}
    return asdict(retrieval) | about | {"left_out": left_out.reasons}


def summary_of(
    loaded: LoadedVmcp, encoder: MusicEncoder, segments: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Average the unit vectors of ``[t, d]``, encoded in pieces as long as in training."""
    size = loaded.config.max_segments
    values = torch.from_numpy(np.ascontiguousarray(segments)).to(loaded.device)
    with torch.no_grad(), autocast(loaded.device):
        parts = [
            encoder(part[None], torch.ones(1, len(part), dtype=torch.bool, device=part.device))[0]
            for part in torch.split(values, size)
        ]
    return torch.cat(parts).double().mean(dim=0).cpu().numpy()
