"""What belongs to no song is taken off: featured guests, "official video", "piano cover" and so on.

`tidy` turns a field of a title into a `Name`: the text that is left, and what was learnt
on the way. What was taken off is kept, because it says what kind of video this is.
"""

from dataclasses import dataclass, field, replace

from symmv_builder.crawl.titles import words as vocabulary
from symmv_builder.crawl.titles.cutting import Field, TitlePart, pieces
from symmv_builder.crawl.titles.words import (
    fold,
    is_latin,
    is_official,
    is_word_character,
    word_set,
)

_EDGES = " \t-–—|/:•~»«,;_·*+=\\‐"
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
    bare: str = ""
    removed: tuple[str, ...] = ()


@dataclass(slots=True)
class _Field:
    """The field while it is being tidied.

    It is done when a bracket such as ``(Official Video)`` has followed the song's name:
    what comes after that comments on the video.
    """

    pieces: list[TitlePart] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    candidate: str = ""
    is_done: bool = False


@dataclass(frozen=True, slots=True)
class Token:
    """A folded word and where it stands."""

    word: str
    start: int
    end: int


def tokens(text: str) -> list[Token]:
    """List the words of a text with their places; an apostrophe inside a word is part of it."""
    result: list[Token] = []
    start = -1
    for place, character in enumerate(f"{text} "):
        if is_word_character(character):
            start = place if start < 0 else start
        elif start >= 0 and character in _APOSTROPHES and _is_word_at(text, place + 1):
            continue
        elif start >= 0:
            word = fold(text[start:place])
            if word:
                result.append(Token(word, start, place))
            start = -1
    return result


def _is_word_at(text: str, place: int) -> bool:
    return place < len(text) and is_word_character(text[place])


def trim(text: str) -> str:
    """Remove spaces and separators at the edges."""
    return " ".join(text.split()).strip(_EDGES)


def tidy(parts: Field) -> Name:
    """Find the name in a field of a title."""
    remainder = _Field()
    source = " ".join(piece.source for piece in parts)
    texts = [index for index, piece in enumerate(parts) if piece.kind == "text"]
    for index, piece in enumerate(parts):
        if piece.kind == "bracket":
            _tidy_bracket(piece, remainder, _foreign_beside(parts, index))
        elif remainder.is_done:
            remainder.removed.append(piece.source)
            if piece.kind == "text" and not fold(piece.text).startswith("by "):
                rest = _strip_text(piece.text, remainder.removed, is_first=False)
                remainder.candidate = remainder.candidate or trim(rest)
        elif piece.kind == "quote":
            remainder.pieces.append(
                replace(piece, text=_strip_inside(piece.text, remainder.removed))
            )
        else:
            text = _strip_text(piece.text, remainder.removed, is_first=index == texts[0])
            if trim(text):
                remainder.pieces.append(replace(piece, text=text))
    return _named(remainder, source)


def _named(remainder: _Field, source: str) -> Name:
    quotes = [piece for piece in remainder.pieces if piece.kind == "quote"]
    texts = [piece for piece in remainder.pieces if piece.kind == "text" and trim(piece.text)]
    labels = [piece for piece in remainder.pieces if texts and is_label(piece)]
    quoted = beside = ""
    if texts and (quotes or labels):
        quoted, beside = _around_quote(remainder.pieces, (quotes or labels)[0])
    unlabelled = [piece for piece in remainder.pieces if piece not in labels]
    brackets = [piece for piece in unlabelled if piece.kind == "bracket"]
    if quotes and not texts:
        unlabelled = [
            replace(p, opener="", closer="") if p.kind == "quote" else p for p in unlabelled
        ]
    return Name(
        text=_joined(unlabelled),
        bare=_joined(
            [p for n, p in enumerate(unlabelled) if not n or p.kind != "bracket" or p.glued]
        ),
        source=source,
        quoted=quoted,
        beside=beside,
        candidate=remainder.candidate,
        brackets=len(brackets),
        removed=tuple(remainder.removed),
    )


def is_label(piece: TitlePart) -> bool:
    """Check for a bracket, square or black, that is no version: a label, or a quoted title."""
    if piece.kind != "bracket" or piece.opener not in "[【〔［":
        return False
    return not set(fold(piece.text).split()) & vocabulary.KEPT_BRACKETS


def _around_quote(parts: list[TitlePart], quotation: TitlePart) -> tuple[str, str]:
    """Find the chosen quote with its brackets, and what stands before it, else after it."""
    place = parts.index(quotation)
    after = place + 1
    while after < len(parts) and parts[after].kind == "bracket":
        after += 1
    quote = replace(parts[place], opener="", closer="")
    before = _joined(parts[:place])
    return _joined([quote, *parts[place + 1 : after]]), before or _joined(parts[after:])


def _joined(parts: list[TitlePart]) -> str:
    text = ""
    for piece in parts:
        if piece.kind == "text" or piece.glued:
            text += piece.source
        else:
            text += f" {piece.source}"
    return trim(text)


def _strip_inside(text: str, removed: list[str]) -> str:
    """Remove from a quote the guests that a bracket in it names."""
    parts = []
    for piece in pieces(text):
        if piece.kind == "bracket" and is_featuring(piece.text):
            removed.append(piece.text)
        elif piece.kind == "text":
            parts.append(replace(piece, text=_strip_guests(piece.text, removed)))
        else:
            parts.append(piece)
    return _joined(parts) or text


def _foreign_beside(parts: Field, index: int) -> bool:
    """Check whether a bracket holds another script's form of the Latin name that it follows."""
    before = "".join(piece.text for piece in parts[:index])
    inside = parts[index].text
    has_letters = any(c.isalpha() for c in inside)
    return is_latin(before) and has_letters and not any(is_latin(c) for c in inside)


def _tidy_bracket(piece: TitlePart, remainder: _Field, is_translation: bool) -> None:
    candidate = _candidate(piece.text)
    if candidate:
        remainder.candidate = remainder.candidate or candidate
    if candidate or is_translation or is_noise_bracket(piece):
        remainder.removed.append(piece.text)
        is_aside = candidate or is_translation or is_featuring(piece.text)
        if not is_aside and any(part.kind != "bracket" for part in remainder.pieces):
            remainder.is_done = True
    else:
        remainder.pieces.append(piece)


_LIVE_ABROAD = ("ao vivo", "en vivo", "en directo", "dal vivo", "en concert")
_LIVE_PLACES = word_set(
    "at from in on session sessions perf performance version acoustic video lounge for with bei im "
    "au à em na no"
)
_OPENINGS = ("OST", "OP", "ED", "Opening", "Ending")
_CREDITS = word_set(
    "directed dir shot filmed produced written composed animated choreography video lyrics music "
    "edited remastered arranged arr played performed transcribed"
)
_BY_HEADS = word_set("by arr arranged arrangement performed played cover piano")
_NO_GUEST = word_set("a an the my your you me or out no u us lyrics love all every")


def is_noise_bracket(piece: TitlePart) -> bool:
    """Check whether a bracket tells of the recording, the upload or a guest, not of the song."""
    words = fold(piece.text).split()
    if not words or is_featuring(piece.text):
        return True
    folded = " ".join(words)
    if is_official(words) or _is_live(words) or _tail_size(words) > 1:
        return True
    if piece.text.split()[-1] in _OPENINGS:
        return True
    if any(word in _CREDITS and words[at + 1 : at + 2] == ["by"] for at, word in enumerate(words)):
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


_STRONG = vocabulary.BRACKET_ANCHORS - word_set(
    "live clean easy single radio us uk vertical stereo mono dirty short international animated "
    "original album video audio performance directors release clip sheet vivo"
)
_KEEPS = word_set("remix mix mashup taylors")


def _is_live(words: list[str]) -> bool:
    """Check for ``Live at the Royal Albert Hall``, ``Ao Vivo em ...``; not ``Live Forever``."""
    is_place = words[0] == "live" and words[1:2] != [] and words[1] in _LIVE_PLACES
    return is_place or " ".join(words).startswith(_LIVE_ABROAD)


def is_noise(words: list[str]) -> bool:
    """Check whether words say nothing but what kind of recording or upload this is."""
    vocabulary_words = vocabulary.BRACKET_WORDS
    plain = [word for word in words if not _is_year(word)]
    if not plain:
        return bool(words)
    return all(word in vocabulary_words for word in plain) and any(
        word in vocabulary.BRACKET_ANCHORS for word in plain
    )


def _is_year(word: str) -> bool:
    return len(word) == 4 and word.isdecimal() and word[:2] in ("19", "20")


def is_featuring(text: str) -> bool:
    """Check whether a bracket names guests: ``feat. X``, ``with X``, ``w/ X``, ``prod. X``."""
    words = text.split()
    first = fold(words[0]).split() if words else []
    if first and first[0] in vocabulary.FEATURING and len(fold(text).split()) > 1:
        return True
    if text[:2].casefold() == "w/":
        return True
    return (
        len(words) > 1
        and first == ["with"]
        and not words[1][:1].islower()
        and fold(words[1]) not in _NO_GUEST
    )


def _candidate(text: str) -> str:
    """Find the artist or work that a bracket names: ``Adele cover``, ``from "Frozen"``."""
    spans = tokens(text)
    words = [token.word for token in spans]
    if len(words) < 2 or is_noise(words):
        return ""
    if words[0] == "from":
        stop = next((t.start for t in spans[1:] if is_official([t.word])), len(text))
        return trim(text[spans[1].start : stop]).strip("\"'“”‘’")
    for at in range(1, len(words) - 1):
        if tuple(words[at - 1 : at + 1]) in _ORIGINALS:
            return trim(text[spans[at + 1].start :])
    if is_official(words):
        return ""
    end = len(words)
    while end and words[end - 1] in ("cover", "ost", "soundtrack", "piano", "version", "acoustic"):
        end -= 1
    tail = words[end:]
    if not end or not {"cover", "ost", "soundtrack"} & set(tail) or words[0] in _BY_HEADS:
        return ""
    if is_noise(words[:end]) or "by" in words or "remix" in words:
        return ""
    return trim(text[: spans[end - 1].end]).strip("\"'“”‘’")


_ORIGINALS = {("performed", "by"), ("famous", "by"), ("style", "of"), ("originally", "by")}


def _strip_text(text: str, removed: list[str], *, is_first: bool) -> str:
    text = _strip_last_hashtags(text, removed, most=0 if not is_first else 1)
    text = _strip_guests(text, removed)
    text = _strip_tails(text, removed)
    if is_first:
        text = _strip_heads(text, removed)
        text = _strip_first_hashtag(text, removed)
    words = fold(text).split()
    if len(words) > 1 and is_noise(words) and not set(words) <= vocabulary.TITLE_WORDS:
        removed.append(text)
        return ""
    return text


def _strip_last_hashtags(text: str, removed: list[str], *, most: int) -> str:
    words = text.split()
    before = len(words)
    while len(words) > most and words[-1][0] == "#" and words[-1][1:2].isalpha():
        removed.append(words.pop())
    return text if len(words) == before else f" {' '.join(words)}"


def _strip_first_hashtag(text: str, removed: list[str]) -> str:
    """Remove a hashtag in front, unless it is all there is (``#SELFIE``)."""
    words = text.split()
    if len(words) > 1 and words[0][0] == "#" and words[0][1:2].isalpha():
        removed.append(words.pop(0))
        return " ".join(words)
    return text


_ARRANGEMENT_WORDS = (
    *("cover", "piano", "tutorial", "arranged", "arr", "arrangement", "version", "played"),
    *("karaoke", "instrumental", "transcribed", "transcription", "visualizer"),
)


def _strip_guests(text: str, removed: list[str]) -> str:
    """Cut from ``ft. X``, ``cover by X``, ``live at X`` on."""
    words = tokens(text)
    for index, token in enumerate(words):
        following = words[index + 1].word if index + 1 < len(words) else ""
        before = words[index - 1].word if index else ""
        if not following:
            break
        is_guest = token.word in vocabulary.FEATURING or text[token.start :][:2] in ("w/", "W/")
        is_player = token.word == "by" and before in _ARRANGEMENT_WORDS
        is_place = token.word == "live" and before and following in ("at", "from")
        if is_guest or is_player or is_place:
            removed.append(text[token.start :])
            return text[: token.start]
    return text


def _strip_tails(text: str, removed: list[str]) -> str:
    for glued in vocabulary.GLUED_TAILS:
        if text.rstrip().endswith(glued):
            removed.append(glued)
            text = text.rstrip().removesuffix(glued)
    text = _strip_opening(text, removed)
    spans = tokens(text)
    while spans:
        size = _tail_size([token.word for token in spans])
        if not size:
            break
        start = spans[-size].start
        removed.append(text[start:])
        text, spans = text[:start], spans[:-size]
    return _strip_opening(text, removed)


def _strip_opening(text: str, removed: list[str]) -> str:
    """Remove ``OST``, ``OP``, ``ED 2`` at the end: in capitals, since ``Ed`` is a name."""
    words = text.split()
    size = 2 if len(words) > 2 and words[-1].isdecimal() else 1
    if len(words) <= size or words[-size].strip(".,") not in _OPENINGS:
        return text
    removed.append(" ".join(words[-size:]))
    return f" {' '.join(words[:-size])}"


def _tail_size(words: list[str]) -> int:
    """Count how many words at the end belong to no song; a year counts with what it dates."""
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
    spans = tokens(text)
    for size in range(min(vocabulary.LONGEST_PHRASE, len(spans) - 1), 0, -1):
        phrase = tuple(token.word for token in spans[:size])
        if phrase not in vocabulary.HEADS:
            continue
        after = text[spans[size - 1].end : spans[size].start]
        if size == 1 and phrase[0] not in ("mv", "pv") and not after.strip():
            continue
        removed.append(text[: spans[size].start])
        return text[spans[size].start :]
    return text
