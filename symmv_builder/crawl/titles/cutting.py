"""A title cut up: clean text, brackets and quotes told from the text around them, fields.

Everything is one pass over a text of bounded length, without backtracking patterns, so
that no title, however hostile, takes longer than its length asks for.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from symmv_builder.crawl.titles.words import is_word_character

MOST_CHARACTERS = 500

_BRACKETS = dict(zip("([{【〈〔［（｛", ")]}】〉〕］）｝", strict=True))
_TITLE_QUOTES = dict(zip("「『《«“„‟〝", "」』》»”“”〞", strict=True))
_ENTITIES = (("&quot;", '"'), ("&#39;", "'"), ("&apos;", "'"), ("&amp;", "&"))
# Full-width forms of ASCII become ASCII; the rest of a title keeps its own characters.
_NARROW = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {
    0x3000: 0x20, 0x00A0: 0x20, 0x202F: 0x20, 0x2009: 0x20, 0xFFE8: 0x7C, 0x2502: 0x7C,
    0x2503: 0x7C, 0x2758: 0x7C, 0x01C0: 0x7C, 0x2212: 0x2013, 0x2012: 0x2013, 0x2015: 0x2014,
    0x2010: 0x2D, 0x2011: 0x2D, 0xFF62: 0x300C, 0xFF63: 0x300D,
}  # fmt: skip
_INSIDE_JOINERS = "\u200c\u200d"
_KEPT_SYMBOLS = "♥❤♡☆★°♯♭"

Kind = Literal["text", "bracket", "quote"]


@dataclass(frozen=True, slots=True)
class TitlePart:
    """A stretch of a title: plain text, or what a pair of brackets or quotes holds."""

    kind: Kind
    text: str
    opener: str = ""
    closer: str = ""
    glued: bool = False

    @property
    def source(self) -> str:
        """The piece as it was written."""
        return f"{self.opener}{self.text}{self.closer}"


Field = tuple[TitlePart, ...]


def clean(text: str) -> str:
    """Compose the title; removes controls, direction marks, emoji and full-width ASCII."""
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    text = unicodedata.normalize("NFC", text.translate(_NARROW))
    characters: list[str] = []
    for place, character in enumerate(text):
        characters.append(_clean_character(text, place, character))
    return " ".join("".join(characters).split())


def _clean_character(text: str, place: int, character: str) -> str:
    if character < "\x7f" and character >= " ":
        return character
    category = unicodedata.category(character)
    if character in _INSIDE_JOINERS:
        around = text[max(place - 1, 0) : place] + text[place + 1 : place + 2]
        return character if len(around) == 2 and all(map(is_word_character, around)) else ""
    if category in ("Cf", "Sk") or "\ufe00" <= character <= "\ufe0f":
        return ""
    if category[0] in "CZ":
        return " "
    if category == "So" and character not in _KEPT_SYMBOLS:
        return " "
    return character


def pieces(text: str) -> list[TitlePart]:
    """Cut a clean title into text, brackets and quotes, in order; brackets may nest.

    A bracket that is never closed holds the rest of the title; a stray closing one is
    dropped. Quotes must stand free: the apostrophe of ``N' Roses`` is none.
    """
    parts: list[TitlePart] = []
    start = place = 0
    while place < len(text):
        end = _end_of_pair(text, place)
        if end is None:
            place += 1
            continue
        if text[start:place]:
            parts.append(TitlePart("text", _without_strays(text[start:place])))
        opener = text[place]
        closed = end < len(text)
        kind: Kind = "bracket" if opener in _BRACKETS else "quote"
        glued = place > 0 and not text[place - 1].isspace()
        closer = text[end] if closed else ""
        parts.append(TitlePart(kind, text[place + 1 : end].strip(), opener, closer, glued))
        place = start = end + 1
    if text[start:]:
        parts.append(TitlePart("text", _without_strays(text[start:])))
    return [piece for piece in parts if piece.text.strip()]


def _without_strays(text: str) -> str:
    return "".join(" " if c in _STRAYS else c for c in text)


_STRAYS = frozenset(")]}】〉〔〕］）｝」』》")


def _end_of_pair(text: str, place: int) -> int | None:
    """Find where the pair that opens here closes, or the text's length; `None`: no pair."""
    opener = text[place]
    if opener in _BRACKETS:
        return _end_of_bracket(text, place, opener, _BRACKETS[opener])
    if opener in _TITLE_QUOTES:
        end = text.find(_TITLE_QUOTES[opener], place + 1)
        return end if end > place + 1 else None
    if opener == '"':
        end = text.find('"', place + 1)
        return end if end > place + 1 else None
    if opener in "'‘" and (place == 0 or not is_word_character(text[place - 1])):
        return _end_of_single_quote(text, place)
    return None


def _end_of_bracket(text: str, place: int, opener: str, closer: str) -> int:
    depth = 0
    for at in range(place, len(text)):
        if text[at] == opener:
            depth += 1
        elif text[at] == closer:
            depth -= 1
            if depth == 0:
                return at
    return len(text)


def _end_of_single_quote(text: str, place: int) -> int | None:
    """Find the last free-standing closing quote before the next separator, if any."""
    if text[place + 1 : place + 2].isspace():
        return None
    best = None
    for at in range(place + 2, len(text)):
        if text[at] in "'’" and not text[at - 1].isspace():
            after = text[at + 1 : at + 2]
            if not after or not is_word_character(after):
                best = at
        is_next = text[at] in "'‘" and text[at - 1].isspace() and best is not None
        if is_next or text.startswith((" - ", " | "), at):
            break
    return best if best is not None and best - place > 2 else None


@dataclass(frozen=True, slots=True)
class Cut:
    """A title in fields, and what cut it: outermost groups, each with its dash fields."""

    groups: tuple[tuple[Field, ...], ...]
    weak: bool = False


_GROUP_MARKS = ("|", " • ", " · ", "»", "\\", " // ", "¦", "‖")
_DASHES = (" - ", " – ", " — ", " -- ", " _ ", " ~ ", " ‐ ", " --- ", " ー ", " ━ ", " 〜 ")
_LOOSE_DASHES = ("- ", " -", "– ", " –", "— ", " —", "–", "—", ": ", " : ", " :", "_ ")


def cut(parts: Sequence[TitlePart], separators: Sequence[str] = ()) -> Cut:
    """Split pieces into groups (``|`` and its like), and groups into fields (dashes).

    Brackets and quotes are never cut. Where no dash stands between spaces, ``/`` between
    spaces, then a dash or colon with one space are tried; such a cut is `weak`.
    """
    groups = _split_all([tuple(parts)], (*separators, *_GROUP_MARKS))
    dashed = [tuple(_split_all([group], _DASHES)) for group in groups]
    if any(len(fields) > 1 for fields in dashed):
        return Cut(tuple(dashed))
    if len(groups) > 1:
        return Cut(tuple(dashed))
    if any(piece.kind == "quote" for piece in parts):
        return Cut(tuple(dashed))
    for marks in ((" / ", " ⁄ "), _LOOSE_DASHES):
        for mark in marks:
            fields = _split_all(groups, (mark,))
            if len(fields) > 1:
                return Cut((tuple(fields),), weak=True)
    return Cut(tuple(dashed))


def _split_all(fields: Sequence[Field], marks: Sequence[str]) -> list[Field]:
    for mark in marks:
        fields = [part for field in fields for part in _split(field, mark)]
    return [field for field in fields if any(piece.text.strip() for piece in field)]


def _split(field: Field, mark: str) -> list[Field]:
    parts: list[list[TitlePart]] = [[]]
    for index, piece in enumerate(field):
        if piece.kind != "text":
            parts[-1].append(piece)
            continue
        # A dash right before or after a bracket has lost its other space to the cut.
        text = piece.text
        text = f" {text}" if index else text
        text = f"{text} " if index + 1 < len(field) else text
        first, *rest = text.split(mark) if mark in text else [piece.text]
        if first.strip():
            parts[-1].append(_text(first, piece, rest))
        for more in rest:
            parts.append([_text(more, piece, rest)] if more.strip() else [])
    return [tuple(part) for part in parts]


def _text(text: str, piece: TitlePart, rest: list[str]) -> TitlePart:
    return TitlePart("text", text) if rest else piece
