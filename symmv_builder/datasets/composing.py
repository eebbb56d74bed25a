"""Music for videos by a trained model: what is seen of a video goes in, pieces come out.

What a model may ask of a video are the columns of the dataset that it learned from; here they
are taken from a row of such a dataset, or made of a file by the dataset's own stages.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from symmv_builder import datasets
from symmv_builder.backends import ModelHome, names
from symmv_builder.crawl.folder import identifier
from symmv_builder.datasets.pieces import Piece
from symmv_builder.datasets.recipe import Recipe, with_models
from symmv_builder.datasets.recipe_file import SPLITS
from symmv_builder.datasets.watching import columns_of_the_video, watch
from symmv_builder.errors import Reason, RejectEntry, StopRun
from symmv_builder.music.key import find_key
from symmv_builder.pipeline.events import Event
from symmv_builder.records import Chords, Key, Notes
from symmv_builder.storage.assets import has_asset, open_asset
from symmv_builder.storage.root import Root
from symmv_builder.timeline import grid_length
from symmv_builder.training.rows import Rows

Tell = Callable[[int, int, str], None]
# How many pieces V-MusProd writes side by side: what is written is kept when a run is stopped.
_AT_ONCE = 32


@dataclass(frozen=True, slots=True)
class Seen:
    """A video as a row's columns: its name, and the hash of its file where that is stored."""

    name: str
    row: Mapping[str, Any]
    sha256: str = ""
    path: Path | None = None

    @property
    def seconds(self) -> float:
        return float(self.row["video_duration_s"])


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked of a piece, the same for every video.

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
    pattern: int | None = None
    style: Literal["paper", "released"] = "paper"
    greedy: bool = False
    top_k: int | None = None

    def seed_of(self, number: int) -> int:
        """The seed of a video's piece of this number; a greedy piece has one, for its tempo."""
        return 0 if self.greedy else self.seed + number

    def name(self, base: str, number: int) -> str:
        return base if self.count == 1 else f"{base}-{self.seed + number}"


class Composer(Protocol):
    """A trained model that writes music: for which dataset's columns, and from what it learned."""

    dataset: str
    needs_video: bool
    learned_from: Sequence[Mapping[str, Any]]

    def check(self, order: Order) -> None:
        """`StopRun` where the order cannot be understood, before any video is watched."""

    def compose(self, seen: Sequence[Seen], order: Order, tell: Tell) -> Iterator[Piece]: ...


def open_composer(run: Path, regressor: Path | None, device: str) -> Composer:
    """The model in a training's folder; `StopRun` where that holds none that writes music."""
    if any((run / stage).is_dir() for stage in ("chord", "music")):
        if regressor is not None:
            raise StopRun("--regressor is for AMT; V-MusProd needs none")
        return _VMusProd(run, device)
    return _Amt(run, regressor, device)


def watch_files(
    paths: Sequence[Path],
    composer: Composer,
    home: ModelHome,
    choices: Mapping[str, str],
    refuse: Callable[[Path, RejectEntry], None],
    tell: Tell = lambda done, of, what: None,
) -> list[Seen]:
    """Videos in files, through the stages of the dataset that the model learned from.

    CLIP is the one whose features it knows, unless `choices` name another; of a video that the
    model does not look at only the length is taken. What cannot be decoded as a video goes to
    `refuse`, and the others go on.
    """
    recipe = _as_it_learned(composer, choices)
    if not composer.needs_video:
        unseen = {c.name for c in recipe.columns if c.take.split(".")[0] != "video_asset"}
        recipe = replace(recipe, absent=recipe.absent | unseen)
    seen: list[Seen] = []
    for number, path in enumerate(paths):

        def count(event: Event, number: int = number) -> None:
            tell(number, len(paths), f"videos watched, now {event.step}")

        try:
            if not path.is_file():
                raise RejectEntry(Reason.UNREADABLE, f"{path} is not a file")
            row = watch(path, recipe, home, count)
        except RejectEntry as error:
            refuse(path, error)
        else:
            seen.append(Seen(name_of(path), row, str(row["video_sha256"]), path))
    return seen


def name_of(video: Path) -> str:
    """What the piece for a video in a file is called: a plain name, safe as that of a file."""
    return identifier(video.stem)


def _as_it_learned(composer: Composer, choices: Mapping[str, str]) -> Recipe:
    known = {
        str(model["slot"]): str(model["backend"])
        for model in composer.learned_from
        if model.get("slot") == "clip" and str(model["backend"]) in names("clip")
    }
    return with_models(datasets.recipe(composer.dataset), known | dict(choices))


def rows_seen(
    composer: Composer,
    root: Root,
    dataset: str,
    *,
    entries: Sequence[str] = (),
    split: str | None = None,
) -> list[Seen]:
    """Videos in rows of a dataset: those of `entries`, or a whole split, in the shards' order.

    `StopRun` where an entry is in no shard.
    """
    wanted = [column.name for column in columns_of_the_video(datasets.recipe(composer.dataset))]
    found = []
    known = set()
    for name in [split] if split else SPLITS:
        rows = Rows(root, dataset, name, ("entry_id",), wanted)
        for number, entry_id in enumerate(_ids(rows)):
            if not entries or entry_id in entries:
                row = rows.row(number)
                if "video_duration_s" not in row:
                    row["video_duration_s"] = _length_s(row)
                known.add(entry_id)
                # Other people's rows: the name becomes that of a file.
                sha256 = str(row.get("video_sha256", ""))
                found.append(Seen(identifier(entry_id), row, sha256))
    missing = sorted(set(entries) - known)
    if missing:
        raise StopRun(f"no row of {dataset} in {root.shown} is called {', '.join(missing)}")
    if not found:
        raise StopRun(f"the split {split} of {dataset} in {root.shown} has no rows")
    return found


@contextmanager
def stored(root: Root, seen: Seen) -> Iterator[Seen]:
    """The same with the video's file, where the store has it."""
    if not seen.sha256 or not has_asset(root, seen.sha256):
        yield seen
        return
    with open_asset(root, seen.sha256) as path:
        yield replace(seen, path=path)


def untrained(composer: Composer) -> list[str]:
    """Models without trained weights that made what a model learned from, as ``slot: name``."""
    return [
        f"{model['slot']}: {model['backend']}"
        for model in composer.learned_from
        if not model.get("trained", True)
    ]


def _ids(rows: Rows) -> list[str]:
    return [str(row["entry_id"]) for row in rows.without_features()]


def _length_s(row: Mapping[str, Any]) -> float:
    """Seconds of a video whose file nobody here has seen: as many as its features."""
    for name, hop_s in (("emotion", 1.0), ("scene_offset", 1.0), ("motion", 0.2)):
        if name in row:
            return len(row[name]) * hop_s
    raise StopRun(
        "these rows hold no features of a video to write music for; a model that was trained "
        "without video writes --count pieces of --seconds without --dataset"
    )


class _VMusProd:
    """V-MusProd: melody and accompaniment, by the columns of SymMV."""

    dataset = "symmv"

    def __init__(self, run: Path, device: str) -> None:
        from symmv_builder.training.vmusprod import compose

        self._run, self._compose = run, compose
        self._models = compose.load(run, device)
        self.needs_video = self._models.for_video
        self.learned_from = self._models.about.get("models") or ()

    def check(self, order: Order) -> None:
        from symmv_builder.training.vmusprod.pieces import parse_key, parse_primer

        if order.pattern is not None or order.style != "paper":
            raise StopRun(
                "--pattern and --style are for AMT; V-MusProd writes its own accompaniment"
            )
        if order.key:
            parse_key(order.key)
        if order.primer:
            parse_primer(order.primer)

    def compose(self, seen: Sequence[Seen], order: Order, tell: Tell) -> Iterator[Piece]:
        from symmv_builder.training.vmusprod.pieces import Wish, parse_key

        # A primer's chords are kept as they are given, so they say the key.
        key = parse_key(order.key) if order.key and not order.primer else None
        wanted = [
            Wish(
                seconds=order.seconds or each.seconds,
                video=_arrays(each.row) if self.needs_video else None,
            )
            for each in seen
        ]
        wishes = [
            (order.name(name, number), number, replace(wish, seed=order.seed_of(number)))
            for name, wish in zip(
                [each.name for each in seen] or ["piece"],
                wanted or [Wish(seconds=order.seconds)],
                strict=True,
            )
            for number in range(order.count)
        ]
        said = []
        sampling = _sampling(order)
        if seen and not self.needs_video:
            said.append("this model sees no video; it took the length alone")
        if key is None and order.key:
            said.append("the primer's chords say the key; --key changed nothing")
        for start in range(0, len(wishes), _AT_ONCE):
            some = wishes[start : start + _AT_ONCE]

            def count(stage: str, share: float, end: int = start + len(some)) -> None:
                tell(round(100 * share), 100, f"percent, {stage}, up to piece {end}")

            pieces = self._compose.compose_all(
                self._models,
                [wish for _, _, wish in some],
                key=key,
                find_key=_find_key if key else None,
                primer=order.primer,
                sampling=sampling,
                tell=count,
            )
            for (name, number, _), piece in zip(some, pieces, strict=True):
                tracks = {"melody": piece.melody, "accompaniment": piece.accompaniment}
                facts = {
                    "model": "vmusprod",
                    "variant": self._models.config.variant,
                    "sampling": _told(order, top_p=sampling.top_p),
                    "tempo_bpm": piece.tempo_bpm,
                    "chords": spans(piece.chords),
                } | ({"said": "; ".join(said)} if said else {})
                yield _piece(name, tracks, piece.tempo_bpm, piece.duration_s, order, number, facts)


class _Amt:
    """AMT with its regressor: chords and their arpeggios, by the columns of MuVi-Sync."""

    dataset = "muvisync"

    def __init__(self, run: Path, regressor: Path | None, device: str) -> None:
        from symmv_builder.training.amt import compose
        from symmv_builder.training.amt.regressor import model

        self._compose = compose.compose
        self._model = compose.load(run, device)
        self._regressor = model.load(regressor, device) if regressor else None
        self.needs_video = self._model.config.sees_video
        self.learned_from = self._model.about.get("receipt", {}).get("models") or ()

    def check(self, order: Order) -> None:
        from symmv_builder.training.amt.vocabulary import parse_key, parse_primer

        parse_key(order.key or "C major")
        parse_primer(order.primer)
        if self.needs_video and self._regressor is None and order.pattern is None:
            raise StopRun(
                "this model plays as busily and loudly as a regressor says: give --regressor, a "
                "run of `symmv train regressor`, or --pattern 1 to 5"
            )

    def compose(self, seen: Sequence[Seen], order: Order, tell: Tell) -> Iterator[Piece]:
        from symmv_builder.training.amt.sampling import Sampling
        from symmv_builder.training.amt.vocabulary import parse_primer

        if not seen and order.seconds is None:
            raise StopRun("this model sees no video; say with --seconds how long it should play")
        wanted = [(each.name, self._row(each, order.seconds)) for each in seen]
        for name, row in wanted or [("piece", {"video_duration_s": order.seconds})]:

            def count(done: int, of: int, what: str = f"seconds of {name}") -> None:
                tell(done, of, what)

            for number in range(order.count):
                sampling = Sampling(
                    seed=order.seed_of(number), greedy=order.greedy, top_k=order.top_k
                )
                if order.temperature is not None:
                    sampling = replace(sampling, temperature=order.temperature)
                made = self._compose(
                    self._model,
                    self._regressor,
                    row,
                    key=order.key or "C major",
                    primer=order.primer,
                    sampling=sampling,
                    pattern=order.pattern,
                    style=order.style,
                    tell=count,
                )
                facts = {
                    "model": self._model.config.model,
                    "sampling": _told(order),
                    "key": made.key,
                    "chords": list(made.chords),
                    "density": _plain(made.density),
                    "loudness": _plain(made.loudness),
                }
                given = len(parse_primer(order.primer))
                if given > len(made.chords):
                    facts["said"] = f"of the primer's {given} chords {len(made.chords)} fit"
                length_s = float(row["video_duration_s"])
                own = order.name(name, number)
                notes = {"piano": _within(made.notes, length_s)}
                yield _piece(own, notes, 120.0, length_s, order, number, facts)

    def _row(self, seen: Seen, seconds: float | None) -> Mapping[str, Any]:
        """The video's row, its first `seconds` alone where so many are asked for."""
        from symmv_builder.training.amt.features import VIDEO_COLUMNS

        if seconds is None:
            return seen.row
        row = {**seen.row, "video_duration_s": seconds}
        if not self.needs_video:
            return row
        if seconds > seen.seconds:
            raise StopRun(
                f"{seen.name} lasts {seen.seconds:.1f} s; AMT writes a chord for every second "
                "that it sees, so --seconds may not be more"
            )
        length = grid_length(seconds, 1.0)
        return row | {name: row[name][:length] for name in VIDEO_COLUMNS if name in row}


def _piece(
    name: str,
    tracks: Mapping[str, Notes],
    tempo_bpm: float,
    seconds: float,
    order: Order,
    number: int,
    facts: Mapping[str, Any],
) -> Piece:
    said = {
        "seed": order.seed_of(number),
        "asked_key": order.key,
        "primer": order.primer,
        "seconds": seconds,
        "notes": {track: len(notes.pitches) for track, notes in tracks.items()},
        **facts,
    }
    return Piece(name, tracks, tempo_bpm, seconds, said)


def _within(notes: Notes, seconds: float) -> Notes:
    """Notes that begin before the end of the piece, none of them longer than that."""
    begun = notes.starts_s < seconds
    return Notes(
        notes.starts_s[begun],
        np.minimum(notes.ends_s[begun], seconds),
        notes.pitches[begun],
        notes.velocities[begun],
    )


def spans(chords: Chords) -> list[list[Any]]:
    """Start, end and label of every chord, as JSON holds them."""
    times = zip(chords.starts_s.tolist(), chords.ends_s.tolist(), chords.labels, strict=True)
    return [[round(start, 4), round(end, 4), label] for start, end, label in times]


def _told(order: Order, **own: float) -> dict[str, Any]:
    """How a piece was sampled, as its JSON says it; `own` are settings of the model's own way."""
    if order.greedy:
        return {"method": "greedy"}
    temperature = 1.0 if order.temperature is None else order.temperature
    if order.top_k is not None:
        return {"method": "top-k", "top_k": order.top_k, "temperature": temperature}
    return {"method": "sampling", "temperature": temperature, **own}


def _sampling(order: Order) -> Any:
    """V-MusProd's own way of sampling, or what is asked for, for every field.

    The K likeliest take the place of the nucleus.
    """
    from symmv_builder.training.vmusprod.sampling import Sampling
    from symmv_builder.training.vmusprod.tokens import FIELDS

    same: dict[str, Any] = {}
    if order.temperature is not None:
        same = dict.fromkeys(FIELDS, order.temperature)
    if order.top_k is not None:
        same |= {"top_k": order.top_k, "top_p": 1.0}
    return Sampling(greedy=order.greedy, **same)


def _arrays(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if isinstance(value, np.ndarray)}


def _plain(values: Any) -> list[float] | None:
    return None if values is None else [round(float(value), 4) for value in values]


def _find_key(notes: Notes) -> Key:
    return find_key(notes, profile="aarden-essen")
