"""How well each row's music fits its video, by a trained video-music CLIP: a ranking of rows.

V2M takes its fine-tuning set from the top of such a ranking, by ImageBind (VidMuse, Tian et al.
2025, "Audio-Visual Alignment Ranking"); the model here is trained on rows of one's own.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from symmv_builder.evaluation.retrieval import cosine
from symmv_builder.schema import row_name
from symmv_builder.storage.root import Root
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmcp.features import video_segments
from symmv_builder.training.vmcp.loading import load
from symmv_builder.training.vmcp.model import VideoMusicClip
from symmv_builder.training.vmcp.pairs import no_pairs, open_pairs
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

    Music and video are each the mean of the unit vectors of their segments, as in `score.score`;
    the same run and the same shards give the same ranking. `StopRun` as there.
    """
    loaded = load(folder, "vmcp", device)
    pairs = open_pairs(loaded, root, dataset, split, None, None)
    model = loaded.model
    if not isinstance(model, VideoMusicClip):
        raise TypeError(f"{folder} holds a {type(model).__name__}")
    similarities, left_out = [], LeftOut()
    for number, row in enumerate(pairs.rows):
        video_parts = left_out.use(
            row, lambda row: video_segments(row["semantic"], pairs.segment_s)
        )
        music_parts = None if video_parts is None else left_out.use(row, pairs.music_of)
        if video_parts is not None and music_parts is not None:
            music = summary_of(loaded, model.music, music_parts)
            video = summary_of(loaded, model.video, video_parts)
            # What lies behind the sixth digit differs between machines.
            similarities.append(
                (row_name(row), round(float(cosine(music[None], video[None])[0, 0]), 6))
            )
        tell(number + 1, len(pairs.rows))
    if not similarities:
        raise no_pairs(dataset, split, left_out)
    similarities.sort(key=lambda each: (-each[1], each[0]))
    return Ranking(tuple(similarities), tuple(pairs.rows.shards.values()), left_out.reasons)
