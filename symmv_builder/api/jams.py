"""Entries to JAMS files and back: for editors of annotations, and between data roots."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.api.correcting import Correction, author, moment, named_entry
from symmv_builder.datasets import jams
from symmv_builder.datasets.corrected import (
    NOT_APPLICABLE,
    corrected_entries,
    corrected_entry,
)
from symmv_builder.datasets.jams_edits import edits_in
from symmv_builder.datasets.remembered import require_known
from symmv_builder.errors import MalformedFile, NoSuchPath, StopRun
from symmv_builder.records.corrections import correction_from, standing
from symmv_builder.settings import Settings
from symmv_builder.storage import lines, manifests
from symmv_builder.storage.corrections import NAME, new_id, read_corrections
from symmv_builder.storage.outputs import check_outputs, replacing_file
from symmv_builder.storage.store import Store

__all__ = ["Answer", "export", "take_in", "take_in_answers"]


def export(settings: Settings, dataset: str, folder: Path) -> list[Path]:
    """Write ``ENTRY.jams`` of every entry of which something is stored; the files.

    They have the entry as people corrected it, and the corrections (`datasets.jams`). A file of
    an earlier export is replaced; `StopRun` where another file stands in a place.
    """
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    entries = manifests.read_entries(store.manifests, dataset)
    places = {each.entry_id: folder / f"{each.entry_id}{jams.SUFFIX}" for each in entries}
    check_outputs(places.values(), is_ours=_is_ours)
    paths = []
    for result in corrected_entries(store, dataset):
        text = json.dumps(jams.document(result), indent=1, ensure_ascii=False) + "\n"
        place = places[result.entry.entry_id]
        with replacing_file(place) as temporary:
            temporary.write_text(text, "utf-8")
        paths.append(place)
    return paths


def _is_ours(path: Path) -> bool:
    try:
        return jams.OURS in jams.read_document(path).get("sandbox", {})
    except StopRun:
        return False


def take_in(
    settings: Settings,
    dataset: str,
    paths: Sequence[Path],
    *,
    by: str,
    now: Callable[[], str] = moment,
) -> dict[str, list[Correction]]:
    """Make corrections of what JAMS files say otherwise than their entries; the new ones, by entry.

    `paths` are files, or folders of them. Corrections that a file of ours carries come first, with
    their own authors and times, but for those that are known here; whatever else differs is a
    correction `by` whom the files come of. `StopRun` where a file is none, is about no entry, or
    says what no correction can; then nothing is written.
    """
    answers = []
    for path in _files(paths):
        document = jams.read_document(path)
        answers.append(Answer(path, jams.entry_of(document, path), by, document))
    return take_in_answers(settings, dataset, answers, now=now)


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody, `by`, says of an entry in JAMS content, and the file that it comes of."""

    path: Path
    entry_id: str
    by: str
    document: Mapping[str, Any]


def take_in_answers(
    settings: Settings, dataset: str, answers: Iterable[Answer], *, now: Callable[[], str] = moment
) -> dict[str, list[Correction]]:
    """Make corrections of answers, all of them or none; as `take_in`."""
    store = settings.open_standing()
    require_known(store.manifests, dataset)
    with lines.alone(store, dataset, NAME):
        every = read_corrections(store.manifests, dataset)
        new: dict[str, list[Correction]] = {}
        for answer in answers:
            mine = _corrections(store, dataset, answer, every, now())
            new.setdefault(answer.entry_id, []).extend(mine)
            every += mine
        rows = [each.fields() for mine in new.values() for each in mine]
        if rows:
            lines.append(store, dataset, NAME, rows)
    return {name: mine for name, mine in new.items() if mine}


def _files(paths: Sequence[Path]) -> list[Path]:
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise NoSuchPath(path)
        inside = sorted(path.glob(f"*{jams.SUFFIX}")) if path.is_dir() else [path]
        if not inside:
            raise MalformedFile(path, f"it holds no files NAME{jams.SUFFIX}")
        files += inside
    return files


def _corrections(
    store: Store, dataset: str, answer: Answer, every: Sequence[Correction], time: str
) -> list[Correction]:
    """The corrections that an answer brings beside `every` one that is known."""
    name, document, who = answer.entry_id, answer.document, author(answer.by)
    ids = {each.id for each in every}
    current = standing(every).get(name, ())
    recipe, entry = named_entry(store, dataset, name)
    try:
        carried = [correction_from(_fields(each)) for each in jams.corrections_in(document)]
        new = [each for each in carried if each.id not in ids and each.edit]
        if any(each.entry_id != name for each in new):
            raise ValueError("it carries corrections of another entry")
        before = corrected_entry(store, recipe, entry, (*current, *new))
        edits = edits_in(document, before)
        ours = [Correction(new_id(), name, who, time, edit) for edit in edits]
        after = corrected_entry(store, recipe, entry, (*current, *new, *ours))
        for each in after.corrections:
            if each.correction in ours and each.state == NOT_APPLICABLE:
                raise ValueError(each.reason)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        problem = f"it cannot correct {name}: {error}"
        raise MalformedFile(answer.path, problem) from error
    return [*new, *ours]


def _fields(plain: object) -> Mapping[str, object]:
    if not isinstance(plain, dict):
        raise TypeError("a correction is an object")
    return plain
