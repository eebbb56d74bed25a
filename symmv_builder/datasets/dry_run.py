"""What a build would do, and why, without doing any of it."""

import json
from collections import Counter
from dataclasses import dataclass

from symmv_builder.datasets import remembered
from symmv_builder.datasets.corrected import machine_key
from symmv_builder.datasets.recipe import Recipe, with_beside
from symmv_builder.datasets.survey import Survey, survey
from symmv_builder.pipeline.keys import Plan
from symmv_builder.storage import manifests
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.shards import read_receipt
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason why some entries are not finished, and how many.

    `reason` is a sentence's part, such as ``new entry`` or ``changed model of semantic``.
    """

    reason: str
    entries: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """The plan of a build, without its being run.

    `changes` says how the recipe differs from that of the last build, a line each. `steps` counts
    the results that would be made, by artifact; `without_recordings` are entries that it could not
    work on, `taken_down` others of the manifest, of each of which a recording was taken down.
    `seconds` of work, on one worker, and `shard_bytes` of disk are estimated from what was made
    before; `unknown` names steps that never ran here, whose time is not in the estimate.
    """

    dataset: str
    entries: int
    settled: int
    without_recordings: int
    causes: tuple[Cause, ...]
    steps: dict[str, int]
    seconds: float
    shard_bytes: int
    unknown: tuple[str, ...]
    taken_down: int = 0
    changes: tuple[str, ...] = ()


def dry_run(recipe: Recipe, plan: Plan, store: Store, whole: Plan | None = None) -> DryRun:
    """Say what `build` would make; nothing is written."""
    everybody = manifests.read_entries(store.manifests, recipe.name)
    entries = manifests.allowed(store.manifests, everybody)
    beside = frozenset(use.makes for use in recipe.beside)
    current = survey(plan, store, entries, whole or with_beside(recipe, plan), beside)
    causes: Counter[str] = Counter()
    steps: Counter[str] = Counter()
    open_entries = [name for name, state in current.states.items() if not state.is_settled]
    for name in open_entries:
        causes[_cause(plan, store, current, name)] += 1
        present = current.states[name].there
        steps.update(use.makes for use in plan.uses if use.makes not in present)
    means = _mean_seconds(store, recipe.name)
    receipt = read_receipt(store.root, recipe.name) or {"shards": [], "entries": 0}
    stored = sum(int(shard["size_bytes"]) for shard in receipt["shards"])
    return DryRun(
        dataset=recipe.name,
        entries=len(entries),
        settled=len(current.states) - len(open_entries),
        without_recordings=len(entries) - len(current.works),
        causes=tuple(Cause(reason, count) for reason, count in causes.most_common()),
        steps={use.makes: steps[use.makes] for use in plan.uses if steps[use.makes]},
        seconds=sum(count * means.get(name, 0.0) for name, count in steps.items()),
        shard_bytes=round(stored / max(1, receipt["entries"]) * len(open_entries)),
        unknown=tuple(
            use.makes for use in plan.uses if steps[use.makes] and use.makes not in means
        ),
        taken_down=len(everybody) - len(entries),
        changes=tuple(remembered.changes_to(store, recipe)),
    )


def _mean_seconds(store: Store, dataset: str) -> dict[str, float]:
    """Average the seconds that each artifact took, where it was ever made."""
    spent: Counter[str] = Counter()
    times: dict[str, float] = {}
    for _, artifact, _, _, seconds, _ in store.ledger.costs(dataset):
        spent[artifact] += 1
        times[artifact] = times.get(artifact, 0.0) + seconds
    return {name: total / spent[name] for name, total in times.items()}


def _cause(plan: Plan, store: Store, state: Survey, name: str) -> str:
    """Tell why an entry is not settled: what its first result that is not today's lacks."""
    results = {result.artifact: result for result in store.ledger.results(plan.dataset, name)}
    if not results:
        return "new entry"
    keys = state.keys(name)
    for use in plan.uses:
        old = results.get(use.makes)
        if old is None:
            return f"missing {use.makes}"
        if old.key != keys[use.makes]:
            return _change(plan, store, state, old)
    return "missing results"


def _change(plan: Plan, store: Store, state: Survey, old: Result) -> str:
    """Tell what changed since a result was made, by the provenance beside it."""
    [use] = [use for use in plan.uses if use.makes == old.artifact]
    try:
        _, then = Sidecars(store.root, plan.dataset).load(old.entry_id, old.artifact, old.key)
    except KeyError:
        return f"{use.makes} was made otherwise"
    work = state.works[old.entry_id]
    now = plan.provenance(use, state.keys(old.entry_id), work)
    key = plan.machine_keys(work).get(use.makes, state.keys(old.entry_id)[use.makes])
    if (machine_key(use.makes, then) or old.key) == key:
        return f"corrections of {use.makes}"
    if json.loads(then.inputs) != json.loads(now.inputs):
        return "changed recording"
    if then.version != now.version:
        return f"new version of {use.makes}"
    if then.parameters != now.parameters:
        return f"changed setting of {use.makes}"
    return f"changed model of {use.makes}"
