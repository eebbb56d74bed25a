"""Notes to sound: an instrument of a soundfont, played in this process without a device.

Recordings of a SoundFont 2 file (`soundfont_file`) are brought to pitch, filtered and shaped
(`voice`), each note at its own sample, and to the same samples each time. The sustain pedal is
played by holding the keys: a note that ends while the pedal is down sounds until the pedal rises
or its key is struck again.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome
from symmv_builder.backends.sampler.soundfont_file import read_soundfont
from symmv_builder.backends.sampler.voice import play
from symmv_builder.backends.soundfont import TimGm6mb
from symmv_builder.errors import MalformedFile
from symmv_builder.records import Notes

_GRAND_PIANO = 0
_PEAK = 0.8


def soundfont_path() -> Path:
    """Find the General MIDI soundfont, downloaded at first need; errors as of `wheels.files_of`."""
    return TimGm6mb(ModelHome()).path


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
    the whole is not. `StopRun` where the soundfont cannot be read or lacks the program.
    """
    path = soundfont or soundfont_path()
    try:
        font = read_soundfont(path, program, path.stat().st_mtime_ns)
    except (OSError, ValueError) as error:
        raise MalformedFile(path, f"a soundfont is wanted here: {error}") from error
    starts = np.rint(notes.starts_s * rate_hz).astype(np.int64)
    ends_s = sounding_ends(notes)
    ends = np.maximum(np.rint(ends_s * rate_hz).astype(np.int64), starts + 1)
    end_s = float(ends_s.max()) if len(ends_s) else 0.0
    sound: NDArray[np.float32] = np.zeros(
        (max(round((end_s + tail_s) * rate_hz), 1), 2), np.float32
    )
    rows = zip(starts, ends, notes.pitches.tolist(), notes.velocities.tolist(), strict=True)
    for start, end, key, velocity in rows:
        for region in font.regions:
            if region.fits(key, velocity):
                samples = play(
                    font.samples, region, key=key, velocity=velocity, held=int(end - start),
                    longest=len(sound) - int(start), rate_hz=rate_hz,
                )  # fmt: skip
                sides = np.sqrt(np.array([0.5 - region.pan, 0.5 + region.pan], np.float32))
                sound[start : start + len(samples)] += samples[:, None] * sides
    peak = float(np.abs(sound).max())
    return sound * np.float32(_PEAK / peak) if peak > 0 else sound


def sounding_ends(notes: Notes) -> NDArray[np.float64]:
    """Tell when each note falls silent, ``[n]``: its key's end, or the pedal's if that is later."""
    ends = np.array(notes.ends_s)
    for down, up in zip(notes.pedal_starts_s, notes.pedal_ends_s, strict=True):
        ends[(ends >= down) & (ends < up)] = up
    for pitch in np.unique(notes.pitches):
        same = np.flatnonzero(notes.pitches == pitch)
        ends[same[:-1]] = np.minimum(ends[same[:-1]], notes.starts_s[same[1:]])
    return ends
