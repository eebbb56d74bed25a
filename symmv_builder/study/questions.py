"""What raters are asked: the questions of four papers, in our words, and how each is answered.

| preset | source | answers |
|---|---|---|
| symmv | Zhuo et al. 2023, section 6.3, Table 3 | which of two is better; two for experts alone |
| video2music | Kang et al. 2024, section 5.3.2, Table 5 | seven points |
| v2meow | Su et al. 2023, appendix A3, Figure 8 | five points between two |
| gvmgen | Zuo et al. 2025, "Experiment", Table 2 | seven points; one of a series of pieces |
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

# Two pieces for one video; one piece; several pieces of one model.
Kind: TypeAlias = Literal["pair", "rating", "series"]
KINDS: tuple[Kind, ...] = ("pair", "rating", "series")
MOST_POINTS = 11


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its `name` in answers, its `heading` in tables, its `text` for raters.

    It has `points` answers, from 1: of a pair from the first piece to the second, an odd number
    has "no preference" in the middle; of one piece from `low` to `high`. `for_experts` is asked of
    raters who say that they have musical training.
    """

    name: str
    heading: str
    text: str
    kind: Kind
    points: int
    low: str = ""
    high: str = ""
    for_experts: bool = False


def _choices(points: int, rows: tuple[tuple[str, str, str, bool], ...]) -> tuple[Question, ...]:
    return tuple(
        Question(name, heading, text, "pair", points, for_experts=is_expert)
        for name, heading, text, is_expert in rows
    )


def _ratings(low: str, high: str, rows: tuple[tuple[str, str, Kind], ...]) -> tuple[Question, ...]:
    return tuple(
        Question(name, name.upper(), text, kind, 7, low, high) for name, text, kind in rows
    )


PRESETS: Mapping[str, tuple[Question, ...]] = {
    "symmv": _choices(
        2,
        (
            ("melody", "Music Melody", "Which melody is richer and more pleasant?", False),
            ("rhythm", "Music Rhythm", "Which rhythm is more consistent?", False),
            ("video_content", "Video Content", "Which music suits what the video shows?", False),
            ("video_rhythm", "Video Rhythm", "Which music moves with the video?", False),
            ("chords", "Chord Quality", "Which has the better chord progression?", True),
            ("accompaniment", "Accom. Quality", "Which has the richer accompaniment?", True),
            ("overall", "Overall Ranking", "Which of the two is better on the whole?", False),
        ),
    ),
    "video2music": _ratings(
        "extremely poor",
        "excellent",
        (
            ("omq", "How good is the music, whatever the video shows?", "rating"),
            ("mvc", "How well do video and music go together on the whole?", "rating"),
            ("hm", "How well does the harmony match the video?", "rating"),
            ("rm", "How well does the tempo match the video?", "rating"),
            ("lm", "How well does the loudness match the video?", "rating"),
        ),
    ),
    "v2meow": _choices(
        5,
        (
            (
                "relevance",
                "Visual Relevance",
                "Which music goes better with the video? Pass over the quality of the sound.",
                False,
            ),
            (
                "preference",
                "Music Preference",
                "Which music would you rather hear? Pass over the video and the sound's quality.",
                False,
            ),
        ),
    ),
    "gvmgen": _ratings(
        "very poor",
        "very good",
        (
            ("omq", "How good is the music?", "rating"),
            ("mvc", "How well does it fit the video in meaning, emotion and rhythm?", "rating"),
            ("mr", "How varied is the music of these videos, taken together?", "series"),
        ),
    ),
}
