"""Reading media by timestamps, and putting aside what is damaged or hostile."""

import struct
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends.pyav import Limits, frames, probe, read_sound
from symmv_builder.errors import Reason, RejectEntry
from tests.media import Pictures, Samples, noise, paint, steady, tone, write_media

RED, GREEN, BLUE = (200, 0, 0), (0, 200, 0), (0, 0, 200)
SHA = "0" * 64


def clip(path: Path, seconds: float = 2.0, **more: object) -> Path:
    pictures = [noise(number) for number in range(round(seconds * 25))]
    return write_media(
        path,
        Pictures(pictures, steady(len(pictures))),
        Samples(tone(seconds)) if path.suffix == ".mkv" else Samples(tone(seconds), codec="aac"),
        **more,  # type: ignore[arg-type]
    )


def reason_of(action: object, *arguments: object, **settings: object) -> tuple[Reason, str]:
    with pytest.raises(RejectEntry) as caught:
        list(action(*arguments, **settings))  # type: ignore[operator]
    return caught.value.reason, caught.value.detail


def test_frames_of_variable_rate_keep_their_own_times(tmp_path: Path) -> None:
    times = [0.0, 0.04, 0.5, 0.52, 3.0]
    path = write_media(tmp_path / "v.mp4", Pictures([noise(n) for n in range(5)], times))
    decoded = list(frames(path))
    assert [frame.index for frame in decoded] == [0, 1, 2, 3, 4]
    np.testing.assert_allclose([frame.time_s for frame in decoded], times, atol=1e-6)
    np.testing.assert_allclose([f.duration_s for f in decoded[:4]], np.diff(times), atol=1e-6)


def test_a_frame_is_what_pyav_itself_converts(tmp_path: Path) -> None:
    import av

    path = clip(tmp_path / "c.mp4")
    with av.open(str(path)) as container:
        expected = [f.to_ndarray(format="rgb24") for f in container.decode(video=0)]
    decoded = list(frames(path))
    assert len(decoded) == len(expected) == 50
    for frame, picture in zip(decoded, expected, strict=True):
        np.testing.assert_array_equal(frame.rgb(), picture)
    assert decoded[0].rgb() is decoded[0].rgb()


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_rotated_video_is_seen_upright_as_opencv_shows_it(tmp_path: Path, rotation: int) -> None:
    cv2 = pytest.importorskip("cv2")
    path = write_media(tmp_path / "r.mp4", Pictures([noise(1)] * 5, steady(5), rotation=rotation))
    capture = cv2.VideoCapture(str(path))
    shown = cv2.cvtColor(capture.read()[1], cv2.COLOR_BGR2RGB)
    frame = next(frames(path))
    assert frame.rgb().shape == shown.shape == (frame.height, frame.width, 3)
    assert np.abs(frame.rgb().astype(int) - shown).mean() < 3
    asset = probe(path, SHA)
    assert (asset.width, asset.height) == (frame.width, frame.height)
    assert asset.rotation_degrees == 360 - rotation
    assert frame.small(10, 20).shape == (20, 10, 3)


def test_pixels_that_are_not_square_are_made_square(tmp_path: Path) -> None:
    wide = Pictures([paint(RED)] * 3, steady(3), aspect=Fraction(3, 2))
    path = write_media(tmp_path / "a.mp4", wide)
    frame = next(frames(path))
    assert (frame.width, frame.height) == (96, 48)
    assert frame.rgb().shape == (48, 96, 3)
    assert (probe(path, SHA).width, probe(path, SHA).height) == (96, 48)


def test_the_first_default_stream_is_the_video_and_cover_art_is_none(tmp_path: Path) -> None:
    two = write_media(
        tmp_path / "two.mkv",
        Pictures([paint(RED)] * 3, steady(3)),
        Pictures([paint(BLUE, 96, 128)] * 3, steady(3)),
        Samples(tone(0.2)),
    )
    assert next(frames(two)).rgb()[0, -1].argmax() == 0
    song = write_media(tmp_path / "song.mp4", Samples(tone(1), codec="aac"), cover=paint(RED))
    assert probe(song, SHA).kind == "audio"
    assert reason_of(frames, song)[0] is Reason.NO_VIDEO
    assert read_sound(song).duration_s == pytest.approx(1.0, abs=0.15)


def test_sound_is_silent_until_a_late_stream_starts(tmp_path: Path) -> None:
    path = write_media(
        tmp_path / "late.mkv",
        Pictures([paint(RED)] * 50, steady(50)),
        Samples(tone(1.0), start_s=0.75),
    )
    sound = read_sound(path)
    assert sound.rate_hz == 8000
    assert not sound.samples[:6000].any()
    np.testing.assert_allclose(sound.samples[6000:14000], tone(1.0), atol=1e-6)


def test_a_late_video_does_not_move_the_sound(tmp_path: Path) -> None:
    late = Pictures([paint(RED)] * 5, [0.5 + time for time in steady(5)])
    path = write_media(tmp_path / "late.mkv", late, Samples(tone(1.0)))
    assert next(frames(path)).time_s == pytest.approx(0.5, abs=1e-3)
    np.testing.assert_allclose(read_sound(path).samples, tone(1.0), atol=1e-6)


def test_sound_after_a_gap_stays_at_its_time(tmp_path: Path) -> None:
    path = write_media(tmp_path / "gap.mkv", Samples(tone(2.0), gap_s=0.5))
    sound = read_sound(path).samples
    np.testing.assert_allclose(sound[:8000], tone(2.0)[:8000], atol=1e-6)
    assert not sound[8000:12000].any()
    np.testing.assert_allclose(sound[12000:], tone(2.0)[8000:], atol=1e-6)


def test_surround_sound_becomes_stereo_that_cannot_clip(tmp_path: Path) -> None:
    loud = np.ones((8000, 6), np.float32)
    path = write_media(tmp_path / "s.mkv", Samples(loud, layout="5.1"))
    assert probe(path, SHA).audio_channels == 6
    sound = read_sound(path).samples
    assert sound.shape == (8000, 2)
    np.testing.assert_allclose(sound, 1.0, atol=1e-4)
    only_centre = np.zeros((8000, 6), np.float32)
    only_centre[:, 2] = 0.5
    path = write_media(tmp_path / "c.mkv", Samples(only_centre, layout="5.1"))
    centre = 0.5 * np.sqrt(0.5) / (1 + 2 * np.sqrt(0.5))
    np.testing.assert_allclose(read_sound(path).samples, centre, atol=1e-4)


def test_mono_is_the_mean_and_the_rate_is_the_one_asked_for(tmp_path: Path) -> None:
    path = write_media(tmp_path / "s.wav", Samples(tone(1.0, channels=2), layout="stereo"))
    sound = read_sound(path, mono=True)
    np.testing.assert_allclose(sound.samples[:, 0], tone(1.0, channels=2).mean(axis=1), atol=1e-6)
    resampled = read_sound(path, mono=True, rate_hz=16000)
    assert resampled.rate_hz == 16000
    assert resampled.samples.shape == (16000, 1)
    np.testing.assert_allclose(
        resampled.samples[2000:-2000, 0],
        tone(1.0, 16000, channels=2)[2000:-2000].mean(axis=1) * 0
        + 0.25 * np.sin(2 * np.pi * 440 * np.arange(2000, 14000) / 16000)
        + 0.25 * np.sin(2 * np.pi * 660 * np.arange(2000, 14000) / 16000),
        atol=1e-3,
    )


def test_a_file_without_bytes_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "nothing.mp4"
    path.touch()
    for read in (read_sound, frames):
        assert reason_of(read, path)[0] is Reason.EMPTY_FILE
    assert reason_of(probe, path, SHA)[0] is Reason.EMPTY_FILE


def test_a_wrong_extension_changes_nothing(tmp_path: Path) -> None:
    path = clip(tmp_path / "c.mp4").rename(tmp_path / "c.mp3")
    assert probe(path, SHA).kind == "video"
    assert len(list(frames(path))) == 50


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nother.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile other.mp4\n",
        '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
        "[playlist]\nFile1=other.mp4\n",
        "just some words\n",
    ],
)
def test_a_playlist_under_a_video_name_is_not_media(tmp_path: Path, text: str) -> None:
    clip(tmp_path / "other.mp4")
    (tmp_path / "other.ts").write_bytes((tmp_path / "other.mp4").read_bytes())
    path = tmp_path / "list.mp4"
    path.write_text(text)
    assert reason_of(frames, path)[0] is Reason.NOT_MEDIA
    assert reason_of(read_sound, path)[0] is Reason.NOT_MEDIA
    assert reason_of(probe, path, SHA)[0] is Reason.NOT_MEDIA


def test_a_file_whose_index_is_missing_is_unreadable(tmp_path: Path) -> None:
    data = clip(tmp_path / "c.mp4").read_bytes()
    path = tmp_path / "cut.mp4"
    path.write_bytes(data[: len(data) // 2])
    assert reason_of(probe, path, SHA)[0] is Reason.UNREADABLE


@pytest.mark.parametrize(("name", "options"), [("c.mp4", {"movflags": "faststart"}), ("c.mkv", {})])
def test_a_file_cut_in_the_middle_is_unreadable_and_says_both_durations(
    tmp_path: Path, name: str, options: dict[str, str]
) -> None:
    data = clip(tmp_path / name, 4.0, options=options).read_bytes()
    path = tmp_path / f"cut-{name}"
    path.write_bytes(data[: len(data) // 2])
    for rejection in (
        reason_of(probe, path, SHA),
        reason_of(frames, path),
        reason_of(read_sound, path),
    ):
        assert rejection[0] is Reason.UNREADABLE
    assert "states 4.0 s but ends after" in reason_of(probe, path, SHA)[1]
    lenient = Limits(min_share=0.1, max_bad_share=0.5)
    assert len(list(frames(path, limits=lenient))) > 10


@pytest.mark.parametrize("seed", range(8))
def test_random_damage_is_read_or_put_aside_and_nothing_else(tmp_path: Path, seed: int) -> None:
    random = np.random.default_rng(seed)
    data = bytearray(clip(tmp_path / "c.mp4", 1.0).read_bytes())
    for place in random.integers(0, len(data), 60 if seed % 2 else 4000):
        data[place] = int(random.integers(256))
    path = tmp_path / "damaged.mp4"
    path.write_bytes(bytes(data))
    for read in (lambda: list(frames(path)), lambda: read_sound(path), lambda: probe(path, SHA)):
        with suppress(RejectEntry):
            read()


def test_pictures_larger_than_the_limit_are_never_decoded(tmp_path: Path) -> None:
    path = clip(tmp_path / "c.mp4")
    reason, detail = reason_of(frames, path, limits=Limits(max_pixels=1000))
    assert reason is Reason.TOO_LARGE
    assert "64 x 48" in detail


@pytest.mark.parametrize("side", [10_000, 60_000])
def test_a_header_with_giant_dimensions_is_put_aside(tmp_path: Path, side: int) -> None:
    path = tmp_path / "giant.avi"
    write_media(path, Pictures([paint(RED)] * 3, steady(3), codec="rawvideo"))
    data = path.read_bytes()
    small, giant = struct.pack("<ii", 64, 48), struct.pack("<ii", side, side)
    assert small in data
    path.write_bytes(data.replace(small, giant))
    reason, detail = reason_of(probe, path, SHA)
    assert reason_of(frames, path) == (reason, detail)
    assert reason is Reason.UNREADABLE
    assert "larger than 36000000 pixels" in detail


def test_the_limit_holds_for_the_picture_as_it_is_displayed(tmp_path: Path) -> None:
    wide = Pictures([paint(RED)] * 3, steady(3), aspect=Fraction(3, 2))
    path = write_media(tmp_path / "a.mp4", wide)
    assert len(list(frames(path, limits=Limits(max_pixels=96 * 48)))) == 3
    reason, detail = reason_of(frames, path, limits=Limits(max_pixels=64 * 48))
    assert reason is Reason.TOO_LARGE
    assert "96 x 48" in detail


def test_size_duration_and_channels_are_limited(tmp_path: Path) -> None:
    path = clip(tmp_path / "c.mkv")
    assert reason_of(probe, path, SHA, limits=Limits(max_size_bytes=10))[0] is Reason.TOO_LARGE
    short = Limits(max_duration_s=1.0)
    for rejection in (
        reason_of(frames, path, limits=short),
        reason_of(read_sound, path, limits=short),
    ):
        assert rejection[0] is Reason.TOO_LONG
    many = write_media(tmp_path / "m.mkv", Samples(tone(1, channels=6), layout="5.1"))
    assert reason_of(probe, many, SHA, limits=Limits(max_channels=4))[0] is Reason.TOO_LARGE


def test_a_leap_in_timestamps_does_not_fill_the_memory(tmp_path: Path) -> None:
    path = write_media(tmp_path / "leap.mkv", Samples(tone(1.0), gap_s=40_000.0))
    assert reason_of(read_sound, path)[0] is Reason.TOO_LONG


def test_a_stream_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    silent = write_media(tmp_path / "v.mp4", Pictures([paint(RED)] * 3, steady(3)))
    assert reason_of(read_sound, silent)[0] is Reason.NO_AUDIO
    song = write_media(tmp_path / "s.flac", Samples(tone(1.0)), container="matroska")
    assert reason_of(frames, song)[0] is Reason.NO_VIDEO
    assert reason_of(probe, tmp_path / "gone.mp4", SHA)[0] is Reason.UNREADABLE


def test_facts_are_those_of_the_streams(tmp_path: Path) -> None:
    asset = probe(clip(tmp_path / "c.mkv", 3.0), SHA)
    assert asset.sha256 == SHA
    assert asset.duration_s == pytest.approx(3.0, abs=0.05)
    assert (asset.width, asset.height, asset.frame_rate_hz) == (64, 48, 25.0)
    assert (asset.video_codec, asset.audio_codec) == ("h264", "pcm_f32le")
    assert (asset.audio_rate_hz, asset.audio_channels) == (8000, 1)
    assert asset.size_bytes == (tmp_path / "c.mkv").stat().st_size


def test_a_file_that_we_may_not_read_is_a_rejection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_media(tmp_path / "a.mkv", Samples(tone(1.0)))

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("av.open", refuse)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(RejectEntry, match="Permission denied") as rejected:
        read_sound(path)
    assert rejected.value.reason is Reason.UNREADABLE


def test_an_empty_packet_repeats_the_picture_before(tmp_path: Path) -> None:
    import av

    drawings = [noise(n // 3) for n in range(30)]
    path = tmp_path / "repeats.nut"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25, options={"qmin": "1", "qmax": "1"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for number in range(0, 30, 3):
            picture = av.VideoFrame.from_ndarray(drawings[number], format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(picture))
            for repeat in (1, 2):
                empty = av.Packet(0)
                empty.stream, empty.time_base = stream, Fraction(1, 25)
                empty.pts = empty.dts = number + repeat
                empty.duration = 1
                container.mux(empty)
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        assert sum(p.size == 0 and p.pts is not None for p in container.demux()) == 20
    decoded = list(frames(path))
    np.testing.assert_allclose([f.time_s for f in decoded], steady(30), atol=1e-3)
    for frame, drawing in zip(decoded, drawings, strict=True):
        assert np.abs(frame.rgb().astype(int) - drawing).mean() < 6
    assert probe(path, SHA).duration_s == pytest.approx(1.2, abs=1e-3)


@pytest.mark.parametrize("name", ["vfr.mp4", "vfr.mov", "vfr.mkv"])
def test_the_end_is_that_of_the_last_picture_and_not_of_a_gap_between_decoding_times(
    tmp_path: Path, name: str
) -> None:
    # Long pictures between runs of short ones: MP4's decoding times put their gaps elsewhere.
    times = np.cumsum([0.0, *(0.68 if n % 8 == 7 else 0.04 for n in range(79))]).round(2).tolist()
    times = [*times, times[-1] + 0.04]
    path = write_media(tmp_path / name, Pictures([noise(n) for n in range(81)], times, b_frames=3))
    asset, decoded = probe(path, SHA), list(frames(path))
    np.testing.assert_allclose([f.time_s for f in decoded], times, atol=1e-3)
    assert asset.duration_s == pytest.approx(times[-1] + 0.04, abs=0.005)
    assert decoded[-1].time_s + decoded[-1].duration_s == pytest.approx(asset.duration_s, abs=1e-6)


@pytest.mark.parametrize(
    "value", [np.nan, np.inf, -np.inf, 3e38, -1e20], ids=["nan", "inf", "-inf", "3e38", "-1e20"]
)
@pytest.mark.parametrize("name", ["float.wav", "float.mkv", "float.mov"])
@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
def test_a_sample_that_is_no_number_is_silent_and_counted(
    tmp_path: Path, name: str, layout: str, value: float
) -> None:
    channels = {"mono": 1, "stereo": 2, "5.1": 6}[layout]
    samples = tone(1.0, channels=channels)
    right = samples.copy()
    samples[3001, 0], right[3001, 0] = value, 0.0
    streams = [Samples(each, layout=layout) for each in (samples, right)]
    pictures = [] if name.endswith("wav") else [Pictures([noise(1)] * 25, steady(25))]
    broken = read_sound(write_media(tmp_path / name, *pictures, streams[0]), rate_hz=16000)
    whole = read_sound(
        write_media(tmp_path / f"whole-{name}", *pictures, streams[1]), rate_hz=16000
    )
    assert (broken.replaced, whole.replaced) == (1, 0)
    np.testing.assert_array_equal(broken.samples, whole.samples)


def test_sound_with_many_values_that_are_no_numbers_is_unreadable(tmp_path: Path) -> None:
    samples = tone(1.0)
    samples[:160] = np.nan
    assert read_sound(write_media(tmp_path / "few.wav", Samples(samples))).replaced == 160
    samples[:161] = np.nan
    reason, detail = reason_of(read_sound, write_media(tmp_path / "many.wav", Samples(samples)))
    assert reason is Reason.UNREADABLE
    assert detail.startswith("161 of 8000 samples of the sound are no numbers")


def test_float_sound_that_was_never_scaled_is_taken_as_it_is(tmp_path: Path) -> None:
    path = write_media(tmp_path / "loud.wav", Samples(tone(1.0) * 32768))
    np.testing.assert_allclose(read_sound(path).samples, tone(1.0) * 32768, rtol=1e-6)


def test_pictures_of_an_avi_with_b_frames_are_evenly_spaced(tmp_path: Path) -> None:
    import av

    path = tmp_path / "b.avi"
    drawings = Pictures([noise(n) for n in range(50)], steady(50), b_frames=2)
    write_media(path, drawings, Samples(tone(2.0, 44100), 44100, codec="aac"))
    with av.open(str(path)) as container:
        own = [frame.pts for frame in container.decode(video=0)]
    assert own != sorted(own)  # type: ignore[type-var]
    decoded = list(frames(path))
    np.testing.assert_allclose(np.diff([f.time_s for f in decoded]), 0.04, atol=1e-6)
    for frame, picture in zip(decoded, drawings.frames, strict=True):
        assert np.abs(frame.rgb().astype(int) - picture).mean() < 6
