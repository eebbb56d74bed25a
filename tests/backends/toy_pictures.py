"""A plan of one step that shows pictures by chance to CLIP; what a recording says decides which."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.slots import ClipModel
from symmv_builder.pipeline.keys import ModelIdentity, Plan, Work
from symmv_builder.pipeline.step import Step, Use, use
from symmv_builder.records import FeatureTrack
from symmv_builder.schema import Column
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.timeline import Clock


def draw(seed: int, count: int, height: int = 60, width: int = 90) -> list[NDArray[np.uint8]]:
    """RGB pictures of noise."""
    random = np.random.default_rng(seed)
    return list(random.integers(0, 256, (count, height, width, 3)).astype(np.uint8))


def look(music: Path, *, model: ClipModel) -> FeatureTrack:
    """Embed as many pictures as the recording has bytes, in batches; it may kill its worker."""
    text = music.read_text()
    pictures = draw(len(text), len(text))
    begun = [model.start_images(pictures[first : first + 7]) for first in range(0, len(text), 7)]
    if "kill" in text:
        os.kill(os.getpid(), signal.SIGKILL)
    values = np.concatenate([answer() for answer in begun])
    return FeatureTrack("look", 1.0, values, Clock.VIDEO)


def columns(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    return (Column("{}", "list<float16[512]>", "", "what a toy sees", "values"),)


LOOK = Step("look", 1, ("music",), look, slot="clip", columns=columns)


def plan(identity: ModelIdentity) -> Plan:
    return Plan(
        "toy", (use(LOOK, makes="look", model="vit-b-32"),), {("clip", "vit-b-32"): identity}
    )


def works(root: Root, folder: Path, texts: Sequence[str]) -> list[Work]:
    """Entries ``e0``, ``e1``, ... whose recordings hold texts."""
    made = []
    for number, text in enumerate(texts):
        path = folder / f"e{number}"
        path.write_text(text)
        sha256 = hash_file(path)
        add_asset(root, path, sha256)
        made.append(Work(f"e{number}", sha256, ""))
    return made
