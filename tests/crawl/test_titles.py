"""Titles as people write them, and the song that each one names."""

import contextlib
import importlib.util
import json
import re
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from symmv_builder.cli import app
from symmv_builder.crawl.titles import Habits, fold, marks_of, parse_title
from symmv_builder.errors import Reason, RejectEntry

_spec = importlib.util.spec_from_file_location(
    "reading_tables", Path(__file__).with_name("reading_tables.py")
)
assert _spec is not None
assert _spec.loader is not None
reading_tables = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reading_tables)


def misread(name: str) -> tuple[list[str], int]:
    """Titles of a table that are read otherwise than the table says, and how many it has."""
    wrong = []
    rows = reading_tables.rows_of(name)
    for row in rows:
        found = parse_title(row["title"], channel=row["channel"] or "")
        artists = {fold(name) for name in row["artist"].split(" ;; ")}
        songs = {fold(name) for name in row["song"].split(" ;; ")}
        if fold(found.artist) not in artists or fold(found.title) not in songs:
            wrong.append(f"{row['title']} -> {found.artist} | {found.title}")
    return wrong, len(rows)


@pytest.mark.parametrize(
    ("table", "least"),
    [
        ("official_titles", 270),
        ("official_titles_second", 160),
        ("official_titles_third", 95),
        ("cover_titles", 140),
        ("cover_titles_second", 50),
    ],
)
def test_artist_and_title_are_read_out_of_real_titles(table: str, least: int) -> None:
    wrong, total = misread(table)
    assert total >= least
    assert len(wrong) <= 0.02 * total, wrong


GUEST = re.compile(r"\s+ft\. [^(\[]*")
UPLOAD = re.compile(
    r"\s*[(\[][^()\[\]]*(official|oficial|oficiel|officiel|explicit)[^()\[\]]*[)\]]", re.IGNORECASE
)


def plain_reading(title: str) -> tuple[str, str] | None:
    """Artist and title by one dash and two patterns, where the title leaves no doubt."""
    if title.count(" - ") != 1:
        return None
    artist, song = title.split(" - ")
    artist = artist.split(" ft. ")[0]
    while UPLOAD.search(song):
        song = UPLOAD.sub("", song)
    song = GUEST.sub("", f"{song} ").strip()
    if "(" in song or "[" in song:
        return None
    return artist, song


@pytest.mark.twin("test_plain_titles_are_read_as_they_are_written")
def test_titles_of_a_published_dataset_are_read_as_they_are_written(shared_data: Path) -> None:
    lines = (shared_data / "muvisync" / "idlist_odd_rows.txt").read_text("utf-8").splitlines()
    clear, wrong = readings([line.split("\t")[0][4:] for line in lines])
    assert clear > 300
    assert len(wrong) <= 0.03 * clear, wrong


def test_plain_titles_are_read_as_they_are_written() -> None:
    titles = [
        "Anna Lind - Winter Song (Official Video)",
        "Anna Lind ft. The Boats - Winter Song [Official Music Video]",
        "The Boats - Over the Hill ft. Anna Lind (Official Lyric Video)",
        "Los Barcos - La Noche (Video Oficial)",
        "DJ Nobody - 7 Days (Explicit)",
        "Two - Dashes - Here (Official Video)",
        "A Name Without A Dash",
    ]
    assert readings(titles) == (5, [])


def readings(titles: list[str]) -> tuple[int, list[tuple[str, str, str]]]:
    """How many titles leave no doubt, and which of them are read otherwise than they say."""
    known = [(title, plain_reading(title)) for title in titles]
    clear = [(title, reading) for title, reading in known if reading]
    wrong = []
    for title, reading in clear:
        found = parse_title(title)
        if tuple(map(fold, reading)) != (fold(found.artist), fold(found.title)):
            wrong.append((title, found.artist, found.title))
    return len(clear), wrong


def test_the_habit_of_a_source_decides_the_order() -> None:
    text = "Aaaa Bbbb - Cccc Dddd (Piano Cover)"
    first = parse_title(text, habits=Habits(order="artist-title"))
    second = parse_title(text, habits=Habits(order="title-artist"))
    assert (first.artist, first.title) == ("Aaaa Bbbb", "Cccc Dddd")
    assert (second.artist, second.title) == ("Cccc Dddd", "Aaaa Bbbb")
    assert min(first.confidence, second.confidence) > parse_title(text).confidence


def test_phrases_separators_and_the_performer_of_a_source_are_its_habits() -> None:
    habits = Habits(order="title-artist", strip=("Jane Plays",), separators=("~~",))
    found = parse_title("JANE PLAYS Hello ~~ Adele (Piano Cover)", habits=habits)
    assert (found.artist, found.title) == ("Adele", "Hello")
    assert parse_title("Hello (Piano)", habits=Habits(artist="Adele")).artist == "Adele"


def test_the_channel_says_who_the_artist_is() -> None:
    found = parse_title("Foobar - Bazqux (Piano Cover)", channel="Bazqux Official")
    assert (found.artist, found.title) == ("Bazqux", "Foobar")


def test_confidence_is_low_where_nothing_says_who_the_artist_is() -> None:
    nobody = parse_title("Rush E")
    assert nobody.artist == ""
    assert nobody.confidence < 0.5
    assert parse_title("Adele - Hello (Official Video)").confidence > 0.9
    assert parse_title("Xyzzy - Plugh (Piano Cover)").confidence < 0.7


@pytest.mark.parametrize(
    ("text", "marks"),
    [
        ("Adele - Hello (Official Music Video)", {"official"}),
        ("Adele - Hello (Piano Cover)", {"cover", "piano"}),
        ("Piano Man - Billy Joel (Karaoke)", {"karaoke"}),
        ("Oasis - Live Forever (Official Video)", {"official"}),
        ("Mike Posner - I Took A Pill In Ibiza (Seeb Remix)", {"remix"}),
        ("夜に駆ける / YOASOBI ピアノで弾いてみた", {"cover", "piano"}),
    ],
)
def test_marks_are_what_the_title_says_besides_the_song(text: str, marks: set[str]) -> None:
    assert set(parse_title(text).marks) == marks


def test_marks_are_found_in_any_language() -> None:
    assert "lyric" in marks_of("Кино - Кукушка (текст песни)")
    assert "live" in marks_of("Song (Ao Vivo)")
    assert "piano" in marks_of("아이유 밤편지 피아노 커버")


@pytest.mark.parametrize("text", ["", "()", "🎹🎵", "Piano Cover", "(Official Video)", "- - -"])
def test_a_title_that_names_no_song_is_rejected(text: str) -> None:
    with pytest.raises(RejectEntry) as caught:
        parse_title(text)
    assert caught.value.reason is Reason.UNPARSABLE_TITLE


HOSTILE = [
    "(" * 10_000,
    "'a " * 160,
    '"' * 499,
    "ft. " * 120,
    " - " * 160,
    "A - " * 120,
    "Official Video " * 30,
    "[[" * 120 + "]]" * 120,
    "\u202e\u200f\x00\x07" + "a" * 400,
    "e\u0301" * 3000,
    "\ud800 - \udfff",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "<img src=x onerror=alert(1)> - <b>y</b>",
    "live at " * 60,
    "x" * 10_240,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_title_is_read_or_rejected_at_once(text: str) -> None:
    started = time.perf_counter()
    with contextlib.suppress(RejectEntry):
        found = parse_title(text)
        assert 0 <= found.confidence <= 1
        assert not re.search(r"[\x00-\x1f\u200e\u200f\u202a-\u202e\ud800-\udfff]", found.title)
    assert time.perf_counter() - started < 0.5


def test_markup_in_a_title_stays_what_it_is() -> None:
    found = parse_title("<b>Tom & Jerry</b> - <i>Song</i> (Official Video)")
    assert (found.artist, found.title) == ("<b>Tom & Jerry</b>", "<i>Song</i>")


def test_the_command_prints_a_json_line_for_each_title() -> None:
    texts = ["Adele - Hello (Official Music Video)", "()", "AC/DC - Thunderstruck"]
    done = CliRunner().invoke(app, ["run", "title", *texts])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.exit_code == 1
    assert list(lines[0]) == ["artist", "title", "confidence", "marks"]
    assert [(line["artist"], line["title"]) for line in lines] == [
        ("Adele", "Hello"),
        ("", ""),
        ("AC/DC", "Thunderstruck"),
    ]
    assert lines[1]["reason"] == "unparsable_title"
