"""From fetched recordings to entries: screened, identified, proposed, promoted by a person.

What screening makes is found again when the entry is built. A proposal becomes an entry
when somebody says so, one by one or above a score, and stands then in `entries.jsonl`, one
line an entry, for a diff.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from symmv_builder.crawl.folder import identifier
from symmv_builder.crawl.identify import identify
from symmv_builder.datasets.build import Run, run_works
from symmv_builder.datasets.crawl import Crawl, reject
from symmv_builder.datasets.survey import survey
from symmv_builder.errors import Reason, RejectEntry, StopRun
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.run import LoadModel
from symmv_builder.records import Entry
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests
from symmv_builder.storage.assets import open_asset
from symmv_builder.storage.items import Item, Items, entry_id_of
from symmv_builder.storage.store import Store


def entry_of(item: Item) -> Entry:
    """The entry that an item would be; its song is the one that it was parsed or heard as."""
    if item.official is None:
        raise StopRun(f"{entry_id_of(item.source)} has no official video yet")
    title = item.song.title or (item.parsed.title if item.parsed else "")
    artist = item.song.artist or (item.parsed.artist if item.parsed else "")
    return Entry(
        entry_id=entry_id_of(item.source),
        dataset=item.dataset,
        song_id=song_id_of(artist, title) if title else entry_id_of(item.source),
        video=item.official.source,
        music=item.source,
        song=replace(item.song, title=title, artist=artist),
    )


def song_id_of(artist: str, title: str) -> str:
    """One id for all covers of a song: artist and title, folded, as a safe identifier."""
    name = unicodedata.normalize("NFKC", f"{artist} {title}").casefold()
    return identifier("-".join(name.split()))


def screen_fetched(
    crawl: Crawl,
    plan: Plan,
    run: Run,
    load_model: LoadModel,
    *,
    expect: Callable[[int, int], object] = lambda total, settled: None,
) -> int:
    """Screen every fetched item, identify those that pass, propose them; how many.

    `plan` is one of `recipe.make_screening_plan`, and `run` does its work; `expect` is as in
    `build`.
    """
    fetched = {
        entry_id_of(item.source): item
        for item in crawl.items.find(crawl.recipe.name, [states.FETCHED])
    }
    if not fetched:
        return 0
    entries = [entry_of(item) for item in fetched.values()]
    before = survey(plan, crawl.store, entries)
    todo = [w for name, w in before.works.items() if not before.states[name].is_settled]
    expect(len(before.works), len(before.works) - len(todo))
    run_works(plan, crawl.store, run, todo, tell=crawl.tell)
    after = survey(plan, crawl.store, entries)
    # The run has told what it put aside.
    told, silent = {work.entry_id for work in todo}, replace(crawl, tell=lambda _: None)
    for name, result in after.rejected.items():
        error = RejectEntry(Reason(result.reason), result.detail)
        reject(silent if name in told else crawl, fetched[name], result.step, error)
    for entry in after.made:
        item = fetched[entry.entry_id]
        sha256 = after.works[entry.entry_id].music_sha256
        crawl.items.advance(item, states.PROPOSED, song=_listen(crawl, load_model, item, sha256))
    return len(after.made)


def _listen(crawl: Crawl, load_model: LoadModel, item: Item, sha256: str) -> Any:
    model = load_model("songs", "shazam")
    parsed = item.parsed
    with open_asset(crawl.store.root, sha256) as music:
        return identify(
            music,
            parsed_title=parsed.title if parsed else "",
            parsed_artist=parsed.artist if parsed else "",
            model=model,
        )


def choose(crawl_items: Sequence[Item], ids: Sequence[str], above: float | None) -> list[Item]:
    """The items that a person named, or every proposal whose score reaches `above`."""
    by_id = {entry_id_of(item.source): item for item in crawl_items}
    unknown = [name for name in ids if name not in by_id]
    if unknown:
        raise StopRun(f"nothing to promote is called {', '.join(unknown)}; see `symmv review`")
    chosen = {name: by_id[name] for name in ids}
    if above is not None:
        chosen |= {
            name: item
            for name, item in by_id.items()
            if item.state == states.PROPOSED and item.score >= above
        }
    return list(chosen.values())


def promote(
    items: Items, store: Store, dataset: str, ids: Sequence[str], *, above: float | None
) -> tuple[list[str], list[str]]:
    """Turn proposals into entries; the ids that became entries, and those let through to fetch.

    An item that was waiting for review is let through: the crawl fetches and screens it
    next, and it comes back as a proposal.
    """
    waiting = items.find(dataset, [states.PROPOSED, states.REVIEW])
    chosen = choose(waiting, ids, above)
    proposed = [item for item in chosen if item.state == states.PROPOSED]
    entries = {e.entry_id: e for e in manifests.read_entries(store.manifests, dataset)}
    entries |= {entry_of(item).entry_id: entry_of(item) for item in proposed}
    if proposed:
        manifests.write_entries(store.manifests, dataset, entries.values())
    for item in proposed:
        items.advance(item, states.PROMOTED)
    reviewed = [item for item in chosen if item.state == states.REVIEW]
    for item in reviewed:
        items.advance(item, states.MATCHED)
    return (
        [entry_id_of(item.source) for item in proposed],
        [entry_id_of(item.source) for item in reviewed],
    )
