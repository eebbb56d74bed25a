"""Search results as they come, and which of them is the official video."""

import importlib.util
import itertools
from pathlib import Path
from typing import Any

import pytest

from symmv_builder.crawl.match import ScoredListing, Weights, duration_fit, query_of, rank
from symmv_builder.records import Listing, ParsedTitle, Source

_spec = importlib.util.spec_from_file_location(
    "reading_tables", Path(__file__).with_name("reading_tables.py")
)
assert _spec is not None
assert _spec.loader is not None
reading_tables = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reading_tables)

HELLO = ParsedTitle("Adele", "Hello", 0.9)


def listing(title: str, channel: str = "AdeleVEVO", number: int = 0, **more: Any) -> Listing:
    facts: dict[str, Any] = {"channel_is_verified": True, "duration_s": 300.0, **more}
    return Listing(Source("youtube", f"{number:011d}"), title, channel, **facts)


def score(title: str, channel: str = "AdeleVEVO", **more: Any) -> ScoredListing:
    return rank(HELLO, [listing(title, channel, **more)], cover_duration_s=290.0)[0]


def searches(name: str) -> list[tuple[ParsedTitle, float, list[Listing], set[str]]]:
    """Wanted song, cover's length, results and the ids of those that are official videos."""
    found = []
    rows = reading_tables.rows_of(name)
    for key, group in itertools.groupby(rows, lambda r: (r["artist"], r["song"], r["cover_s"])):
        results, official = [], set()
        for number, row in enumerate(group):
            results.append(
                listing(
                    row["title"],
                    row["channel"],
                    number,
                    channel_is_verified=row["verified"] == "1",
                    duration_s=float(row["duration_s"]),
                    view_count=int(row["views"]),
                )
            )
            if row["official"] == "1":
                official.add(results[-1].source.video_id)
        found.append((ParsedTitle(key[0], key[1], 0.9), float(key[2]), results, official))
    return found


@pytest.mark.parametrize(
    ("table", "songs"), [("search_results", 55), ("search_results_second", 30)]
)
def test_what_is_accepted_is_the_official_video(table: str, songs: int) -> None:
    wrong, right, chosen, existing = [], 0, 0, 0
    groups = searches(table)
    for song, cover_s, results, official in groups:
        ranked = rank(song, results, cover_duration_s=cover_s)
        accepted = [one for one in ranked if one.verdict == "accept"]
        right += sum(one.listing.source.video_id in official for one in accepted)
        wrong += [
            one.listing.title for one in accepted if one.listing.source.video_id not in official
        ]
        existing += bool(official)
        chosen += bool(accepted and accepted[0].listing.source.video_id in official)
    assert len(groups) >= songs
    assert right / (right + len(wrong)) >= 0.97, wrong
    assert chosen / existing >= 0.85


def test_nothing_is_accepted_where_there_is_no_official_video() -> None:
    absent = [one for name in ("search_results", "search_results_second") for one in searches(name)]
    absent = [one for one in absent if not one[3]]
    assert len(absent) >= 8
    for song, cover_s, results, _ in absent:
        ranked = rank(song, results, cover_duration_s=cover_s)
        assert [one.listing.title for one in ranked if one.verdict == "accept"] == []


def test_the_query_names_artist_and_title() -> None:
    assert query_of(HELLO) == "Adele Hello official video"
    assert query_of(ParsedTitle("", "Rush E", 0.2)) == "Rush E official video"


@pytest.mark.parametrize(
    "words",
    ["Lyrics", "Live", "Piano Cover", "Karaoke", "Reaction", "Remix", "Audio", "Visualizer",
     "Sped Up", "Slowed", "Nightcore", "8D", "AI Cover", "Instrumental", "Tutorial", "Teaser",
     "Behind The Scenes", "Dance Practice"],
)  # fmt: skip
def test_a_word_for_another_kind_of_video_is_held_against_it(words: str) -> None:
    assert score("Adele - Hello (Official Video)").verdict == "accept"
    other = score(f"Adele - Hello ({words})")
    assert other.verdict != "accept"
    assert any(name.startswith("against") for name, _ in other.parts)


def test_a_word_of_the_song_itself_is_not_held_against_it() -> None:
    song = ParsedTitle("Oasis", "Live Forever", 0.9)
    results = [
        listing("Oasis - Live Forever (Official Video)", "Oasis", 1),
        listing("Oasis - Live Forever (Live at Knebworth)", "Oasis", 2),
    ]
    first, second = rank(song, results, cover_duration_s=290.0)
    assert (first.listing.source.video_id, first.verdict) == ("00000000001", "accept")
    assert second.verdict != "accept"


def test_a_song_of_the_same_name_by_another_artist_is_rejected() -> None:
    other = score("Lionel Richie - Hello (Official Music Video)", "LionelRichieVEVO")
    assert other.verdict == "reject"


def test_a_stranger_and_an_automatic_channel_are_for_review_at_most() -> None:
    stranger = score("Adele - Hello (Official Video)", "music4you", channel_is_verified=False)
    topic = score("Hello", "Adele - Topic", channel_is_verified=False)
    assert (stranger.verdict, topic.verdict) == ("review", "review")


def test_names_in_two_scripts_match_either() -> None:
    song = ParsedTitle("아이유", "밤편지", 0.9)
    result = listing("[MV] IU(아이유) _ Through the Night(밤편지)", "1theK (원더케이)")
    assert rank(song, [result], cover_duration_s=None)[0].verdict == "accept"


def test_equal_scores_are_ordered_by_video_id() -> None:
    results = [listing("Adele - Hello (Official Video)", number=n) for n in (3, 1, 2)]
    ranked = rank(HELLO, results, cover_duration_s=None)
    assert [one.listing.source.video_id[-1] for one in ranked] == ["1", "2", "3"]
    assert rank(HELLO, results[::-1], cover_duration_s=None) == ranked


def test_an_unlikely_length_counts_against() -> None:
    assert duration_fit(300.0, 290.0) == 1.0
    assert duration_fit(None, 290.0) == 0.5
    assert duration_fit(3600.0, 290.0) == 0.0
    assert score("Adele - Hello (Official Video)", duration_s=3600.0).verdict != "accept"


def test_the_weights_of_a_perfect_result_add_up_to_one() -> None:
    w = Weights()
    shares = (
        w.identity, w.channel, w.says_official, w.category, w.views, w.duration, w.date,
    )  # fmt: skip
    assert sum(shares) == pytest.approx(1.0)


@pytest.mark.parametrize("title", ["", "(" * 10_000, "x" * 10_240, "\u202e\ud800", "🎹"])
def test_a_hostile_result_is_rejected_quietly(title: str) -> None:
    assert score(title, title).verdict == "reject"
