"""What reviewers together say of an entry: accepted, rejected, or still to be looked at.

One vote decides; of every tenth entry, chosen by its id, two reviewers must have one opinion, so
that it is known how far they agree. Where they do not agree a further one decides, by majority.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType

from symmv_builder.evaluation.agreement import cohens_kappa, fleiss_kappa
from symmv_builder.storage.decisions import ACCEPT, REJECT, SKIP, UNDO, Decision

TWICE_PERCENT = 10
OPEN, DISPUTED = "open", "disputed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on an entry: `state` is accept, reject, open or disputed.

    `votes` are the decisions that hold, `skipped_by` who left the entry to others, `needed` how
    many votes it takes.
    """

    entry_id: str
    state: str
    votes: tuple[Decision, ...]
    skipped_by: frozenset[str]
    needed: int

    @property
    def is_settled(self) -> bool:
        return self.state in (ACCEPT, REJECT)

    @property
    def reviewers(self) -> frozenset[str]:
        """Who has a vote here."""
        return frozenset(vote.reviewer for vote in self.votes)

    def __str__(self) -> str:
        text = ", ".join(
            f"{vote.verdict} by {vote.reviewer}" + (f" ({vote.reason})" if vote.reason else "")
            for vote in self.votes
        )
        return f"{self.state}: {text}" if text else self.state


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of reviewers over the entries that several of them judged.

    `pairs` are two names with how many entries both judged and Cohen's kappa; `fleiss` is that of
    the `entries` which two or more judged, whoever they are. `None` where there are none.
    """

    pairs: tuple[tuple[str, str, int, float], ...]
    entries: int
    fleiss: float | None


def needed(entry_id: str) -> int:
    """Count how many votes an entry takes: two of every tenth one, one of the others."""
    number = int.from_bytes(hashlib.sha256(entry_id.encode()).digest()[:4], "big")
    return 2 if number % 100 < TWICE_PERCENT else 1


def standing(decisions: Iterable[Decision]) -> dict[str, dict[str, Decision]]:
    """Find the decisions that hold, by entry and reviewer: each one's last that is not undone."""
    by_entry: dict[str, dict[str, Decision]] = {}
    for decision in decisions:
        by_reviewer = by_entry.setdefault(decision.entry_id, {})
        # Put in anew, so that the order is that of the last lines.
        by_reviewer.pop(decision.reviewer, None)
        if decision.verdict != UNDO:
            by_reviewer[decision.reviewer] = decision
    return by_entry


def verdict_of(entry_id: str, by_reviewer: Mapping[str, Decision], state_now: str = "") -> Verdict:
    """Combine the standing decisions about an entry, by reviewer, into a verdict.

    Who let a doubtful match through has not seen what was fetched then: where the recording waits
    in another state now, only rejections of the earlier one count.
    """
    by_reviewer = {
        name: each
        for name, each in by_reviewer.items()
        if each.verdict == REJECT or state_now in ("", each.about)
    }
    votes = tuple(each for each in by_reviewer.values() if each.verdict in (ACCEPT, REJECT))
    skipped = frozenset(each.reviewer for each in by_reviewer.values() if each.verdict == SKIP)
    count = Counter(vote.verdict for vote in votes)
    takes, state = needed(entry_id), OPEN
    if len(votes) >= takes:
        state = DISPUTED
        if count[ACCEPT] != count[REJECT]:
            state = ACCEPT if count[ACCEPT] > count[REJECT] else REJECT
    return Verdict(entry_id, state, votes, skipped, takes)


def verdicts(
    decisions: Iterable[Decision], states_now: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Verdict]:
    """Give the verdict of every entry about which something stands.

    `states_now` by entry, if known.
    """
    return {
        name: verdict_of(name, by_reviewer, states_now.get(name, ""))
        for name, by_reviewer in standing(decisions).items()
        if by_reviewer
    }


def agreement(verdicts: Iterable[Verdict]) -> Agreement:
    """Measure how far reviewers agree over what several of them judged."""
    judged = [verdict for verdict in verdicts if len(verdict.votes) > 1]
    shared: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for verdict in judged:
        by_name = {vote.reviewer: vote.verdict for vote in verdict.votes}
        for first, second in combinations(sorted(by_name), 2):
            shared.setdefault((first, second), []).append((by_name[first], by_name[second]))
    pairs = tuple(
        (*names, len(both), cohens_kappa([a for a, _ in both], [b for _, b in both]))
        for names, both in sorted(shared.items())
    )
    counts = [
        [[vote.verdict for vote in each.votes].count(name) for name in (ACCEPT, REJECT)]
        for each in judged
    ]
    return Agreement(pairs, len(judged), fleiss_kappa(counts) if counts else None)
