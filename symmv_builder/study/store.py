"""The answer store: what of one study raters may see, and what they answer.

Files are those that the site held when the store began, found by their exact names. An answer is
JSON of at most `Store.most_bytes` and becomes a line of ``answers/RATER.jsonl``, which is only ever
appended to. The rater's name is 32 hexadecimal digits or is refused, so no name of a file comes
from outside. Bytes of one file and the number of files have limits. `symmv_builder.web.raters` is
the door to it.
"""

import json
import logging
import os
import threading
from http import HTTPStatus
from pathlib import Path

from symmv_builder.errors import CannotRead
from symmv_builder.files import parse_json
from symmv_builder.storage.root import disk_errors
from symmv_builder.study.answers import checked_state
from symmv_builder.study.key import ANSWERS, SITE, read_key

LOG = logging.getLogger(__name__)
MOST_OF_A_RATER = 32 * 2**20
MOST_RATERS = 20_000
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".mp4": "video/mp4",
    ".wav": "audio/wav",
}


class Store:
    """The site of the study in a folder, and where answers to it go; safe for threads.

    `files` are those of the site by their names, without the `page`, which knows of this store.
    `StopRun` where the folder holds no study.
    """

    # Of one answer.
    most_bytes = 256 * 1024

    def __init__(self, folder: Path) -> None:
        self.folder, self.key = folder, read_key(folder)
        site = folder / SITE
        try:
            self.files = {
                path.name: path
                for path in site.iterdir()
                if path.suffix in KINDS and path.is_file() and not path.is_symlink()
            }
            page = self.files.pop("index.html").read_text(encoding="utf-8")
        except (OSError, KeyError) as error:
            raise CannotRead(site, "the site of this study is not whole") from error
        self.page = page.replace('data-store=""', 'data-store="answers"', 1).encode()
        self.answers = folder / ANSWERS
        with disk_errors(folder):
            self.answers.mkdir(mode=0o700, exist_ok=True)
        self._lock = threading.Lock()
        self._sessions = len(self._kept())

    @property
    def name(self) -> str:
        """What the study is called where its name must say nothing: as it was drawn by lot."""
        return self.key.study

    @property
    def raters(self) -> int:
        """How many have sent an answer."""
        return len(self._kept())

    def file(self, name: str) -> tuple[Path, str] | None:
        """A file of the site and its type; `None` where there is none of this name."""
        path = self.files.get(name)
        return (path, KINDS[path.suffix]) if path else None

    def _kept(self) -> list[Path]:
        return list(self.answers.glob("*.jsonl"))

    def next_session(self) -> int:
        """The session for the next rater, from 1, in turn."""
        with self._lock:
            self._sessions += 1
            return 1 + (self._sessions - 1) % len(self.key.sessions)

    def keep(self, body: bytes) -> HTTPStatus:
        """Append a state to its rater's file; what is wrong with it is the status."""
        try:
            state = parse_json(body)
            rater = checked_state(state, self.key.study)
            line = (json.dumps(state, allow_nan=False) + "\n").encode()
        except ValueError:
            return HTTPStatus.BAD_REQUEST
        path = self.answers / f"{rater}.jsonl"
        with self._lock:
            size = path.stat().st_size if path.exists() else 0
            if not size and len(self._kept()) >= MOST_RATERS:
                return HTTPStatus.INSUFFICIENT_STORAGE
            if size + len(line) > MOST_OF_A_RATER:
                return HTTPStatus.INSUFFICIENT_STORAGE
            try:
                flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
                handle = os.open(path, flags, 0o600)
                with os.fdopen(handle, "ab") as file:
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                LOG.error("cannot keep an answer: %s", error)
                return HTTPStatus.INSUFFICIENT_STORAGE
        return HTTPStatus.NO_CONTENT
