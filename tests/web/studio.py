"""A studio whose takes are copies of one small piece, and people who order in it."""

import re
import time
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from starlette.testclient import TestClient

from symmv_builder.api.take_writer import Studio, TakeWriter
from symmv_builder.api.takes import Takes, write_state
from symmv_builder.datasets.piece_files import write_piece
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.records import Notes
from symmv_builder.settings import Settings, read_settings
from symmv_builder.training.composing import Piece
from symmv_builder.web.guard import Access, App
from symmv_builder.web.server import make_app
from tests.media import Pictures, noise, steady, write_media
from tests.web.rooms import Visitor
from tests.web.standin_take import stand_in

SECONDS = 3.0


def make_video(path: Path, seed: int = 1) -> Path:
    count = round(SECONDS * 5)
    write_media(path, Pictures([noise(seed)] * count, steady(count, 5), Fraction(5)))
    return path


def make_piece(folder: Path) -> Path:
    """The files of a piece as a take has them, beside the video that they are for."""
    video = make_video(folder / "video.mp4")
    starts = np.arange(0, 2.5, 0.25)
    notes = Notes(starts, starts + 0.2, 60 + np.arange(10), np.full(10, 70))
    low = Notes(starts[::5], starts[::5] + 1, np.array([40, 43]), np.full(2, 60))
    facts = {
        "model": "vmusprod", "tempo_bpm": 120.0, "seconds": SECONDS, "cuts_s": [1.5],
        "chords": [[0.0, 1.5, "CM"], [1.5, 3.0, "Am"]], "notes": {"melody": 10, "accompaniment": 2},
    }  # fmt: skip
    tracks = {"melody": notes, "accompaniment": low}
    piece = Piece("video", tracks, 120.0, SECONDS, facts)
    write_piece(piece, folder / "piece", video=video, notated=True)
    return folder / "piece"


class Quiet(TakeWriter):
    """A writer that writes when it is told to, without another process."""

    def wake(self) -> None:
        return

    def write_all(self) -> None:
        for project, take in self.takes.waiting():
            try:
                state, line = "done", self._write_take(project, take, self.studio)
            except (RejectEntry, StopRun) as error:
                state, line = "failed", str(error)
            write_state(replace(take, state=state, line=line))  # type: ignore[arg-type]


class House:
    """A server on a folder of takes, and whoever comes by."""

    def __init__(self, folder: Path, writer: type[TakeWriter] = Quiet, **more: object) -> None:
        self.folder = folder
        self.settings: Settings = read_settings({"HOME": str(folder)}, root=str(folder / "root"))
        self.takes = Takes(folder / "takes")
        studio = Studio(self.settings, folder / "runs", folder / "sounds")
        self.writer = writer(self.takes, studio, write=stand_in, **more)  # type: ignore[arg-type]

    def app(self, tokens: str = "") -> App:
        return make_app(self.settings, Access(token=tokens), self.folder / "runs", self.writer)

    def visitor(self, token: str = "", tokens: str = "") -> Visitor:
        """A browser at this server, which came in by a token where there are `tokens`."""
        guest = Visitor(TestClient(self.app(tokens), base_url="http://127.0.0.1:8000"))
        if token:
            guest.get("/login")
            guest.send("/login", token=token)
        return guest


def send_video(
    guest: Visitor, video: Path, status: int = 303, name: str = "holiday.mp4", **fields: str
) -> str:
    """Send a video in the form of Compose; the page that it leads to."""
    guest.get("/compose")
    answer = guest.client.post(
        "/compose",
        data={"word": guest.word, "model": "", "seed": "1", **fields},
        files={"video": (name, video.read_bytes(), "video/mp4")},
        headers={"origin": guest.origin},
        follow_redirects=False,
    )
    assert answer.status_code == status, answer.text[-600:]
    if status != 303:
        return re.sub(r"<[^>]*>", " ", answer.text)
    return str(answer.headers["location"])


def states(guest: Visitor, at: str) -> list[str]:
    return [take["state"] for take in guest.client.get(f"{at}/state").json()["takes"]]


def until_ended(guest: Visitor, at: str, patience_s: float = 40.0) -> list[str]:
    """The states of a project's takes when none waits any more."""
    end = time.monotonic() + patience_s
    while {"waiting", "running"} & set(found := states(guest, at)):
        assert time.monotonic() < end, found
        time.sleep(0.05)
    return found
