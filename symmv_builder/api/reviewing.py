"""Judge what a crawl proposes: one recording after the other, by several people, on record.

A decision is a line of ``DATASET/decisions.jsonl`` among the manifests and nothing else: what is
undone, by a further line or by git, was never decided. `api.crawl.promote` acts on what stands.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from symmv_builder.api.crawl import Recording, recording_of
from symmv_builder.datasets import propose, questions, reviewers
from symmv_builder.datasets.remembered import require_known
from symmv_builder.datasets.reviewers import Agreement, Verdict
from symmv_builder.errors import UnknownName, WrongSetting
from symmv_builder.records import Record
from symmv_builder.settings import Settings
from symmv_builder.storage import items as states
from symmv_builder.storage.decisions import (
    ACCEPT,
    LONGEST_NAME,
    LONGEST_REASON,
    REJECT,
    SKIP,
    UNDO,
    Decision,
    add_decisions,
    read_decisions,
)
from symmv_builder.storage.items import Item, Items, entry_id_of
from symmv_builder.storage.store import Store
from symmv_builder.text import clean_line

__all__ = [
    "ACCEPT", "LONGEST_NAME", "LONGEST_REASON", "REJECT", "SKIP", "UNDO", "Agreement", "Decision",
    "Judged", "Pair", "Verdict", "agreement", "decide", "judged", "pair", "reject", "undo_last",
]  # fmt: skip
_WAITING = (states.PROPOSED, states.REVIEW)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@dataclass(frozen=True, slots=True)
class Judged:
    """A recording that waits for a person, and what reviewers have said of it so far."""

    recording: Recording
    verdict: Verdict

    def is_for(self, reviewer: str) -> bool:
        """Check whether somebody's vote is still needed, who has none yet."""
        return not self.verdict.is_settled and reviewer not in self.verdict.reviewers


@dataclass(frozen=True, slots=True)
class Pair:
    """A recording with the records that screening made of it, by name; none where it made none.

    `urls` are the addresses of ``music`` and ``video`` at their site.
    """

    judged: Judged
    records: Mapping[str, Record]
    urls: Mapping[str, str]


def judged(settings: Settings, dataset: str, reviewer: str = "") -> list[Judged]:
    """List whatever waits for a person: first what no reviewer has skipped, then the best scores.

    With a `reviewer`, only what still needs that person's vote; what that person skipped is last.
    """
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    waiting = _waiting(store, dataset)
    if reviewer:
        waiting = [each for each in waiting if each.is_for(reviewer)]
    return sorted(
        waiting,
        key=lambda each: (
            reviewer in each.verdict.skipped_by,
            -each.recording.score,
            each.recording.entry_id,
        ),
    )


def _waiting(store: Store, dataset: str) -> list[Judged]:
    decisions = reviewers.standing(read_decisions(store.manifests, dataset))
    return [
        Judged(
            recording_of(item),
            reviewers.verdict_of(name, decisions.get(name, {}), item.state),
        )
        for item in Items(store.ledger).find(dataset, _WAITING)
        if (name := entry_id_of(item.source))
    ]


def pair(settings: Settings, dataset: str, entry_id: str) -> Pair:
    """Find a recording that waits, with what is known of it; `StopRun` where none is called so."""
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    item = _item(store, dataset, entry_id)
    decisions = reviewers.standing(read_decisions(store.manifests, dataset)).get(entry_id, {})
    judged = Judged(recording_of(item), reviewers.verdict_of(entry_id, decisions, item.state))
    urls = {"music": item.source.url}
    records: Mapping[str, Record] = {}
    if item.official is not None:
        urls["video"] = item.official.source.url
        records = questions.records_of(store, propose.entry_of(item))
    return Pair(judged, records, urls)


def _item(store: Store, dataset: str, entry_id: str) -> Item:
    for item in Items(store.ledger).find(dataset, _WAITING):
        if entry_id_of(item.source) == entry_id:
            return item
    raise UnknownName("proposal", entry_id)


def decide(
    settings: Settings,
    dataset: str,
    entries: Sequence[str],
    verdict: str,
    *,
    by: str,
    reason: str = "",
    now: Callable[[], str] = _now,
) -> list[Decision]:
    """Write down what `by` decides about recordings that wait; the lines that were written.

    `verdict` is ``accept``, ``reject`` (with a `reason`), ``skip`` or ``undo``. A name and a reason
    are made one clean line. `StopRun` where an id does not wait, or something is missing or too
    long; then nothing is written.
    """
    store = settings.open_standing()
    require_known(store.manifests, dataset)
    waiting = {entry_id_of(i.source): i.state for i in Items(store.ledger).find(dataset, _WAITING)}
    if unknown := [name for name in entries if name not in waiting]:
        raise UnknownName("proposal", ", ".join(unknown))
    who, why = clean_line(by), clean_line(reason)
    if not 0 < len(who) <= LONGEST_NAME:
        raise WrongSetting("by", by, f"a reviewer has a name of at most {LONGEST_NAME} characters")
    if len(why) > LONGEST_REASON or (verdict == REJECT and not why):
        rule = f"a rejection needs a reason of at most {LONGEST_REASON} characters"
        raise WrongSetting("reason", reason, rule)
    time = now()
    lines = [Decision(name, who, verdict, time, waiting[name], why) for name in entries]
    add_decisions(store, dataset, lines)
    return lines


def reject(
    settings: Settings, dataset: str, entries: Sequence[str], reason: str, *, by: str
) -> list[Decision]:
    """Turn recordings away that wait for a person; arguments and errors of `decide`."""
    return decide(settings, dataset, entries, REJECT, by=by, reason=reason)


def undo_last(settings: Settings, dataset: str, *, by: str) -> str:
    """Undo the last decision of a reviewer that still stands, of what waits; gives its entry.

    Empty where there is none.
    """
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    waiting = {entry_id_of(i.source) for i in Items(store.ledger).find(dataset, _WAITING)}
    decisions = read_decisions(store.manifests, dataset)
    by_entry = reviewers.standing(decisions)
    for decision in reversed(decisions):
        name = decision.entry_id
        if decision.reviewer == by and name in waiting and by_entry[name].get(by) == decision:
            decide(settings, dataset, [name], UNDO, by=by)
            return name
    return ""


def agreement(settings: Settings, dataset: str) -> Agreement:
    """Measure how far reviewers agree, over everything that several of them ever judged."""
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    return reviewers.agreement(
        reviewers.verdicts(read_decisions(store.manifests, dataset)).values()
    )
