"""Every error that yt-dlp can raise is one of ours, sorted by what is to be done about it."""

import errno
import importlib
import io
import ssl
from typing import Any

import pytest

from symmv_builder.backends.ytdlp import (
    MediaRefused,
    ToolchainBroken,
    translate,
)
from symmv_builder.backends.ytdlp.failures import DECISIVE, GENERAL
from symmv_builder.errors import (
    DiskFull,
    Reason,
    RejectEntry,
    RetryLater,
    ServiceRefused,
    SessionBlocked,
    StopRun,
)
from tests.loopback import video_id

utils = pytest.importorskip("yt_dlp.utils")
network = importlib.import_module("yt_dlp.networking.exceptions")


def every_class() -> list[type[BaseException]]:
    for module in ("yt_dlp.cookies", "yt_dlp.postprocessor", "yt_dlp.jsinterp", "yt_dlp.YoutubeDL"):
        importlib.import_module(module)
    waiting, found = [utils.YoutubeDLError], []
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if kind.__module__.startswith("yt_dlp."):
            found.append(kind)
    return found


def a_response(status: int, reason: str = "") -> Any:
    from yt_dlp.networking import Response

    return Response(io.BytesIO(), "http://127.0.0.1/", {}, status=status, reason=reason)


def test_every_class_of_yt_dlp_has_a_verdict() -> None:
    mapped = DECISIVE.keys() | GENERAL.keys()
    classes = every_class()
    assert len(classes) > 30
    unmapped = [
        kind.__name__
        for kind in classes
        if kind is not utils.YoutubeDLError
        and not mapped & {parent.__name__ for parent in kind.__mro__}
    ]
    assert unmapped == []


def test_every_name_in_the_tables_is_a_class_that_exists() -> None:
    known = {kind.__name__ for kind in every_class()} | {"TimeoutError", "ConnectionError"}
    assert (DECISIVE.keys() | GENERAL.keys()) - known == set()


LOGIN = "Use --cookies-from-browser or --cookies for the authentication."
MESSAGES: list[tuple[str, type[Exception], Reason | None]] = [
    (f"Sign in to confirm you’re not a bot. {LOGIN}", SessionBlocked, Reason.REFUSED),
    (f"Sign in to confirm you're not a bot. {LOGIN}", SessionBlocked, Reason.REFUSED),
    (
        "Video unavailable. This content isn't available, try again later. The current session "
        "has been rate-limited by YouTube for up to an hour.",
        SessionBlocked,
        Reason.REFUSED,
    ),
    (
        "Unable to download API page: HTTP Error 429: Too Many Requests",
        SessionBlocked,
        Reason.REFUSED,
    ),
    ("YouTube is requiring a captcha challenge before playback", SessionBlocked, Reason.REFUSED),
    ("You have exceeded the rate limit. Try again later", SessionBlocked, Reason.REFUSED),
    ("Request is rejected by server (352)", SessionBlocked, Reason.REFUSED),
    (
        "Unable to download webpage: <urlopen error [Errno -2] Name or service not known>",
        SessionBlocked,
        Reason.UNREACHABLE,
    ),
    ("[Errno 101] Network is unreachable", SessionBlocked, Reason.UNREACHABLE),
    (
        "Private video. Sign in if you've been granted access to this video. " + LOGIN,
        RejectEntry,
        Reason.VIDEO_PRIVATE,
    ),
    (
        "Video unavailable. This video has been removed by the uploader",
        RejectEntry,
        Reason.VIDEO_REMOVED,
    ),
    ("Video unavailable", RetryLater, Reason.UNAVAILABLE),
    ("This video is unavailable", RetryLater, Reason.UNAVAILABLE),
    (
        "Video unavailable. This video is no longer available because the YouTube account "
        "associated with this video has been terminated.",
        RejectEntry,
        Reason.VIDEO_REMOVED,
    ),
    (
        "This video has been removed for violating YouTube's Terms of Service",
        RejectEntry,
        Reason.VIDEO_REMOVED,
    ),
    ("This live stream recording is not available.", RetryLater, Reason.UNAVAILABLE),
    (
        "This video may be deleted or geo-restricted. You might want to try a VPN or a proxy",
        RetryLater,
        Reason.UNAVAILABLE,
    ),
    (
        "Video unavailable. This video is no longer available due to a copyright claim by "
        '"Private Video Records"',
        RejectEntry,
        Reason.COPYRIGHT,
    ),
    (
        "Video unavailable. This video contains content from SME, who has blocked it on "
        "copyright grounds",
        RejectEntry,
        Reason.COPYRIGHT,
    ),
    (
        "Video unavailable. This video contains content from UMG, who has blocked it in your "
        "country on copyright grounds",
        RejectEntry,
        Reason.GEO_BLOCKED,
    ),
    (
        "The uploader has not made this video available in your country",
        RejectEntry,
        Reason.GEO_BLOCKED,
    ),
    (
        "This video is not available from your location due to geo restriction",
        RejectEntry,
        Reason.GEO_BLOCKED,
    ),
    (
        "Sign in to confirm your age. This video may be inappropriate for some users. " + LOGIN,
        RejectEntry,
        Reason.AGE_RESTRICTED,
    ),
    (
        "Join this channel to get access to members-only content like this video",
        RejectEntry,
        Reason.MEMBERS_ONLY,
    ),
    (
        "This video is available to this channel's members on level: Fans",
        RejectEntry,
        Reason.MEMBERS_ONLY,
    ),
    ("This video requires payment to watch.", RejectEntry, Reason.MEMBERS_ONLY),
    ("This video is for premium members only", RejectEntry, Reason.MEMBERS_ONLY),
    (
        "Video unavailable. This video is no longer available because the uploader has closed "
        "their YouTube account.",
        RejectEntry,
        Reason.VIDEO_REMOVED,
    ),
    ("Video unavailable. This video is private", RejectEntry, Reason.VIDEO_PRIVATE),
    *(
        (text, RetryLater, Reason.UNAVAILABLE)
        for text in (
            "This video is not available",
            "Video unavailable. This video is not available",
            "Video unavailable. This video is unavailable",
            "Video unavailable. This content isn't available.",
            "This video isn't available anymore",
            "This video is no longer available",
            "Video unavailable. The private video channel Copyright Songs",
            "Video unavailable. Playback on other websites has been disabled by the video owner",
        )
    ),
    ("An error occurred. Please try again later.", RetryLater, Reason.UNKNOWN_FAILURE),
    ("This feature has been removed", RetryLater, Reason.UNKNOWN_FAILURE),
    ("This video is DRM protected", RejectEntry, Reason.DRM),
    ("YouTube said: The playlist does not exist.", RejectEntry, Reason.SOURCE_GONE),
    ("YouTube said: This channel does not exist.", RejectEntry, Reason.SOURCE_GONE),
    ("This channel does not have a videos tab", RejectEntry, Reason.SOURCE_GONE),
    ("Premieres in 5 hours", RetryLater, Reason.NOT_YET_AVAILABLE),
    ("This live event will begin in 3 days.", RetryLater, Reason.NOT_YET_AVAILABLE),
    ("The channel is not currently live", RetryLater, Reason.NOT_YET_AVAILABLE),
    ("This video is only available for registered users", RetryLater, Reason.LOGIN_REQUIRED),
    ("unable to download video data: HTTP Error 403: Forbidden", MediaRefused, Reason.REFUSED),
    ("unable to download video data: HTTP Error 404: Not Found", MediaRefused, Reason.REFUSED),
    (
        "\r[download] Got error: 1048576 bytes read, 9437184 more expected. "
        "Giving up after 3 retries",
        RetryLater,
        Reason.UNREADABLE,
    ),
    ("content too short (expected 10 bytes and served 5)", RetryLater, Reason.UNREADABLE),
    ("Did not get any data blocks", RetryLater, Reason.UNREADABLE),
    (
        "Unable to download webpage: HTTP Error 503: Service Unavailable",
        RetryLater,
        Reason.UNREACHABLE,
    ),
    ("Unable to download webpage: The read operation timed out", RetryLater, Reason.UNREACHABLE),
    (
        "Unable to download webpage: [Errno 111] Connection refused",
        RetryLater,
        Reason.UNREACHABLE,
    ),
    ("The page needs to be reloaded.", RetryLater, Reason.UNREACHABLE),
    ("No video formats found!; please report this issue", ToolchainBroken, None),
    ("Requested format is not available. Use --list-formats", ToolchainBroken, None),
    ("Only images are available for download.", ToolchainBroken, None),
    ("Some formats are missing: YouTube is forcing SABR streaming", ToolchainBroken, None),
    ("No supported JavaScript runtime could be found", ToolchainBroken, None),
    (
        "You have requested merging of multiple formats but ffmpeg is not installed. "
        "Aborting due to --abort-on-error",
        ToolchainBroken,
        None,
    ),
    (
        "The extracted extension ('exe') is unusual and will be skipped",
        RejectEntry,
        Reason.NOT_MEDIA,
    ),
    ("unable to write data: [Errno 28] No space left on device", DiskFull, None),
    ("Something that nobody has ever seen", RetryLater, Reason.UNKNOWN_FAILURE),
]


@pytest.mark.parametrize(("message", "kind", "reason"), MESSAGES)
def test_a_message_is_sorted_however_it_is_wrapped(
    message: str, kind: type[Exception], reason: Reason | None
) -> None:
    inner = utils.ExtractorError(message, expected=True, video_id=video_id(1), ie="youtube")
    wrapped = utils.DownloadError(f"ERROR: {inner}", (type(inner), inner, None))
    for error in (inner, wrapped, utils.DownloadError(f"ERROR: {message}")):
        ours = translate(error)
        assert type(ours) is kind
        assert getattr(ours, "reason", None) is reason
        assert message[:30].strip() in str(ours) or kind is ToolchainBroken


def test_an_id_made_of_words_decides_nothing() -> None:
    error = utils.DownloadError("ERROR: [youtube] copyright12: This video has been removed")
    ours = translate(error)
    assert isinstance(ours, RejectEntry)
    assert ours.reason is Reason.VIDEO_REMOVED


CLASSES: list[tuple[Any, type[Exception], Reason | None]] = [
    (lambda: utils.ContentTooShortError(1, 2), RetryLater, Reason.UNREADABLE),
    (lambda: network.IncompleteRead(1, 2), RetryLater, Reason.UNREADABLE),
    (lambda: network.HTTPError(a_response(429)), SessionBlocked, Reason.REFUSED),
    (lambda: network.HTTPError(a_response(500)), RetryLater, Reason.UNREACHABLE),
    (lambda: network.HTTPError(a_response(404)), RetryLater, Reason.UNAVAILABLE),
    (lambda: network.HTTPError(a_response(403)), RetryLater, Reason.REFUSED),
    (lambda: network.TransportError("odd"), RetryLater, Reason.UNREACHABLE),
    (lambda: network.SSLError("odd"), RetryLater, Reason.UNREACHABLE),
    (lambda: network.ProxyError("odd"), SessionBlocked, Reason.UNREACHABLE),
    (lambda: network.CertificateVerifyError("odd"), ServiceRefused, None),
    (lambda: network.NoSupportingHandlers([], []), ToolchainBroken, None),
    (lambda: utils.GeoRestrictedError("odd", countries=["AX"]), RejectEntry, Reason.GEO_BLOCKED),
    (utils.UserNotLive, RetryLater, Reason.NOT_YET_AVAILABLE),
    (lambda: utils.UnsupportedError("gopher://x"), ToolchainBroken, None),
    (lambda: utils.RegexNotFoundError("odd"), RetryLater, Reason.UNKNOWN_FAILURE),
    (utils.ThrottledDownload, RetryLater, Reason.UNREACHABLE),
    (lambda: utils.PostProcessingError("odd"), RetryLater, Reason.UNREADABLE),
    (utils.MaxDownloadsReached, StopRun, None),
    (lambda: utils.UnavailableVideoError("odd"), RetryLater, Reason.UNREADABLE),
    (lambda: OSError(errno.ENOSPC, "No space left on device"), DiskFull, None),
    (lambda: TimeoutError("timed out"), RetryLater, Reason.UNREACHABLE),
    (lambda: ssl.SSLError("odd"), RetryLater, Reason.UNKNOWN_FAILURE),
    (lambda: KeyError("a bug of an extractor"), RetryLater, Reason.UNKNOWN_FAILURE),
]


@pytest.mark.parametrize(("make", "kind", "reason"), CLASSES)
def test_a_class_is_sorted(make: Any, kind: type[Exception], reason: Reason | None) -> None:
    ours = translate(make())
    assert type(ours) is kind
    assert getattr(ours, "reason", None) is reason


def test_a_full_disk_stops_the_run_also_where_it_is_wrapped() -> None:
    error = utils.UnavailableVideoError("unable to write")
    error.__cause__ = OSError(errno.ENOSPC, "No space left on device")
    assert isinstance(translate(error), StopRun)


def test_what_is_not_there_is_a_source_when_a_list_was_asked_for() -> None:
    error = network.HTTPError(a_response(404))
    ours = translate(error, of="list")
    assert isinstance(ours, RejectEntry)
    assert ours.reason is Reason.SOURCE_GONE


def test_a_warning_tells_why_there_is_no_format() -> None:
    warnings = ["something else", "No supported JavaScript runtime could be found"]
    ours = translate(utils.DownloadError("ERROR: No video formats found!"), warnings=warnings)
    assert isinstance(ours, ToolchainBroken)
    assert "JavaScript runtime" in str(ours)
