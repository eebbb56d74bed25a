"""The demo's crawl: a loopback site, two rounds with the real crawler, and what came of it.

Nothing leaves this machine. Where a crawl would wait (a site that has had enough of us, a
file that came damaged), the demo's clock goes on instead.
"""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from symmv_builder.backends import Loader
from symmv_builder.cli import crawl_story
from symmv_builder.datasets.build import in_processes
from symmv_builder.datasets.crawl import (
    Crawl,
    discover_new,
    due_in_s,
    network_opens_s,
    open_crawl,
    work_off,
)
from symmv_builder.datasets.propose import promote, screen_fetched
from symmv_builder.datasets.recipe import Recipe, make_screening_plan
from symmv_builder.demo.site import VARIABLE, Site, serve
from symmv_builder.demo.world import FAILURES, SOURCE, World
from symmv_builder.pipeline.pool import Effort
from symmv_builder.report import tables
from symmv_builder.report.progress import Progress, span
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage import items as states

# Nobody answers there: whoever asks is refused at once, and no sound goes out.
_NOBODY = "http://127.0.0.1:9"
_PROMOTED_ABOVE = 0.9

Say = Callable[[str], None]


class Clock:
    """The time, and as much more as the demo does not want to wait."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead_s

    def go_on(self, seconds: float) -> None:
        self._ahead_s += seconds


def crawl_demo(recipe: Recipe, world: World, root: str, effort: Effort, say: Say) -> None:
    """Crawl the site twice, screen what was fetched, promote it; tells the story at the end.

    Can be killed at any moment and called again: the site is the same each time, and the
    ledger knows how far it was.
    """
    with serve(world.description) as site, environment(site) as env:
        settings = read_settings(env, root=root)
        for failure, video_id, times in FAILURES:
            site.fail(failure, video_id, times=times)
        clock = Clock()
        store, downloader = settings.open_store(), settings.open_site()
        with Progress([]) as progress:
            opened = open_crawl(recipe, store, downloader, [SOURCE], tell=progress.on_event)
            crawl = replace(opened, now=clock)
            first = crawl_round(crawl, clock, site, say)
            site.add(world.later)
            say(f"the pianist uploads one more: {world.later.title}")
            second = crawl_round(crawl, clock, site, say)
        _screen(crawl, recipe, settings, effort, say)
        promote(crawl.items, crawl.store, recipe.name, [], above=_PROMOTED_ABOVE)
    items = crawl.items.find(recipe.name)
    sys.stdout.write("\n")
    for table in crawl_story.story(items, world, (first, second)):
        tables.show(table)
    sys.stdout.write(f"{crawl_story.verdict(items, world)}\n{crawl_story.songs(items)}\n")


@contextmanager
def environment(site: Site) -> Iterator[dict[str, str]]:
    """The settings of a crawl of the demo's site; the extractors read its address there too."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = site.url
    try:
        yield {**os.environ, "SYMMV_SITES": "demo", "SYMMV_MODEL_SHAZAM": _NOBODY}
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def crawl_round(crawl: Crawl, clock: Clock, site: Site, say: Say) -> int:
    """List what is new, and bring it as far as it goes; how many were new."""
    asked = len(site.visits())
    say(f"crawling {site.url}/channel/{SOURCE.ref}")
    # An earlier run may have left the network at rest.
    clock.go_on(network_opens_s(crawl))
    new = discover_new(crawl)
    while True:
        work_off(crawl)
        waits_s = due_in_s(crawl)
        if waits_s is None:
            break
        say(f"the demo's clock goes on by {span(waits_s)}")
        clock.go_on(waits_s + 1.0)
    requests = len(site.visits()) - asked
    covers = "1 new cover" if new == 1 else f"{new} new covers"
    times = "once" if requests == 1 else f"{requests} times"
    say(f"{covers}; the site was asked {times}")
    return new


def _screen(crawl: Crawl, recipe: Recipe, settings: Settings, effort: Effort, say: Say) -> None:
    fetched = crawl.items.find(recipe.name, [states.FETCHED])
    if not fetched:
        return
    say(f"screening the {len(fetched)} pairs that were fetched")
    plan = make_screening_plan(recipe, settings.home)
    loader = Loader(settings.home)
    with Progress([use.makes for use in recipe.screening]) as progress:
        progress.expect(len(fetched))
        crawl = replace(crawl, tell=progress.on_event)
        run = in_processes(plan, crawl.store, loader, effort=effort, tell=crawl.tell)
        proposed = screen_fetched(crawl, plan, run, loader)
    say(f"{proposed} pairs passed every screen")
