"""A site that is switched off and on again: nobody's attempt is spent, and nothing is lost."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("yt_dlp")

from symmv_builder.backends.ytdlp import LOOPBACK, Downloader
from symmv_builder.cli import main
from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.crawl.titles import Habits
from symmv_builder.datasets import recipe
from symmv_builder.datasets.crawl import Crawl, discover_new, open_crawl, outage, work_off
from symmv_builder.demo.answers import serve
from symmv_builder.demo.catalogue import Description, Upload
from symmv_builder.demo.site import VARIABLE
from symmv_builder.errors import Reason
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Items
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from tests.loopback import CHANNEL, make_video, video_id

COUNT = 10
SOURCE = CrawlSource("channel", CHANNEL.name, None, "demo", "", "", Habits())
SOURCES = f'[[channel]]\nsite = "demo"\nref = "{CHANNEL.name}"\n'


class Clock:
    def __init__(self) -> None:
        self.time_s = 1000.0

    def __call__(self) -> float:
        return self.time_s


@pytest.fixture
def description(tmp_path: Path) -> Description:
    media = make_video(tmp_path / "video.mp4")
    uploads = (Upload(video_id(n), f"Song {n}", CHANNEL.name, media) for n in range(COUNT))
    return Description((CHANNEL,), tuple(uploads))


@pytest.fixture
def crawl(tmp_path: Path) -> Crawl:
    root = Root(str(tmp_path / "data"))
    store = Store(root, root, Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"))
    downloader = Downloader(LOOPBACK, sites=["demo"])
    opened = open_crawl(recipe("muvisync"), store, downloader, [SOURCE], tell=lambda _: None)
    return replace(opened, now=Clock())


def test_an_outage_spends_no_attempt_and_the_crawl_goes_on_when_the_site_is_back(
    crawl: Crawl, description: Description, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(description) as site:
        monkeypatch.setenv(VARIABLE, site.url)
        discover_new(crawl)
    port = int(site.url.rsplit(":", 1)[1])
    for _ in range(3 * crawl.patience.attempts):
        assert work_off(crawl) == 1
        assert "does not answer at all" in outage(crawl)
        # Nothing is asked while the breaker is open.
        assert work_off(crawl) == 0
        assert discover_new(crawl) == 0
        crawl.now.time_s += crawl.patience.outage_s + 1  # type: ignore[attr-defined]
    found = crawl.items.find("muvisync")
    # The first step needs no site.
    assert {(item.state, item.attempts) for item in found} <= {
        (states.FOUND, 0),
        (states.MATCHED, 0),
    }
    with serve(description, port=port):
        assert outage(crawl) == ""
        assert work_off(crawl) == COUNT
    assert {item.state for item in crawl.items.find("muvisync")} == {states.FETCHED}
    assert list(Path(crawl.store.root.path("staging")).glob("[!.]*")) == []


def test_one_address_that_does_not_answer_spends_its_attempts_while_its_site_answers(
    crawl: Crawl, description: Description, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut(path: object) -> int:
        raise ConnectionResetError

    few = crawl.patience.run - 1
    with serve(replace(description, uploads=description.uploads[:few])) as site:
        monkeypatch.setenv(VARIABLE, site.url)
        discover_new(crawl)
        # The answer to a request for media breaks off before its first byte.
        monkeypatch.setattr("symmv_builder.demo.answers.entity_tag", cut)
        assert work_off(crawl) == few
    found = crawl.items.find("muvisync")
    assert {(item.state, item.attempts) for item in found} == {(states.MATCHED, 1)}
    assert outage(crawl) == ""


def test_the_command_says_that_nothing_answers_and_ends_with_1(
    description: Description,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "sources.toml").write_text(SOURCES)
    root = str(tmp_path / "root")
    monkeypatch.setenv("SYMMV_SITES", "demo")

    def symmv(*more: str) -> int:
        call = ["crawl", "muvisync", "--sources", str(tmp_path / "sources.toml"), "--no-screen"]
        monkeypatch.setattr(sys, "argv", ["symmv", *call, "--root", root, *more])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    with serve(description) as site:
        monkeypatch.setenv(VARIABLE, site.url)
        assert symmv("--most", "0") == 0
    capsys.readouterr()
    for _ in range(2):
        assert symmv() == 1
        said = capsys.readouterr().err
        assert "nothing could be reached, and no attempt was counted" in said
        assert "Traceback" not in said
    items = Items(Ledger(f"sqlite:///{root}/ledger.sqlite"))
    assert {item.attempts for item in items.find("muvisync")} == {0}
    # What an earlier version put aside for it is tried again when somebody says so.
    for item in items.find("muvisync"):
        aside = replace(item, state=states.REJECTED, step="fetch", reason=Reason.UNREACHABLE)
        items.save(aside)
    assert symmv("--retry", "unreachable") == 1
    assert f"tried again: {COUNT} items" in capsys.readouterr().err
    assert symmv("--retry", "nonsense") == 2
    assert {item.state for item in items.find("muvisync")} == {states.MATCHED}
