"""Music written by a trained model: what is asked of it, what it sees of a video, and the piece.

A trainer whose models write music gives a `Composer`. Who brings videos to it as the columns of a
row, and writes pieces to files, is the datasets' business.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from symmv_builder.records import Floats, Notes

# The callback for progress: how many are done, of how many, of what.
Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a piece, the same for every video and whatever the model.

    `count` pieces a video, from seeds `seed`, `seed` + 1, ...; `seconds` overrules the length of
    the video. `temperature` is that of sampling, `None` the model's own. `greedy` takes the
    likeliest of what may follow, whatever the seed; `top_k` draws among so many.
    """

    key: str = ""
    primer: str = ""
    seed: int = 0
    count: int = 1
    seconds: float | None = None
    temperature: float | None = None
    greedy: bool = False
    top_k: int | None = None

    def seed_of(self, number: int) -> int:
        """The seed of a video's piece of this number; a greedy piece has one, for its tempo."""
        return 0 if self.greedy else self.seed + number

    def name(self, base: str, number: int) -> str:
        """What the piece of this number is called, for a video called `base`."""
        return base if self.count == 1 else f"{base}-{self.seed + number}"

    def sampling(self, **own: float) -> dict[str, Any]:
        """How a piece is sampled, as its JSON says it; `own` are settings of the model itself."""
        if self.greedy:
            return {"method": "greedy"}
        temperature = 1.0 if self.temperature is None else self.temperature
        if self.top_k is not None:
            return {"method": "top-k", "top_k": self.top_k, "temperature": temperature}
        return {"method": "sampling", "temperature": temperature, **own}


@dataclass(frozen=True, slots=True)
class WatchedVideo:
    """A video as a row's columns: its name, and the hash of its file where that is stored."""

    name: str
    row: Mapping[str, Any]
    sha256: str = ""
    path: Path | None = None

    @property
    def seconds(self) -> float:
        return float(self.row["video_duration_s"])


@dataclass(frozen=True, slots=True)
class Piece:
    """Music by named tracks, and what is to be said of how it came about.

    `seconds` is how long it should sound: a video's length. `facts` are plain values for JSON.
    `tempo_map` is that of `backends.midi.midi_bytes`, `None` for music of one tempo.
    """

    name: str
    tracks: Mapping[str, Notes]
    tempo_bpm: float
    seconds: float
    facts: Mapping[str, Any] = field(default_factory=dict)
    tempo_map: tuple[Floats, Floats] | None = None

    @property
    def notes(self) -> Notes:
        """All tracks as one, sorted by start and pitch."""
        return merge(list(self.tracks.values()))


def merge(parts: list[Notes]) -> Notes:
    """The notes of several parts together; what two parts play at once stays twice."""
    starts, ends, pitches, velocities = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("starts_s", "ends_s", "pitches", "velocities")
    )
    order = np.lexsort((pitches, starts))
    return Notes(starts[order], ends[order], pitches[order], velocities[order])


def ordered_piece(
    name: str,
    tracks: Mapping[str, Notes],
    tempo_bpm: float,
    seconds: float,
    order: Order,
    number: int,
    facts: Mapping[str, Any],
) -> Piece:
    """A piece that says how it was ordered: the one of this `number` of its video."""
    about = {
        "seed": order.seed_of(number),
        "asked_key": order.key,
        "primer": order.primer,
        "seconds": seconds,
        "notes": {track: len(notes.pitches) for track, notes in tracks.items()},
        **facts,
    }
    return Piece(name, tracks, tempo_bpm, seconds, about)


class Composer(ABC):
    """A trained model that writes music.

    `dataset` is the recipe whose columns it knows and `reads` are those of them that it asks of a
    video; without `needs_video` it also writes for none. `learned_from` are the models that made
    the features of its training, as a receipt lists them.
    """

    dataset: ClassVar[str]
    needs_video: bool
    reads: frozenset[str]
    learned_from: Sequence[Mapping[str, Any]] = ()

    def check(self, order: Order) -> None:
        """`StopRun` where the order cannot be understood, before any video is watched."""
        del order

    @abstractmethod
    def compose(self, seen: Sequence[WatchedVideo], order: Order, tell: Tell) -> Iterator[Piece]:
        """The pieces of an order, video by video; without a video those of the model alone."""
