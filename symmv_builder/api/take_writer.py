"""Takes are written one at a time, in a process that can be stopped, in the order of their orders.

One thread waits for orders. Who holds the lock of the folder writes; a second server on the same
folder waits for that. Whatever a video does to a decoder happens in the child, which has a limit of
time: what it leaves behind is the take's files and one line, or nothing.
"""

import json
import logging
import multiprocessing as mp
import os
import shutil
import signal
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from symmv_builder.api.composers import options_of_models
from symmv_builder.api.generating import Order, Videos, fetch_links, passage_of, write
from symmv_builder.api.takes import Project, Take, Takes, read_take, reason_of, write_state
from symmv_builder.backends.pyav.facts import probe
from symmv_builder.backends.pyav.opening import Limits
from symmv_builder.crawl.links import source_of
from symmv_builder.errors import NotFound, RejectEntry, StopRun
from symmv_builder.pipeline.faults import in_short
from symmv_builder.pipeline.pool import leave_with, start
from symmv_builder.settings import Settings
from symmv_builder.storage.outputs import locked_folder, replacing_file
from symmv_builder.text import amount

__all__ = ["Studio", "TakeWriter"]

LOG = logging.getLogger(__name__)
LONGEST_S = 600.0
_LIMITS = Limits(max_size_bytes=2 << 30, max_duration_s=LONGEST_S)
_PATIENCE_S = 1800.0
_LOOK_S, _WAIT_S = 0.1, 2.0
_TOLD_EVERY_S = 0.3
# Which share of a take is done when its video was watched, and when its notes are written.
_SHARE_WATCHED, _SHARE_WRITTEN = 0.2, 0.8

Write = Callable[[Project, Take, "Studio"], str]


@dataclass(frozen=True, slots=True)
class Studio:
    """The means to write takes: settings, and folders of trained models and soundfonts."""

    settings: Settings
    runs: Path
    soundfonts: Path | None = None

    def models(self) -> list[str]:
        """List the folders of trainings by name.

        Whether one writes music is said by `about_model`.
        """
        return _names(self.runs, "*/")

    def sounds(self) -> list[str]:
        """List the names of the soundfonts that can be played with."""
        return _names(self.soundfonts, "*.sf2") if self.soundfonts else []

    def model(self, name: str) -> Path | None:
        """Find the folder of a model by its name, `None` for the package's own.

        `StopRun` if none is.
        """
        return self._place(self.runs, name, self.models(), "model")

    def sound(self, name: str) -> Path | None:
        """Find the file of a soundfont by its name, as `model`."""
        return self._place(self.soundfonts or Path(), name, self.sounds(), "soundfont")

    def _place(self, folder: Path, name: str, names: list[str], kind: str) -> Path | None:
        if not name:
            return None
        if name not in names:
            raise NotFound(kind, name, "this server")
        return folder / name


def _names(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern) if not path.name.startswith("."))


class TakeWriter:
    """The thread that has the takes of a folder written; `wake` it when one was ordered."""

    def __init__(
        self,
        takes: Takes,
        studio: Studio,
        patience_s: float = _PATIENCE_S,
        write: Write | None = None,
    ) -> None:
        """Do `write` in the child, `write_take` unless another is named; it is picklable."""
        self.takes, self.studio, self._patience_s = takes, studio, patience_s
        self._write_take = write or write_take
        self._event, self._lock = threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_closed = False

    def wake(self) -> None:
        """Look for what waits, now; the first call starts the thread."""
        with self._lock:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._serve, daemon=True)
                self._thread.start()
        self._event.set()

    def stop(self, take: Take) -> None:
        """Let a take not be written, or not further; `StopRun` where it has ended."""
        with self._lock:
            now = read_take(take.folder)
            if now is None or not now.is_open:
                raise StopRun("it has ended already")
            write_state(replace(now, state="stopped", line="stopped"))
        self._event.set()

    def close(self) -> None:
        """End the thread, and the process of what is being written: it waits for the next start."""
        self._is_closed = True
        self._event.set()
        if self._thread is not None:
            self._thread.join()

    def _serve(self) -> None:
        while not self._is_closed:
            try:
                if self.takes.folder.is_dir():
                    with locked_folder(self.takes.folder):
                        self._write_all()
            except BlockingIOError:
                LOG.debug("another server writes the takes of %s", self.takes.folder)
            except Exception:
                # Whoever waits would wait for ever if the thread ended.
                LOG.exception("the takes of %s cannot be written now", self.takes.folder)
            self._event.wait(_WAIT_S)
            self._event.clear()

    def _write_all(self) -> None:
        """Write what waits until nothing does; what another process was at when it ended, too."""
        for _, take in self.takes.waiting():
            if take.state == "running":
                self._change(take, "waiting", "")
        while not self._is_closed and (waiting := self.takes.waiting()):
            self._write(*waiting[0])

    def _write(self, project: Project, take: Take) -> None:
        if not self._change(take, "running", ""):
            return
        shutil.rmtree(take.folder / "out", ignore_errors=True)
        for name in ("progress.json", "outcome.json"):
            (take.folder / name).unlink(missing_ok=True)
        process: Any = mp.get_context("spawn").Process(
            target=_work,
            args=(self._write_take, project, take, self.studio, os.getpid()),
            daemon=True,
        )
        start(process, self._write_take, project, take, self.studio)
        until = time.monotonic() + self._patience_s
        line = ""
        while process.is_alive():
            process.join(_LOOK_S)
            now = read_take(take.folder)
            if now is None or now.state != "running" or self._is_closed:
                _kill(process)
            elif time.monotonic() > until:
                _kill(process)
                line = f"it took longer than {self._patience_s:g} s"
        if self._is_closed and not (take.folder / "outcome.json").is_file():
            self._change(take, "waiting", "")
            return
        outcome = _outcome(take.folder)
        if outcome is None:
            ended = f"its process ended with exit code {process.exitcode}"
            self._change(take, "failed", line or ended)
        else:
            self._change(take, *outcome)

    def _change(self, take: Take, state: Any, line: str) -> bool:
        """Store a state; false where the take was stopped or deleted meanwhile."""
        with self._lock:
            now = read_take(take.folder)
            if now is None or not now.is_open:
                return False
            write_state(replace(now, state=state, line=line))
            return True


def _kill(process: Any) -> None:
    """End a process and what it has started: it leads a group of its own."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.join()


def _outcome(folder: Path) -> tuple[str, str] | None:
    try:
        outcome = json.loads((folder / "outcome.json").read_text(encoding="utf-8"))
        if "bug" in outcome:
            LOG.error("a take of %s failed:\n%s", folder.parent, outcome["bug"])
        return ("done" if outcome["is_done"] else "failed"), str(outcome["line"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def _work(write_it: Write, project: Project, take: Take, studio: Studio, parent: int) -> None:
    """Write a take, in a process of its own."""
    with suppress(OSError):
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=leave_with, args=(parent,), daemon=True).start()
    try:
        outcome = {"is_done": True, "line": write_it(project, take, studio)}
    except (RejectEntry, StopRun) as error:
        outcome = {"is_done": False, "line": reason_of(error, project)}
    except Exception as error:  # noqa: BLE001 (the parent logs it)
        line = reason_of(StopRun(f"the program failed: {in_short(error)}"), project)
        outcome = {"is_done": False, "line": line, "bug": traceback.format_exc()}
    _store(take.folder / "outcome.json", outcome)


def _store(path: Path, value: dict[str, Any]) -> None:
    with replacing_file(path) as temporary:
        temporary.write_text(json.dumps(value), encoding="utf-8")


def _progress(done: int, of: int, doing: str) -> dict[str, Any]:
    """Say how far a take is out of what `generating.write` tells: watching, then writing."""
    if not of:
        return {"share": 0.0, "doing": "looking at the video"}
    share, stage = done / of, doing.partition(", ")[0]
    if share >= 1:
        stage = "sound, score and video"
    return {
        "share": _SHARE_WATCHED + (_SHARE_WRITTEN - _SHARE_WATCHED) * share,
        "doing": f"writing: {stage}",
    }


def write_take(project: Project, take: Take, studio: Studio) -> str:
    """Write the files of a take into its folder; gives what is to be said of it in a line.

    `StopRun` and `RejectEntry` as of `generating.write`; a video may last `LONGEST_S`.
    """
    told_s = [0.0]

    def tell(done: int, of: int, doing: str) -> None:
        if time.monotonic() - told_s[0] < _TOLD_EVERY_S and done < (of or 1):
            return
        told_s[0] = time.monotonic()
        _store(take.folder / "progress.json", _progress(done, of, doing))

    def refuse(_: object, error: RejectEntry) -> None:
        raise error

    tell(0, 0, "looking at the video")
    if project.link and not project.video.is_file():
        [path] = fetch_links([source_of(project.link)], studio.settings, take.folder, refuse, tell)
        path.replace(project.video)
    probe(project.video, "0" * 64, limits=_LIMITS)
    wishes = take.wishes
    passage = None
    if wishes.passage is not None:
        number, start_s, end_s = wishes.passage
        passage = passage_of(project.take(number).receipt, (start_s, end_s))
    order = Order(
        key=wishes.key,
        primer=wishes.primer,
        seed=wishes.seed,
        temperature=wishes.temperature,
        passage=passage,
    )
    of_runs = {option.name for option in options_of_models() if option.run_of}
    options = {
        name: studio.model(value) if name in of_runs else value
        for name, value in wishes.options.items()
    }
    remarks: list[str] = []
    [composition] = write(
        Videos(files=(project.video,)),
        studio.model(wishes.model),
        order,
        take.folder / "out",
        studio.settings,
        options=options,
        soundfont=studio.sound(wishes.soundfont),
        musicxml=True,
        refuse=refuse,
        note=remarks.append,
        tell=tell,
    )
    notices = [composition.piece.facts["said"]] if "said" in composition.piece.facts else []
    return "; ".join([amount(composition.notes, "note"), *notices, *remarks])
