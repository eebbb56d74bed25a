"""Notes to sound: a piano of the General MIDI soundfont that pretty_midi's package carries.

TinySoundFont synthesises in this process, without a device and to the same samples each
time. It ignores controller 64, so the sustain pedal is played by holding the keys: a
note that ends while the pedal is down sounds until the pedal rises or its key is struck
again, which is what the controller would do.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import package_folder
from symmv_builder.errors import StopRun
from symmv_builder.records import Notes

_SOUNDFONT = "TimGM6mb.sf2"
_GRAND_PIANO = 0
_PEAK = 0.8


def soundfont_path() -> Path:
    """The soundfont inside pretty_midi's package, found without importing it."""
    path = package_folder("pretty_midi") / _SOUNDFONT
    if not path.is_file():
        raise StopRun(f"pretty_midi's package has no {_SOUNDFONT}; install pretty_midi again")
    return path


def render(
    notes: Notes,
    *,
    rate_hz: int = 44100,
    tail_s: float = 1.5,
    program: int = _GRAND_PIANO,
    soundfont: Path | None = None,
) -> NDArray[np.float32]:
    """Stereo samples ``[n, 2]`` in -1..1, from time 0 to `tail_s` after the last note.

    The loudest sample is 0.8 of full scale: levels between notes are kept, the level of
    the whole is not.
    """
    try:
        import tinysoundfont
    except ImportError:
        raise StopRun(
            "tinysoundfont is not installed; run: pip install --no-deps tinysoundfont"
        ) from None
    synth = tinysoundfont.Synth(gain=-12.0, samplerate=rate_hz)
    try:
        font = synth.sfload(str(soundfont or soundfont_path()))
        synth.program_select(0, font, 0, program)
    except Exception as error:
        # The binding raises bare RuntimeError and Exception for a file it cannot read.
        raise StopRun(f"no piano in the soundfont {soundfont or _SOUNDFONT}: {error}") from error
    ends_s = sounding_ends(notes)
    end_s = float(ends_s.max()) if len(ends_s) else 0.0
    blocks: list[NDArray[np.float32]] = []
    now = 0
    for sample, velocity, pitch in _events(notes, ends_s, rate_hz):
        if sample > now:
            blocks.append(np.frombuffer(synth.generate(sample - now), dtype=np.float32))
            now = sample
        if velocity:
            synth.noteon(0, pitch, velocity)
        else:
            synth.noteoff(0, pitch)
    rest = max(1, round((end_s + tail_s) * rate_hz) - now)
    blocks.append(np.frombuffer(synth.generate(rest), dtype=np.float32))
    sound = np.concatenate(blocks).reshape(-1, 2)
    peak = float(np.abs(sound).max())
    return sound * np.float32(_PEAK / peak) if peak > 0 else sound


def sounding_ends(notes: Notes) -> NDArray[np.float64]:
    """When each note falls silent, ``[n]``: its key's end, or later where the pedal holds it."""
    ends = np.array(notes.ends_s)
    for down, up in zip(notes.pedal_starts_s, notes.pedal_ends_s, strict=True):
        ends[(ends >= down) & (ends < up)] = up
    for pitch in np.unique(notes.pitches):
        same = np.flatnonzero(notes.pitches == pitch)
        ends[same[:-1]] = np.minimum(ends[same[:-1]], notes.starts_s[same[1:]])
    return ends


def _events(notes: Notes, ends_s: NDArray[np.float64], rate_hz: int) -> list[tuple[int, int, int]]:
    """(sample, velocity, pitch) in order; velocity 0 lifts a key, and lifts come first."""
    starts = np.rint(notes.starts_s * rate_hz).astype(np.int64)
    ends = np.maximum(np.rint(ends_s * rate_hz).astype(np.int64), starts + 1)
    lifts = zip(ends.tolist(), [0] * len(ends), notes.pitches.tolist(), strict=True)
    strikes = zip(starts.tolist(), notes.velocities.tolist(), notes.pitches.tolist(), strict=True)
    return sorted([*lifts, *strikes])
