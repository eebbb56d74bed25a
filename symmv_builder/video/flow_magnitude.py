"""How fast the picture moves: the mean magnitude of its optical flow.

Di et al., "Video Background Music Generation with Controllable Music Transformer" (CMT, 2021),
section 3, take the mean magnitude of the optical flow in a bar as the speed of its motion. Here
it is the speed of a pixel, averaged over the picture and over the time of a grid cell, in heights
of the picture a second: 0.5 is a picture that is crossed from top to bottom in two seconds. The
paper counts pixels a frame, which depend on size and frame rate.
"""

from collections.abc import Mapping

import numpy as np

from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.timeline import TOLERANCE_S


def mean_flow(directogram: FeatureTrack, *, hop_s: float = 0.2) -> FeatureTrack:
    """Average the speed of pixels every `hop_s` seconds, values ``[t, 1]`` in heights a second.

    A cell is the mean of the directogram's rows that begin in it; where `hop_s` is below the
    directogram's, it is a row of its own.
    """
    speeds = directogram.values.sum(axis=1, dtype=np.float64)
    hop_s = max(hop_s, directogram.hop_s)
    cells = np.floor((directogram.times_s + TOLERANCE_S) / hop_s).astype(np.int64)
    first = np.flatnonzero(np.diff(cells, prepend=-1))
    counts = np.diff(np.append(first, len(cells)))
    values = np.add.reduceat(speeds, first) / counts if len(speeds) else speeds
    return FeatureTrack(
        "flow_magnitude", hop_s, values.astype(np.float32)[:, None], directogram.clock
    )


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare the column; the rate is a setting."""
    rate_hz = 1 / use.parameters["hop_s"]
    meaning = f"mean magnitude of the optical flow, at {rate_hz:.3g} Hz"
    return (Column("{}", "list<float32>", "heights/s", meaning, "values"),)


STEP = Step("flow_magnitude", 1, ("directogram",), mean_flow, columns=columns)
