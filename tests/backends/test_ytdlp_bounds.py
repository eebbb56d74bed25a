"""What a site links to never leads into the network that the crawl runs in."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

pytest.importorskip("yt_dlp")

from symmv_builder.backends.ytdlp import LOOPBACK, Downloader
from symmv_builder.backends.ytdlp.bounds import Bounds, install, is_public
from symmv_builder.demo.site import VARIABLE
from symmv_builder.errors import Reason, RejectEntry, RetryLater
from symmv_builder.records import Source
from tests.loopback import video_id

FEED = b"<feed><entry><yt:videoId>vid00000001</yt:videoId><title>Song</title></entry></feed>"


@contextmanager
def serving(
    answers: dict[str, str | bytes], *, default: str = ""
) -> Iterator[tuple[str, list[str]]]:
    """A server that redirects to a text and answers with bytes: its address, what it was asked."""
    asked: list[str] = []

    class Answer(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Stay quiet."""

        def do_GET(self) -> None:
            asked.append(self.path)
            found = answers.get(self.path.partition("?")[0], default or b"<html></html>")
            is_text = isinstance(found, str)
            self.send_response(302 if is_text else 200)
            if isinstance(found, str):
                self.send_header("Location", found)
            body = b"" if isinstance(found, str) else found
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def downloader() -> Downloader:
    return Downloader(LOOPBACK, sites=["demo"])


def test_a_feed_that_leads_to_another_host_is_not_followed(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({}, default="/") as (inner, asked):
        for target in (f"{inner}/latest/meta-data", inner.replace("127.0.0.1", "localhost") + "/"):
            with serving({"/feeds/videos.xml": target}) as (outer, _):
                monkeypatch.setenv(VARIABLE, outer)
                with pytest.raises(RejectEntry, match="another host") as rejected:
                    list(downloader.list_source("feed", "piano"))
                assert rejected.value.reason is Reason.SOURCE_GONE
        assert asked == []


@pytest.mark.parametrize(
    "target",
    ["http://169.254.169.254/latest/", "http://10.0.0.1/", "file:///etc/passwd", "http://[::1]/"],
)
def test_a_feed_that_leads_to_a_private_address_or_a_file_is_not_followed(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    with serving({"/feeds/videos.xml": target}) as (outer, _):
        monkeypatch.setenv(VARIABLE, outer)
        with pytest.raises((RejectEntry, RetryLater)):
            list(downloader.list_source("feed", "piano"))


def test_a_feed_that_has_moved_on_its_host_is_followed(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({"/feeds/videos.xml": "/new.xml", "/new.xml": FEED}) as (outer, asked):
        monkeypatch.setenv(VARIABLE, outer)
        found = list(downloader.list_source("feed", "piano"))
        assert [listing.title for listing in found] == ["Song"]
        assert len(asked) == 2


def test_a_page_that_leads_elsewhere_is_not_followed_either(
    downloader: Downloader, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    source = Source("demo", video_id(1))
    with serving({}) as (inner, asked), serving({"/watch": f"{inner}/watch"}) as (outer, _):
        monkeypatch.setenv(VARIABLE, outer)
        with pytest.raises(RetryLater, match="not asked"):
            downloader.details(source)
        with pytest.raises(RetryLater):
            downloader.download(source, tmp_path, kind="audio")
        assert asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_name_that_resolves_to_a_private_address_is_not_asked(host: str) -> None:
    from yt_dlp import YoutubeDL
    from yt_dlp.networking.exceptions import RequestError

    with serving({}) as (address, asked), YoutubeDL({"quiet": True, "proxy": ""}) as ydl:
        install(ydl, Bounds())
        with pytest.raises(RequestError, match="not asked"):
            ydl.urlopen(address.replace("127.0.0.1", host))
        assert asked == []


PUBLIC = ("142.250.74.46", "1.1.1.1", "2a00:1450:4001:82a::200e", "64:ff9b::8.8.8.8")
PRIVATE = (
    "127.0.0.1", "127.8.8.8", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0",
    "fd00::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "ff02::1",
)  # fmt: skip


def test_addresses_of_the_internet_are_told_from_all_others() -> None:
    assert [address for address in PUBLIC if not is_public(address)] == []
    assert [address for address in PRIVATE if is_public(address)] == []
