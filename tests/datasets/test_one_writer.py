"""Commands at the same time: each does all of its work or says that it did none."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from symmv_builder.storage import items as states
from symmv_builder.storage import manifests, releases
from symmv_builder.storage.items import Items
from symmv_builder.storage.shards import read_receipt
from symmv_builder.storage.store import Store

HERE = Path(__file__).parent
ROUNDS = int(os.environ.get("SYMMV_TEST_RACES", "2"))
CLIPS = 6


@pytest.fixture
def media(tmp_path: Path) -> Path:
    folder = tmp_path / "media"
    folder.mkdir()
    for number in range(CLIPS):
        (folder / f"clip{number}.mp4").write_bytes(bytes([number]) * 300)
    return folder


def start_at_once(what: str, count: int, root: Path, media: Path, *words: str) -> dict[int, int]:
    """Exit codes of so many commands of a kind that started together."""
    program = [sys.executable, str(HERE / "racing.py"), what]
    commands = [
        subprocess.Popen([*program, str(n), str(root), str(media), *words], stderr=subprocess.PIPE)
        for n in range(count)
    ]
    time.sleep(2.5)
    root.with_name("go").touch()
    codes = {}
    for number, command in enumerate(commands):
        _, err = command.communicate(timeout=120)
        assert command.returncode in (0, 2), err.decode()
        if command.returncode == 2:
            assert b"is being written by process" in err, err.decode()
            assert err.count(b"\n") == 1
        codes[number] = command.returncode
    assert 0 in codes.values()
    return codes


def prepare(before: Callable[[Store, Path], None], root: Path, media: Path) -> Store:
    import stopping

    root.mkdir()
    store: Store = stopping.open_store(root)
    before(store, media)
    return store


def rows_of(store: Store, folder: str, receipt: dict[str, Any] | None) -> set[str]:
    rows: set[str] = set()
    for shard in (receipt or {"shards": []})["shards"]:
        path = store.root.path(f"{folder}/{shard['path']}")
        rows |= set(pq.read_table(path, columns=["entry_id"]).column(0).to_pylist())
    return rows


@pytest.mark.slow
@pytest.mark.parametrize("wait", [[], ["wait"]], ids=["ends", "waits"])
@pytest.mark.parametrize("number", range(ROUNDS))
def test_takedowns_at_once_lose_nothing(
    number: int, wait: list[str], tmp_path: Path, media: Path
) -> None:
    import stopping

    store = prepare(stopping.built_and_released, tmp_path / "root", media)
    codes = start_at_once("takedown", CLIPS - 1, tmp_path / "root", media, *wait)
    assert not wait or set(codes.values()) == {0}
    gone = {f"clip{n}" for n, code in codes.items() if code == 0}
    left = {f"clip{n}" for n in range(CLIPS)} - gone
    assert {s.video_id for s in manifests.read_blocklist(store.manifests)} == gone
    assert {e.entry_id for e in manifests.read_entries(store.manifests, "toy")} == left
    assert rows_of(store, "toy", read_receipt(store.root, "toy")) == left
    [(version, receipt)] = releases.find_releases(store, "toy").items()
    assert rows_of(store, releases.folder_of("toy", version), receipt) == left
    assert len(store.ledger.assets()) == len(left)


@pytest.mark.parametrize("wait", [[], ["wait"]], ids=["ends", "waits"])
def test_promotions_at_once_lose_nothing(wait: list[str], tmp_path: Path, media: Path) -> None:
    import stopping

    store = prepare(stopping.crawled, tmp_path / "root", media)
    codes = start_at_once("promote", 2, tmp_path / "root", media, *wait)
    assert not wait or set(codes.values()) == {0}
    done = {states.entry_id_of(stopping.cover(n)) for n, code in codes.items() if code == 0}
    assert {e.entry_id for e in manifests.read_entries(store.manifests, "toy")} == done
    promoted = Items(store.ledger).find("toy", [states.PROMOTED])
    assert {states.entry_id_of(item.source) for item in promoted} == done


@pytest.mark.parametrize("what", ["build", "import", "release"])
def test_others_at_once_lose_nothing(what: str, tmp_path: Path, media: Path) -> None:
    import stopping

    is_first = what != "release"
    before = stopping.nothing if is_first else stopping.built_and_released
    store = prepare(before, tmp_path / "root", media)
    codes = start_at_once(what, 4, tmp_path / "root", media, "wait")
    assert set(codes.values()) == {0}
    everybody = {f"clip{n}" for n in range(CLIPS)}
    assert {e.entry_id for e in manifests.read_entries(store.manifests, "toy")} == everybody
    if what == "build":
        assert rows_of(store, "toy", read_receipt(store.root, "toy")) == everybody
    if what == "release":
        found = releases.find_releases(store, "toy")
        assert set(found) == {"1.0.0", "2.0.0", "2.1.0", "2.2.0", "2.3.0"}
