"""An S3 server for the tests, as a thread of this process; what it holds goes with it."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def serving() -> Iterator[str]:
    """The address of a new server while this is entered."""
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    moto = pytest.importorskip("moto.server", reason="moto's server is not installed")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    try:
        yield f"http://{host}:{port}"
    finally:
        running.stop()


def make_bucket(server: str, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, str]:
    """A client of the server that knows nothing of our code, and the name of a new bucket.

    From here on the environment leads to that server. fsspec keeps the clients that it made, and
    one of an earlier server, which is gone, would serve for this one, too.
    """
    pytest.importorskip("s3fs").S3FileSystem.clear_instance_cache()
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    boto3 = pytest.importorskip("boto3", reason="boto3 is not installed")
    client, name = boto3.client("s3"), f"symmv-{uuid.uuid4().hex[:12]}"
    client.create_bucket(Bucket=name)
    return client, name
