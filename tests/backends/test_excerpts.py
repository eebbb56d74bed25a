"""Parts of recordings: the very samples, the very pictures, and one decoding for all of them."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends.pyav import excerpts, frames, read_sound
from symmv_builder.backends.pyav.excerpts import cut_sound, cut_video, take_frames
from symmv_builder.errors import DiskFull, RejectEntry
from tests.media import Pictures, Samples, noise, steady, tone, write_media

RATE = 25
COUNT = 60


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures that differ, with a key frame now and then, and stereo sound."""
    folder = tmp_path_factory.mktemp("film")
    pictures = Pictures([noise(n) for n in range(COUNT)], steady(COUNT), codec="mpeg4")
    sound = Samples(tone(COUNT / RATE, 44_100, 2), 44_100, "stereo", codec="aac")
    return write_media(folder / "film.mp4", pictures, sound)


def keys(path: Path) -> list[int]:
    """Which pictures of a file without B-frames are key frames."""
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(container.streams.video[0]) if p.size]
    return [number for number, packet in enumerate(packets) if packet.is_keyframe]


def numbers(path: Path) -> list[int]:
    """Which of the film's pictures a file shows, by looks."""
    known = np.stack([noise(n).astype(np.int16) for n in range(COUNT)])
    return [
        int(np.abs(known - frame.rgb().astype(np.int16)).mean(axis=(1, 2, 3)).argmin())
        for frame in frames(path)
    ]


def decoded_16(path: Path) -> NDArray[np.int16]:
    """Samples ``[n, channels]`` of a file of 16 bits by libsndfile, no code of ours."""
    soundfile = pytest.importorskip("soundfile")
    samples: NDArray[np.int16] = soundfile.read(path, dtype="int16", always_2d=True)[0]
    return samples


def test_sound_of_16_bits_is_the_same_sample_for_sample(tmp_path: Path) -> None:
    soundfile = pytest.importorskip("soundfile")
    values = np.random.default_rng(0).integers(-32768, 32768, (20_000, 2)).astype(np.int16)
    soundfile.write(tmp_path / "whole.flac", values, 16_000, subtype="PCM_16")
    spans = [(0.0, 9.0), (0.25, 0.75), (0.5, 0.50025), (1.0, 1.25)]
    outs = [tmp_path / f"{n}.flac" for n in range(len(spans))]
    cut_sound(tmp_path / "whole.flac", spans, outs)
    for (start_s, end_s), out in zip(spans, outs, strict=True):
        part = values[round(start_s * 16_000) : round(end_s * 16_000)]
        np.testing.assert_array_equal(decoded_16(out), part)


def test_sound_of_a_film_is_what_its_decoder_gives_on_the_clock_of_the_film(
    film: Path, tmp_path: Path
) -> None:
    cut_sound(film, [(0.5, 1.5)], [tmp_path / "part.flac"])
    whole = read_sound(film).samples[22_050:66_150]
    assert np.abs(decoded_16(tmp_path / "part.flac") - whole * 32768.0).max() <= 0.5


def test_sound_may_be_resampled_and_mixed_to_one_channel(film: Path, tmp_path: Path) -> None:
    cut_sound(film, [(0.0, 1.0)], [tmp_path / "part.flac"], rate_hz=16_000, mono=True)
    part, whole = decoded_16(tmp_path / "part.flac"), read_sound(film, rate_hz=16_000, mono=True)
    assert part.shape == (16_000, 1)
    assert np.abs(part - whole.samples[:16_000] * 32768.0).max() <= 0.5


def test_mp3_sounds_the_same_at_the_same_time(film: Path, tmp_path: Path) -> None:
    cut_sound(film, [(0.5, 1.5)], [tmp_path / "part.mp3"])
    part, whole = read_sound(tmp_path / "part.mp3"), read_sound(film).samples[22_050:66_150]
    assert (tmp_path / "part.mp3").stat().st_size < 40_000
    errors = [
        float(np.sqrt(((part.samples[2000 + lag : 42_000 + lag] - whole[2000:42_000]) ** 2).mean()))
        for lag in (-2, -1, 0, 1, 2)
    ]
    assert min(errors) == errors[2] < 0.02


def test_pictures_are_copied_from_a_key_frame_on_and_encoded_again_elsewhere(
    film: Path, tmp_path: Path
) -> None:
    _, first, second, *_ = keys(film)
    key_s = first / RATE
    spans = [(0.0, 3.0), (key_s, second / RATE), (key_s, key_s + 0.16), (0.2, 1.0), (1.01, 1.5)]
    stems = [tmp_path / str(n) for n in range(len(spans))]
    made = cut_video(film, spans, stems)
    assert [is_copy for _, is_copy in made] == [True, True, True, False, False]
    assert made[0][0].read_bytes() == film.read_bytes()
    assert numbers(made[1][0]) == list(range(first, second))
    assert numbers(made[2][0]) == list(range(first, first + 4))
    assert numbers(made[3][0]) == list(range(5, 25))
    # At 1.01 s picture 25 is on screen for another 30 ms.
    assert numbers(made[4][0]) == list(range(25, 38))
    times = [frame.time_s for frame in frames(made[4][0])]
    np.testing.assert_allclose(times[:3], [0.0, 0.03, 0.07], atol=1e-4)


def test_a_copied_clip_holds_the_pictures_of_the_film_bit_by_bit(
    film: Path, tmp_path: Path
) -> None:
    first = keys(film)[1]
    span = (first / RATE, first / RATE + 0.48)
    [(clip, is_copy)] = cut_video(film, [span], [tmp_path / "clip"])
    assert is_copy
    whole = [frame.rgb() for frame in frames(film)][first : first + 12]
    for ours, theirs in zip(frames(clip), whole, strict=True):
        np.testing.assert_array_equal(ours.rgb(), theirs)


def test_pictures_that_need_later_ones_are_not_copied(tmp_path: Path) -> None:
    pictures = Pictures([noise(n) for n in range(40)], steady(40), b_frames=2)
    film = write_media(tmp_path / "film.mp4", pictures)
    made = cut_video(film, [(0.0, 0.36), (0.0, 0.4), (0.0, 0.44)], [tmp_path / n for n in "abc"])
    assert any(is_copy for _, is_copy in made)
    assert not all(is_copy for _, is_copy in made)
    for count, (path, _) in zip((9, 10, 11), made, strict=True):
        assert numbers(path) == list(range(count))


def test_a_clips_sound_begins_with_its_pictures(film: Path, tmp_path: Path) -> None:
    whole = read_sound(film).samples
    for name, start_s in (("copied", keys(film)[1] / RATE), ("encoded", 0.6)):
        [(clip, _)] = cut_video(film, [(start_s, start_s + 1)], [tmp_path / name])
        start = round(start_s * 44_100)
        part = read_sound(clip).samples[4_000:40_000]
        assert np.sqrt(((part - whole[start + 4_000 : start + 40_000]) ** 2).mean()) < 0.02


def test_frames_are_those_on_screen_at_their_times(film: Path, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    spans = [(0.0, 2.4), (0.5, 1.3)]
    folders = [tmp_path / "a", tmp_path / "b"]
    made = take_frames(film, spans, folders, rate_hz=5.0, side=24)
    assert [len(paths) for paths in made] == [12, 4]
    for (start_s, _), paths in zip(spans, made, strict=True):
        for number, path in enumerate(paths):
            picture = image.open(path)
            assert picture.size == (32, 24)
            shown = int((start_s + number / 5) * RATE + 1e-6)
            small = np.asarray(picture.resize((64, 48), image.NEAREST)).astype(int)
            apart = [np.abs(small - noise(n).astype(int)).mean() for n in range(COUNT)]
            assert int(np.argmin(apart)) == shown


def test_however_many_spans_a_recording_is_decoded_once(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []

    def counted(name: str) -> None:
        original = getattr(excerpts, name)

        def counting(first: Any, *others: Any) -> Any:
            opened.append(first if isinstance(first, Path) else Path("pictures"))
            return original(first, *others)

        monkeypatch.setattr(excerpts, name, counting)

    counted("SoundStream")
    counted("timed")
    spans = [(n / 20, n / 20 + 0.2) for n in range(6)]
    cut_sound(film, spans, [tmp_path / f"{n}.flac" for n in range(6)])
    assert opened == [film]
    made = cut_video(film, spans, [tmp_path / str(n) for n in range(6)])
    assert opened == [film, film, Path("pictures")]
    assert sum(not is_copy for _, is_copy in made) >= 4


def test_the_same_excerpt_is_the_same_bytes(film: Path, tmp_path: Path) -> None:
    for name in "ab":
        cut_sound(film, [(0.1, 0.9)], [tmp_path / f"{name}.flac"])
        cut_video(film, [(0.1, 0.9)], [tmp_path / name])
    for suffix in (".flac", ".mp4"):
        first, second = ((tmp_path / f"{name}{suffix}").read_bytes() for name in "ab")
        assert first == second


@pytest.mark.parametrize("rate", [RATE, Fraction(30000, 1001)])
def test_a_turned_video_stays_turned(rate: Fraction | int, tmp_path: Path) -> None:
    times = [n / float(rate) for n in range(12)]
    pictures = Pictures([noise(n) for n in range(12)], times, rate=Fraction(rate), rotation=90)
    film = write_media(tmp_path / "film.mp4", pictures)
    [(clip, is_copy)] = cut_video(film, [(times[2], times[8])], [tmp_path / "clip"])
    whole = next(iter(frames(film)))
    made = list(frames(clip))
    assert (len(made), is_copy) == (6, False)
    assert (made[0].width, made[0].height) == (whole.width, whole.height) == (48, 64)


def test_what_is_not_there_is_refused_and_leaves_no_file(film: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with pytest.raises(RejectEntry, match=r"no sound from 5\.000 to 6\.000 s"):
        cut_sound(film, [(5.0, 6.0)], [out / "a.flac"])
    with pytest.raises(RejectEntry, match="shows no picture"):
        cut_video(film, [(0.1, 0.9), (5.0, 6.0)], [out / "b", out / "c"])
    with pytest.raises(RejectEntry, match="shows no picture"):
        take_frames(film, [(5.0, 6.0)], [out / "d"], rate_hz=1.0, side=24)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.read_bytes()[:20_000])
    for cut in (cut_sound, cut_video):
        with pytest.raises(RejectEntry):
            cut(broken, [(0.0, 1.0)], [out / "e.flac"])
    assert [path.name for path in out.rglob("*") if path.is_file()] == ["b.mp4"]


def test_a_span_with_nothing_in_it_takes_no_other_along(film: Path, tmp_path: Path) -> None:
    spans = [(0.1, 0.9), (5.0, 6.0), (1.0, 1.5)]
    for name, nothing in (("sound", "the recording has no sound"), ("video", "no picture")):
        outs, faults = [tmp_path / f"{name}{n}.flac" for n in range(3)], dict[int, str]()
        if name == "sound":
            cut_sound(film, spans, outs, faults=faults)
        else:
            outs = [path for path, _ in cut_video(film, spans, outs, faults=faults)]
        assert [out.exists() for out in outs] == [True, False, True]
        assert (list(faults), nothing in faults[1]) == ([1], True)
    faults = {}
    folders = [tmp_path / str(n) for n in range(3)]
    made = take_frames(film, spans, folders, rate_hz=5.0, side=24, faults=faults)
    assert ([len(paths) for paths in made], list(faults)) == ([4, 0, 3], [1])


def test_a_full_disk_says_so(film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise av.error.OSError(28, "No space left on device")

    monkeypatch.setattr("symmv_builder.backends.pyav.encode.Voice.finish", full)
    with pytest.raises(DiskFull, match="the disk is full"):
        cut_sound(film, [(0.0, 1.0)], [tmp_path / "a.flac"])
    assert list(tmp_path.iterdir()) == []
