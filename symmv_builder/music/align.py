"""Are the cover and the official video the same song, and how do their clocks map?

Both recordings become chroma features that follow the notes and not the instruments:
semitone bands at the recording's own tuning, compressed, freed of what is broad in
pitch (drums, breath), weighted towards onsets (Ewert, Mueller and Grosche, "High
resolution audio synchronization using chroma onset features", ICASSP 2009), folded to
twelve classes and smoothed over a second (CENS: Mueller, Kurth and Clausen, "Audio
matching via chroma-based statistical features", ISMIR 2005).
The best stretch of one inside the other is found by a local form of dynamic time warping
(Serra, Serra and Andrzejak, "Cross recurrence quantification for cover song
identification", 2009; Smith and Waterman 1981), for music transposed by any of twelve
semitones. Tempos may differ by up to a factor of two, either recording may begin or end
anywhere, and a part that only one of them plays is jumped over at a price. What SymMV's
authors did by hand (Zhuo et al. 2023, section 3.1) becomes a number.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.pyav import read_sound
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Alignment, Floats
from symmv_builder.schema import Column

RATE_HZ = 12000
FRAME_S = 0.1
_HOP, _WINDOW, _BLOCK = round(RATE_HZ * FRAME_S), 4096, 256
_LOWEST, _HIGHEST = 36, 96
_BANDS_APART = 13
_LEVEL_FRAMES = 101
_COMPRESSION = 5.0
# A piano fades where strings and voices hold: what begins says more than what sounds.
_ONSET_FRAMES, _ONSET_SHARE, _ONSET_GAIN = 3, 0.8, 2.0
# Similarity that counts as nothing: unlike chords lie around 0, like ones around 0.7.
_CHANCE = 0.3
_STEP_COST, _JUMP_COST, _SKIP_COST = 0.1, 12.0, 0.02
_SMOOTHING_S = 4.0
# The score a frame of the shorter recording that unlike songs reach in one pair of a hundred,
# which is higher the shorter it is, because chance has more to choose from. As measured by
# benchmarks/screening.py; like songs score 0.3-0.6.
_EVEN_SCORE, _EVEN_SCORE_SHORT_S, _SCORE_SCALE = 0.15, 1.5, 0.02

_START, _DIAGONAL, _TWO_MUSIC, _TWO_VIDEO, _JUMP_MUSIC, _JUMP_VIDEO = range(6)

_Single = NDArray[np.float32]


class _AlignmentListener:
    rate_hz: int | None = RATE_HZ
    mono = True
    block_s: float | None = None

    def __init__(self, hop_s: float, longest_s: float) -> None:
        self._hop_s, self._longest_s = hop_s, longest_s

    def hear(self, samples: _Single, rate_hz: int) -> None:
        self._music = self._features(samples)

    def finish(self, video: Path) -> Alignment:
        # Nobody else listens to the sound of the video.
        video_features = self._features(read_sound(video, rate_hz=RATE_HZ, mono=True).samples)
        return align_features(self._music, video_features, hop_s=self._hop_s)

    def _features(self, samples: _Single) -> _Single:
        duration_s = len(samples) / RATE_HZ
        if duration_s > self._longest_s:
            limit = f"the {self._longest_s:g} s that are aligned"
            detail = f"{duration_s:.0f} s are more than {limit}"
            raise RejectEntry(Reason.TOO_LONG, detail)
        return chroma_features(samples[:, 0], hop_s=self._hop_s)


def hear_alignment(*, hop_s: float = 0.25, longest_s: float = 1800.0) -> _AlignmentListener:
    """Map between the clocks of a recording and of a video's sound, one point a second.

    Points cover what both play; there are none where nothing matches. `confidence` (0-1)
    is the chance that both are the same song, `shift_semitones` (-5..6) how far the music
    stands above the video. `hop_s` is the grid on which the two are compared.
    Raises `RejectEntry`: TOO_LONG where one of the two is longer than `longest_s`, and those of
    `read_sound` for the video, among them NO_AUDIO.
    """
    return _AlignmentListener(hop_s, longest_s)


def align_features(music: _Single, video: _Single, *, hop_s: float) -> Alignment:
    """Align chroma features ``[n, 12]`` and ``[m, 12]``, one row every `hop_s` seconds."""
    nothing = np.zeros(0)
    if not len(music) or not len(video):
        return Alignment(nothing, nothing, 0.0)
    shift = int(np.argmax(local_scores(music, video)))
    score, path = best_path(music, np.roll(video, shift, axis=1))
    shorter = min(len(music), len(video))
    even = _EVEN_SCORE + _EVEN_SCORE_SHORT_S / (shorter * hop_s)
    # Beyond ten scales nothing more is known, and exp would overflow.
    apart = np.clip((score / shorter - even) / _SCORE_SCALE, -10.0, 10.0)
    confidence = float(1.0 / (1.0 + np.exp(-apart)))
    music_s, video_s = _thinned(path, hop_s)
    return Alignment(music_s, video_s, confidence, shift if shift < 7 else shift - 12)


def chroma_features(samples: _Single, *, hop_s: float) -> _Single:
    """Chroma of mono samples at 12 kHz, ``[n, 12]``: centred, of length 1 (0 in silence)."""
    bands = _semitone_bands(samples)
    # The level of ten seconds, so that quiet verses count as loud choruses do.
    power = _moving_mean(np.square(bands).mean(axis=1), _LEVEL_FRAMES)
    floor = 1e-3 * np.sqrt(power.max(initial=0.0)) + 1e-9
    level = np.maximum(np.sqrt(power), floor)
    compressed = np.log1p(_COMPRESSION * bands / level[:, None])
    # Partials stand out of their neighbours; a drum is as loud in all of them.
    broad = _moving_mean(compressed, _BANDS_APART)
    peaks = np.maximum(compressed - broad, 0.0).astype(np.float64)
    peaks = (1.0 - _ONSET_SHARE) * peaks + _ONSET_SHARE * _ONSET_GAIN * _risen(peaks)
    classes = (np.arange(_LOWEST, _HIGHEST + 1) % 12)[:, None] == np.arange(12)
    window = np.hanning(round(1.0 / FRAME_S) + 2)[1:-1]
    folded = peaks @ classes.astype(np.float64)
    smooth = np.stack([np.convolve(row, window, "same") for row in folded.T], axis=1)
    every = np.arange(int(len(smooth) * FRAME_S / hop_s)) * hop_s / FRAME_S
    sampled = smooth[np.rint(every).astype(np.int64).clip(0, max(0, len(smooth) - 1))]
    centred = sampled - sampled.mean(axis=0) if len(sampled) else sampled
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    # Frames with little to say weigh less than 1.
    least = 0.25 * length.mean() + 1e-9 if len(length) else 1.0
    return np.asarray(centred / np.maximum(length, least), dtype=np.float32)


def _moving_mean(values: NDArray[np.floating[Any]], width: int) -> Floats:
    """Average `width` (odd) neighbours along the last axis, which is mirrored at its ends."""
    sides = [(0, 0)] * (values.ndim - 1)
    padded = np.pad(values, [*sides, (width // 2, width // 2)], mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1)
    return np.asarray(windows.mean(axis=-1, dtype=np.float64))


def _risen(bands: Floats) -> Floats:
    """Measure by how much each band ``[t, b]`` is louder than `_ONSET_FRAMES` frames before."""
    earlier = np.pad(bands, ((_ONSET_FRAMES, 0), (0, 0)))[: len(bands)]
    return np.asarray(np.maximum(bands - earlier, 0.0))


def _semitone_bands(samples: _Single) -> _Single:
    """Magnitude in each semitone of MIDI 36-96 every `FRAME_S` seconds, ``[t, 61]``."""
    padded = np.pad(samples, (_WINDOW // 2, _WINDOW // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_HOP]
    window = np.hanning(_WINDOW).astype(np.float32)
    blocks = [
        np.abs(np.fft.rfft(frames[first : first + _BLOCK] * window, axis=1)).astype(np.float32)
        for first in range(0, len(frames), _BLOCK)
    ]
    hertz = np.fft.rfftfreq(_WINDOW, 1.0 / RATE_HZ)
    hertz[0] = 1e-3
    pitch = 69.0 + 12.0 * np.log2(hertz / 440.0) - _tuning(blocks)
    apart = np.clip(pitch[:, None] - np.arange(_LOWEST, _HIGHEST + 1), -1.0, 1.0)
    bank = np.square(np.cos(0.5 * np.pi * apart)).astype(np.float32)
    return np.concatenate([np.sqrt(np.square(block) @ bank) for block in blocks])


def _tuning(blocks: list[_Single]) -> float:
    """Measure how far the recording lies above A = 440 Hz, in semitones -0.5..0.5."""
    low, high = (round(hz * _WINDOW / RATE_HZ) for hz in (200.0, 2000.0))
    total = 0j
    for block in blocks:
        some = block[::3] + 1e-9
        centre, left, right = some[:, low:high], some[:, low - 1 : high - 1], some[:, low + 1 :]
        right = right[:, : high - low]
        loud = centre > 10.0 * np.median(centre, axis=1, keepdims=True)
        peak = loud & (centre > left) & (centre > right)
        a, b, c = (np.log(each[peak]) for each in (left, centre, right))
        bins = np.nonzero(peak)[1] + low + 0.5 * (a - c) / (a - 2.0 * b + c)
        turns = 12.0 * np.log2(bins * RATE_HZ / _WINDOW / 440.0)
        total += complex(np.sum(np.sqrt(centre[peak]) * np.exp(2j * np.pi * turns)))
    return float(np.angle(total) / (2.0 * np.pi)) if total else 0.0


def local_scores(music: _Single, video: _Single) -> _Single:
    """Score of the best matching stretch without jumps, ``[12]``: entry k is for music that
    stands k semitones above the video."""
    turned = np.stack([np.roll(video, shift, axis=1) for shift in range(12)])
    last, before = (np.zeros((12, len(video) + 2), np.float32) for _ in range(2))
    best = np.zeros(12, np.float32)
    for row in music:
        came = np.maximum(before[:, 1:-1], last[:, :-2]) - np.float32(_STEP_COST)
        came = np.maximum(np.maximum(last[:, 1:-1], came), 0.0)
        before, last = last, np.zeros_like(last)
        np.maximum(came + turned @ row - np.float32(_CHANCE), 0.0, out=last[:, 2:])
        np.maximum(best, last.max(axis=1), out=best)
    return best


def best_path(music: _Single, video: _Single) -> tuple[float, NDArray[np.int64]]:
    """Find the best matching stretch with jumps: its score, and its rows ``[k, 3]``.

    A row holds a frame of the music, one of the video, and 1 where a jump led to it.
    """
    rows, columns = len(music), len(video)
    moves = np.zeros((rows, columns), np.int8)
    sources = np.zeros((rows, columns), np.int32)
    last, before = (np.zeros(columns + 2, np.float32) for _ in range(2))
    # The best cell above each column, less what skipping the rows since then costs.
    above, above_row = np.full(columns + 2, -np.inf, np.float32), np.zeros(columns + 2, np.int32)
    places = np.arange(columns + 2, dtype=np.float32) * np.float32(_SKIP_COST)
    best, end = 0.0, (-1, -1)
    for number, row in enumerate(music):
        # The best cell to the left of each column in the row above.
        reach = last + places
        left = np.maximum.accumulate(reach)
        left_column = np.maximum.accumulate(np.where(reach == left, np.arange(columns + 2), 0))
        options = np.stack(
            [
                np.zeros(columns, np.float32),
                last[1:-1],
                before[1:-1] - np.float32(_STEP_COST),
                last[:-2] - np.float32(_STEP_COST),
                above[1:-1] - np.float32(_JUMP_COST),
                (left - places)[1:-1] - np.float32(_JUMP_COST),
            ]
        )
        move = options.argmax(axis=0)
        moves[number] = move
        sources[number] = np.where(move == _JUMP_MUSIC, above_row[1:-1], left_column[1:-1] - 2)
        better = last >= above - np.float32(_SKIP_COST)
        above = np.where(better, last, above - np.float32(_SKIP_COST))
        above_row = np.where(better, number - 1, above_row).astype(np.int32)
        before, last = last, np.zeros_like(last)
        gained = video @ row - np.float32(_CHANCE)
        last[2:] = np.maximum(options.max(axis=0) + gained, 0.0)
        moves[number][last[2:] <= 0.0] = _START
        if last.max() > best:
            best, end = float(last.max()), (number, int(last[2:].argmax()))
    return best, _traced(moves, sources, end)


def _traced(
    moves: NDArray[np.int8], sources: NDArray[np.int32], end: tuple[int, int]
) -> NDArray[np.int64]:
    rows: list[tuple[int, int, int]] = []
    row, column = end
    while row >= 0 and column >= 0:
        move, source = int(moves[row, column]), int(sources[row, column])
        rows.append((row, column, int(move in (_JUMP_MUSIC, _JUMP_VIDEO))))
        if move == _START:
            break
        row, column = {
            _DIAGONAL: (row - 1, column - 1),
            _TWO_MUSIC: (row - 2, column - 1),
            _TWO_VIDEO: (row - 1, column - 2),
            _JUMP_MUSIC: (source, column - 1),
            _JUMP_VIDEO: (row - 1, source),
        }[move]
    return np.array(rows[::-1], dtype=np.int64).reshape(-1, 3)


def _thinned(path: NDArray[np.int64], hop_s: float) -> tuple[Floats, Floats]:
    """Thin the path, in seconds, its staircase smoothed between jumps, to one point a second."""
    music_s: list[Floats] = []
    video_s: list[Floats] = []
    for part in np.split(path[:, :2], np.flatnonzero(path[:, 2])):
        if len(part) < 2:
            continue
        smooth = _smoothed(part.astype(np.float64) * hop_s, round(_SMOOTHING_S / hop_s))
        _, indices = np.unique(np.floor(smooth[:, 0]), return_index=True)
        indices = np.unique(np.append(indices, len(smooth) - 1))
        music_s.append(smooth[indices, 0])
        video_s.append(smooth[indices, 1])
    if not music_s:
        return np.zeros(0), np.zeros(0)
    return np.concatenate(music_s), np.concatenate(video_s)


def _smoothed(points: Floats, width: int) -> Floats:
    """Average rows ``[k, 2]`` over `width` neighbours.

    Ends are turned about themselves, so that what rises keeps rising and the ends stay where they
    are.
    """
    width = min(width, len(points) - 1)
    window = np.hanning(2 * width + 3)[1:-1]
    window /= window.sum()
    before = 2.0 * points[0] - points[width:0:-1]
    after = 2.0 * points[-1] - points[-2 : -width - 2 : -1]
    padded = np.concatenate([before, points, after])
    columns = [np.convolve(padded[:, column], window, "valid") for column in range(2)]
    return np.stack(columns, axis=1)


STEP = Step(
    "align",
    1,
    reads=("music", "video"),
    run=hear_alignment,
    together=listening.listen,
    columns=(
        Column("{}_music_s", "list<float64>", "s, music",
               "moments of the music that the video's own sound plays too, about one a second",
               "music_s"),
        Column("{}_video_s", "list<float64>", "s, video",
               "the same moments on the video's clock", "video_s"),
        Column("{}_confidence", "float64", "0-1", "chance that both are the same song",
               "confidence"),
    ),
)  # fmt: skip
