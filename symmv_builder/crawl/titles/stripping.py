"""What belongs to no song is taken off: featured guests, "official video", "piano cover" and so on.

`tidy` turns a field of a title into a `Name`: the text that is left, and what was learnt
on the way. What was taken off is kept, because it says what kind of video this is.
"""

from dataclasses import dataclass, field, replace

from symmv_builder.crawl.titles import words as vocabulary
from symmv_builder.crawl.titles.cutting import Field, Piece
from symmv_builder.crawl.titles.words import fold, is_word_character

_EDGES = " \t-–—|/:•~»«,;_·*+=\\<>‐"
_APOSTROPHES = "'’‘ʼ"


@dataclass(frozen=True, slots=True)
class Name:
    """A field without its noise; empty `text`: it was noise alone.

    `quoted` and `beside` are set where quotes hold one part of the field and the other
    part stands beside them. `candidate` is a name that a bracket offers as artist:
    ``(Adele cover)``, ``(from Frozen)``.
    """

    text: str
    source: str
    quoted: str = ""
    beside: str = ""
    candidate: str = ""
    brackets: int = 0
    removed: tuple[str, ...] = ()


@dataclass(slots=True)
class _Left:
    """The field while it is being tidied."""

    pieces: list[Piece] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    candidate: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A folded word and where it stands."""

    word: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """Words of a text with their places; an apostrophe inside a word is part of it."""
    found: list[Token] = []
    start = -1
    for place, character in enumerate(f"{text} "):
        if is_word_character(character):
            start = place if start < 0 else start
        elif start >= 0 and character in _APOSTROPHES and _is_word_at(text, place + 1):
            continue
        elif start >= 0:
            word = fold(text[start:place])
            if word:
                found.append(Token(word, start, place))
            start = -1
    return found


def _is_word_at(text: str, place: int) -> bool:
    return place < len(text) and is_word_character(text[place])


def trim(text: str) -> str:
    """Without spaces and separators at the edges."""
    return " ".join(text.split()).strip(_EDGES)


def tidy(parts: Field) -> Name:
    """The name in a field of a title."""
    left = _Left()
    source = " ".join(piece.source for piece in parts)
    texts = [index for index, piece in enumerate(parts) if piece.kind == "text"]
    for index, piece in enumerate(parts):
        if piece.kind == "bracket":
            _tidy_bracket(piece, left, _foreign_beside(parts, index))
        elif piece.kind == "quote" or index not in texts:
            left.pieces.append(piece)
        else:
            text = _strip_text(piece.text, left.removed, is_first=index == texts[0])
            if trim(text):
                left.pieces.append(replace(piece, text=text))
    return _named(left, source)


def _named(left: _Left, source: str) -> Name:
    quotes = [piece for piece in left.pieces if piece.kind == "quote"]
    texts = [piece for piece in left.pieces if piece.kind == "text" and trim(piece.text)]
    brackets = [piece for piece in left.pieces if piece.kind == "bracket"]
    quoted = beside = ""
    if quotes and texts:
        quoted, beside = _around_quote(left.pieces)
    kept = left.pieces
    if quotes and not texts:
        kept = [replace(p, opener="", closer="") if p.kind == "quote" else p for p in kept]
    return Name(
        text=_joined(kept),
        source=source,
        quoted=quoted,
        beside=beside,
        candidate=left.candidate,
        brackets=len(brackets),
        removed=tuple(left.removed),
    )


def _around_quote(parts: list[Piece]) -> tuple[str, str]:
    """The first quote with its brackets, and what stands before it, else after it."""
    place = next(index for index, piece in enumerate(parts) if piece.kind == "quote")
    after = place + 1
    while after < len(parts) and parts[after].kind == "bracket":
        after += 1
    quote = replace(parts[place], opener="", closer="")
    before = _joined(parts[:place])
    return _joined([quote, *parts[place + 1 : after]]), before or _joined(parts[after:])


def _joined(parts: list[Piece]) -> str:
    text = ""
    for piece in parts:
        if piece.kind == "text" or piece.glued:
            text += piece.source
        else:
            text += f" {piece.source}"
    return trim(text)


def _foreign_beside(parts: Field, index: int) -> bool:
    """Whether a bracket holds another script's form of the Latin name that it follows."""
    before = "".join(piece.text for piece in parts[:index])
    inside = parts[index].text
    return _letters(before) == {"latin"} and _letters(inside) == {"other"}


def _letters(text: str) -> set[str]:
    return {
        "latin" if c < "\u0250" or "\u1e00" <= c <= "\u1eff" else "other"
        for c in text
        if c.isalpha()
    }


def _tidy_bracket(piece: Piece, left: _Left, is_translation: bool) -> None:
    candidate = _candidate(piece.text)
    if candidate:
        left.candidate = left.candidate or candidate
    if candidate or is_translation or is_noise_bracket(piece):
        left.removed.append(piece.text)
    else:
        left.pieces.append(piece)


_LIVE_HEADS = ("live at", "live from", "live in", "live on", "live @", "live session", "live perf",
               "live version", "live acoustic", "live performance", "ao vivo", "en vivo", "en directo",
               "dal vivo", "live video", "live lounge", "live for", "live w", "live with", "live bei",
               "live im", "live au", "live à", "live in der")  # fmt: skip
_BY_HEADS = frozenset("by arr arranged arrangement performed played cover piano".split())
_NO_GUEST = frozenset("a an the my your you me or out no u us lyrics love all every".split())


def is_noise_bracket(piece: Piece) -> bool:
    """Whether a bracket tells of the recording, the upload or a guest, not of the song."""
    words = fold(piece.text).split()
    if not words or is_featuring(piece.text):
        return True
    folded = " ".join(words)
    if any(word in vocabulary.OFFICIAL for word in words) or folded.startswith(_LIVE_HEADS):
        return True
    if any(noise in folded.replace(" ", "") for noise in vocabulary.GLUED_NOISE):
        return True
    if is_noise(words) or words[0] in ("by", "arr", "arranged"):
        return True
    if words[0] in vocabulary.ORIGIN_HEADS and len(words) > 1:
        return True
    if _KEEPS & set(words):
        return False
    return bool(_STRONG & set(words))


_STRONG = vocabulary.BRACKET_ANCHORS - frozenset(
    "live clean easy single radio us uk vertical stereo mono dirty short international animated "
    "original album video audio performance directors release clip sheet vivo".split()
)
_KEEPS = frozenset("remix mix mashup taylors".split())


def is_noise(words: list[str]) -> bool:
    """Whether words say nothing but what kind of recording or upload this is."""
    known = vocabulary.BRACKET_WORDS
    plain = [word for word in words if not _is_year(word)]
    if not plain:
        return bool(words)
    return all(word in known for word in plain) and any(
        word in vocabulary.BRACKET_ANCHORS for word in plain
    )


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdecimal() and word[:2] in ("19", "20")


def is_featuring(text: str) -> bool:
    """Whether a bracket names guests: ``feat. X``, ``with X``, ``w/ X``, ``prod. X``."""
    words = text.split()
    first = fold(words[0]).split() if words else []
    if first and first[0] in vocabulary.FEATURING and len(fold(text).split()) > 1:
        return True
    if text[:2].casefold() == "w/":
        return True
    return (
        len(words) > 1
        and first == ["with"]
        and words[1][:1].isupper()
        and fold(words[1]) not in _NO_GUEST
    )


def _candidate(text: str) -> str:
    """The artist or work that a bracket names: ``Adele cover``, ``from "Frozen"``, ``Naruto OST``."""
    found = tokens(text)
    words = [token.word for token in found]
    if len(words) < 2 or is_noise(words) or set(words) & vocabulary.OFFICIAL:
        return ""
    if words[0] == "from":
        stop = next((t.start for t in found[1:] if t.word in vocabulary.OFFICIAL), len(text))
        return trim(text[found[1].start : stop]).strip("\"'“”‘’")
    end = len(words)
    while end and words[end - 1] in ("cover", "ost", "soundtrack", "piano", "version", "acoustic"):
        end -= 1
    tail = words[end:]
    if not end or not {"cover", "ost", "soundtrack"} & set(tail) or words[0] in _BY_HEADS:
        return ""
    if is_noise(words[:end]) or "by" in words or "remix" in words:
        return ""
    return trim(text[: found[end - 1].end]).strip("\"'“”‘’")


def _strip_text(text: str, removed: list[str], *, is_first: bool) -> str:
    text = _strip_hashtags(text, removed)
    text = _strip_guests(text, removed)
    text = _strip_tails(text, removed)
    if is_first:
        text = _strip_heads(text, removed)
    words = fold(text).split()
    if len(words) > 1 and is_noise(words) and not set(words) <= vocabulary.TITLE_WORDS:
        removed.append(text)
        return ""
    return text


def _strip_hashtags(text: str, removed: list[str]) -> str:
    """Without hashtags at the edges, unless they are all there is (``#SELFIE``)."""
    words = text.split()
    while len(words) > 1 and words[-1][0] == "#" and words[-1][1:2].isalpha():
        removed.append(words.pop())
    if len(words) > 1 and words[0][0] == "#" and words[0][1:2].isalpha():
        removed.append(words.pop(0))
    return text if len(words) == len(text.split()) else f"{' '.join(words)} "


_PLAYED = ("cover", "piano", "tutorial", "arranged", "arr", "arrangement", "version", "played",
           "karaoke", "instrumental", "transcribed", "transcription", "visualizer")  # fmt: skip


def _strip_guests(text: str, removed: list[str]) -> str:
    """Cut from ``ft. X``, ``cover by X``, ``live at X`` on."""
    found = tokens(text)
    for index, token in enumerate(found):
        following = found[index + 1].word if index + 1 < len(found) else ""
        if token.word in vocabulary.FEATURING and following:
            start = token.start
        elif token.word == "w" and following and text[token.end : token.end + 1] == "/":
            start = token.start
        elif token.word == "by" and index and found[index - 1].word in _PLAYED and following:
            start = token.start
        elif token.word == "live" and index and following in ("at", "from"):
            start = token.start
        else:
            continue
        removed.append(text[start:])
        return text[:start]
    return text


def _strip_tails(text: str, removed: list[str]) -> str:
    for glued in vocabulary.GLUED_TAILS:
        if text.rstrip().endswith(glued) and len(text.strip()) > len(glued):
            removed.append(glued)
            text = text.rstrip().removesuffix(glued)
    found = tokens(text)
    while found:
        size = _tail_size([token.word for token in found])
        if not size:
            break
        start = found[-size].start
        removed.append(text[start:])
        text, found = text[:start], found[:-size]
    return text


def _tail_size(words: list[str]) -> int:
    """How many words at the end belong to no song; a year counts with what it dates."""
    for skipped in (0, 1):
        if skipped and not (len(words) > 1 and _is_year(words[-1])):
            break
        end = len(words) - skipped
        for size in range(min(vocabulary.LONGEST_PHRASE, end), 0, -1):
            phrase = tuple(words[end - size : end])
            before = words[end - size - 1] if end > size else ""
            if phrase not in vocabulary.TAILS:
                continue
            if before in vocabulary.NOT_AFTER.get(phrase[0], ()):
                continue
            return size + skipped
    return 0


def _strip_heads(text: str, removed: list[str]) -> str:
    found = tokens(text)
    for size in range(min(vocabulary.LONGEST_PHRASE, len(found) - 1), 0, -1):
        phrase = tuple(token.word for token in found[:size])
        if phrase not in vocabulary.HEADS:
            continue
        after = text[found[size - 1].end : found[size].start]
        if size == 1 and phrase[0] not in ("mv", "pv") and not after.strip():
            continue
        removed.append(text[: found[size].start])
        return text[found[size].start :]
    return text
