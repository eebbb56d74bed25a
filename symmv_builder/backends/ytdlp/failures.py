"""What yt-dlp raises, sorted by what is to be done about it.

Most of what matters is in the wording: a bot check, a private video and a broken
toolchain arrive as one class. So the table of messages is read first, the most specific
first, then the status of HTTP, then the class. Only words that can mean nothing else reject a
recording; a prefix that a site puts before everything (``Video unavailable``) says nothing. What
nobody has seen before is a `RetryLater` that spends an attempt: it is tried a few times more and
then put aside as ``unknown_failure``, never dropped in silence.
"""

import errno
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from symmv_builder.errors import (
    CannotRead,
    DiskFull,
    Reason,
    RejectEntry,
    RetryLater,
    ServiceRefused,
    SessionBlocked,
    StopRun,
    SymMVError,
)

_HOUR_S = 3600.0
_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
# ``ERROR: [extractor] id: `` in front of a message: an id may contain any word.
_PREFIX = re.compile(r"^(?:ERROR: )?(?:\[[\w:.+-]+\] )?(?:[A-Za-z0-9_-]{6,24}: )?")


class MediaRefused(RetryLater):
    """The address of the media has expired (403, 404): extracting anew may give a good one."""


class ToolchainBroken(StopRun):
    """yt-dlp cannot read this site at all any more, or lacks a program that it needs."""


Verdict = Callable[[str], SymMVError]


def _reject(reason: Reason) -> Verdict:
    return lambda text: RejectEntry(reason, text)


def _later(reason: Reason, after_s: float) -> Verdict:
    return lambda text: RetryLater(text, after_s, reason=reason)


def _blocked(after_s: float, reason: Reason = Reason.REFUSED) -> Verdict:
    return lambda text: SessionBlocked(text, after_s, reason=reason)


def _refused(text: str) -> SymMVError:
    return MediaRefused(text, 900.0, reason=Reason.REFUSED)


def _broken(text: str) -> SymMVError:
    return ToolchainBroken(f"yt-dlp cannot read the site; update it and deno: {text}")


def _full(text: str) -> SymMVError:
    return DiskFull("the folder of downloads", text)


def _no_certificate(text: str) -> SymMVError:
    return ServiceRefused("a site", f"its certificate does not verify: {text}")


def _never_set(text: str) -> SymMVError:
    return StopRun(f"yt-dlp runs with an option that is never set here: {text}")


_UNREACHABLE = _later(Reason.UNREACHABLE, 120.0)
_DAMAGED = _later(Reason.UNREADABLE, 300.0)
_UNKNOWN = _later(Reason.UNKNOWN_FAILURE, _HOUR_S)
_NO_NETWORK = _blocked(300.0, Reason.UNREACHABLE)


@dataclass(frozen=True, slots=True)
class FailureWording:
    """A wording (lower case, straight apostrophes) and what it means."""

    name: str
    words: re.Pattern[str]
    verdict: Verdict


def _rule(name: str, words: str, verdict: Verdict) -> FailureWording:
    return FailureWording(name, re.compile(words), verdict)


# Read from the top: the first that fits decides.
MESSAGES: tuple[FailureWording, ...] = (
    _rule("disk", "no space left|disk quota|read-only file system", _full),
    _rule(
        "session",
        "rate.limited|exceeded the rate limit|confirm you're not a bot|captcha|unusual traffic"
        "|too many requests|http error 4(?:29|12)|rejected by server|please wait and try later"
        "|this content isn't available, try again later|likely being blocked|blocked by server"
        "|access to this webpage has been blocked",
        _blocked(_HOUR_S),
    ),
    _rule(
        "network",
        "name or service not known|name resolution|network is unreachable|no route to host"
        "|nodename nor servname|getaddrinfo failed|failed to resolve '",
        _NO_NETWORK,
    ),
    _rule("drm", "video is drm protected", _reject(Reason.DRM)),
    _rule(
        "geo",
        "(?:available|blocked it|blocked) in your (?:country|region|location)"
        "|not available from your location due to geo.?restriction",
        _reject(Reason.GEO_BLOCKED),
    ),
    _rule(
        "copyright",
        "copyright (?:claim|grounds|infringement)|copyright owner has",
        _reject(Reason.COPYRIGHT),
    ),
    _rule(
        "private",
        "^private video|said: private video|video is private|this is a private video",
        _reject(Reason.VIDEO_PRIVATE),
    ),
    _rule(
        "age",
        "confirm your age|video is age.?restricted|inappropriate for some users",
        _reject(Reason.AGE_RESTRICTED),
    ),
    _rule(
        "members",
        "members-only (?:content|video)|this channel's members|requires payment to watch"
        "|video is for premium members|supporter-only video|need to purchase",
        _reject(Reason.MEMBERS_ONLY),
    ),
    _rule(
        "upcoming",
        "premieres? in |premiere will begin|live event will begin|has not (?:yet )?started"
        "|not yet available|not currently live|streamer is not live",
        _later(Reason.NOT_YET_AVAILABLE, 6 * _HOUR_S),
    ),
    _rule(
        "source",
        "(?:channel|playlist|user|list)(?: \\w+)? (?:does not exist|is no longer available)"
        "|channel does not have a|channel/playlist does not exist",
        _reject(Reason.SOURCE_GONE),
    ),
    _rule(
        "removed",
        "(?:video|recording) (?:has been|was) (?:removed|deleted)|removed by the (?:uploader|user)"
        "|account associated with this video has been (?:terminated|closed)"
        "|uploader has closed their youtube account|video does not exist",
        _reject(Reason.VIDEO_REMOVED),
    ),
    _rule(
        "login",
        "only available for registered users|login details are needed|please sign in"
        "|sign in to|need to log ?in",
        _later(Reason.LOGIN_REQUIRED, 24 * _HOUR_S),
    ),
    # What a site says of a recording that is gone, of one that it does not show to us or today,
    # and before every other reason.
    _rule(
        "unavailable",
        "(?:video|content|recording)(?: is| has become)?(?: currently)? unavailable"
        "|(?:video|content|recording) (?:is not|isn't|is no longer) available|may be deleted",
        _later(Reason.UNAVAILABLE, 24 * _HOUR_S),
    ),
    _rule(
        "toolchain",
        "no video formats found|requested format is not available|only images are available"
        "|\\bsabr\\b|javascript runtime|challenge solv|po token|signature extraction failed"
        "|ffmpeg is not installed|ffmpeg not found|pycryptodomex not found|no suitable extractor"
        "|unsupported url",
        _broken,
    ),
    _rule("extension", "extracted extension .* is unusual", _reject(Reason.NOT_MEDIA)),
    _rule(
        "short",
        "more expected|content too short|expected \\d+ bytes|did not get any data blocks"
        "|downloaded file is empty|invalid data found",
        _DAMAGED,
    ),
    _rule("expired", "video data: http error 4\\d\\d", _refused),
    _rule("reload", "page needs to be reloaded|incomplete (?:yt )?(?:initial )?data", _UNREACHABLE),
    _rule(
        "connection",
        "timed out|network error|connection (?:reset|refused|aborted)|remote end closed"
        "|eof occurred|http error 5\\d\\d|giving up after \\d+ retries",
        _UNREACHABLE,
    ),
)

# By the name of the class, so that this module is read without importing yt-dlp. What says
# everything by its class is asked before the messages, the rest after them.
DECISIVE: dict[str, Verdict] = {
    "CertificateVerifyError": _no_certificate,
    "ProxyError": _blocked(600.0, Reason.UNREACHABLE),
    "NoSupportingHandlers": _broken,
    "UnsupportedRequest": _broken,
    "CookieLoadError": lambda _: CannotRead("the cookies file", "it is not in Netscape's format"),
    "GeoRestrictedError": _reject(Reason.GEO_BLOCKED),
    "UserNotLive": _later(Reason.NOT_YET_AVAILABLE, 6 * _HOUR_S),
    "UnsupportedError": _broken,
    "ContentTooShortError": _DAMAGED,
    "IncompleteRead": _DAMAGED,
    "EntryNotInPlaylist": _reject(Reason.SOURCE_GONE),
    "ThrottledDownload": _UNREACHABLE,
    "SameFileError": _never_set,
    "DownloadCancelled": _never_set,
    "XAttrMetadataError": _never_set,
    "XAttrUnavailableError": _never_set,
    "UnsafeExecExpansionError": _never_set,
}
GENERAL: dict[str, Verdict] = {
    "ReExtractInfo": _UNREACHABLE,
    "UnavailableVideoError": _DAMAGED,
    "PostProcessingError": _DAMAGED,
    "RegexNotFoundError": _UNKNOWN,
    "RequestError": _UNREACHABLE,
    "TimeoutError": _UNREACHABLE,
    "ConnectionError": _UNREACHABLE,
    "ExtractorError": _UNKNOWN,
    "DownloadError": _UNKNOWN,
}


def translate(
    error: BaseException,
    *,
    of: Literal["video", "list"] = "video",
    warnings: Sequence[str] = (),
    clean: Callable[[str], str] = str,
) -> SymMVError:
    """Our error for one that yt-dlp let out; `clean` takes the secrets out of its text.

    `of` says what was asked for: what is not there is a video or a source. `warnings`
    were given before; they tell why there is no format.
    """
    chain = _chain(error)
    for cause in chain:
        if isinstance(cause, SymMVError):
            return cause
    text = clean(_PREFIX.sub("", str(error)) or type(error).__name__)
    for cause in chain:
        if isinstance(cause, OSError) and cause.errno in _DISK:
            return _full(clean(str(cause.strerror)))
    verdict = _by_class(chain, DECISIVE) or _by_message(chain) or _by_status(chain, of)
    result = (verdict or _by_class(chain, GENERAL) or _UNKNOWN)(text)
    if isinstance(result, ToolchainBroken):
        lines = [line for line in warnings if _fits("toolchain", line)]
        return _broken(f"{text} ({lines[-1]})") if lines else result
    return result


def _chain(error: BaseException) -> list[BaseException]:
    """List the error and everything that it was made of, the outermost first."""
    chain: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(chain) < 30:
        item = queue.pop(0)
        if not isinstance(item, BaseException) or any(item is earlier for earlier in chain):
            continue
        chain.append(item)
        inner = getattr(item, "exc_info", None)
        queue.append(inner[1] if isinstance(inner, tuple) and len(inner) == 3 else None)
        queue += [getattr(item, "cause", None), item.__cause__, item.__context__]
    return chain


def _by_class(chain: Sequence[BaseException], table: dict[str, Verdict]) -> Verdict | None:
    for error in chain:
        for kind in type(error).__mro__:
            if kind.__name__ in table:
                return table[kind.__name__]
    return None


def _plain(text: str) -> str:
    return _PREFIX.sub("", text).lower().replace("\u2019", "'")


def _by_message(chain: Sequence[BaseException]) -> Verdict | None:
    texts = [_plain(str(error)) for error in chain]
    for rule in MESSAGES:
        if any(rule.words.search(text) for text in texts):
            return rule.verdict
    return None


def _fits(name: str, text: str) -> bool:
    return any(rule.name == name and rule.words.search(_plain(text)) for rule in MESSAGES)


def _by_status(chain: Sequence[BaseException], of: str) -> Verdict | None:
    """Judge by an HTTP status where no wording did: of a page, for media were in the table."""
    for error in chain:
        status = getattr(error, "status", None)
        if status in (404, 410):
            # An address of a site's interface that has moved looks like a video that is gone.
            is_list = of == "list"
            return _reject(Reason.SOURCE_GONE) if is_list else _later(Reason.UNAVAILABLE, 86400.0)
        if isinstance(status, int) and 400 <= status < 500:
            return _later(Reason.REFUSED, 900.0)
    return None
