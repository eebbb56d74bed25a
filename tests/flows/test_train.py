"""A training by schedule: a run a state of the shards, gone on with, and not repeated."""

from pathlib import Path
from typing import Any

import pytest

from flows import train as training
from symmv_builder.api import training as face
from symmv_builder.datasets.subsets import Subset, shards_of, write_subset
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import write_receipt
from symmv_builder.training.runs import Outcome, Request, Tick

pytestmark = pytest.mark.usefixtures("prefect_server")


def receipt(root: Path, content: str) -> None:
    shard = {"path": "shards/train.parquet", "sha256": content, "rows": 1, "size_bytes": 1}
    write_receipt(Root(str(root)), "muvisync", {"shards": [shard]})


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests that the flow makes; what a trainer does with one, its own tests say."""
    requests: list[Request] = []

    def start(trainer: str, config: object, request: Request) -> Outcome:
        requests.append(request)
        for step in (1, 2):
            request.tell(Tick(trainer, step, 2, 0, {"loss": 1.0 / step}, is_validation=True))
        ended = "time" if request.max_s else "steps"
        return Outcome(request.out, request.out, 2, {"loss": 0.5}, ended)

    monkeypatch.setattr(face, "start", start)
    return requests


def test_a_run_is_named_by_what_it_learns_from(tmp_path: Path, asked: list[Request]) -> None:
    root = tmp_path / "root"
    given: dict[str, Any] = {"runs": str(tmp_path / "runs"), "root": str(root), "preset": "smoke"}
    for content in ("a" * 64, "a" * 64, "b" * 64):
        receipt(root, content)
        training.train("regressor", "muvisync", **given)
    training.train("regressor", "muvisync", settings={"seed": "7"}, **given)
    first, again, changed, other = (request.out for request in asked)
    assert first == again
    assert len({first, changed, other}) == 3


def test_a_run_of_a_subset_is_another_one_and_learns_from_its_rows(
    tmp_path: Path, asked: list[Request]
) -> None:
    receipt(tmp_path, "a" * 64)
    root = Root(str(tmp_path))
    for name, rows in (("few", ("one",)), ("more", ("one", "two")), ("same", ("two", "one"))):
        marked = Subset("train", rows, shards_of(root, "muvisync", "train"), {})
        write_subset(root, "muvisync", name, marked)
    for subset in ("", "few", "more", "same"):
        training.train(
            "regressor", "muvisync", "smoke", str(tmp_path / "runs"), str(tmp_path), subset=subset
        )
    whole, few, more, same = asked
    assert whole.subset is None
    assert (few.subset, more.subset) == (frozenset({"one"}), frozenset({"one", "two"}))
    assert len({whole.out, few.out, more.out}) == 3
    assert same.out == more.out
    state = training.train(
        "regressor", "muvisync", "smoke", root=str(tmp_path), subset="none", return_state=True
    )
    assert state.name == "Stopped"


def test_a_run_whose_time_was_up_is_unfinished(tmp_path: Path, asked: list[Request]) -> None:
    receipt(tmp_path, "a" * 64)
    state = training.train(
        "regressor", "muvisync", "smoke", str(tmp_path / "runs"), str(tmp_path), minutes=0.1,
        return_state=True,
    )  # fmt: skip
    assert state.name == "Unfinished"
    assert asked[0].max_s == pytest.approx(6.0)


def test_nothing_is_trained_on_what_is_not_built(tmp_path: Path) -> None:
    state = training.train("regressor", "muvisync", root=str(tmp_path), return_state=True)
    assert (state.name, state.is_failed()) == ("Stopped", True)
    assert "has no shards" in str(state.message)
