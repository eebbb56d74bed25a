"""The one pass over a sound file: who hears what of it, when, and that it is one pass."""

import tracemalloc
import weakref
from collections import Counter
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from symmv_builder.backends.pyav import read_sound
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music import listening
from tests.hearing import heard
from tests.media import Pictures, Samples, noise, steady, tone, write_media

FORMS = [(None, True), (None, False), (8000, True), (8000, False), (22050, True)]


class Notebook:
    """Writes down what it hears."""

    def __init__(
        self, rate_hz: int | None = None, mono: bool = True, block_s: float | None = None
    ) -> None:
        self.rate_hz, self.mono, self.block_s = rate_hz, mono, block_s
        self.rates: set[int] = set()
        self.blocks: list[NDArray[np.float32]] = []

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self.rates.add(rate_hz)
        self.blocks.append(samples)

    def finish(self) -> NDArray[np.float32]:
        return np.concatenate(self.blocks)


class Refusing(Notebook):
    """Raises an error at the block of a number."""

    def __init__(self, error: Exception, at: int = 0, **form: Any) -> None:
        super().__init__(**form)
        self.refusal, self.at = error, at

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        if len(self.blocks) == self.at:
            raise self.refusal
        super().hear(samples, rate_hz)


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """Ten seconds of two channels at 16 kHz, of which several blocks are decoded."""
    sound = Samples(tone(10.0, 16000, channels=2), 16000, "stereo")
    return write_media(tmp_path / "music.wav", sound)


@pytest.mark.parametrize(("rate_hz", "mono"), FORMS)
@pytest.mark.parametrize("block_s", [None, 1.0, 0.013, 60.0])
def test_a_listener_hears_the_recording_in_the_form_that_it_asks_for(
    music: Path, rate_hz: int | None, mono: bool, block_s: float | None
) -> None:
    sound = read_sound(music, rate_hz=rate_hz, mono=mono)
    book = Notebook(rate_hz, mono, block_s)
    np.testing.assert_array_equal(heard(music, book), sound.samples)
    assert book.rates == {sound.rate_hz}
    size = len(sound.samples) if block_s is None else round(block_s * sound.rate_hz)
    assert {len(block) for block in book.blocks[:-1]} <= {size}
    assert 0 < len(book.blocks[-1]) <= size


def test_all_listeners_together_hear_what_each_hears_alone(music: Path) -> None:
    def books() -> list[Notebook]:
        return [Notebook(*form, block_s) for form in FORMS for block_s in (None, 1.0)]

    together = [finish() for finish in listening.listen(music, books())]
    alone = [heard(music, book) for book in books()]
    for one, other in zip(together, alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_is_opened_once_and_resampled_once_for_each_form(
    music: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Counter[str] = Counter()
    resampled: Counter[tuple[int, int]] = Counter()
    av_open, stream = av.open, soxr.ResampleStream

    def count_open(path: str, *more: Any, **options: Any) -> Any:
        opened[path] += 1
        return av_open(path, *more, **options)

    def count_resampler(rate_hz: int, to_hz: int, channels: int, **options: Any) -> Any:
        resampled[to_hz, channels] += 1
        return stream(rate_hz, to_hz, channels, **options)

    monkeypatch.setattr(av, "open", count_open)
    monkeypatch.setattr(soxr, "ResampleStream", count_resampler)
    before = listening.passes[music]
    forms = [(8000, True), (8000, False), (8000, True), (16000, False), (None, True), (22050, True)]
    for finish in listening.listen(music, [Notebook(*form) for form in forms]):
        finish()
    assert opened == {f"file:{music}": 1}
    assert listening.passes[music] == before + 1
    assert resampled == {(8000, 1): 1, (8000, 2): 1, (22050, 1): 1}


def test_the_whole_recording_is_heard_when_the_record_is_asked_for(music: Path) -> None:
    whole, blocks = Notebook(8000), Notebook(8000, block_s=1.0)
    first, second = listening.listen(music, [whole, blocks])
    assert (len(whole.blocks), len(blocks.blocks)) == (0, 10)
    assert len(first()) == len(second()) == 80000
    assert (len(whole.blocks), len(blocks.blocks)) == (1, 10)


@pytest.mark.parametrize("rate_hz", [None, 8000, 500])
def test_a_recording_of_one_sample_is_heard(tmp_path: Path, rate_hz: int | None) -> None:
    samples = np.full((1, 1), 0.5, np.float32)
    path = write_media(tmp_path / "music.wav", Samples(samples, 48000))
    found = heard(path, Notebook(rate_hz))
    # Resampled it may be none, of one channel still.
    assert found.shape[1] == 1
    np.testing.assert_array_equal(
        found, samples if rate_hz is None else soxr.resample(samples, 48000, rate_hz)
    )


def test_what_a_step_reads_besides_is_given_to_its_listener(music: Path) -> None:
    class Adding(Notebook):
        def finish(self, *more: int) -> Any:
            return len(self.blocks[0]) + sum(more)

    [finish] = listening.listen(music, [Adding(8000)])
    assert finish(1, 2) == 80003


def test_a_listener_may_change_what_it_hears(music: Path) -> None:
    class Spoiling(Notebook):
        def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
            samples[:] = 7.0

    forms: list[tuple[int | None, float | None]] = [(8000, None), (None, 1.0), (None, None)]
    for rate_hz, block_s in forms:
        spoiling, book = (kind(rate_hz, block_s=block_s) for kind in (Spoiling, Notebook))
        first, second = listening.listen(music, [spoiling, book])
        with pytest.raises(ValueError, match="at least one array"):
            first()
        wanted = read_sound(music, rate_hz=rate_hz, mono=True).samples
        np.testing.assert_array_equal(second(), wanted)


def test_a_signal_is_freed_when_its_last_listener_has_heard_it(music: Path) -> None:
    class Forgetful(Notebook):
        def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
            self.signal = weakref.ref(samples)

        def finish(self) -> Any:
            return self.signal()

    finishes = listening.listen(music, [Forgetful(8000), Forgetful(8000)])
    assert [finish() for finish in finishes] == [None, None]


def test_a_signal_is_held_once(tmp_path: Path) -> None:
    size_bytes = 30 * 44100 * 2 * 4
    path = write_media(tmp_path / "long.wav", Samples(tone(30.0, 44100, 2), 44100, "stereo"))
    forms: list[tuple[int | None, bool, float]] = [(None, False, 1.0), (22050, True, 0.25)]
    for rate_hz, mono, share in forms:
        tracemalloc.start()
        [finish] = listening.listen(path, [Notebook(rate_hz, mono)])
        held, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert finish is not None
        assert held < 1.2 * share * size_bytes + 2e6
        assert peak < 1.2 * share * size_bytes + 6e6


@pytest.mark.parametrize(
    "error", [RejectEntry(Reason.NO_BEATS, "one beat"), ZeroDivisionError("a bug")]
)
@pytest.mark.parametrize("block_s", [None, 1.0])
def test_what_a_listener_raises_is_raised_for_it_alone(
    music: Path, error: Exception, block_s: float | None
) -> None:
    refusing = Refusing(error, at=0 if block_s is None else 3, block_s=block_s)
    others = [Notebook(block_s=1.0), Notebook()]
    finishes = listening.listen(music, [others[0], refusing, others[1]])
    assert len(finishes[0]()) == 160000
    with pytest.raises(type(error)) as raised:
        finishes[1]()
    assert raised.value is error
    assert len(finishes[2]()) == 160000
    # Who has refused is spared the rest.
    assert len(refusing.blocks) == refusing.at


@pytest.mark.parametrize("rate_hz", [-1, "fast"])
def test_a_form_that_cannot_be_had_is_the_fault_of_who_asks_for_it(
    music: Path, rate_hz: Any
) -> None:
    first, second = listening.listen(music, [Notebook(), Notebook(rate_hz)])
    assert len(first()) == 160000
    with pytest.raises((ValueError, TypeError)):
        second()


def test_who_does_not_say_what_it_wants_is_told_so_alone(music: Path) -> None:
    class Vague:
        def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
            raise AssertionError

    vague: Any = Vague()
    first, second = listening.listen(music, [Notebook(), vague])
    assert len(first()) == 160000
    with pytest.raises(AttributeError, match="rate_hz"):
        second()


def rejection_of(path: Path, *listeners: Notebook) -> RejectEntry:
    with pytest.raises(RejectEntry) as raised:
        listening.listen(path, listeners or [Notebook(), Notebook(8000, block_s=1.0)])
    return raised.value


def test_a_video_without_sound_is_turned_away(tmp_path: Path) -> None:
    mute = write_media(tmp_path / "mute.mkv", Pictures([noise(1)] * 10, steady(10)))
    assert rejection_of(mute).reason is Reason.NO_AUDIO


def test_what_is_no_recording_is_turned_away(tmp_path: Path) -> None:
    path = tmp_path / "music.mp3"
    path.write_text("not a sound")
    assert rejection_of(path).reason is Reason.NOT_MEDIA


def test_a_file_whose_sound_is_shorter_than_said_is_turned_away(music: Path) -> None:
    # Its header still says ten seconds.
    music.write_bytes(music.read_bytes()[: music.stat().st_size // 2])
    book = Notebook(block_s=1.0)
    rejection = rejection_of(music, book)
    assert rejection.reason is Reason.UNREADABLE
    assert "cut short" in rejection.detail
    # Nobody could know before the end.
    assert book.blocks


def test_a_damaged_file_is_turned_away_whatever_a_listener_says(tmp_path: Path) -> None:
    sound = Samples(tone(20.0, 44100), 44100, codec="aac")
    path = write_media(tmp_path / "music.mp4", sound)
    data = bytearray(path.read_bytes())
    first, after = len(data) // 4, len(data) // 2
    data[first:after] = bytes(at * 37 % 251 for at in range(after - first))
    path.write_bytes(data)
    refusing = Refusing(ZeroDivisionError("a bug"), block_s=1.0)
    assert rejection_of(path, refusing).reason is Reason.UNREADABLE


def test_sound_that_is_mostly_no_numbers_is_turned_away(tmp_path: Path) -> None:
    samples = tone(3.0)
    samples[::10] = np.nan
    path = write_media(tmp_path / "music.wav", Samples(samples))
    rejection = rejection_of(path)
    assert rejection.reason is Reason.UNREADABLE
    assert "are no numbers" in rejection.detail
