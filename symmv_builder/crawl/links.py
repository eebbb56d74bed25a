"""The recording that a link means: a site and an id, out of which its address is made anew.

People copy links from the address bar, with whatever else stands in them. Nothing of a link is used
but the id, and that only where it is one of the site's.
"""

import re

from symmv_builder.errors import WrongSetting
from symmv_builder.records import Source
from symmv_builder.storage.urls import shown_url

_YOUTUBE_ID = r"([A-Za-z0-9_-]{11})"
_REST = r"(?:[?&#/].*)?"
_FORMS = (
    (
        "youtube",
        r"https?://(?:www\.|m\.|music\.)?youtube\.com/watch/?\?(?:[^#]*&)?v="
        rf"{_YOUTUBE_ID}(?:[&#].*)?",
    ),
    (
        "youtube",
        r"https?://(?:www\.|m\.)?youtube\.com/(?:shorts|live|embed|v)/" + _YOUTUBE_ID + _REST,
    ),
    ("youtube", r"https?://youtu\.be/" + _YOUTUBE_ID + _REST),
    ("bilibili", r"https?://(?:www\.|m\.)?bilibili\.com/video/(BV[A-Za-z0-9]{10})" + _REST),
    ("demo", r"symmvdemo:watch:([A-Za-z0-9_-]{11})"),
)


def is_link(text: str) -> bool:
    """Check whether a text is meant as a link and not as the name of a file."""
    return re.match(r"(?:[A-Za-z][A-Za-z0-9+.-]*://|symmvdemo:)", text) is not None


def source_of(link: str) -> Source:
    """Find the recording that a link to its page means.

    `StopRun` where it is no link to one video of a site that is known.
    """
    for site, form in _FORMS:
        match = re.fullmatch(form, link.strip())
        if match:
            return Source(site, match[1])
    raise WrongSetting(
        "link",
        shown_url(link),
        "that is no link to a video: give the page of one video of YouTube "
        "(https://www.youtube.com/watch?v=..., https://youtu.be/...) or Bilibili "
        "(https://www.bilibili.com/video/BV...), or a file",
    )
