"""The pieces of a folder as one page: `symmv gallery`."""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from symmv_builder.datasets.gallery import PieceFiles, by_video, draw_comparison, find_pieces
from symmv_builder.errors import MalformedFile, NoSuchPath
from symmv_builder.report.gallery_page import PieceCard, VideoGroup, render
from symmv_builder.report.markup import PageMedia
from symmv_builder.storage.outputs import (
    check_outputs,
    finish_set,
    is_made,
    replacing_set,
    write_receipt,
)

__all__ = ["Gallery"]

NAME = "gallery"
_METRICS = {"sc": "SC", "pe": "PE", "pce": "PCE", "ebr": "EBR", "ioi": "IOI"}
Note = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Gallery:
    """The files that were written, the page first, and the numbers of pieces and of videos."""

    files: list[Path]
    pieces: int
    videos: int

    @property
    def page(self) -> Path:
        return self.files[0]


def gallery(folder: str | Path, *, overwrite: bool = False, note: Note = lambda _: None) -> Gallery:
    """Write ``gallery.html`` into a folder of generated pieces, of any depth.

    Pieces stand by the video that they were written for, with player, picture, model and the
    measures of music (`evaluation.music`). Of several for one video a picture shows them one below
    the other (``gallery-N.png``), where matplotlib is installed; `note` is told where it is not.
    Links are relative, so the folder can be moved. `StopRun` where the folder holds no piece or a
    file of somebody else would be replaced.
    """
    place = Path(folder)
    if not place.is_dir():
        raise NoSuchPath(place, "folder")
    page, receipt = place / f"{NAME}.html", place / f"{NAME}.json"
    check_outputs([page, receipt], overwrite=True)
    finish_set(place, NAME, overwrite=overwrite)
    check_outputs([page, receipt], overwrite=overwrite, is_ours=is_made(receipt))
    pieces, left_out = find_pieces(place)
    if not pieces:
        problem = "it holds no generated piece, NAME.json with NAME.mid beside it"
        raise MalformedFile(place, f"{problem}; give the folder that pieces were written to")
    can_draw = importlib.util.find_spec("matplotlib") is not None
    if not can_draw:
        note("pieces are not drawn side by side: matplotlib is not installed")
    with replacing_set(place, NAME, overwrite=overwrite) as staging:
        groups = []
        for number, (video, video_pieces) in enumerate(by_video(pieces)):
            comparison = None
            readable = [each for each in video_pieces if each.piece is not None]
            if can_draw and len(readable) > 1:
                note(f"drawing {len(readable)} pieces for {video}")
                name = f"{NAME}-{number}.png"
                draw_comparison(readable, video, staging / name)
                comparison = PageMedia(place / name, f"{len(readable)} pieces for {video}")
            groups.append(VideoGroup(video, [_card(each) for each in video_pieces], comparison))
        html = render(place.resolve().name, groups, left_out, place)
        (staging / page.name).write_text(html, encoding="utf-8")
        facts: dict[str, object] = {"pieces": len(pieces), "videos": len(groups)}
        write_receipt(staging, NAME, facts)
        names = sorted(path.name for path in staging.iterdir())
    first = [page.name, *(name for name in names if name != page.name)]
    return Gallery([place / name for name in first], len(pieces), len(groups))


def _card(files: PieceFiles) -> PieceCard:
    media = []
    for kind in ("mp4", "wav"):
        if kind in files.files:
            media.append(PageMedia(files.files[kind], files.files[kind].name))
            break
    if "png" in files.files:
        what = "Frames, cuts, chords" if "mp4" in files.files else "Chords"
        media.append(PageMedia(files.files["png"], f"{what}, notes, loudness"))
    metrics = {
        _METRICS[name]: f"{value:.3f}" for name, value in files.metrics.items() if value == value
    }
    return PieceCard(files.name, _facts(files), media, metrics, files.problem)


def _facts(files: PieceFiles) -> Mapping[str, str]:
    facts: dict[str, Any] = {"model": files.model}
    for key, title in (("variant", "variant"), ("key", "key"), ("seed", "seed")):
        if files.facts.get(key) not in (None, ""):
            facts[title] = files.facts[key]
    if files.piece is not None:
        facts["length"] = f"{files.piece.seconds:.1f} s"
        facts["notes"] = len(files.piece.notes.pitches)
    if isinstance(tempo := files.facts.get("tempo_bpm"), int | float):
        facts["tempo"] = f"{tempo:.0f} to the minute"
    if isinstance(untrained := files.facts.get("untrained"), list) and untrained:
        facts["UNTRAINED"] = ", ".join(map(str, untrained))
    return {name: str(value) for name, value in facts.items()}
