"""What the video-music models see of a row: features of video and music, segment by segment.

The video's are its CLIP features, averaged over each segment, the music's what `hearing` gives.

Music and video have clocks of their own. Where a row's alignment says which moment of the video
plays the same as a moment of the music, a segment of music belongs to what is seen there. Without
one, segment i of the music belongs to segment i of the video, as in the paper; the two are one
recording in music videos.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import MalformedColumn
from symmv_builder.training.data import Example, Prepare, Rows
from symmv_builder.training.usable import LeftOut, UnusableRow
from symmv_builder.training.vmcp.config import VmcpConfig
from symmv_builder.training.vmcp.hearing import Floats32, MusicFeatures, Sounding, heard_columns

_ALIGNMENT = ("alignment_music_s", "alignment_video_s", "alignment_confidence")

# Samples a second of the column `semantic`, by its width: CLIP ViT-B/32 of symmv rows, ViT-L/14
# of muvisync rows.
SEMANTIC_HZ = {512: 6, 768: 1}
# Below this chance that both are the same song, an alignment says nothing.
SAME_SONG = 0.5
# Tempos of a cover and its video differ by two at most, so what is faster or slower is a jump.
_LARGEST_STRETCH = 2.0
# How far beyond its first and last point an alignment holds: points lie about a second apart.
_BEYOND_S = 1.0

Floats = NDArray[np.floating[Any]]


def columns(sound: Sounding) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the columns needed of a row whose music is heard so, and the optional ones."""
    needed, optional = heard_columns(sound)
    return (*needed, "semantic"), (*optional, *_ALIGNMENT, "video_url")


def video_segments(semantic: NDArray[Any], segment_s: float) -> Floats32:
    """Average features ``[t, d]`` to ``[segments, d]``; a remainder is left out.

    A video shorter than a segment is one. `StopRun` for a width whose rate is not known,
    `UnusableRow` where there is no frame, or a feature is not finite.
    """
    length_s = len(semantic) / _rate_hz(semantic)
    edges = segment_s * np.arange(int(length_s / segment_s + 1e-6) + 1)
    if len(edges) < 2:
        edges = np.array([0.0, length_s])
    return _mean_frames(semantic, edges[:-1], edges[1:])


def pair_segments(
    row: Mapping[str, Any], music: Floats32, segment_s: float, *, aligned: bool = True
) -> tuple[Floats32, Floats32]:
    """Segments of a row's video and of its own music that belong together, ``[n, d]`` each.

    `music` is the music in segments of `segment_s`. With `aligned` they are paired through the
    row's alignment, if it has one and that says that both are the same song; else by number, up
    to the end of the shorter. `UnusableRow` as `video_segments`, or where no segment has its
    counterpart in the video.
    """
    semantic = row["semantic"]
    if not (aligned and row.get("alignment_confidence", 0.0) >= SAME_SONG):
        segments = video_segments(semantic, segment_s)
        length = min(len(segments), len(music))
        return segments[:length], music[:length]
    length_s = len(semantic) / _rate_hz(semantic)
    edges = segment_s * np.arange(len(music) + 1)
    at, is_known = _on_video(row["alignment_music_s"], row["alignment_video_s"], edges)
    starts, ends = at[:-1], at[1:]
    stretch = (ends - starts) / segment_s
    is_paired = is_known[:-1] & is_known[1:] & (starts >= 0) & (ends <= length_s + 1e-6)
    is_paired &= (stretch >= 1 / _LARGEST_STRETCH) & (stretch <= _LARGEST_STRETCH)
    if not is_paired.any():
        raise UnusableRow("no segment of its music is aligned with its video")
    return _mean_frames(semantic, starts[is_paired], ends[is_paired]), music[is_paired]


def _on_video(music_s: Floats, video_s: Floats, times_s: Floats) -> tuple[Floats, NDArray[np.bool]]:
    """Moments of the music on the video's clock, and which of them the alignment covers."""
    if not len(music_s):
        return times_s, np.zeros(len(times_s), dtype=np.bool)
    inside = times_s.clip(music_s[0], music_s[-1])
    beyond = times_s - inside
    return np.interp(inside, music_s, video_s) + beyond, np.abs(beyond) <= _BEYOND_S


def _rate_hz(semantic: NDArray[Any]) -> int:
    """Give frames a second; `StopRun` and `UnusableRow` as `video_segments`."""
    if not len(semantic):
        raise UnusableRow("its video has no features")
    if not np.isfinite(semantic).all():
        raise UnusableRow("the features of its video are not finite")
    width = semantic.shape[1]
    if width not in SEMANTIC_HZ:
        rates = ", ".join(map(str, SEMANTIC_HZ))
        raise MalformedColumn("semantic", "the row", f"is {width} wide; known widths are {rates}")
    return SEMANTIC_HZ[width]


def _mean_frames(semantic: NDArray[Any], starts_s: Floats, ends_s: Floats) -> Floats32:
    """Average ``[n, d]`` the frames from each start to before its end.

    A span in which no frame lies is seen as the frame on screen at its start.
    """
    frames = np.asarray(semantic, dtype=np.float32)
    rate_hz = SEMANTIC_HZ[frames.shape[1]]
    # A frame that lies at an edge but for rounding lies there.
    firsts, lasts = (np.ceil(t * rate_hz - 1e-6).astype(int) for t in (starts_s, ends_s))
    indices = np.floor(starts_s * rate_hz + 1e-6).astype(int).clip(0, len(frames) - 1)
    spans = [
        slice(first, last) if first < last else slice(at, at + 1)
        for first, last, at in zip(firsts, lasts, indices, strict=True)
    ]
    return np.stack([frames[span].mean(axis=0) for span in spans])


def prepare(music: MusicFeatures, config: VmcpConfig) -> Prepare:
    """Make what turns a row into pairs: ``video`` ``[t, dv]`` and ``music`` ``[t, dm]``.

    A song of more than `max_segments` is cropped where the generator says. `UnusableRow` where
    there is no music or there are no pictures.
    """

    def make(row: Mapping[str, Any], rng: np.random.Generator) -> Example:
        segment_s = music.window_s * config.windows
        video, sound = pair_segments(
            row, music.of_row(row, config.windows), segment_s, aligned=config.pairs == "aligned"
        )
        count = min(len(video), config.max_segments)
        start = int(rng.integers(len(video) - count + 1))
        return {"video": video[start : start + count], "music": sound[start : start + count]}

    return make


def listen(
    rows: Sequence[Rows],
    music: MusicFeatures,
    tell: Callable[[int, int], None],
    left_out: LeftOut,
    *,
    rank: int = 0,
    world: int = 1,
) -> None:
    """Make the features of all songs of this rank's share; `tell` is given songs done and in all.

    What was made before is only read, so that a run that was killed here loses one song.
    """
    count = sum(len(part) for part in rows)
    songs = (row for part in rows for row in part.without_features())
    for number, row in enumerate(songs):
        if number % world == rank:
            left_out.use(row, music.of_row)
        tell(number + 1, count)
