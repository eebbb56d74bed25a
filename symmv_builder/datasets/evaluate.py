"""What is measured: rows of shards, or files such as generated music, brought to the metrics.

The metrics themselves are `symmv_builder.evaluation`'s and know neither files nor datasets. A row
is scored by its transcribed notes and tracked beats, a MIDI file by its own notes and ticks.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np

from symmv_builder import backends
from symmv_builder.backends import midi
from symmv_builder.errors import CannotMeasure, NoRows, NoSuchPath, RejectEntry
from symmv_builder.evaluation import SongMetric, beats, music, song_metrics
from symmv_builder.records import Floats
from symmv_builder.schema import row_name
from symmv_builder.storage.root import Root
from symmv_builder.storage.shard_rows import ShardRows
from symmv_builder.storage.shards import read_receipt
from symmv_builder.text import amount
from symmv_builder.training.usable import LeftOut, UnusableRow
from symmv_builder.training.vmcp.hearing import MIDI_SUFFIXES, SOUND_SUFFIXES, VIDEO_SUFFIXES

ALL_SPLITS = "all"
RECORDING_SUFFIXES = (*SOUND_SUFFIXES, *VIDEO_SUFFIXES)

Tell: TypeAlias = Callable[[int, int, str], None]
LoadModel: TypeAlias = Callable[[str, str], Any]
Points: TypeAlias = Literal["beats", "onsets"]
Piece = TypeVar("Piece")


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that could not be read, and why."""

    file: str
    reason: str


@dataclass(frozen=True, slots=True)
class MusicOf:
    """The music metrics of one collection of songs.

    `clock` says which beats EBR was counted on; `untrained` names models with random weights
    that had a part in the data; `left_out` is why a row could not be measured, by entry.
    """

    name: str
    split: str
    clock: str
    summary: music.MetricSummary
    untrained: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The times at which something happens in a recording, and how long that is."""

    times_s: Floats
    duration_s: float


@dataclass(frozen=True, slots=True)
class MomentsOf:
    """The moments of one collection of recordings, with the name of what each belongs to."""

    named: tuple[tuple[str, Moments], ...]
    untrained: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    left_out: Mapping[str, str] = field(default_factory=dict)


def silent(done: int, of: int, what: str) -> None:
    """Tell nobody."""
    del done, of, what


def is_dataset(root: Root, name: str) -> bool:
    """Check whether a name is that of a dataset with shards in the data root, and not of a file."""
    is_word = bool(name) and not set(name) & set("/\\") and name not in (".", "..")
    return is_word and read_receipt(root, name) is not None


def untrained_models(receipt: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the models with random weights that a dataset was made with."""
    models = receipt.get("models", ())
    return tuple(sorted({str(m["backend"]) for m in models if m.get("trained") is False}))


def untrained_behind(files: Iterable[Path]) -> tuple[str, ...]:
    """Name the untrained models behind generated music: `symmv generate` says so in NAME.json."""
    named: set[str] = set()
    for path in files:
        try:
            description = json.loads(path.with_suffix(".json").read_text())
        except (OSError, ValueError, RecursionError):
            continue
        names = description.get("untrained", ()) if isinstance(description, dict) else ()
        # There a model's slot stands before its name: ``clip: untrained-512``.
        names = names if isinstance(names, list) else ()
        named |= {str(name).rpartition(": ")[2] for name in names}
    return tuple(sorted(named))


def rows_of_split(
    root: Root, dataset: str, split: str, columns: Sequence[str], optional: Sequence[str] = ()
) -> tuple[Iterator[dict[str, Any]], int, Mapping[str, Any]]:
    """Open the rows of a split or of all; gives their number and the receipt.

    `StopRun` without any.
    """
    first = ShardRows(root, dataset, split, columns, optional)
    filled = [name for name, count in first.receipt.get("splits", {}).items() if count]
    splits = filled if split == ALL_SPLITS else [split]
    parts = [ShardRows(root, dataset, name, columns, optional) for name in splits]
    count = sum(len(part) for part in parts)
    if not count:
        raise NoRows(dataset, split, known=filled)
    return (row for part in parts for row in part), count, first.receipt


def music_of_dataset(
    root: Root,
    dataset: str,
    split: str,
    *,
    notes: Literal["notes", "parts"] = "notes",
    tracked: bool = True,
    tell: Tell = silent,
) -> MusicOf:
    """Compute music metrics of a dataset's rows.

    `notes` chooses the transcribed notes or the quantised ones; `tracked` beats are taken where
    the rows have them, else beats of half a second, as released SymMV files count.
    """
    fields = [f"{notes}_{name}" for name in ("starts_s", "ends_s", "pitches")]
    beat_column = ["beats_times_s"] if tracked else []
    rows, count, receipt = rows_of_split(root, dataset, split, fields, ["entry_id", *beat_column])
    scores, on_beats, left_out = [], 0, LeftOut()
    metrics = song_metrics()
    for number, row in enumerate(rows, 1):
        scored = left_out.use(row, lambda row: _score(row, fields, metrics))
        if scored is not None:
            scores.append(scored[0])
            on_beats += scored[1]
        tell(number, count, dataset)
    if not scores:
        raise left_out.no_rows(dataset, split)
    clock = {len(scores): "tracked beats", 0: "120 to the minute"}.get(
        on_beats, f"tracked beats in {on_beats} of {len(scores)}, else 120 to the minute"
    )
    summary, untrained = music.summarise(scores), untrained_models(receipt)
    return MusicOf(dataset, split, clock, summary, untrained, left_out=left_out.reasons)


def _score(
    row: Mapping[str, Any], fields: Sequence[str], metrics: Sequence[SongMetric]
) -> tuple[music.MusicScores, bool]:
    """Compute a row's metrics; says whether they were taken on its own beats."""
    starts_s, ends_s, pitches = (row[name] for name in fields)
    if len(starts_s) < 2:
        raise UnusableRow(f"it has {amount(len(starts_s), 'note')}; the metrics take two")
    if not (len(starts_s) == len(ends_s) == len(pitches)):
        raise UnusableRow("its columns of notes are not of one length")
    if not (np.isfinite(starts_s).all() and np.isfinite(ends_s).all()):
        raise UnusableRow("the times of its notes are not finite")
    if min(pitches) < 0 or max(pitches) > 127:
        raise UnusableRow("a pitch lies outside 0-127")
    times = row.get("beats_times_s")
    grid = times if times is not None and len(times) > 1 else None
    if grid is not None and not (np.isfinite(grid).all() and (np.diff(grid) > 0).all()):
        raise UnusableRow("the times of its beats do not rise")
    scores = music.score_song(starts_s, ends_s, pitches, grid, metrics=metrics)
    return scores, grid is not None


def music_of_files(paths: Sequence[Path], *, tell: Tell = silent) -> MusicOf:
    """Compute music metrics of MIDI files and of those in folders.

    Beats are the files' own ticks.
    """
    files = find_files(paths, MIDI_SUFFIXES, "MIDI files")
    scores, refused, metrics = [], [], song_metrics()
    for number, path in enumerate(files, 1):
        try:
            piece = midi.read_piece(path)
        except RejectEntry as error:
            refused.append(Refused(str(path), error.detail))
        else:
            n = piece.notes
            beats_s = piece.beats.times_s if len(piece.beats.times_s) > 1 else None
            song_notes = (n.starts_s, n.ends_s, n.pitches, beats_s, piece.end_s)
            scores.append(music.score_song(*song_notes, metrics))
        tell(number, len(files), path.name)
    refuse_all(files, refused)
    name = " ".join(str(path) for path in paths)
    summary, untrained = music.summarise(scores), untrained_behind(files)
    return MusicOf(name, "", "ticks of the files", summary, untrained, tuple(refused))


def moments_of_dataset(root: Root, dataset: str, split: str, points: Points) -> MomentsOf:
    """Tracked beats, or the transcribed notes' onsets, of each row by its entry's id."""
    times = "beats_times_s" if points == "beats" else "notes_starts_s"
    columns = ["entry_id", "music_duration_s", times]
    rows, _, receipt = rows_of_split(root, dataset, split, columns)
    left_out, scored_moments = LeftOut(), []
    for row in rows:
        moments = left_out.use(row, lambda row: _row_moments(row, times))
        if moments is not None:
            scored_moments.append((row_name(row), moments))
    if not scored_moments:
        raise left_out.no_rows(dataset, split)
    return MomentsOf(tuple(scored_moments), untrained_models(receipt), left_out=left_out.reasons)


def _row_moments(row: Mapping[str, Any], times: str) -> Moments:
    duration_s = float(row["music_duration_s"])
    if not (len(row[times]) and np.isfinite(row[times]).all()):
        raise UnusableRow(f"its column {times} holds no times")
    if not 0 < duration_s < np.inf:
        raise UnusableRow(f"it lasts {duration_s:g} s")
    return Moments(row[times], duration_s)


def moments_of_files(
    paths: Sequence[Path],
    points: Points,
    load_model: LoadModel,
    *,
    backend: str | None = None,
    tell: Tell = silent,
) -> MomentsOf:
    """Read beats or onsets of MIDI files and recordings, named as their files without suffix.

    A MIDI file says its own; in recordings a beat tracker of slot ``beats`` finds the beats,
    and the papers' own rule the onsets (`beats.heard_onsets_s`). Of a piece that is there as
    MIDI and as recording (NAME.mid, NAME.wav) the MIDI counts.
    """
    files = find_files(paths, (*MIDI_SUFFIXES, *RECORDING_SUFFIXES), "MIDI files or recordings")
    pieces: dict[Path, Path] = {}
    for path in sorted(files, key=lambda path: path.suffix.lower() not in MIDI_SUFFIXES):
        pieces.setdefault(path.with_suffix(""), path)
    moments, refused = [], []
    for number, path in enumerate(sorted(pieces.values()), 1):
        try:
            moments.append((path.stem, _moments(path, points, load_model, backend)))
        except RejectEntry as error:
            refused.append(Refused(str(path), error.detail))
        tell(number, len(pieces), path.name)
    refuse_all(list(pieces), refused)
    return MomentsOf(tuple(moments), untrained_behind(pieces.values()), tuple(refused))


def _moments(path: Path, points: Points, load_model: LoadModel, backend: str | None) -> Moments:
    if midi.is_midi(path):
        piece = midi.read_piece(path)
        times = piece.beats.times_s if points == "beats" else piece.notes.starts_s
        return Moments(times, piece.end_s)
    from symmv_builder.backends.pyav import read_sound

    if points == "onsets":
        sound = read_sound(path, rate_hz=beats.ONSET_RATE_HZ, mono=True)
        return Moments(beats.heard_onsets_s(sound.samples[:, 0]), sound.duration_s)
    tracker = load_model("beats", backend or backends.names("beats")[0])
    sound = read_sound(path, rate_hz=tracker.rate_hz, mono=tracker.mono)
    return Moments(tracker.track(sound.samples).times_s, sound.duration_s)


def beat_scores(
    generated: MomentsOf, reference: MomentsOf, window_s: float
) -> tuple[dict[str, float], int, tuple[str, ...]]:
    """Score the pairs of one name; gives how many pairs there are, and names without a pair.

    Several pieces may be of one name, as V2Meow makes ten a video; a pair whose reference has
    no beat is none. `StopRun` where there is no pair, or two references are of one name.
    """
    real = own_references(reference.named)
    scored, alone = [], []
    for name, ours in generated.named:
        theirs = next((real[short] for short in shortened(name) if short in real), None)
        pair = _scored(ours, theirs, window_s) if theirs else None
        if pair is None:
            alone.append(name)
        else:
            scored.append(pair)
    if not scored:
        example = alone[0] if alone else "none"
        raise CannotMeasure(
            "no piece has a reference of its name with a beat in it: a generated file begins with "
            f"the name of the entry or file that it was made for (there is {example!r})"
        )
    return beats.summarise(scored), len(scored), tuple(alone)


def own_references(named: Sequence[tuple[str, Piece]]) -> dict[str, Piece]:
    """References by name, and by what stands before the first dot where that is one's alone.

    `StopRun` where two are of one name.
    """
    counts = Counter(name for name, _ in named)
    for name, count in counts.items():
        if count > 1:
            problem = f"{count} references are called {name!r}; a piece needs to know its own"
            raise CannotMeasure(problem)
    shorter = Counter(name.partition(".")[0] for name in counts)
    aliases = {
        name.partition(".")[0]: piece
        for name, piece in named
        if shorter[name.partition(".")[0]] == 1
    }
    return aliases | dict(named)


def shortened(name: str) -> Iterator[str]:
    """List what a name may belong to: the name, then without its last ``.PART`` or ``-NUMBER``."""
    yield name
    while match := re.fullmatch(r"(.+)(\.[^.]*|-\d+)", name):
        name = match[1]
        yield name


def _scored(ours: Moments, theirs: Moments, window_s: float) -> beats.PairScores | None:
    if not (ours.duration_s > 0 and theirs.duration_s > 0):
        return None
    estimated, expected = (
        beats.has_beat(m.times_s, m.duration_s, window_s) for m in (ours, theirs)
    )
    return beats.score_pair(estimated, expected)


def find_files(paths: Iterable[Path], suffixes: Sequence[str], what: str) -> list[Path]:
    """List files as they are given, and those of folders by suffix, sorted.

    `StopRun` without any.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in suffixes)
            files += [p for p in inside if p.is_file()]
        elif path.is_file():
            files.append(path)
        else:
            raise NoSuchPath(path, "file, folder or dataset with shards")
    if not files:
        place = " ".join(map(str, paths)) or "what was named"
        raise CannotMeasure(f"there are no {what} in {place}")
    return list(dict.fromkeys(files))


def refuse_all(files: Sequence[Path], refused: Sequence[Refused]) -> None:
    """Raise `StopRun` where none of the files could be used."""
    if len(refused) == len(files):
        more = f", and {len(refused) - 1} more" if len(refused) > 1 else ""
        raise CannotMeasure(f"{refused[0].file} cannot be used: {refused[0].reason}{more}")
