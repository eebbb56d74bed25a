"""Every message of yt-dlp's extractors for the crawled sites has a verdict that somebody chose."""

from pathlib import Path

import pytest

from symmv_builder.backends.ytdlp import ToolchainBroken, translate
from symmv_builder.errors import Reason, RejectEntry, RetryLater, SessionBlocked, SymMVError
from tests.backends.ytdlp_messages import files, messages

utils = pytest.importorskip("yt_dlp.utils")

GEO, LIVE = "GeoRestrictedError", "UserNotLive"
# Class and text as in the source, ``{}`` for what is filled in; an ExtractorError where no class
# stands before it. ``{name}`` is a text that comes from elsewhere.
VERDICTS: dict[tuple[type[SymMVError], Reason | None], tuple[str | tuple[str, str], ...]] = {
    # Words that can mean nothing else. The crawl still asks once more on another day.
    (RejectEntry, Reason.DRM): ("This video is DRM protected",),
    (RejectEntry, Reason.GEO_BLOCKED): (
        (GEO, "This video is not available from your location due to geo restriction"),
        (GEO, "This video is restricted"),
        (GEO, "{default}"),
        (GEO, "{msg}"),
        (GEO, "{subreason}"),
    ),
    (RejectEntry, Reason.MEMBERS_ONLY): (
        "This is a supporter-only video: {}",
        "This video is for premium members only",
        "You need to purchase the course to download this episode",
    ),
    (RejectEntry, Reason.SOURCE_GONE): (
        "Playlist is no longer available",
        "The channel/playlist does not exist and the URL redirected to youtube.com home page",
        "This channel does not have a {} tab",
    ),
    (RetryLater, Reason.LOGIN_REQUIRED): (
        "Login details are needed to download this content. {}",
        "This is a private favorites list. You need to log in as its owner",
        "This is a private playlist. You need to login as its owner",
        "This video is only available for registered users",
        "You need to login to access your watchlater list",
        "You need to login to access your watchlater playlist",
    ),
    (RetryLater, Reason.NOT_YET_AVAILABLE): (
        "Streamer is not live",
        "This course episode is not yet available.",
        (LIVE, "{default}"),
    ),
    # What a site says of a recording that is gone, or that it does not show to us or today.
    (RetryLater, Reason.UNAVAILABLE): (
        "This video may be deleted or geo-restricted. You might want to try a VPN or a "
        "proxy server (with --proxy)",
    ),
    # Pages that yt-dlp does not understand, options that are never set, texts from outside.
    (RetryLater, Reason.UNKNOWN_FAILURE): (
        " Visit {} for more details",
        "A video URL was given without video ID",
        "An extractor error has occurred.",
        "Cannot extract signature timestamp without player url",
        "Cannot identify player {}",
        "Could not access playlist: {} {}",
        "Did you forget to quote the URL? Remember that & is a meta character in most "
        "shells, so you want to put the URL in quotes, like  yt-dlp "
        '"https://www.youtube.com/watch?feature=foo&v=YE7VzlLtp-4"  or simply  yt-dlp '
        "YE7VzlLtp-4  .",
        "Error resolving Nuxt JSON: {}",
        "Failed to calculate either page count or size",
        "Failed to download m3u8 information",
        "Failed to extract any player response",
        "Failed to extract {}: Could not parse value {}",
        "Failed to obtain m3u8 URL",
        "Failed to resolve album to playlist",
        "Failed to resolve url (does the playlist exist?)",
        "Failed to retrieve video list for page {}",
        "Incomplete YouTube ID {}. URL {} looks truncated.",
        "Invalid URL: {}",
        "Invalid cookie consent redirect URL",
        "Invalid netrc machine: {}",
        "Login with OAuth is no longer supported. {}",
        "Missing netrc_machine and {}._NETRC_MACHINE",
        "No player clients have been requested",
        "No valid video URL found",
        "Request failed ({}): {}",
        "Response data has no m3u header",
        "The category {} isn't supported. Supported categories: {}",
        "The subcategory {} isn't supported for this category. Supported subcategories: {}",
        "Unable to download JSON metadata",
        "Unable to download video info",
        "Unable to extract initial state",
        "Unable to extract {} - Failed to parse JSON",
        "Unable to find selected tab",
        "Unable to find video ID",
        "Unable to log in",
        "Unable to log in: {} said: {}",
        "Unable to recognize tab page",
        "Unable to resolve Nuxt JSON data: invalid input",
        "Unsupported language code: {}. Supported language codes (case-sensitive): {}.",
        "YouTube said: {}",
        'invalid download number {} for query "{}"',
        "{api_result.get('message')}",
        "{default}",
        "{err_note}",
        "{errmsg}",
        "{errnote}",
        "{error_msg}",
        "{msg}",
        "{reason}",
        "{self._downloader._unavailable_targets_message(requested_targets, note=msg, "
        "is_error=True)}",
        "{}",
        "{}. If you are not downloading private content, or your cookies are only for "
        'the first account and channel, pass "--extractor-args '
        'youtubetab:skip=authcheck" to skip this check',
    ),
    (RetryLater, Reason.UNREACHABLE): (
        "A network error has occurred.",
        "Incomplete data received",
        "Incomplete data received for comment reply thread. Pass --ignore-errors to "
        "ignore and allow rest of comments to download.",
        "Incomplete yt initial data received",
    ),
    (SessionBlocked, Reason.REFUSED): (
        ", please wait and try later",
        ". YouTube is requiring a captcha challenge before playback",
        "Access to this webpage has been blocked by Indian censorship. Use a VPN or "
        "proxy server (with --proxy) to route around it.",
        "Access to this webpage has been blocked by Websense filtering software in your network.",
        "Access to this webpage has been blocked by decision of the Russian government. "
        "Visit http://blocklist.rkn.gov.ru/ for a block reason.",
        "All player responses are invalid. Your IP is likely being blocked by Youtube",
        "Request is blocked by server (401), please wait and try later.",
        "Request is blocked by server (412), please wait and try later.",
        "Request is rejected by server (352)",
        "You have exceeded the rate limit. Try again later",
        "{}. {} has been rate-limited by YouTube for up to an hour. It is recommended "
        "to use `-t sleep` to add a delay between video requests to avoid exceeding the "
        "rate limit. For more information, refer to  "
        "https://github.com/yt-dlp/yt-dlp/wiki/Extractors#this-content-isnt-available-try-again-later",
    ),
    (ToolchainBroken, None): ("pycryptodomex not found. Please install",),
}


def read_source() -> set[tuple[str, str]]:
    import yt_dlp

    extractors = Path(yt_dlp.__file__).parent / "extractor"
    return {found for path in files(extractors) for found in messages(path)}


def chosen() -> dict[tuple[str, str], tuple[type[SymMVError], Reason | None]]:
    return {
        ("ExtractorError", text) if isinstance(text, str) else text: verdict
        for verdict, texts in VERDICTS.items()
        for text in texts
    }


def raised(kind: str, text: str) -> Exception:
    """The error as yt-dlp would raise it, with something filled in."""
    filled = text.replace("{}", "xyz")
    if kind == "UserNotLive":
        return utils.UserNotLive(video_id="xyz")  # type: ignore[no-any-return]
    if kind == "GeoRestrictedError":
        return utils.GeoRestrictedError(filled)  # type: ignore[no-any-return]
    return utils.ExtractorError(filled, expected=True)  # type: ignore[no-any-return]


def test_every_message_in_the_source_of_yt_dlp_is_in_the_table() -> None:
    found = read_source()
    assert len(found) > 80
    assert sorted(found - chosen().keys()) == []


def test_every_message_gets_the_verdict_that_was_chosen_for_it() -> None:
    wrong = []
    for (kind, text), verdict in chosen().items():
        error = raised(kind, text)
        for given in (error, utils.DownloadError(f"ERROR: {error}", (type(error), error, None))):
            ours = translate(given)
            if (type(ours), getattr(ours, "reason", None)) != verdict:
                wrong.append((text, ours))
    assert wrong == []


def test_a_new_message_in_a_source_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "new.py"
    path.write_text(
        "class NewIE:\n"
        "    def _real_extract(self, url):\n"
        "        why = 'This video moved'\n"
        "        if url:\n"
        "            why += f' to {url}'\n"
        "            self.raise_no_formats(why, expected=True)\n"
        "        self.raise_geo_restricted(msg='Not there')\n"
        "        raise ExtractorError(f'Gone {url}' if url else 'Gone')\n"
    )
    new = {text for _, text in messages(path)}
    assert {"This video moved", " to {}", "Not there", "Gone {}", "Gone"} <= new
    assert not new & {text for _, text in chosen()}
