"""The demo's crawl: a loopback site, two rounds with the real crawler, and whether it came right.

Nothing leaves this machine. Where a crawl would wait (a site that has had enough of us, a
file that came damaged), the demo's clock goes on instead.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from symmv_builder.api.crawl import CrawlRun, open_crawl
from symmv_builder.api.dataset import Dataset
from symmv_builder.api.works import Runner, Tell
from symmv_builder.crawl.match import CALIBRATION
from symmv_builder.demo.answers import serve
from symmv_builder.demo.site import VARIABLE, Site
from symmv_builder.demo.world import FAILURES, SOURCE, WAITS, World
from symmv_builder.report.progress import span
from symmv_builder.settings import read_settings
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item

# Nobody answers there: whoever asks is refused at once, and no sound goes out.
_NOBODY = "http://127.0.0.1:9"
_PROMOTED_ABOVE = 0.9

Say = Callable[[str], None]


class ShiftedClock:
    """The time, and as much more as the demo does not want to wait."""

    def __init__(self) -> None:
        self._ahead_s = 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead_s

    def go_on(self, seconds: float) -> None:
        self._ahead_s += seconds


class DemoCrawl:
    """The crawl of the demo's site: ``with crawling(...) as crawl: crawl.rounds(...)``.

    Can be killed at any moment and done again: the site is the same each time, and the ledger
    knows how far it was.
    """

    def __init__(self, dataset: Dataset, world: World, site: Site, env: dict[str, str]) -> None:
        self._dataset, self._world, self._site = dataset, world, site
        self._settings = read_settings(env, root=dataset.settings.root)
        self._clock = ShiftedClock()

    def _open(self, tell: Tell, *, screen: bool) -> CrawlRun:
        return open_crawl(
            self._dataset.recipe,
            self._settings,
            [SOURCE],
            screen=screen,
            tell=tell,
            now=self._clock,
        )

    def rounds(self, tell: Tell, say: Say) -> tuple[int, int]:
        """Crawl the site, let the pianist upload one more, crawl it again; how many were new."""
        run = self._open(tell, screen=False)
        first = crawl_round(run, self._clock, self._site, say)
        self._site.add(self._world.later)
        say(f"the pianist uploads one more: {self._world.later.title}")
        return first, crawl_round(run, self._clock, self._site, say)

    @property
    def fetched(self) -> int:
        """How many pairs wait to be screened."""
        return sum(item.state == states.FETCHED for item in self.items())

    def screen(self, tell: Tell, runner: Runner) -> int:
        """Screen the pairs that were fetched; gives how many passed."""
        return self._open(tell, screen=True).screen(runner)

    def promote(self) -> None:
        """Turn the proposals of a good score into entries."""
        if self._dataset.review():
            self._dataset.promote(above=_PROMOTED_ABOVE)

    def items(self) -> list[Item]:
        """Read everything that the ledger knows of the site's recordings."""
        return self._open(lambda _: None, screen=False).items()


@contextmanager
def crawling(dataset: Dataset, world: World) -> Iterator[DemoCrawl]:
    """Serve the demo's site with its failures, and open a crawl of it."""
    with serve(world.description) as site, environment(site) as env:
        for failure, video_id, times in FAILURES:
            site.fail(failure, video_id, times=times)
        yield DemoCrawl(dataset, world, site, env)


@contextmanager
def environment(site: Site) -> Iterator[dict[str, str]]:
    """Give the settings of a crawl of the demo's site.

    The extractors read its address there too.
    """
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = site.url
    try:
        yield {**os.environ, "SYMMV_SITES": "demo", "SYMMV_MODEL_SHAZAM": _NOBODY}
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def crawl_round(run: CrawlRun, clock: ShiftedClock, site: Site, say: Say) -> int:
    """List what is new, and bring it as far as it goes; how many were new."""
    visits = len(site.visits())
    say(f"crawling {site.url}/channel/{SOURCE.ref}")
    # An earlier run may have left the network at rest.
    clock.go_on(run.rests_s)
    new = run.discover()
    while True:
        run.work_off()
        waits_s = run.due_s
        if waits_s is None:
            break
        say(f"the demo's clock goes on by {span(waits_s)}")
        clock.go_on(waits_s + 1.0)
    requests = len(site.visits()) - visits
    covers = "1 new cover" if new == 1 else f"{new} new covers"
    times = "once" if requests == 1 else f"{requests} times"
    say(f"{covers}; the site was asked {times}")
    return new


def reached(item: Item) -> int:
    """Count the stages that an item passed: found, read, matched, fetched, screened (0 to 4)."""
    if item.state in (states.PROPOSED, states.PROMOTED):
        return 4
    if item.state == states.REJECTED:
        by_step = {"parse": 0, "match": 1, "fetch": 2}
        return by_step.get(item.step, 3)
    return {states.FOUND: 0, states.REVIEW: 1, states.PARSED: 1, states.MATCHED: 2}.get(
        item.state, 3
    )


def verdict(items: Sequence[Item], world: World) -> str:
    """Say in one line whether every cover ended as is true of it."""
    wrong = []
    for item in items:
        cover = world.covers[item.source.video_id]
        official = item.official.source.video_id if item.official else ""
        end = item.reason if item.state == states.REJECTED else ""
        end = WAITS if item.state == states.REVIEW else end
        if (end, official) != (cover.outcome, cover.official):
            wrong.append(f"{cover.video_id} ended as {end or item.state} with {official or 'none'}")
    missing = len(world.covers) - len(items)
    if wrong or missing:
        return f"NOT as it should be: {'; '.join(wrong) or f'{missing} covers were not found'}"
    passed = sum(item.state == states.PROMOTED for item in items)
    return (
        f"{len(items)} of {len(items)} covers ended as they must: {passed} entries, each with its "
        "own official video; no decoy among them"
    )


def songs(items: Sequence[Item]) -> str:
    """Say who named the songs of the entries, and how well titles are matched: two lines."""
    named = [item.song.identified_by for item in items if item.state == states.PROMOTED]
    by = {"title": "by their titles", "shazam": "by Shazam"}
    counts = ", ".join(f"{n} {by.get(who, 'by nobody')}" for who, n in Counter(named).items())
    return f"songs named: {counts or 'none'} (the demo sends no sound to Shazam)\n{CALIBRATION}"
