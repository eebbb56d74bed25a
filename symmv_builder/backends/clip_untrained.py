"""Towers of CLIP's output shapes with seeded random weights: for the demo and tests alone.

Their embeddings depend on the picture and the word and on nothing else, and mean
nothing. The identity says that they are untrained, so that a release can refuse them.
"""

import hashlib
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity
from symmv_builder.backends.slots import ClipModel

SEED = 20231001
SIDE = 16
HIDDEN = 256
LETTER_BINS = 512


class _Untrained(ClipModel):
    """A picture is averaged to 16 x 16 colours, a word counted by its letter pairs."""

    name: ClassVar[str]
    title: ClassVar[str] = "untrained"
    dimensions: ClassVar[int]
    scale = 100.0

    def __init__(self, home: ModelHome) -> None:
        random = np.random.default_rng([SEED, self.dimensions])
        self._see, self._show = self._tower(random, SIDE * SIDE * 3)
        self._read, self._tell = self._tower(random, LETTER_BINS)

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        recipe = f"{SEED} {SIDE} {HIDDEN} {LETTER_BINS} {cls.dimensions}"
        sha256 = hashlib.sha256(recipe.encode()).hexdigest()
        return ModelIdentity(cls.name, "1", sha256, trained=False)

    @classmethod
    def about(cls) -> About:
        return About("seeded random towers", "Apache-2.0", "none: untrained, for the demo only")

    def embed_images(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed RGB pictures uint8 ``[h, w, 3]`` as float32 ``[n, dimensions]``."""
        vectors = [self._project(_averaged(p).ravel(), self._see, self._show) for p in pictures]
        return np.array(vectors, dtype=np.float32).reshape(-1, self.dimensions)

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Embed words as float32 ``[n, dimensions]``."""
        vectors = [self._project(_letter_pairs(word), self._read, self._tell) for word in words]
        return np.array(vectors, dtype=np.float32).reshape(-1, self.dimensions)

    def _tower(
        self, random: np.random.Generator, inputs: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        first = random.standard_normal((inputs, HIDDEN)) / np.sqrt(inputs)
        return first, random.standard_normal((HIDDEN, self.dimensions)) / np.sqrt(HIDDEN)

    @staticmethod
    def _project(
        values: NDArray[np.float64], first: NDArray[np.float64], second: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        # One picture at a time: the result must not depend on what shares its batch.
        return np.asarray(np.tanh(4.0 * values @ first) @ second)


@final
class Untrained512(_Untrained):
    """In place of ViT-B/32."""

    name, dimensions = "untrained-512", 512


@final
class Untrained768(_Untrained):
    """In place of ViT-L/14 at 336 pixels."""

    name, dimensions = "untrained-768", 768


def _averaged(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Average colours on a 16 x 16 grid, -0.5 to 0.5, ``[16, 16, 3]``."""
    out = picture.astype(np.float64) / 255.0 - 0.5
    for axis in (0, 1):
        starts = np.arange(SIDE) * out.shape[axis] // SIDE
        counts = np.maximum(np.diff([*starts, out.shape[axis]]), 1)
        shape = [1, 1, 1]
        shape[axis] = SIDE
        out = np.add.reduceat(out, starts, axis=axis) / counts.reshape(shape)
    return out


def _letter_pairs(word: str) -> NDArray[np.float64]:
    """Count neighbouring letters by a stable hash, ``[512]``."""
    counts = np.zeros(LETTER_BINS)
    text = f"^{word}$"
    for pair in pairwise(text):
        digest = hashlib.sha256("".join(pair).encode()).digest()
        counts[int.from_bytes(digest[:4], "big") % LETTER_BINS] += 1.0
    return counts
