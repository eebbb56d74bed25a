"""A video gets another sound: the pictures stay, the sound is ours and as long as they last."""

import hashlib
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.subtitles.codeccontext import SubtitleCodecContext
from av.subtitles.subtitle import SubtitleSet
from av.video.frame import PictureType
from av.video.stream import VideoStream

from symmv_builder.backends.pyav import frames, probe, read_sound
from symmv_builder.backends.pyav.encode import write_sound, write_video
from symmv_builder.backends.pyav.soundtrack import replace_sound
from symmv_builder.errors import Reason, RejectEntry
from tests.media import Pictures, Samples, noise, paint, steady, write_media
from tests.media import tone as plain_tone

RATE_HZ = 44100


def tone(seconds: float, hz: float) -> np.ndarray:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.repeat(np.sin(2 * np.pi * hz * times, dtype=np.float32)[:, None], 2, axis=1) * 0.5


def pictures(count: int) -> list[np.ndarray]:
    return [np.full((48, 64, 3), 5 * number, dtype=np.uint8) for number in range(count)]


def loudest_hz(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples[:, 0]))
    return float(np.argmax(spectrum) * RATE_HZ / len(samples))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "video.mp4"
    write_video(path, pictures(50), frame_rate=Fraction(25), sound=tone(2.0, 440))
    return path


def test_the_pictures_stay_as_they_were_and_the_sound_is_the_new_one(
    video: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    replace_sound(video, tone(2.0, 1000), RATE_HZ, out)

    before = [(frame.time_s, frame.rgb().tobytes()) for frame in frames(video)]
    after = [(frame.time_s, frame.rgb().tobytes()) for frame in frames(out)]
    assert [time for time, _ in after] == pytest.approx([time for time, _ in before], abs=1e-3)
    assert [picture for _, picture in after] == [picture for _, picture in before]
    sound = read_sound(out).samples
    assert loudest_hz(sound) == pytest.approx(1000, abs=3)
    with av.open(str(out)) as container:
        assert len(container.streams.audio) == 1
        assert len(container.streams) == 2


def test_a_click_sounds_at_the_time_of_its_picture(video: Path, tmp_path: Path) -> None:
    samples = np.zeros((2 * RATE_HZ, 2), dtype=np.float32)
    samples[RATE_HZ : RATE_HZ + 200] = 0.9
    out = tmp_path / "out.mp4"
    replace_sound(video, samples, RATE_HZ, out)
    heard = np.abs(read_sound(out).samples[:, 0])
    assert int(np.argmax(heard > 0.3)) / RATE_HZ == pytest.approx(1.0, abs=0.03)


def test_a_codec_that_players_do_not_expect_in_mp4_is_encoded_again(tmp_path: Path) -> None:
    odd = tmp_path / "odd.avi"
    with av.open(str(odd), "w") as container:
        stream = container.add_stream("mjpeg", rate=Fraction(10))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 65, 49, "yuvj420p"
        for number in range(20):
            picture = np.full((49, 65, 3), 10 * number, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    out = tmp_path / "out.mp4"
    replace_sound(odd, tone(2.0, 500), RATE_HZ, out)
    facts = probe(out, "0" * 64)
    assert (facts.video_codec, facts.width, facts.height) == ("h264", 64, 48)
    assert facts.duration_s == pytest.approx(2.0, abs=0.15)
    assert len(list(frames(out))) == 20


def test_a_file_without_pictures_is_put_aside_and_nothing_is_written(tmp_path: Path) -> None:
    sound = tmp_path / "sound.wav"
    write_sound(sound, tone(0.5, 440), RATE_HZ)
    assert sound.read_bytes()[:4] == b"RIFF"
    with pytest.raises(RejectEntry) as caught:
        replace_sound(sound, tone(0.5, 440), RATE_HZ, tmp_path / "out.mp4")
    assert caught.value.reason == Reason.NO_VIDEO
    assert not (tmp_path / "out.mp4").exists()


# Frames of 40 ms, and now and then one that stays for half a second.
UNEVEN = np.cumsum([0.0, *(0.52 if n % 7 == 6 else 0.04 for n in range(59))]).round(3).tolist()


def shown(path: Path) -> list[tuple[float, str]]:
    """Time and hash of every picture."""
    return [(f.time_s, hashlib.sha256(f.rgb().tobytes()).hexdigest()) for f in frames(path)]


def stream_end_s(path: Path, kind: str) -> float:
    with av.open(str(path)) as container:
        stream = container.streams.get({kind: 0})[0]
        ends = [
            float((packet.pts + packet.duration) * packet.time_base)  # type: ignore[operator]
            for packet in container.demux(stream)
            if packet.pts is not None
        ]
    return max(ends)


@pytest.mark.parametrize(
    ("name", "codec", "b_frames", "times"),
    [
        ("video.mkv", "libx264", 2, steady(60)),
        ("uneven.mkv", "libx264", 3, UNEVEN),
        ("late.mkv", "libx264", 2, [0.5 + time for time in UNEVEN]),
        ("video.mov", "libx264", 2, UNEVEN),
        ("video.mp4", "libx264", 2, UNEVEN),
        ("video.ts", "libx264", 2, steady(60)),
        ("video.avi", "libx264", 2, steady(60)),
        ("video.flv", "libx264", 2, steady(60)),
        ("xvid.avi", "mpeg4", 2, steady(60)),
        ("video.webm", "libvpx-vp9", 0, UNEVEN),
    ],
)
def test_every_picture_is_kept_at_its_time_from_any_container(
    tmp_path: Path, name: str, codec: str, b_frames: int, times: list[float]
) -> None:
    pictures = Pictures([noise(n) for n in range(60)], times, codec=codec, b_frames=b_frames)
    sound = [] if name.endswith("webm") else [Samples(tone(5.0, 440), 44100, "stereo", codec="aac")]
    video = write_media(tmp_path / name, pictures, *sound)
    if b_frames:
        with av.open(str(video)) as container:
            assert PictureType.B in {frame.pict_type for frame in container.decode(video=0)}
    out = tmp_path / "out.mp4"
    replace_sound(video, tone(9.0, 1000), RATE_HZ, out)
    before, after = shown(video), shown(out)
    assert len(after) == 60
    assert [picture for _, picture in after] == [picture for _, picture in before]
    start_s = before[0][0]
    np.testing.assert_allclose(
        [t - start_s for t, _ in before], np.subtract(times, times[0]), atol=2e-3
    )
    # MP4 has one clock for all: that of a transport stream is finer than its timestamps.
    np.testing.assert_allclose([t for t, _ in after], [t for t, _ in before], atol=1e-3)


@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("v8.webm", "libvpx", "yuv420p"),
        ("full.avi", "mjpeg", "yuvj420p"),
        ("p.mov", "png", "rgb24"),
    ],
)
def test_pictures_that_are_encoded_again_keep_times_and_colours(
    tmp_path: Path, name: str, codec: str, form: str
) -> None:
    video, out = tmp_path / name, tmp_path / "out.mp4"
    with av.open(str(video), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(10))
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, form
        for number in range(20):
            picture = av.VideoFrame.from_ndarray(paint((200, 10 * number, 50)), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    replace_sound(video, tone(2.0, 500), RATE_HZ, out)
    before, after = list(frames(video)), list(frames(out))
    assert [f.time_s for f in after] == pytest.approx([f.time_s for f in before], abs=1e-3)
    for old, new in zip(before, after, strict=True):
        assert np.abs(old.rgb().astype(int) - new.rgb()).mean() < 4


@pytest.mark.parametrize("asked_s", [0.5, 2.0, 9.0])
@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "v8.webm"])
def test_the_sound_lasts_as_long_as_the_pictures(tmp_path: Path, name: str, asked_s: float) -> None:
    codec = "libvpx" if name == "v8.webm" else "libx264"
    pictures = Pictures([noise(n) for n in range(50)], steady(50), codec=codec)
    old = [] if name == "v8.webm" else [Samples(plain_tone(3.0), codec="aac")]
    video, out = write_media(tmp_path / name, pictures, *old), tmp_path / "out.mp4"
    replace_sound(video, tone(asked_s, 1000), RATE_HZ, out)
    assert stream_end_s(out, "video") == pytest.approx(2.0, abs=0.002)
    assert stream_end_s(out, "audio") == pytest.approx(2.0, abs=0.002)
    heard = read_sound(out).samples[: 2 * RATE_HZ, 0]
    assert np.abs(heard[: round(0.4 * RATE_HZ)]).max() > 0.3
    if asked_s == 0.5:
        assert np.abs(heard[round(0.6 * RATE_HZ) :]).max() < 0.01


@pytest.mark.parametrize(("name", "codec"), [("r.mp4", "libx264"), ("r.mov", "jpeg2000")])
@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_a_turned_picture_stays_turned(
    tmp_path: Path, name: str, codec: str, rotation: int
) -> None:
    turned = Pictures(
        [paint((200, 0, 0))] * 5, steady(5), rotation=rotation, aspect=Fraction(3, 2), codec=codec
    )
    video, out = write_media(tmp_path / name, turned), tmp_path / "out.mp4"
    replace_sound(video, tone(0.2, 500), RATE_HZ, out)
    before, after = next(frames(video)), next(frames(out))
    assert (after.width, after.height) == (before.width, before.height)
    assert np.abs(after.rgb().astype(int) - before.rgb()).mean() < 4
    assert probe(out, "0" * 64).rotation_degrees == probe(video, "0" * 64).rotation_degrees != 0


@pytest.mark.parametrize("codec", ["mov_text", "srt", "ass", "webvtt"])
def test_subtitles_and_chapters_stay_at_their_times(tmp_path: Path, codec: str) -> None:
    video, out = tmp_path / ("v.mp4" if codec == "mov_text" else "v.mkv"), tmp_path / "out.mp4"
    lines = [(500, 800, "Guten Morgen"), (1500, 400, "Grüße")]
    chapters = [(0, 1200, "one"), (1200, 2000, "two"), (5000, 6000, "after the end")]
    with av.open(str(video), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        assert isinstance(stream, VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        text = container.add_stream(codec)
        assert isinstance(text.codec_context, SubtitleCodecContext)
        text.metadata["language"] = "deu"
        text.codec_context.time_base = Fraction(1, 1000)
        text.codec_context.subtitle_header = HEADER
        container.set_chapters([
            {"id": n, "start": start, "end": end, "time_base": Fraction(1, 1000),
             "metadata": {"title": title}}
            for n, (start, end, title) in enumerate(chapters)
        ])  # fmt: skip
        for picture in pictures(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
        for number, (start, duration, line) in enumerate(lines):
            said = f"{number},0,Default,,0,0,0,,{line}".encode()
            packet = text.codec_context.encode_subtitle(SubtitleSet.create(said, 0, duration))
            packet.stream, packet.time_base = text, Fraction(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = duration
            container.mux(packet)
    replace_sound(video, tone(2.0, 1000), RATE_HZ, out)
    with av.open(str(out)) as container:
        track = container.streams.subtitles[0]
        assert track.language == "deu"
        found = []
        for packet in container.demux(track):
            if packet.size > 2 and (decoded := track.codec_context.decode2(packet)):
                start = round(1000 * float(packet.pts * packet.time_base))  # type: ignore[operator]
                length = round(1000 * float(packet.duration * packet.time_base))  # type: ignore[operator]
                found.append((start, length, decoded[0].dialogue.decode()))  # type: ignore[attr-defined]
        kept = [
            (float(c["start"] * c["time_base"]), c["metadata"]["title"])  # type: ignore[operator]
            for c in container.chapters()
        ]
    assert found == lines
    assert kept == [(0.0, "one"), (1.2, "two")]
    assert shown(out) == shown(video)


HEADER = (
    b"[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize, "
    b"PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, Underline, "
    b"StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, "
    b"MarginL, MarginR, MarginV, Encoding\nStyle: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,"
    b"0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\n\n[Events]\nFormat: Layer, Start, End, Style, "
    b"Name, MarginL, MarginR, MarginV, Effect, Text\n"
)
