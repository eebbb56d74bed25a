"""A crawl under fire: every failure of a site at once, and the crawler killed again and again.

    python benchmarks/soak.py [ITEMS [SEED]]

A loopback site is given ITEMS piano covers (default 2000) and as many official videos, with
failures drawn by SEED: some last, most pass. The real crawler with the real downloader runs
in a process of its own, which is killed (SIGKILL) at random moments and started again until
nothing is left to do. Then every item is held against what is true of it, and the site's
own count of visits against what a polite crawler may ask for. Its clock jumps over waits.
"""

import os
import random
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from symmv_builder import datasets
from symmv_builder.backends.pyav.encode import write_sound, write_video
from symmv_builder.backends.ytdlp import LOOPBACK, Downloader
from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.crawl.titles import Habits
from symmv_builder.datasets.crawl import (
    Patience,
    discover_new,
    due_in_s,
    network_opens_s,
    open_crawl,
    origin_of,
    work_off,
)
from symmv_builder.demo.answers import serve
from symmv_builder.demo.catalogue import Channel, Description, Failure, Upload
from symmv_builder.demo.site import VARIABLE, Site
from symmv_builder.errors import Reason
from symmv_builder.records import Source
from symmv_builder.storage import items as states
from symmv_builder.storage.assets import has_asset
from symmv_builder.storage.items import Item, Items
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.store import Store

CANARY = "canary00000"
ATTEMPTS = 8
# More refusals in a row than there are attempts: none may be spent on them.
BLOCKS = ATTEMPTS + 2
SOURCE = CrawlSource("channel", "pianist", None, "demo", "Pianist", "", Habits())
LASTING = {
    Failure.REMOVED: Reason.VIDEO_REMOVED,
    Failure.PRIVATE: Reason.VIDEO_PRIVATE,
    Failure.COPYRIGHT: Reason.COPYRIGHT,
    Failure.GEO_BLOCKED: Reason.GEO_BLOCKED,
    Failure.MEMBERS_ONLY: Reason.MEMBERS_ONLY,
    Failure.AGE_RESTRICTED: Reason.AGE_RESTRICTED,
    Failure.DRM: Reason.DRM,
    Failure.UPCOMING: Reason.NOT_YET_AVAILABLE,
    # Of media, whoever asks and however often: given up when the attempts are used up.
    Failure.FORBIDDEN: Reason.REFUSED,
    Failure.TRUNCATED: Reason.UNREADABLE,
    Failure.DAMAGED: Reason.UNREADABLE,
    Failure.NO_FORMATS: Reason.NO_FORMATS,
}
SESSION = (Failure.TOO_MANY_REQUESTS, Failure.BOT_CHECK, Failure.RATE_LIMITED)
# How often each strikes one video before it passes: fewer times than there are attempts.
PASSING = {
    Failure.FORBIDDEN_ONCE: None,
    Failure.CUT_ONCE: None,
    Failure.TRUNCATED: 2,
    Failure.DAMAGED: 2,
    Failure.SERVER_ERROR: 2,
    Failure.NO_FORMATS: 2,
}
_SYLLABLES = [c + v for c in "bcdfghjklmnprstvz" for v in "aeiou"]
WASTEFUL = (Failure.DAMAGED, Failure.TRUNCATED)


@dataclass(frozen=True, slots=True)
class Fate:
    """What was ordered for one cover and its official video, and how the item must end."""

    cover: str
    official: str
    reason: str = ""
    failures: tuple[Failure, ...] = ()
    blocked: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a soak came to; `faults` is empty where all is as it must be."""

    items: int
    ends: Counter[str]
    kills: int
    starts: int
    refusals: int
    resumed: int
    again: int
    seconds: float
    faults: tuple[str, ...]


def make_site(folder: Path, count: int, seed: int) -> tuple[Description, list[Fate]]:
    """Channels with `count` covers and as many official videos; a fate for each pair."""
    draw = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed)
    write_sound(folder / "cover.flac", _noise(noise, 1.0), 16000)
    frames = (noise.integers(0, 256, (48, 64, 3)).astype(np.uint8) for _ in range(5))
    write_video(
        folder / "video.mp4", frames, frame_rate=Fraction(5), sound=_noise(noise, 1.0),
        sound_rate_hz=16000, preset="ultrafast",
    )  # fmt: skip
    names = _names(draw, 2 * count)
    pianist = Channel("pianist", "Pianist")
    channels, uploads, fates = [pianist, Channel("mine", "Mine")], [], []
    for number in range(count):
        artist, song = names[2 * number], names[2 * number + 1]
        cover, official = f"cov{number:08d}", f"off{number:08d}"
        owner = Channel(f"singer-{number}", artist, verified=True)
        channels.append(owner)
        uploads.append(
            Upload(cover, f"{artist} - {song} (Piano Cover)", pianist.name,
                   folder / "cover.flac", media_is_audio=True, duration_s=200.0)
        )  # fmt: skip
        uploads.append(
            Upload(official, f"{artist} - {song} (Official Video)", owner.name,
                   folder / "video.mp4", duration_s=210.0, views=10**7)
        )  # fmt: skip
        fates.append(_fate(draw, cover, official))
    uploads.append(Upload(CANARY, "Canary", "mine", folder / "video.mp4"))
    return Description(tuple(channels), tuple(uploads)), fates


def _noise(draw: np.random.Generator, seconds: float) -> np.ndarray:
    return draw.uniform(-0.5, 0.5, (round(seconds * 16000), 1)).astype(np.float32)


def _names(draw: random.Random, count: int) -> list[str]:
    """Names of two words that are unlike each other, none twice."""
    names: dict[str, None] = {}
    while len(names) < count:
        words = ("".join(draw.choice(_SYLLABLES) for _ in range(4)) for _ in range(2))
        names[" ".join(words).title()] = None
    return list(names)


def _fate(draw: random.Random, cover: str, official: str) -> Fate:
    """Three in ten have something that lasts, one in ten is refused often, most meet more."""
    kind = draw.random()
    some = tuple(draw.sample(list(PASSING), draw.choice((0, 1, 2))))
    if kind < 0.3:
        failure = draw.choice(list(LASTING))
        return Fate(cover, official, LASTING[failure], (failure,))
    return Fate(cover, official, "", some, blocked=kind < 0.4)


def order_failures(site: Site, fates: Sequence[Fate], seed: int) -> None:
    """Switch on what every fate says, and a few refusals of lists and searches besides."""
    draw = random.Random(seed + 1)
    for fate in fates:
        for failure in fate.failures:
            of_cover = draw.random() < 0.5
            name = fate.cover if of_cover else fate.official
            site.fail(failure, name, times=None if fate.reason else PASSING[failure])
        if fate.blocked:
            site.fail(draw.choice(SESSION), fate.official, times=BLOCKS)
    site.fail(Failure.SERVER_ERROR, probability=0.02)
    site.fail(Failure.TOO_MANY_REQUESTS, probability=0.005)
    site.fail(Failure.SLOW, probability=0.1, bytes_a_second=120_000)


class JumpingClock:
    """The time, and as much more as was jumped over; kept in a file, so that a start knows it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ahead_s = float(path.read_text()) if path.exists() else 0.0

    def __call__(self) -> float:
        return time.time() + self._ahead_s

    def jump(self, seconds: float) -> None:
        self._ahead_s += seconds
        temporary = self._path.with_suffix(".part")
        temporary.write_text(repr(self._ahead_s))
        temporary.replace(self._path)


def open_store(folder: Path) -> Store:
    root = Root(str(folder))
    folder.mkdir(parents=True, exist_ok=True)
    return Store(root, root, Ledger(f"sqlite:///{folder / 'ledger.sqlite'}"))


def work(folder: Path) -> None:
    """The crawler: runs until nothing is left, or until it is killed."""
    clock = JumpingClock(folder / "clock")
    site = Downloader(LOOPBACK, sites=("demo",), canary=Source("demo", CANARY))
    opened = open_crawl(
        datasets.recipe("symmv"), open_store(folder), site, [SOURCE], tell=lambda _: None
    )
    crawl = replace(opened, now=clock, patience=Patience(attempts=ATTEMPTS))
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # As long as the list could not be read to its end, it is read again.
    while origin_of(SOURCE) not in crawl.items.passed("symmv"):
        clock.jump(network_opens_s(crawl))
        discover_new(crawl)
    while True:
        work_off(crawl)
        waits_s = due_in_s(crawl)
        if waits_s is None:
            return
        clock.jump(waits_s + 1.0)


def soak(folder: Path, count: int, *, seed: int, kills: int, longest_s: float) -> Outcome:
    """Crawl `count` items to their end through failures and `kills` kills, and judge it all."""
    started = time.monotonic()
    description, fates = make_site(folder / "media", count, seed)
    draw = random.Random(seed + 2)
    starts = killed = 0
    with serve(description, seed=seed) as site:
        order_failures(site, fates, seed)
        while True:
            starts += 1
            moment_s = draw.uniform(0.0, longest_s) if killed < kills else None
            code = _run_worker(folder / "data", site.url, moment_s)
            if code == 0:
                break
            if code != -signal.SIGKILL or moment_s is None:
                raise SystemExit(f"the crawler ended with {code}")
            killed += 1
        store = open_store(folder / "data")
        items = Items(store.ledger).find("symmv")
        faults = judge(site, store, items, fates, killed)
        visits = site.visits("media")
    return Outcome(
        items=len(items),
        ends=Counter(item.reason or item.state for item in items),
        kills=killed,
        starts=starts,
        refusals=sum(BLOCKS for fate in fates if fate.blocked),
        resumed=sum(visit.first_byte > 0 for visit in visits),
        again=sum(whole - 1 for whole in _whole_deliveries(site, fates).values() if whole > 1),
        seconds=time.monotonic() - started,
        faults=tuple(faults),
    )


def _run_worker(data: Path, url: str, moment_s: float | None) -> int:
    """Start the crawler; kill it so many seconds after it is ready, or let it end."""
    data.mkdir(parents=True, exist_ok=True)
    # What the package and this file are imported from, wherever the caller stands.
    path = os.pathsep.join([str(Path(__file__).resolve().parent.parent), *sys.path])
    worker = subprocess.Popen(
        [sys.executable, str(Path(__file__).resolve()), "--work", str(data)],
        env={**os.environ, VARIABLE: url, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
    )
    try:
        if worker.stdout is not None and moment_s is not None:
            select.select([worker.stdout], [], [], 60.0)
            with suppress(subprocess.TimeoutExpired):
                return worker.wait(timeout=moment_s)
            worker.kill()
        return worker.wait()
    finally:
        worker.kill()
        worker.communicate()


def judge(
    site: Site, store: Store, items: Sequence[Item], fates: Sequence[Fate], kills: int
) -> list[str]:
    """Everything that is not as it must be, a line each."""
    faults = []
    by_id = {item.source.video_id: item for item in items}
    for fate in fates:
        item = by_id.pop(fate.cover, None)
        if item is None:
            faults.append(f"{fate.cover} is lost")
            continue
        expectation = (states.REJECTED, fate.reason) if fate.reason else (states.FETCHED, "")
        # The last attempt says why; it may have met a busy server instead.
        is_busy = bool(fate.reason) and item.reason == Reason.UNREACHABLE
        if (item.state, item.reason) != expectation and not (is_busy and _given_up(item)):
            faults.append(
                f"{fate.cover} is {item.state} {item.reason} ({item.detail}), not {expectation}, "
                f"with {fate.failures}"
            )
        if not fate.reason:
            for name in (fate.cover, fate.official):
                sha256 = store.ledger.asset_of("demo", name)
                if sha256 is None or not has_asset(store.root, sha256):
                    faults.append(f"{name} is not in the store")
    faults += [f"{name} was never uploaded" for name in by_id]
    again = {name: n for name, n in _whole_deliveries(site, fates).items() if n > 1}
    # What is on its way to a process that is killed is lost with it.
    if sum(again.values()) - len(again) > kills:
        faults.append(f"fetched more than once: {again}")
    return faults


def _given_up(item: Item) -> bool:
    return item.detail.startswith(f"given up after {ATTEMPTS} attempts")


def _whole_deliveries(site: Site, fates: Sequence[Fate]) -> dict[str, int]:
    """How often each video's file went out whole and undamaged from its first byte."""
    wasted = {
        name
        for fate in fates
        for name in (fate.cover, fate.official)
        if set(fate.failures) & set(WASTEFUL)
    }
    counts: Counter[str] = Counter()
    for visit in site.visits("media"):
        upload = site.upload(visit.name)
        size = upload.media.stat().st_size if upload else 0
        if visit.first_byte == 0 and visit.sent_bytes >= size and visit.name not in wasted:
            counts[visit.name] += 1
    return dict(counts)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    with tempfile.TemporaryDirectory() as folder:
        kills = max(5, count // 40)
        outcome = soak(Path(folder), count, seed=seed, kills=kills, longest_s=8.0)
    rows = {
        "items": outcome.items,
        "seconds": f"{outcome.seconds:.0f}",
        "items a second": f"{outcome.items / outcome.seconds:.1f}",
        "kill -9": outcome.kills,
        "starts": outcome.starts,
        "refusals of the session (no attempt spent)": outcome.refusals,
        "downloads continued where they broke off": outcome.resumed,
        "files asked for again after a kill": outcome.again,
        **{f"ended as {name}": number for name, number in outcome.ends.most_common()},
        "faults": len(outcome.faults),
    }
    for name, value in rows.items():
        sys.stdout.write(f"{name:<44}{value:>8}\n")
    for fault in outcome.faults:
        sys.stdout.write(f"{fault}\n")
    sys.exit(1 if outcome.faults else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]))
    else:
        main()
