"""One pass over a recording, shared by every stage that listens to it.

A recording is decoded once and handed to listeners, resampled once for each rate and layout that
they ask for. A listener that takes the sound in blocks hears it while it is decoded, and nothing
of it is held. One that needs the whole recording, as most models do, hears it when the turn of its
step has come: so models run one at a time and in the order of the recipe, none before the tests
that the recipe puts before it. Until then the signal is held once for all listeners of its rate
and layout, and freed when the last of them has heard it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.pyav import Converter, SoundStream, Tape

# How often each file was decoded by this process: what tests and benchmarks count.
passes: Counter[Path] = Counter()


class Listener(Protocol):
    """A listener to a recording, and the form in which it wants that.

    `rate_hz` is a sample rate, or `None` for the file's own; `mono` asks for the mean of the
    channels, of which there are one or two otherwise. `block_s` is how many seconds it takes at a
    time, `None` for the whole recording at once.
    """

    @property
    def rate_hz(self) -> int | None: ...

    @property
    def mono(self) -> bool: ...

    @property
    def block_s(self) -> float | None: ...

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        """Take the next block, float32 ``[n, channels]``; the last may be shorter than the others.

        It is the listener's own, to change and to keep. `RejectEntry` where the recording is no
        good for it.
        """

    def finish(self, *args: Any, **kwargs: Any) -> Any:
        """Make the record, once all was heard; takes what its step reads besides, by position."""


def listen(music: Path, listeners: Sequence[Listener]) -> list[Callable[..., Any]]:
    """Decode a recording once and give one function a listener, in their order.

    Each takes what the listener's step reads besides and gives its record; it is called once. What
    a listener raises is raised there and stops no other. Raises `RejectEntry`, as
    `pyav.SoundStream` does, for a file that cannot be decoded to its end.
    """
    passes[music] += 1
    ears = [_Ear(listener) for listener in listeners]
    stream = SoundStream(music)
    tracks: list[_Track] | None = None
    for block in stream:
        tracks = _tracks(stream, ears) if tracks is None else tracks
        for track in tracks:
            track.receive(block)
    for track in tracks or ():
        track.end()
    return [ear.finish for ear in ears]


class _Signal(Tape):
    """A whole recording in one form, held until the last of its listeners has heard it."""

    def __init__(self, listeners: int) -> None:
        super().__init__()
        self._listeners_left = listeners

    def play(self) -> NDArray[np.float32]:
        """Give the signal to one listener alone."""
        self._listeners_left -= 1
        return self.copy() if self._listeners_left else self.take()


class _Ear:
    """One listener: what waits until it makes a block, or is to be heard later; what it raised."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener
        self._chunks: list[NDArray[np.float32]] = []
        self._waiting = self._size = self._rate_hz = 0
        self.signal: _Signal | None = None
        self.error: Exception | None = None

    @property
    def hears_all_at_once(self) -> bool:
        return self._size == 0

    def form(self, stream: SoundStream) -> tuple[int, bool]:
        """Choose rate and layout for this recording, and how many samples make a block."""
        listener = self._listener
        self._rate_hz = listener.rate_hz or stream.rate_hz
        if listener.block_s is not None:
            self._size = max(1, round(listener.block_s * self._rate_hz))
        return self._rate_hz, listener.mono or stream.channels == 1

    def receive(self, samples: NDArray[np.float32]) -> None:
        if self.error is None and not self.hears_all_at_once:
            self._chunks.append(samples)
            self._waiting += len(samples)
            if self._waiting >= self._size:
                self._hear_blocks(self._waiting - self._waiting % self._size)

    def end(self) -> None:
        if self._waiting:
            self._hear_blocks(self._waiting)

    def _hear_blocks(self, end: int) -> None:
        # A copy, so that what one listener changes no other hears.
        joined = np.ascontiguousarray(np.concatenate(self._chunks))
        self._chunks, self._waiting = [joined[end:]], len(joined) - end
        try:
            for start in range(0, end, self._size):
                self._listener.hear(joined[start : min(end, start + self._size)], self._rate_hz)
        except Exception as error:  # noqa: BLE001 (raised when the turn of its step has come)
            self.fail(error)

    def fail(self, error: Exception) -> None:
        self.error, self.signal = error, None
        self._chunks, self._waiting = [], 0

    def finish(self, *others: Any) -> Any:
        if self.error is not None:
            raise self.error
        if self.signal is not None:
            signal, self.signal = self.signal, None
            self._listener.hear(signal.play(), self._rate_hz)
        return self._listener.finish(*others)


class _Track:
    """The recording at one rate and in one layout, and who hears it so."""

    def __init__(self, convert: Converter, ears: Sequence[_Ear]) -> None:
        self._convert, self._ears = convert, ears
        later = [ear for ear in ears if ear.hears_all_at_once]
        self._signal = _Signal(len(later)) if later else None
        for ear in later:
            ear.signal = self._signal

    def receive(self, block: NDArray[np.float32]) -> None:
        self._pass_on(partial(self._convert, block))

    def end(self) -> None:
        self._pass_on(self._convert.end)
        if self._signal is not None:
            self._signal.trim()
        for ear in self._ears:
            ear.end()

    def _pass_on(self, convert: Callable[[], NDArray[np.float32]]) -> None:
        if all(ear.error is not None for ear in self._ears):
            return
        try:
            samples = convert()
            if self._signal is not None:
                self._signal.add(samples)
        except Exception as error:  # noqa: BLE001 (raised when the turn of a step has come)
            self._signal = None
            for ear in self._ears:
                ear.fail(error)
        else:
            for ear in self._ears:
                ear.receive(samples)


def _tracks(stream: SoundStream, ears: Sequence[_Ear]) -> list[_Track]:
    """Sort listeners: one track for each form in which this recording is wanted."""
    forms: dict[tuple[int, bool], list[_Ear]] = {}
    converters: dict[tuple[int, bool], Converter] = {}
    for ear in ears:
        try:
            form = rate_hz, mono = ear.form(stream)
            if form not in converters:
                converters[form] = Converter(stream, rate_hz=rate_hz, mono=mono)
        except Exception as error:  # noqa: BLE001 (raised when the turn of its step has come)
            ear.fail(error)
        else:
            forms.setdefault(form, []).append(ear)
    return [_Track(converters[form], listeners) for form, listeners in forms.items()]
