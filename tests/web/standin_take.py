"""What is done in the place of writing a take; a process that does it imports no more than that."""

import os
import shutil
import signal
import time

from symmv_builder.api.take_writer import Studio
from symmv_builder.api.takes import Project, Take
from symmv_builder.errors import Reason, RejectEntry

# What it does instead, where the chords to begin with say so.
SLOW, CRASH, BUG, REFUSE = "slow", "crash", "bug", "refuse"


def stand_in(project: Project, take: Take, studio: Studio) -> str:
    """Write a take by copying, or do what its chords say."""
    what = take.wishes.primer
    if what == SLOW:
        time.sleep(60)
    if what == CRASH:
        os.kill(os.getpid(), signal.SIGKILL)
    if what == BUG:
        raise ZeroDivisionError(f"in {project.video}")
    if what == REFUSE:
        raise RejectEntry(Reason.NOT_MEDIA, f"{project.video}: the file is no video")
    shutil.copytree(project.folder.parents[2] / "piece", take.folder / "out")
    del studio
    return "12 notes"
