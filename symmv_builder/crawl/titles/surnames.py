"""Whether a text names a person by the surname, and not somebody else of that name.

Classical titles say "Brahms" or "J.S. Bach" where a list says "Johann Sebastian Bach". What
stands beside the surname decides: given names and initials must agree with the wanted ones, so
that a surname alone, *C.P.E.* Bach and *Clara* Schumann are three things. Only alphabets in
which the family name is written last have surnames here.
"""

import re
import unicodedata
from dataclasses import dataclass, replace

from rapidfuzz import fuzz

from symmv_builder.crawl.titles.names import GIVEN_NAMES, PERFORMERS
from symmv_builder.crawl.titles.words import fold, word_set

# How surely a surname means the person: with a given name, with initials, alone.
WITH_GIVEN_NAME, WITH_INITIALS, ALONE = 0.95, 0.9, 0.85
# Below this likeness of the titles, a common surname alone means nobody.
SAME_TITLE = 0.95

_PARTICLES = word_set(
    "van von de der den del della di da du dos das do la le el al ter ten zu zur af av y e und "
    "bin ibn"
)
_SUFFIXES = word_set("jr sr ii iii iv junior senior")
# The most frequent surnames of the languages that titles are written in, folded.
_COMMON = word_set(
    "smith johnson williams brown jones garcia miller davis rodriguez martinez hernandez lopez "
    "gonzalez wilson anderson thomas taylor moore jackson martin lee perez thompson white harris "
    "sanchez clark ramirez lewis robinson walker young allen king wright scott torres nguyen hill "
    "flores green adams nelson baker hall rivera campbell mitchell carter roberts evans turner "
    "phillips parker edwards collins stewart morris murphy cook rogers morgan cooper peterson "
    "reed bailey kelly howard ward cox diaz richardson wood watson brooks bennett gray james "
    "hughes price long foster ross henderson coleman jenkins perry powell bell cole west stone "
    "ford fox george muller schmidt schneider fischer weber meyer wagner becker schulz hoffmann "
    "koch bauer richter klein wolf schroder neumann schwarz bernard dubois durand petit robert "
    "richard simon laurent michel rossi russo ferrari esposito bianchi romano silva santos souza "
    "oliveira costa pereira fernandez gomez ruiz cruz reyes ramos ivanov smirnov kuznetsov popov "
    "иванов смирнов попов jansen hansen johansen olsen larsen andersen nielsen jensen andersson "
    "johansson karlsson nilsson eriksson kim park choi jung kang cho yoon jang lim han wang zhang "
    "chen yang zhao huang zhou chou wu liu sun zhu lin singh kumar sharma khan ali ahmed tanaka "
    "suzuki sato yamada"
)
# Words that end the names of bands and ensembles, or of anything else.
_PLAIN = word_set(
    "band boys girls brothers sisters family orchestra orchester orchestre choir chorus ensemble "
    "quartet quartett quintet trio duo project experience company club crew gang group kids men "
    "women people children dragons monkeys lanterns animals birds tigers wolves bears bugs roses "
    "stones doors wheels machines pilots drivers killers strangers fighters lovers dreamers "
    "heroes angels devils ghosts kings queens days day night nights morning summer winter sun "
    "moon star stars sky rain snow fire water ocean sea river mountain mountains city street "
    "house home room park road world earth island garden heart hearts soul souls love hate dream "
    "dreams life death time times light lights dark shadow shadows color colors blue red black "
    "gold silver sound sounds music song songs piano symphony radio sessions collective republic "
    "nation army zone punk rock metal pop jazz direction way end side line party revolution "
    "theory machine folk anonymous traditional unknown various artists soundtrack cast version "
    "theme"
)
# What begins a stage name, or no person's name.
_STAGE = word_set(
    "the lady lord king queen prince princess dj mc lil big young mr mrs miss dr saint"
)
_GIVEN = GIVEN_NAMES | word_set(
    "carl leopold magdalena maddalena fanny wilhelm friedrich heinrich christoph christian "
    "ferdinand philipp ludwig gustav otto hermann eduard ernst karl august emil dietrich georg "
    "gottfried pharrell janet jermaine domenico alessandro giuseppe giacomo luigi nikolai sergei "
    "igor anton alexander modest camille claude maurice hector jules leos bela zoltan niels jean "
    "louis"
)
_INITIALS = re.compile(r"(?<!\w)((?:[^\W\d_]\.\s*)+)", re.UNICODE)
_DASHES = re.compile(r"[-\u2010-\u2015\u2212]")


@dataclass(frozen=True, slots=True)
class Person:
    """Surname and given names, flat; a hyphenated surname is several words."""

    surname: tuple[str, ...]
    given: tuple[str, ...]
    particles: tuple[str, ...]
    is_common: bool


def flat(text: str) -> str:
    """Fold a text, and remove the accents of Latin, Greek and Cyrillic letters."""
    spread = unicodedata.normalize("NFKD", fold(text))
    bare = "".join(c for c in spread if not "\u0300" <= c <= "\u036f")
    return unicodedata.normalize("NFC", bare)


def people(artist: str) -> list[Person]:
    """List the persons whom an artist's name holds; none for a band, or a name of one word.

    Members of a duo share the surname that the last of them is given: ``Katia & Marielle Labèque``.
    """
    artist = last_name_last(artist)
    for mark in (" & ", " and ", " y ", " und ", " et ", "、", ";"):
        artist = artist.replace(mark, ",")
    parts = [part.strip() for part in artist.split(",") if part.strip()]
    persons = [person for person in map(_person, parts) if person]
    is_duo = len(parts) == 2 and " " not in parts[0] and len(persons) == 1
    if is_duo and flat(parts[0]) not in PERFORMERS:
        persons.append(replace(persons[0], given=(flat(parts[0]),)))
    return persons


def last_name_last(artist: str) -> str:
    """Turn ``Beethoven, Ludwig van`` to ``Ludwig van Beethoven``; a list of performers stays."""
    last, comma, first = artist.partition(",")
    words = flat(first).split()
    if not comma or "," in first or not words or "&" in first or len(last.split()) > 3:
        return artist
    if flat(last) in PERFORMERS and flat(first) in PERFORMERS:
        return artist
    begins = words[0] in _GIVEN and (len(words) == 1 or words[-1] in _PARTICLES | _GIVEN)
    if begins or all(len(word) == 1 for word in words):
        return f"{first.strip()} {last.strip()}"
    return artist


def _person(name: str) -> Person | None:
    whole = flat(name)
    words = _DASHES.sub("-", _INITIALS.sub(_spaced, name)).split()
    while words and flat(words[-1]) in _SUFFIXES:
        words.pop()
    if len(words) < 2 or not _family_name_is_last(whole):
        return None
    surname = tuple(flat(words[-1]).split())
    others = flat(" ".join(words[:-1])).split()
    given_names = tuple(word for word in others if word not in _PARTICLES)
    particles = tuple(word for word in others if word in _PARTICLES)
    if not surname or not given_names or len("".join(surname)) < 3 or given_names[0] in _STAGE:
        return None
    is_known_band = whole in PERFORMERS and given_names[0] not in _GIVEN and len(given_names[0]) > 1
    if surname[-1] in _PLAIN or is_known_band or any(c.isdigit() for c in whole):
        return None
    return Person(surname, given_names, particles, surname[-1] in _COMMON)


def _spaced(initials: re.Match[str]) -> str:
    return initials[0].replace(".", ". ")


def _family_name_is_last(text: str) -> bool:
    scripts = {unicodedata.name(c, "?").split()[0] for c in text if c.isalpha()}
    return bool(scripts) and scripts <= {"LATIN", "CYRILLIC", "GREEK"}


def named(person: Person, text: str, *, is_artist: bool = False) -> float | None:
    """Measure how surely a text names the person by the surname, 0-1; `None` for a namesake.

    0 where the surname does not stand in the text as whole words. `is_artist` says that the text
    is an artist's name, in which any word before the surname is a given name; in a running title
    it is one only if it is known as such.
    """
    words = flat(_INITIALS.sub(_spaced, text)).split()
    size, best, is_namesake = len(person.surname), 0.0, False
    for place in range(len(words) - size + 1):
        if tuple(words[place : place + size]) != person.surname:
            continue
        after = _given_after(text, person, words[place + size : place + size + 1])
        before = _given_before(words[:place], person, is_artist=is_artist) or after
        if not all(_is_given(word, person) for word in before):
            is_namesake = True
        elif not before:
            best = max(best, ALONE)
        elif any(len(word) > 2 for word in before):
            best = max(best, WITH_GIVEN_NAME)
        else:
            best = max(best, WITH_INITIALS)
    return best if best or not is_namesake else None


def _given_before(words: list[str], person: Person, *, is_artist: bool) -> list[str]:
    """List the given names and initials that lead up to a surname, the nearest first."""
    given_names: list[str] = []
    for word in reversed(words):
        if word in _PARTICLES and not (len(word) == 1 and _is_given(word, person)):
            continue
        is_initial = len(word) == 1 and word.isalpha()
        is_name = is_initial or word in _GIVEN or _is_given(word, person)
        if not (is_name or (is_artist and word.isalpha())):
            break
        given_names.append(word)
    return given_names


def _given_after(text: str, person: Person, following: list[str]) -> list[str]:
    """Find the given name behind ``Bach, Carl ...``, where a comma says that it is one."""
    surname = r"\W+".join(map(re.escape, person.surname))
    if not following or not re.search(rf"\b{surname}\s*,", _unaccented(text)):
        return []
    word = following[0]
    is_name = word in _GIVEN or _is_given(word, person)
    return [word] if is_name else []


def _unaccented(text: str) -> str:
    spread = unicodedata.normalize("NFKD", text.casefold())
    return "".join(c for c in spread if not unicodedata.combining(c))


def _is_given(word: str, person: Person) -> bool:
    """Check whether a word is one of the person's given names, in another spelling, or initials."""
    letters = [name[0] for name in person.given]
    if len(word) == 1:
        return word in letters or word in {particle[0] for particle in person.particles}
    if len(word) <= 3 and word == "".join(letters)[: len(word)]:
        return True
    return any(
        word == name or (len(name) == 1 and word[0] == name) or fuzz.ratio(word, name) >= 75
        for name in person.given
    )
