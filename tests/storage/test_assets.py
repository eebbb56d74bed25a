"""Recordings by content: stored once, whole, under their own hash."""

import hashlib
from pathlib import Path

import pytest

from symmv_builder.errors import StopRun
from symmv_builder.storage.assets import (
    add_asset,
    add_asset_bytes,
    asset_name,
    has_asset,
    hash_file,
    open_asset,
)
from symmv_builder.storage.root import Root


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "a recording.wav"
    path.write_bytes(bytes(range(256)) * 5000)
    return path


def test_a_hash_is_that_of_the_bytes(recording: Path) -> None:
    assert hash_file(recording) == hashlib.sha256(recording.read_bytes()).hexdigest()


@pytest.mark.parametrize("url", ["{}", "memory://assets-{}"])
def test_a_stored_recording_opens_as_it_was(recording: Path, tmp_path: Path, url: str) -> None:
    root = Root(url.format(tmp_path / "data"))
    sha256 = hash_file(recording)
    assert not has_asset(root, sha256)
    add_asset(root, recording, sha256)
    assert has_asset(root, sha256)
    with open_asset(root, sha256) as path:
        assert path.read_bytes() == recording.read_bytes()
        # Its name says nothing of where it came from.
        assert path.name == sha256


def test_a_recording_is_copied_once(recording: Path, tmp_path: Path) -> None:
    root, sha256 = Root(str(tmp_path / "data")), hash_file(recording)
    add_asset(root, recording, sha256)
    with open_asset(root, sha256) as path:
        before = path.stat().st_ino
    add_asset(root, recording, sha256)
    with open_asset(root, sha256) as path:
        assert path.stat().st_ino == before


@pytest.mark.parametrize("damage", [b"", b"as long, but not the same bytes"])
def test_a_damaged_copy_gives_way_to_a_good_one(
    recording: Path, tmp_path: Path, damage: bytes
) -> None:
    root, sha256 = Root(str(tmp_path / "data")), hash_file(recording)
    add_asset(root, recording, sha256)
    size = recording.stat().st_size
    stored = Path(root.path(asset_name(sha256)))
    for store in (
        lambda: add_asset(root, recording, sha256),
        lambda: add_asset_bytes(root, recording.read_bytes()),
    ):
        stored.write_bytes(damage.ljust(size)[:size] if damage else b"")
        store()
        assert hash_file(stored) == sha256


def test_a_file_that_changes_while_it_is_copied_is_not_stored(
    recording: Path, tmp_path: Path
) -> None:
    root, sha256 = Root(str(tmp_path / "data")), hash_file(recording)
    with recording.open("ab") as handle:
        handle.write(b"more")
    with pytest.raises(StopRun, match=r"a recording\.wav: it changes"):
        add_asset(root, recording, sha256)
    assert not has_asset(root, sha256)
    assert [path for path in (tmp_path / "data").rglob("*") if path.is_file()] == []
