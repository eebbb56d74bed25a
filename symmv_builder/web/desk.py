"""What every page stands on: the settings, the folder of runs, and sound that was made already."""

import tempfile
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from symmv_builder.api import browsing, questions, runs
from symmv_builder.api.composers import about_model
from symmv_builder.api.study import Store
from symmv_builder.api.take_writer import Studio, TakeWriter
from symmv_builder.api.takes import Takes
from symmv_builder.errors import StopRun
from symmv_builder.settings import Settings
from symmv_builder.web.guard import Access, Refused, Session, fields_of

_MOST_KEPT = 20
# So long a proposal that somebody was given is left to them, and so many are remembered.
_LOOKING_S = 300.0
_MOST_LOOKS = 1000


@dataclass
class Desk:
    """What all pages of a server share.

    The sound of notes is made one at a time, and kept in a folder that goes with the server.
    """

    settings: Settings
    access: Access
    runs: Path
    writer: TakeWriter
    studies: Sequence[Store] = ()
    folder: "tempfile.TemporaryDirectory[str]" = field(
        default_factory=lambda: tempfile.TemporaryDirectory(prefix="symmv-web-")
    )
    _made: "OrderedDict[str, Path]" = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)
    _looks: "OrderedDict[tuple[str, str], tuple[str, float]]" = field(default_factory=OrderedDict)

    @property
    def takes(self) -> Takes:
        return self.writer.takes

    @property
    def studio(self) -> Studio:
        return self.writer.studio

    def composers(self) -> list[str]:
        """The folders of trainings whose models write music, as far as they have come."""
        names = []
        for name in self.studio.models():
            try:
                about_model(self.studio.model(name))
            except StopRun:
                continue
            names.append(name)
        return names

    def held(self) -> questions.States:
        """The states of the datasets that have entries, or that a crawl has begun."""
        states = questions.statuses(self.settings)
        begun = (
            each
            for each in states.datasets
            if each.entries or runs.crawl_funnel(self.settings, each.dataset)
        )
        return replace(states, datasets=tuple(begun))

    def look(self, dataset: str, entry_id: str, reviewer: str) -> None:
        """Remember who was given a proposal: others get another one first."""
        with self._lock:
            self._looks[dataset, entry_id] = reviewer, time.monotonic()
            self._looks.move_to_end((dataset, entry_id))
            while len(self._looks) > _MOST_LOOKS:
                self._looks.popitem(last=False)

    def is_with_another(self, dataset: str, entry_id: str, reviewer: str) -> bool:
        """Whether somebody else was given a proposal in the last minutes."""
        who, when_s = self._looks.get((dataset, entry_id), (reviewer, 0.0))
        return who != reviewer and time.monotonic() - when_s < _LOOKING_S

    def sound_of_notes(self, dataset: str, entry_id: str) -> bytes | None:
        """The notes of an entry on the sampled piano as FLAC; `None` where it has none.

        `StopRun` where there is no such entry, or the piano is not here.
        """
        notes = browsing.notes_of(self.settings, dataset, entry_id)
        if notes is None:
            return None
        name = browsing.digest_of(notes)
        with self._lock:
            path = self._made.get(name)
            if path is None:
                path = Path(self.folder.name) / f"{name}.flac"
                browsing.play_notes(notes, path)
                self._made[name] = path
            self._made.move_to_end(name)
            while len(self._made) > _MOST_KEPT:
                self._made.popitem(last=False)[1].unlink()
            return path.read_bytes()


def session_of(request: Request) -> Session:
    """The browser that a request comes from."""
    session: Session = request.scope["session"]
    return session


def name_of(request: Request) -> str:
    """Who sits there; `Refused` where nobody said so."""
    if not session_of(request).reviewer:
        raise Refused(403, "say who you are first, under Reviewer")
    return session_of(request).reviewer


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form of ours; `Refused` for any other."""
    return await fields_of(request.receive, session_of(request))


Form = Annotated[dict[str, str], Depends(form_of)]


def html(text: str, status: int = 200) -> HTMLResponse:
    return HTMLResponse(text, status)


def go_to(address: str) -> RedirectResponse:
    """Where a browser goes on after a form."""
    return RedirectResponse(address, 303)
