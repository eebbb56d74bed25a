"""Copies of releases: on a stand-in of the model hub, in a bucket of an S3 server, in a folder."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from symmv_builder.api.publishing import Terms
from symmv_builder.api.publishing import release as publish
from symmv_builder.datasets import copies
from symmv_builder.datasets.copies import Copy, Outdated, copy_to
from symmv_builder.datasets.release import release
from symmv_builder.datasets.takedown import take_down
from symmv_builder.errors import Damaged, StopRun
from symmv_builder.storage import releases
from symmv_builder.storage.store import Store
from tests import hub_standin, s3
from tests.datasets import released
from tests.hub_standin import TOKEN, Fault, Hub

HUB = "hf://somebody/covers"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return released.made(tmp_path)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    reason = "huggingface_hub is not installed"
    constants = pytest.importorskip("huggingface_hub.constants", reason=reason)
    with hub_standin.running() as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        # Its uploads by Xet go to another service, which has no stand-in.
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield running


def files_in(folder: str | Path) -> dict[str, bytes]:
    base = Path(folder)
    paths = (path for path in base.rglob("*") if path.is_file())
    return {path.relative_to(base).as_posix(): path.read_bytes() for path in paths}


def released_files(store: Store, version: str) -> dict[str, bytes]:
    return files_in(store.root.path(f"releases/muvisync/{version}"))


def held(hub: Hub, revision: str) -> dict[str, bytes]:
    files = dict(hub.repositories["somebody/covers"].revisions[revision])
    files.pop(".gitattributes")
    return files


def test_the_hub_holds_what_the_folder_holds_under_the_version_as_tag(
    store: Store, hub: Hub
) -> None:
    release(store, "muvisync", "1.0.0")
    assert copy_to(store, "muvisync", "1.0.0", HUB)
    assert held(hub, "main") == held(hub, "1.0.0") == released_files(store, "1.0.0")
    assert hub.repositories["somebody/covers"].private
    assert copies.copies(store, "muvisync") == [Copy("1.0.0", HUB, True)]
    uploads = len([call for call in hub.calls if call.startswith("PUT")])
    assert not copy_to(store, "muvisync", "1.0.0", HUB)
    assert len([call for call in hub.calls if call.startswith("PUT")]) == uploads


def test_the_command_pushes_and_shows_no_token(store: Store, hub: Hub, tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "HF_ENDPOINT": hub.url,
        "HF_HUB_DISABLE_XET": "1",
        "HF_TOKEN": TOKEN,
        "HF_HOME": str(tmp_path / "home"),
    }
    call = "from symmv_builder.cli import main; main()"
    arguments = ["release", "muvisync", "1.0.0", "--root", store.root.url, "--push", HUB]
    done = subprocess.run(
        [sys.executable, "-c", call, *arguments, "--public"],
        env=environment, capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    assert f"copied to {HUB}" in done.stderr
    assert not hub.repositories["somebody/covers"].private
    assert held(hub, "1.0.0") == released_files(store, "1.0.0")
    written = b"".join(files_in(store.root.path("")).values())
    assert TOKEN not in done.stdout + done.stderr
    assert TOKEN.encode() not in written


@pytest.mark.parametrize("after", range(3))
def test_a_push_that_was_stopped_goes_on_where_it_was(store: Store, hub: Hub, after: int) -> None:
    receipt = release(store, "muvisync", "1.0.0")
    assert len(receipt["shards"]) == 3
    # 400 is an answer that no client asks for again by itself.
    hub.faults = [Fault("PUT /lfs/", 400, times=100, after=after)]
    with pytest.raises(StopRun, match="run the command again"):
        copy_to(store, "muvisync", "1.0.0", HUB)
    assert hub.repositories["somebody/covers"].tags == []
    assert copies.copies(store, "muvisync") == [Copy("1.0.0", HUB, False)]
    assert len(hub.objects) == after
    hub.faults, hub.calls[:] = [], []
    assert copy_to(store, "muvisync", "1.0.0", HUB)
    assert held(hub, "1.0.0") == released_files(store, "1.0.0")
    assert len([call for call in hub.calls if call.startswith("PUT")]) == 3 - after


@pytest.mark.parametrize("call", ["/commit/", "POST .*/tag/"])
def test_a_push_that_fails_at_a_call_is_finished_by_the_next(
    store: Store, hub: Hub, call: str
) -> None:
    release(store, "muvisync", "1.0.0")
    hub.faults = [Fault(call, 503, times=1)]
    with pytest.raises(StopRun, match="answered 503"):
        copy_to(store, "muvisync", "1.0.0", HUB)
    assert copy_to(store, "muvisync", "1.0.0", HUB)
    assert held(hub, "1.0.0") == released_files(store, "1.0.0")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (401, "hf auth login"),
        (403, "right to write"),
        (409, "somebody else is changing"),
        (429, "too often"),
        (500, "it has trouble"),
        (503, "it has trouble"),
    ],
)
def test_what_the_hub_answers_is_one_line_without_the_token(
    store: Store, hub: Hub, code: int, said: str
) -> None:
    release(store, "muvisync", "1.0.0")
    # The client asks again by itself at other calls, for half a minute.
    hub.faults = [Fault("/commit/", code, times=100)]
    with pytest.raises(StopRun, match=said) as caught:
        copy_to(store, "muvisync", "1.0.0", HUB)
    assert f"answered {code}" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_a_wrong_token_and_a_hub_that_is_not_there_are_said(
    store: Store, hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    release(store, "muvisync", "1.0.0")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(StopRun, match="answered 401"):
        copy_to(store, "muvisync", "1.0.0", HUB)
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(StopRun, match="cannot be reached"):
        copy_to(store, "muvisync", "1.0.0", HUB)


def test_a_tag_with_other_files_is_left_alone(store: Store, hub: Hub) -> None:
    release(store, "muvisync", "1.0.0")
    copy_to(store, "muvisync", "1.0.0", HUB)
    hub.repositories["somebody/covers"].revisions["1.0.0"]["README.md"] = b"another"
    with pytest.raises(StopRun, match=r"other files under 1\.0\.0 \(README\.md\)"):
        copy_to(store, "muvisync", "1.0.0", HUB)


def test_a_takedown_names_the_copies_and_the_next_push_replaces_them(
    store: Store, hub: Hub
) -> None:
    release(store, "muvisync", "1.0.0")
    copy_to(store, "muvisync", "1.0.0", HUB)
    assert copies.outdated(store, "muvisync") == []
    entry_id = f"yt-{released.source(3).video_id}"
    take_down(store, "muvisync", entry_id, "asked by the artist")
    assert copies.outdated(store, "muvisync") == [Outdated(HUB, ("1.0.0",), "1.0.1")]
    assert copy_to(store, "muvisync", "1.0.1", HUB)
    repository = hub.repositories["somebody/covers"]
    assert repository.tags == ["1.0.1"]
    assert held(hub, "main") == held(hub, "1.0.1") == released_files(store, "1.0.1")
    texts = [data for commit in repository.history for data in commit.values()]
    assert not any(entry_id.encode() in data for data in texts)
    assert copies.outdated(store, "muvisync") == []
    assert copies.copies(store, "muvisync") == [Copy("1.0.1", HUB, True)]


def test_a_damaged_release_is_not_pushed(store: Store, hub: Hub) -> None:
    release(store, "muvisync", "1.0.0")
    path = next(Path(store.root.path("releases/muvisync/1.0.0/shards")).iterdir())
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(Damaged, match="is not what SHA256SUMS says"):
        copy_to(store, "muvisync", "1.0.0", HUB)
    assert hub.repositories == {}


@pytest.mark.parametrize(
    ("to", "said"),
    [("hf://covers", "hf://OWNER/NAME"), ("hf://a/b/c", "hf://OWNER/NAME"), ("", "`to` takes")],
)
def test_a_place_of_another_form_is_refused(to: str, said: str) -> None:
    with pytest.raises(StopRun, match=said):
        copies.check_place(to)


@pytest.mark.parametrize("below", ["", "/deeper/still"])
def test_a_file_is_no_place_for_copies(below: str, tmp_path: Path) -> None:
    (tmp_path / "afile").write_text("")
    with pytest.raises(StopRun, match="afile is a file, and copies go into a folder"):
        copies.check_place(f"{tmp_path}/afile{below}")
    copies.check_place(f"{tmp_path}/new{below}")


def test_a_folder_holds_what_the_release_holds_and_its_receipt_comes_last(
    store: Store, tmp_path: Path
) -> None:
    release(store, "muvisync", "1.0.0")
    to = str(tmp_path / "elsewhere")
    assert copy_to(store, "muvisync", "1.0.0", to)
    copied = Path(to) / "muvisync" / "1.0.0"
    assert files_in(copied) == released_files(store, "1.0.0")
    assert not copy_to(store, "muvisync", "1.0.0", to)
    times = {path: path.stat().st_mtime_ns for path in copied.rglob("*") if path.is_file()}
    assert max(times, key=lambda path: times[path]).name == "receipt.json"
    (copied / "receipt.json").write_text("{}")
    with pytest.raises(StopRun, match="holds another release"):
        copy_to(store, "muvisync", "1.0.0", to)


def test_a_copy_is_finished_and_a_withdrawn_one_removed(store: Store, tmp_path: Path) -> None:
    release(store, "muvisync", "1.0.0")
    to = str(tmp_path / "elsewhere")
    copy_to(store, "muvisync", "1.0.0", to)
    copied = Path(to) / "muvisync" / "1.0.0"
    (copied / "receipt.json").unlink()
    (copied / "README.md").write_text("half")
    next((copied / "shards").iterdir()).unlink()
    assert copy_to(store, "muvisync", "1.0.0", to)
    assert files_in(copied) == released_files(store, "1.0.0")
    take_down(store, "muvisync", f"yt-{released.source(3).video_id}", "asked")
    assert copies.outdated(store, "muvisync") == [Outdated(to, ("1.0.0",), "1.0.1")]
    assert copy_to(store, "muvisync", "1.0.1", to)
    assert not copied.exists()
    assert files_in(Path(to) / "muvisync" / "1.0.1") == released_files(store, "1.0.1")


def test_a_copy_is_remembered_by_a_place_that_holds_from_every_folder(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A takedown prints the command that replaces it, wherever it is called."""
    release(store, "muvisync", "1.0.0")
    record = store.manifests.path("releases/muvisync.copies.json")
    monkeypatch.chdir(tmp_path)
    copy_to(store, "muvisync", "1.0.0", "elsewhere")
    place = str(tmp_path / "elsewhere")
    assert copies.copies(store, "muvisync") == [Copy("1.0.0", place, True)]
    # Earlier versions of the program kept it as it was typed.
    Path(record).write_text(Path(record).read_text().replace(place, "elsewhere"))
    take_down(store, "muvisync", f"yt-{released.source(3).video_id}", "asked")
    copy_to(store, "muvisync", "1.0.1", "elsewhere")
    assert copies.copies(store, "muvisync") == [Copy("1.0.1", place, True)]
    assert not (tmp_path / "elsewhere" / "muvisync" / "1.0.0").exists()


def test_a_folder_with_releases_of_another_data_root_is_refused(
    store: Store, tmp_path: Path
) -> None:
    (tmp_path / "two").mkdir()
    other = released.made(tmp_path / "two")
    to = str(tmp_path / "elsewhere")
    release(other, "muvisync", "0.9.0", about={"contact": "somebody else"})
    copy_to(other, "muvisync", "0.9.0", to)
    before = files_in(to)
    release(store, "muvisync", "1.0.0")
    with pytest.raises(StopRun, match=r"elsewhere/muvisync: its 0\.9\.0 was not released from"):
        copy_to(store, "muvisync", "1.0.0", to)
    with pytest.raises(StopRun, match=r"its 0\.9\.0 was not released from"):
        publish(store, "muvisync", "1.0.1", terms=Terms(to=[to]))
    assert releases.versions(store, "muvisync") == ["1.0.0"]
    assert files_in(to) == before
    assert copies.copies(store, "muvisync") == []
    # A number that both have used is told apart by its receipt.
    release(store, "muvisync", "0.9.0")
    with pytest.raises(StopRun, match=r"its 0\.9\.0 was not released from"):
        copy_to(store, "muvisync", "1.0.0", to)


def test_a_folder_that_was_copied_by_hand_is_known_by_its_receipts(
    store: Store, tmp_path: Path
) -> None:
    release(store, "muvisync", "1.0.0")
    to = tmp_path / "elsewhere"
    (to / "muvisync").mkdir(parents=True)
    shutil.copytree(store.root.path("releases/muvisync/1.0.0"), to / "muvisync" / "1.0.0")
    take_down(store, "muvisync", f"yt-{released.source(3).video_id}", "asked")
    assert copy_to(store, "muvisync", "1.0.1", str(to))


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with s3.serving() as address:
        yield address


def test_a_bucket_holds_what_the_release_holds(
    store: Store, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client, bucket = s3.make_bucket(server, monkeypatch)

    def there(prefix: str) -> dict[str, bytes]:
        listed = client.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        return {
            item["Key"].removeprefix(prefix): client.get_object(Bucket=bucket, Key=item["Key"])[
                "Body"
            ].read()
            for item in listed
        }

    to = f"s3://{bucket}/sets"
    release(store, "muvisync", "1.0.0")
    assert copy_to(store, "muvisync", "1.0.0", to)
    assert there("sets/muvisync/1.0.0/") == released_files(store, "1.0.0")
    client.delete_object(Bucket=bucket, Key="sets/muvisync/1.0.0/receipt.json")
    assert copy_to(store, "muvisync", "1.0.0", to)
    assert not copy_to(store, "muvisync", "1.0.0", to)
    take_down(store, "muvisync", f"yt-{released.source(3).video_id}", "asked")
    assert copy_to(store, "muvisync", "1.0.1", to)
    assert there("sets/muvisync/1.0.0/") == {}
    assert there("sets/muvisync/1.0.1/") == released_files(store, "1.0.1")
