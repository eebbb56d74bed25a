"""Generated pieces in a folder, read back from their files: notes, facts, measures, pictures.

The files may be anybody's: a name from a JSON file is never a path but that of a file beside it,
MIDI and media are read by readers with limits, and what cannot be read is said on its card.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from symmv_builder.backends.pyav import read_sound
from symmv_builder.datasets.pictures import pictures_at
from symmv_builder.datasets.piece_files import loudness_of, piece_of, shown_of
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.evaluation.music import score_song
from symmv_builder.files import Folder, read_json
from symmv_builder.report.piece_picture import Shown, draw_pieces, frame_times
from symmv_builder.training.composing import Piece

_RATE_HZ = 16000


@dataclass(frozen=True, slots=True)
class PieceFiles:
    """A piece that lies in a folder: its files by kind, what its JSON says, and its measures.

    Its `name` is its place in the folder: pieces of several models may have one file name.
    `piece` is `None` where its MIDI cannot be read; `problem` says so.
    """

    name: str
    folder: Path
    facts: Mapping[str, Any]
    files: Mapping[str, Path]
    piece: Piece | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    problem: str = ""

    @property
    def video(self) -> str:
        """What the video is called that it was written for; its own name where nothing says it."""
        return str(self.facts.get("video", Path(self.name).name))

    @property
    def model(self) -> str:
        """What wrote it: the run, or the kind of model."""
        return str(self.facts.get("run") or self.facts.get("model") or "not known")


def find_pieces(folder: Path) -> tuple[list[PieceFiles], list[str]]:
    """Find the pieces below a folder, by video then place; gives also what was left out.

    A piece is a JSON file that names files beside it, its MIDI among them, as those of a
    composer are written.
    """
    listing = Folder(folder)
    present = set(listing.files())
    pieces = []
    for path in sorted(present):
        if path.suffix == ".json" and (piece := _read(path, folder, present)):
            pieces.append(piece)
    pieces.sort(key=lambda each: (each.video, str(each.folder), each.name))
    return pieces, listing.left_out


def _read(path: Path, folder: Path, present: set[Path]) -> PieceFiles | None:
    try:
        facts = read_json(path)
    except StopRun:
        return None
    named = facts.get("files") if isinstance(facts, dict) else None
    if not isinstance(named, dict):
        return None
    files = {
        kind: place
        for kind in ("mid", "wav", "mp4", "png")
        if (place := path.with_suffix(f".{kind}")) in present and place.name in named
    }
    if "mid" not in files:
        return None
    name = path.relative_to(folder).with_suffix("").as_posix()
    result = PieceFiles(name, path.parent, facts, files)
    try:
        piece = piece_of(path.stem, facts, files["mid"])
    except (RejectEntry, ValueError, TypeError) as error:
        return replace(result, problem=f"its notes cannot be read: {error}")
    notes = piece.notes
    scores = score_song(notes.starts_s, notes.ends_s, notes.pitches, end_s=piece.seconds)
    return replace(result, piece=piece, metrics=dict(scores))


def by_video(pieces: list[PieceFiles]) -> Iterator[tuple[str, list[PieceFiles]]]:
    """Pieces of one video together."""
    groups: dict[str, list[PieceFiles]] = {}
    for each in pieces:
        groups.setdefault(each.video, []).append(each)
    yield from groups.items()


def draw_comparison(pieces: list[PieceFiles], title: str, path: Path) -> None:
    """Several pieces for one video under its frames and cuts; `ValueError` without a readable one.

    Frames are those of the first piece that has a video.
    """
    readable = [each for each in pieces if each.piece is not None]
    seconds = max((each.piece.seconds for each in readable if each.piece), default=0.0)
    frames: list[Any] = []
    for each in readable:
        if "mp4" in each.files:
            try:
                frames = pictures_at(each.files["mp4"], frame_times(seconds))
            except RejectEntry:
                continue
            break
    cuts: Any = next((each.facts["cuts_s"] for each in readable if "cuts_s" in each.facts), None)
    if isinstance(cuts, list):
        cuts = [float(cut) for cut in cuts if isinstance(cut, int | float) and 0 <= cut < seconds]
    draw_pieces(
        path,
        [_shown(each) for each in readable],
        title=title,
        seconds=seconds,
        frames=frames,
        cuts_s=cuts if isinstance(cuts, list) else None,
    )


def _shown(files: PieceFiles) -> Shown:
    if files.piece is None:
        raise ValueError(f"{files.name} has no notes to show")
    loudness = None
    if "wav" in files.files:
        try:
            sound = read_sound(files.files["wav"], rate_hz=_RATE_HZ, mono=True)
            loudness = loudness_of(sound.samples, _RATE_HZ)
        except RejectEntry:
            loudness = None
    try:
        shown = shown_of(files.piece)
    except (ValueError, TypeError):
        # Chords of somebody else's JSON that are none.
        shown = shown_of(replace(files.piece, facts={}))
    return replace(shown, title=f"{files.model}: {files.name}", loudness=loudness)
