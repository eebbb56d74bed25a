"""How much of a recording a piano accounts for that plays the notes transcribed from it.

A piano transcriber hears a piano in anything: from a band it makes notes too. Whether the
notes are all that there is can be heard: each gives its partials, strong when struck and
fading until the key is released, and what a recording holds beside them is not piano. The
recording's spectrogram is approximated by the transcribed notes alone, in the manner of
score-informed non-negative matrix factorisation (Ewert and Mueller, "Using score-informed
constraints for NMF-based source separation", ICASSP 2012): where and when each note may
have energy is fixed by pitch and time, how loud it is and how its partials are balanced is
fitted. Once the notes fade as strings that were struck do, once they hold as blown, bowed
and sung ones do; the better of the two tells the kind. Plucked strings fade too: a harp, a
harpsichord or a guitar alone is not told from a piano.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step
from symmv_builder.records import FeatureTrack, Floats, Ints, Notes
from symmv_builder.timeline import Clock, grid_length

RATE_HZ = 22050
_HOP, _WINDOW, _BLOCK = 882, 2048, 256
_FRAME_S = _HOP / RATE_HZ
_LOWEST, _HIGHEST = 24, 132
_LIMITS_HZ = (30.0, 8000.0)
_PARTIALS, _STIFFNESS = 12, 4e-4
_ROUNDS = 25
# By when a string of middle C has lost most of what it was struck with; two octaves higher it
# takes half as long. The slow rest of a piano's tone would be as much like a held tone's.
_FADING_S = 0.5
_ATTACK_S, _RELEASE_S, _RING_S = 0.04, 0.12, 0.6
_HOP_S = 1.0
_TINY = 1e-9


class _Envelopes(NamedTuple):
    """The times and strengths of notes, as lists of (note, frame, level), ``[k]`` each."""

    notes: Ints
    frames: Ints
    levels: Floats


class _PianoListener:
    rate_hz: int | None = RATE_HZ
    mono = True
    block_s: float | None = None

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self._duration_s = len(samples) / rate_hz
        self._bands = _bands(samples[:, 0])

    def finish(self, notes: Notes) -> FeatureTrack:
        return share_of(self._bands, self._duration_s, notes)


def hear_piano() -> _PianoListener:
    """Measure for each second how much of the sound the notes account for; values ``[t, 3]``.

    They are the share that the notes account for as they fade, the share if they were held, and
    how loud the second is. Shares are 1 for all of the magnitude and 0 (or less) for nothing of it.
    """
    return _PianoListener()


def share_of(spectrum: Floats, duration_s: float, notes: Notes) -> FeatureTrack:
    """Compute what `hear_piano` gives, of a spectrogram ``[t, b]`` as a recording's is."""
    spectrum = spectrum / (spectrum.mean() + _TINY)
    seconds = np.floor(np.arange(len(spectrum)) * _FRAME_S / _HOP_S).astype(np.int64)
    length = grid_length(duration_s, _HOP_S)
    seconds = seconds.clip(0, max(0, length - 1))
    loud = np.bincount(seconds, weights=spectrum.sum(axis=1), minlength=length)[:length]
    columns = []
    for fades in (True, False):
        missed = np.abs(spectrum - explained(spectrum, notes, fades=fades)).sum(axis=1)
        missed = np.bincount(seconds, weights=missed, minlength=length)[:length]
        columns.append(np.where(loud > 0, 1.0 - missed / np.maximum(loud, _TINY), 0.0))
    values = np.stack([*columns, loud], axis=1).astype(np.float32)
    return FeatureTrack("piano_share", _HOP_S, values, Clock.MUSIC)


def _bands(samples: NDArray[np.float32]) -> Floats:
    """Magnitude in each semitone of MIDI 24-132, ``[t, 109]``."""
    padded = np.pad(samples, (_WINDOW // 2, _WINDOW // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    window = np.hanning(_WINDOW).astype(np.float32)
    hertz = np.fft.rfftfreq(_WINDOW, 1.0 / RATE_HZ)
    in_range = (hertz > _LIMITS_HZ[0]) & (hertz < _LIMITS_HZ[1])
    pitch = 69.0 + 12.0 * np.log2(hertz[in_range] / 440.0)
    apart = np.clip(pitch[:, None] - np.arange(_LOWEST, _HIGHEST + 1), -1.0, 1.0)
    bank = np.square(np.cos(0.5 * np.pi * apart))
    parts = [
        np.square(np.abs(np.fft.rfft(frames[first : first + _BLOCK] * window, axis=1)[:, in_range]))
        for first in range(0, len(frames), _BLOCK)
    ]
    return np.concatenate([np.sqrt(part @ bank) for part in parts])


def explained(spectrum: Floats, notes: Notes, *, fades: bool) -> Floats:
    """Take the part of a spectrogram ``[t, b]`` that the notes account for, of the same shape.

    Loudness of each note and balance of each pitch's partials are fitted in turns by the
    multiplicative updates for the generalised Kullback-Leibler divergence (Lee and Seung,
    "Algorithms for non-negative matrix factorization", 2001).
    """
    if not len(notes.starts_s) or not len(spectrum):
        return np.zeros_like(spectrum)
    pitches, of_note = np.unique(notes.pitches, return_inverse=True)
    when = _envelopes(notes, len(spectrum), fades=fades)
    cells = of_note[when.notes] * len(spectrum) + when.frames
    loudness = np.power(notes.velocities / 64.0, 1.5)
    spectra = np.stack([_partials(int(pitch)) for pitch in pitches])
    summed = np.bincount(when.notes, weights=when.levels, minlength=len(loudness))

    def sounding() -> Floats:
        weights = loudness[when.notes] * when.levels
        size = len(pitches) * len(spectrum)
        flat = np.bincount(cells, weights=weights, minlength=size)
        return np.asarray(flat, dtype=np.float64).reshape(len(pitches), -1)

    for _ in range(_ROUNDS):
        active = sounding()
        ratio = spectrum / (active.T @ spectra + _TINY)
        spectra = spectra * (active @ ratio) / (active.sum(axis=1)[:, None] + _TINY)
        ratio = spectrum / (active.T @ spectra + _TINY)
        expected = (spectra @ ratio.T).reshape(-1)[cells] * when.levels
        gained = np.bincount(when.notes, weights=expected, minlength=len(loudness))
        loudness = loudness * gained / (spectra.sum(axis=1)[of_note] * summed + _TINY)
    return np.asarray(sounding().T @ spectra)


def _partials(pitch: int) -> Floats:
    """Place a pitch's partials, stretched as by a stiff string, falling as 1/n: ``[b]``."""
    numbers = np.arange(1, _PARTIALS + 1)
    places = pitch - _LOWEST + 12.0 * np.log2(numbers * np.sqrt(1.0 + _STIFFNESS * numbers**2))
    apart = np.abs(np.arange(_HIGHEST - _LOWEST + 1) - places[:, None])
    return np.asarray((np.maximum(1.0 - apart, 0.0) / numbers[:, None]).max(axis=0))


def _envelopes(notes: Notes, length: int, *, fades: bool) -> _Envelopes:
    ends_s = np.array(notes.ends_s)
    for down, up in zip(notes.pedal_starts_s, notes.pedal_ends_s, strict=True):
        ends_s[(ends_s >= down) & (ends_s < up)] = up
    first = np.ceil((notes.starts_s - _ATTACK_S) / _FRAME_S).astype(np.int64).clip(0)
    after = np.ceil((ends_s + _RING_S) / _FRAME_S).astype(np.int64).clip(0, length)
    counts = np.maximum(after - first, 0)
    number = np.repeat(np.arange(len(counts)), counts)
    frames = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + first[number]
    since_s = frames * _FRAME_S - notes.starts_s[number]
    levels = np.clip(since_s / _ATTACK_S + 1.0, 0.0, 1.0)
    if fades:
        scaled_s = np.maximum(since_s, 0.0) * np.exp2((notes.pitches[number] - 60) / 24.0)
        levels *= np.exp(-scaled_s / _FADING_S)
    released_s = np.maximum(since_s - (ends_s - notes.starts_s)[number], 0.0)
    return _Envelopes(number, frames, levels * np.exp(-released_s / _RELEASE_S))


STEP = Step("piano_share", 1, reads=("music", "notes"), run=hear_piano, together=listening.listen)
