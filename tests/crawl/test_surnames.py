"""Who is meant by a surname, and what a match makes of it."""

import pytest

from symmv_builder.crawl.match import (
    CALIBRATION,
    Weights,
    precision_and_recall,
    rank,
    similarity,
)
from symmv_builder.crawl.titles.surnames import last_name_last, named, people
from symmv_builder.records import Listing, ParsedTitle, Source


def likeness(artist: str, work: str, title: str, channel: str = "") -> float:
    listing = Listing(Source("youtube", "00000000000"), title, channel)
    alike, known = similarity(ParsedTitle(artist, work, 1.0), listing)
    return alike * known


@pytest.mark.parametrize(
    ("artist", "surname"),
    [
        ("Johann Sebastian Bach", ["bach"]),
        ("Ludwig van Beethoven", ["beethoven"]),
        ("Manuel de Falla", ["falla"]),
        ("Nikolai Rimsky-Korsakov", ["rimsky korsakov"]),
        ("Beethoven, Ludwig van", ["beethoven"]),
        ("J.S. Bach", ["bach"]),
        ("Harry Connick Jr.", ["connick"]),
        ("Сергей Рахманинов", ["рахманинов"]),
        ("Katia & Marielle Labèque", ["labeque", "labeque"]),
        ("Adele", []),
        ("Green Day", []),
        ("The Rolling Stones", []),
        ("The Isley Brothers", []),
        ("Lady Gaga", []),
        ("周杰倫", []),
        ("아이유", []),
        ("", []),
    ],
)
def test_the_surname_is_that_of_a_person(artist: str, surname: list[str]) -> None:
    assert [" ".join(person.surname) for person in people(artist)] == surname


def test_last_name_first_is_turned_and_a_list_of_performers_is_not() -> None:
    assert last_name_last("Bach, Johann Sebastian") == "Johann Sebastian Bach"
    assert last_name_last("Adele, Bruno Mars") == "Adele, Bruno Mars"
    assert last_name_last("Earth, Wind & Fire") == "Earth, Wind & Fire"


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Bach", 0.85),
        ("BACH: English Suite", 0.85),
        ("J.S. Bach", 0.9),
        ("JS Bach", 0.9),
        ("Johann Bach", 0.95),
        ("Bach, Johann Sebastian", 0.95),
        ("C.P.E. Bach", None),
        ("Bach, Carl Philipp Emanuel", None),
        ("Anna Magdalena Bach", None),
        ("Bachlund", 0.0),
        ("Offenbach", 0.0),
        ("", 0.0),
    ],
)
def test_what_stands_beside_a_surname_decides_who_it_is(text: str, share: float | None) -> None:
    (bach,) = people("Johann Sebastian Bach")
    assert named(bach, text) == share


@pytest.mark.parametrize(
    ("artist", "work", "title"),
    [
        ("Johannes Brahms", "4 Klavierstücke, Op.119", "Brahms - 4 Klavierstücke, Op. 119"),
        ("Johann Sebastian Bach", "Toccata in D minor", "J.S. Bach: Toccata in D Minor"),
        ("Claude Debussy", "Nuit d'étoiles", "Natalie Dessay - Nuit d'étoiles (Debussy)"),
        ("Сергей Рахманинов", "Вокализ", "Рахманинов - Вокализ"),
        ("Manuel de Falla", "Danza del fuego", "Falla: Danza del fuego"),
        ("Nikolai Rimsky-Korsakov", "Scheherazade", "Rimsky-Korsakov - Scheherazade"),
        ("John Williams", "Schindler's List", "Williams - Schindler's List"),
        ("Félix Le Couppey", "Le rythme, Op.22", "Félix Le Couppey: Étude, Op. 22 No. 25"),
    ],
)  # fmt: skip
def test_a_work_named_by_its_author_s_surname_is_found(artist: str, work: str, title: str) -> None:
    assert likeness(artist, work, title) >= CALIBRATION.threshold


@pytest.mark.parametrize(
    ("artist", "work", "title"),
    [
        ("Robert Schumann", "Scherzo", "Clara Schumann - Scherzo"),
        ("Wolfgang Amadeus Mozart", "Kindersinfonie", "Leopold Mozart - Kindersinfonie"),
        ("John Williams", "Happy", "Pharrell Williams - Happy"),
        ("John Williams", "Hymn to the Fallen", "Williams - Hymn to the Falling Rain"),
        ("Michael Jackson", "Nasty", "Janet Jackson - Nasty"),
        ("Green Day", "Holiday", "Day - Holiday"),
        ("Imagine Dragons", "Believer", "Dragons - Believer"),
        ("Ludwig van Beethoven", "Piano Sonata, Op.31 No.1", "Haydn - Sonata Op. 31 No. 1"),
        ("Georgy Dulov", "Allegro de concert, Op.4", "Chopin's Allegro de concert, Op. 46"),
    ],
)
def test_a_namesake_s_work_is_not(artist: str, work: str, title: str) -> None:
    assert likeness(artist, work, title) < CALIBRATION.threshold


def test_pieces_of_one_opus_are_told_apart_by_their_numbers() -> None:
    wanted = ("Ludwig van Beethoven", "Piano Sonata No.17, Op.31 No.2")
    found = "L. V. Beethoven: Sonata nº 17 «Tempest», Op. 31 nº 2 (1802)"
    other = "L. V. Beethoven: La chasse, Op. 31 nº 3 (1802)"
    assert likeness(*wanted, found) >= CALIBRATION.threshold > likeness(*wanted, other)


def test_the_older_of_two_uploads_comes_first() -> None:
    song = ParsedTitle("Adele", "Hello", 1.0)
    late, early, unknown = (
        Listing(
            Source("youtube", f"{number:011d}"), "Adele - Hello (Official Video)", "Adele",
            channel_is_verified=True, uploaded=uploaded,
        )
        for number, uploaded in enumerate(("20200101", "20151022", ""))
    )  # fmt: skip
    ranked = rank(song, [late, early, unknown], cover_duration_s=None, cover_uploaded="20160101")
    assert [one.listing for one in ranked] == [early, unknown, late]


def test_precision_and_recall_are_those_counted_by_hand() -> None:
    scored = [(0.9, True), (0.8, False), (0.6, True), (0.3, True), (0.0, False)]
    assert precision_and_recall(scored, 0.5) == (2 / 3, 2 / 3)
    assert precision_and_recall(scored, 0.95) == (0.0, 0.0)


def test_what_was_measured_holds_for_the_threshold_in_use() -> None:
    assert CALIBRATION.threshold == Weights().review
    assert CALIBRATION.precision >= 0.965
    assert CALIBRATION.recall >= 0.70
    assert "precision 0.978, recall 0.770" in str(CALIBRATION)
