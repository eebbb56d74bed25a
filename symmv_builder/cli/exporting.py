"""`symmv export`: a dataset out of the store, in a paper's own layout or with its recordings."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from symmv_builder.api.option_names import option_of
from symmv_builder.api.options import HELP, PATIENCE_S, size_bytes
from symmv_builder.api.texts import left_out
from symmv_builder.cli import options
from symmv_builder.cli.saying import say
from symmv_builder.errors import UnknownName
from symmv_builder.report.progress import Progress
from symmv_builder.settings import Settings
from symmv_builder.text import amount

if TYPE_CHECKING:
    from symmv_builder.api.publishing import Exported

Format = Annotated[str | None, typer.Option("--format", help=HELP["format"], show_default=False)]
Sound = Annotated[str | None, typer.Option(help=HELP["sound"], show_default=False)]
SoundOf = Annotated[str | None, typer.Option(help=HELP["sound-of"], show_default=False)]
Video = Annotated[str | None, typer.Option(help=HELP["video"], show_default=False)]
SoundRate = Annotated[int | None, typer.Option(help=HELP["sound-rate"], show_default=False)]
Mono = Annotated[bool, typer.Option("--mono", help=HELP["mono"])]
FrameRate = Annotated[float | None, typer.Option(help=HELP["frame-rate"], show_default=False)]
FrameSide = Annotated[int | None, typer.Option(help=HELP["frame-side"], show_default=False)]
Splits = Annotated[list[str] | None, typer.Option("--split", help=HELP["split"], metavar="SPLIT")]
Subset = Annotated[str | None, typer.Option(help=HELP["subset"], show_default=False)]
ShardMb = Annotated[
    int | None,
    typer.Option(
        callback=options.checking("shard-mb"), help=HELP["export-shard-mb"], show_default=False
    ),
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say how much would be written, and write nothing.")
]

MediaUrl = Annotated[str | None, typer.Option(help=HELP["media-url"], show_default=False)]


def register(app: typer.Typer) -> None:
    app.command()(export)


def export(
    dataset: options.Dataset,
    out: Annotated[Path, typer.Argument(help="Folder to write to; made where it is missing.")],
    format_: Format = None,
    sound: Sound = None,
    sound_of: SoundOf = None,
    video: Video = None,
    sound_rate: SoundRate = None,
    mono: Mono = False,
    frame_rate: FrameRate = None,
    frame_side: FrameSide = None,
    split: Splits = None,
    subset: Subset = None,
    shard_mb: ShardMb = None,
    dry_run: DryRun = False,
    media_url: MediaUrl = None,
    workers: options.Workers = None,
    patience: options.Patience = PATIENCE_S,
    root: options.Root = None,
) -> None:
    """Write a built dataset out of the store: its paper's own layout, or samples with recordings.

    With --format each row becomes a sample with its sound, its video or frames, and all columns.
    The folder is empty or of the same export: what was interrupted goes on, and of a dataset that
    has changed only the shards around a change are made.
    """
    from symmv_builder.api import media

    if format_ in _WITH_ANNOTATIONS:
        _WITH_ANNOTATIONS[format_](options.settings(root), dataset, out, media_url)
        return
    if format_ is not None and format_ not in media.FORMATS:
        raise UnknownName("format", format_, (*media.FORMATS, *_WITH_ANNOTATIONS))
    choices = media.choose_media(
        format_,
        sound=sound,
        sound_of=sound_of,
        video=video,
        sound_rate_hz=sound_rate,
        mono=mono or None,
        frame_rate_hz=frame_rate,
        frame_side=frame_side,
        splits=tuple(split or ()),
        subset=subset,
        shard_bytes=size_bytes(shard_mb),
        dry_run=dry_run or None if format_ is None else None,
    )
    settings = options.settings(root)
    reasons: Mapping[str, str]
    if choices is None:
        reasons = _layout(settings, dataset, out)
    elif dry_run:
        with Progress([]) as progress:
            expected = media.estimate(settings, dataset, out, choices, tell=progress.on_event)
        say(f"{dataset}: {expected}")
        say(f"weighed: {amount(expected.measured, 'sample')}; the rest follows from their lengths")
        reasons = expected.left_out
    else:
        with Progress([]) as progress:
            summary = media.export(
                settings,
                dataset,
                out,
                choices,
                workers=workers or 0,
                patience_s=patience,
                tell=progress.on_event,
            )
        splits = ", ".join(f"{name} {count}" for name, count in summary.samples.items() if count)
        say(
            f"{amount(sum(summary.samples.values()), 'sample')} of {dataset} in {out} ({splits}), "
            f"{summary.size_bytes / 2**20:.1f} MiB: {amount(summary.shards_made, 'shard')} written"
            f", {summary.shards_kept} unchanged"
        )
        reasons = summary.left_out
    if reasons:
        sys.stderr.write(f"symmv: {left_out(dataset, reasons)}\n")


def words_of(exported: "Exported") -> list[str]:
    """The options that make an export again as it was made."""
    words = ["--format", exported.format] if exported.format else []
    for name, value in exported.choices.items():
        option = option_of(name)
        if name == "shard_bytes":
            words += [option, str(max(1, value // 2**20))]
        elif value is True:
            words.append(option)
        else:
            for each in value if isinstance(value, list) else [value]:
                words += [option, str(each)]
    return words


def _jams(settings: Settings, dataset: str, out: Path, media_url: str | None) -> None:
    from symmv_builder.api import jams

    files = jams.export(settings, dataset, out)
    say(f"{amount(len(files), 'entry')} of {dataset} in {out}, a JAMS file each")


def _label_studio(settings: Settings, dataset: str, out: Path, media_url: str | None) -> None:
    from symmv_builder.api import label_studio

    address = media_url or label_studio.LOCAL_FILES
    for path in label_studio.export(settings, dataset, out, address=address):
        say(str(path))


def _fiftyone(settings: Settings, dataset: str, out: Path, media_url: str | None) -> None:
    from symmv_builder.api import fiftyone

    with Progress([]) as progress:
        written = fiftyone.export(settings, dataset, out, tell=progress.on_event)
    samples, videos = amount(written.samples, "sample"), amount(written.copied, "video")
    say(f"{samples} of {dataset} in {out}, {videos} copied")
    if written.left_out:
        sys.stderr.write(f"symmv: {left_out(dataset, written.left_out)}\n")


# Formats whose samples are entries as people corrected them, by `--format`.
_WITH_ANNOTATIONS = {"jams": _jams, "label-studio": _label_studio, "fiftyone": _fiftyone}


def _layout(settings: Settings, dataset: str, out: Path) -> Mapping[str, str]:
    """Export the layout of the dataset's paper; gives the rows that could not be written."""
    from symmv_builder.api import publishing

    with Progress([]) as progress:
        summary = publishing.export(settings, dataset, out, tell=progress.on_event)
    say(
        f"{amount(summary.entries, 'entry')} of {dataset} in {out}: "
        f"{amount(summary.written, 'file')} written, "
        f"{summary.unchanged} unchanged, {summary.removed} removed"
    )
    return summary.left_out
