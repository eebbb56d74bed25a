"""Shazam's answers, from a service on the loopback that says what a test tells it to."""

import asyncio
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome
from symmv_builder.backends import shazam as backend
from symmv_builder.backends.shazam import Shazam
from symmv_builder.errors import RetryLater, StopRun
from symmv_builder.records import SongInfo

pytest.importorskip("shazamio")

KNOWN: dict[str, Any] = {
    "matches": [{"id": "1", "timeskew": 0.0, "frequencyskew": 0.0}],
    "track": {
        "key": "40333609",
        "title": "Clair de lune",
        "subtitle": "Claude Debussy",
        "isrc": "FRZ017800123",
        "url": "https://www.shazam.com/track/40333609/clair-de-lune",
        "genres": {"primary": "Classical"},
        "sections": [{"type": "SONG"}, {"type": "LYRICS", "text": ["words", "and words"]}],
    },
}


@dataclass
class Fake:
    """What the service answers, and what it was asked."""

    status: int = 200
    body: bytes = b"{}"
    asked: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def fake() -> Iterator[Fake]:
    told = Fake()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.asked.append((self.path, json.loads(body)))
            self.send_response(told.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(told.body)))
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.end_headers()
            self.wfile.write(told.body)

        def log_message(self, format: str, *args: object) -> None:
            return None

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}"
    yield told
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def sound() -> NDArray[np.float32]:
    """Twelve seconds with something in them to make a fingerprint of."""
    times = np.arange(12 * Shazam.rate_hz) / Shazam.rate_hz
    tones = [np.sin(2 * np.pi * hz * times) * (times % 0.5 < 0.4) for hz in (440, 554, 659, 880)]
    rough = np.random.default_rng(0).normal(size=len(times)) * 0.05
    return np.asarray(0.2 * sum(tones) + rough, dtype=np.float32)


def model(fake: Fake) -> Shazam:
    return Shazam(ModelHome(paths={"shazam": fake.url}))


def test_a_known_recording_has_a_title_numbers_and_a_place_for_its_lyrics(
    fake: Fake, sound: NDArray[np.float32]
) -> None:
    fake.body = json.dumps(KNOWN).encode()
    assert model(fake).recognise(sound) == SongInfo(
        title="Clair de lune",
        artist="Claude Debussy",
        genre="Classical",
        shazam_id="40333609",
        isrc="FRZ017800123",
        lyrics_url="https://www.shazam.com/track/40333609/clair-de-lune",
        identified_by="shazam",
    )
    [(path, asked)] = fake.asked
    assert path.startswith("/discovery/v5/")
    assert asked["signature"]["uri"].startswith("data:audio/vnd.shazam.sig")
    assert 9000 < asked["signature"]["samplems"] < 13000


def test_an_unknown_recording_is_no_song(fake: Fake, sound: NDArray[np.float32]) -> None:
    fake.body = b'{"matches": []}'
    assert model(fake).recognise(sound) is None


def test_it_answers_inside_a_running_event_loop(fake: Fake, sound: NDArray[np.float32]) -> None:
    fake.body = json.dumps(KNOWN).encode()

    async def inside() -> SongInfo | None:
        return model(fake).recognise(sound)

    found = asyncio.run(inside())
    assert found is not None
    assert found.title == "Clair de lune"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (429, b"{}"),
        (503, b"{}"),
        (302, b"{}"),
        (200, b"<html>"),
        (200, b"[1, 2]"),
        (200, b"[" * 100_000),
        (200, b'"' + b"x" * (backend.MAX_BYTES + 10) + b'"'),
    ],
    ids=["limited", "down", "redirected", "page", "list", "deep", "huge"],
)
def test_an_answer_without_sense_is_a_reason_to_come_again(
    fake: Fake, sound: NDArray[np.float32], status: int, body: bytes
) -> None:
    fake.status, fake.body = status, body
    with pytest.raises(RetryLater, match="Shazam"):
        model(fake).recognise(sound)


def test_a_service_that_is_not_there_is_a_reason_to_come_again(sound: NDArray[np.float32]) -> None:
    with pytest.raises(RetryLater, match="not to be reached"):
        Shazam(ModelHome(paths={"shazam": "http://127.0.0.1:1"})).recognise(sound)


def test_a_service_that_does_not_answer_is_left_after_a_while(
    sound: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    monkeypatch.setattr(backend, "TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        url = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        with pytest.raises(RetryLater, match="not to be reached"):
            Shazam(ModelHome(paths={"shazam": url})).recognise(sound)


@pytest.mark.parametrize(
    "track",
    [
        None,
        [],
        {"title": None},
        {"title": {"$": 1}},
        {"title": "A\n\x1b[31mB\u202e", "key": "../../x", "genres": [], "sections": {"type": 1}},
        {"title": "B" * 10_000, "subtitle": 3, "key": "٣", "genres": {"primary": ["x"]}},
        {"title": "C", "url": "file:///etc/passwd", "sections": [None, {"type": "LYRICS"}]},
    ],
)
def test_hostile_fields_are_dropped_or_made_harmless(
    fake: Fake, sound: NDArray[np.float32], track: object
) -> None:
    fake.body = json.dumps({"track": track}).encode()
    found = model(fake).recognise(sound)
    if found is not None:
        assert found.title.isprintable()
        assert 0 < len(found.title) <= backend.MAX_TEXT
        assert (found.shazam_id, found.lyrics_url, found.genre, found.artist) == ("", "", "", "")


@pytest.mark.parametrize("seconds", [0.0, 0.2, 12.0])
def test_silence_and_scraps_are_no_song(fake: Fake, seconds: float) -> None:
    fake.body = b'{"matches": []}'
    silence = np.zeros(round(seconds * Shazam.rate_hz), np.float32)
    assert model(fake).recognise(silence) is None


@pytest.mark.parametrize("url", ["", "file:///etc/passwd", "amp.shazam.com", "https://"])
def test_an_address_that_is_not_of_the_web_stops_the_run(url: str) -> None:
    with pytest.raises(StopRun, match="SYMMV_MODEL_SHAZAM"):
        Shazam(ModelHome(paths={"shazam": url}))
