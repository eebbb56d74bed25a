"""Tempo and time: from a video's motion to beats a minute, and from 16ths to seconds.

Zhuo et al. (2023), section 4.1: the mean RGB difference of a video, linearly mapped from the
corpus's least and greatest to 90 and 130 beats a minute, is the tempo of its music; it enters the
generators as Tempo Embedding, and the share of the video that has passed as Timing Encoding
(after Di et al., "Video Background Music Generation with Controllable Music Transformer", 2021).
The corpus is the training split; what was learned from it is kept with the model.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Clock: TypeAlias = Callable[[Ints], Floats]
"""Seconds of steps that count 16ths from a song's first bar."""

SLOWEST_BPM, FASTEST_BPM = 90.0, 130.0
STEPS_PER_BEAT = 4

# Bins of equal ratio (5.3 %) from 40 to 208 to the minute, the metronome's range; 0 is unknown.
BINS = 32
TEMPO_SIZE = 1 + BINS
_LOWEST_BIN_BPM, _HIGHEST_BIN_BPM = 40.0, 208.0

TIMING_SIZE = 101
Rounding = Literal["floor", "round"]
"""How the share of a piece becomes a whole number of hundredths: CMT's public code rounds it."""
QUANTILES = 101


def tempo_bin(bpm: float | Floats) -> Ints:
    """Give the bin of a tempo, 1-32; the first and the last also hold what lies beyond."""
    place = np.log(np.asarray(bpm, dtype=np.float64) / _LOWEST_BIN_BPM)
    place = place / np.log(_HIGHEST_BIN_BPM / _LOWEST_BIN_BPM) * BINS
    return np.asarray(np.floor(place).clip(0, BINS - 1), dtype=np.int64) + 1


def timing_of(
    bars: Ints,
    beats: Ints,
    *,
    steps_per_bar: int,
    total_bars: int,
    rounding: Rounding = "floor",
) -> Ints:
    """Compute the share of the piece that has passed at each token, in percent, 0-100.

    ``bars`` count from the piece's first bar (for a crop, add its own first bar) and ``beats``
    are 16ths in the bar, both as `tokens.Sequence` holds them.
    """
    passed = (TIMING_SIZE - 1) * (bars * steps_per_bar + beats)
    whole = total_bars * steps_per_bar
    # Half a hundredth is rounded up, in whole numbers on every machine.
    shares = passed // whole if rounding == "floor" else (2 * passed + whole) // (2 * whole)
    return np.asarray(shares.clip(0, TIMING_SIZE - 1))


def mean_motion(motion: NDArray[Any]) -> float:
    """Average the RGB difference of a video: its column ``motion`` ``[t]``, differences over 0.2 s.

    The first value, which has nothing before it, is left out.
    """
    return float(np.mean(motion[1:], dtype=np.float64)) if len(motion) > 1 else 0.0


@dataclass(frozen=True, slots=True)
class MotionRange:
    """The least and the greatest mean RGB difference among the videos of a corpus."""

    lowest: float
    highest: float

    @classmethod
    def of(cls, means: Sequence[float]) -> "MotionRange":
        """Find the range of a corpus's `mean_motion`; `ValueError` for no videos."""
        return cls(min(means), max(means))

    def tempo_bpm(self, mean: float) -> float:
        """Map a mean motion to a tempo; means outside of the corpus's range are clipped.

        A corpus of one motion gives the middle of the tempo range.
        """
        if self.highest <= self.lowest:
            return (SLOWEST_BPM + FASTEST_BPM) / 2
        share = min(max((mean - self.lowest) / (self.highest - self.lowest), 0.0), 1.0)
        return SLOWEST_BPM + share * (FASTEST_BPM - SLOWEST_BPM)


# The `mean_motion` of ordinary videos, for models that have seen none: films, a trailer, a cartoon
# and a sports clip lie between 3.7 and 23.4.
USUAL_MOTION = MotionRange(3.0, 24.0)


def quantiles_of(tempos_bpm: Sequence[float]) -> list[float]:
    """Summarise a corpus's tempos as 101 quantiles, to be kept with a model."""
    return [float(q) for q in np.quantile(np.asarray(tempos_bpm), np.linspace(0, 1, QUANTILES))]


def draw_tempo(quantiles: Sequence[float], rng: np.random.Generator) -> float:
    """Draw a tempo in beats a minute from the distribution that `quantiles_of` summarised."""
    places = np.linspace(0, 1, len(quantiles))
    return float(np.interp(rng.random(), places, np.asarray(quantiles)))


def steady(tempo_bpm: float) -> Clock:
    """Make a clock of 16ths at one tempo, the first bar at 0 s."""
    return lambda steps: np.asarray(steps * (60.0 / tempo_bpm / STEPS_PER_BEAT), dtype=np.float64)


def along(beats_s: Floats, beats: Ints) -> Clock:
    """Make a clock of 16ths from tracked beats: times (two at least), numbers of the song's beats.

    Before the first and after the last tracked beat the nearest gap goes on.
    """
    gaps = np.diff(beats_s)

    def seconds(steps: Ints) -> Floats:
        whole = np.floor_divide(steps, STEPS_PER_BEAT)
        inside = whole.clip(0, len(beats) - 1)
        places = beats[inside] + (steps / STEPS_PER_BEAT - inside)
        before = np.floor(places).astype(np.int64).clip(0, len(gaps) - 1)
        return np.asarray(beats_s[before] + (places - before) * gaps[before], dtype=np.float64)

    return seconds
