"""What every page stands on: the settings, the folder of runs, and sound that was made already."""

import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Annotated

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from symmv_builder.api import browsing
from symmv_builder.api.study import Store
from symmv_builder.api.take_writer import Studio, TakeWriter
from symmv_builder.api.takes import Takes
from symmv_builder.settings import Settings
from symmv_builder.web.guard import Access, Refused, Session, fields_of

_MOST_KEPT = 20


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

    @property
    def takes(self) -> Takes:
        return self.writer.takes

    @property
    def studio(self) -> Studio:
        return self.writer.studio

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
