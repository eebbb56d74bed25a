"""Downloads by the real yt-dlp from the loopback site, and every way in which they fail."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from symmv_builder.backends.ytdlp import LOOPBACK, Downloader, MediaRefused, ToolchainBroken
from symmv_builder.demo.catalogue import Failure, Upload
from symmv_builder.demo.site import Site
from symmv_builder.errors import Reason, RejectEntry, RetryLater, SessionBlocked, StopRun
from symmv_builder.records import Source
from tests.loopback import CHANNEL, HOSTILE, make_sound, make_video, running, video_id

VIDEO, SOUND, SPLIT, CANARY = (video_id(n) for n in range(4))
DASHED = "-_dashed-id"


def source(name: str) -> Source:
    return Source("demo", name)


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("media")
    return {
        "video": make_video(folder / "video.mp4"),
        "silent": make_video(folder / "silent.mp4", with_sound=False),
        "sound": make_sound(folder / "sound.flac", seconds=3.0),
    }


@pytest.fixture
def site(media: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    uploads = (
        Upload(VIDEO, HOSTILE, CHANNEL.name, media["video"], sound=media["sound"], duration_s=2),
        Upload(SOUND, "Sound", CHANNEL.name, media["sound"], media_is_audio=True, duration_s=3),
        Upload(
            SPLIT,
            "Two files",
            CHANNEL.name,
            media["silent"],
            sound=media["sound"],
            media_has_sound=False,
        ),
        Upload(CANARY, "Canary", CHANNEL.name, media["video"]),
        Upload(DASHED, "Dashes", CHANNEL.name, media["video"]),
    )
    with running(monkeypatch, *uploads) as running_site:
        yield running_site


@pytest.fixture
def downloader() -> Downloader:
    return Downloader(LOOPBACK, sites=["demo"])


def test_a_video_comes_as_one_file_with_the_bytes_of_the_site(
    site: Site, downloader: Downloader, media: dict[str, Path], tmp_path: Path
) -> None:
    done = downloader.download(source(VIDEO), tmp_path, kind="video")
    assert done.path.read_bytes() == media["video"].read_bytes()
    assert done.formats == ("media",)
    assert done.listing.title == HOSTILE
    assert done.listing.channel_is_verified


def test_of_a_cover_only_the_sound_is_taken(
    site: Site, downloader: Downloader, media: dict[str, Path], tmp_path: Path
) -> None:
    done = downloader.download(source(VIDEO), tmp_path, kind="audio")
    assert done.path.read_bytes() == media["sound"].read_bytes()
    assert done.formats == ("sound",)


def test_files_are_named_by_id_and_titles_enter_no_log(
    site: Site, downloader: Downloader, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    downloader.download(source(VIDEO), tmp_path, kind="video")
    downloader.download(source(DASHED), tmp_path, kind="video")
    names = sorted(path.name for path in tmp_path.rglob("*"))
    assert names == [f"{DASHED}.media.mp4", f"{VIDEO}.media.mp4"]
    assert "alert" not in caplog.text
    assert "passwd" not in caplog.text


def test_nothing_is_printed(
    site: Site, downloader: Downloader, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    site.fail(Failure.PRIVATE, SOUND)
    downloader.download(source(VIDEO), tmp_path, kind="video")
    with pytest.raises(RejectEntry):
        downloader.download(source(SOUND), tmp_path, kind="audio")
    assert capfd.readouterr() == ("", "")


def test_picture_and_sound_in_two_files_are_merged_without_a_program_of_the_user(
    site: Site, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("imageio_ffmpeg")
    monkeypatch.setenv("PATH", "")
    done = downloader.download(source(SPLIT), tmp_path, kind="video")
    assert done.formats == ("media", "sound")
    assert [path.name for path in tmp_path.iterdir()] == [done.path.name]
    from symmv_builder.backends import pyav

    facts = pyav.probe(done.path, "0" * 64)
    assert facts.video_codec == "h264"
    assert facts.audio_codec


def test_where_nothing_can_merge_the_run_stops_and_says_what_to_install(
    site: Site, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symmv_builder.backends.ytdlp.downloader._can_merge", lambda _: False)
    with pytest.raises(StopRun, match="imageio-ffmpeg"):
        downloader.download(source(SPLIT), tmp_path, kind="video")
    done = downloader.download(source(SPLIT), tmp_path, kind="audio")
    assert done.formats == ("sound",)


def test_a_recording_without_a_picture_is_no_video(
    site: Site, downloader: Downloader, tmp_path: Path
) -> None:
    with pytest.raises(RejectEntry) as rejected:
        downloader.download(source(SOUND), tmp_path, kind="video")
    assert rejected.value.reason is Reason.NO_VIDEO


REJECTED = {
    Failure.REMOVED: Reason.VIDEO_REMOVED,
    Failure.PRIVATE: Reason.VIDEO_PRIVATE,
    Failure.COPYRIGHT: Reason.COPYRIGHT,
    Failure.GEO_BLOCKED: Reason.GEO_BLOCKED,
    Failure.AGE_RESTRICTED: Reason.AGE_RESTRICTED,
    Failure.MEMBERS_ONLY: Reason.MEMBERS_ONLY,
    Failure.DRM: Reason.DRM,
}
LATER = {
    Failure.LIVE: Reason.NOT_YET_AVAILABLE,
    Failure.UPCOMING: Reason.NOT_YET_AVAILABLE,
    Failure.SERVER_ERROR: Reason.UNREACHABLE,
    Failure.FORBIDDEN: Reason.REFUSED,
    Failure.TRUNCATED: Reason.UNREADABLE,
}


@pytest.mark.parametrize("failure", REJECTED)
def test_what_a_site_refuses_for_good_is_rejected_with_its_reason(
    site: Site, downloader: Downloader, tmp_path: Path, failure: Failure
) -> None:
    site.fail(failure, VIDEO)
    with pytest.raises(RejectEntry) as rejected:
        downloader.download(source(VIDEO), tmp_path, kind="video")
    assert rejected.value.reason is REJECTED[failure]
    assert "\n" not in rejected.value.detail
    assert site.visits("media") == []


@pytest.mark.parametrize("failure", LATER)
def test_what_may_go_through_later_spends_an_attempt_and_names_its_reason(
    site: Site, downloader: Downloader, tmp_path: Path, failure: Failure
) -> None:
    site.fail(failure, VIDEO)
    with pytest.raises(RetryLater) as waited:
        downloader.download(source(VIDEO), tmp_path, kind="video")
    assert waited.value.spends_attempt
    assert waited.value.reason is LATER[failure]
    assert waited.value.after_s >= 60


@pytest.mark.parametrize(
    "failure", [Failure.TOO_MANY_REQUESTS, Failure.BOT_CHECK, Failure.RATE_LIMITED]
)
def test_a_blocked_session_spends_no_attempt_and_waits_an_hour(
    site: Site, downloader: Downloader, tmp_path: Path, failure: Failure
) -> None:
    site.fail(failure)
    with pytest.raises(SessionBlocked) as blocked:
        downloader.download(source(VIDEO), tmp_path, kind="video")
    assert not blocked.value.spends_attempt
    assert blocked.value.after_s >= 3600


def test_a_video_that_is_not_there_may_be_there_another_day(
    site: Site, downloader: Downloader, tmp_path: Path
) -> None:
    with pytest.raises(RetryLater) as waited:
        downloader.download(source("nothinghere"), tmp_path, kind="video")
    assert waited.value.reason is Reason.UNAVAILABLE
    assert waited.value.after_s >= 86400


def test_an_address_that_has_expired_is_asked_for_once_more(
    site: Site, downloader: Downloader, media: dict[str, Path], tmp_path: Path
) -> None:
    site.fail(Failure.FORBIDDEN_ONCE, VIDEO)
    done = downloader.download(source(VIDEO), tmp_path, kind="video")
    assert done.path.read_bytes() == media["video"].read_bytes()
    assert [visit.status for visit in site.visits("media", VIDEO)] == [403, 200]
    assert len(site.visits("watch", VIDEO)) == 2


def test_an_address_that_stays_forbidden_is_asked_for_twice_and_no_more(
    site: Site, downloader: Downloader, tmp_path: Path
) -> None:
    site.fail(Failure.FORBIDDEN, VIDEO)
    with pytest.raises(MediaRefused):
        downloader.download(source(VIDEO), tmp_path, kind="video")
    assert len(site.visits("media", VIDEO)) == 2


def test_a_connection_that_is_cut_is_continued_where_it_broke(
    site: Site, downloader: Downloader, media: dict[str, Path], tmp_path: Path
) -> None:
    site.fail(Failure.CUT_ONCE, SOUND)
    done = downloader.download(source(SOUND), tmp_path, kind="audio")
    assert done.path.read_bytes() == media["sound"].read_bytes()
    first, second = site.visits("media", SOUND)
    assert (first.status, second.status) == (200, 206)
    assert 0 < second.first_byte <= first.sent_bytes
    assert first.sent_bytes < media["sound"].stat().st_size


def test_no_formats_stop_the_run(site: Site, downloader: Downloader, tmp_path: Path) -> None:
    site.fail(Failure.NO_FORMATS, VIDEO)
    with pytest.raises(ToolchainBroken, match="update"):
        downloader.download(source(VIDEO), tmp_path, kind="video")


def test_no_formats_are_one_videos_fault_while_the_canary_sings(site: Site, tmp_path: Path) -> None:
    downloader = Downloader(LOOPBACK, sites=["demo"], canary=source(CANARY))
    downloader.check_canary()
    site.fail(Failure.NO_FORMATS, VIDEO)
    with pytest.raises(RetryLater) as waited:
        downloader.download(source(VIDEO), tmp_path, kind="video")
    assert waited.value.reason is Reason.NO_FORMATS
    site.fail(Failure.NO_FORMATS)
    with pytest.raises(ToolchainBroken):
        downloader.download(source(VIDEO), tmp_path, kind="video")
    with pytest.raises(StopRun, match=CANARY):
        downloader.check_canary()


def test_a_canary_that_is_refused_says_that_the_session_is_blocked(
    site: Site, tmp_path: Path
) -> None:
    downloader = Downloader(LOOPBACK, sites=["demo"], canary=source(CANARY))
    site.fail(Failure.NO_FORMATS, VIDEO)
    site.fail(Failure.TOO_MANY_REQUESTS, CANARY)
    with pytest.raises(SessionBlocked):
        downloader.download(source(VIDEO), tmp_path, kind="video")


def test_a_session_that_is_blocked_when_an_address_is_renewed_is_told_as_that(
    site: Site, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    download, calls = Downloader._download, []

    def expired_first(self: Downloader, *arguments: object) -> object:
        calls.append(arguments)
        if len(calls) == 1:
            site.fail(Failure.BOT_CHECK, VIDEO)
            raise MediaRefused("video data: HTTP Error 403")
        return download(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Downloader, "_download", expired_first)
    with pytest.raises(SessionBlocked):
        downloader.download(source(VIDEO), tmp_path, kind="video")
    assert len(calls) == 2


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_size_bytes": 1000}, Reason.TOO_LARGE),
        ({"max_duration_s": 1.0}, Reason.TOO_LONG),
    ],
)
def test_what_is_over_a_limit_is_rejected(
    site: Site, tmp_path: Path, limits: dict[str, float], reason: Reason
) -> None:
    from dataclasses import replace

    downloader = Downloader(replace(LOOPBACK, **limits), sites=["demo"])  # type: ignore[arg-type]
    with pytest.raises(RejectEntry) as rejected:
        downloader.download(source(SOUND), tmp_path, kind="audio")
    assert rejected.value.reason is reason


def test_a_site_that_is_gone_can_be_tried_later(
    downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYMMV_DEMO_SITE", "http://127.0.0.1:9")
    with pytest.raises(RetryLater) as waited:
        downloader.download(source(VIDEO), tmp_path, kind="video")
    assert waited.value.reason is Reason.UNREACHABLE


def test_a_proxy_that_refuses_blocks_the_session_and_is_not_named(
    site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from dataclasses import replace

    caplog.set_level(logging.DEBUG)
    secret = replace(LOOPBACK, proxy="http://someone:s3cr3tword@127.0.0.1:9", retries=0)
    with pytest.raises(RetryLater) as waited:
        Downloader(secret, sites=["demo"]).download(source(VIDEO), tmp_path, kind="video")
    assert not waited.value.spends_attempt
    shown = f"{waited.value} {secret!r} {caplog.text}"
    assert "s3cr3tword" not in shown
    assert "someone" not in shown


def test_a_proxy_of_the_environment_is_not_used(
    site: Site, downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    downloader.download(source(VIDEO), tmp_path, kind="video")


def test_sources_of_other_sites_are_not_asked(downloader: Downloader, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="not crawled"):
        downloader.download(Source("youtube", VIDEO), tmp_path, kind="video")


DOWNLOAD = """
import sys
from pathlib import Path
from symmv_builder.backends.ytdlp import LOOPBACK, Downloader
from symmv_builder.records import Source
downloader = Downloader(LOOPBACK, sites=["demo"])
downloader.download(Source("demo", sys.argv[1]), Path(sys.argv[2]), kind="audio")
"""


def test_a_killed_download_is_continued_by_range_and_ends_with_the_same_bytes(
    site: Site, downloader: Downloader, media: dict[str, Path], tmp_path: Path
) -> None:
    site.fail(Failure.SLOW, SOUND, bytes_a_second=60_000)
    victim = subprocess.Popen([sys.executable, "-c", DOWNLOAD, SOUND, str(tmp_path)])
    part = tmp_path / f"{SOUND}.media.flac.part"
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and not (part.exists() and part.stat().st_size > 10_000):
        time.sleep(0.02)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    kept = part.stat().st_size
    assert 10_000 < kept < media["sound"].stat().st_size
    site.heal()
    done = downloader.download(source(SOUND), tmp_path, kind="audio")
    assert done.path.read_bytes() == media["sound"].read_bytes()
    last = next(visit for visit in site.visits("media", SOUND) if visit.status == 206)
    assert last.first_byte == kept
    assert last.sent_bytes == media["sound"].stat().st_size - kept
