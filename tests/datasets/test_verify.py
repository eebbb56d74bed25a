"""A flipped bit anywhere in a data root is found, and a repair and a build undo what it did."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stopping

from symmv_builder.cli import main
from symmv_builder.datasets import changes
from symmv_builder.datasets.release import release
from symmv_builder.datasets.verify import CheckCounts, verify
from symmv_builder.datasets.verify.problems import what_is_wrong
from symmv_builder.errors import MalformedFile, NoShards, StopRun
from symmv_builder.storage.assets import asset_name, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt, read_rows

# At how many places of a larger file a bit is flipped; of a smaller one at every byte.
PLACES = int(os.environ.get("SYMMV_TEST_FLIPS", "12"))


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A folder with media and a sound root: built, released, barred, crawled, with import.json."""
    in_memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=in_memory if in_memory.is_dir() else None) as name:
        folder = Path(name)
        (folder / "media").mkdir()
        for number in range(2):
            (folder / "media" / f"clip{number}.mp4").write_bytes(bytes([number]) * 300)
        (folder / "media" / "clip2.mp4").write_bytes(b"reject")
        store = stopping.open_store(make(folder / "root"))
        stopping.crawled(store, folder / "media")
        with changes.writing(store, "toy"):
            text = {"do": "put_text", "name": "import.json", "text": '{"lacks": []}\n'}
            bar = {"do": "bar", "sources": [["file", "gone"]], "reason": "no", "contents": {}}
            changes.make(store, "toy", changes.Change("intake", {}, [text, bar]))
        stopping.take_in_and_build(store, folder / "media")
        release(store, "toy", "1.0.0")
        store.ledger.close()
        yield folder


def make(folder: Path) -> Path:
    folder.mkdir()
    return folder


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made / "root", tmp_path / "root")
    return tmp_path / "root"


def look(
    root: Path, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, dict[str, Any]]:
    """`symmv verify --json`: its exit code and its answer."""
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["symmv", "verify", "--json", "--root", str(root), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
    answer = capsys.readouterr().out
    return int(str(ended.value.code)), json.loads(answer) if answer else {}


def build(root: Path, made: Path) -> None:
    store = stopping.open_store(root)
    stopping.build_toy(store, made / "media")
    store.ledger.close()


def flip(path: Path, place: int) -> None:
    data = bytearray(path.read_bytes())
    data[place] ^= 1 << (place % 8)
    path.write_bytes(data)


def places_in(path: Path) -> list[int]:
    """Every byte of a small file; of a larger one some, and all at its end."""
    size = path.stat().st_size
    if size <= 2 * PLACES:
        return list(range(size))
    return [*range(0, size - PLACES // 2, size // PLACES), *range(size - PLACES // 2, size)]


def test_a_sound_root_is_sound(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = stopping.snapshot(root)
    code, answer = look(root, capsys, "--deep")
    assert (code, answer["damaged"], answer["missing"], answer["notes"]) == (0, [], [], [])
    assert answer["checked"] > 20
    assert stopping.snapshot(root) == before


def files_of(root: Path) -> list[str]:
    return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def test_there_is_a_file_of_every_kind(made: Path) -> None:
    kinds = {
        "assets/", "toy/sidecars/clip0/", "toy/sidecars/clip2/read_facts", "toy/shards/",
        "toy/dataset.json", "toy/entries.jsonl", "toy/splits.json", "toy/recordings.jsonl",
        "toy/import.json", "blocklist.jsonl", "ledger.sqlite", "releases/toy/1.0.0/SHA256SUMS",
        "releases/toy/1.0.0/README.md", "releases/toy/1.0.0/receipt.json",
        "releases/toy/1.0.0/shards/", "releases/toy-1.0.0.json",
    }  # fmt: skip
    kinds -= {"toy/sidecars/clip2/read_facts"}
    files = files_of(made / "root")
    assert [kind for kind in kinds if not any(name.startswith(kind) for name in files)] == []
    assert any(name.endswith(".rejected.json") for name in files)


@pytest.mark.slow
def test_a_flipped_bit_is_found_in_every_kind_of_file(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    unseen = []
    for name in files_of(root):
        path = root / name
        whole = path.read_bytes()
        if name.startswith("ledger.sqlite"):
            continue
        for place in places_in(path):
            flip(path, place)
            code, _ = look(root, capsys, "--deep")
            if code != 1:
                unseen.append((name, place, code))
            path.write_bytes(whole)
    assert unseen == []


def relied_on(ledger: Path) -> dict[str, list[str]]:
    """The rows of the ledger that carry a checksum."""
    connection = sqlite3.connect(f"file:{ledger}?immutable=1", uri=True)
    try:
        return {
            table: [repr(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2")]
            for table in ("results", "recordings", "files", "written")
        }
    finally:
        connection.close()


def test_a_flipped_bit_in_the_ledger_is_found_or_changes_no_row_that_is_relied_on(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = root / "ledger.sqlite"
    whole, rows = path.read_bytes(), relied_on(path)
    faults = 0
    # Most of a small database is free space: every byte that is not zero, and a few others.
    places = [n for n, byte in enumerate(whole) if byte or not n % 499]
    for place in places[:: max(1, len(places) // (10 * PLACES))]:
        flip(path, place)
        code, _ = look(root, capsys)
        assert code in (0, 1), place
        faults += code
        if code == 0:
            assert relied_on(path) == rows, place
        for log in root.glob("ledger.sqlite-*"):
            log.unlink()
        path.write_bytes(whole)
    assert faults > PLACES


def standing(root: Path) -> dict[str, Any]:
    """All that is in a root but for what was put aside."""
    return {
        name: content
        for name, content in stopping.snapshot(root).items()
        if not name.startswith("damaged")
    }


@pytest.mark.slow
def test_after_a_repair_and_a_build_the_root_is_as_if_nothing_had_been_damaged(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = standing(made / "root")
    wrong = []
    for name in files_of(made / "root"):
        if name.startswith("ledger.sqlite"):
            continue
        by_hand = ("toy/entries.jsonl", "toy/splits.json", "toy/import.json", "blocklist.jsonl")
        good = made / ("root" if name in by_hand else "media")
        for is_removed in (False, True):
            root = tmp_path / "damaged"
            shutil.copytree(made / "root", root)
            if is_removed:
                (root / name).unlink()
            else:
                flip(root / name, (root / name).stat().st_size // 2)
            bytes_of = None if is_removed else (root / name).read_bytes()
            look(root, capsys, "--deep", "--repair", "--from", str(good))
            build(root, made)
            code, answer = look(root, capsys, "--deep")
            if code or standing(root) != whole:
                lines = stopping.differences(standing(root), whole)
                wrong.append((name, is_removed, lines, answer["damaged"], answer["missing"]))
            aside = [p.read_bytes() for p in (root / "damaged").rglob("*") if p.is_file()]
            if bytes_of is not None and bytes_of not in aside:
                wrong.append((name, is_removed, ["the damaged file was not kept"], [], []))
            shutil.rmtree(root)
    assert wrong == []


def test_without_a_good_copy_a_recording_is_put_aside_until_it_is_taken_in_again(
    root: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = hash_file(made / "media" / "clip0.mp4")
    flip(root / asset_name(sha256), 7)
    code, answer = look(root, capsys, "--deep", "--repair")
    assert code == 1
    assert [each["done"] for each in answer["repaired"]] == [False]
    assert not (root / asset_name(sha256)).exists()
    store = stopping.open_store(root)
    stopping.take_in_and_build(store, made / "media")
    store.ledger.close()
    assert look(root, capsys, "--deep")[0] == 0


def test_a_rejection_that_came_of_damaged_bytes_is_forgotten(
    root: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = stopping.open_store(root)
    [rejected] = [result for result in store.ledger.results("toy") if result.reason]
    sha256 = hash_file(made / "media" / "clip2.mp4")
    flip(root / asset_name(sha256), 2)
    assert look(root, capsys, "--deep", "--repair", "--from", str(made / "media"))[0] == 0
    assert not any(result.reason for result in store.ledger.results("toy"))
    build(root, made)
    assert [r.key for r in store.ledger.results("toy") if r.reason] == [rejected.key]


def test_a_damaged_row_of_the_ledger_is_forgotten_and_found_again(
    root: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = standing(root)
    connection = sqlite3.connect(root / "ledger.sqlite")
    for change in (
        "UPDATE results SET key = 'x' || key WHERE entry_id = 'clip0' AND artifact = 'wave'",
        "UPDATE results SET detail = 'it said so', seconds = 1 WHERE entry_id = 'clip2'",
        "UPDATE recordings SET sha256 = replace(sha256, '1', '2') WHERE video_id = 'clip1'",
        "DELETE FROM recordings WHERE video_id = 'clip0'",
    ):
        connection.execute(change)
    connection.commit()
    connection.close()
    code, answer = look(root, capsys)
    assert code == 1
    assert sum("ledger, results" in each["path"] for each in answer["damaged"]) == 2
    assert sum("ledger, recordings" in each["path"] for each in answer["damaged"]) == 1
    assert any("does not know the music of clip0" in each["what"] for each in answer["missing"])
    look(root, capsys, "--repair")
    build(root, made)
    assert look(root, capsys, "--deep")[0] == 0
    assert standing(root) == whole


def test_a_ledger_that_is_lost_is_told_what_the_manifests_know(
    root: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "ledger.sqlite").write_bytes(b"no database" * 1000)
    code, answer = look(root, capsys)
    assert (code, answer["damaged"][0]["path"]) == (1, "the ledger")
    assert look(root, capsys, "--repair") == (2, {})
    for part in root.glob("ledger.sqlite*"):
        part.unlink()
    assert look(root, capsys)[0] == 1
    look(root, capsys, "--repair")
    build(root, made)
    assert look(root, capsys, "--deep")[0] == 0
    whole = standing(made / "root")
    assert {n: content for n, content in standing(root).items() if not n.startswith("ledger:")} == {
        n: content for n, content in whole.items() if not n.startswith("ledger:")
    }
    assert standing(root)["ledger:results"] == whole["ledger:results"]


def test_the_checkpoints_of_a_run_are_looked_at(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, answer = look(tmp_path, capsys, "--run", str(tmp_path / "no-run"))
    assert (code, answer) == (2, {})


def test_who_reads_shards_that_a_repair_took_away_is_told_so(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [shard, *_] = (read_receipt(Root(str(root)), "toy") or {})["shards"]
    flip(root / "toy" / shard["path"], 50)
    look(root, capsys, "--repair")
    code, answer = look(root, capsys)
    assert code == 1
    assert [each["path"] for each in answer["missing"]] == [f"toy/{shard['path']}"]
    store = stopping.open_store(root)
    with pytest.raises(NoShards, match=r"toy in .* lacks 1 shard that a repair put aside"):
        release(store, "toy", "1.1.0")
    with pytest.raises(NoShards, match=r"toy in .* lacks 1 shard that a repair put aside"):
        list(read_rows(store.root, "toy", ["entry_id"]))


def test_a_manifest_edited_by_hand_is_told_until_the_next_build_takes_it(
    root: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (root / "toy" / "entries.jsonl").read_text().splitlines(keepends=True)
    (root / "toy" / "entries.jsonl").write_text("".join(lines[:-1]))
    code, answer = look(root, capsys)
    assert code == 1
    assert "changed by hand or is damaged" in answer["damaged"][0]["what"]
    build(root, made)
    assert look(root, capsys)[0] == 0


def test_a_change_that_was_stopped_is_told_and_a_damaged_plan_is_never_done(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = stopping.open_store(root)
    plan = changes.Change("takedown", {}, [{"do": "drop_entries", "ids": ["clip0"]}])
    monkey = pytest.MonkeyPatch()
    monkey.setattr(changes, "_run", lambda *_: None)
    with changes.writing(store, "toy"):
        changes.make(store, "toy", plan)
    monkey.undo()
    code, answer = look(root, capsys)
    assert code == 1
    assert "a takedown was stopped" in answer["missing"][0]["what"]
    path = root / "toy" / "pending.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        flip(path, place)
        with pytest.raises(StopRun):
            changes.unfinished(store, "toy")
        path.write_bytes(whole)
    flip(path, whole.index(b"clip0") + 4)
    look(root, capsys, "--repair")
    assert not path.exists()
    assert "clip0" in (root / "toy" / "entries.jsonl").read_text()


def test_a_sidecar_in_the_place_of_another_is_found(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, other = (next((root / "toy/sidecars" / n).glob("wave.*")) for n in ("clip0", "clip1"))
    other.write_bytes(one.read_bytes())
    assert look(root, capsys)[0] == 1


def test_one_release_is_looked_at_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = stopping.open_store(root)
    assert list(verify(store, "toy", CheckCounts(), release="1.0.0")) == []
    flip(root / "toy" / "entries.jsonl", 30)
    assert list(verify(store, "toy", CheckCounts(), release="1.0.0")) == []
    flip(root / "releases" / "toy" / "1.0.0" / "README.md", 3)
    [problem] = verify(store, "toy", CheckCounts(), release="1.0.0")
    assert problem.path == "releases/toy/1.0.0/README.md"
    with pytest.raises(StopRun, match=r"no release is called '2\.0\.0' in toy"):
        list(verify(store, "toy", CheckCounts(), release="2.0.0"))


def test_a_sum_list_that_earlier_versions_wrote_is_sound(root: Path) -> None:
    sums = root / "releases" / "toy" / "1.0.0" / "SHA256SUMS"
    lines = sums.read_text().splitlines(keepends=True)
    sums.write_text("".join(line for line in lines if "shards/" in line))
    assert list(verify(stopping.open_store(root), "toy", CheckCounts(), release="1.0.0")) == []


def test_results_of_an_earlier_version_are_checked_by_their_parts(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = next((root / "toy" / "sidecars" / "clip0").glob("wave.*"))
    data = path.read_bytes()
    length = int.from_bytes(data[-73:-71], "little")
    assert length == 71
    path.write_bytes(data[:-73] + b"\0\0")
    code, answer = look(root, capsys)
    assert code == 0
    assert any("results have no checksum of the whole file" in note for note in answer["notes"])
    flip(path, 400)
    assert look(root, capsys)[0] == 1


def times(root: Path) -> dict[str, int]:
    """When each file was written, but for what SQLite has beside a database to read it."""
    beside = ("ledger.sqlite-wal", "ledger.sqlite-shm")
    return {n: (root / n).stat().st_mtime_ns for n in files_of(root) if n not in beside}


def test_nothing_is_written_and_a_read_only_root_can_be_looked_at(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = times(root)
    for path in [root, *root.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert look(root, capsys, "--deep")[0] == 0
    finally:
        for path in [root, *root.rglob("*")]:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert times(root) == before


def test_an_import_out_of_the_good_folder_replaces_damaged_recordings(
    root: Path, made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sha256 = hash_file(made / "media" / "clip1.mp4")
    flip(root / asset_name(sha256), 100)
    assert look(root, capsys, "--deep")[0] == 1
    store = stopping.open_store(root)
    stopping.import_songs(store, made / "media")
    store.ledger.close()
    assert hash_file(root / asset_name(sha256)) == sha256
    assert look(root, capsys, "--deep")[1]["damaged"] == []


def test_a_repair_waits_for_who_writes_where_it_is_told_to(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    holder = """
import sys, time
from symmv_builder.storage import locks
from symmv_builder.storage.ledger import Ledger
with locks.hold(Ledger(sys.argv[1]), "toy"):
    print("held", flush=True)
    sys.stdin.readline()
    time.sleep(1)
"""
    ledger = f"sqlite:///{root}/ledger.sqlite"
    with subprocess.Popen(
        [sys.executable, "-c", holder, ledger],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == "held\n"
        assert look(root, capsys, "--repair")[0] == 2
        other.stdin.write("go\n")
        other.stdin.flush()
        assert look(root, capsys, "--repair", "--wait")[0] == 0
    assert other.returncode == 0


def test_a_problem_names_its_file_once() -> None:
    error = MalformedFile("/data/symmv/entries.jsonl", "this is not an entry", line=3)
    assert what_is_wrong(error) == "line 3: this is not an entry"
    assert what_is_wrong(MalformedFile("/data/a.json", "it is empty")) == "it is empty"
