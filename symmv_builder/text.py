"""Text of strangers: made storable where it enters, and harmless where a person reads it.

Titles, channels, details and file names are written by others. On a terminal an escape
sequence in them changes what the screen shows, a line break makes a line that looks like
ours, and a change of direction makes a name read backwards. Data keeps such text, as far as
databases can hold it (`clean_text`); what is printed goes through `harmless`.
"""

import re
import unicodedata
from collections.abc import Collection
from difflib import SequenceMatcher, get_close_matches

_BLANKS = re.compile(r"\s+")
# Between letters of Persian or Indic scripts and within emoji a joiner belongs to the text.
_LETTER = r"[^\x00-\x7f\u200c\u200d\ufffd]"
_LOOSE_JOINER = re.compile(rf"(?<!{_LETTER})[\u200c\u200d]|[\u200c\u200d](?!{_LETTER})")
# Marks that have no width of their own, and in long runs carry text that nobody sees.
_SELECTORS = re.compile("[\U000e0100-\U000e01ef]")
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Of names that a person typed, and how many of them are listed: where one is near, where none is.
_LONGEST_NAME = 100
_SHORT_LIST, _LONG_LIST = 12, 60
# Difference of two ratios of difflib's, of which neither name is the likelier one.
_AS_NEAR = 0.1
# Room for what is left out before the text is cut.
_LOOKED_AT = 8
# Halves of surrogate pairs (how Python shows the bytes of a name that is not UTF-8) are no
# characters: UTF-8 cannot encode them.
_SURROGATES = re.compile("[\ud800-\udfff]")
# C0, DEL and C1, without tab and line breaks. NUL is what PostgreSQL refuses.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean_text(text: str) -> str:
    """Clean a text so that Arrow, JSON and every SQL database can store it as UTF-8.

    Surrogates become U+FFFD, the replacement character; control characters other than tab
    and line breaks are removed. All else stays as it is; Unicode is not normalised.
    """
    return _CONTROLS.sub("", _SURROGATES.sub("\ufffd", text))


def clean_line(text: str) -> str:
    """Clean a text to one line: each run of white space is one space, none at either end."""
    return " ".join(clean_text(text).split())


def amount(count: int, noun: str) -> str:
    """Say how many of something there are: `1 piece`, `4 pieces`, `2 entries`."""
    several = f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
    return f"{count:,} {noun if count == 1 else several}"


def nearest(name: str, known: Collection[str]) -> list[str]:
    """Find the name that a misspelt one is nearest to, or two that are as near, if any is near."""
    typed, spelt = name[:_LONGEST_NAME].casefold(), {each.casefold(): each for each in known}
    close = get_close_matches(typed, spelt, n=2)
    ratios = [SequenceMatcher(None, each, typed).ratio() for each in close]
    return [
        spelt[each]
        for each, ratio in zip(close, ratios, strict=True)
        if ratio > ratios[0] - _AS_NEAR
    ]


def suggestions(name: str, known: Collection[str], lead: str = "known: ") -> str:
    """Say which names there are to whoever misspelt one, to be put behind what was wrong with it.

    The nearest come first; a long list is left out where one is near.

    Examples:
        >>> suggestions("symm", ("symmv", "aist"))
        ' (did you mean symmv?); known: symmv, aist'
    """
    near = nearest(name, known)
    hint = f" (did you mean {' or '.join(near)}?)" if near else ""
    if not known or len(known) > (_SHORT_LIST if near else _LONG_LIST):
        return hint if near or not known else f"; it is none of the {len(known)} that are known"
    return f"{hint}; {lead}{', '.join(known)}"


def harmless(text: object, most: int | None = None) -> str:
    """Make a text one line that changes nothing on a terminal, at most `most` characters long.

    Blanks with a line break, tab or separator among them become one space. Control
    characters, surrogates and changes of direction become U+FFFD, so that their place is
    seen; other characters without a width (zero-width spaces, tags, soft hyphens) are left
    out. A text that is too long ends with an ellipsis.
    """
    line = str(text)
    is_cut = most is not None and len(line) > _LOOKED_AT * most
    if most is not None:
        line = line[: _LOOKED_AT * most]
    if not (line.isascii() and line.isprintable()):
        line = _SELECTORS.sub("", _BLANKS.sub(_blank, line))
        line = _LOOSE_JOINER.sub("", "".join(map(_shown, line)))
    if most is not None and (is_cut or len(line) > most):
        return line[: most - 1] + "\u2026"
    return line


def _blank(match: re.Match[str]) -> str:
    return match[0] if not match[0].strip(" ") else " "


def _shown(character: str) -> str:
    category = unicodedata.category(character)
    if category in ("Cc", "Cs") or character in _DIRECTIONS:
        return "\ufffd"
    return "" if category == "Cf" and character not in "\u200c\u200d" else character
