"""Build paired datasets of music and video with symbolic annotation.

SymMV (Zhuo et al., ICCV 2023) and MuVi-Sync (Kang et al., Video2Music, 2024) described
their datasets in papers; this package is the pipeline that builds them, and others like
them, from recordings to Parquet shards.

What is named in `__all__` is all that a notebook or another program needs; the command line calls
the same. Nothing heavy is imported until it is used:

    import symmv_builder as sb

    dataset = sb.open_dataset("muvisync", root="data")
    dataset.build("my-videos", workers=2)
    dataset["holiday"].key                     # a record
    rows = dataset.rows("train", ["semantic", "chords_labels"])
    sb.run("key", "song.mid", profile="aarden-essen")
"""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from symmv_builder.version import __version__

if TYPE_CHECKING:
    from symmv_builder.api.dataset import Dataset, open_dataset
    from symmv_builder.api.entry import StoredEntry
    from symmv_builder.api.evaluation import evaluate
    from symmv_builder.api.generating import generate
    from symmv_builder.api.importing import import_dataset
    from symmv_builder.api.music import Music, read_midi
    from symmv_builder.api.recipes import explain, read_recipe
    from symmv_builder.api.stages import run
    from symmv_builder.api.training import train
    from symmv_builder.errors import RejectEntry, RetryLater, StopRun
    from symmv_builder.training.rows import Rows

# Whoever wants to read the log configures `logging`; the command line does (`cli/logs.py`).
logging.getLogger(__name__).addHandler(logging.NullHandler())

__all__ = [
    "Dataset",
    "Music",
    "RejectEntry",
    "RetryLater",
    "Rows",
    "StopRun",
    "StoredEntry",
    "__version__",
    "evaluate",
    "explain",
    "generate",
    "import_dataset",
    "open_dataset",
    "read_midi",
    "read_recipe",
    "run",
    "train",
]

_PLACES = {
    "Dataset": "api.dataset",
    "Music": "api.music",
    "RejectEntry": "errors",
    "RetryLater": "errors",
    "Rows": "training.rows",
    "StopRun": "errors",
    "StoredEntry": "api.entry",
    "evaluate": "api.evaluation",
    "explain": "api.recipes",
    "generate": "api.generating",
    "import_dataset": "api.importing",
    "open_dataset": "api.dataset",
    "read_midi": "api.music",
    "read_recipe": "api.recipes",
    "run": "api.stages",
    "train": "api.training",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
