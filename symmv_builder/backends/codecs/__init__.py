"""Neural codecs, whose codes models of sound learn: EnCodec and DAC, through transformers.

Their weights lie in no package. What is published of them encodes a recording as one, which a film
would not fit into memory for: how much is encoded in one call is for the step to say.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def filled(samples: NDArray[np.float32], hop: int) -> Any:
    """Make samples ``[n]`` a tensor ``[1, 1, m]``, with silence up to whole hops."""
    import torch

    lacks = -len(samples) % hop
    return torch.from_numpy(np.pad(samples, (0, lacks)).astype(np.float32))[None, None]
