"""A small data root whose every text is a stranger's, and a browser without scripts."""

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from html import unescape
from pathlib import Path

import numpy as np
import uvicorn
from starlette.testclient import TestClient

from symmv_builder.pipeline.keys import digest
from symmv_builder.records import (
    Alignment,
    Beats,
    Chords,
    Entry,
    Key,
    KeySpans,
    Listing,
    Notes,
    ParsedTitle,
    Parts,
    Provenance,
    Record,
    Scenes,
    SongInfo,
    Source,
)
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage import items as states
from symmv_builder.storage import manifests, recordings
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.items import Item, Items, entry_id_of
from symmv_builder.storage.results import Result
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from symmv_builder.timeline import Clock
from symmv_builder.web.guard import Access, App
from symmv_builder.web.server import make_app
from tests.media import Pictures, Samples, noise, steady, tone, write_media
from tests.report.hostile import EVIL, STORED

DATASET = "symmv"
ENTRY = "yt-eeeeeeee000"
SECONDS = 3.0


def source(letter: str, number: int) -> Source:
    return Source("youtube", f"{letter * 8}{number:03d}")


def proposal(number: int) -> str:
    """The id of a proposal by its number; the first has the best score."""
    return entry_id_of(source("p", number))


def records() -> dict[str, Record]:
    """What is known of every pair: the music runs a tenth slower than the video."""
    starts = np.arange(0, 2.5, 0.25)
    seconds = np.arange(4, dtype=np.float64)
    pitches = 60 + np.arange(len(starts)) % 12
    return {
        "notes": Notes(starts, starts + 0.2, pitches, np.full(len(starts), 80)),
        "beats": Beats(np.arange(0, 2.5, 0.5), np.arange(5) % 4 + 1),
        "chords": Chords(np.array([0.0, 1.0]), np.array([1.0, 2.5]), ("C:maj", STORED)),
        "scenes": Scenes(
            np.array([0.0, 1.5]), np.array([1.5, SECONDS]), np.array([0, 37]), Clock.VIDEO
        ),
        "parts": Parts(
            *(starts, starts + 0.2, pitches, np.full(len(starts), 80)),
            *(np.arange(len(starts)), np.full(len(starts), 1), pitches > 65),
        ),
        "key": Key("C", "major", 0.5),
        "key_spans": KeySpans(np.zeros(1), np.array([2.5]), ("C",), ("major",)),
        "alignment": Alignment(0.9 * seconds, seconds, 0.8, 2),
    }


def make_root(folder: Path, *, proposals: int = 3, with_media: bool = True) -> Settings:
    """A root with an entry, one that was turned away, and so many proposals, three with media."""
    settings = read_settings({"HOME": str(folder)}, root=str(folder / "root"))
    store = settings.open_store()
    entries = [_entry(0), _entry(1)]
    manifests.write_entries(store.manifests, DATASET, entries)
    assets: dict[tuple[str, str], str] = {}
    if with_media:
        music, video = (store_media(folder, store, seed) for seed in (1, 2))
        for number in range(min(proposals, 3)):
            assets[("youtube", source("p", number).video_id)] = music
            assets[("youtube", source("o", number).video_id)] = video
        assets[("youtube", entries[0].music.video_id)] = music
        assets[("youtube", entries[0].video.video_id)] = video
        mine = {ENTRY: {"music": music, "video": video}}
        recordings.write_recordings(store.manifests, DATASET, mine)
        store.ledger.record_assets(assets)
    _store_records(store, ENTRY)
    refused = Result(entries[1].entry_id, "loudness", "loudness", "k", "", 0.1, "too_quiet", STORED)
    store.ledger.record_results(DATASET, [refused])
    items = Items(store.ledger)
    items.add([_item(number) for number in range(proposals)])
    items.add([_item(proposals, state=states.REVIEW)])
    for number in range(min(proposals, 2)):
        _store_records(store, proposal(number))
    store.ledger.close()
    return settings


def _entry(number: int) -> Entry:
    music, video = source("e", number), source("v", number)
    song = SongInfo(title=STORED, artist=f"Artist {number}", genre="Pop", note=STORED)
    return Entry(entry_id_of(music), DATASET, f"song-{number}", video, music, song)


def _item(number: int, *, state: str = states.PROPOSED) -> Item:
    candidate = {"title": STORED, "score": 0.5, "parts": {STORED: 0.25}}
    return Item(
        DATASET,
        Listing(source("p", number), f"{STORED} {number}", STORED),
        origin=STORED,
        state=state,
        parsed=ParsedTitle(STORED, STORED, 0.5, (STORED,)),
        official=Listing(source("o", number), STORED, STORED),
        score=0.9 - number / 1000,
        evidence=json.dumps([candidate]),
        detail=STORED,
    )


def store_media(folder: Path, store: Store, seed: int) -> str:
    """A short video with sound in the store; its hash."""
    path = folder / f"{seed}.mp4"
    count = round(SECONDS * 5)
    frames = [noise(seed)] * count
    pictures = Pictures(frames, steady(count, 5), Fraction(5))
    write_media(path, pictures, Samples(tone(SECONDS, 16000), 16000, codec="aac"))
    sha256 = hash_file(path)
    add_asset(store.root, path, sha256)
    return sha256


def _store_records(store: Store, entry_id: str) -> None:
    sidecars = Sidecars(store.root, DATASET)
    results = []
    for name, record in records().items():
        key = digest([entry_id, name])
        by = Provenance(name, 1, STORED, "a model", "1", "", False, "")
        sidecars.save(entry_id, name, key, record, by)
        results.append(Result(entry_id, name, name, key, "a model", 0.25))
    store.ledger.record_results(DATASET, results)


def make_run(folder: Path, steps: int = 20) -> None:
    """The folder of a training that goes on."""
    folder.mkdir(parents=True)
    lines = [
        {"step": step, "epoch": 0, "split": split, "loss": 2.0 / step + shift}
        for step in range(1, steps + 1)
        for split, shift in (("train", 0.0), ("validation", 0.1))
        if split == "train" or step % 5 == 0
    ]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@dataclass
class Visitor:
    """A browser without scripts: it keeps cookies and sends the forms that a page shows."""

    client: TestClient
    origin: str = "http://127.0.0.1:8000"
    word: str = ""
    pages: dict[str, str] = field(default_factory=dict)

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
        text: str = answer.text
        if match := re.search(r'name="word" value="([0-9a-f]+)"', text):
            self.word = match[1]
        return text

    def send(self, path: str, status: int = 303, **fields: str) -> str:
        """Where a form leads."""
        answer = self.client.post(
            path,
            data={"word": self.word, **fields},
            headers={"origin": self.origin},
            follow_redirects=False,
        )
        assert answer.status_code == status, (path, answer.status_code, answer.text[:500])
        return str(answer.headers.get("location", ""))

    def is_called(self, name: str) -> "Visitor":
        self.get("/name")
        self.send("/name", name=name)
        return self


def visitor(settings: Settings, *, token: str = "", runs: Path = Path("no-runs")) -> Visitor:
    """Somebody who opens the pages for the first time."""
    app = make_app(settings, Access(token=token), runs)
    client = TestClient(app, base_url="http://127.0.0.1:8000", raise_server_exceptions=True)
    return Visitor(client)


@contextmanager
def serving(app: App) -> Iterator[str]:
    """The address of an application that is served by a thread."""
    server = uvicorn.Server(
        uvicorn.Config(app, port=0, log_config=None, log_level="error", server_header=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def text_of(page: str) -> str:
    """What a person reads of a page: its text without elements."""
    return unescape(re.sub(r"<[^>]*>", " ", page))


__all__ = ["DATASET", "ENTRY", "EVIL", "STORED", "Visitor", "make_root", "proposal", "visitor"]
