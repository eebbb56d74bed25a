"""BGM909: the songs of POP909 joined with their official videos.

Li et al., "Diff-BGM: A Diffusion Model for Video Background Music Generation", CVPR 2024, section
3: notes, melody, beats, chords and key are POP909's, shots of the videos are found by TransNetV2.
Read is a copy of POP909, and beside it, where there is one, ``videos.csv`` with the columns
``song`` (001 to 909) and ``id``, the video at YouTube. Songs that the table does not name have no
video; without a table each song's video is a file of its number, ``001.mp4``.

The release of BGM909 holds the videos' captions and where each video and its song meet. Neither is
read: rows do not say which second of the video belongs to which of the music.
"""

from dataclasses import replace
from pathlib import Path

from symmv_builder.crawl import probe
from symmv_builder.datasets.imports import labelled
from symmv_builder.datasets.imports.importers import pop909
from symmv_builder.datasets.imports.tree import Song, Tree
from symmv_builder.errors import MalformedFile
from symmv_builder.files import Folder
from symmv_builder.pipeline.step import use
from symmv_builder.records import Source
from symmv_builder.tables import read_table
from symmv_builder.text import amount
from symmv_builder.video import colour, motion, scenes, semantic

NAME = "bgm909"
LICENCE = pop909.LICENCE
MEDIA = ("video",)
TABLE = "videos.csv"

RECIPE = replace(
    pop909.RECIPE,
    name=NAME,
    pairs=True,
    uses=(
        *pop909.RECIPE.uses,
        use(probe.VIDEO),
        use(motion.STEP, hop_s=0.2, variant="sampled"),
        use(semantic.STEP, model="vit-b-32", hop_s=1 / 6),
        use(colour.STEP),
        use(scenes.STEP, model="transnetv2"),
    ),
    absent=frozenset(),
)


def scan(path: Path) -> Tree:
    """Find the songs of a copy of POP909 with their videos.

    `StopRun` with line and column of a mistake in the table.
    """
    songs = pop909.scan(path)
    handed_in = Folder(path)
    table = path / TABLE
    if not handed_in.holds(table):
        return replace(songs, songs=tuple(_joined(song) for song in songs.songs))
    videos = _read_videos(table, {song.entry.entry_id for song in songs.songs})
    joined = [
        _joined(s, videos[s.entry.entry_id]) for s in songs.songs if s.entry.entry_id in videos
    ]
    if not joined:
        raise MalformedFile(table, "it names no song of this copy of POP909")
    without_video = len(songs.songs) - len(joined)
    left_out = (
        [f"{amount(without_video, 'song')} that {TABLE} gives no video"] if without_video else []
    )
    return Tree(tuple(joined), left_out=(*left_out, *songs.left_out))


def _joined(song: Song, video: Source | None = None) -> Song:
    """Make an entry of a song of POP909, whose video is another recording than its music."""
    number = song.entry.entry_id
    source = video or Source("file", f"{NAME}.{number}.video")
    return replace(song, entry=replace(song.entry, dataset=NAME, video=source))


def _read_videos(table: Path, ids: set[str]) -> dict[str, Source]:
    """Read the video of each song that the table names."""
    videos: dict[str, Source] = {}
    for row in read_table(table, ("song", "id")):
        if row["song"] not in ids:
            problem = f"{row['song'][:20]!r} is no song of this copy of POP909"
            raise MalformedFile(table, problem, row.number, "column song")
        if row["song"] in videos:
            problem = f"{row['song']} has a video already"
            raise MalformedFile(table, problem, row.number, "column song")
        videos[row["song"]] = labelled.youtube(table, row, "id")
    return videos
