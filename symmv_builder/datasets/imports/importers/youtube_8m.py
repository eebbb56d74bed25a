"""YouTube-8M: ids of videos and the labels that a program gave them.

Abu-El-Haija et al., "YouTube-8M: A Large-Scale Video Classification Benchmark", 2016. V2Meow's
110,000 videos are those with the label Music video. Read are

- ``vocabulary.csv`` of the release: number and name of each label;
- ``videos.csv``: columns ``id`` and ``labels``, numbers of the vocabulary between blanks;
- any ``*.js`` beside them: the release calls a video by four characters, and its site answers
  ``i("nXSc","0sf943sWZls");`` for each, which names the id of YouTube.

The release itself ships ids and labels inside TFRecord files, with features: these are not read.
An id of eleven characters is one of YouTube; a short one that no ``.js`` explains is left out.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from symmv_builder.datasets.imports import labelled
from symmv_builder.datasets.imports.tree import Tree
from symmv_builder.errors import MalformedFile, UnknownName
from symmv_builder.files import Folder, read_text
from symmv_builder.records import PublishedLabels, Source
from symmv_builder.tables import read_table
from symmv_builder.text import clean_line
from symmv_builder.training import Option

NAME = "youtube-8m"
LICENCE = "CC BY 4.0"
MEDIA = labelled.MEDIA
VOCABULARY, VIDEOS = "vocabulary.csv", "videos.csv"
_ANSWER = re.compile(r'\s*i\("([A-Za-z0-9_-]{4})","([A-Za-z0-9_-]{11})"\);?\s*')
_SHORT = re.compile(r"[A-Za-z0-9_-]{4}")
OPTIONS = (Option("label", str, "youtube-8m: only videos with this label, such as `Music video`."),)

RECIPE = labelled.recipe_of(NAME, {"train": 80, "validation": 20})


def scan(path: Path, *, label: str | None = None) -> Tree:
    """Find the videos of a folder's tables; `StopRun` with line and column of a mistake."""
    handed_in = Folder(path)
    vocabulary, videos = path / VOCABULARY, path / VIDEOS
    for table in (vocabulary, videos):
        if not handed_in.holds(table):
            raise MalformedFile(path, f"this is no copy of YouTube-8M: it holds no {table.name}")
    names = _read_vocabulary(vocabulary)
    if label is not None and label.casefold() not in map(str.casefold, names.values()):
        raise UnknownName("label", label, tuple(names.values()), where=NAME)
    long_ids = _read_answers(handed_in)
    songs, unknown = [], 0
    for row in read_table(videos, ("id", "labels")):
        labels = []
        for word in row["labels"].split():
            if word not in names:
                problem = f"{word[:20]!r} is no number of {VOCABULARY}"
                raise MalformedFile(videos, problem, row.number, "column labels")
            labels.append(names[word])
        if label is not None and label.casefold() not in map(str.casefold, labels):
            continue
        if _SHORT.fullmatch(row["id"]) and row["id"] not in long_ids:
            unknown += 1
            continue
        answer = long_ids.get(row["id"])
        source = Source("youtube", answer) if answer else labelled.youtube(videos, row, "id")
        songs.append((row.number, labelled.song_of(NAME, source, PublishedLabels(tuple(labels)))))
    left_out = [f"{unknown} short ids that no .js explains"] if unknown else []
    return Tree(labelled.once(videos, songs), left_out=(*left_out, *handed_in.left_out))


def _read_vocabulary(table: Path) -> Mapping[str, str]:
    """Read the name of each label by its number."""
    names = {}
    for row in read_table(table, ("index", "name")):
        if not re.fullmatch("[0-9]{1,6}", row["index"]):
            problem = f"{row['index'][:20]!r} is no number"
            raise MalformedFile(table, problem, row.number, "column index")
        # Some labels of the release have lost their name.
        names[row["index"]] = clean_line(row["name"]) or f"label {row['index']}"
    return names


def _read_answers(handed_in: Folder) -> Mapping[str, str]:
    """Read the id at YouTube of each short id that a ``.js`` explains."""
    answers = {}
    for file in handed_in.files():
        if file.suffix != ".js":
            continue
        for number, line in enumerate(read_text(file).splitlines(), start=1):
            if not line.strip():
                continue
            answer = _ANSWER.fullmatch(line)
            if answer is None:
                problem = 'this should be i("FOUR","ELEVEN CHARS");'
                raise MalformedFile(file, problem, number, "column 1")
            answers[answer[1]] = answer[2]
    return answers
