"""Artist and title of a song, and what kind of video it is, out of a video's title.

Titles are written by people for people: brackets, quotes, dashes, hashtags and praise in
every language. Everything here is table and rule, deterministic, and linear in the length
of the title; `parse_title` says how sure it is, so that a person looks at the rest.
"""

from symmv_builder.crawl.titles.parsing import Habits, Order, channel_artist, parse_title
from symmv_builder.crawl.titles.surnames import (
    ALONE,
    SAME_TITLE,
    flat,
    last_name_last,
    named,
    people,
)
from symmv_builder.crawl.titles.words import fold, marks_of, word_set

__all__ = [
    "ALONE",
    "SAME_TITLE",
    "Habits",
    "Order",
    "channel_artist",
    "flat",
    "fold",
    "last_name_last",
    "marks_of",
    "named",
    "parse_title",
    "people",
    "word_set",
]
