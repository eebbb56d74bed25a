"""A receipt as the writers of its cards look at it: totals, title, licence, columns."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from symmv_builder.datasets.card.facts import FACTS, restricted, source_terms, terms_of
from symmv_builder.datasets.card.licences import LicenceChoice, choose
from symmv_builder.datasets.schemas import shards_schema

# Sizes by which the hub sorts data sets: fewer rows than the number, and the name of that.
_SIZES = (
    (10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"),
    (10**7, "1M<n<10M"),
)  # fmt: skip
_SPLITS = ("train", "validation", "test")
# What only a person can answer says this. In two pieces: here nothing is left open.
OPEN = "TO" "DO"  # fmt: skip


@dataclass(frozen=True)
class View:
    """A release as its receipt alone tells it."""

    receipt: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        facts: Mapping[str, Any] = self.receipt[FACTS]
        return facts

    @property
    def about(self) -> Mapping[str, Any]:
        about: Mapping[str, Any] = self.facts["about"]
        return about

    @property
    def name(self) -> str:
        return str(self.receipt["dataset"])

    @property
    def version(self) -> str:
        return str(self.receipt["version"])

    @property
    def title(self) -> str:
        return str(self.about.get("title", self.name))

    @property
    def description(self) -> str:
        """What it is, in the words of its makers, else in ours."""
        row = "one row a clip" if self.is_clips else "one row an entry"
        what = (
            "Music and video, paired entry by entry, with symbolic and visual annotation of both "
            "on their common clocks"
            if self.has_video
            else "Music with symbolic annotation on its clock, without videos"
        )
        return str(self.about.get("description", f"{what}, {row}. Made with symmv-builder."))

    @property
    def has_video(self) -> bool:
        """Check whether rows tell of a video: imports of music alone have no column of one."""
        return any(column["name"] == "video_url" for column in self.columns)

    @property
    def entries(self) -> int:
        return int(self.receipt["entries"])

    @property
    def rows(self) -> int:
        """How many rows there are: as many as entries, or as clips."""
        return sum(self.receipt["splits"].values())

    @property
    def is_clips(self) -> bool:
        """Whether a row is a clip of an entry."""
        return "clips" in self.receipt

    @property
    def size_class(self) -> str:
        classes = [name for limit, name in _SIZES if self.rows < limit]
        return classes[0] if classes else "10M<n<100M"

    @property
    def splits(self) -> dict[str, int]:
        """The splits that have rows, with how many; those to train on come first."""
        counts: Mapping[str, int] = self.receipt["splits"]
        order = [name for name in _SPLITS if name in counts]
        order += [name for name in counts if name not in order]
        return {name: counts[name] for name in order if counts[name]}

    @property
    def size_bytes(self) -> int:
        return sum(shard["size_bytes"] for shard in self.receipt["shards"])

    def read_bytes(self, split: str) -> int:
        """Estimate how large the rows of a split are in memory: their size before compression."""
        sizes: Mapping[str, int] = self.receipt["split_bytes"]
        return sizes.get(split, 0)

    @cached_property
    def licence(self) -> LicenceChoice:
        return choose(terms_of(self.facts), self.about.get("licence", ""))

    @property
    def source_terms(self) -> str:
        return source_terms(self.facts)

    @property
    def is_commercial(self) -> bool:
        """Whether no model of a column forbids commercial use."""
        return not any(restricted(self.facts))

    @cached_property
    def schema(self) -> Any:
        """The Arrow schema of the shards."""
        return shards_schema(self.receipt)

    @cached_property
    def columns(self) -> list[dict[str, str]]:
        """Every column with its name, type, unit and meaning."""
        return [
            {
                "name": field.name,
                "type": column_type(field),
                "unit": _text(field, b"unit"),
                "meaning": _text(field, b"meaning"),
            }
            for field in self.schema
        ]

    def models_of(self, column: str) -> list[str]:
        models: list[str] = self.facts["made_by"].get(column, [])
        return models

    @property
    def tags(self) -> list[str]:
        """What the hub finds it by."""
        names = [column["name"] for column in self.columns]
        kinds = {
            "midi": r"midi|notes|parts", "chords": r"chord", "beat-tracking": r"beats",
            "emotion": r"emotion", "video-features": r"semantic|motion|colou?r|scenes",
        }  # fmt: skip
        tags = [tag for tag, pattern in kinds.items() if re.search(pattern, " ".join(names))]
        video = ["video"] if self.has_video else []
        return ["music", *video, "symbolic-music", *tags, "symmv-builder"]


def column_type(field: Any) -> str:
    """Name the type of a column as our schemas write it, bytes of numbers too."""
    import pyarrow as pa

    from symmv_builder.storage.tables import holds_files

    kind = field.type
    if not pa.types.is_list(kind):
        return scalar_name(kind)
    inner = kind.value_type
    if pa.types.is_binary(inner) and not holds_files(field):
        return f"list<bytes<{_text(field, b'numbers')}>>"
    if pa.types.is_fixed_size_list(inner):
        return f"list<{scalar_name(inner.value_type)}[{inner.list_size}]>"
    return f"list<{scalar_name(inner)}>"


def scalar_name(kind: Any) -> str:
    """Name a scalar as numpy and the hub do; Arrow says double, float, halffloat."""
    text = str(kind)
    return {"double": "float64", "float": "float32", "halffloat": "float16"}.get(text, text)


def _text(field: Any, key: bytes) -> str:
    return str((field.metadata or {}).get(key, b"").decode())
