"""Sounds that the site makes its checks of, synthesised here: nobody else's recordings.

The headphone check is that of Woods, Siegel, Traer and McDermott ("Headphone screening to
facilitate web-based auditory experiments", 2017): which of three tones of 200 Hz is the quietest?
One is 6 dB quieter, another is in opposite phase on the two channels. Over loudspeakers that one
cancels in the air and seems the quietest; over headphones it does not. Six times; five right pass.
An attention check is a row of short tones to be counted.
"""

import io
import wave
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Sound: TypeAlias = NDArray[np.float64]

RATE_HZ = 22_050
TONES_HZ = 200.0
TONE_S = 1.0
RAMP_S = 0.1
SILENCE_S = 0.5
QUIETER_DB = -6.0
HEADPHONE_TRIALS = 6
HEADPHONE_PASSES = 5
MOST_COUNTED = 5
_LEVEL = 0.25


def headphone_check(quietest: int, antiphase: int) -> bytes:
    """A stereo WAV of three tones; the two places are 0 to 2 and differ, else `ValueError`."""
    if quietest == antiphase or not {quietest, antiphase} <= {0, 1, 2}:
        raise ValueError(f"places {quietest} and {antiphase} are not two of three")
    silence = np.zeros((round(SILENCE_S * RATE_HZ), 2))
    parts = []
    for place in range(3):
        tone = _tone(TONES_HZ, TONE_S, RAMP_S)
        if place == quietest:
            tone = tone * 10 ** (QUIETER_DB / 20)
        other = -tone if place == antiphase else tone
        parts += [np.stack([tone, other], axis=1), silence]
    return _wav(np.concatenate(parts))


def tones_to_count(count: int) -> bytes:
    """A stereo WAV of `count` short tones, .45 s apart; its length does not tell how many."""
    tone = _tone(660.0, 0.2, 0.03)
    gap = np.zeros(round(0.25 * RATE_HZ))
    sounds = [tone] * count + [tone * 0] * (MOST_COUNTED - count)
    mono = np.concatenate([part for each in sounds for part in (each, gap)])
    return _wav(np.stack([mono, mono], axis=1))


def _tone(frequency_hz: float, seconds: float, ramp_s: float) -> Sound:
    times = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    edge = np.minimum(times, times[-1] - times) / ramp_s
    swell = np.sin(np.pi / 2 * np.clip(edge, 0.0, 1.0)) ** 2
    sound: Sound = _LEVEL * swell * np.sin(2 * np.pi * frequency_hz * times)
    return sound


def _wav(stereo: Sound) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(np.round(stereo * 32767).astype("<i2").tobytes())
    return out.getvalue()
