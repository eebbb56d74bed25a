"""The loopback video site: what it serves, to whom, and how it fails on demand."""

import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from symmv_builder.demo.answers import serve
from symmv_builder.demo.catalogue import Channel, Description, Failure, Playlist, Upload
from symmv_builder.demo.misbehaviour import Misbehaviour
from symmv_builder.demo.site import Site
from symmv_builder.errors import StopRun
from tests.loopback import CHANNEL, HOSTILE, video_id

BYTES = bytes(range(256)) * 400


@pytest.fixture
def media(tmp_path: Path) -> Path:
    path = tmp_path / "media.mp4"
    path.write_bytes(BYTES)
    return path


@pytest.fixture
def site(media: Path) -> Iterator[Site]:
    uploads = (
        Upload(video_id(0), HOSTILE, CHANNEL.name, media, description="</script>", views=5),
        Upload(video_id(1), "Für Elise", CHANNEL.name, media, views=7, uploaded="20240102"),
        Upload(video_id(2), "für nobody", CHANNEL.name, media, views=6, uploaded="20240101"),
    )
    playlists = (Playlist("some", "Some <i>", (video_id(2), "gone0000000")),)
    with serve(Description((CHANNEL,), uploads, playlists), seed=3) as running:
        yield running


class Answer:
    """What came back, read to its end."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status, self.headers = response.status, response.headers
        try:
            self.body, self.whole = response.read(), True
        except http.client.IncompleteRead as cut:
            self.body, self.whole = cut.partial, False

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def data(self) -> Any:
        found = re.search(r'<script[^>]+id="data">(.*?)</script>', self.text, re.DOTALL)
        return json.loads(found[1]) if found else None


def ask(
    site: Site, path: str, method: str = "GET", body: str | None = None, **headers: str
) -> Answer:
    connection = http.client.HTTPConnection(site.url.removeprefix("http://"), timeout=10)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, named)
    answer = Answer(connection.getresponse())
    connection.close()
    return answer


def media_of(site: Site, name: str, **headers: str) -> Answer:
    address = ask(site, f"/watch?v={name}").data["formats"][0]["address"]
    return ask(site, address, **headers)


def test_only_this_machine_is_answered(site: Site) -> None:
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+", site.url)
    port = int(site.url.rpartition(":")[2])
    own = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in own - {"127.0.0.1"}:
        with pytest.raises(OSError):
            socket.create_connection((str(address), port), timeout=2)


def test_a_page_of_another_site_is_not_answered(site: Site) -> None:
    assert ask(site, "/", Host="evil.example").status == 421
    upload = json.dumps({"video_id": video_id(9)})
    headers = {"Host": "evil.example", "Content_Type": "application/json"}
    assert ask(site, "/api/uploads", "POST", upload, **headers).status == 404


def test_a_port_that_is_taken_stops_the_run(site: Site) -> None:
    port = int(site.url.rpartition(":")[2])
    with pytest.raises(StopRun, match=str(port)), serve(Description((), ()), port=port):
        pass


class Tags(HTMLParser):
    """The tags of a page, as a browser finds them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append(tag)


@pytest.mark.parametrize(
    "path", ["/", "/channel/piano", "/playlist/some", "/results?q=alert", f"/watch?v={video_id(0)}"]
)
def test_titles_are_text_in_every_page(site: Site, path: str) -> None:
    page = ask(site, path)
    assert page.status == 200
    tags = Tags(page.text).found
    assert tags.count("script") == (path != "/")
    assert not {"b", "i"} & set(tags)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]


def test_a_watch_page_carries_what_was_typed_byte_for_byte(site: Site) -> None:
    data = ask(site, f"/watch?v={video_id(0)}").data
    assert data["title"] == HOSTILE
    assert data["description"] == "</script>"
    assert [form["format"] for form in data["formats"]] == ["media"]
    assert data["formats"][0]["size_bytes"] == len(BYTES)


def test_a_channel_is_paged_with_the_newest_first(site: Site, media: Path) -> None:
    site.add(*(Upload(video_id(n), f"N {n}", CHANNEL.name, media) for n in range(10, 50)))
    first, second = (ask(site, f"/channel/piano?page={page}").data for page in (1, 2))
    assert (first["more"], second["more"]) == (True, False)
    listed = [entry["id"] for page in (first, second) for entry in page["entries"]]
    assert listed[:2] == [video_id(49), video_id(48)]
    assert listed[-2:] == [video_id(1), video_id(2)]
    assert len(set(listed)) == 43


def test_a_search_prefers_more_words_and_then_more_views(site: Site) -> None:
    found = ask(site, "/results?q=F%C3%9CR+elise").data["entries"]
    assert [entry["id"] for entry in found] == [video_id(1), video_id(2)]
    assert ask(site, "/results?q=").data["entries"] == []


def test_what_is_not_there_is_not_found(site: Site) -> None:
    for path in ("/nothing", "/watch?v=x", "/channel/x", "/playlist/x", "/media/x/media"):
        assert ask(site, path).status == 404
    assert ask(site, f"/media/{video_id(0)}/../../etc/passwd").status == 404


def test_media_come_whole_or_by_range(site: Site) -> None:
    whole = media_of(site, video_id(0))
    assert (whole.status, whole.body) == (200, BYTES)
    cases = {
        "bytes=100-199": BYTES[100:200],
        "bytes=102000-": BYTES[102000:],
        "bytes=-10": BYTES[-10:],
        "bytes=0-999999": BYTES,
    }
    for asked, expected in cases.items():
        part = media_of(site, video_id(0), Range=asked)
        assert (part.status, part.body) == (206, expected)
        assert part.headers["Content-Range"].endswith(f"/{len(BYTES)}")
    beyond = media_of(site, video_id(0), Range="bytes=999999-")
    assert (beyond.status, beyond.body) == (416, b"")
    assert media_of(site, video_id(0), Range="lines=1-2").body == BYTES


def test_an_entity_tag_changes_with_the_bytes(site: Site, media: Path) -> None:
    tag = media_of(site, video_id(0)).headers["ETag"]
    assert media_of(site, video_id(0), If_None_Match=tag).status == 304
    fits = media_of(site, video_id(0), Range="bytes=5-", If_Range=tag)
    assert fits.status == 206
    media.write_bytes(BYTES[::-1] + b"more")
    other = media_of(site, video_id(0), Range="bytes=5-", If_Range=tag)
    assert (other.status, other.body) == (200, BYTES[::-1] + b"more")


def test_a_head_request_has_no_body(site: Site) -> None:
    address = ask(site, f"/watch?v={video_id(0)}").data["formats"][0]["address"]
    head = ask(site, address, "HEAD")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Length"] == str(len(BYTES))


def test_a_video_can_be_added_while_the_site_runs(site: Site) -> None:
    fields = {
        "video_id": video_id(9),
        "title": "New",
        "channel": "piano",
        "media": video_id(0),
        "uploaded": "20260101",
    }
    done = ask(site, "/api/uploads", "POST", json.dumps(fields), Content_Type="application/json")
    assert (done.status, json.loads(done.text)) == (201, {"id": video_id(9)})
    assert ask(site, "/channel/piano").data["entries"][0]["id"] == video_id(9)
    assert media_of(site, video_id(9)).body == BYTES


@pytest.mark.parametrize(
    "changes",
    [
        {"media": "/etc/passwd"},
        {"video_id": "../../x"},
        {"channel": "nobody"},
        {"uploaded": "today"},
        {"sound": "/etc/passwd"},
    ],
)
def test_an_upload_that_makes_no_sense_is_refused(site: Site, changes: dict[str, str]) -> None:
    fields = {"video_id": video_id(9), "title": "N", "channel": "piano", "media": video_id(0)}
    text = json.dumps(fields | changes)
    assert ask(site, "/api/uploads", "POST", text, Content_Type="application/json").status == 400
    assert ask(site, "/api/uploads", "POST", "[", Content_Type="application/json").status == 400


def test_failures_of_pages_and_media_are_what_real_sites_answer(site: Site) -> None:
    address = ask(site, f"/watch?v={video_id(0)}").data["formats"][0]["address"]
    for failure, status in ((Failure.TOO_MANY_REQUESTS, 429), (Failure.SERVER_ERROR, 503)):
        site.fail(failure)
        for path in ("/channel/piano", f"/watch?v={video_id(0)}", "/results?q=a", address):
            assert ask(site, path).status == status
        site.heal()
    site.fail(Failure.FORBIDDEN, video_id(0))
    assert ask(site, address).status == 403
    assert media_of(site, video_id(1)).status == 200


def test_an_expired_address_stays_dead_and_a_new_one_works(site: Site) -> None:
    site.fail(Failure.FORBIDDEN_ONCE)
    first, second = (
        ask(site, f"/watch?v={video_id(0)}").data["formats"][0]["address"] for _ in range(2)
    )
    assert [ask(site, path).status for path in (first, first, second)] == [403, 403, 200]


def test_media_can_be_cut_damaged_and_slow(site: Site) -> None:
    site.fail(Failure.CUT_ONCE, video_id(0))
    cut = media_of(site, video_id(0))
    assert (cut.whole, len(cut.body)) == (False, len(BYTES) // 2)
    assert media_of(site, video_id(0)).whole
    site.fail(Failure.TRUNCATED, video_id(1))
    assert not media_of(site, video_id(1)).whole
    assert media_of(site, video_id(1), Range="bytes=90000-").body == b""
    site.fail(Failure.DAMAGED, video_id(2))
    damaged = media_of(site, video_id(2))
    assert len(damaged.body) == len(BYTES)
    assert damaged.body != BYTES
    assert damaged.body[90000:] == media_of(site, video_id(2), Range="bytes=90000-").body
    site.heal()
    site.fail(Failure.SLOW, bytes_a_second=400_000)
    start = time.monotonic()
    assert media_of(site, video_id(0)).body == BYTES
    assert time.monotonic() - start > 0.2


def test_visits_are_counted_with_their_bytes(site: Site) -> None:
    media_of(site, video_id(0), Range="bytes=10-19")
    media_of(site, video_id(0))
    assert len(site.visits("watch", video_id(0))) == 2
    visits = site.visits("media", video_id(0))
    assert [(v.status, v.first_byte, v.sent_bytes) for v in visits] == [
        (206, 10, 10),
        (200, 0, len(BYTES)),
    ]
    assert site.bytes_sent(video_id(0)) == 10 + len(BYTES)
    assert site.visits(name=video_id(1)) == []


def test_a_failure_can_strike_a_number_of_times(site: Site) -> None:
    site.fail(Failure.TOO_MANY_REQUESTS, times=2)
    assert [ask(site, "/results?q=a").status for _ in range(3)] == [429, 429, 200]


def test_draws_depend_on_the_seed_and_nothing_else() -> None:
    def strikes(seed: int, failure: Failure) -> list[bool]:
        behaviour = Misbehaviour(seed)
        behaviour.fail(failure, probability=0.3)
        return [behaviour.strikes({failure}, f"v{n % 50}", n // 50) is not None for n in range(500)]

    for failure in (Failure.BOT_CHECK, Failure.REMOVED):
        assert strikes(1, failure) == strikes(1, failure) != strikes(2, failure)
        assert 100 < sum(strikes(1, failure)) < 200
    lasting = strikes(1, Failure.REMOVED)
    assert all(lasting[n] == lasting[n % 50] for n in range(500))


def test_the_fate_of_a_video_can_be_told_beforehand(site: Site, media: Path) -> None:
    site.add(*(Upload(video_id(n), "x", CHANNEL.name, media) for n in range(20, 60)))
    site.fail(Failure.BOT_CHECK, probability=0.0)
    site.fail(Failure.REMOVED, probability=0.3)
    site.fail(Failure.DRM, probability=0.3)
    fates = {site.fate(video_id(n)) for n in range(20, 60)}
    assert fates == {None, Failure.REMOVED, Failure.DRM}
    for number in range(20, 60):
        data = ask(site, f"/watch?v={video_id(number)}").data
        fate = site.fate(video_id(number))
        assert data["drm"] == (fate is Failure.DRM)
        assert ("removed" in data["subreason"]) == (fate is Failure.REMOVED)


def test_many_visitors_are_served_at_once(site: Site) -> None:
    site.fail(Failure.SLOW, bytes_a_second=400_000)
    bodies: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: bodies.append(media_of(site, video_id(0)).body))
        for _ in range(8)
    ]
    start = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [BYTES] * 8
    assert time.monotonic() - start < 2.0


@pytest.mark.parametrize("name", ["", "UPPER", "../x", "a b", "x" * 41])
def test_a_channels_name_is_fit_for_an_address(name: str) -> None:
    with pytest.raises(ValueError):
        Channel(name, "anything")
