"""Omnizart (Wu et al., "Omnizart: A General Toolbox for Automatic Music Transcription",
JOSS 2021), run as a program of its own.

It needs a Python and a TensorFlow that are too old to live with the rest, so it lives in
an environment of its own whose interpreter is given by path. Sound goes in as a WAV file
and notes come out as a MIDI file, both in a folder that is removed afterwards.
"""

import json
import os
import signal
import subprocess
import tempfile
import wave
from pathlib import Path
from typing import final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, required_path
from symmv_builder.backends.slots import PolyphonicTranscriber
from symmv_builder.errors import MissingWeights, Reason, RejectEntry, WrongWeights
from symmv_builder.records import Notes

NAME = "omnizart"
WHAT = "the Python interpreter of an environment with omnizart in it"
HOW = (
    "Make one with Python 3.8 and pip install omnizart==0.5.0, "
    "then run omnizart download-checkpoints."
)
START_S, BASE_S, PER_SOUND_S = 60.0, 120.0, 10.0

# Asked of the other interpreter: version, and a hash of the weights, without TensorFlow.
ASK = """
import hashlib, importlib.util, json, os
try:
    from importlib.metadata import version
except ImportError:
    from importlib_metadata import version
spec = importlib.util.find_spec("omnizart")
root = os.path.join(list(spec.submodule_search_locations)[0], "checkpoints", "music")
files = sorted(os.path.join(d, n) for d, _, names in os.walk(root) for n in names)
digest = hashlib.sha256()
for name in files:
    digest.update((os.path.relpath(name, root) + "\\n").encode())
    with open(name, "rb") as handle:
        digest.update(hashlib.sha256(handle.read()).digest())
print(json.dumps([version("omnizart"), digest.hexdigest() if files else ""]))
"""
TRANSCRIBE = """
import sys
from omnizart.music import app
app.transcribe(sys.argv[1], output=sys.argv[2])
"""


@final
class Omnizart(PolyphonicTranscriber):
    """Samples at 44.1 kHz, mono, to the notes of all instruments that Omnizart hears."""

    needs = ("pretty_midi",)
    rate_hz = 44100
    mono = True

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        python = required_path(home, NAME, WHAT, HOW)
        code, answer = _run(python, ASK, [], START_S)
        try:
            version, weights = json.loads(answer.splitlines()[-1])
        except (IndexError, ValueError):
            last = answer.splitlines()[-1:] or [f"exit code {code}"]
            raise MissingWeights(NAME, f"{python} has no omnizart ({last[0]})", HOW) from None
        if not weights:
            raise MissingWeights(NAME, f"omnizart of {python} has no weights", HOW)
        return ModelIdentity(NAME, str(version), str(weights))

    @classmethod
    def about(cls) -> About:
        return About("Omnizart (music)", "MIT", HOW)

    def __init__(self, home: ModelHome) -> None:
        self._python = required_path(home, NAME, WHAT, HOW)
        self.identify(home)

    def transcribe(self, samples: NDArray[np.float32]) -> Notes:
        """Transcribe samples ``[n, 1]`` to notes; no pedal. `RejectEntry` (timed_out, crashed)."""
        limit_s = BASE_S + PER_SOUND_S * len(samples) / self.rate_hz
        with tempfile.TemporaryDirectory(prefix="symmv-omnizart-") as folder:
            sound, notes = Path(folder, "sound.wav"), Path(folder, "notes.mid")
            _write_wav(sound, samples[:, 0], self.rate_hz)
            code, output = _run(self._python, TRANSCRIBE, [str(sound), str(notes)], limit_s)
            if code is None:
                raise RejectEntry(Reason.TIMED_OUT, f"omnizart took more than {limit_s:.0f} s")
            if code or not notes.is_file():
                last = output.strip().splitlines()[-1:] or ["it said nothing"]
                raise RejectEntry(Reason.CRASHED, f"omnizart gave code {code}: {last[0][:200]}")
            return _read(notes)


def _run(python: Path, script: str, arguments: list[str], limit_s: float) -> tuple[int | None, str]:
    """Exit code (`None` past the limit) and output; whatever it started ends with it."""
    try:
        process = subprocess.Popen(
            [str(python), "-c", script, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        problem = f"{python} cannot be run ({error.strerror})"
        raise WrongWeights(NAME, problem, HOW) from error
    try:
        output, _ = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return None, ""
    return process.returncode, output.decode(errors="replace")


def _write_wav(path: Path, mono: NDArray[np.float32], rate_hz: int) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate_hz)
        out.writeframes(np.rint(mono.clip(-1, 1) * 32767).astype("<i2").tobytes())


def _read(path: Path) -> Notes:
    import pretty_midi

    rows = sorted(
        (note.start, note.pitch, max(note.end, note.start), max(note.velocity, 1))
        for instrument in pretty_midi.PrettyMIDI(str(path)).instruments
        if not instrument.is_drum
        for note in instrument.notes
    )
    table = np.array(rows, dtype=np.float64).reshape(-1, 4)
    return Notes(
        starts_s=table[:, 0],
        ends_s=table[:, 2],
        pitches=table[:, 1].astype(np.int64),
        velocities=table[:, 3].astype(np.int64),
    )
