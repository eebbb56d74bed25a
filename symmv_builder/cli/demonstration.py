"""What `symmv demo` does: media made on the spot, both datasets, models, tables and pictures."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from symmv_builder import datasets
from symmv_builder.api.dataset import Dataset
from symmv_builder.cli.building import build_with_progress, trained_or_not
from symmv_builder.cli.demonstration_crawl import crawl_demo
from symmv_builder.cli.demonstration_train import train_demo
from symmv_builder.cli.saying import note, say
from symmv_builder.datasets import questions
from symmv_builder.datasets.pictures import draw_entry
from symmv_builder.demo.media import Truth, make_media
from symmv_builder.demo.world import build_world
from symmv_builder.pipeline.pool import Effort
from symmv_builder.records import Entry, Record
from symmv_builder.report import tables
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage import manifests
from symmv_builder.storage.root import Root

Records = dict[str, Record]


def demonstrate(out: Path, effort: Effort) -> None:
    """Make media, crawl a site of them, build both datasets into ``out/data``, train, show all."""
    started = time.monotonic()
    media = make_media(out / "media", progress=_say)
    world = build_world(media)
    root = str(out / "data")
    settings = read_settings(root=root)
    recipes, notices = {}, []
    for name in datasets.NAMES:
        recipes[name], problem = trained_or_not(datasets.recipe(name), settings)
        if problem:
            notices.append(f"{name}: CLIP is NOT TRAINED in this demo, because {problem}")
            _say(notices[-1])
    crawl_demo(recipes["symmv"], world, root, effort, _say)
    for name, folder in (("symmv", None), ("muvisync", media.muvisync)):
        _say(f"building {name}")
        build_with_progress(Dataset(recipes[name], settings), folder, effort=effort)
    by_path = {truth.path: truth for truth in media.truths}
    truths = {f"demo:{name}": by_path[path] for name, path in world.paths.items()}
    truths |= {f"file:{Path(p).stem}": t for p, t in by_path.items() if p.startswith("muvisync/")}
    for name in datasets.NAMES:
        _report(name, settings, truths, out)
    train_demo(settings, out, _say)
    for notice in notices:
        say(notice)
    sys.stdout.write(
        f"shards: {out}/data/symmv/shards and {out}/data/muvisync/shards\n"
        f"pictures: {out}/pictures\n"
        f"models: {out}/runs; tensorboard --logdir {out}/runs draws their losses\n"
        f"videos with new music: {out}/music/vmusprod/*.mp4 and {out}/music/amt/*.mp4\n"
        f"the whole demo took {time.monotonic() - started:.0f} s\n"
        f"look further: symmv status --root {out}/data; symmv review symmv --root {out}/data\n"
    )


def _say(line: str) -> None:
    note(line)
    sys.stderr.flush()


def _report(name: str, settings: Settings, truths: Mapping[str, Truth], out: Path) -> None:
    store = settings.open_store()
    state = questions.status(store, name)
    entries = manifests.read_entries(store.manifests, name)
    rejected = {result.entry_id for result in state.rejections}
    splits = manifests.read_splits(store.manifests, name)
    records = {entry.entry_id: questions.records_of(store, entry) for entry in entries}
    made = [entry for entry in entries if entry.entry_id not in rejected]
    sys.stdout.write("\n")
    rows = [entry_row(entry, splits[entry.song_id], records[entry.entry_id]) for entry in made]
    tables.show(tables.entries_table(rows, title=f"{name}: what was made"))
    _compare(made, records, truths)
    if state.rejections:
        tables.show(
            tables.rejections_table(
                [
                    tables.RejectionRow(r.entry_id, r.step, r.reason, r.detail)
                    for r in state.rejections
                ],
                title=f"{name}: what was put aside, and why",
            )
        )
    media_s = sum(row.minutes * 60 for row in rows)
    tables.show(tables.stages_table(stage_rows(state, media_s), title=f"{name}: work per stage"))
    _draw(store.root, made, records, out / "pictures" / name)


def entry_row(entry: Entry, split: str, records: Records) -> tables.EntryRow:
    """An entry's line in the table of what was made."""
    known: dict[str, Any] = dict(records)
    labels = known["chords"].labels
    return tables.EntryRow(
        entry_id=entry.entry_id,
        split=split,
        minutes=known["music_asset"].duration_s / 60,
        notes=len(known["notes"].pitches),
        chords=len(labels),
        distinct_chords=len(set(labels)),
        key=str(known["key"]),
        tempo_bpm=known["beats"].tempo_bpm if "beats" in known else None,
        scenes=len(known["scenes"].starts_s),
    )


def stage_rows(state: questions.Status, media_s: float) -> list[tables.StageRow]:
    """A dataset's stages with what they cost for each second of media."""
    return [
        tables.StageRow(
            step=cost.artifact,
            backend=cost.backend,
            entries=cost.made,
            seconds=cost.seconds,
            seconds_per_media_second=cost.seconds / media_s if media_s else 0.0,
            rejected=cost.rejected,
        )
        for cost in state.stages
    ]


def _compare(
    made: Sequence[Entry], records: dict[str, Records], truths: Mapping[str, Truth]
) -> None:
    """Say how near the stages came to what is true of the media that we made ourselves."""
    for entry in made:
        known: dict[str, Any] = dict(records[entry.entry_id])
        video = truths.get(f"{entry.video.site}:{entry.video.video_id}")
        music = truths.get(f"{entry.music.site}:{entry.music.video_id}")
        parts = []
        if video is not None and video.cuts_s:
            found = known["scenes"].starts_s[1:].tolist()
            hit = sum(any(abs(cut - time) < 0.05 for time in found) for cut in video.cuts_s)
            parts.append(f"{hit} of {len(video.cuts_s)} cuts found, {len(found) - hit} extra")
        if music is not None and music.key:
            parts.append(f"key {known['key']} (written in {music.key})")
        if music is not None and music.tempo_bpm and "beats" in known:
            tempo = known["beats"].tempo_bpm
            parts.append(f"tempo {tempo:.0f} (played at {music.tempo_bpm:.0f})")
        if music is not None and music.notes is not None:
            heard, played = len(known["notes"].pitches), len(music.notes.pitches)
            parts.append(f"{heard} notes (played {played})")
        if parts:
            say(f"  {entry.entry_id}: {'; '.join(parts)}")
    sys.stdout.write("\n")


def _draw(root: Root, made: Sequence[Entry], records: dict[str, Records], out: Path) -> None:
    for entry in made:
        _say(f"drawing {entry.entry_id}")
        draw_entry(root, entry, records[entry.entry_id], out, overwrite=True)
