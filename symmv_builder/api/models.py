"""Models from Python: training on a dataset's shards, and music for videos."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from symmv_builder.api.texts import setting_text
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.settings import read_settings
from symmv_builder.storage.root import Root
from symmv_builder.training.runs import Outcome, Request, Tick, configure, start


def train(
    trainer: str,
    dataset: str,
    out: str | Path,
    *,
    preset: str = "paper",
    way: str = "",
    root: str | None = None,
    minutes: float | None = None,
    tell: Callable[[Tick], None] = lambda _: None,
    **settings: Any,
) -> Outcome:
    """Train to the end of a preset, or go on with the run that stopped in the folder `out`.

    `trainer` is ``vmusprod``, ``amt``, ``regressor`` or ``vmcp``; `way` is ``paper`` or
    ``released`` (`training.runs.configure`), `settings` change single fields. The device is that of
    ``SYMMV_DEVICE``. `StopRun` where trainer, dataset, a field or a checkpoint does not fit.
    """
    where = read_settings(root=root)
    texts = {name: setting_text(value) for name, value in settings.items()}
    request = Request(
        root=Root(where.root),
        dataset=dataset,
        out=Path(out),
        device=where.home.device,
        max_s=minutes * 60 if minutes else None,
        tell=tell,
    )
    return start(trainer, configure(trainer, preset, texts, way), request)


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
    from symmv_builder.datasets import composing
    from symmv_builder.datasets.pieces import check_piece, write_piece

    given = [videos] if isinstance(videos, str | Path) else list(videos)
    paths = [Path(path) for path in given]
    wanted = composing.Order(**order)
    names = [wanted.name(composing.name_of(p), n) for p in paths for n in range(wanted.count)]
    if len(set(names)) < len(names):
        raise StopRun("two pieces would have one name; write these videos' to folders of their own")
    folder, played = Path(out), Path(soundfont) if soundfont else None
    for path in paths:
        for number in range(wanted.count):
            name = wanted.name(composing.name_of(path), number)
            check_piece(name, folder, video=path, inputs=paths, overwrite=overwrite)
    home = read_settings().home
    composer = composing.open_composer(
        Path(model), Path(regressor) if regressor else None, home.device
    )
    composer.check(wanted)

    def refuse(path: Path, error: RejectEntry) -> None:
        raise RejectEntry(error.reason, f"{path}: {error.detail}") from error

    choices = {"clip": clip} if clip else {}
    seen = composing.watch_files(paths, composer, home, choices, refuse)
    files = {wanted.name(s.name, n): s.path for s in seen for n in range(wanted.count)}
    return [
        write_piece(
            piece, folder, video=files.get(piece.name), soundfont=played, overwrite=overwrite
        )
        for piece in composer.compose(seen, wanted, lambda done, of, what: None)
    ]
