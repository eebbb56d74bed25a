"""Visual beats: when what moves in a video stops or turns, in time.

Davis and Agrawala, "Visual Rhythm and Beat" (2018), sections 4 and 5, which CMT (Di et al. 2021)
takes for the salience of motion. Where the motion in a direction decreases from one moment to the
next something hits, stops or turns; the sum of these decreases over all directions is the impact
envelope. Its local maxima could be beats; its local autocorrelation, the tempogram, says which
distance they have; and of all ways through them the one is taken whose impacts are strong and
whose distances are those of the tempogram, by the dynamic programming of Ellis, "Beat Tracking by
Dynamic Programming" (2007).
"""

import numpy as np
from numpy.typing import NDArray

from symmv_builder.pipeline.step import Step
from symmv_builder.records import FeatureTrack, Floats, VisualBeats
from symmv_builder.schema import Column

SLOWEST_BPM, FASTEST_BPM = 60.0, 180.0
# Of lags that explain an envelope equally well, the one nearest to this tempo is taken.
USUAL_BPM = 120.0
# A cut is motion that lasts a row: medians over so many rows leave it out, and keep motion that
# goes on, with its beginnings and ends.
CUT_ROWS = 3
# What of the impacts lies above this quantile is cut down to it.
HIGHEST_QUANTILE = 0.99
# Below this speed, in heights a second, nothing moves but noise.
NOISE = 1e-3
# A maximum is one within so many seconds on both sides, ...
PEAK_S = 0.1
# ... and so far above the mean of the envelope around it.
AROUND_S, ABOVE = 0.5, 0.05
TEMPOGRAM_S = 6.0
# What an octave between a distance and the tempogram's costs, in strengths.
STEADINESS = 0.5


def impact_envelope(directogram: NDArray[np.float32]) -> Floats:
    """Decrease of motion since the row before, summed over directions: ``[t]``, 0-1.

    The greatest is 1; where nothing moves all are 0. Motion of a single row, as a cut makes, is
    left out.
    """
    values = directogram.astype(np.float64)
    if len(values):
        beside = np.pad(values, ((CUT_ROWS // 2, CUT_ROWS // 2), (0, 0)), mode="edge")
        values = np.median(np.lib.stride_tricks.sliding_window_view(beside, CUT_ROWS, 0), axis=-1)
    falls = np.maximum(values[:-1] - values[1:], 0.0).sum(axis=1)
    falls = np.concatenate([np.zeros(min(len(values), 1)), falls])
    moving = falls[falls > NOISE]
    if not len(moving):
        return np.zeros(len(values))
    highest = np.quantile(moving, HIGHEST_QUANTILE)
    return np.asarray(np.where(falls > NOISE, np.minimum(falls, highest), 0.0) / highest)


def local_maxima(envelope: Floats, hop_s: float) -> NDArray[np.int64]:
    """Find rows of the envelope that stand out from those around; of equal ones the first."""
    reach, around = max(1, round(PEAK_S / hop_s)), max(1, round(AROUND_S / hop_s))
    beside = np.pad(envelope, reach, constant_values=-1.0)
    windows = np.lib.stride_tricks.sliding_window_view(beside, 2 * reach + 1)
    is_first = windows.argmax(axis=1) == reach
    sums = np.concatenate([[0.0], envelope.cumsum()])
    rows = np.arange(len(envelope))
    start, end = (rows - around).clip(0), (rows + around + 1).clip(max=len(envelope))
    mean = (sums[end] - sums[start]) / (end - start)
    return np.flatnonzero(is_first & (envelope > 0) & (envelope >= mean + ABOVE))


def tempogram(envelope: Floats, hop_s: float) -> tuple[NDArray[np.int64], Floats]:
    """Lags in rows ``[l]``, and how well each explains the envelope around each row ``[l, t]``.

    The autocorrelation of the envelope less its mean in a Hann window of `TEMPOGRAM_S` seconds,
    as a share of its energy there, times how usual the tempo is.
    """
    lags = np.arange(
        max(1, int(np.ceil(60 / FASTEST_BPM / hop_s - 1e-6))),
        max(2, int(np.floor(60 / SLOWEST_BPM / hop_s + 1e-6)) + 1),
    )
    window = np.hanning(max(3, round(TEMPOGRAM_S / hop_s)) | 1)
    centred = envelope - envelope.mean() if len(envelope) else envelope

    def around(values: Floats) -> Floats:
        whole = np.convolve(values, window)
        return whole[len(window) // 2 :][: len(values)]

    energy = around(centred**2) + 1e-12
    usual = np.exp(-0.5 * np.log2(60 / (lags * hop_s) / USUAL_BPM) ** 2)
    strengths = np.zeros((len(lags), len(envelope)))
    for place, lag in enumerate(lags.tolist()):
        if lag < len(centred):
            product = np.zeros(len(centred))
            product[lag:] = centred[lag:] * centred[:-lag]
            strengths[place] = usual[place] * around(product) / energy
    return lags, strengths


def find_visual_beats(directogram: FeatureTrack) -> VisualBeats:
    """Find times and strengths of the visual beats, and their tempo.

    A strength is the height of the impact envelope there: 0-1, 1 the strongest impact of the
    video. Without motion there are none, and the tempo is 0. The tempo lies in 60-180.
    """
    hop_s = directogram.hop_s
    envelope = impact_envelope(directogram.values)
    rows = local_maxima(envelope, hop_s)
    if not len(rows):
        return VisualBeats(np.zeros(0), np.zeros(0), 0.0, directogram.clock)
    lags, strengths = tempogram(envelope, hop_s)
    gaps = lags[strengths[:, rows].argmax(axis=0)]
    beats = rows[_steadiest(rows, envelope[rows], gaps)]
    tempo_bpm = 60.0 / (hop_s * _peak(lags, strengths.mean(axis=1)))
    times_s = np.asarray(beats * hop_s, dtype=np.float64)
    return VisualBeats(times_s, envelope[beats], tempo_bpm, directogram.clock)


def _steadiest(
    rows: NDArray[np.int64], strengths: Floats, gaps: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Tell which of the maxima are beats: numbers of the best way through them."""
    best = strengths.copy()
    before = np.full(len(rows), -1)
    for number in range(1, len(rows)):
        octaves = np.log2((rows[number] - rows[:number]) / gaps[number])
        ways = best[:number] - STEADINESS * octaves**2
        came = int(ways.argmax())
        if ways[came] > 0:
            best[number] += ways[came]
            before[number] = came
    place, path = int(best.argmax()), []
    while place >= 0:
        path.append(place)
        place = int(before[place])
    return np.array(path[::-1], dtype=np.int64)


def _peak(lags: NDArray[np.int64], values: Floats) -> float:
    """Find the lag of the highest peak, between rows by a parabola through its neighbours.

    Without a peak between the ends it is that of the greatest value.
    """
    inner = np.flatnonzero((values[1:-1] >= values[:-2]) & (values[1:-1] > values[2:])) + 1
    if not len(inner):
        return float(lags[int(values.argmax())])
    top = int(inner[values[inner].argmax()])
    left, middle, right = values[top - 1 : top + 2].tolist()
    bend = left - 2 * middle + right
    return float(lags[top] + (0.5 * (left - right) / bend if bend < 0 else 0.0))


COLUMNS = (
    Column("{}_times_s", "list<float64>", "s, video", "when motion stops or turns in time",
           "times_s"),
    Column("{}_strengths", "list<float32>", "0-1", "how strongly, the strongest of the video 1",
           "strengths"),
    Column("{}_tempo_bpm", "float64", "1/min", "tempo of the visual beats, 0 without any",
           "tempo_bpm"),
)  # fmt: skip

STEP = Step("visual_beats", 1, ("directogram",), find_visual_beats, columns=COLUMNS)
