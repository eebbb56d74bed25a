"""What is told of a dataset by its manifest and its ledger alone."""

from pathlib import Path

import pytest

from symmv_builder import datasets
from symmv_builder.datasets import questions
from symmv_builder.errors import NotFound
from symmv_builder.records import Entry, Source
from symmv_builder.storage import manifests
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.results import Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A root with an entry of SymMV of which everything was made."""
    root, source = Root(str(tmp_path)), Source("file", "holiday")
    store = Store(root, root, Ledger(f"sqlite:///{tmp_path}/ledger.sqlite"))
    entry = Entry("holiday", "symmv", "holiday", source, source)
    manifests.write_entries(store.manifests, "symmv", [entry])
    artifacts = [use.makes for use in datasets.recipe("symmv").uses]
    store.ledger.ask("symmv", artifacts)
    results = [Result("holiday", each, each, "k", "", 1.0) for each in artifacts]
    store.ledger.record_results("symmv", results)
    return store


def test_a_step_beside_what_was_asked_for_turns_nothing_away(store: Store) -> None:
    rejected = Result("holiday", "alignment", "alignment", "k", "", 1.0, "no_match", "too short")
    store.ledger.record_results("symmv", [rejected])
    status = questions.status(store, "symmv")
    assert (status.made, status.rejections, status.unfinished) == (1, (), ())
    [alignment] = [stage for stage in status.stages if stage.artifact == "alignment"]
    assert (alignment.made, alignment.rejected) == (0, 1)


def test_a_step_that_was_asked_for_turns_its_entry_away(store: Store) -> None:
    rejected = Result("holiday", "screen_length", "screen_length", "k", "", 1.0, "too_long", "9 h")
    store.ledger.record_results("symmv", [rejected])
    status = questions.status(store, "symmv")
    assert (status.made, status.rejections) == (0, (rejected,))


def test_whoever_misspells_an_entry_is_told_the_nearest(store: Store) -> None:
    with pytest.raises(NotFound, match=r"did you mean holiday\?"):
        questions.find_entry(store, "holyday")
    with pytest.raises(NotFound, match=r"did you mean holiday\?"):
        questions.find_entry(store, "holyday", "symmv")
