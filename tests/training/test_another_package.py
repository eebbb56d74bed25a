"""A trainer in a package of its own: trained, asked for music, measured and shown by every door.

Nothing of symmv-builder knows it: an entry point names its one object.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import symmv_builder as sb
from symmv_builder import plugins
from symmv_builder.backends.midi import read_notes
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.errors import StopRun
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from tests.synthetic_rows import make_row

HUM = """
from dataclasses import dataclass

import numpy as np
import torch

from symmv_builder.evaluation.metric import Metric
from symmv_builder.records import Notes
from symmv_builder.storage.shard_rows import ShardRows
from symmv_builder.training import Option, Trainer, checkpoint
from symmv_builder.training.composing import Composer, ordered_piece
from symmv_builder.training.configs import as_plain
from symmv_builder.training.runs import outcome_of
from symmv_builder.training.trainer import ModelScore


@dataclass(frozen=True)
class Config:
    column: str = "density"


class Mean(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.value = torch.nn.Parameter(torch.zeros(()))


def load(run):
    held = checkpoint.read(run, "hum")
    model = Mean()
    checkpoint.load_module(held, model)
    return held, float(model.value.detach())


class Humming(Composer):
    dataset = "muvisync"
    needs_video = True
    reads = frozenset()

    def __init__(self, request):
        self.mean, self.loud = load(request.run)[1], request.options["loud"]

    def compose(self, seen, order, tell):
        for each in seen:
            starts_s = np.arange(int(order.seconds or each.seconds), dtype=float)
            pitches = np.full(len(starts_s), 60 + round(self.mean))
            notes = Notes(starts_s, starts_s + 1, pitches, np.full(len(starts_s), self.loud))
            yield ordered_piece(
                order.name(each.name, 0), {"hum": notes}, 60.0, each.seconds, order, 0, {}
            )


def measure(request):
    held, mean = load(request.run)
    rows = ShardRows(request.root, request.dataset, request.split, [held.config["column"]])
    off = [abs(float(np.mean(row[held.config["column"]])) - mean) for row in rows]
    return {"metrics": {"off": float(np.mean(off)) * request.options["times"]}, "songs": len(off)}


PRESETS = {name: Config() for name in ("paper", "small", "smoke")}
LOUD = Option("loud", int, "How loudly hum plays.", default=64, least=1, most=127)
TIMES = Option("times", int, "How often the error counts.", default=1)
SCORE = ModelScore(
    "hum", "hum", "How far hum is off.", "Hum", (Metric("off", "Off"),), measure, options=(TIMES,)
)


class Hum(Trainer):
    title = "hum"
    dataset = "muvisync"
    presets = PRESETS
    options = (LOUD,)
    scores = (SCORE,)

    def columns(self, config):
        return (config.column,), ()

    def train(self, config, request):
        rows = request.rows("train", *self.columns(config))
        model = Mean()
        model.value.data.fill_(np.mean([np.mean(row[config.column]) for row in rows]))
        state = {"step": 1, "losses": {"loss": 0.5}, "ended": "steps"}
        checkpoint.save(
            request.out, kind="hum", config=as_plain(config), state=state, about={}, module=model
        )
        return outcome_of(request.out, state, state["losses"], {})

    def composer(self, request):
        return Humming(request)


TRAINER = Hum()
"""


@pytest.fixture
def hum(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The package as pip leaves it, and shards in the folder ``data``."""
    site = tmp_path / "site"
    described = site / "humkit-1.0.dist-info"
    described.mkdir(parents=True)
    (site / "humkit.py").write_text(HUM)
    (described / "METADATA").write_text("Metadata-Version: 2.1\nName: humkit\nVersion: 1.0\n")
    (described / "entry_points.txt").write_text("[symmv_builder.trainers]\nhum = humkit:TRAINER\n")
    root = Root(str(tmp_path / "data"))
    splits = ("train", "train", "validation", "test")
    rows = [make_row("muvisync", n, seconds=9, split=split) for n, split in enumerate(splits)]
    written = ShardWriter(root, "muvisync", published_schema("muvisync")).write(rows)
    counts = {"train": 2, "validation": 1, "test": 1}
    write_receipt(root, "muvisync", {"splits": counts, "shards": as_plain(written)})
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    importlib.invalidate_caches()
    plugins.installed.cache_clear()
    yield tmp_path
    monkeypatch.undo()
    plugins.installed.cache_clear()
    sys.modules.pop("humkit", None)


def call(hum: Path, words: str, code: int = 0) -> str:
    """What `symmv` says in a process of its own: help texts are made once a process."""
    path = os.pathsep.join([str(hum / "site"), *filter(None, sys.path)])
    command = [sys.executable, "-c", "from symmv_builder.cli import main; main()", *words.split()]
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(
        command, cwd=hum, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


@pytest.mark.long
def test_every_door_knows_a_trainer_that_an_entry_point_names(hum: Path) -> None:
    assert "vmusprod or hum." in call(hum, "train --help")
    assert "column = density" in call(hum, "train hum --data muvisync --out run --show")
    said = call(hum, "train hum --data muvisync --root data --out run")
    assert "hum: all steps are done at step 1" in said

    helped = call(hum, "generate --help")
    assert "--loud" in helped
    assert "How loudly hum plays." in helped
    rows = "--model run --dataset muvisync --root data --no-picture"
    call(hum, f"generate {rows} --split test --loud 99 --seconds 5 --out made")
    notes = read_notes(hum / "made" / "song-003.mid")
    assert len(notes.pitches) == 5
    assert set(notes.velocities.tolist()) == {99}
    said = call(hum, f"generate {rows} --split test --tempo 99 --out other", code=2)
    assert "tempo is for CMT and Markov chains and V-MusProd; this model is hum" in said
    assert "--loud" in call(hum, f"generate {rows} --split test --loud 0 --out other", code=2)

    assert "How far hum is off." in call(hum, "evaluate --help")
    assert "How often the error counts." in call(hum, "evaluate hum --help")
    measured = "evaluate hum --model run --dataset muvisync --root data"
    assert "run on muvisync, test" in call(hum, measured)
    one, three = (json.loads(call(hum, f"{measured} --json {n}")) for n in ("", "--times 3"))
    assert one["songs"] == 1
    assert three["metrics"]["off"] == pytest.approx(3 * one["metrics"]["off"]) != 0


def test_a_notebook_knows_it_by_the_same_words(hum: Path) -> None:
    outcome = sb.train("hum", "muvisync", hum / "run", root="data", column="loudness")
    assert outcome.best == hum / "run" / "checkpoints" / "00000001"
    measure: dict[str, Any] = {"model": "run", "dataset": "muvisync", "root": "data"}
    assert sb.evaluate("hum", times=2, **measure)["metrics"]["off"] > 0
    with pytest.raises(StopRun, match=r"'time' \(did you mean times\?\); known: times"):
        sb.evaluate("hum", time=2, **measure)
    with pytest.raises(StopRun, match="times is 'two'; it can be a number"):
        sb.evaluate("hum", times="two", **measure)
    with pytest.raises(StopRun, match="run holds a run of hum; give a folder"):
        sb.train("amt", "muvisync", hum / "run", root="data", preset="smoke")
