"""Let a dataset grow: find recordings, screen them, show what waits for a person, promote it."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from symmv_builder.api.options import checked
from symmv_builder.api.works import Runner
from symmv_builder.backends import ModelLoader
from symmv_builder.crawl.match import CALIBRATION
from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.datasets import changes, propose, remembered
from symmv_builder.datasets import crawl as crawling
from symmv_builder.datasets.job import Crawl
from symmv_builder.datasets.recipe import Recipe, make_screening_plan
from symmv_builder.errors import Reason, StopRun, WrongArguments, WrongSetting
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.run import Tell
from symmv_builder.settings import Settings
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item, Items, entry_id_of
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.store import Store
from symmv_builder.text import amount

__all__ = ["CrawlEnd", "CrawlRun", "CrawlSource", "Item", "Recording"]

Expect = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that a crawl found, as a person judges it.

    `step`, `reason` and `detail` say why it was put aside. `candidates` are the official videos
    that it was compared with, best first, each with its score and the parts of it.
    """

    entry_id: str
    state: str
    score: float
    url: str
    title: str
    official_title: str
    official_channel: str
    step: str
    reason: str
    detail: str
    parsed: dict[str, Any] | None
    song: dict[str, Any]
    candidates: tuple[dict[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """Give the evidence for it, as plain data."""
        return {
            "entry_id": self.entry_id,
            "state": self.state,
            "score": self.score,
            "cover": {"url": self.url, "title": self.title},
            "parsed": self.parsed,
            "song": self.song,
            "candidates": list(self.candidates),
        }


def recording_of(item: Item) -> Recording:
    """Turn an item of the ledger into what a person judges."""
    return Recording(
        entry_id_of(item.source),
        item.state,
        item.score,
        item.source.url,
        item.listing.title,
        item.official.title if item.official else "",
        item.official.channel if item.official else "",
        item.step,
        str(item.reason),
        item.detail,
        asdict(item.parsed) if item.parsed else None,
        asdict(item.song),
        tuple(json.loads(item.evidence)),
    )


def review(settings: Settings, dataset: str) -> list[Recording]:
    """List what waits for a person: proposals, and matches between the two thresholds.

    `StopRun` where the root knows no dataset of that name.
    """
    store = settings.open_store(read_only=True)
    remembered.require_known(store.manifests, dataset)
    items = Items(store.ledger)
    return [recording_of(i) for i in items.find(dataset, [states.PROPOSED, states.REVIEW])]


def promote(
    settings: Settings,
    dataset: str,
    entries: Sequence[str] = (),
    *,
    above: float | None = None,
    reviewed: bool = False,
    wait: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> tuple[list[str], list[str]]:
    """Turn proposals into entries; gives their ids, and those of matches let through to fetch.

    `entries` are ids as `review` gives them; `above` takes every proposal of at least that score,
    `reviewed` whatever reviewers accepted (`api.reviewing`). What they rejected is not taken.
    `StopRun` where nothing is said, an id does not wait, or reviewers rejected it.
    """
    if not entries and above is None and not reviewed:
        raise WrongArguments("say which entries to promote, `above` which score, or `reviewed`")
    checked("above", above)
    store = settings.open_standing()
    remembered.require_known(store.manifests, dataset)
    return propose.promote(
        Items(store.ledger),
        store,
        dataset,
        entries,
        above=above,
        reviewed=reviewed,
        wait=wait,
        tell=tell,
    )


@dataclass(frozen=True, slots=True)
class CrawlEnd:
    """The state of a crawl: items by state, step and reason, and when it goes on.

    `rests_s` is how long no process uses the network, `due_s` the time until something is due
    (`None` where nothing waits); `away` says why nothing could be reached, where that is so.
    `measured` is how well titles are matched, for datasets of pairs. The counts are of this run:
    items that were `new`, worked on, proposed and promoted.
    """

    funnel: tuple[dict[str, Any], ...]
    rests_s: float
    due_s: float | None
    away: str
    measured: str
    new: int = 0
    touched: int = 0
    proposed: int = 0
    promoted: int = 0


@dataclass(frozen=True, slots=True)
class CrawlRun:
    """A crawl of one dataset, opened: its parts in the order in which they are done.

    `plan` is what fetched pairs go through, `None` where they are not screened.
    """

    job: Crawl
    settings: Settings
    plan: Plan | None

    @property
    def dataset(self) -> str:
        return self.job.recipe.name

    @property
    def store(self) -> Store:
        return self.job.store

    @property
    def sources(self) -> Sequence[CrawlSource]:
        """What is listed, one page or file a source."""
        return self.job.sources

    @property
    def rests_s(self) -> float:
        """For how many seconds more no process uses the network; 0 where it may be used."""
        return crawling.network_opens_s(self.job)

    @property
    def due_s(self) -> float | None:
        """Seconds until something is due again; `None` where nothing waits."""
        waiting = crawling.NETWORK_STATES
        return crawling.due_in_s(self.job, (*waiting, states.FETCHED) if self.plan else waiting)

    @property
    def waiting(self) -> int:
        """How many items wait for the network."""
        return len(self.job.items.find(self.dataset, crawling.NETWORK_STATES))

    def now_s(self) -> float:
        """Give the crawl's time, in seconds since the epoch."""
        return self.job.now()

    def telling(self, tell: Tell) -> "CrawlRun":
        """Copy the crawl, with somebody else told of its events."""
        return replace(self, job=replace(self.job, tell=tell))

    def discover(self, source: CrawlSource | None = None, *, full: bool = False) -> int:
        """List a source, or all of them, and add what is new; how many items that were."""
        job = self.job if source is None else replace(self.job, sources=(source,))
        return crawling.discover_new(job, full=full)

    def work_off(self, most: int | None = None) -> int:
        """Bring due items as far as the network takes them; how many were touched."""
        return crawling.work_off(self.job, most=most)

    def screen(self, runner: Runner, *, expect: Expect = lambda total, settled: None) -> int:
        """Screen what was fetched, by `runner`, and propose what passes; how many that were."""
        if self.plan is None:
            return 0
        run = runner(self.plan, self.store)
        return propose.screen_fetched(
            self.job, self.plan, run, ModelLoader(self.settings.home), expect=expect
        )

    def promote(
        self,
        above: float | None,
        *,
        wait: bool = False,
        tell: Callable[[str], object] = lambda _: None,
    ) -> list[str]:
        """Promote proposals that score at least `above`, none for `None`.

        The ids that became entries.
        """
        if above is None:
            return []
        done, _ = propose.promote(
            self.job.items, self.store, self.dataset, [], above=above, wait=wait, tell=tell
        )
        return done

    def items(self) -> list[Item]:
        """Read everything that the ledger knows of the dataset's recordings."""
        return self.job.items.find(self.dataset)

    def proposals(self) -> list[Recording]:
        """List what waits for a person."""
        items = self.job.items.find(self.dataset, [states.PROPOSED, states.REVIEW])
        return [recording_of(item) for item in items]

    def put_aside(self) -> list[Recording]:
        """List what was put aside, with the reasons."""
        return [recording_of(i) for i in self.job.items.find(self.dataset, [states.REJECTED])]

    def results(self) -> list[Result]:
        """Read the last result of every step of every entry, as the ledger has them."""
        return list(self.store.ledger.results(self.dataset))

    def end(self, **counts: int) -> CrawlEnd:
        """Tell how far the crawl has come, and when it goes on.

        `counts` are those of `CrawlEnd`.
        """
        return CrawlEnd(
            tuple(funnel(self.job.items, self.dataset)),
            self.rests_s,
            self.due_s,
            crawling.outage(self.job),
            str(CALIBRATION) if self.job.recipe.pairs else "",
            **counts,
        )


def open_crawl(
    recipe: Recipe,
    settings: Settings,
    sources: Path | Sequence[CrawlSource] | None = None,
    *,
    screen: bool = True,
    retry: Sequence[Reason] = (),
    tell: Tell = lambda _: None,
    now: Callable[[], float] = time.time,
) -> CrawlRun:
    """Open the crawl of a dataset: first what could spoil everything, last the site.

    `sources` are read from a file, by default ``DATASET/sources.toml``. With `screen` the models
    of the recipe's screening have to be here. What was put aside for a reason of `retry` is tried
    again. A recipe or model other than the root's own is remembered there. A site that does not
    answer, or refuses us, opens its breaker. `StopRun` for an imported dataset, and where sources,
    lists that they name, models or the downloader's toolchain are missing.
    """
    dataset = recipe.name
    if remembered.is_import(settings.open_manifests(), dataset):
        cause = "it is imported: its songs are those of the release, not crawled"
        raise WrongSetting("dataset", dataset, cause)
    plan = make_screening_plan(recipe, settings.home) if screen else None
    if sources is None or isinstance(sources, Path):
        sources = crawling.find_sources(settings.open_manifests(), dataset, sources)
    site = settings.open_site()
    store = settings.open_store()
    job = replace(crawling.open_crawl(recipe, store, site, sources, tell=tell), now=now)
    _keep_choice(store, recipe, job.note)
    if retry:
        again = crawling.try_again(job.items, store, dataset, retry)
        job.note(f"tried again: {amount(again, 'item')}")
    crawling.check_site(job)
    return CrawlRun(job, settings, plan)


def _keep_choice(store: Store, recipe: Recipe, tell: Callable[[str], object]) -> None:
    """Remember a recipe or a model that this crawl was told of: the build goes on with it."""
    try:
        if remembered.recipe_of(store.manifests, recipe.name) == recipe:
            return
    except StopRun:
        # Nothing that can be read is known of it: this is what it is.
        pass
    with changes.writing(store, recipe.name, tell=tell):
        for line in remembered.changes_to(store, recipe):
            tell(f"{recipe.name} is made in another way now: {line}")
        remembered.remember(store, recipe)


def funnel(items: Items, dataset: str) -> list[dict[str, Any]]:
    """Count the items of a crawl by state, and by the reason for which they were put aside."""
    order = {state: number for number, state in enumerate(states.STATES)}
    counts = sorted(items.counts(dataset).items(), key=lambda item: (order[item[0][0]], item[0]))
    return [
        {"state": state, "step": step, "reason": reason, "items": count}
        for (state, step, reason), count in counts
    ]
