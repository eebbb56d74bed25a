"""What workers log arrives at the handlers of their parent; what they raise keeps its class."""

import logging
import os
import threading
from pathlib import Path

import pytest
import toy

from symmv_builder.errors import MissingWeights, NoShards
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.guard import Guarded
from symmv_builder.pipeline.pool import Effort, run_entries
from symmv_builder.pipeline.run import Tell
from symmv_builder.storage.root import Root

LOG = logging.getLogger("symmv_builder.of_a_worker")


def talk(order: str, tell: Tell) -> int:
    """Log from two threads while events are told, and end as told."""

    def more() -> None:
        for number in range(50):
            LOG.info("thread %d", number)

    thread = threading.Thread(target=more)
    thread.start()
    for number in range(50):
        LOG.info("main %d", number)
        tell(Event("note", "", detail=str(number)))
    thread.join()
    LOG.debug("nobody wants this")
    if order == "lacks":
        try:
            raise KeyError("inner")
        except KeyError:
            LOG.exception("it happened")
        raise NoShards("toy", "data")
    return os.getpid()


def no_weights(slot: str, name: str) -> float:
    raise MissingWeights(name, f"{name} is not here", "Get it")


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="symmv_builder")


def test_records_of_a_guarded_function_arrive_whole(caplog: pytest.LogCaptureFixture) -> None:
    with Guarded(talk, patience_s=30) as guarded:
        process = guarded("all is well")
        assert guarded("all is well") == process
    mine = [record for record in caplog.records if record.name == LOG.name]
    assert {record.process for record in mine} == {process} != {os.getpid()}
    for who in ("main", "thread"):
        said = [record.getMessage() for record in mine if record.getMessage().startswith(who)]
        assert said == 2 * [f"{who} {number}" for number in range(50)]
    assert "nobody wants this" not in caplog.text


def test_an_error_and_its_traceback_cross_with_class_and_fields(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with Guarded(talk, patience_s=30) as guarded, pytest.raises(NoShards) as caught:
        guarded("lacks")
    assert (caught.value.dataset, caught.value.root) == ("toy", "data")
    assert "KeyError: 'inner'" in caplog.text


def test_a_pool_s_workers_log_and_their_errors_keep_their_fields(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="symmv_builder")
    root = Root(str(tmp_path / "root"))
    works = [toy.work(root, tmp_path, "e", "fine"), toy.work(root, tmp_path, "bad", "reject")]
    done = list(run_entries(works, toy.plan(), root.url, toy.load_model, effort=Effort()))
    assert len(done) == 2
    said = {record.getMessage() for record in caplog.records if record.process != os.getpid()}
    assert "bad: put aside by measure: silent: the file says so" in said
    assert any(line.startswith("e: made measured in ") for line in said)
    assert "e: loading the factor model two" in caplog.text

    works = [toy.work(root, tmp_path, "other", "fine too")]
    with pytest.raises(MissingWeights) as caught:
        list(run_entries(works, toy.plan(), root.url, no_weights, effort=Effort()))
    assert (caught.value.model, caught.value.how) == ("two", "Get it")
