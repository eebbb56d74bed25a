"""Recordings of the loopback site on their way into the store."""

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from symmv_builder.backends.ytdlp import LOOPBACK, Downloader
from symmv_builder.crawl.fetch import DamagedDownload, fetch
from symmv_builder.demo.catalogue import Failure, Upload
from symmv_builder.demo.site import Site
from symmv_builder.errors import Reason, RejectEntry, RetryLater, StopRun
from symmv_builder.records import MediaKind, Source
from symmv_builder.storage.assets import has_asset, hash_file, open_asset
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from tests.loopback import CHANNEL, HOSTILE, make_sound, make_video, running, video_id

BOTH = Source("demo", video_id(0))
SOUND = Source("demo", video_id(1))


@dataclass(frozen=True)
class Store:
    """A data root with its ledger."""

    folder: Path
    root: Root
    ledger: Ledger

    def leftovers(self) -> list[str]:
        return sorted(p.name for p in (self.folder / "staging").glob("[!.]*"))


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("media")
    return {
        "video": make_video(folder / "video.mp4"),
        "sound": make_sound(folder / "sound.flac", seconds=3.0),
    }


@pytest.fixture
def site(media: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    uploads = (
        Upload(BOTH.video_id, HOSTILE, CHANNEL.name, media["video"], sound=media["sound"]),
        Upload(SOUND.video_id, "Sound", CHANNEL.name, media["sound"], media_is_audio=True),
    )
    with running(monkeypatch, *uploads) as running_site:
        yield running_site


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    folder = tmp_path / "data"
    folder.mkdir()
    ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}")
    yield Store(folder, Root(str(folder)), ledger)
    ledger.close()


@pytest.fixture
def downloader() -> Downloader:
    return Downloader(LOOPBACK, sites=["demo"])


def test_a_recording_is_stored_under_its_hash_with_its_facts(
    site: Site, store: Store, downloader: Downloader, media: dict[str, Path]
) -> None:
    done = fetch(downloader, BOTH, store.root, store.ledger, kind="video")
    assert done.sha256 == hash_file(media["video"])
    assert done.asset.kind is MediaKind.VIDEO
    assert done.asset.duration_s == pytest.approx(2.0, abs=0.1)
    assert done.listing is not None
    assert done.listing.title == HOSTILE
    assert done.formats == ("media",)
    with open_asset(store.root, done.sha256) as path:
        assert path.read_bytes() == media["video"].read_bytes()
    assert store.leftovers() == []


def test_what_is_in_the_store_is_not_fetched_again(
    site: Site, store: Store, downloader: Downloader
) -> None:
    first = fetch(downloader, BOTH, store.root, store.ledger, kind="video")
    before = len(site.visits())
    again = fetch(downloader, BOTH, store.root, store.ledger, kind="video")
    as_sound = fetch(downloader, BOTH, store.root, store.ledger, kind="audio")
    assert (again.sha256, again.asset) == (first.sha256, first.asset)
    assert as_sound.sha256 == first.sha256
    assert again.listing is None
    assert len(site.visits()) == before


def test_a_video_is_fetched_where_the_store_has_only_its_sound(
    site: Site, store: Store, downloader: Downloader
) -> None:
    sound = fetch(downloader, BOTH, store.root, store.ledger, kind="audio")
    video = fetch(downloader, BOTH, store.root, store.ledger, kind="video")
    assert sound.asset.kind is MediaKind.AUDIO
    assert video.asset.kind is MediaKind.VIDEO
    assert store.ledger.asset_of("demo", BOTH.video_id) == video.sha256


def test_a_file_that_is_lost_from_the_store_is_fetched_again(
    site: Site, store: Store, downloader: Downloader
) -> None:
    done = fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    store.root.remove(f"assets/{done.sha256[:2]}/{done.sha256}")
    again = fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert again.listing is not None
    assert has_asset(store.root, done.sha256)


def test_a_damaged_file_is_thrown_away_and_fetched_whole_the_next_time(
    site: Site, store: Store, downloader: Downloader, media: dict[str, Path]
) -> None:
    site.fail(Failure.DAMAGED, BOTH.video_id)
    with pytest.raises(DamagedDownload) as damaged:
        fetch(downloader, BOTH, store.root, store.ledger, kind="video")
    assert damaged.value.spends_attempt
    assert damaged.value.reason is Reason.UNREADABLE
    assert store.leftovers() == []
    assert store.ledger.assets() == {}
    site.heal()
    done = fetch(downloader, BOTH, store.root, store.ledger, kind="video")
    assert done.sha256 == hash_file(media["video"])


def test_a_file_that_claims_another_length_than_its_page_came_damaged(
    site: Site, store: Store, downloader: Downloader, monkeypatch: pytest.MonkeyPatch
) -> None:
    def probe(*_: object, **__: object) -> None:
        raise RejectEntry(Reason.TOO_LONG, "the file lasts 35606 s")

    known = site.upload(SOUND.video_id)
    assert known is not None
    monkeypatch.setattr("symmv_builder.backends.pyav.probe", probe)
    with pytest.raises(RejectEntry, match="35606"):
        fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    site.add(replace(known, duration_s=3.0))
    with pytest.raises(DamagedDownload, match="35606"):
        fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert store.leftovers() == []


def test_a_truncated_file_is_kept_and_continued_the_next_time(
    site: Site, store: Store, downloader: Downloader, media: dict[str, Path]
) -> None:
    site.fail(Failure.TRUNCATED, SOUND.video_id)
    with pytest.raises(RetryLater):
        fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert store.leftovers() == [f"demo-{SOUND.video_id}-audio"]
    site.heal()
    size = media["sound"].stat().st_size
    before = site.bytes_sent(SOUND.video_id)
    done = fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert done.sha256 == hash_file(media["sound"])
    assert site.bytes_sent(SOUND.video_id) - before < size * 0.7
    assert store.leftovers() == []


def test_what_is_rejected_leaves_nothing_behind(
    site: Site, store: Store, downloader: Downloader
) -> None:
    with pytest.raises(RejectEntry) as rejected:
        fetch(downloader, SOUND, store.root, store.ledger, kind="video")
    assert rejected.value.reason is Reason.NO_VIDEO
    assert store.leftovers() == []
    assert list(store.folder.glob("assets/*/*")) == []


def test_two_who_fetch_the_same_at_once_ask_for_it_once(
    site: Site, store: Store, media: dict[str, Path]
) -> None:
    site.fail(Failure.SLOW, bytes_a_second=400_000)
    hashes: list[str] = []

    def work() -> None:
        mine = Downloader(LOOPBACK, sites=["demo"])
        hashes.append(fetch(mine, SOUND, store.root, store.ledger, kind="audio").sha256)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert hashes == [hash_file(media["sound"])] * 3
    assert len(site.visits("media", SOUND.video_id)) == 1


FETCH = """
import sys
from symmv_builder.backends.ytdlp import LOOPBACK, Downloader
from symmv_builder.crawl import fetch
from symmv_builder.records import Source
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
folder, when = sys.argv[2:]
if when:
    import os
    setattr(fetch, when, lambda *_: os.kill(os.getpid(), 9))
root, ledger = Root(folder), Ledger(f"sqlite:///{folder}/ledger.sqlite")
downloader = Downloader(LOOPBACK, sites=["demo"])
fetch.fetch(downloader, Source("demo", sys.argv[1]), root, ledger, kind="audio")
"""


def start(store: Store, when: str = "") -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", FETCH, SOUND.video_id, str(store.folder), when]
    return subprocess.Popen(command)


def test_a_killed_fetch_is_taken_up_where_it_was(
    site: Site, store: Store, downloader: Downloader, media: dict[str, Path]
) -> None:
    site.fail(Failure.SLOW, bytes_a_second=60_000)
    victim = start(store)
    part = store.folder / "staging" / f"demo-{SOUND.video_id}-audio" / "x"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        found = list(part.parent.glob("*.part"))
        if found and found[0].stat().st_size > 10_000:
            break
        time.sleep(0.02)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    kept = found[0].stat().st_size
    site.heal()
    done = fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert done.sha256 == hash_file(media["sound"])
    last = next(v for v in site.visits("media", SOUND.video_id) if v.status == 206)
    assert (last.first_byte, last.sent_bytes) == (kept, media["sound"].stat().st_size - kept)
    assert store.leftovers() == []


@pytest.mark.parametrize("when", ["_look_into", "add_asset", "hash_file"])
def test_a_file_that_arrived_is_never_asked_for_again_whenever_its_fetcher_dies(
    site: Site, store: Store, downloader: Downloader, media: dict[str, Path], when: str
) -> None:
    assert start(store, when).wait() == -signal.SIGKILL
    assert len(site.visits("media", SOUND.video_id)) == 1
    done = fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert done.sha256 == hash_file(media["sound"])
    assert len(site.visits("media", SOUND.video_id)) == 1
    assert store.leftovers() == []


def test_a_remote_root_is_filled_through_a_local_staging_folder(
    site: Site, store: Store, downloader: Downloader, tmp_path: Path
) -> None:
    root = Root("memory://fetched")
    staging = tmp_path / "staging"
    done = fetch(downloader, SOUND, root, store.ledger, kind="audio", staging=staging)
    assert has_asset(root, done.sha256)
    assert list(staging.glob("[!.]*")) == []


def private(path: Path) -> bool:
    facts = path.lstat()
    return stat.S_IMODE(facts.st_mode) == 0o700 and facts.st_uid == os.geteuid()


def test_staging_is_a_folder_of_the_user_alone(
    site: Site, store: Store, downloader: Downloader
) -> None:
    staging = store.folder / "staging"
    staging.mkdir(mode=0o755)
    fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert private(staging)
    assert {stat.S_IMODE(path.stat().st_mode) for path in staging.iterdir()} == {0o600}


def test_a_remote_root_stages_in_the_users_cache_and_not_in_a_folder_that_all_share(
    site: Site,
    store: Store,
    downloader: Downloader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "shared"))
    fetch(downloader, SOUND, Root("memory://staged"), store.ledger, kind="audio")
    assert private(tmp_path / "cache" / "symmv" / "staging")
    assert not (tmp_path / "shared").exists()


def test_a_link_in_the_place_of_staging_is_refused(
    site: Site, store: Store, downloader: Downloader, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (store.folder / "staging").symlink_to(elsewhere)
    with pytest.raises(StopRun, match="staging: it is a link"):
        fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert list(elsewhere.iterdir()) == []
    assert site.visits("media") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_staging_folder_of_somebody_else_is_refused(
    site: Site, store: Store, downloader: Downloader
) -> None:
    staging = store.folder / "staging"
    staging.mkdir(mode=0o777)
    os.chown(staging, 65534, 65534)
    with pytest.raises(StopRun, match="belongs to somebody else"):
        fetch(downloader, SOUND, store.root, store.ledger, kind="audio")


def test_a_lock_is_never_a_link_and_never_emptied(
    site: Site, store: Store, downloader: Downloader, tmp_path: Path
) -> None:
    fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    [lock] = (store.folder / "staging").glob(".lock-*")
    lock.write_text("kept")
    fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert lock.read_text() == "kept"
    victim = tmp_path / "victim"
    victim.write_text("precious")
    lock.unlink()
    lock.symlink_to(victim)
    with pytest.raises(StopRun):
        fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert victim.read_text() == "precious"


@pytest.mark.parametrize(
    "failure", [Failure.REMOVED, Failure.TOO_MANY_REQUESTS, Failure.FORBIDDEN, Failure.SERVER_ERROR]
)
def test_where_nothing_came_no_folder_stays(
    site: Site, store: Store, downloader: Downloader, failure: Failure
) -> None:
    site.fail(failure)
    with pytest.raises((RejectEntry, RetryLater)):
        fetch(downloader, SOUND, store.root, store.ledger, kind="audio")
    assert store.leftovers() == []


LASTING = {
    Failure.REMOVED: Reason.VIDEO_REMOVED,
    Failure.PRIVATE: Reason.VIDEO_PRIVATE,
    Failure.COPYRIGHT: Reason.COPYRIGHT,
    Failure.GEO_BLOCKED: Reason.GEO_BLOCKED,
    Failure.DRM: Reason.DRM,
}
PASSING = (
    Failure.TOO_MANY_REQUESTS,
    Failure.BOT_CHECK,
    Failure.RATE_LIMITED,
    Failure.SERVER_ERROR,
    Failure.FORBIDDEN_ONCE,
    Failure.TRUNCATED,
    Failure.CUT_ONCE,
)


def fetch_at_last(store: Store, downloader: Downloader, source: Source) -> Reason | None:
    """What comes of a recording when it is tried until it is stored or rejected."""
    attempts = 0
    while attempts < 12:
        try:
            fetch(downloader, source, store.root, store.ledger, kind="audio")
        except RetryLater as waited:
            attempts += waited.spends_attempt
        except RejectEntry as rejected:
            return rejected.reason
        else:
            return None
    return Reason.UNKNOWN_FAILURE


def test_amid_random_failures_everything_is_stored_or_rejected_with_the_right_reason(
    site: Site, store: Store, downloader: Downloader, media: dict[str, Path]
) -> None:
    names = [video_id(number) for number in range(100, 140)]
    for name in names:
        site.add(Upload(name, "x", CHANNEL.name, media["sound"], media_is_audio=True))
    for failure in PASSING:
        site.fail(failure, probability=0.15)
    for failure in LASTING:
        site.fail(failure, probability=0.08)
    size = media["sound"].stat().st_size
    for name in names:
        fate = site.fate(name)
        came = fetch_at_last(store, downloader, Source("demo", name))
        assert came is (LASTING[fate] if fate else None)
        assert (store.ledger.asset_of("demo", name) is None) == (fate is not None)
        # What a broken connection still held in its buffers is all that may come twice.
        assert site.bytes_sent(name) <= (0 if fate else 2 * size)
        assert (
            sum(v.status == 200 and v.sent_bytes == size for v in site.visits("media", name)) <= 1
        )
    assert store.leftovers() == []
    assert {site.fate(name) for name in names} >= {None, Failure.REMOVED}
