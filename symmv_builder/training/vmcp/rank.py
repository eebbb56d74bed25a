"""How well each row's music fits its video, by a trained model: a ranking of rows.

The model is a video-music CLIP or GVMGen's evaluation model, as the run says. V2M takes its
fine-tuning set from the top of such a ranking, by ImageBind (VidMuse, Tian et al. 2025,
"Audio-Visual Alignment Ranking"); the model here is trained on rows of one's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.evaluation.retrieval import cosine
from symmv_builder.schema import row_name
from symmv_builder.storage.root import Root
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmcp.features import video_segments
from symmv_builder.training.vmcp.loading import LoadedVmcp, load, objective_of
from symmv_builder.training.vmcp.model import VideoMusicClip
from symmv_builder.training.vmcp.pairs import Pairs, no_pairs, open_pairs
from symmv_builder.training.vmcp.relevance import ask, own_pair
from symmv_builder.training.vmcp.score import summary_of


@dataclass(frozen=True, slots=True)
class Ranking:
    """Rows by name with their similarity (cosine, -1..1), the best first; equal ones by name.

    `shards` are the sha256 of what was read, `left_out` says why a row has no place.
    """

    rows: tuple[tuple[str, float], ...]
    shards: tuple[str, ...]
    left_out: dict[str, str]


def rank(
    folder: Path,
    root: Root,
    dataset: str,
    split: str = "train",
    device: str = "cpu",
    tell: Callable[[int, int], None] = lambda done, rows: None,
) -> Ranking:
    """Rank the rows of a split by the model of a run of ``vmcp`` in `folder`.

    Of a video-music CLIP, music and video are each the mean of the unit vectors of their segments,
    as in `score.score`; of GVMGen's model they are its summaries, as in `relevance.score`. The same
    run and the same shards give the same ranking. `StopRun` as there.
    """
    loaded = load(folder, objective_of(folder), device)
    pairs = open_pairs(loaded, root, dataset, split, None, None)
    similarities, left_out = [], LeftOut()
    for number, row in enumerate(pairs.rows):
        similarity = left_out.use(row, lambda row: _similarity(loaded, pairs, row))
        if similarity is not None:
            # What lies behind the sixth digit differs between machines.
            similarities.append((row_name(row), round(similarity, 6)))
        tell(number + 1, len(pairs.rows))
    if not similarities:
        raise no_pairs(dataset, split, left_out)
    similarities.sort(key=lambda each: (-each[1], each[0]))
    return Ranking(tuple(similarities), tuple(pairs.rows.shards.values()), left_out.reasons)


def _similarity(loaded: LoadedVmcp, pairs: Pairs, row: Mapping[str, Any]) -> float | None:
    """Compute the cosine of a row's music and video; `None` where there is no music."""
    model = loaded.model
    if isinstance(model, VideoMusicClip):
        video_parts = video_segments(row["semantic"], pairs.segment_s)
        music_parts = pairs.music_of(row)
        if music_parts is None:
            return None
        music = summary_of(loaded, model.music, music_parts)
        video = summary_of(loaded, model.video, video_parts)
        return float(cosine(music[None], video[None])[0, 0])
    videos, pieces, _ = ask(loaded, [own_pair(pairs, row)])
    return float(cosine(pieces, videos)[0, 0])
