"""`symmv generate`: music for a video, by a trained model, as MIDI, WAV and the video with it."""

import math
import sys
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.datasets import composing
from symmv_builder.datasets.pieces import Piece, check_piece, write_piece
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.report.counting import Counting
from symmv_builder.storage.root import Root

# What torch and numpy take as a seed, signed, with room for --count.
_LAST_SEED = 2**63 - 1_000_001


class Style(StrEnum):
    """By whose rules AMT's chords become notes."""

    PAPER = "paper"
    RELEASED = "released"


def register(app: typer.Typer) -> None:
    app.command()(generate)


def generate(
    model: Annotated[
        Path, typer.Option(help="Folder of a run of `symmv train vmusprod` or `amt`.")
    ],
    videos: Annotated[
        list[Path] | None,
        typer.Argument(metavar="VIDEO...", help="Videos to write music for.", show_default=False),
    ] = None,
    regressor: Annotated[
        Path | None,
        typer.Option(help="For AMT: folder of a run of `symmv train regressor`."),
    ] = None,
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", help="The video of this entry of --dataset. May be repeated."),
    ] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Dataset whose rows are meant by --from and --split.")
    ] = None,
    split: Annotated[
        str | None, typer.Option(help="The videos of a whole split of --dataset.")
    ] = None,
    key: Annotated[str, typer.Option(help='Key of the music, as in "A minor".')] = "",
    primer: Annotated[
        str, typer.Option(help='Chords that the music begins with, as in "C Am F G".')
    ] = "",
    seed: Annotated[
        int, typer.Option(min=0, max=_LAST_SEED, help="Another seed is another piece.")
    ] = 0,
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="Pieces for each video.")] = 1,
    seconds: Annotated[
        float | None,
        typer.Option(
            min=1.0,
            max=3 * 3600.0,
            help="Length; by default the video's, or that of a song learned.",
        ),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option(help="Of sampling: below 1 is safer, above it bolder.")
    ] = None,
    greedy: Annotated[
        bool,
        typer.Option(
            "--greedy", help="Take the likeliest of what may follow: no chance, whatever the seed."
        ),
    ] = False,
    top_k: Annotated[
        int | None,
        typer.Option(min=1, help="Draw among the K likeliest of what may follow.", metavar="K"),
    ] = None,
    pattern: Annotated[
        int | None,
        typer.Option(min=1, max=5, help="For AMT without a regressor: the arpeggio, 1 to 5."),
    ] = None,
    style: Annotated[
        Style,
        typer.Option(help="For AMT: arpeggios and loudness as in the paper, or as in its code."),
    ] = Style.PAPER,
    soundfont: Annotated[
        Path | None, typer.Option(help="An .sf2 file to play with; its first program is used.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("generated"),
    overwrite: options.Overwrite = False,
    clip: options.Clip = None,
    root: options.Root = None,
) -> None:
    """Write music for videos: NAME.mid, NAME.wav, NAME.mp4 with the new sound, NAME.json.

    Without a video, a model that was trained without videos writes --count pieces. The files of
    a piece replace those of an earlier one, but nothing that was made or changed by others.
    """
    order = composing.Order(
        key, primer, seed, count, seconds, temperature, pattern, style.value, greedy, top_k
    )
    _check(videos, from_, dataset, split, order)
    _check_soundfont(soundfont)
    place = _Place(out, [*(videos or ()), *([soundfont] if soundfont else ())], overwrite)
    place.check({name: path for path in videos or () for name in _names(path, order)})
    settings = options.settings(root)
    composer = composing.open_composer(model, regressor, settings.home.device)
    composer.check(order)
    _say_untrained(composer)
    refused: list[Path] = []

    def refuse(path: Path, error: RejectEntry) -> None:
        refused.append(path)
        complain(f"{path}: {error}")

    with ExitStack() as open_, Counting() as counting:
        seen: list[composing.Seen] = []
        if videos:
            choices = options.choices(None, clip)
            seen = composing.watch_files(
                videos, composer, settings.home, choices, refuse, counting.tell
            )
        elif dataset:
            store = Root(settings.root)
            rows = composing.rows_seen(composer, store, dataset, entries=from_ or (), split=split)
            seen = [open_.enter_context(composing.stored(store, each)) for each in rows]
        elif composer.needs_video:
            raise StopRun("this model writes music for videos: give one, or --from or --split")
        if refused and not seen:
            raise typer.Exit(1)
        paths = {
            order.name(each.name, number): each.path
            for each in seen or [composing.Seen("piece", {})]
            for number in range(count)
        }
        if not videos:
            place.check(paths)
        for piece in composer.compose(seen, order, counting.tell):
            said = {"run": str(model), "untrained": composing.untrained(composer)}
            piece = replace(piece, facts=said | dict(piece.facts))
            video = paths.get(piece.name)
            try:
                written = place.write(piece, video, soundfont)
            except RejectEntry as error:
                refuse(video or out / piece.name, error)
                continue
            say(line_of(piece, written))
            sys.stdout.flush()
    if refused:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where pieces are written, and what was given that none of them may take the place of."""

    folder: Path
    read: list[Path]
    overwrite: bool

    def check(self, pieces: Mapping[str, Path | None]) -> None:
        """`StopRun` where a piece, named with its video, may not be written."""
        for name, video in pieces.items():
            check_piece(name, self.folder, video=video, inputs=self.read, overwrite=self.overwrite)

    def write(self, piece: Piece, video: Path | None, soundfont: Path | None) -> list[Path]:
        return write_piece(
            piece, self.folder, video=video, soundfont=soundfont, overwrite=self.overwrite
        )


def _check(
    videos: list[Path] | None,
    entries: list[str] | None,
    dataset: str | None,
    split: str | None,
    order: composing.Order,
) -> None:
    if (entries or split) and not dataset:
        raise StopRun("--from and --split name rows: say of which dataset with --dataset")
    if dataset and not (entries or split):
        raise StopRun("--dataset alone says no video; add --from ENTRY or --split SPLIT")
    if entries and split:
        raise StopRun("give --from or --split, not both")
    if videos and dataset:
        raise StopRun("give videos or rows of a dataset, not both")
    if videos and not any(path.is_file() for path in videos):
        raise StopRun(f"{videos[0]} is not a file")
    if order.temperature is not None and not 0 < order.temperature < math.inf:
        raise StopRun(f"a temperature of {order.temperature} draws nothing; it is above 0")
    if order.greedy and (order.top_k is not None or order.temperature is not None):
        raise StopRun("--greedy draws nothing: leave out --top-k and --temperature, or --greedy")
    if order.greedy and order.count > 1:
        raise StopRun(f"{order.count} greedy pieces would be the same one; leave out --count")
    names = Counter(name for path in videos or () for name in _names(path, order))
    for name, times in names.items():
        if times > 1:
            raise StopRun(
                f"two pieces would be called {name}; write these videos' to folders of their own"
            )


def _check_soundfont(path: Path | None) -> None:
    if path and not path.is_file():
        raise StopRun(f"{path} is not a file")


def _names(video: Path, order: composing.Order) -> list[str]:
    """What the pieces for a video in a file are called."""
    name = composing.name_of(video)
    return [order.name(name, number) for number in range(order.count)]


def _say_untrained(composer: composing.Composer) -> None:
    for name in composing.untrained(composer):
        sys.stderr.write(
            f"symmv: this model learned from features of an UNTRAINED model ({name}): "
            "what it makes of a video has no meaning\n"
        )


def line_of(piece: Piece, written: list[Path]) -> str:
    """What was made, in one line."""
    notes = sum(piece.facts["notes"].values())
    said = f" ({piece.facts['said']})" if "said" in piece.facts else ""
    names = " ".join(path.suffix[1:] for path in written)
    return (
        f"{written[0].with_suffix('')}: {piece.seconds:.1f} s, {notes} notes, "
        f"{piece.tempo_bpm:.0f} bpm; {names}{said}"
    )
