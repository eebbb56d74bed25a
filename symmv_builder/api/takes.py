"""Pieces that people order in a browser: a folder of projects, each a video with its takes.

A folder has one folder a person (`owner`), in it one a project: the video, and a folder for every
take with what was ordered (``take.json``), how far it is (``progress.json``), and its files. Names
of folders are drawn here; what a person calls a video is text in a JSON file and never a path.
Whoever asks for a project says whose it is: that of another person is not there for him.

All changes are renames of whole files, so that a server that is killed leaves nothing half.
"""

import json
import re
import secrets
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from symmv_builder.crawl.links import is_link, source_of
from symmv_builder.datasets.piece_files import read_piece, shown_of
from symmv_builder.errors import NotFound, RejectEntry, SiteNotCrawled, StopRun, WrongSetting
from symmv_builder.records import Record, Scenes
from symmv_builder.storage.outputs import replacing_file
from symmv_builder.text import harmless

__all__ = ["KINDS", "Project", "Take", "Takes", "Wishes"]

State = Literal["waiting", "running", "done", "failed", "stopped"]

# What of a take can be fetched, with what a browser may take it for.
KINDS = {
    "mp4": "video/mp4",
    "wav": "audio/wav",
    "mid": "audio/midi",
    "musicxml": "application/vnd.recordare.musicxml+xml",
}
LONGEST_TITLE = 120
MOST_TAKES, MOST_PROJECTS, MOST_WAITING = 50, 100, 10
# A person who needs no token: whoever sits at this machine.
LOCAL = "local"
_GIGABYTE = 2**30
_OWNER = re.compile(r"local|[0-9a-f]{16}")
_NAME = re.compile(r"[0-9a-f]{16}")
_VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Wishes:
    """An order of a take: a model's name (empty: the package's own), and what it is asked.

    `options` are those of its trainer; `soundfont` names a file of the server's folder of them.
    With a `passage`, take number and two seconds, that part of an earlier take is written anew.
    """

    model: str = ""
    key: str = ""
    primer: str = ""
    seed: int = 0
    temperature: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    soundfont: str = ""
    passage: tuple[int, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Take:
    """A take by its number: what was ordered, its `state`, and a `line` on how it ended.

    `share` (0-1) and `doing` say how far it is while it is running; `folder` holds its files.
    """

    number: int
    wishes: Wishes
    state: State
    line: str
    ordered_s: float
    folder: Path = field(repr=False)
    share: float = 0.0
    doing: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it waits or is running."""
        return self.state in ("waiting", "running")

    @property
    def receipt(self) -> Path:
        """The JSON of its piece."""
        return self.folder / "out" / f"{_VIDEO}.json"

    def file(self, kind: str) -> Path | None:
        """Find the file of one of `KINDS`, where the take has it."""
        path = self.receipt.with_suffix(f".{kind}")
        return path if kind in KINDS and path.is_file() else None

    def records(self) -> dict[str, Record]:
        """Read notes, chords, beats and shots as a time line shows them.

        `StopRun` where none are.
        """
        piece = read_piece(self.receipt)
        shown = shown_of(piece)
        records: dict[str, Record] = {"notes": piece.notes}
        named = {"parts": shown.parts, "beats": shown.beats, "chords": shown.chords}
        records |= {name: record for name, record in named.items() if record is not None}
        if "cuts_s" not in piece.facts:
            return records
        cuts = np.array([c for c in piece.facts["cuts_s"] if 0 < c < piece.seconds])
        starts = np.concatenate(([0.0], cuts))
        ends = np.append(cuts, piece.seconds)
        return records | {"scenes": Scenes(starts, ends, np.arange(len(starts)))}

    def facts(self) -> dict[str, Any]:
        """Read what the take's JSON says; empty where it is not done."""
        return _read(self.receipt)


@dataclass(frozen=True, slots=True)
class Project:
    """A video, in a file or behind a `link`, with its takes in order of their numbers."""

    owner: str
    name: str
    title: str
    link: str
    made_s: float
    takes: tuple[Take, ...]
    folder: Path = field(repr=False)

    @property
    def video(self) -> Path:
        """The video's file; not there until that of a link was fetched."""
        return self.folder / _VIDEO

    def take(self, number: int) -> Take:
        """Find the take of a number; `StopRun` where there is none."""
        for each in self.takes:
            if each.number == number:
                return each
        raise NotFound("take", str(number), self.title)


class Takes:
    """The folder of all projects, at most `most_bytes` large."""

    def __init__(self, folder: Path, most_bytes: int = 20 * _GIGABYTE) -> None:
        self.folder, self.most_bytes = folder, most_bytes

    def used_bytes(self) -> int:
        """Sum the bytes of the files of all projects."""
        sizes = 0
        for path in self.folder.rglob("*"):
            try:
                sizes += path.stat().st_size if path.is_file() and not path.is_symlink() else 0
            except OSError:
                # Deleted meanwhile.
                continue
        return sizes

    def check_room(self, more_bytes: int = 0) -> None:
        """Raise `StopRun` where so many bytes more are more than there may be."""
        if self.used_bytes() + more_bytes > self.most_bytes:
            limit = f"{self.most_bytes / _GIGABYTE:g} GB"
            raise StopRun(f"there is no room: all takes may use {limit}; delete some of yours")

    def projects(self, owner: str) -> list[Project]:
        """List the projects of a person, the newest first."""
        folders = self._person(owner).glob("*/project.json")
        projects = [self._project(owner, path.parent) for path in folders]
        return sorted(filter(None, projects), key=lambda each: -each.made_s)

    def project(self, owner: str, name: str) -> Project:
        """Find a project of a person; `StopRun` where this person has none of that name."""
        folder = self._person(owner) / name
        project = self._project(owner, folder) if _NAME.fullmatch(name) else None
        if project is None:
            raise NotFound("project", name, "your takes")
        return project

    @contextmanager
    def receiving(self, owner: str) -> Iterator[Path]:
        """Give a file in a folder of its own to write a video to; it goes unless `keep` took it."""
        person = self._person(owner)
        if len(self.projects(owner)) >= MOST_PROJECTS:
            raise StopRun(f"these are {MOST_PROJECTS} projects; delete some first")
        person.mkdir(parents=True, exist_ok=True)
        folder = person / f".part-{secrets.token_hex(8)}"
        folder.mkdir()
        try:
            yield folder / _VIDEO
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def keep(self, owner: str, video: Path, title: str) -> Project:
        """Make a project of a video that was received; `StopRun` for an empty file."""
        if not video.is_file() or not video.stat().st_size:
            raise StopRun("choose a video, or give a link to one")
        return self._make_project(owner, video.parent, title=title or "a video", link="")

    def linked(self, owner: str, link: str, sites: Sequence[str]) -> Project:
        """Make a project of a link, which is fetched when its first take is written.

        `StopRun` where it is none that the crawl may follow, or not of one of the `sites`.
        """
        if not is_link(link):
            raise WrongSetting("link", harmless(link, LONGEST_TITLE), "give the page of a video")
        source = source_of(link)
        if source.site not in sites:
            raise SiteNotCrawled(source.url, sites)
        address = source.url
        with self.receiving(owner) as video:
            return self._make_project(owner, video.parent, title=address, link=address)

    def order(self, project: Project, wishes: Wishes) -> Take:
        """Add a take that waits for its turn; `StopRun` where too many do, or there is no room."""
        waiting = sum(t.is_open for p in self.projects(project.owner) for t in p.takes)
        if waiting >= MOST_WAITING:
            raise StopRun(f"{waiting} of your takes wait already; wait for them, or stop some")
        if len(project.takes) >= MOST_TAKES:
            raise StopRun(f"a project has {MOST_TAKES} takes at most; delete some of them")
        self.check_room()
        # Folders count, too, whose take cannot be read any more.
        numbers = (
            int(each.name) for each in project.folder.glob("[0-9]*") if each.name.isdecimal()
        )
        number = max(numbers, default=0) + 1
        folder = project.folder / str(number)
        folder.mkdir()
        take = Take(number, wishes, "waiting", "", time.time(), folder)
        write_state(take)
        return take

    def delete(self, project: Project, number: int | None = None) -> None:
        """Remove a project, or one take of it; `StopRun` while it is being written."""
        takes = project.takes if number is None else [project.take(number)]
        if any(take.state == "running" for take in takes):
            raise StopRun("it is being written: stop it first")
        folder = project.folder if number is None else project.take(number).folder
        gone = folder.with_name(f".gone-{secrets.token_hex(8)}")
        folder.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def waiting(self) -> list[tuple[Project, Take]]:
        """List what waits or is said to be running, whoever ordered it, in the order of that."""
        people = [each.name for each in self.folder.glob("*") if _OWNER.fullmatch(each.name)]
        queue = [
            (project, take)
            for owner in people
            for project in self.projects(owner)
            for take in project.takes
            if take.is_open
        ]
        return sorted(queue, key=lambda each: each[1].ordered_s)

    def clear(self) -> None:
        """Remove what uploads and deletions of a killed server left."""
        for path in [*self.folder.glob("*/.part-*"), *self.folder.glob("**/.gone-*")]:
            shutil.rmtree(path, ignore_errors=True)

    def _person(self, owner: str) -> Path:
        if not _OWNER.fullmatch(owner):
            raise ValueError(f"{owner!r} is no owner")
        return self.folder / owner

    def _make_project(self, owner: str, folder: Path, *, title: str, link: str) -> Project:
        name = secrets.token_hex(8)
        about = {"title": harmless(title, LONGEST_TITLE), "link": link, "made_s": time.time()}
        _write(folder / "project.json", about)
        folder.rename(self._person(owner) / name)
        return self.project(owner, name)

    def _project(self, owner: str, folder: Path) -> Project | None:
        about = _read(folder / "project.json")
        made_s = about.get("made_s")
        if not isinstance(made_s, int | float) or folder.is_symlink():
            return None
        takes = [take for each in folder.glob("*/take.json") if (take := read_take(each.parent))]
        return Project(
            owner,
            folder.name,
            str(about.get("title", "")),
            str(about.get("link", "")),
            float(made_s),
            tuple(sorted(takes, key=lambda take: take.number)),
            folder,
        )


def read_take(folder: Path) -> Take | None:
    """Read a take from its folder; `None` where it is none, or was deleted."""
    fields = _read(folder / "take.json")
    try:
        wishes = dict(fields["wishes"])
        passage = wishes.pop("passage")
        take = Take(
            int(folder.name),
            Wishes(**wishes, passage=tuple(passage) if passage else None),
            fields["state"] if fields["state"] in get_args(State) else "failed",
            str(fields["line"]),
            float(fields["ordered_s"]),
            folder,
        )
    except (LookupError, TypeError, ValueError):
        return None
    if take.state != "running":
        return take
    progress = _read(folder / "progress.json")
    return replace(
        take, share=float(progress.get("share", 0.0)), doing=str(progress.get("doing", ""))
    )


def write_state(take: Take) -> None:
    """Store a take as it is."""
    fields = {
        "wishes": asdict(take.wishes),
        "state": take.state,
        "line": take.line,
        "ordered_s": take.ordered_s,
    }
    _write(take.folder / "take.json", fields)


def _write(path: Path, value: Mapping[str, Any]) -> None:
    with replacing_file(path) as temporary:
        temporary.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    """Read a JSON object of ours; empty where it is not there or none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def reason_of(error: RejectEntry | StopRun, project: Project) -> str:
    """Tell a person what went wrong: one line, without the places of this machine."""
    line = str(error).replace(str(project.video), "the video")
    return harmless(line.replace(str(project.folder.parents[1]), "the takes"), 500)
