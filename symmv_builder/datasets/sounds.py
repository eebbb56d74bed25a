"""Recordings brought to the metrics that hear: embeddings or class probabilities, piece by piece.

A piece is a recording, a MIDI file (played on a sampled piano), a file of numbers that another
model made, or a row of a dataset, heard by its recording in the store or by its notes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.datasets.evaluate import (
    LoadModel,
    Refused,
    Tell,
    find_files,
    own_references,
    refuse_all,
    rows_of_split,
    shortened,
    silent,
    untrained_behind,
)
from symmv_builder.errors import CannotMeasure, MalformedFile, RejectEntry
from symmv_builder.schema import row_name
from symmv_builder.storage.root import Root
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmcp.hearing import (
    MIDI_SUFFIXES,
    SLOT,
    SOUND_SUFFIXES,
    VIDEO_SUFFIXES,
    Recordings,
    Samples,
    Sounding,
    heard_columns,
    notes_of,
    played,
    sound_of,
)

TABLE_SUFFIXES = (".npy", ".npz")
# What a model is asked for: embeddings, or the likelihood of each of its tags.
Question: TypeAlias = Literal["embed", "tag"]
Table: TypeAlias = NDArray[np.float64]
Piece = TypeVar("Piece")


@dataclass(frozen=True, slots=True)
class Ear:
    """The way pieces are heard.

    It says by which backend (the slot's first, if none), asked for what, and whether as recordings
    or as notes are played, where a piece is there as both.
    """

    load: LoadModel
    question: Question = "embed"
    backend: str | None = None
    sound: Sounding = "recording"

    @property
    def name(self) -> str:
        return self.backend or backends.names(SLOT)[0]

    def hear(self, samples: Samples) -> Table:
        model = self.load(SLOT, self.name)
        return _table(getattr(model, self.question)(*samples), self.name)


@dataclass(frozen=True, slots=True)
class PieceTables:
    """What was heard in pieces: a table ``[segments, d]`` for each, with its name.

    `by_model` says whether a model of ours made any of them, `by_others` whether any comes out of
    a file of numbers. `untrained` names models with random weights behind the music.
    """

    tables: tuple[tuple[str, Table], ...]
    by_model: bool = False
    by_others: bool = False
    untrained: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def table(self) -> Table:
        """The segments of all pieces, one below the other."""
        return np.concatenate([table for _, table in self.tables])


def hear_files(paths: Sequence[Path], ear: Ear, *, tell: Tell = silent) -> PieceTables:
    """Hear files and those of folders; tables are named as the files without suffix.

    A .npz may hold several arrays; each is ``[d]`` or ``[n, d]``. Of a piece that is there in
    several forms numbers count first, then, for recordings, sound, video and MIDI, or else MIDI
    first. `StopRun` where widths differ.
    """
    recordings = (*SOUND_SUFFIXES, *VIDEO_SUFFIXES)
    is_played = ear.sound == "rendered"
    forms = (*MIDI_SUFFIXES, *recordings) if is_played else (*recordings, *MIDI_SUFFIXES)
    suffixes = (*TABLE_SUFFIXES, *forms)
    sound_files = find_files(paths, suffixes, "tables (.npy, .npz), recordings or MIDI files")
    order = {suffix: number for number, suffix in enumerate(suffixes)}
    pieces: dict[Path, Path] = {}
    for path in sorted(sound_files, key=lambda path: order.get(path.suffix.lower(), len(order))):
        pieces.setdefault(path.with_suffix(""), path)
    files = sorted(pieces.values())
    tables: list[tuple[str, Table]] = []
    refused = []
    for number, path in enumerate(files, 1):
        try:
            tables.append((path.stem, _read(path) if _is_table(path) else ear.hear(sound_of(path))))
        except RejectEntry as error:
            refused.append(Refused(str(path), error.detail))
        tell(number, len(files), path.name)
    refuse_all(files, refused)
    _require_one_width(tables)
    others = [path for path in files if _is_table(path)]
    return PieceTables(
        tuple(tables),
        by_model=len(others) + len(refused) < len(files),
        by_others=bool(others),
        untrained=untrained_behind(files),
        refused=tuple(refused),
    )


def hear_dataset(
    root: Root, dataset: str, split: str, ear: Ear, *, tell: Tell = silent
) -> PieceTables:
    """Hear the rows of a split, or of all of them; tables are named by the entry's id."""
    needed, optional = heard_columns(ear.sound)
    recordings = Recordings(root)
    rows, count, _ = rows_of_split(root, dataset, split, needed, optional)
    left_out, tables = LeftOut(), []

    def hear(row: Any) -> Table:
        played_or_recorded: Callable[[], Samples] = (
            (lambda: played(notes_of(row)))
            if ear.sound == "rendered"
            else (lambda: recordings.of_row(row))
        )
        return ear.hear(played_or_recorded())

    for number, row in enumerate(rows, 1):
        table = left_out.use(row, hear)
        if table is not None:
            tables.append((row_name(row), table))
        tell(number, count, dataset)
    if not tables:
        raise left_out.no_rows(dataset, split)
    return PieceTables(tuple(tables), by_model=True, left_out=left_out.reasons)


def paired(
    generated: PieceTables, reference: PieceTables
) -> tuple[list[tuple[str, Table, int]], list[str]]:
    """Pieces with the number of their original in `reference`, and the names of those without.

    A piece belongs to what its name begins with (`evaluate.shortened`). `StopRun` without a pair.
    """
    _require_one_width([*generated.tables, *reference.tables])
    names = [(name, number) for number, (name, _) in enumerate(reference.tables)]
    own = own_references(names)
    pairs, alone = [], []
    for name, table in generated.tables:
        number = next((own[short] for short in shortened(name) if short in own), None)
        if number is None:
            alone.append(name)
        else:
            pairs.append((name, table, number))
    if not pairs:
        raise CannotMeasure(
            "no piece has a reference of its name: a generated file begins with the name of the "
            f"entry or file that it was made for (there is {alone[0]!r})"
        )
    return pairs, alone


def _is_table(path: Path) -> bool:
    return path.suffix.lower() in TABLE_SUFFIXES


def _read(path: Path) -> Table:
    try:
        loaded = np.load(path, allow_pickle=False)
        arrays = [loaded[k] for k in loaded.files] if path.suffix.lower() == ".npz" else [loaded]
    except (OSError, ValueError) as error:
        problem = f"it holds no embeddings or probabilities: {str(error).splitlines()[0]}"
        raise MalformedFile(path, problem) from error
    tables = [(str(path), _table(array, str(path))) for array in arrays]
    _require_one_width(tables)
    return np.concatenate([table for _, table in tables])


def _table(array: Any, what: str) -> Table:
    try:
        table = np.atleast_2d(np.asarray(array, dtype=np.float64))
    except (TypeError, ValueError) as error:
        raise MalformedFile(what, "it holds no numbers") from error
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        problem = f"it gives an array of shape {np.shape(array)}, not finite [n, d]"
        raise MalformedFile(what, problem)
    return table


def _require_one_width(tables: Sequence[tuple[str, Table]]) -> None:
    widths = sorted({table.shape[1] for _, table in tables})
    if len(widths) > 1:
        raise CannotMeasure(f"tables of {widths} dimensions do not belong together")
