"""Entries to tasks of Label Studio, and its answers back as corrections."""

import json
from pathlib import Path

from symmv_builder.api.correcting import Correction
from symmv_builder.api.jams import Answer, take_in_answers
from symmv_builder.datasets import jams, label_studio
from symmv_builder.datasets.corrected import corrected_entries
from symmv_builder.datasets.label_studio import LOCAL_FILES
from symmv_builder.datasets.remembered import require_known
from symmv_builder.datasets.survey import recordings_of
from symmv_builder.errors import CannotRead, MalformedFile
from symmv_builder.settings import Settings
from symmv_builder.storage.outputs import check_outputs, replacing_file
from symmv_builder.text import clean_line

__all__ = ["LOCAL_FILES", "export", "take_in"]

TASKS, INTERFACE = "tasks.json", "interface.xml"
_MOST_BYTES = 256 * 2**20


def export(
    settings: Settings, dataset: str, folder: Path, *, address: str = LOCAL_FILES
) -> list[Path]:
    """Write ``tasks.json`` and the labelling ``interface.xml`` of a dataset; the files.

    A task is an entry of which something is stored, as people corrected it (`datasets.label_studio`
    has its form). `address` says where Label Studio gets a recording: ``{path}`` is its place below
    the data root, ``{entry}`` and ``{kind}`` (music or video) name it. `StopRun` where one of the
    files stands there already.
    """
    store = settings.open_store(read_only=True)
    require_known(store.manifests, dataset)
    places = [folder / TASKS, folder / INTERFACE]
    check_outputs(places)
    assets = store.ledger.assets()
    results = list(corrected_entries(store, dataset))
    tasks = []
    for each in results:
        kinds = recordings_of(dataset, each.entry)
        contents = {k: assets[kinds[k]] for k in ("music", "video") if kinds[k] in assets}
        tasks.append(label_studio.task(each, contents, address))
    text = json.dumps(tasks, indent=1, ensure_ascii=False) + "\n"
    for place, content in zip(places, (text, label_studio.interface(results)), strict=True):
        with replacing_file(place) as temporary:
            temporary.write_text(content, "utf-8")
    return places


def take_in(
    settings: Settings, dataset: str, path: Path, *, by: str = ""
) -> dict[str, list[Correction]]:
    """Make corrections of the answers in Label Studio's JSON export; the new ones, by entry.

    The author is who answered, by Label Studio's word, or else `by`. Errors are those of
    `api.jams.take_in`.
    """
    answers = []
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise MalformedFile(path, f"it is larger than {_MOST_BYTES >> 20} MiB")
        for name, who, document in label_studio.documents(json.loads(path.read_text("utf-8-sig"))):
            jams.check(document)
            answers.append(Answer(path, name, clean_line(who) or by, document))
    except OSError as error:
        raise CannotRead(path, error.strerror or str(error)) from error
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        cause = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise MalformedFile(path, f"it is no export of Label Studio: {cause}") from error
    return take_in_answers(settings, dataset, answers)
