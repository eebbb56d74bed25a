"""The demo's crawl on the terminal: two rounds, the screens, and what came of every cover."""

import sys
from collections.abc import Callable

from symmv_builder.api.dataset import Dataset
from symmv_builder.api.demo import World
from symmv_builder.api.demo_crawl import crawling, songs, verdict
from symmv_builder.api.works import runner_here
from symmv_builder.cli.demo import story
from symmv_builder.report import tables
from symmv_builder.report.progress import Progress
from symmv_builder.text import amount

Say = Callable[[str], None]


def crawl_demo(dataset: Dataset, world: World, workers: int, say: Say) -> None:
    """Crawl the site twice, screen what was fetched, promote it; tells the story at the end."""
    with crawling(dataset, world) as crawl:
        with Progress([]) as progress:
            new = crawl.rounds(progress.on_event, say)
        fetched = crawl.fetched
        if fetched:
            say(f"screening the {fetched} pairs that were fetched")
            with Progress([use.makes for use in dataset.recipe.screening]) as progress:
                progress.expect(fetched)
                tell = progress.on_event
                runner = runner_here(dataset.settings, workers=workers, tell=tell)
                proposed = crawl.screen(tell, runner)
            say(f"{amount(proposed, 'pair')} passed every screen")
        crawl.promote()
        items = crawl.items()
    sys.stdout.write("\n")
    for table in story.story(items, world, new):
        tables.show(table)
    for text in (verdict(items, world), songs(items)):
        for line in text.splitlines():
            say(line)
