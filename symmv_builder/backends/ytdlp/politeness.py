"""How a site is treated, and what of it is secret.

The sleeps are those under which a guest's session lasts; a proxy and cookies come from
settings alone, never from the environment, and never reach a message or a log.
"""

import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from symmv_builder.errors import CannotRead, StopRun

_LONGEST_MESSAGE = 500
_SHORTEST_SECRET = 6
_KEPT_WARNINGS = 20
_COOKIES_HEADER = "# Netscape HTTP Cookie File\n"

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Politeness:
    """Sleeps, limits and the way out. The defaults suit the large sites.

    `max_height` bounds the picture where the site has a choice; `javascript` is the
    runtime that solves YouTube's challenges.
    """

    sleep_between_requests_s: float = 0.75
    sleep_before_download_s: tuple[float, float] = (10.0, 20.0)
    sleep_before_retry_s: float = 5.0
    socket_timeout_s: float = 30.0
    retries: int = 3
    bytes_a_second: int | None = None
    max_height: int = 480
    max_size_bytes: int = 2 << 30
    max_duration_s: float = 3600.0
    javascript: str = "deno"
    proxy: str = field(default="", repr=False)
    cookies: Path | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.proxy and not re.match(r"(https?|socks[45][ah]?)://[^/\s]+", self.proxy):
            raise StopRun("the proxy is not an address such as http://host:port")

    def read_cookies(self) -> str:
        """Read the cookies of the file that is set, or none; the file is never written to."""
        if self.cookies is None:
            return _COOKIES_HEADER
        try:
            return self.cookies.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            cause = getattr(error, "strerror", None) or "it is not text"
            raise CannotRead("the cookies file", cause) from None


# For the site on loopback, which minds nothing.
LOOPBACK = Politeness(
    sleep_between_requests_s=0.0,
    sleep_before_download_s=(0.0, 0.0),
    sleep_before_retry_s=0.0,
    socket_timeout_s=20.0,
    retries=2,
)


class Redaction:
    """Takes secrets, control characters and excess out of a text."""

    def __init__(self, politeness: Politeness, cookies: str) -> None:
        secrets: set[str] = set()
        if politeness.proxy:
            address = urlsplit(politeness.proxy)
            secrets |= {politeness.proxy, address.netloc}
            secrets |= {text for text in (address.username, address.password) if text}
            secrets |= {unquote(text) for text in secrets}
        if politeness.cookies is not None:
            secrets.add(str(politeness.cookies))
        values = (line.rstrip("\n").split("\t")[6:7] for line in cookies.splitlines())
        secrets |= {
            v for values_found in values for v in values_found if len(v) >= _SHORTEST_SECRET
        }
        # The longest first: a short one may be part of it.
        ordered = sorted(secrets, key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        if self._secrets is not None:
            text = self._secrets.sub("***", text)
        printable = "".join(c if c.isprintable() else " " for c in text)
        return re.sub(r" {2,}", " ", printable).strip()[:_LONGEST_MESSAGE]


class MessageFilter:
    """Takes what yt-dlp says. Progress and titles are dropped, warnings kept and logged."""

    def __init__(self, clean: Redaction) -> None:
        self._clean = clean
        self.warnings: list[str] = []

    def debug(self, message: str) -> None:
        """Drop: these lines hold titles."""

    def info(self, message: str) -> None:
        """Drop: these lines hold titles."""

    def warning(self, message: str) -> None:
        text = self._clean(message)
        LOG.info("yt-dlp warns: %s", text)
        self.warnings = [*self.warnings, text][-_KEPT_WARNINGS:]

    def error(self, message: str) -> None:
        LOG.debug("yt-dlp: %s", self._clean(message))
