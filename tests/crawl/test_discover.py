"""Listing the loopback site through the real yt-dlp, in whole and by what is new."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from symmv_builder.backends.ytdlp import LOOPBACK, Downloader
from symmv_builder.backends.ytdlp.downloader import KNOWN_IN_A_ROW
from symmv_builder.crawl.discover import discover
from symmv_builder.demo.catalogue import Channel, Description, Failure, Playlist, Upload
from symmv_builder.demo.site import Site
from symmv_builder.errors import Reason, RejectEntry, RetryLater, SessionBlocked, StopRun
from symmv_builder.records import Source
from tests.loopback import CHANNEL, HOSTILE, running, video_id

COUNT = 100


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "some.mp4"
    path.write_bytes(b"never asked for")
    return path


def upload(media: Path, number: int, title: str = "") -> Upload:
    return Upload(
        video_id(number),
        title or f"Song number {number} (piano cover)",
        CHANNEL.name,
        media,
        description=f"Written down by hand, {number}",
        duration_s=100.0 + number,
        views=number * 10,
        uploaded=f"2024{1 + number // 28:02d}{1 + number % 28:02d}",
    )


@pytest.fixture
def site(media: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    description = Description(
        (CHANNEL, Channel("empty", "Nobody")),
        tuple(upload(media, number) for number in range(COUNT)),
        (Playlist("best", "The best", (video_id(3), video_id(1), video_id(2))),),
    )
    with running(monkeypatch, description=description) as running_site:
        yield running_site


@pytest.fixture
def downloader() -> Downloader:
    return Downloader(LOOPBACK, sites=["demo"])


def ids(numbers: Iterator[int] | range) -> list[str]:
    return [video_id(number) for number in numbers]


def test_a_channel_is_listed_in_whole_with_the_newest_first(
    site: Site, downloader: Downloader
) -> None:
    found = list(discover(downloader, "channel", "piano"))
    assert [item.source.video_id for item in found] == ids(reversed(range(COUNT)))
    newest = found[0]
    assert newest.source == Source("demo", video_id(99))
    assert newest.title == "Song number 99 (piano cover)"
    assert (newest.channel, newest.channel_id) == (CHANNEL.title, "piano")
    assert newest.channel_is_verified
    assert (newest.duration_s, newest.view_count) == (199.0, 990)
    assert newest.categories == ("Music",)
    assert newest.uploaded == "20240416"
    assert site.visits("watch") == []


def test_the_second_pass_finds_only_what_is_new_and_asks_for_few_pages(
    site: Site, downloader: Downloader, media: Path
) -> None:
    known = {item.source.video_id for item in discover(downloader, "channel", "piano")}
    site.add(upload(media, 150), upload(media, 151))
    before = len(site.visits("list"))
    new = [item.source.video_id for item in discover(downloader, "channel", "piano", known=known)]
    assert new == ids(iter((151, 150)))
    assert len(site.visits("list")) - before <= 2


def test_a_full_pass_finds_what_hides_behind_known_videos(
    site: Site, downloader: Downloader
) -> None:
    known = set(ids(range(20, COUNT)))
    assert len(known) > KNOWN_IN_A_ROW
    assert list(discover(downloader, "channel", "piano", known=known)) == []
    full = discover(downloader, "channel", "piano", known=known, full=True)
    assert [item.source.video_id for item in full] == ids(reversed(range(20)))


def test_a_playlist_is_listed_in_its_own_order_and_always_to_its_end(
    site: Site, downloader: Downloader
) -> None:
    found = discover(downloader, "playlist", "best", known={video_id(1)})
    assert [item.source.video_id for item in found] == ids(iter((3, 2)))


def test_a_search_gives_the_sites_order_and_no_more_than_asked_for(
    site: Site, downloader: Downloader
) -> None:
    found = downloader.search("number 42", 3)
    assert [item.source.video_id for item in found] == ids(iter((42, 99, 98)))
    listed = discover(downloader, "search", "number 42", known={video_id(99)}, limit=3)
    assert [item.source.video_id for item in listed] == ids(iter((42, 98)))


def test_a_search_for_anything_at_all_harms_nothing(site: Site, downloader: Downloader) -> None:
    for query in ("a&q=b#c", 'x" --exec ls', "ytsearch5:x", HOSTILE, "가나다 \ud800", "q" * 10_000):
        assert isinstance(downloader.search(query, 2), list)
    with pytest.raises(StopRun, match="no words"):
        downloader.search(" \n", 2)


def test_a_feed_tells_the_newest_videos(site: Site, downloader: Downloader, media: Path) -> None:
    site.add(upload(media, 160, title=HOSTILE))
    found = list(discover(downloader, "feed", "piano"))
    assert len(found) == 15
    assert found[0].source.video_id == video_id(160)
    assert found[0].title.startswith("<script>alert(1)</script>/../")
    assert found[1].uploaded == "20240416"
    assert found[1].channel == CHANNEL.title


def test_a_list_of_ids_asks_the_site_for_nothing(site: Site, downloader: Downloader) -> None:
    ref = f"{video_id(1)}, demo:{video_id(2)}\n{video_id(1)}"
    found = list(discover(downloader, "ids", ref, known={"other"}))
    assert [item.source.video_id for item in found] == ids(iter((1, 2)))
    assert site.visits() == []
    assert downloader.details(found[1].source).description == "Written down by hand, 2"


def test_the_site_of_a_reference_can_be_given_beside_it(site: Site) -> None:
    downloader = Downloader(LOOPBACK, sites=["youtube", "demo"])
    found = discover(downloader, "ids", f"{video_id(1)} youtube:{video_id(2)}", site="demo")
    assert [item.source for item in found] == [
        Source("demo", video_id(1)),
        Source("youtube", video_id(2)),
    ]
    assert len(list(discover(downloader, "channel", "piano", site="demo", limit=3))) == 3
    with pytest.raises(StopRun, match="nowhere"):
        list(discover(downloader, "channel", "piano", site="nowhere"))


def test_hostile_titles_come_through_as_they_are(
    site: Site, downloader: Downloader, media: Path
) -> None:
    titles = [
        HOSTILE,
        "'; DROP TABLE x;--",
        "</script><!--",
        "\u2028a\u0000b",
        "\ud83d",
        "x" * 10_000,
    ]
    for number, title in enumerate(titles):
        site.add(upload(media, 200 + number, title=title))
    listed = {item.source.video_id: item for item in discover(downloader, "channel", "piano")}
    for number, title in enumerate(titles[:3]):
        assert listed[video_id(200 + number)].title == title
        assert listed[video_id(200 + number)] in downloader.search(title, 50)
    assert listed[video_id(203)].title == "\u2028ab"
    assert listed[video_id(204)].title == "?"
    assert len(listed[video_id(205)].title) == 10_000


def test_a_channel_that_does_not_exist_is_gone(site: Site, downloader: Downloader) -> None:
    with pytest.raises(RejectEntry) as rejected:
        list(discover(downloader, "channel", "nobody-here"))
    assert rejected.value.reason is Reason.SOURCE_GONE
    assert list(discover(downloader, "channel", "empty")) == []


def test_a_site_that_limits_its_lists_blocks_the_session(
    site: Site, downloader: Downloader
) -> None:
    site.fail(Failure.TOO_MANY_REQUESTS)
    for kind in ("channel", "feed", "search"):
        with pytest.raises(SessionBlocked):
            list(discover(downloader, kind, "piano"))
    site.heal()
    site.fail(Failure.SERVER_ERROR)
    with pytest.raises(RetryLater) as waited:
        list(discover(downloader, "channel", "piano"))
    assert waited.value.spends_attempt


@pytest.mark.parametrize(
    ("kind", "ref"),
    [
        ("channel", "../../etc/passwd"),
        ("channel", "file:///etc/passwd"),
        ("channel", "http://127.0.0.1/"),
        ("playlist", "PL"),
        ("feed", "a&b=c"),
        ("ids", "short"),
        ("ids", ""),
        ("everything", "piano"),
        ("channel", "youtube:@PianoChannel"),
    ],
)
def test_a_reference_that_means_nothing_stops_the_run(
    downloader: Downloader, kind: str, ref: str
) -> None:
    with pytest.raises(StopRun):
        list(discover(downloader, kind, ref))
