"""The demo's site: every cover ends as is true of it, and no decoy gets through."""

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from symmv_builder import datasets
from symmv_builder.api import demo_crawl
from symmv_builder.api.crawl import CrawlRun, open_crawl
from symmv_builder.cli.demo import story
from symmv_builder.crawl.match import CALIBRATION
from symmv_builder.demo.answers import serve
from symmv_builder.demo.media import DemoMedia, Truth, plans
from symmv_builder.demo.site import Site
from symmv_builder.demo.world import COVERS, FAILURES, SOURCE, World, build_world
from symmv_builder.errors import Reason
from symmv_builder.report.tables import plain_text
from symmv_builder.settings import read_settings
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item
from tests.loopback import make_sound, make_video

SCREENED = {Reason.STATIC_VIDEO, Reason.LYRIC_VIDEO, Reason.DIFFERENT_SONG}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The demo's world with tiny media: only what is heard and seen of it is missing."""
    folder = tmp_path_factory.mktemp("media")
    tiny = {".flac": make_sound(folder / "tiny.flac"), ".mp4": make_video(folder / "tiny.mp4")}
    truths = []
    for plan in plans():
        path = folder / plan.path
        path.parent.mkdir(exist_ok=True)
        shutil.copyfile(tiny[path.suffix], path)
        if plan.kept_share < 1:
            path.write_bytes(path.read_bytes()[: int(path.stat().st_size * plan.kept_share)])
        truths.append(Truth(plan.path, plan.piece, duration_s=plan.longest_s))
    return build_world(DemoMedia(folder, folder / "site", folder / "muvisync", tuple(truths)))


@pytest.fixture(scope="module")
def site(world: World) -> Iterator[Site]:
    with serve(world.description) as running:
        for failure, video_id, times in FAILURES:
            running.fail(failure, video_id, times=times)
        yield running


@pytest.fixture(scope="module")
def crawled(
    world: World, site: Site, tmp_path_factory: pytest.TempPathFactory
) -> tuple[CrawlRun, int, int, int]:
    """The crawl after both rounds, how many were new in each, and a third round's requests."""
    root = str(tmp_path_factory.mktemp("data"))
    with demo_crawl.environment(site) as env:
        settings = read_settings(env, root=root)
        clock = demo_crawl.ShiftedClock()
        recipe = datasets.recipe("symmv")
        crawl = open_crawl(recipe, settings, [SOURCE], screen=False, now=clock)
        first = demo_crawl.crawl_round(crawl, clock, site, lambda _: None)
        site.add(world.later)
        second = demo_crawl.crawl_round(crawl, clock, site, lambda _: None)
        asked = len(site.visits())
        demo_crawl.crawl_round(crawl, clock, site, lambda _: None)
        return crawl, first, second, len(site.visits()) - asked


def screened(items: list[Item], world: World) -> list[Item]:
    """The items as they are when screening, which takes models, has said what is true."""
    done = []
    for item in items:
        outcome = world.covers[item.source.video_id].outcome
        if item.state == states.FETCHED and outcome:
            item = replace(item, state=states.REJECTED, step="screen", reason=outcome)
        elif item.state == states.FETCHED:
            item = replace(item, state=states.PROMOTED)
        done.append(item)
    return done


def test_a_second_round_finds_only_the_new_upload(crawled: tuple[CrawlRun, int, int, int]) -> None:
    assert crawled[1:3] == (len(COVERS) - 1, 1)


def test_a_round_without_news_asks_for_one_page(crawled: tuple[CrawlRun, int, int, int]) -> None:
    assert crawled[3] == 1


def test_each_cover_ends_as_is_true_of_it(
    world: World, crawled: tuple[CrawlRun, int, int, int]
) -> None:
    items = crawled[0].items()
    for item in items:
        cover = world.covers[item.source.video_id]
        if cover.outcome == "" or cover.outcome in SCREENED:
            assert item.state == states.FETCHED, cover
        elif cover.outcome == "review":
            assert item.state == states.REVIEW
        else:
            assert (item.state, item.reason) == (states.REJECTED, cover.outcome)
    ended = demo_crawl.verdict(screened(items, world), world)
    assert ended.startswith("13 of 13 covers ended as they must: 5 entries")


def test_a_cover_that_ended_otherwise_is_told(
    world: World, crawled: tuple[CrawlRun, int, int, int]
) -> None:
    items = screened(crawled[0].items(), world)
    other = [replace(item, state=states.PROMOTED) for item in items]
    assert demo_crawl.verdict(other, world).startswith("NOT as it should be: cov-")
    assert demo_crawl.verdict(items[1:], world).startswith("NOT as it should be")


def test_the_story_names_every_decoy_and_why_it_was_not_taken(
    world: World, crawled: tuple[CrawlRun, int, int, int]
) -> None:
    items = screened(crawled[0].items(), world)
    _, covers, decoys = map(plain_text, story.story(items, world, (12, 1)))
    taken = {cover.official for cover in COVERS}
    others = {upload.video_id for upload in world.description.uploads} - taken
    for name in others - set(world.covers):
        assert name in decoys, name
    for name in world.covers:
        assert name in covers
    line = {row.split()[0]: row for row in decoys.splitlines() if row.strip()}
    assert "lyric (-0.30)" in line["lyr-maple01"]
    assert "another artist" in line["cho-polon01"]
    assert "video_removed" in decoys
    assert "karaoke" in decoys


def test_the_site_was_left_alone_for_as_long_as_it_asked(
    crawled: tuple[CrawlRun, int, int, int],
) -> None:
    assert crawled[0].job.items.breaker("network") is not None


def test_a_run_that_finds_the_network_at_rest_goes_on_all_the_same(
    site: Site, crawled: tuple[CrawlRun, int, int, int]
) -> None:
    crawl = crawled[0]
    clock = demo_crawl.ShiftedClock()
    crawl.job.items.open_breaker("network", clock() + 90_000, "429")
    with demo_crawl.environment(site):
        asked = len(site.visits())
        again = replace(crawl, job=replace(crawl.job, now=clock))
        assert demo_crawl.crawl_round(again, clock, site, lambda _: None) == 0
    assert len(site.visits()) == asked + 1


def test_the_report_of_a_crawl_says_how_well_titles_are_matched() -> None:
    first, second = demo_crawl.songs([]).splitlines()
    assert first.startswith("songs named: none")
    assert second == str(CALIBRATION)
    assert "precision" in second
    assert "benchmarks/matching.py" in second
