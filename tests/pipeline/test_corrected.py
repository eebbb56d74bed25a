"""A corrected record beside the machine's: no pass over a file is made for it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.pipeline.run import run_entry
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Beats, Edit, Screened
from symmv_builder.records.corrections import Correction
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars

passes: list[int] = []


def hear_all(music: Path, listeners: Sequence[Any]) -> list[Any]:
    passes.append(len(listeners))
    return list(listeners)


def listen(*, gap_s: float = 0.5) -> Beats:
    return Beats(np.arange(8, dtype=np.float64) * gap_s, np.arange(8) % 4 + 1)


def weigh() -> Screened:
    return Screened("weight", 1.0, 0.0)


def last(beats: Beats) -> Screened:
    return Screened("last", float(beats.times_s[-1]), 0.0)


PLAN = Plan(
    "toy",
    (
        use(Step("listen", 1, ("music",), listen, together=hear_all), makes="beats"),
        use(Step("weigh", 1, ("music",), weigh, together=hear_all), makes="weight"),
        use(Step("last", 1, ("beats",), last), makes="last"),
    ),
)


def moved(number: int, at_s: float, to_s: float) -> Correction:
    edit = Edit("beats", "move", to_s, at_s)
    return Correction(f"c{number}", "a", "Ann", "2026-01-01T00:00:00+00:00", edit)


@pytest.fixture
def root(tmp_path: Path) -> Root:
    (tmp_path / "root").mkdir()
    return Root(str(tmp_path / "root"))


def test_corrections_are_applied_to_what_is_stored_or_is_made(root: Root, tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_text("a")
    sha256 = hash_file(path)
    add_asset(root, path, sha256)
    passes.clear()
    made: list[str] = []

    def run(*corrections: Correction) -> dict[str, Any]:
        made.clear()

        def tell(event: Event) -> None:
            if event.kind == "step" and not event.reused:
                made.append(event.step)

        work = Work("a", sha256, sha256, corrections=corrections)
        outcome = run_entry(work, PLAN, root, lambda *_: None, tell)
        assert outcome.rejection is None
        keys = PLAN.keys(work)
        assert [(each.artifact, each.key) for each in outcome.results] == list(keys.items())
        sidecars = Sidecars(root, "toy")
        return {name: sidecars.load("a", name, key)[0] for name, key in keys.items()}

    # Made and corrected in one run, the pass is one.
    late, early = moved(1, 3.5, 3.75), moved(2, 0.0, 0.25)
    assert run(late)["last"].value == 3.75
    assert passes == [2]
    # Another correction of what is stored: no pass, and only what is made of it.
    assert run(late, early)["beats"].times_s.tolist()[::7] == [0.25, 3.75]
    assert (passes, made) == ([2], ["beats", "last"])
    # Without any, the machine's own record is there.
    assert run()["beats"].times_s[-1] == 3.5
    assert (passes, made) == ([2], ["last"])
    assert run(late)["last"].value == 3.75
    assert made == []
    # What is about another record changes nothing of this one.
    other = Correction("c3", "a", "Ann", late.time, Edit("entry", "trim", 2.0, 1.0))
    assert run(late, other)["last"].value == 3.75
    assert made == []


def test_a_hand_edited_correction_that_fits_no_record_is_left_out(
    root: Root, tmp_path: Path
) -> None:
    path = tmp_path / "a.wav"
    path.write_text("a")
    sha256 = hash_file(path)
    add_asset(root, path, sha256)
    wrong = Correction("c1", "a", "Ann", "2026-01-01", Edit("weight", "rename", "heavy"))
    work = Work("a", sha256, sha256, corrections=(wrong,))
    assert run_entry(work, PLAN, root, lambda *_: None).rejection is None
    record, by = Sidecars(root, "toy").load("a", "weight", PLAN.keys(work)["weight"])
    assert record == weigh()
    assert "cannot be corrected: it is Screened" in by.parameters
