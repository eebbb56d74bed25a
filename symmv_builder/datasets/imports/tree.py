"""What the folder of a release holds, before anything of it is stored."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from symmv_builder.records import Entry


@dataclass(frozen=True, slots=True)
class Song:
    """One song of a release: its entry, the file that is its music, and what else is known.

    `music` is `None` where the release holds no notes or sound; `files` and `texts` are
    what goes into the packed annotation, by the name under which steps read it.
    """

    entry: Entry
    music: Path | None
    files: Mapping[str, Path] = field(default_factory=dict)
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tree:
    """The songs that a release's folder holds.

    `splits` are the published ones, by song; `options` are what the recipe must know of this
    copy (kept beside the entries); `left_out` are lines for people on what is no entry.
    """

    songs: tuple[Song, ...]
    splits: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
