"""The page of the quick tour: what was made of two pairs, out of the data root, in one file."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symmv_builder import backends
from symmv_builder.api.command_line import command_line
from symmv_builder.api.dataset import Dataset
from symmv_builder.api.demo import compare, stage_rows
from symmv_builder.api.demo_quick import NOTICES, QuickDemo
from symmv_builder.api.entry import StoredEntry
from symmv_builder.api.generating import WrittenPiece
from symmv_builder.records import Chords
from symmv_builder.report.markup import PageMedia
from symmv_builder.report.page import (
    ColumnRow,
    DatasetPart,
    ModelRow,
    Page,
    Section,
    write_page,
)
from symmv_builder.text import amount, harmless
from symmv_builder.version import __version__

_SHOWN_VALUES = 3
_LONGEST = 32
_LEADS = {
    "symmv": "Piano covers paired with official videos, after Zhuo et al. (ICCV 2023): the cover "
    "is transcribed, the video is looked at.",
    "muvisync": "Videos with their own music, after Kang et al. (2024): chords, loudness and "
    "density of every second. The same two videos, heard by other models.",
}


def write_tour_page(
    tour: QuickDemo, composition: WrittenPiece, rows: Mapping[str, list[dict[str, Any]]]
) -> Path:
    """Write the page into the tour's folder; where it is.

    `rows` are those that were read back of each dataset.
    """
    seconds = sum(tour.phases.values())
    page = Page(
        title="symmv: two pairs, two datasets, one new piece of music",
        lead=f"Made by symmv-builder {__version__} on this machine in {seconds:.0f} s of work: "
        "the recordings, both datasets, and music that nobody had written for this video before.",
        music=_music(tour, composition),
        datasets=[_dataset(tour, name, rows[name]) for name in tour.datasets],
        phases=tour.phases,
        models=_models(tour),
        notices=NOTICES,
        next_steps={
            command_line("generate", f"{tour.videos}/sonata-k545.mp4", "--out", "music"): "Write "
            "music for "
            "another video; give it a file of your own.",
            "symmv build symmv --from MY-PAIRS --root my-data": "Build a dataset of your own "
            "recordings: a folder with covers/ and videos/ whose files share names.",
            command_line(
                "show", "sonata-k545", "--dataset", "symmv", root=tour.settings.root
            ): "See everything that is stored of an entry; `symmv --help` lists what else there "
            "is.",
        },
    )
    path = tour.out / "index.html"
    write_page(path, page)
    return path


def _music(tour: QuickDemo, composition: WrittenPiece) -> Section:
    piece = composition.piece
    facts = {
        "length": f"{piece.seconds:.1f} s",
        "notes": str(composition.notes),
        "tempo": f"{piece.tempo_bpm:.0f} to the minute",
    }
    about = str(piece.facts["about_model"])
    by_suffix = {path.suffix: path for path in composition.files}
    others = ", ".join(path.name for path in composition.files if path.suffix != ".mp4")
    return Section(
        "New music for a video",
        f"{about[:1].upper()}{about[1:]}.",
        facts,
        [
            PageMedia(
                by_suffix[".mp4"],
                f"{by_suffix['.mp4'].relative_to(tour.out)}; beside it lie {others}",
            ),
            PageMedia(by_suffix[".png"], "The notes of the new music"),
        ],
    )


def _dataset(tour: QuickDemo, name: str, rows: list[dict[str, Any]]) -> DatasetPart:
    dataset = tour.datasets[name]
    state, entries = dataset.status(), list(dataset)
    media_s = sum(float(entry.music_asset.duration_s) for entry in entries)
    columns = {column.name: column for column in dataset.recipe.columns}
    first = rows[0]
    column_rows = [
        ColumnRow(c.name, c.type, c.unit, c.meaning, _value(first[c.name]))
        for c in columns.values()
        if c.name in first
    ]
    return DatasetPart(
        name,
        f"{_LEADS[name]} {amount(len(rows), 'row')} of {len(column_rows)} columns in "
        f"{amount(len(state.shards), 'Parquet shard')}.",
        [_entry(tour, dataset, entry) for entry in entries],
        column_rows,
        stage_rows(state, media_s),
    )


def _entry(tour: QuickDemo, dataset: Dataset, entry: StoredEntry) -> Section:
    by_name: dict[str, Any] = dict(entry.records)
    truths = tour.truths()
    sources = (entry.entry.video, entry.entry.music)
    video, music = (truths[f"{source.site}:{source.video_id}"] for source in sources)
    chords: Chords = by_name["chords"]
    facts = {"key": str(by_name["key"])}
    if "beats" in by_name:
        facts["tempo"] = f"{by_name['beats'].tempo_bpm:.0f} to the minute"
        facts["beats"] = str(len(by_name["beats"].times_s))
    facts |= {
        "chords": f"{len(set(chords.labels))} different",
        "notes": str(len(by_name["notes"].pitches)),
        "shots": str(len(by_name["scenes"].starts_s)),
        "split": entry.split,
    }
    media = tour.media.folder
    items = [PageMedia(media / video.path, "The video")]
    if music.path != video.path:
        items.insert(0, PageMedia(media / music.path, "The cover"))
    folder = tour.pictures / dataset.name
    captions = {"notes": "Notes, beats and chords as found", "frames": "Shots and features"}
    items += [
        PageMedia(path, caption)
        for kind, caption in captions.items()
        if (path := folder / f"{entry.entry_id}.{kind}.png").is_file()
    ]
    truth = "; ".join(compare(entry, truths))
    return Section(
        f"{music.title} ({music.composer})",
        f"Entry {entry.entry_id}. Compared with what is true of these recordings: {truth}.",
        facts,
        items,
        chords,
    )


def _value(value: Any) -> str:
    """Shorten a column's value to a few words: a scalar whole, of a sequence shape and start."""
    if isinstance(value, np.ndarray):
        shape, numbers = " x ".join(map(str, value.shape)), value.ravel().tolist()
        words = [f"{number:.4g}" for number in numbers[:_SHOWN_VALUES]]
        return f"{shape}: {', '.join(words)}{_more(numbers)}"
    if isinstance(value, tuple | list):
        return f"{len(value)}: {', '.join(map(str, value[:_SHOWN_VALUES]))}{_more(value)}"
    return f"{value:.5g}" if isinstance(value, float) else harmless(value, _LONGEST)


def _more(values: Sequence[object]) -> str:
    return ", ..." if len(values) > _SHOWN_VALUES else ""


def _models(tour: QuickDemo) -> list[ModelRow]:
    """List every model of both datasets, and the starter.

    A model that two results name stands there once.
    """
    models: dict[tuple[str, str], ModelRow] = {}
    for name, dataset in tour.datasets.items():
        for use in dataset.recipe.uses:
            if use.step.slot is None or use.model is None:
                continue
            about = backends.about(use.step.slot, use.model)
            identity = backends.identify(use.step.slot, use.model, tour.settings.home)
            models.setdefault(
                (use.step.slot, use.model),
                ModelRow(
                    f"{name}: {use.makes}", use.model, about.tool, about.licence, identity.trained
                ),
            )
    music = ModelRow(
        "new music",
        "starter",
        "V-MusProd, trained for this package on POP909's piano arrangements",
        "Apache-2.0 (POP909: MIT)",
        trained=True,
    )
    return [*models.values(), music]
