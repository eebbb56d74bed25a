"""`symmv show`: what is known of one entry, in words and pictures."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.cli import options
from symmv_builder.cli.saying import note, say
from symmv_builder.datasets import questions
from symmv_builder.records import (
    Asset,
    Beats,
    Chords,
    FeatureTrack,
    GridNotes,
    Key,
    KeySpans,
    Notes,
    Parts,
    Record,
    Scenes,
    to_json,
)


def register(app: typer.Typer) -> None:
    app.command()(show)


def show(
    entry_id: Annotated[str, typer.Argument(metavar="ENTRY", help="Identifier of the entry.")],
    dataset: options.InDataset = None,
    root: options.Root = None,
    out: Annotated[
        Path | None, typer.Option(help="Draw its piano roll and contact sheet into this folder.")
    ] = None,
    overwrite: options.Overwrite = False,
    as_json: options.AsJson = False,
) -> None:
    """Show what was made of an entry; --out draws it, --json prints every record in full."""
    store = options.settings(root).open_store(read_only=True)
    entry = questions.find_entry(store, entry_id, dataset)
    records = questions.records_of(store, entry)
    if as_json:
        full = {name: to_json(record) for name, record in records.items()}
        sys.stdout.write(json.dumps(full) + "\n")
    else:
        say(f"{entry.entry_id} ({entry.dataset}), song {entry.song_id}", style="bold")
        say(f"music {entry.music.url}, video {entry.video.url}")
        for name, record in records.items():
            say(f"{name:>18}  {describe(record)}")
    if out:
        from symmv_builder.datasets.pictures import draw_entry

        for path in draw_entry(store.root, entry, records, out, overwrite=overwrite):
            note(f"wrote {path}")


def describe(record: Record) -> str:
    """A record in one line."""
    match record:
        case Asset():
            return _asset(record)
        case Parts():
            melody = int(record.is_melody.sum())
            return f"{melody} melody notes, {len(record.is_melody) - melody} accompaniment"
        case Notes() | GridNotes():
            return _notes(record)
        case Beats():
            bars = int((record.positions == 1).sum())
            return f"{len(record.times_s)} beats, {bars} bars, {record.tempo_bpm:.1f} to the minute"
        case Chords():
            return f"{len(record.labels)} spans, {len(set(record.labels))} different: " + " ".join(
                record.labels[:12]
            )
        case Key():
            return f"{record} (r = {record.correlation:.3f})"
        case KeySpans():
            names = zip(record.starts_s, record.tonics, record.modes, strict=True)
            return f"{len(record.modes)} from " + ", ".join(
                f"{start:.2f} {Key(tonic, mode, 0.0)}" for start, tonic, mode in names
            )
        case FeatureTrack():
            values = record.values
            mean: Any = values.mean() if values.size else 0.0
            rows, width = values.shape
            return f"{rows} x {width} at {1 / record.hop_s:.4g} Hz, mean {mean:.4g}"
        case Scenes():
            return f"{len(record.starts_s)} shots from " + " ".join(
                f"{start:.2f}" for start in record.starts_s[:12]
            )
    return ", ".join(f"{name} {value}" for name, value in to_json(record).items())


def _asset(record: Asset) -> str:
    text = f"{record.duration_s:.2f} s, {record.container}, {record.size_bytes / 1e6:.1f} MB"
    if record.video_codec:
        text += f", {record.video_codec} {record.width}x{record.height}"
        text += f" at {record.frame_rate_hz:.3g} Hz"
    if record.audio_codec:
        text += f", {record.audio_codec} {record.audio_rate_hz} Hz"
    return text


def _notes(record: Notes | GridNotes) -> str:
    if not len(record.pitches):
        return "no notes"
    return (
        f"{len(record.pitches)} notes, pitch {record.pitches.min()}-{record.pitches.max()}, "
        f"velocity {record.velocities.min()}-{record.velocities.max()}, "
        f"to {record.ends_s.max():.1f} s"
    )
