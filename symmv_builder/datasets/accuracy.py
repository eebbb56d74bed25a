"""Annotations of many songs against references: files, folders, rows of a dataset, song by song.

`symmv_builder.evaluation.accuracy` scores one song; here songs are found, matched by name, scored,
and summed up with a confidence interval over songs.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder.datasets.annotations import (
    COLUMNS,
    FROM_MIDI,
    JSON_SUFFIXES,
    MIDI_SUFFIXES,
    TEXT_SUFFIXES,
    from_row,
    read_songs,
)
from symmv_builder.datasets.evaluate import (
    Refused,
    Tell,
    find_files,
    is_dataset,
    rows_of_split,
    shortened,
    silent,
)
from symmv_builder.errors import CannotMeasure, CannotRead, MalformedFile, RejectEntry
from symmv_builder.evaluation.accuracy import Scores, check_labels, metric_names, score_song
from symmv_builder.evaluation.significance import Comparison, compare_paired, confidence_interval
from symmv_builder.schema import row_name
from symmv_builder.storage.root import Root

# In a copy of POP909 a song is a folder, and its files have the same names in all of them.
_POP909 = {"beats": "beat_midi.txt", "chords": "chord_midi.txt", "key": "key_audio.txt"}


@dataclass(frozen=True, slots=True)
class Annotated:
    """Annotations by the song's name, and what could not be read; `is_single` for one file."""

    name: str
    songs: Mapping[str, Any]
    refused: tuple[Refused, ...] = ()
    is_single: bool = False


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Scores of each song, their means and intervals ``(low, high)``, and who was left out.

    The interval of one song is ``nan``.
    """

    task: str
    estimate: str
    reference: str
    songs: Mapping[str, Scores]
    mean: Mapping[str, float]
    interval: Mapping[str, tuple[float, float]]
    unmatched_estimates: tuple[str, ...]
    unmatched_references: tuple[str, ...]
    refused: tuple[Refused, ...]


def annotations_of(
    task: str, what: str, root: Root, *, split: str = "all", tell: Tell = silent
) -> Annotated:
    """Read the annotations of a dataset in the data root, of a file, or of all files in a folder.

    A song is called as its file without suffix, as the ``file`` of a JSON line, or as its row's
    entry. `StopRun` where nothing can be read.
    """
    if is_dataset(root, what):
        prefix, fields = COLUMNS[task]
        rows, count, _ = rows_of_split(
            root, what, split, ["entry_id", *(f"{prefix}_{field}" for field in fields)]
        )
        songs = {}
        for number, row in enumerate(rows, 1):
            songs[row_name(row)] = from_row(row, task)
            tell(number, count, what)
        return Annotated(what, songs)
    path = Path(what)
    suffixes = (*TEXT_SUFFIXES, *JSON_SUFFIXES, *(MIDI_SUFFIXES if task in FROM_MIDI else ()))
    files = find_files([path], suffixes, f"annotations ({' '.join(suffixes)})")
    places = dict(_named(task, files))
    annotations: dict[str, Any] = {}
    refused = []
    for number, (file, name) in enumerate(places.items(), 1):
        try:
            for song, annotation in read_songs(file, task):
                song = name or song
                if task == "chords":
                    check_labels(annotation)
                if song in annotations:
                    cause = f"another annotation is of the song {song}"
                    refused.append(Refused(str(file), cause))
                annotations.setdefault(song, annotation)
        except RejectEntry as error:
            refused.append(Refused(str(file), error.detail))
        except ValueError as error:
            refused.append(Refused(str(file), str(error)))
        tell(number, len(places), file.name)
    if not annotations:
        first = refused[0] if refused else Refused(what, "it holds no annotation")
        raise CannotMeasure(f"{first.file} cannot be used: {first.reason}")
    return Annotated(
        what, annotations, tuple(refused), is_single=path.is_file() and len(annotations) == 1
    )


def _named(task: str, files: list[Path]) -> Iterator[tuple[Path, str]]:
    """List files with the names of their songs where files do not say them.

    Of a copy of POP909 that is the task's own file of each folder: a text, or ``NNN/NNN.mid``.
    """
    own = [file for file in files if file.name == _POP909.get(task, f"{file.parent.name}.mid")]
    if own and (task in _POP909 or any(file.name in _POP909.values() for file in files)):
        yield from ((file, file.parent.name) for file in own)
    else:
        yield from ((file, "") for file in files)


def measure(task: str, estimate: Annotated, reference: Annotated) -> Accuracy:
    """Score each song that both have; `StopRun` where there is none.

    An estimate belongs to the reference of its name, or of the beginning of it (``SONG.beats``,
    ``SONG-3``); two single files belong together whatever they are called.
    """
    scores: dict[str, Scores] = {}
    alone: list[str] = []
    refused = [*estimate.refused, *reference.refused]
    is_pair = estimate.is_single and reference.is_single
    for name, ours in estimate.songs.items():
        names = reference.songs if is_pair else shortened(name)
        song = next((other for other in names if other in reference.songs), None)
        if song is None:
            alone.append(name)
        elif song in scores:
            refused.append(Refused(name, f"another estimate is of the song {song}"))
        else:
            try:
                scores[song] = score_song(task, ours, reference.songs[song])
            except ValueError as error:
                refused.append(Refused(song, str(error)))
    if not scores:
        cause = f": {refused[0].file}: {refused[0].reason}" if refused else ""
        cause = cause or f" (there is {alone[0]!r}, and {next(iter(reference.songs))!r})"
        raise CannotMeasure(
            f"no song of {estimate.name} can be compared with {reference.name}{cause}"
        )
    mean, interval = {}, {}
    for metric in metric_names(list(scores.values())):
        values = [song[metric] for song in scores.values() if metric in song]
        mean[metric] = float(np.mean(values))
        interval[metric] = confidence_interval(values)
    return Accuracy(
        task=task,
        estimate=estimate.name,
        reference=reference.name,
        songs=scores,
        mean=mean,
        interval=interval,
        unmatched_estimates=tuple(alone),
        unmatched_references=tuple(sorted(set(reference.songs) - set(scores))),
        # Of a folder that is compared with itself.
        refused=tuple(dict.fromkeys(refused)),
    )


def compare_results(a: Path, b: Path) -> tuple[dict[str, Comparison], int]:
    """Compare two JSON results of one task by each metric, over the songs that both have.

    Gives the comparisons and how many songs only one of them has. `StopRun` where a file is no
    such result, or nothing can be compared.
    """
    (task_a, songs_a), (task_b, songs_b) = (_read_result(path) for path in (a, b))
    if task_a != task_b:
        raise CannotMeasure(f"{a} measures {task_a} and {b} {task_b}: nothing to compare")
    both = sorted(set(songs_a) & set(songs_b))
    comparisons = {}
    for metric in metric_names([songs_a[song] for song in both]):
        songs = [s for s in both if metric in songs_a[s] and metric in songs_b[s]]
        if songs:
            values = ([of[song][metric] for song in songs] for of in (songs_a, songs_b))
            comparisons[metric] = compare_paired(*values)
    if not comparisons:
        raise CannotMeasure(f"{a} and {b} have no song in common with one metric")
    return comparisons, len(set(songs_a) ^ set(songs_b))


def _read_result(path: Path) -> tuple[str, dict[str, dict[str, float]]]:
    try:
        result = json.loads(path.read_text("utf-8"))
        songs = {
            str(song): {str(name): float(value) for name, value in scores.items()}
            for song, scores in result["per_song"].items()
        }
        if not all(np.isfinite(v) for scores in songs.values() for v in scores.values()):
            raise ValueError("a score is no number")
        return str(result["task"]), songs
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        tasks = "transcription, beats, chords, melody or key"
        problem = f"this is no result of an evaluation of {tasks}, written as JSON"
        raise MalformedFile(path, problem) from error
