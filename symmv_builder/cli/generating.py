"""`symmv generate`: music for a video, by a trained model, as MIDI, WAV and the video with it."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder.api.generating import Order, Videos, Written, write
from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.errors import RejectEntry
from symmv_builder.report.counting import Counting

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
        str | None, typer.Option(help="The videos of a whole split of --dataset, or of `all`.")
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
    order = Order(
        key, primer, seed, count, seconds, temperature, pattern, style.value, greedy, top_k
    )
    refused: list[Path] = []

    def refuse(path: Path, error: RejectEntry) -> None:
        refused.append(path)
        complain(f"{path}: {error}")

    with Counting() as counting:
        for written in write(
            Videos(tuple(videos or ()), dataset, tuple(from_ or ()), split),
            model,
            order,
            out,
            options.settings(root),
            regressor=regressor,
            soundfont=soundfont,
            overwrite=overwrite,
            clip=clip or "",
            refuse=refuse,
            note=complain,
            tell=counting.tell,
        ):
            say(line_of(written))
            sys.stdout.flush()
    if refused:
        raise typer.Exit(1)


def line_of(written: Written) -> str:
    """What was made, in one line."""
    piece, files = written.piece, written.files
    said = f" ({piece.facts['said']})" if "said" in piece.facts else ""
    names = " ".join(path.suffix[1:] for path in files)
    return (
        f"{files[0].with_suffix('')}: {piece.seconds:.1f} s, {written.notes} notes, "
        f"{piece.tempo_bpm:.0f} bpm; {names}{said}"
    )
