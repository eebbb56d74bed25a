"""Planning many entries costs no more than their number; a dry run writes nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from symmv_builder.datasets.dry_run import Cause, dry_run
from symmv_builder.pipeline.keys import Plan
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store
from tests.datasets import toy_build

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "planning.py"
_IN_MEMORY = Path("/dev/shm")


@pytest.mark.long
def test_ten_times_the_entries_cost_at_most_twelve_times_as_much() -> None:
    command = [sys.executable, str(PROGRAM), "500", "5000"]
    environment = dict(os.environ)
    # Thousands of small files are flushed to the disk before anything is measured.
    if _IN_MEMORY.is_dir() and shutil.disk_usage(_IN_MEMORY).free > 2**30:
        environment["TMPDIR"] = str(_IN_MEMORY)
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    lines = done.stdout
    few, many = map(json.loads, lines.splitlines())
    for kind in ("noop", "one_new", "status"):
        # Half a second of grace, for a machine that does something else.
        assert many[kind]["cpu_s"] <= 12 * few[kind]["cpu_s"] + 0.5, kind
        assert many[kind]["rss_mb"] < 1000


def test_a_dry_run_says_what_is_new_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media, root_url = tmp_path / "media", str(tmp_path / "root")
    media.mkdir()
    for number in range(3):
        (media / f"v{number}.mp4").write_bytes(bytes([number]) * 50)
    (tmp_path / "root").mkdir()
    url = f"sqlite:///{root_url}/ledger.sqlite"
    toy_build.run(root_url, media, ledger_url=url)
    store = Store(Root(root_url), Root(root_url), Ledger(url))
    plan = Plan("toy", toy_build.RECIPE.uses)
    before = {p: p.read_bytes() for p in Path(root_url).rglob("*.*") if "ledger" not in p.name}
    settled = dry_run(toy_build.RECIPE, plan, store)
    assert (settled.settled, settled.causes, settled.steps) == (3, (), {})
    store.ledger.forget_results("toy", "v1")
    store.ledger.forget_results("toy", "v2", "wave")
    found = dry_run(toy_build.RECIPE, plan, store)
    assert set(found.causes) == {Cause("new entry", 1), Cause("missing wave", 1)}
    assert found.steps == {"music_asset": 1, "wave": 2}
    assert found.seconds > 0
    assert found.shard_bytes > 0
    after = {p: p.read_bytes() for p in Path(root_url).rglob("*.*") if "ledger" not in p.name}
    assert after == before
