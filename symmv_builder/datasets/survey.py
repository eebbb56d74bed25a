"""How far every entry of a dataset is, by the ledger, under today's keys."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.records import Entry
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.store import Store


@dataclass(frozen=True, slots=True)
class State:
    """One entry: the keys that its results should have, and the results that it has."""

    keys: Mapping[str, str]
    results: Mapping[str, Result]

    @property
    def rejection(self) -> Result | None:
        """The result that turned the entry away, if its key is still today's."""
        for artifact, key in self.keys.items():
            result = self.results.get(artifact)
            if result and result.key == key and result.reason:
                return result
        return None

    @property
    def is_made(self) -> bool:
        return all(
            artifact in self.results
            and self.results[artifact].key == key
            and not self.results[artifact].reason
            for artifact, key in self.keys.items()
        )

    @property
    def is_settled(self) -> bool:
        return self.is_made or self.rejection is not None


@dataclass(frozen=True, slots=True)
class Survey:
    """All entries, and work and state of those whose two recordings are there, by entry id."""

    entries: Sequence[Entry]
    works: Mapping[str, Work]
    states: Mapping[str, State]

    @property
    def made(self) -> list[Entry]:
        return [entry for entry in self.entries if self._state(entry).is_made]

    @property
    def rejected(self) -> dict[str, Result]:
        """The result that turned each entry away, by entry id."""
        found = {name: state.rejection for name, state in self.states.items()}
        return {name: result for name, result in found.items() if result}

    @property
    def is_settled(self) -> bool:
        return all(state.is_settled for state in self.states.values())

    def _state(self, entry: Entry) -> State:
        return self.states.get(entry.entry_id, State({"": ""}, {}))


def survey(plan: Plan, store: Store, entries: Sequence[Entry]) -> Survey:
    """Look at every entry, with two queries."""
    assets = store.ledger.assets()
    works = {}
    for entry in entries:
        music = assets.get((entry.music.site, entry.music.video_id))
        video = assets.get((entry.video.site, entry.video.video_id))
        if music and video:
            works[entry.entry_id] = Work(entry.entry_id, music, video)
    results: dict[str, dict[str, Result]] = {}
    for result in store.ledger.results(plan.dataset):
        results.setdefault(result.entry_id, {})[result.artifact] = result
    states = {name: State(plan.keys(work), results.get(name, {})) for name, work in works.items()}
    return Survey(entries, works, states)
