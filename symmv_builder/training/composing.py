"""Music written by a trained model: what is asked of it, what it sees of a video, and the piece.

A trainer whose models write music gives a `Composer`. Who brings videos to it as the columns of a
row, and writes pieces to files, is the datasets' business.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from symmv_builder.errors import WrongArguments, WrongSetting
from symmv_builder.records import Floats, Notes
from symmv_builder.text import clean_line

# What of an `Order` not every model can heed.
ORDERED = ("key", "primer", "temperature", "top_k", "greedy", "passage")
# The callback for progress: how many are done, of how many, of what.
Tell = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Order:
    """An order of a piece, the same for every video and whatever the model.

    `count` pieces a video, from seeds `seed`, `seed` + 1, ...; `seconds` overrules the length of
    the video. `temperature` is that of sampling, `None` the model's own. `greedy` takes the
    likeliest of what may follow, whatever the seed; `top_k` draws among so many. With a `passage`
    that part of an earlier piece alone is written, in the piece's own key, tempo and length.
    """

    key: str = ""
    primer: str = ""
    seed: int = 0
    count: int = 1
    seconds: float | None = None
    temperature: float | None = None
    greedy: bool = False
    top_k: int | None = None
    passage: "Passage | None" = None

    def non_defaults(self) -> frozenset[str]:
        """List what of `ORDERED` is asked for: all that is not as its default."""
        return frozenset(
            name
            for name in ORDERED
            if getattr(self, name) != Order.__dataclass_fields__[name].default
        )

    def seed_of(self, number: int) -> int:
        """Give the seed of a video's piece of this number.

        A greedy piece has one, for its tempo.
        """
        return 0 if self.greedy else self.seed + number

    def turn_of(self, place: int, number: int) -> int:
        """Count the pieces before the one of this number for the video at that place.

        For models that see nothing of a video: of one seed, all videos of a length had one piece.
        """
        return place * self.count + number

    def name(self, base: str, number: int) -> str:
        """Name the piece of this number for a video called `base`."""
        return base if self.count == 1 else f"{base}-{self.seed + number}"

    def sampling(self, **own: float) -> dict[str, Any]:
        """Tell how a piece is sampled, for its JSON; `own` are settings of the model itself."""
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


@dataclass(frozen=True, slots=True)
class Passage:
    """Seconds of a `piece` that are written anew: notes that begin from `start_s` to `end_s`.

    All others stay as they are, note for note, those that are held into the passage too. `path` is
    that of the piece's JSON, which is only read.
    """

    start_s: float
    end_s: float
    piece: Piece
    path: Path | None = None

    def check_model(self, model: str) -> None:
        """Raise `StopRun` where another kind of model wrote the piece."""
        by = str(self.piece.facts.get("model"))
        if by != model:
            raise WrongArguments(
                f"this model is {model} and `piece` was written by {clean_line(by)}: a passage is "
                "written by a model of the same kind"
            )

    def none_within(self, unit: str) -> WrongSetting:
        """Make the error for a passage within which no whole `unit` of the piece lies."""
        span = f"{self.start_s:g}-{self.end_s:g}"
        return WrongSetting("passage", span, f"no whole {unit} of the piece lies within it")

    def rewritten(
        self,
        tracks: Mapping[str, Notes],
        within_s: tuple[float, float],
        name: str,
        seed: int,
        facts: Mapping[str, Any],
    ) -> Piece:
        """Copy the piece with the notes of `tracks` that begin `within_s` in the place of its own.

        What of `within_s` is written is told in its facts, behind earlier passages.
        """
        start_s, end_s = within_s
        whole: dict[str, Notes] = {}
        for track in dict.fromkeys((*self.piece.tracks, *tracks)):
            old, new = (each.get(track, NO_NOTES) for each in (self.piece.tracks, tracks))
            before = old.starts_s < start_s - _SAME_S
            after = old.starts_s >= end_s - _SAME_S
            inside = (new.starts_s >= start_s - _SAME_S) & (new.starts_s < end_s - _SAME_S)
            whole[track] = merge([_select(old, before | after), _select(new, inside)])
        own = self.piece.facts
        about = {
            "of": self.piece.name,
            "from_s": round(start_s, 3),
            "to_s": round(end_s, 3),
            "seed": seed,
        }
        new_facts = {
            **own,
            **facts,
            "notes": {track: len(notes.pitches) for track, notes in whole.items()},
            "passages": [*own.get("passages", ()), about],
        }
        return replace(self.piece, name=name, tracks=whole, facts=new_facts)


NO_NOTES = Notes(*(np.zeros(0),) * 2, *(np.zeros(0, np.int64),) * 2)
# Two times that are closer than this are one: half a tick of the files that pieces lie in.
_SAME_S = 1e-3


def _select(notes: Notes, which: NDArray[np.bool_]) -> Notes:
    return Notes(
        notes.starts_s[which], notes.ends_s[which], notes.pitches[which], notes.velocities[which]
    )


def merge(parts: list[Notes]) -> Notes:
    """Merge the notes of several parts; what two parts play at once stays twice."""
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
    """Make a piece that says how it was ordered: the one of this `number` of its video."""
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
        """Raise `StopRun` where the order cannot be understood, before any video is watched."""
        del order

    @abstractmethod
    def compose(self, videos: Sequence[WatchedVideo], order: Order, tell: Tell) -> Iterator[Piece]:
        """Compose the pieces of an order, video by video.

        Without a video those of the model alone. `tell` is told how far that is, such as
        ``(67, 100, "melody, piece 1 of 2")``: a share, and what is done.
        """
