"""What yt-dlp is allowed to do, and that its secrets stay secret."""

import io
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from yt_dlp import YoutubeDL

from symmv_builder.backends.ytdlp import LOOPBACK, Downloader, Politeness, toolchain
from symmv_builder.backends.ytdlp.listing import place, to_listing
from symmv_builder.backends.ytdlp.politeness import MessageFilter, Redaction
from symmv_builder.backends.ytdlp.ydl_options import EXTRACTORS, format_choice, options
from symmv_builder.demo.catalogue import Upload
from symmv_builder.errors import StopRun
from symmv_builder.records import Source
from tests.loopback import CHANNEL, make_sound, running, video_id


def chosen(politeness: Politeness, sites: Sequence[str]) -> dict[str, Any]:
    listener = MessageFilter(Redaction(politeness, ""))
    return options(politeness, sites, listener, io.StringIO(politeness.read_cookies()))


COOKIES = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tSID\tc00kie-secret-value\n"


@pytest.fixture
def cookies(tmp_path: Path) -> Path:
    path = tmp_path / "cookies.txt"
    path.write_text(COOKIES)
    return path


def test_secrets_and_control_characters_leave_no_trace_in_a_text(cookies: Path) -> None:
    politeness = Politeness(proxy="socks5://someone:p%40ssw0rd@host.example:1", cookies=cookies)
    clean = Redaction(politeness, COOKIES)
    text = (
        f"{politeness.proxy} someone p@ssw0rd p%40ssw0rd host.example:1 c00kie-secret-value "
        f"{cookies} \x1b[31m\r\nnext\u202e " + "x" * 10_000
    )
    shown = clean(text)
    for secret in ("someone", "ssw0rd", "c00kie", "cookies.txt", "\x1b", "\n", "\u202e"):
        assert secret not in shown
    assert len(shown) <= 500
    assert "someone" not in repr(politeness)
    assert "cookies.txt" not in repr(politeness)


def test_what_yt_dlp_says_of_titles_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    listener = MessageFilter(Redaction(LOOPBACK, ""))
    listener.debug("[download] Downloading playlist: A title")
    listener.info("A title")
    assert caplog.text == ""
    for number in range(100):
        listener.warning(f"warning {number}")
    assert len(listener.warnings) == 20


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sound(tmp_path_factory.mktemp("media") / "sound.flac")


@pytest.fixture
def one_video(sound: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    upload = Upload(video_id(1), "Sound", CHANNEL.name, sound, media_is_audio=True)
    with running(monkeypatch, upload):
        yield Source("demo", upload.video_id)


def test_the_cookies_file_is_read_and_never_written(
    one_video: Source, cookies: Path, tmp_path: Path
) -> None:
    downloader = Downloader(replace(LOOPBACK, cookies=cookies), sites=["demo"])
    for number in range(3):
        downloader.download(one_video, tmp_path / str(number), kind="audio")
    assert cookies.read_text() == COOKIES
    assert "c00kie-secret-value" in downloader._cookies


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"not cookies\n"])
def test_cookies_that_cannot_be_used_stop_the_run_without_saying_where_they_are(
    one_video: Source, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "my-cookies"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StopRun, match="cookies file") as stopped:
        Downloader(replace(LOOPBACK, cookies=path), sites=["demo"]).details(one_video)
    assert "my-cookies" not in str(stopped.value)
    assert "not cookies" not in str(stopped.value)


def test_a_proxy_that_is_no_address_stops_the_run() -> None:
    with pytest.raises(StopRun, match="proxy"):
        Politeness(proxy="s3cret")


def test_the_options_allow_the_sites_that_are_crawled_and_nothing_dangerous() -> None:
    found = chosen(Politeness(), ["youtube", "bilibili"])
    assert found["enable_file_urls"] is False
    assert found["remote_components"] == []
    assert found["geo_bypass"] is False
    assert found["nocheckcertificate"] is False
    assert chosen(LOOPBACK, ["demo", "youtube"])["nocheckcertificate"] is False
    assert found["socket_timeout"] == 30
    assert (found["sleep_interval"], found["max_sleep_interval"]) == (10, 20)
    assert found["sleep_interval_requests"] == 0.75
    assert not {"postprocessors", "exec_cmd", "download_archive", "netrc_cmd"} & found.keys()


@pytest.mark.parametrize(
    ("site", "url", "key"),
    [
        ("youtube", "https://www.youtube.com/watch?v=jNQXAC9IVRw", "Youtube"),
        ("youtube", "https://www.youtube.com/@handle/videos", "YoutubeTab"),
        ("youtube", "https://www.youtube.com/playlist?list=PLabcdefghijkl", "YoutubeTab"),
        ("youtube", "ytsearch5:anything", "YoutubeSearch"),
        ("bilibili", "https://www.bilibili.com/video/BV1xx411c7mD", "BiliBili"),
        ("bilibili", "https://space.bilibili.com/12345/video", "BilibiliSpaceVideo"),
        ("bilibili", "bilisearch5:anything", "BiliBiliSearch"),
        ("demo", f"symmvdemo:watch:{video_id(1)}", "SymmvDemo"),
        ("demo", "symmvdemosearch5:anything", "SymmvDemoSearch"),
    ],
)
def test_an_address_of_ours_goes_to_its_extractor(site: str, url: str, key: str) -> None:
    toolchain.load_demo_extractors()
    with YoutubeDL(chosen(LOOPBACK, list(EXTRACTORS))) as ydl:
        assert site in EXTRACTORS
        assert next(name for name, ie in ydl._ies.items() if ie.suitable(url)) == key
        for foreign in ("https://example.com/x.mp4", "file:///etc/passwd", "ytuser:x"):
            assert [n for n, ie in ydl._ies.items() if ie.suitable(foreign)] == []


def test_the_demos_extractors_are_not_asked_in_an_ordinary_crawl() -> None:
    toolchain.load_demo_extractors()
    with YoutubeDL(chosen(LOOPBACK, ["youtube"])) as ydl:
        assert set(ydl._ies) == {"Youtube", "YoutubeTab", "YoutubePlaylist", "YoutubeSearch"}


def test_one_file_is_preferred_to_two() -> None:
    assert format_choice("audio", 480, can_merge=True) == "ba/b"
    assert format_choice("video", 480, can_merge=False) == "b[height<=?480]/w"
    assert format_choice("video", 480, can_merge=True).startswith("b[height<=?480]/bv*[")


def test_youtube_without_a_runtime_for_javascript_stops_the_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sysconfig.get_path", lambda _: str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(StopRun, match="pip install deno"):
        Downloader(sites=["youtube"]).check_toolchain()
    with pytest.raises(StopRun, match="deno, node"):
        Downloader(Politeness(javascript="netscape"), sites=["youtube"]).check_toolchain()
    Downloader(LOOPBACK, sites=["demo"]).check_toolchain()


def test_an_unknown_site_stops_the_run() -> None:
    with pytest.raises(StopRun, match="youtube"):
        Downloader(sites=["nowhere"])


def test_an_entry_becomes_a_listing_and_what_is_no_video_becomes_none() -> None:
    entry = {
        "id": "jNQXAC9IVRw",
        "title": "A\0B",
        "duration": float("nan"),
        "view_count": 3.0,
        "upload_date": "2005-04-23",
        "categories": ["Film", None],
        "language": "en",
        "license": "Creative Commons Attribution license (reuse allowed)",
    }
    around = {"channel": "jawed", "channel_id": "UC4QobU6STFB0P71PMvOGN5A"}
    found = to_listing(entry, "youtube", around)
    assert found is not None
    assert (found.title, found.channel, found.channel_id) == ("AB", "jawed", around["channel_id"])
    assert (found.duration_s, found.view_count, found.uploaded) == (None, 3, "")
    assert found.categories == ("Film",)
    assert (found.language, found.licence[:16]) == ("en", "Creative Commons")
    assert to_listing({"id": "UC4QobU6STFB0P71PMvOGN5A", "title": "x"}, "youtube") is None
    assert to_listing({}, "youtube") is None
    part = to_listing({"id": "BV1xx411c7mD_p1", "title": "x"}, "bilibili")
    assert part is not None
    assert part.source == Source("bilibili", "BV1xx411c7mD")


@pytest.mark.parametrize(
    ("kind", "ref", "address"),
    [
        ("channel", "@Some.Pianist", "https://www.youtube.com/@Some.Pianist/videos"),
        (
            "channel",
            "https://www.youtube.com/channel/UC4QobU6STFB0P71PMvOGN5A/videos",
            "https://www.youtube.com/channel/UC4QobU6STFB0P71PMvOGN5A/videos",
        ),
        ("channel", "https://youtube.com/@피아노", "https://www.youtube.com/@피아노/videos"),
        (
            "playlist",
            "https://www.youtube.com/playlist?list=PLabcdefghijkl",
            "https://www.youtube.com/playlist?list=PLabcdefghijkl",
        ),
        ("search", "  two\nwords ", "ytsearch7:two words"),
        ("channel", "bilibili:12345", "https://space.bilibili.com/12345/video"),
    ],
)
def test_a_reference_leads_to_an_address_of_ours(kind: str, ref: str, address: str) -> None:
    assert place(kind, ref, default_site="youtube", limit=7).address == address


def test_calls_keep_the_distance_that_is_set(one_video: Source) -> None:
    downloader = Downloader(replace(LOOPBACK, sleep_between_requests_s=0.2), sites=["demo"])
    start = time.monotonic()
    for _ in range(3):
        downloader.details(one_video)
    assert time.monotonic() - start >= 0.4
