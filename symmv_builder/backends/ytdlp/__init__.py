"""Lists and recordings from video sites, through yt-dlp as a library.

`Downloader` is all that others use. What yt-dlp raises is translated here, into waiting,
putting aside or stopping; its extractors are restricted to the sites that are crawled,
and no title ever becomes a file name or a line of a log.
"""

from symmv_builder.backends.ytdlp.downloader import CANARY, Downloaded, Downloader
from symmv_builder.backends.ytdlp.failures import MediaRefused, ToolchainBroken, translate
from symmv_builder.backends.ytdlp.politeness import LOOPBACK, Politeness

__all__ = [
    "CANARY",
    "LOOPBACK",
    "Downloaded",
    "Downloader",
    "MediaRefused",
    "Politeness",
    "ToolchainBroken",
    "translate",
]
