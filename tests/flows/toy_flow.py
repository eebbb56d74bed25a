"""The toy recipe of tests/datasets built by a flow: quick stages, the flows' own tasks.

Workers import this module by its name, so its folder and that of the toy are on their path.
"""

import os
import sys
import time
from dataclasses import replace
from pathlib import Path

import toy_build
from prefect import flow

from flows.build import build_with
from flows.edge import Place, whole_run
from flows.leaving import finish, obey_signals
from symmv_builder.api.dataset import Dataset
from symmv_builder.backends import ModelHome
from symmv_builder.crawl.folder import find_entries
from symmv_builder.datasets.build import Summary, take_in
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Asset, FeatureTrack
from symmv_builder.settings import Settings
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store


def make_wave(music_asset: Asset, *, rows: int = 50, pause_s: float = 0.02) -> FeatureTrack:
    """The toy's stage under the toy's key, as slow as the test wants it."""
    time.sleep(float(os.environ.get("SYMMV_TOY_PAUSE_S", "0")))
    track: FeatureTrack = toy_build.make_wave(music_asset, rows=rows, pause_s=pause_s)
    return track


SLOW = use(
    Step("make_wave", 1, ("music_asset",), make_wave, columns=toy_build.FEATURE), makes="wave"
)


@flow(name="toy", persist_result=False)
@whole_run
def toy(root: str, media: str, runner: str, address: str | None, batch_size: int) -> Summary:
    held = Root(root)
    store = Store(held, held, Ledger(f"sqlite:///{root}/ledger.sqlite"))
    take_in(store, find_entries(Path(media), "toy", pairs=False), "toy", lambda _: None)
    recipe = replace(toy_build.RECIPE, uses=(toy_build.RECIPE.uses[0], SLOW))
    settings = Settings(root, root, f"sqlite:///{root}/ledger.sqlite", ModelHome())
    place = Place(runner, address or None, 2)
    return build_with(Dataset(recipe, settings), place, batch_size=batch_size)


def main(arguments: list[str]) -> int:
    """The toy as a program: data root, folder of media, runner, entries a task."""
    root, media, runner, batch_size = arguments
    obey_signals()
    state = toy(root, media, runner, None, int(batch_size), return_state=True)
    return finish(state) if not state.is_completed() else 0


if __name__ == "__main__":
    from toy_flow import main as run_main

    sys.exit(run_main(sys.argv[1:]))
