"""From fetched recordings to entries: screened, identified, proposed, promoted by a person.

What screening makes is found again when the entry is built. A proposal becomes an entry
when somebody says so, one by one or above a score, and stands then in `entries.jsonl`, one
line an entry, for a diff.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from symmv_builder.crawl.folder import identifier
from symmv_builder.crawl.identify import identify
from symmv_builder.crawl.kinds import kind_of_listing
from symmv_builder.datasets import changes
from symmv_builder.datasets.build import Run, run_works
from symmv_builder.datasets.faults import forget_outdated
from symmv_builder.datasets.job import Crawl, dropping_lost, holding
from symmv_builder.datasets.reviewers import Verdict, verdicts
from symmv_builder.datasets.survey import survey
from symmv_builder.datasets.verdicts import reject
from symmv_builder.errors import Reason, RejectEntry, StopRun, UnknownName, WrongArguments
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.run import LoadModel
from symmv_builder.records import Entry
from symmv_builder.storage import items as states
from symmv_builder.storage.assets import open_asset
from symmv_builder.storage.decisions import ACCEPT, REJECT, read_decisions
from symmv_builder.storage.items import Item, Items, entry_id_of
from symmv_builder.storage.store import Store
from symmv_builder.text import clean_line


def entry_of(item: Item) -> Entry:
    """Make the entry of an item; its song is the one that it was parsed or heard as."""
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
        listing=replace(
            item.official,
            title=clean_line(item.official.title),
            channel=clean_line(item.official.channel),
            categories=tuple(map(clean_line, item.official.categories)),
            kind=kind_of_listing(item.official),
            # A page of somebody's text has no place in a line that is read in a diff.
            description="",
            tags=(),
        ),
    )


def song_id_of(artist: str, title: str) -> str:
    """Make one id for all covers of a song: artist and title, folded, as a safe identifier."""
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
    """Screen every fetched item that nobody holds, identify and propose what passes; counts these.

    `plan` is one of `recipe.make_screening_plan`, and `run` does its work; `expect` is as in
    `build`.
    """
    fetched = {
        entry_id_of(item.source): item
        for item in crawl.items.lease(
            crawl.recipe.name,
            [states.FETCHED],
            limit=None,
            now_s=crawl.now(),
            lease_s=crawl.patience.lease_s,
        )
    }
    if not fetched:
        return 0
    with holding(crawl, list(fetched.values())):
        return _screen(crawl, plan, run, load_model, fetched, expect)


def _screen(
    crawl: Crawl,
    plan: Plan,
    run: Run,
    load_model: LoadModel,
    fetched: Mapping[str, Item],
    expect: Callable[[int, int], object],
) -> int:
    """Screen leased items, by the ids of their entries."""
    entries = [entry_of(item) for item in fetched.values()]
    before = survey(plan, crawl.store, entries)
    if forget_outdated(crawl.store, crawl.recipe.name, before.rejected.values()):
        before = survey(plan, crawl.store, entries)
    todo = [w for name, w in before.works.items() if not before.states[name].is_settled]
    expect(len(before.works), len(before.works) - len(todo))
    run_works(plan, crawl.store, run, todo, tell=crawl.tell)
    after = survey(plan, crawl.store, entries)
    # The run has told what it put aside.
    waiting, silent = {work.entry_id for work in todo}, replace(crawl, tell=lambda _: None)
    for name, result in after.rejected.items():
        if result.reason == Reason.FAILED:
            # The program is at fault: the item waits for a better one.
            continue
        error = RejectEntry(Reason(result.reason), result.detail)
        with dropping_lost(crawl, fetched[name]):
            reject(silent if name in waiting else crawl, fetched[name], result.step, error)
    proposed = 0
    for entry in after.made:
        item = fetched[entry.entry_id]
        sha256 = after.works[entry.entry_id].music_sha256
        song = _listen(crawl, load_model, item, sha256)
        with dropping_lost(crawl, item):
            crawl.items.advance(item, states.PROPOSED, song=song)
            proposed += 1
    return proposed


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


def choose(
    crawl_items: Sequence[Item],
    ids: Sequence[str],
    above: float | None,
    verdicts: Mapping[str, Verdict] = MappingProxyType({}),
    *,
    reviewed: bool = False,
) -> list[Item]:
    """Choose the items to promote.

    They are those that a person named, every proposal whose score reaches `above`, and, `reviewed`,
    whatever reviewers accepted.

    `verdicts` are those of reviewers: what they rejected is in none of these; `StopRun` where it is
    named.
    """
    barred = {name: each for name, each in verdicts.items() if each.state == REJECT}
    by_id = {entry_id_of(item.source): item for item in crawl_items}
    unknown = [name for name in ids if name not in by_id]
    if unknown:
        raise UnknownName("proposal", ", ".join(unknown))
    if refused := [f"{name} ({barred[name]})" for name in ids if name in barred]:
        raise WrongArguments(
            f"reviewers turned away {', '.join(refused)}; undo that decision first"
        )
    choice = {name: by_id[name] for name in ids}
    if reviewed:
        choice |= {
            n: item for n, item in by_id.items() if n in verdicts and verdicts[n].state == ACCEPT
        }
    if above is not None:
        choice |= {
            name: item
            for name, item in by_id.items()
            if item.state == states.PROPOSED and item.score >= above and name not in barred
        }
    return list(choice.values())


def promote(
    items: Items,
    store: Store,
    dataset: str,
    ids: Sequence[str],
    *,
    above: float | None,
    reviewed: bool = False,
    wait: bool = False,
    tell: Callable[[str], object] = lambda _: None,
) -> tuple[list[str], list[str]]:
    """Turn proposals into entries; gives their ids, and those of matches let through to fetch.

    `reviewed` takes what reviewers accepted; what they rejected is never taken (`choose`). An item
    that was waiting for review is let through: the crawl fetches and screens it next, and it comes
    back as a proposal.
    """
    selection = {"ids": list(ids), "above": above, "reviewed": reviewed}
    with changes.writing(store, dataset, wait=wait, tell=tell) as finished:
        change = finished
        if change is None or change.kind != "promotion" or change.about["asked"] != selection:
            change = _promotion(items, store, dataset, selection)
            changes.make(store, dataset, change)
        return change.about["promoted"], change.about["let_through"]


def _promotion(
    items: Items, store: Store, dataset: str, selection: Mapping[str, Any]
) -> changes.Change:
    waiting = items.find(dataset, [states.PROPOSED, states.REVIEW])
    now = {entry_id_of(item.source): item.state for item in waiting}
    by_people = verdicts(read_decisions(store.manifests, dataset), now)
    choice = choose(waiting, **selection, verdicts=by_people)
    proposed = [item for item in choice if item.state == states.PROPOSED]
    reviewed = [item for item in choice if item.state == states.REVIEW]
    entries = {entry_id_of(item.source): entry_of(item) for item in proposed}
    return changes.Change(
        kind="promotion",
        about={
            "asked": selection,
            "promoted": list(entries),
            "let_through": [entry_id_of(item.source) for item in reviewed],
        },
        steps=[
            changes.put_entries(store, entries.values()),
            _move(proposed, states.PROMOTED),
            _move(reviewed, states.MATCHED),
        ],
    )


def _move(moved: Sequence[Item], state: str) -> changes.Step:
    return {
        "do": "move_items",
        "sources": [[item.source.site, item.source.video_id] for item in moved],
        "state": state,
        "before": [states.PROPOSED, states.REVIEW],
    }
