"""Freeze a built dataset as a release."""

from collections.abc import Callable
from typing import Any

from symmv_builder.datasets import changes
from symmv_builder.errors import StopRun
from symmv_builder.storage import manifests, releases, shards
from symmv_builder.storage.store import Store


def release(
    store: Store,
    dataset: str,
    version: str,
    *,
    wait: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Freeze the shards as they stand under a version; the receipt.

    `StopRun` for features of untrained models, for a version that is taken, where nothing
    is built, and for shards that are not what their receipt says.
    """
    releases.check_version(version)
    asked = {"version": version}
    with changes.writing(store, dataset, wait=wait, tell=tell) as finished:
        if not (finished and finished.kind == "release" and finished.about == asked):
            check(store, dataset, version)
            steps = [{"do": "write_release", "version": version}]
            changes.make(store, dataset, changes.Change("release", asked, steps))
        return releases.find_releases(store, dataset)[version]


def check(store: Store, dataset: str, version: str) -> None:
    """`StopRun` where the dataset cannot be released under a version."""
    receipt = shards.read_receipt(store.root, dataset)
    if receipt is None:
        raise StopRun(f"{dataset} is not built; run `symmv build {dataset}` first")
    shards.require_whole(store.root, dataset, receipt)
    untrained = [model["backend"] for model in receipt["models"] if not model["trained"]]
    if untrained:
        raise StopRun(
            f"{dataset} was made with {', '.join(untrained)}, which is not trained: its features "
            "mean nothing and are not released; build with trained weights"
        )
    released = releases.find_releases(store, dataset)
    if version in released:
        raise StopRun(
            f"{dataset} {version} is released already and never changes; the next is "
            f"`symmv release {dataset} {releases.next_version(list(released))}`"
        )
    barred = {source.url for source in manifests.read_blocklist(store.manifests)}
    wanted = {"music_url": barred, "video_url": barred}
    for shard in receipt["shards"] if barred else ():
        if shards.find_rows(store.root, f"{dataset}/{shard['path']}", wanted):
            raise StopRun(
                f"the shards of {dataset} hold a recording that was taken down through another "
                f"dataset; run `symmv takedown {dataset}` with its SITE:ID"
            )
