"""What the ledger and the receipt know of a dataset: how many came how far, and who made it."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from symmv_builder.datasets.card.facts import FACTS, gather
from symmv_builder.report.figure import BarChart, Figure, TableFigure
from symmv_builder.storage.store import Store


def funnel(
    store: Store | None,
    dataset: str,
    receipt: Mapping[str, Any],
    in_python: Callable[[str], str],
) -> list[Figure]:
    """Count how many recordings came how far, and why the others did not.

    Without a `store`, as of a release, only what the receipt says is known.
    """
    # Imported here: it brings the database.
    from symmv_builder.storage.items import PROMOTED, REJECTED, REMOVED, STATES, Items

    about = "Recordings of the crawl by the state that they are in, then entries and rows."
    title = "From the crawl to the rows"
    rows = sum(receipt.get("splits", {}).values())
    reasons: Counter[tuple[str, str]] = Counter()
    bars: dict[str, int] = {}
    if store is not None:
        counts = Items(store.ledger).counts(dataset)
        states: Counter[str] = Counter()
        for (state, step, reason), number in counts.items():
            states[state] += number
            if state in (REJECTED, REMOVED):
                reasons[step or "crawl", reason or state] += number
        if states:
            bars["all that was found"] = sum(states.values())
            bars |= {state: states[state] for state in STATES if states[state]}
        for each in store.ledger.rejections(dataset):
            reasons[each.step, str(each.reason)] += 1
        if PROMOTED in bars:
            bars["promoted to an entry"] = bars.pop(PROMOTED)
    else:
        for reason, number in receipt.get("rejections", {}).items():
            reasons["build", str(reason)] += int(number)
    bars["rows in the shards"] = rows
    content = BarChart(tuple(bars), tuple(bars.values()), "recordings")
    table = TableFigure(
        ("step", "reason", "recordings"),
        tuple(
            (step, reason, number)
            for (step, reason), number in sorted(reasons.items(), key=lambda each: (-each[1], each))
        ),
    )
    why = Figure(
        "rejections",
        "Why recordings were turned away",
        "By the step that turned them away, of the crawl and of the build.",
        in_python("rejections"),
        table if reasons else None,
        "" if reasons else "nothing was turned away",
    )
    return [Figure("funnel", title, about, in_python("funnel"), content), why]


def models(receipt: Mapping[str, Any], in_python: Callable[[str], str]) -> Figure:
    """List the models that made the rows, with their licences."""
    facts = receipt.get(FACTS) or gather(receipt, None, {}, None)
    trained = {f"{m['slot']}={m['backend']}": m.get("trained", True) for m in receipt["models"]}
    rows = tuple(
        (
            name,
            str(about["tool"]),
            str(about["licence"]) or "not known",
            "yes" if trained.get(name, True) else "NO: random weights",
        )
        for name, about in sorted(facts["models"].items())
    )
    return Figure(
        "models",
        "Models and their licences",
        "Everything that made a column.",
        in_python("models"),
        TableFigure(("model", "comes from", "licence", "trained"), rows) if rows else None,
        "" if rows else "the receipt names no model",
    )
