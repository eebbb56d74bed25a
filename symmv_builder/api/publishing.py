"""What others get of a dataset, and what is taken back: releases, exports, takedowns."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.datasets import export as exporting
from symmv_builder.datasets import release as releasing
from symmv_builder.datasets import takedown as removing
from symmv_builder.datasets.export import ExportSummary
from symmv_builder.datasets.takedown import Takedown
from symmv_builder.errors import StopRun
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.run import Tell
from symmv_builder.settings import Settings
from symmv_builder.storage import releases
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt
from symmv_builder.storage.store import Store

__all__ = ["ExportSummary", "Released", "Takedown"]

Say = Callable[[str], object]


def _silent(_: object) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Released:
    """A release: its receipt, and where its files lie.

    With `is_new` false nothing had changed since the release of that version.
    """

    dataset: str
    version: str
    where: str
    receipt: Mapping[str, Any]
    is_new: bool = True

    @property
    def entries(self) -> int:
        return int(self.receipt["entries"])


def release(
    store: Store, dataset: str, version: str, *, wait: bool = False, tell: Say = _silent
) -> Released:
    """Freeze the shards under a version (``"1.0.0"``): copies, checksums, card, receipt last.

    `StopRun` for a version that is none or is taken, where nothing is built, and where models that
    are not trained made it.
    """
    receipt = releasing.release(store, dataset, version, wait=wait, tell=tell)
    return _released(store, dataset, version, receipt)


def release_next(
    store: Store, dataset: str, version: str | None = None, *, wait: bool = False
) -> Released:
    """Freeze the shards under `version`, by default the last one's successor.

    Without a version nothing is done where the shards are those of a release. Errors as `release`.
    """
    built = read_receipt(store.root, dataset) or {}
    released = releases.find_releases(store, dataset)
    same = [name for name, old in released.items() if _contents(old) == _contents(built)]
    if same and version is None:
        last = max(same, key=releases.numbers_of)
        return _released(store, dataset, last, released[last], is_new=False)
    return release(store, dataset, version or releases.next_version(list(released)), wait=wait)


def _released(
    store: Store, dataset: str, version: str, receipt: Mapping[str, Any], *, is_new: bool = True
) -> Released:
    where = f"{store.root.shown.rstrip('/')}/{releases.folder_of(dataset, version)}"
    return Released(dataset, version, where, receipt, is_new)


def _contents(receipt: Mapping[str, Any]) -> set[str]:
    """The sha256 of each shard of a receipt."""
    return {shard["sha256"] for shard in receipt.get("shards", [])}


def check_releasable(store: Store, plan: Plan, version: str | None) -> None:
    """`StopRun` for what no build can make right: a version that is none or is taken, and models
    of the plan that are not trained."""
    dataset = plan.dataset
    untrained = sorted(name for (_, name), model in plan.models.items() if not model.trained)
    if untrained:
        raise StopRun(
            f"{dataset} would be made with {', '.join(untrained)}, which is not trained: its "
            "features mean nothing and are not released; choose trained weights"
        )
    if version is not None:
        releases.check_version(version)
        if version in releases.find_releases(store, dataset):
            raise StopRun(f"{dataset} {version} is released already and never changes; raise it")


def take_down(
    store: Store,
    dataset: str,
    name: str,
    reason: str,
    *,
    whole: bool = False,
    wait: bool = False,
    tell: Say = _silent,
) -> Takedown:
    """Remove an entry, or a recording ``SITE:ID``, from everything and bar its return.

    An entry's own music is barred; its video too if `whole`. `StopRun` where there is no such
    entry, and where somebody else writes the dataset and not `wait`.
    """
    return removing.take_down(store, dataset, name, reason, whole=whole, wait=wait, tell=tell)


def others_that_use(store: Store, dataset: str, done: Takedown) -> dict[str, list[str]]:
    """Of the root's other datasets the entries that use what was taken down, by dataset."""
    return removing.others_that_use(store, dataset, done.sources)


def export(
    settings: Settings, dataset: str, folder: Path, *, tell: Tell = _silent
) -> ExportSummary:
    """Write the shards of a dataset in the layout of its paper's own release.

    `StopRun` where nothing is built, or the folder holds files of somebody else.
    """
    return exporting.export(Root(settings.root), dataset, folder, tell=tell)
