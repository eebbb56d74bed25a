"""An S3 bucket as data root: a real server of the protocol, on loopback."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from symmv_builder.datasets.schemas import published_schema
from symmv_builder.errors import StopRun
from symmv_builder.records import Key, Provenance
from symmv_builder.storage.assets import add_asset, has_asset, hash_file, open_asset
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import (
    ShardWriter,
    as_plain,
    read_rows,
    shards_stand,
    write_receipt,
)
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.training.data import Batching, Loader, Rows
from tests import s3
from tests.synthetic_rows import make_row


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Address of an S3 server that forgets everything when the module ends."""
    with s3.serving() as address:
        yield address


@pytest.fixture
def bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """A client of the server that knows nothing of our code, and the name of a new bucket."""
    return s3.make_bucket(server, monkeypatch)


@pytest.fixture
def root(bucket: tuple[Any, str]) -> Root:
    return Root(f"s3://{bucket[1]}/data")


def test_files_are_written_read_listed_and_removed(root: Root) -> None:
    assert root.read("a/b") is None
    assert root.names("a") == []
    root.write("a/b", b"one")
    root.write("a/b", b"two")
    root.write("a/folder/c", b"")
    assert root.read("a/b") == b"two"
    assert root.exists("a/b")
    assert root.names("a") == ["b"]
    root.remove("a/b")
    root.remove("a/b")
    assert not root.exists("a/b")
    assert root.read("a/b") is None


def test_an_object_appears_whole_or_not_at_all(root: Root, bucket: tuple[Any, str]) -> None:
    def write_half() -> None:
        with root.replacing("a/b") as temporary:
            temporary.write_bytes(b"hal")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    client, name = bucket
    assert client.list_objects_v2(Bucket=name)["KeyCount"] == 0
    with root.replacing("a/b") as temporary:
        temporary.write_bytes(b"whole")
    assert client.get_object(Bucket=name, Key="data/a/b")["Body"].read() == b"whole"


def test_what_another_machine_writes_is_seen_at_once(root: Root, bucket: tuple[Any, str]) -> None:
    root.write("a/b", b"one")
    assert root.names("a") == ["b"]
    assert not root.exists("a/c")
    client, name = bucket
    client.put_object(Bucket=name, Key="data/a/c", Body=b"theirs")
    client.put_object(Bucket=name, Key="data/a/b", Body=b"theirs too")
    assert root.exists("a/c")
    assert root.read("a/b") == b"theirs too"
    assert root.names("a") == ["b", "c"]
    client.delete_object(Bucket=name, Key="data/a/c")
    assert not root.exists("a/c")


def test_recordings_and_results_live_in_a_bucket(root: Root, tmp_path: Path) -> None:
    recording = tmp_path / "take.wav"
    recording.write_bytes(bytes(3 << 20))
    sha256 = hash_file(recording)
    add_asset(root, recording, sha256)
    assert has_asset(root, sha256)
    with open_asset(root, sha256) as path:
        assert hash_file(path) == sha256
    sidecars, key = Sidecars(root, "symmv"), Key("C", "major", 0.5)
    by = Provenance("key", 1, "{}", "", "", "", True, "{}")
    assert sidecars.present("song") == frozenset()
    sidecars.save("song", "key", "k", key, by)
    assert sidecars.present("song") == {"key.k.npz"}
    assert sidecars.load("song", "key", "k") == (key, by)


def test_shards_in_a_bucket_have_the_bytes_of_those_on_a_disk(root: Root, tmp_path: Path) -> None:
    rows = [make_row("muvisync", number) for number in range(3)]
    schema = published_schema("muvisync")
    local = ShardWriter(Root(str(tmp_path)), "muvisync", schema).write(rows)
    remote = ShardWriter(root, "muvisync", schema).write(rows)
    assert remote == local
    receipt = {"dataset": "muvisync", "shards": as_plain(remote)}
    write_receipt(root, "muvisync", receipt)
    assert shards_stand(root, "muvisync", receipt)
    found = list(read_rows(root, "muvisync", ["entry_id", "emotion"]))
    assert [row["entry_id"] for row in found] == [row["entry_id"] for row in rows]
    assert (found[2]["emotion"] == rows[2]["emotion"]).all()


def test_a_bucket_that_is_not_there_stops_the_run(bucket: tuple[Any, str]) -> None:
    with pytest.raises(StopRun, match="no-such-bucket"):
        Root("s3://no-such-bucket-of-ours/data").write("a", b"")


def test_a_server_that_is_not_there_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    s3fs = pytest.importorskip("s3fs", reason="s3fs is not installed")
    s3fs.S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(StopRun, match="cannot read the data root s3://unreachable"):
        Root("s3://unreachable/data").read("a")
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_training_reads_rows_out_of_a_bucket_in_part_and_once(root: Root) -> None:
    rows = [make_row("muvisync", number) for number in range(6)]
    shards = ShardWriter(root, "muvisync", published_schema("muvisync"), 80_000).write(rows)
    write_receipt(root, "muvisync", {"shards": as_plain(shards)})
    found = Rows(root, "muvisync", "train", ["entry_id", "semantic"], ["motion"])
    loader = Loader(
        found,
        lambda row, rng: {"semantic": row["semantic"]},
        Batching(2, seed=1, shuffle=False, workers=3),
    )
    first = torch.cat([batch["semantic"] for batch in loader.epoch(0)])
    np.testing.assert_array_equal(first.numpy(), np.stack([row["semantic"] for row in rows]))
    for shard in shards:
        root.remove(f"muvisync/{shard.path}")
    assert torch.equal(torch.cat([batch["semantic"] for batch in loader.epoch(1)]), first)
    with pytest.raises(StopRun, match="train-"):
        Rows(root, "muvisync", "train", ["entry_id"])
