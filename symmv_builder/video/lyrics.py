"""What is sung or said in a video and when, by the subtitles that its file holds.

A crawl of a recipe that names this step asks for the subtitles that people have written for a
video, never for those that a site has recognised by itself, and puts them into the file
(`backends.ytdlp`). A person's own files may hold some already. What is in them is not judged: for
a music video they are mostly its lyrics, for a film its dialogue.
"""

from pathlib import Path

import numpy as np

from symmv_builder.backends.pyav import DEFAULT_LIMITS
from symmv_builder.pipeline.step import Step
from symmv_builder.records import TimedText
from symmv_builder.schema import Column
from symmv_builder.text import clean_line

_MOST_LINES = 5000
_LONGEST_LINE = 500


def read_lyrics(video: Path) -> TimedText:
    """Read the first stream of subtitles, lines ``[n]`` by their starts; none where none is.

    Times are seconds on the video's clock. Subtitles that are pictures are passed over.
    `RejectEntry` for a file that cannot be read.
    """
    # Imported here: whoever reads a recipe with this step needs no decoder.
    from symmv_builder.backends.pyav.captions import read_captions

    for track in read_captions(video, DEFAULT_LIMITS):
        lines = [
            (start_s, end_s, line[:_LONGEST_LINE])
            for start_s, end_s, text in track.texts[:_MOST_LINES]
            if (line := clean_line(text))
        ]
        if lines:
            times = np.array([line[:2] for line in lines])
            texts = tuple(line[2] for line in lines)
            return TimedText(times[:, 0], times[:, 1], texts, clean_line(track.language)[:20])
    return TimedText(np.zeros(0), np.zeros(0), ())


STEP = Step(
    "lyrics",
    1,
    ("video",),
    read_lyrics,
    columns=(
        Column("{}_starts_s", "list<float64>", "s, video", "start of each line", "starts_s"),
        Column("{}_ends_s", "list<float64>", "s, video", "end of each line", "ends_s"),
        Column("{}", "list<string>", "", "lines of the subtitles in the video's file", "texts"),
        Column("{}_language", "string", "", "their language, as the file names it", "language"),
    ),
)
