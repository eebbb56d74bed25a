"""Publish a dataset and take it back: releases, exports, takedowns."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symmv_builder.datasets import copies
from symmv_builder.datasets import export as exporting
from symmv_builder.datasets import release as releasing
from symmv_builder.datasets import takedown as removing
from symmv_builder.datasets.card import FACTS, facts
from symmv_builder.datasets.card.about import read_about
from symmv_builder.datasets.copies import Outdated
from symmv_builder.datasets.export import ExportSummary
from symmv_builder.datasets.exports import Exported, exports, note_export
from symmv_builder.datasets.imports import published_licence
from symmv_builder.datasets.lacking import explaining
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.remembered import require_known, require_receipt
from symmv_builder.datasets.takedown import Takedown
from symmv_builder.errors import ReleaseRefused, WrongArguments
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.run import Tell
from symmv_builder.settings import Settings
from symmv_builder.storage import releases
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt
from symmv_builder.storage.store import Store
from symmv_builder.storage.urls import shown_url

__all__ = ["ExportSummary", "Exported", "Outdated", "Released", "Takedown", "Terms"]

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


@dataclass(frozen=True, slots=True)
class Terms:
    """The options of a release, as `api.options.HELP` explains them.

    `about` is a file as `datasets.card.about` reads it; `push` and `to` are places for copies.
    """

    about: Path | None = None
    commercial: bool = False
    push: str = ""
    public: bool = False
    to: Sequence[str] = field(default=())

    def __post_init__(self) -> None:
        if self.public and not self.push:
            raise WrongArguments("`public` is about `push`; say where to push")
        for place in self.places:
            copies.check_place(place)
        if self.push and not self.push.startswith(copies.HUB):
            problem = f"`push` takes hf://OWNER/NAME; `to` {self.push} copies elsewhere"
            raise WrongArguments(problem)
        if hubs := [place for place in self.to if place.startswith(copies.HUB)]:
            problem = f"`to` takes a folder or a bucket; for the hub use `push` {hubs[0]}"
            raise WrongArguments(problem)

    @property
    def places(self) -> tuple[str, ...]:
        """Where copies go."""
        return (*([self.push] if self.push else []), *self.to)


_PLAIN = Terms()


def release(
    store: Store,
    dataset: str,
    version: str,
    *,
    terms: Terms = _PLAIN,
    wait: bool = False,
    tell: Say = _silent,
) -> Released:
    """Freeze the shards under a version (``"1.0.0"``): copies, checksums, cards, receipt last.

    With places for copies it is copied there; then a version that stands is copied as it is.
    `StopRun` for a version that is none or is taken, where nothing is built, where models that
    are not trained made it, and for terms that what is in it does not allow.
    """
    releases.check_version(version)
    about = read_about(terms.about) if terms.about else None
    for place in terms.places:
        # Before a release is made for it.
        copies.check_origin(store, dataset, version, place)
    is_new = not is_to_be_copied(store, dataset, version, terms)
    if is_new:
        receipt = releasing.release(
            store,
            dataset,
            version,
            about=about,
            commercial=terms.commercial,
            wait=wait,
            tell=tell,
        )
    else:
        receipt = _receipt_to_copy(store, dataset, version, terms, about)
    for place in terms.places:
        is_copied = copies.copy_to(
            store, dataset, version, place, public=terms.public, wait=wait, tell=tell
        )
        address = shown_url(place)
        tell(f"copied to {address}" if is_copied else f"{address} has {version} already")
    return _released(store, dataset, version, receipt, is_new=is_new)


def _receipt_to_copy(
    store: Store,
    dataset: str,
    version: str,
    terms: Terms,
    about: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """Read the receipt of a release to be copied; `StopRun` where options would change it."""
    receipt = releases.find_releases(store, dataset)[version]
    facts_recorded = receipt.get(FACTS)
    if about is not None and (facts_recorded is None or facts_recorded["about"] != about):
        raise WrongArguments(
            f"{dataset} {version} is released already and never changes; `about` is for the next"
        )
    if terms.commercial:
        if facts_recorded is None:
            problem = f"{dataset} {version} does not say which models made its columns"
            raise ReleaseRefused(dataset, problem)
        releasing.check_terms(dataset, facts_recorded, commercial=True)
    return receipt


def is_to_be_copied(store: Store, dataset: str, version: str | None, terms: Terms = _PLAIN) -> bool:
    """Check whether a release asks for nothing but copies of a version that stands.

    That needs no build and no shards.
    """
    return bool(terms.places) and version in releases.find_releases(store, dataset)


def release_next(
    store: Store,
    dataset: str,
    version: str | None = None,
    *,
    terms: Terms = _PLAIN,
    wait: bool = False,
    tell: Say = _silent,
) -> Released:
    """Freeze the shards under `version` as `release` does, by default the last one's successor.

    Without a version nothing is frozen where the shards are those of a release; copies of that one
    are made where it is not yet. Errors as `release`.
    """
    if version is not None:
        return release(store, dataset, version, terms=terms, wait=wait, tell=tell)
    built = read_receipt(store.root, dataset) or {}
    released = releases.find_releases(store, dataset)
    versions = [name for name, old in released.items() if _contents(old) == _contents(built)]
    if versions:
        last = max(versions, key=releases.numbers_of)
        if terms.places:
            return release(store, dataset, last, terms=terms, wait=wait, tell=tell)
        return _released(store, dataset, last, released[last], is_new=False)
    next_version = releases.next_free(store, dataset)
    return release(store, dataset, next_version, terms=terms, wait=wait, tell=tell)


def _released(
    store: Store, dataset: str, version: str, receipt: Mapping[str, Any], *, is_new: bool = True
) -> Released:
    where = f"{store.root.shown.rstrip('/')}/{releases.folder_of(dataset, version)}"
    return Released(dataset, version, where, receipt, is_new)


def _contents(receipt: Mapping[str, Any]) -> set[str]:
    """Give the sha256 of each shard of a receipt."""
    return {shard["sha256"] for shard in receipt.get("shards", [])}


def check_releasable(
    store: Store,
    recipe: Recipe,
    plan: Plan,
    version: str | None,
    *,
    terms: Terms = _PLAIN,
    tell: Say = _silent,
) -> None:
    """Raise `StopRun` for what no build can make right.

    That is a version that is none or is taken, models of the plan that are not trained, and terms
    that the plan's models or its sources do not allow.
    """
    dataset = plan.dataset
    untrained = sorted(name for (_, name), model in plan.models.items() if not model.trained)
    if untrained:
        raise ReleaseRefused(
            dataset,
            f"{dataset} would be made with {', '.join(untrained)}, which is not trained: its "
            "features mean nothing and are not released",
            "choose trained weights",
        )
    if version is not None:
        releases.check_version(version)
        releases.check_free(store, dataset, version)
    about = read_about(terms.about) if terms.about else releasing.said_before(store, dataset)
    receipt_models = {
        "models": [{"slot": slot, "backend": name} for slot, name in plan.models],
        "columns": [column.name for column in recipe.columns],
    }
    licence = published_licence(recipe.release_name)
    dataset_facts = facts.gather(receipt_models, recipe, about, licence)
    releasing.check_terms(dataset, dataset_facts, commercial=terms.commercial, tell=tell)


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
    dataset or entry, and where somebody else writes the dataset and not `wait`.
    """
    require_known(store.manifests, dataset)
    return removing.take_down(store, dataset, name, reason, whole=whole, wait=wait, tell=tell)


def others_that_use(store: Store, dataset: str, takedown: Takedown) -> dict[str, list[str]]:
    """List by dataset the entries of the root's other datasets that use what was taken down."""
    return removing.others_that_use(store, dataset, takedown.sources)


def exports_of(store: Store, dataset: str) -> list[Exported]:
    """List the folders that a dataset was exported to, as far as known, that are not gone."""
    return exports(store.root, dataset)


def outdated_copies(store: Store, dataset: str) -> list[Outdated]:
    """List the places to which withdrawn versions were copied, with what should replace them."""
    return copies.outdated(store, dataset)


def export(
    settings: Settings, dataset: str, folder: Path, *, tell: Tell = _silent
) -> ExportSummary:
    """Write the shards of a dataset in the layout of its paper's own release.

    `StopRun` where the dataset is not known or not built, or the folder holds files of somebody
    else.
    """
    root, manifests = Root(settings.root), settings.open_manifests()
    require_receipt(root, manifests, dataset)
    with explaining(manifests, dataset):
        summary = exporting.export(root, dataset, folder, tell=tell)
    note_export(root, dataset, folder)
    return summary
