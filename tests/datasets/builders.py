"""The toy's build under a name of its own, as a process that others run beside."""

import sys
from dataclasses import replace
from pathlib import Path

import toy_build

from symmv_builder.crawl.folder import find_entries
from symmv_builder.datasets.build import build, in_processes, take_in
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.pool import Effort
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store


def main(name: str, root_url: str, media: str, ledger_url: str) -> int:
    """0 where the work is done, 2 where it was said that it is not."""
    recipe = replace(toy_build.RECIPE, name=name, schema="toy")
    root = Root(root_url)
    store = Store(root, root, Ledger(ledger_url))
    plan = Plan(name, recipe.uses)
    try:
        take_in(store, find_entries(Path(media), name, pairs=False), name, lambda _: None)
        run = in_processes(plan, store, toy_build.no_model, effort=Effort(1), tell=lambda _: None)
        summary = build(recipe, plan, store, run)
    except StopRun as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return int(summary.unfinished > 0)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
