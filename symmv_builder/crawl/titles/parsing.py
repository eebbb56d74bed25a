"""Artist and title out of a video's title: which field is which, and how sure that is.

Official videos put the artist first, piano covers put it on either side. What decides,
strongest first: the source's own habit, the channel's name, a name that is known, quotes,
and how much the two sides read like a song's name. With nothing to go by the artist is
taken to come first, and the confidence says so.
"""

from dataclasses import dataclass
from typing import Literal

from symmv_builder.crawl.titles import cutting, names
from symmv_builder.crawl.titles.cutting import TitlePart
from symmv_builder.crawl.titles.stripping import Name, tidy, tokens, trim
from symmv_builder.crawl.titles.words import (
    COVER_MARKS,
    TITLE_WORDS,
    fold,
    is_latin,
    marks_of,
    word_set,
)
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import ParsedTitle

Order = Literal["auto", "artist-title", "title-artist"]


@dataclass(frozen=True, slots=True)
class Habits:
    """The way a source writes its titles.

    `order` says which side of the dash the artist stands on; `strip` are phrases taken
    out wherever they stand, in any case; `separators` cut fields as ``|`` does; `artist`
    is the performer of everything there, where there is one.
    """

    order: Order = "auto"
    strip: tuple[str, ...] = ()
    separators: tuple[str, ...] = ()
    artist: str = ""


@dataclass(frozen=True, slots=True)
class _Guess:
    artist: str
    title: str
    confidence: float


@dataclass(frozen=True, slots=True)
class _Context:
    """The facts besides the fields: the source's habits, the channel, the kind of video."""

    habits: Habits
    channel: str
    is_cover: bool
    is_official: bool
    is_japanese: bool


def parse_title(text: str, *, channel: str = "", habits: Habits = Habits()) -> ParsedTitle:
    """Parse the song's artist and title, with a confidence (0-1) and the title's other marks.

    The artist is empty where the title names none; its confidence is low then. Takes time
    linear in the title's length. Raises `RejectEntry` (UNPARSABLE_TITLE) where no song is
    named, or the title is longer than `cutting.MOST_CHARACTERS`.
    """
    cleaned = cutting.clean(text[: 4 * cutting.MOST_CHARACTERS])
    if len(text) > 4 * cutting.MOST_CHARACTERS or len(cleaned) > cutting.MOST_CHARACTERS:
        most = cutting.MOST_CHARACTERS
        raise _rejection(f"the title has {len(text)} characters; no more than {most} are parsed")
    for phrase in habits.strip:
        cleaned = _remove_phrase(cleaned, phrase)
    parts = cutting.pieces(cleaned)
    lead, parts = _leading_label(parts)
    cut = cutting.cut(parts, habits.separators)
    groups = [[tidy(field) for field in fields] for fields in cut.groups]
    context = _context(cleaned, groups, channel, habits)
    guess = _guess(groups, context, lead)
    if guess is None:
        excerpt = f"{cleaned[:80]}..." if len(cleaned) > 80 else cleaned
        raise _rejection(f"no song is named in {excerpt!r}")
    confidence = guess.confidence * (0.8 if cut.weak else 1.0)
    artist, title = guess.artist or habits.artist, guess.title
    own = set(marks_of(title)) | set(marks_of(artist))
    removed = " | ".join(
        [lead, *(r for group in groups for n in group for r in _removed_phrases(n))]
    )
    marks = set(marks_of(cleaned)) - own | set(marks_of(removed)) | (own & {"remix"})
    return ParsedTitle(artist, title, round(min(confidence, 0.99), 3), tuple(sorted(marks)))


def _rejection(detail: str) -> RejectEntry:
    return RejectEntry(Reason.UNPARSABLE_TITLE, detail)


def _removed_phrases(name: Name) -> tuple[str, ...]:
    return name.removed if name.text else (name.source,)


def _remove_phrase(text: str, phrase: str) -> str:
    """Remove every occurrence of a phrase from a text, in any case."""
    start, flat, folded = 0, text.casefold(), phrase.casefold()
    if len(flat) != len(text) or not folded:
        return text.replace(phrase, " ") if phrase else text
    chunks = []
    while (at := flat.find(folded, start)) >= 0:
        chunks.append(text[start:at])
        start = at + len(folded)
    return " ".join([*chunks, text[start:]])


def _leading_label(parts: list[TitlePart]) -> tuple[str, list[TitlePart]]:
    """Split off a square or black bracket that opens the title: a label, or the artist's name."""
    if len(parts) > 1 and parts[0].kind == "bracket" and parts[0].opener in "[【〔［":
        return parts[0].text, parts[1:]
    return "", parts


def _context(text: str, groups: list[list[Name]], channel: str, habits: Habits) -> _Context:
    removed = " | ".join(r for group in groups for name in group for r in _removed_phrases(name))
    marks = set(marks_of(removed))
    return _Context(
        habits=habits,
        channel=channel_artist(channel),
        is_cover=bool(marks & COVER_MARKS),
        is_official="official" in marks,
        is_japanese=any("\u3040" <= character <= "\u30ff" for character in text),
    )


_CHANNEL_WORDS = ("official", "vevo", "topic", "channel", "music", "tv", "officiel", "oficial",
                  "youtube", "the official", "band")  # fmt: skip


def channel_artist(channel: str) -> str:
    """Strip a channel's name of ``VEVO``, ``- Topic``, ``Official`` and the like, and fold it."""
    words = fold(channel).split()
    while len(words) > 1 and words[-1] in _CHANNEL_WORDS:
        words.pop()
    flat = "".join(words)
    return flat.removesuffix("vevo") or flat


def _is_channel(text: str, context: _Context) -> bool:
    return bool(context.channel) and fold(text).replace(" ", "") == context.channel


def _guess(groups: list[list[Name]], context: _Context, lead: str) -> _Guess | None:
    nonempty = [[name for name in group if name.text] for group in groups]
    fields = next((group for group in nonempty if len(group) > 1), None)
    if fields is None:
        flat = [name for group in nonempty for name in group]
        if len(flat) == 1 and context.is_official:
            flat = _with_plain_word(flat, groups)
        if not flat:
            return None
        guess = (
            _guess_by_field(flat[0], context, lead)
            if len(flat) == 1
            else _guess_by_groups(flat, context)
        )
    else:
        guess = _guess_by_fields(fields, context)
    return guess if any(character.isalnum() for character in guess.title) else None


def _with_plain_word(flat: list[Name], groups: list[list[Name]]) -> list[Name]:
    """Take the word after the artist as the song: ``LSD - Audio (Official Video)``."""
    for group in groups:
        for name in group[1:]:
            first = [r for r in name.removed if len(fold(r).split()) == 1]
            if not name.text and first and "official" not in marks_of(first[0]):
                return [*flat, Name(trim(first[0]), name.source)]
    return flat


def _guess_by_fields(candidates: list[Name], context: _Context) -> _Guess:
    """Fields between dashes: two are artist and title; of more, what is known decides."""
    others = [name for name in candidates if not _is_channel(name.text, context)]
    if context.is_cover and len(others) > 1:
        candidates = others
    if len(candidates) == 2:
        return _guess_by_order(candidates[0], candidates[1], context)
    famous = max(candidates, key=lambda name: names.fame(name.text))
    rest = [name for name in candidates if name is not famous]
    if names.fame(famous.text) >= 0.5 and (context.is_cover or famous is candidates[0]):
        return _Guess(famous.text, rest[0].text, 0.7)
    guess = _guess_by_order(candidates[0], candidates[1], context)
    return _Guess(guess.artist, guess.title, guess.confidence * 0.7)


def _guess_by_groups(candidates: list[Name], context: _Context) -> _Guess:
    """Guess by fields that no dash sets against each other: ``Title | Film | Singer``."""
    others = [name for name in candidates if not _is_channel(name.text, context)]
    if context.is_cover and others:
        candidates = others
    split = next((name for name in candidates if name.quoted and name.beside), None)
    if split:
        return _Guess(split.beside, split.quoted, 0.7)
    if len(candidates) == 1:
        return _guess_by_field(candidates[0], context, "")
    if len(candidates) == 2:
        guess = _guess_by_order(candidates[0], candidates[1], context)
        return _Guess(guess.artist, guess.title, guess.confidence * 0.8)
    artist = max(candidates[1:], key=lambda name: names.fame(name.text) - names.is_work(name.text))
    if names.fame(candidates[0].text) > names.fame(artist.text):
        return _Guess(candidates[0].text, candidates[1].text, 0.6)
    is_famous = names.fame(artist.text) > 0
    return _Guess(artist.text, candidates[0].text, 0.65 if is_famous else 0.4)


def _guess_by_order(first: Name, second: Name, context: _Context) -> _Guess:
    """Tell which of two names is the artist."""
    ahead = _Guess(_as_artist(first), _as_title(second), 0.9)
    swapped = _Guess(_as_artist(second), _as_title(first), 0.9)
    if context.habits.order != "auto":
        return ahead if context.habits.order == "artist-title" else swapped
    if _is_channel(first.text, context) or _is_channel(second.text, context):
        return ahead if _is_channel(first.text, context) else swapped
    advantage = title_likeness(second) - title_likeness(first)
    if context.is_cover:
        advantage -= 0.3 if context.is_japanese else 0.0
        confidence = min(0.95, 0.55 + 0.25 * abs(advantage))
    else:
        advantage += 1.6
        confidence = min(0.97, 0.6 + 0.2 * abs(advantage)) + (0.02 if context.is_official else 0.0)
    guess = ahead if advantage >= 0 else swapped
    return _Guess(guess.artist, guess.title, confidence)


def _as_title(name: Name) -> str:
    """Take the quoted part where the rest is no more than an ornament of it."""
    return name.quoted if name.quoted and not fold(name.beside) else name.text


def _as_artist(name: Name) -> str:
    """Drop the same name again in another script: ``EXO 엑소``."""
    text = name.bare or name.text
    words = text.split()
    latin = [word for word in words if is_latin(word)]
    is_doubled = 0 < len(latin) < len(words) and words[: len(latin)] == latin
    others = words[len(latin) :]
    is_other = all(word[0].isalpha() and not is_latin(word[0]) for word in others)
    if is_doubled and is_other and "," not in text:
        return " ".join(latin)
    return text


def title_likeness(name: Name) -> float:
    """Measure how much a field reads like a song's name; negative: like an artist's."""
    text = name.text
    words = fold(text).split()
    score = -2.2 * max(names.fame(text), names.fame(name.bare or text))
    score -= 0.5 if names.is_person(name.bare or text) else 0.0
    if name.quoted or name.source[:1] in "\"“'‘「『":
        score += 1.0
    score += 0.5 * min(name.brackets, 1)
    score += 0.25 * min(sum(word in TITLE_WORDS for word in words), 3)
    score += 0.05 * min(len(words), 6)
    if any(mark in text for mark in (" & ", ", ", " x ", " X ", " vs ", " vs. ")):
        score -= 0.5
    if words and words[0] == "the" and len(words) > 1 and words[-1].endswith("s"):
        score -= 0.25
    return score


def _guess_by_field(name: Name, context: _Context, lead: str) -> _Guess:
    """Guess by one field: quotes, ``Title by Artist``, a known name at an edge, the channel."""
    inner = _split_quote(name, context)
    if inner:
        return inner
    if name.quoted and name.beside:
        beside = trim(_without_by(name.beside))
        artist = _as_artist(Name(beside, beside))
        return _Guess(artist, name.quoted, 0.85)
    if lead and fold(lead) and not marks_of(lead):
        return _Guess(trim(lead), name.text, 0.6)
    if name.candidate:
        return _Guess(name.candidate, name.text, 0.6)
    if context.habits.artist:
        return _Guess(context.habits.artist, name.text, 0.8)
    by = _title_by_artist(name.text)
    if by:
        return by
    edge = _known_edge(name.text)
    if edge:
        return edge
    if context.channel and not context.is_cover:
        return _Guess(context.channel, name.text, 0.5)
    return _Guess("", name.text, 0.25)


def _split_quote(name: Name, context: _Context) -> _Guess | None:
    """Split artist and title within one pair of quotes: ``「夜に駆ける/YOASOBI」``."""
    text = name.quoted or name.text
    for mark in ("/", " - "):
        parts = [trim(part) for part in text.split(mark)]
        if context.is_cover and context.is_japanese and len(parts) == 2 and all(parts):
            return _guess_by_order(Name(parts[0], parts[0]), Name(parts[1], parts[1]), context)
    return None


def _without_by(text: str) -> str:
    words = text.split()
    return " ".join(words[1:]) if words and fold(words[0]) in ("by", "from") else text


_NO_NAME = word_set(
    "me you my your the a an side one day myself yourself him her us them now numbers night "
    "heart mistake chance nature"
)


def _title_by_artist(text: str) -> _Guess | None:
    """Split ``Believer by Imagine Dragons``; ``Stand By Me`` and ``Side by Side`` are titles."""
    words = tokens(text)
    for index in range(len(words) - 2, 0, -1):
        if words[index].word != "by":
            continue
        artist = trim(text[words[index].end :])
        title = trim(text[: words[index].start])
        if words[index + 1].word in _NO_NAME and not names.fame(artist):
            return None
        return _Guess(artist, title, 0.8 if names.fame(artist) else 0.65)
    return None


def _known_edge(text: str) -> _Guess | None:
    """Find a known performer's name at the beginning or end of one undivided field."""
    words = tokens(text)
    for size in range(min(names.LONGEST_NAME, len(words) - 1), 0, -1):
        head, tail = text[: words[size].start], text[words[-size].start :]
        for artist, title in (
            (head, text[words[size].start :]),
            (tail, text[: words[-size].start]),
        ):
            if names.fame(trim(artist)) >= 0.8 and trim(title):
                return _Guess(trim(artist), trim(title), 0.6)
    return None
