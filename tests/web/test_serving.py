"""`symmv web` says where it can be opened, and refuses in one line where it cannot serve."""

import logging
import socket
import threading
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from symmv_builder.api import reviewing
from symmv_builder.cli import app
from symmv_builder.storage.decisions import read_decisions
from tests.web.rooms import DATASET, make_root, proposal


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def said(*words: str) -> str:
    """What the command prints, or the line of what stops it."""
    done = CliRunner().invoke(app, ["web", *words])
    return done.output + (str(done.exception) if done.exception else "")


def test_the_address_is_said_and_an_interrupt_is_the_usual_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watched(logging.NullHandler):
        closed = False

        def close(self) -> None:
            self.closed = True

    def interrupted(server: uvicorn.Server, sockets: list[socket.socket]) -> None:
        assert sockets[0].getsockname() == ("127.0.0.1", port)
        assert server.config.access_log is False
        raise KeyboardInterrupt

    port, watched = free_port(), Watched()
    monkeypatch.setattr(uvicorn.Server, "run", interrupted)
    words = ("--root", str(tmp_path / "root"), "--port", str(port))
    assert said(*words) == f"open http://127.0.0.1:{port}/\n"
    assert not watched.closed, "logging is arranged by the program that serves, not by a server"
    # Nothing is made of a root that is only looked at.
    assert not (tmp_path / "root").exists()


def test_a_port_that_is_taken_and_a_host_without_a_token_are_refused(tmp_path: Path) -> None:
    root = ("--root", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert "nothing can listen there" in said(*root, "--port", port)
    assert "token" in said(*root, "--host", "0.0.0.0")
    assert "can be guessed" in said(*root, "--token", "1234")


def test_two_who_decide_at_once_both_stand_in_the_file(tmp_path: Path) -> None:
    settings = make_root(tmp_path, with_media=False)
    names = [f"reviewer {number}" for number in range(6)]
    threads = [
        threading.Thread(
            target=reviewing.decide,
            args=(settings, DATASET, [proposal(0)], "accept"),
            kwargs={"by": name},
        )
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    decisions = read_decisions(settings.open_manifests(), DATASET)
    assert sorted(each.reviewer for each in decisions) == names
