"""Which of six feelings a picture is nearest to, by CLIP without training.

MuVi-Sync (Kang et al. 2024, section 3.2.2): the cosine of the image embedding with the
embeddings of six bare words, scaled by CLIP's learned temperature, softmax; then the
mean of the last five seconds of each probability. The released features leave the mean
out.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends.slots import ClipModel
from symmv_builder.errors import WrongSetting
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.vocab import EMOTIONS


def feel(semantic: FeatureTrack, *, model: ClipModel, causal_window_s: float = 5.0) -> FeatureTrack:
    """Probabilities ``[t, 6]`` in the order of `vocab.EMOTIONS`, on the grid of `semantic`.

    Each row is the mean over the rows of the last `causal_window_s` seconds, itself
    included (fewer at the start); 0 leaves them as they are, as in the release.
    """
    pictures = semantic.values.astype(np.float64)
    words = model.embed_words(EMOTIONS).astype(np.float64)
    if pictures.shape[1] != words.shape[1]:
        sizes = f"{pictures.shape[1]} and {words.shape[1]}"
        raise ValueError(f"pictures and words are embedded by different models: {sizes} dimensions")
    logits = model.scale * (_unit(pictures) @ _unit(words).T)
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    values = odds / odds.sum(axis=1, keepdims=True)
    rows = round(causal_window_s / semantic.hop_s)
    if rows > 1:
        values = causal_mean(values, rows)
    return FeatureTrack("emotion", semantic.hop_s, values.astype(np.float32), semantic.clock)


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-12))


def causal_mean(values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """Average each row and the ``rows - 1`` before it; of all there are at the start."""
    total = np.cumsum(np.vstack([np.zeros(values.shape[1]), values]), axis=0)
    end = np.arange(1, len(values) + 1)
    start = np.maximum(end - rows, 0)
    return np.asarray((total[end] - total[start]) / (end - start)[:, None])


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """Declare the column: whether, and over how long, values are means is a setting.

    `StopRun` for a model that embeds no words.
    """
    if not backends.backend_class("clip", str(use.model)).knows_words:
        raise WrongSetting(
            "model", str(use.model), "it embeds no words, so it cannot name feelings"
        )
    [semantic] = use.inputs
    if uses[semantic].model != use.model:
        cause = f"{semantic} is by {uses[semantic].model}, and both have to be by the same model"
        raise WrongSetting("model", str(use.model), cause)
    return described(use.parameters["causal_window_s"], uses[semantic].parameters["hop_s"])


def described(window_s: float, hop_s: float) -> tuple[Column, ...]:
    """Declare six probabilities every `hop_s` seconds, means over `window_s` or none (0)."""
    mean = f", causal mean over {window_s:.3g} s" if window_s else ""
    meaning = f"{' '.join(EMOTIONS)}{mean}, at {1 / hop_s:.3g} Hz"
    return (Column("{}", f"list<float32[{len(EMOTIONS)}]>", "probability", meaning, "values"),)


STEP = Step("emotion", 1, ("semantic",), feel, slot="clip", columns=columns)
