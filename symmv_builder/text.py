"""Text from outside, made so that everything that stores text can hold it."""

import re

# Halves of surrogate pairs (how Python shows the bytes of a name that is not UTF-8) are no
# characters: UTF-8 cannot encode them.
_SURROGATES = re.compile("[\ud800-\udfff]")
# C0, DEL and C1, without tab and line breaks. NUL is what PostgreSQL refuses.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def clean_text(text: str) -> str:
    """A text that Arrow, JSON and every SQL database can store as UTF-8.

    Surrogates become U+FFFD, the replacement character; control characters other than tab
    and line breaks are removed. All else stays as it is; Unicode is not normalised.
    """
    return _CONTROLS.sub("", _SURROGATES.sub("\ufffd", text))


def clean_line(text: str) -> str:
    """`clean_text` in one line: each run of white space is one space, none at either end."""
    return " ".join(clean_text(text).split())
