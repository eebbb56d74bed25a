"""Freeze a built dataset as a release."""

from collections.abc import Callable, Mapping
from typing import Any

from symmv_builder.datasets import changes, remembered
from symmv_builder.datasets.card import facts, licences
from symmv_builder.datasets.imports import published_licence
from symmv_builder.errors import ReleaseRefused
from symmv_builder.storage import manifests, releases, shards
from symmv_builder.storage.store import Store


def release(
    store: Store,
    dataset: str,
    version: str,
    *,
    about: Mapping[str, Any] | None = None,
    commercial: bool = False,
    wait: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> dict[str, Any]:
    """Freeze the shards as they stand under a version; gives the receipt.

    `about` is what their makers say of them (`card.about`), by default what they said of the last
    release. What is not known to allow commercial use is told before anything is written.
    `StopRun` for features of untrained models, for a version that is taken, where nothing
    is built, for shards that are not what their receipt says, for a licence that something in
    them forbids, and, where it is to be `commercial`, for what does not allow that.
    """
    releases.check_version(version)
    request = {"version": version}
    with changes.writing(store, dataset, wait=wait, tell=tell) as finished:
        if not (finished and finished.kind == "release" and finished.about == request):
            receipt = check(store, dataset, version)
            facts_known = _facts(store, dataset, receipt, about)
            check_terms(dataset, facts_known, commercial=commercial, tell=tell)
            steps = [{"do": "write_release", "version": version, "facts": facts_known}]
            changes.make(store, dataset, changes.Change("release", request, steps))
        return releases.find_releases(store, dataset)[version]


def _facts(
    store: Store, dataset: str, receipt: Mapping[str, Any], about: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Gather what the release knows beside its shards."""
    # Shards may be of a dataset whose recipe is nowhere: then every model counts for each column.
    is_known = remembered.is_known(store.manifests, dataset)
    recipe = remembered.recipe_of(store.manifests, dataset) if is_known else None
    if about is None:
        about = said_before(store, dataset)
    licence = published_licence(recipe.release_name if recipe else dataset)
    return facts.gather(receipt, recipe, about, licence)


def said_before(store: Store, dataset: str) -> Mapping[str, Any]:
    """Read what the makers of a dataset said of it when they last released it."""
    released = releases.find_releases(store, dataset)
    if not released:
        return {}
    last = released[max(released, key=releases.numbers_of)]
    about: Mapping[str, Any] = last.get(facts.FACTS, {}).get("about", {})
    return about


def check_terms(
    dataset: str,
    dataset_facts: Mapping[str, Any],
    *,
    commercial: bool,
    tell: Callable[[str], object] = lambda _: None,
) -> None:
    """Tell what is not known to allow commercial use.

    `StopRun` where that is asked for, or where the licence that the makers state is forbidden by
    something in the dataset.
    """
    restrictions = list(facts.restricted(dataset_facts))
    terms = facts.source_terms(dataset_facts)
    if commercial:
        faults = [f"{each.line}; {each.advice}" for each in restrictions]
        if terms and not licences.is_commercial(terms):
            faults.append(f"all columns: made from what was published under {terms}")
        if faults:
            problem = f"{dataset} is not free for commercial use: {'. '.join(faults)}"
            raise ReleaseRefused(dataset, problem)
    for each in restrictions:
        tell(f"not free for commercial use: {each.line}")
    try:
        choice = licences.choose(
            facts.terms_of(dataset_facts), dataset_facts["about"].get("licence", "")
        )
    except ValueError as error:
        instead = "; ".join(each.advice for each in restrictions) or "leave it out"
        raise ReleaseRefused(
            dataset,
            f"{dataset} cannot be released as {error}",
            f"state another licence, or {instead}",
        ) from error
    tell(f"licence of the release: {choice.licence}. {choice.reason}")


def check(store: Store, dataset: str, version: str) -> dict[str, Any]:
    """Read the receipt of the shards; `StopRun` where they cannot be released under a version."""
    receipt = remembered.require_receipt(store.root, store.manifests, dataset)
    shards.require_whole(store.root, dataset, receipt)
    if not receipt["shards"]:
        raise ReleaseRefused(
            dataset,
            f"{dataset} has no row: its entries were put aside or taken down, or are unfinished",
            "see why, and add others",
        )
    untrained = [model["backend"] for model in receipt["models"] if not model["trained"]]
    if untrained:
        raise ReleaseRefused(
            dataset,
            f"{dataset} was made with {', '.join(untrained)}, which is not trained: its features "
            "mean nothing and are not released",
            "build with trained weights",
        )
    releases.check_free(store, dataset, version)
    barred = {source.url for source in manifests.read_blocklist(store.manifests)}
    values = {"music_url": barred, "video_url": barred}
    for shard in receipt["shards"] if barred else ():
        if shards.find_rows(store.root, f"{dataset}/{shard['path']}", values):
            raise ReleaseRefused(
                dataset,
                f"the shards of {dataset} hold a recording that was taken down through another "
                "dataset",
                "take it down of this one too, by its SITE:ID",
            )
    return receipt
