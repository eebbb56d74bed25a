"""`symmv generate`: music for a video, by a trained model, as MIDI, WAV and the video with it."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.api.composers import composers, options_of_models
from symmv_builder.api.generating import Order, Videos, WrittenPiece, passage_of, write
from symmv_builder.cli import options
from symmv_builder.cli.declared import with_options
from symmv_builder.cli.saying import complain, remark, say
from symmv_builder.errors import RejectEntry
from symmv_builder.report.counting import Counting
from symmv_builder.text import amount

# What torch and numpy take as a seed, signed, with room for --count.
_LAST_SEED = 2**63 - 1_000_001


def register(app: typer.Typer) -> None:
    app.command()(with_options(generate, options_of_models(), "own"))


def generate(
    videos: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="VIDEO...",
            help="Videos to write music for: files, or links to pages of YouTube or Bilibili.",
            show_default=False,
        ),
    ] = None,
    model: Annotated[
        Path | None,
        typer.Option(
            help=f"Folder of a run of `symmv train {'` or `'.join(composers())}`; by default the "
            "starter model of this package."
        ),
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
    # Options of single trainers, as they declare them.
    own: Any = None,
    soundfont: Annotated[
        Path | None, typer.Option(help="An .sf2 file to play with; its first program is used.")
    ] = None,
    picture: Annotated[
        bool,
        typer.Option(
            "--picture/--no-picture",
            help="Draw notes, chords and loudness under frames and cuts: NAME.png.",
        ),
    ] = True,
    musicxml: Annotated[
        bool, typer.Option("--musicxml", help="Write the score, too: NAME.musicxml.")
    ] = False,
    piece: Annotated[
        Path | None,
        typer.Option(help="NAME.json of an earlier piece, of which --passage is written anew."),
    ] = None,
    passage: Annotated[
        tuple[float, float] | None,
        typer.Option(
            metavar="FROM TO",
            help="Seconds of --piece that are written anew; all else stays note for note.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder to write to.")] = Path("generated"),
    overwrite: options.Overwrite = False,
    clip: options.WatchingClip = None,
    root: options.Root = None,
) -> None:
    """Write music for videos: NAME.mid, NAME.wav, NAME.mp4 with the new sound, NAME.json.

    NAME.png shows the notes under the video. Without --model the starter model of this package
    writes: see its line of output. Without a video, a model that was trained without videos writes
    --count pieces. The files of a piece replace those of an earlier one, but nothing that was made
    or changed by others.
    """
    again = passage_of(piece, passage)
    order = Order(key, primer, seed, count, seconds, temperature, greedy, top_k, again)
    refused: list[object] = []

    def refuse(video: object, error: RejectEntry) -> None:
        refused.append(video)
        complain(f"{video}: {error}")

    with Counting(percent=True) as counting:
        for composition in write(
            Videos.of(videos or (), dataset=dataset, entries=tuple(from_ or ()), split=split),
            model,
            order,
            out,
            options.settings(root),
            options=own,
            soundfont=soundfont,
            picture=picture,
            musicxml=musicxml,
            overwrite=overwrite,
            clip=clip or "",
            refuse=refuse,
            note=remark,
            tell=counting.tell,
        ):
            say(line_of(composition))
            sys.stdout.flush()
    if refused:
        raise typer.Exit(1)


def line_of(composition: WrittenPiece) -> str:
    """Say in one line what was made."""
    piece, files = composition.piece, composition.files
    note = f" ({piece.facts['said']})" if "said" in piece.facts else ""
    names = " ".join(path.suffix[1:] for path in files)
    return (
        f"{files[0].with_suffix('')}: {piece.seconds:.1f} s, {amount(composition.notes, 'note')}, "
        f"{piece.tempo_bpm:.0f} bpm; {names}{note}"
    )
