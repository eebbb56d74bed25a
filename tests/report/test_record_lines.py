"""A record in one line, however much it holds."""

import numpy as np
import pytest

from symmv_builder.midi_file import MidiFile
from symmv_builder.records import (
    Alignment,
    AudioCodes,
    Chords,
    KeySpans,
    Loudness,
    MusicLabels,
    Pictures,
    PublishedLabels,
    Record,
    Scenes,
    SoundShares,
    TagTrack,
    TimedText,
)
from symmv_builder.report.record_lines import describe

COUNT = 5_000
RISING = np.arange(COUNT, dtype=float)
ONES = np.ones(COUNT, np.float32)
WORDS = tuple(["words"] * COUNT)


@pytest.mark.parametrize(
    ("record", "line"),
    [
        (
            Pictures(np.zeros(2 * COUNT, np.uint8), 2 * np.arange(1, COUNT + 1), 0.5),
            "5,000 pictures, one every 0.5 s, 0.0 MB",
        ),
        (Loudness(-23.04, ONES), "-23.0 LUFS, 5000 short-term values"),
        (SoundShares(ONES, 0 * ONES, 0.5 * ONES), "music 100%, vocals 0%, speech 50%"),
        (
            TagTrack(("a", "b", "c", "d"), 1.0, np.tile([0.1, 0.4, 0.2, 0.3], (COUNT, 1))),
            "5000 x 4 at 1 Hz, likeliest b 0.40, d 0.30, c 0.20",
        ),
        (TagTrack(("a",), 1.0, np.zeros((0, 1), np.float32)), "0 x 1 at 1 Hz, likeliest none"),
        (
            AudioCodes(np.zeros((COUNT, 4), np.int16), 32_000, 640, 1500),
            "5000 x 4 at 50 Hz, codes",
        ),
        (Alignment(RISING, RISING, 0.9), "music_s 5000 values, video_s 5000 values"),
        (TimedText(RISING, RISING + 1, WORDS, "en"), "texts 5000 values, language en"),
        (MusicLabels("pop", 0.25, ("piano",)), "genre pop, genre_likelihood 0.25"),
        (PublishedLabels(("Game",), "x" * 1_000), "labels ['Game'], caption xxx"),
        (
            KeySpans(RISING, RISING + 1, ("C",) * COUNT, ("major",) * COUNT),
            "5,000 spans: C major from 0.00 s",
        ),
        (MidiFile(np.frombuffer(b"MThd" * COUNT, np.uint8)), "20000 values"),
    ],
)
def test_a_record_of_any_size_is_one_short_line(record: Record, line: str) -> None:
    described = describe(record)
    assert line in described
    assert len(described) < 400
    assert "\n" not in described


def test_a_list_that_is_cut_says_so_and_times_have_a_unit() -> None:
    edges = np.arange(15, dtype=np.float64)
    labels = ("C", "G") * 7
    assert describe(Chords(edges[:-1], edges[1:], labels)) == (
        f"14 spans, 2 different: {' '.join(labels[:12])} …"
    )
    assert describe(Chords(edges[:1], edges[1:2], ("C",))) == "1 span, 1 different: C"
    shots = Scenes(edges[:2], edges[1:3], np.arange(2))
    assert describe(shots) == "2 shots from 0.00 1.00 s"
    keys = KeySpans(edges[:2], edges[1:3], ("C", "A"), ("major", "minor"))
    assert describe(keys) == "2 spans: C major from 0.00 s, a minor from 1.00 s"
