"""Music for videos by a trained model, as MIDI, WAV, the video with its new sound, and JSON."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from symmv_builder.datasets import composing
from symmv_builder.datasets.composing import Order
from symmv_builder.datasets.evaluate import ALL_SPLITS
from symmv_builder.datasets.pieces import Piece, check_piece, write_piece
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage.root import Root

__all__ = ["Order", "Piece", "Videos", "Written", "generate"]

Refuse = Callable[[Path, RejectEntry], None]
Tell = Callable[[int, int, str], None]


def generate(
    videos: str | Path | Sequence[str | Path],
    model: str | Path,
    out: str | Path = "generated",
    *,
    regressor: str | Path | None = None,
    soundfont: str | Path | None = None,
    overwrite: bool = False,
    clip: str = "",
    **order: Any,
) -> list[list[Path]]:
    """Write music for videos by a trained model: the files of each piece (MIDI, WAV, MP4, JSON).

    `order` is what `datasets.composing.Order` holds: ``key``, ``primer``, ``seed``, ``count``,
    ``seconds``, ``temperature`` and so on. `StopRun` where the model or the order does not fit,
    `RejectEntry` for the first video that cannot be read: none is written then.
    """
    given = [videos] if isinstance(videos, str | Path) else list(videos)

    def refuse(path: Path, error: RejectEntry) -> None:
        raise RejectEntry(error.reason, f"{path}: {error.detail}") from error

    written = write(
        Videos(tuple(Path(path) for path in given)),
        Path(model),
        Order(**order),
        Path(out),
        read_settings(),
        regressor=Path(regressor) if regressor else None,
        soundfont=Path(soundfont) if soundfont else None,
        overwrite=overwrite,
        clip=clip,
        refuse=refuse,
    )
    return [each.files for each in written]


@dataclass(frozen=True, slots=True)
class Videos:
    """For what music is written: videos in files, or rows of a dataset, by entry or split.

    The split ``all`` is every one.
    """

    files: tuple[Path, ...] = ()
    dataset: str | None = None
    entries: tuple[str, ...] = ()
    split: str | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A piece with the files that were written of it, its score first, and its video if any."""

    piece: Piece
    files: list[Path]
    video: Path | None

    @property
    def notes(self) -> int:
        """How many notes it has."""
        return int(sum(self.piece.facts["notes"].values()))


def write(
    videos: Videos,
    model: Path,
    order: Order,
    out: Path,
    settings: Settings,
    *,
    regressor: Path | None = None,
    soundfont: Path | None = None,
    overwrite: bool = False,
    clip: str = "",
    refuse: Refuse,
    note: Callable[[str], object] = lambda _: None,
    tell: Tell = lambda done, of, what: None,
) -> Iterator[Written]:
    """Write the pieces that are ordered, one after another, as they are asked for.

    A video that cannot be read goes to `refuse`, and the others go on. `note` is told of models
    with random weights behind what the model learned from. `StopRun` where videos, model and order
    do not fit each other, and where a file of somebody else would be replaced: then nothing is
    written.
    """
    check(videos, order)
    if soundfont and not soundfont.is_file():
        raise StopRun(f"{soundfont} is not a file")
    read = [*videos.files, *([soundfont] if soundfont else ())]
    place = _Place(out, read, overwrite)
    place.check({name: path for path in videos.files for name in _names(path, order)})
    composer = composing.open_composer(model, regressor, settings.home.device)
    composer.check(order)
    untrained = composing.untrained(composer)
    for name in untrained:
        note(
            f"this model learned from features of an UNTRAINED model ({name}): "
            "what it makes of a video has no meaning"
        )
    facts = {"run": str(model), "untrained": untrained}
    refused: list[Path] = []

    def refusing(path: Path, error: RejectEntry) -> None:
        refused.append(path)
        refuse(path, error)

    with ExitStack() as opened:
        seen: list[composing.Seen] = []
        if videos.files:
            choices = {"clip": clip} if clip else {}
            seen = composing.watch_files(
                videos.files, composer, settings.home, choices, refusing, tell
            )
        elif videos.dataset:
            root = Root(settings.root)
            split = None if videos.split == ALL_SPLITS else videos.split
            rows = composing.rows_seen(
                composer, root, videos.dataset, entries=videos.entries, split=split
            )
            seen = [opened.enter_context(composing.stored(root, each)) for each in rows]
        elif composer.needs_video:
            raise StopRun("this model writes music for videos: give one, or --from or --split")
        if refused and not seen:
            return
        paths = {
            order.name(each.name, number): each.path
            for each in seen or [composing.Seen("piece", {})]
            for number in range(order.count)
        }
        if not videos.files:
            place.check(paths)
        for piece in composer.compose(seen, order, tell):
            whole = replace(piece, facts=facts | dict(piece.facts))
            video = paths.get(whole.name)
            try:
                files = write_piece(
                    whole, out, video=video, soundfont=soundfont, overwrite=overwrite
                )
            except RejectEntry as error:
                refusing(video or out / whole.name, error)
                continue
            yield Written(whole, files, video)


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


def check(videos: Videos, order: Order) -> None:
    """`StopRun` where what is asked for contradicts itself."""
    _check_videos(videos)
    if order.temperature is not None and not 0 < order.temperature < math.inf:
        raise StopRun(f"a temperature of {order.temperature} draws nothing; it is above 0")
    if order.greedy and (order.top_k is not None or order.temperature is not None):
        raise StopRun("--greedy draws nothing: leave out --top-k and --temperature, or --greedy")
    if order.greedy and order.count > 1:
        raise StopRun(f"{order.count} greedy pieces would be the same one; leave out --count")
    names = Counter(name for path in videos.files for name in _names(path, order))
    for name, times in names.items():
        if times > 1:
            raise StopRun(
                f"two pieces would be called {name}; write these videos' to folders of their own"
            )


def _check_videos(videos: Videos) -> None:
    if (videos.entries or videos.split) and not videos.dataset:
        raise StopRun("--from and --split name rows: say of which dataset with --dataset")
    if videos.dataset and not (videos.entries or videos.split):
        raise StopRun("--dataset alone says no video; add --from ENTRY or --split SPLIT")
    if videos.entries and videos.split:
        raise StopRun("give --from or --split, not both")
    if videos.files and videos.dataset:
        raise StopRun("give videos or rows of a dataset, not both")
    if videos.files and not any(path.is_file() for path in videos.files):
        raise StopRun(f"{videos.files[0]} is not a file")


def _names(video: Path, order: Order) -> list[str]:
    """What the pieces for a video in a file are called."""
    name = composing.name_of(video)
    return [order.name(name, number) for number in range(order.count)]
