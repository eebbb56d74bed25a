"""Take an entry or a recording out of everything, for good."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from symmv_builder.clips import parse_address
from symmv_builder.datasets import changes, removal
from symmv_builder.datasets.survey import recordings_of
from symmv_builder.errors import NotFound, WrongSetting
from symmv_builder.records import Entry, Source
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests, recordings, releases
from symmv_builder.storage.items import Item, Items
from symmv_builder.storage.shards import read_receipt
from symmv_builder.storage.store import Store
from symmv_builder.text import clean_line


@dataclass(frozen=True, slots=True)
class Takedown:
    """The result of a takedown: entries removed, shards rewritten, releases withdrawn and made.

    With `is_repeated` nothing was left to remove: the recordings were barred before.
    """

    entries: tuple[str, ...]
    sources: tuple[str, ...]
    shards: tuple[str, ...]
    withdrawn: tuple[str, ...]
    released: tuple[str, ...]
    is_repeated: bool = False


def take_down(
    store: Store,
    dataset: str,
    name: str,
    reason: str,
    *,
    whole: bool = False,
    wait: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> Takedown:
    """Remove an entry (by id) or a recording (``site:id``) from everything and bar its return.

    A clip goes with its entry: its recordings cannot be barred in part.

    An entry's own music is barred; its video too if `whole`, with every other entry that
    uses it. What is to be removed is written down before anything is; a takedown that was
    stopped is finished by the next command that writes the dataset.
    """
    if not clean_line(reason):
        raise WrongSetting("reason", reason, "say why, for whoever asks later")
    if (clip := parse_address(name)) is not None:
        name = clip[0]
    request = {"name": name, "whole": whole}
    with changes.writing(store, dataset, wait=wait, tell=tell) as finished:
        if finished and finished.kind == "takedown" and finished.about["asked"] == request:
            return _takedown_of(store, dataset, finished.about)
        change = _plan(store, dataset, name, reason, whole=whole)
        changes.make(store, dataset, change)
        return _takedown_of(store, dataset, change.about)


def _takedown_of(store: Store, dataset: str, about: Mapping[str, Any]) -> Takedown:
    planned = {name: tuple(values) for name, values in about["done"].items()}
    # Of a release that was found to be damaged no successor was made.
    standing = releases.find_releases(store, dataset).keys()
    return Takedown(
        **planned | {"released": tuple(v for v in planned["released"] if v in standing)},
        # Plans of earlier versions of the program do not say it.
        is_repeated=about.get("is_repeated", False),
    )


def others_that_use(store: Store, dataset: str, urls: Collection[str]) -> dict[str, list[str]]:
    """List by dataset the entries of the root's other datasets that use one of the recordings."""
    users: dict[str, list[str]] = {}
    for name in manifests.datasets(store.manifests):
        for entry in manifests.read_entries(store.manifests, name) if name != dataset else ():
            if {entry.music.url, entry.video.url} & set(urls):
                users.setdefault(name, []).append(entry.entry_id)
    return users


def _plan(store: Store, dataset: str, name: str, reason: str, *, whole: bool) -> changes.Change:
    """Find everything that has to go, before anything goes."""
    entries = manifests.read_entries(store.manifests, dataset)
    items = Items(store.ledger).find(dataset)
    shards_receipt = read_receipt(store.root, dataset)
    released = releases.find_releases(store, dataset)
    places = [(dataset, shards_receipt)] if shards_receipt else []
    places += [(releases.folder_of(dataset, v), receipt) for v, receipt in released.items()]

    def rows(ids: Set[str], urls: Set[str]) -> Iterator[dict[str, str]]:
        for folder, receipt in places:
            yield from removal.rows_of(store, folder, receipt, ids, urls)

    again = manifests.taken_down(store.manifests, dataset, name)
    barred = _barred(entries, items, rows({name}, set()), again, dataset, name, whole=whole)
    gone = [entry for entry in entries if entry.music in barred or entry.video in barred]
    moved = [item for item in items if _uses(item, barred)]
    urls = {source.url for source in barred}
    ids = {entry.entry_id for entry in gone} | {states.entry_id_of(item.source) for item in moved}
    ids |= {row["entry_id"] for row in rows({name}, urls)}
    is_repeated = not ids and barred <= manifests.read_blocklist(store.manifests).keys()
    holding = [
        version
        for version in sorted(released, key=releases.numbers_of)
        if removal.holding_shards(
            store.root, releases.folder_of(dataset, version), released[version], ids
        )
    ]
    # A copy for those who go on with the latest release; older ones are only withdrawn.
    newest = max(released, key=releases.numbers_of) if released else ""
    successors = {newest: releases.next_free(store, dataset)} if newest in holding else {}
    shards = (
        removal.holding_shards(store.root, dataset, shards_receipt, ids) if shards_receipt else []
    )
    sources, contents = _recordings(store, dataset, gone, barred)
    named = [[source.site, source.video_id] for source in _ordered(barred)]
    return changes.Change(
        kind="takedown",
        about={
            "asked": {"name": name, "whole": whole},
            "is_repeated": is_repeated,
            "done": {
                "entries": sorted(ids),
                "sources": sorted(urls),
                "shards": [f"{dataset}/{path}" for path in shards],
                "withdrawn": holding,
                "released": list(successors.values()),
            },
        },
        steps=[
            {
                "do": "bar",
                "sources": named,
                "reason": reason,
                "contents": contents,
                "entries": sorted(ids),
            },
            {"do": "drop_entries", "ids": sorted(ids)},
            {"do": "rewrite_shards", "ids": sorted(ids)},
            *(
                {"do": "replace_release", "version": v, "successor": s, "ids": sorted(ids)}
                for v, s in successors.items()
            ),
            *({"do": "withdraw_release", "version": version} for version in holding),
            {"do": "forget_entries", "ids": sorted(ids)},
            {
                "do": "forget_recordings",
                "sources": sources,
                "contents": sorted(set(contents.values())),
            },
            {
                "do": "move_items",
                "sources": [[item.source.site, item.source.video_id] for item in moved],
                "state": states.REMOVED,
                "step": "takedown",
                "detail": reason,
            },
        ],
    )


def _ordered(sources: Iterable[Source]) -> list[Source]:
    return sorted(sources, key=lambda source: (source.site, source.video_id))


def _uses(item: Item, barred: Set[Source]) -> bool:
    return item.source in barred or bool(item.official and item.official.source in barred)


def _barred(
    entries: Collection[Entry],
    items: Iterable[Item],
    rows: Iterable[Mapping[str, str]],
    again: Set[Source],
    dataset: str,
    name: str,
    *,
    whole: bool,
) -> set[Source]:
    """Find the recordings that a name stands for; `StopRun` where it stands for none.

    `again` are those of an entry that was taken down before: whoever repeats a takedown that
    was stopped just before its end is told what it did.
    """
    for entry in entries:
        if entry.entry_id == name:
            return {entry.music, entry.video} if whole else {entry.music}
    for item in items:
        if states.entry_id_of(item.source) == name:
            return {item.source}
    for row in rows:
        # An entry that is no more, but stands in shards or in a release.
        urls = (row.get("music_url", ""), row.get("video_url", "") if whole else "")
        return {Source.from_url(url) for url in urls if url}
    if again:
        return set(again)
    site, colon, video_id = name.partition(":")
    if colon:
        try:
            return {Source(site, video_id)}
        except ValueError as error:
            raise WrongSetting("recording", name, str(error)) from error
    known = [entry.entry_id for entry in entries]
    raise NotFound("entry", name, f"{dataset} (a recording is named SITE:ID)", known)


def _recordings(
    store: Store, dataset: str, entries: Iterable[Entry], barred: Set[Source]
) -> tuple[list[list[str]], dict[str, str]]:
    """List which recordings are forgotten, and by url the content of those that nobody else uses.

    Content comes from the ledger or, where that was lost, from the manifests.
    """
    entries = list(entries)
    ids = {entry.entry_id for entry in entries}
    going = {(source.site, source.video_id) for source in barred}
    going |= {place for entry in entries for place in recordings_of(dataset, entry).values()}
    staying: set[tuple[str, str]] = set()
    by_source: dict[tuple[str, str], str] = {}
    for other in manifests.datasets(store.manifests):
        hashes = recordings.read_recordings(store.manifests, other)
        for entry in manifests.read_entries(store.manifests, other):
            places = recordings_of(other, entry)
            for kind, sha256 in hashes.get(entry.entry_id, {}).items():
                by_source[places[kind]] = sha256
            if other != dataset or entry.entry_id not in ids:
                staying |= set(places.values())
    by_source |= store.ledger.assets()
    going = {place for place in going - staying if place in by_source} | {
        (source.site, source.video_id) for source in barred
    }
    used = {sha256 for place, sha256 in by_source.items() if place not in going}
    contents = {
        _url(place): by_source[place]
        for place in sorted(going)
        if place in by_source and by_source[place] not in used
    }
    return [list(place) for place in sorted(going)], contents


def _url(place: tuple[str, str]) -> str:
    site, video_id = place
    return f"published:{video_id}" if site == "published" else Source(site, video_id).url
