"""A package that compiles at its first import does so in one process, whatever the others do."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

HEARD = """
import numpy as np
from symmv_builder.evaluation.beats import heard_onsets_s
sound = np.zeros(44100, np.float32)
sound[5000:5100] = 1
print(*heard_onsets_s(sound))
"""


@pytest.mark.long
def test_processes_that_need_librosa_first_at_once_all_hear_and_so_do_later_ones(
    tmp_path: Path,
) -> None:
    """Without a lock those that come two seconds later die of functions that are not theirs."""
    pytest.importorskip("librosa")
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}

    def listener() -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HEARD]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    at_once = []
    for _ in range(3):
        at_once.append(listener())
        time.sleep(2)
    answers = [process.communicate()[0] for process in (*at_once, listener())]
    assert answers == [answers[0]] * 4
    assert float(answers[0]) == pytest.approx(0.25, abs=0.05)
