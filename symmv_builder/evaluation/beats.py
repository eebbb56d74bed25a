"""Do two recordings move together: beat coverage, beat hit and their F1, as V2Meow reports them.

Su et al., "V2Meow: Meowing to the Visual Beat via Video-to-Music Generation", 2023, Table 2, takes
the scores of Zhu et al., "Quantized GAN for Complex Music Generation from Dance Videos", ECCV 2022
(D2M-GAN) as adjusted by Yu et al., "Long-Term Rhythmic Video Soundtracker", ICML 2023 (LORIS). All
three cut both recordings to the shorter one, and time to whole seconds: a second has a beat or has
none, however many fall into it. With G and R the seconds that have a beat in the generated and the
real music, and H those that have one in both:

===========  ==================  ================================================
             Zhu et al.          adjusted (Yu et al.), what is meant by default
===========  ==================  ================================================
BCS          G / R, can pass 1   H / G, a precision
BHS          H / R               H / R, a recall
F1                               harmonic mean of the mean BCS and the mean BHS
CSD, HSD                         deviation of BCS and BHS over pairs (n - 1)
===========  ==================  ================================================

The papers call "beats" what their code finds as onsets (`heard_onsets_s`); here any times will do,
tracked beats as a rule. Music of 60 tracked beats a minute and more has one in every second and
scores 100 whatever it plays, so that a shorter window (`window_s`) tells more. Scores are in
percent, as the paper prints them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from symmv_builder.evaluation.metric import Metric
from symmv_builder.packages import import_compiled

PAPER_WINDOW_S = 1.0
ONSET_RATE_HZ = 22050
# Frames of 512 samples around a peak, and how far it stands out, as LORIS was evaluated.
_ONSET_RULE: dict[str, Any] = {
    "wait": 1,
    "delta": 0.2,
    "pre_avg": 3,
    "post_avg": 3,
    "pre_max": 3,
    "post_max": 3,
}
_LORIS = 'Yu et al., "Long-Term Rhythmic Video Soundtracker", ICML 2023'
_READS = ("beats of both, or onsets",)
METRICS = (
    Metric(
        "bcs", "Beat coverage", 1, "seconds with a beat in both of those with one in the generated "
        "music, mean over pairs", _LORIS, "%", "high", _READS,
    ),
    Metric("csd", "(sd)", 1, "deviation of beat coverage over pairs", _LORIS, "%", "low", _READS),
    Metric(
        "bhs", "Beat hit", 1, "seconds with a beat in both of those with one in the real music, "
        "mean over pairs", _LORIS, "%", "high", _READS,
    ),
    Metric("hsd", "(sd)", 1, "deviation of beat hit over pairs", _LORIS, "%", "low", _READS),
    Metric(
        "f1", "F1", 1, "harmonic mean of mean coverage and mean hit", _LORIS, "%", "high", _READS,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PairScores:
    """One generated recording against the real one, percent; `plain_coverage` is G / R."""

    coverage: float
    hit: float
    plain_coverage: float


def has_beat(times_s: ArrayLike, duration_s: float, window_s: float = PAPER_WINDOW_S) -> Any:
    """Check whether each window of a recording holds a beat, bool ``[ceil(duration / window)]``."""
    if not duration_s > 0 or not window_s > 0:
        raise ValueError(f"no windows of {window_s} s in {duration_s} s")
    count = int(np.ceil(duration_s / window_s - 1e-9))
    filled = np.zeros(count, dtype=bool)
    times = np.asarray(times_s, dtype=np.float64)
    # What is divided lands a hair below whole numbers: 0.6 / 0.2 is 2.9999999999999996.
    places = np.floor(times[times >= 0] / window_s + 1e-9).astype(np.int64)
    filled[places[places < count]] = True
    return filled


def heard_onsets_s(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    """Onsets of mono samples ``[n]`` at 22.05 kHz by the papers' rule: librosa's peaks of flux.

    The settings are those of Yu et al.; Zhu et al. look at one frame to either side.
    """
    if len(samples) < 2048:
        return np.zeros(0)
    librosa = import_compiled("librosa")
    onsets = librosa.onset.onset_detect(
        y=np.ascontiguousarray(samples), sr=ONSET_RATE_HZ, units="time", **_ONSET_RULE
    )
    return np.asarray(onsets, dtype=np.float64)


def score_pair(generated: NDArray[np.bool_], real: NDArray[np.bool_]) -> PairScores | None:
    """Score two recordings' windows (`has_beat`), cut to the shorter.

    `None` where the real music has no beat there: nothing could be covered or hit. Generated
    music without a beat scores 0.
    """
    length = min(len(generated), len(real))
    generated_beats, real_beats = generated[:length], real[:length]
    hits, estimated, expected = (
        int(np.count_nonzero(a))
        for a in (generated_beats & real_beats, generated_beats, real_beats)
    )
    if not expected:
        return None
    return PairScores(
        coverage=100.0 * hits / estimated if estimated else 0.0,
        hit=100.0 * hits / expected,
        plain_coverage=100.0 * estimated / expected,
    )


def summarise(pairs: Iterable[PairScores]) -> dict[str, float]:
    """Average ``bcs bhs f1 csd hsd bcs_plain`` over pairs; deviations of a single pair are 0.

    `ValueError` without pairs.
    """
    table = np.array([(p.coverage, p.hit, p.plain_coverage) for p in pairs], dtype=np.float64)
    if not len(table):
        raise ValueError("there is no pair of recordings to score")
    coverage, hit, plain = (float(mean) for mean in table.mean(axis=0))
    spread = table.std(axis=0, ddof=1) if len(table) > 1 else np.zeros(3)
    return {
        "bcs": coverage,
        "bhs": hit,
        "f1": 2 * coverage * hit / (coverage + hit) if coverage + hit else 0.0,
        "csd": float(spread[0]),
        "hsd": float(spread[1]),
        "bcs_plain": plain,
    }
