"""Gradient boosted oblivious trees, evaluated for all notes and trees at once.

Every node of one level of an oblivious tree asks the same question, so that the answers of a
note, read as the bits of a number, are the number of its leaf.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symmv_builder.records import Floats

# So many notes that the answers of all trees fit in a core's cache.
_BLOCK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Forest:
    """Trees ``[t]`` of depth ``d``, at most 8, in arrays.

    Bit ``k`` of a note's leaf is set where feature ``k`` of the tree is over its border.
    """

    features: NDArray[np.uint8]  # [t, d]
    borders: NDArray[np.float32]  # [t, d]
    leaves: NDArray[np.float32]  # [t, 2 ** d]
    bias: float

    def scores(self, table: NDArray[np.float32]) -> Floats:
        """Compute the log odds ``[n]`` of features ``[f, n]``."""
        blocks = [
            self._score_block(np.ascontiguousarray(table[:, i : i + _BLOCK]))
            for i in range(0, table.shape[1], _BLOCK)
        ]
        return np.concatenate([np.empty(0), *blocks])

    def _score_block(self, table: NDArray[np.float32]) -> Floats:
        trees, depth = self.features.shape
        bits = np.zeros((trees, table.shape[1]), dtype=np.uint8)
        for bit in range(depth):
            is_over = table[self.features[:, bit]] > self.borders[:, bit, None]
            bits |= is_over.view(np.uint8) << np.uint8(bit)
        leaf = bits + (np.arange(trees) << depth)[:, None]
        return np.asarray(self.leaves.take(leaf).sum(axis=0, dtype=np.float64) + self.bias)
