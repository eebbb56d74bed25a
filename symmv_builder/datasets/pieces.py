"""A composed piece as files: MIDI, WAV, and the video that it was made for with its new sound."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import midi, tinysoundfont
from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.backends.pyav.soundtrack import replace_sound
from symmv_builder.records import Notes
from symmv_builder.storage.outputs import (
    check_outputs,
    finish_set,
    is_made,
    replacing_set,
    write_receipt,
)

RATE_HZ = 44100
_FADE_S = 0.5
_TAIL_S = 1.5


@dataclass(frozen=True, slots=True)
class Piece:
    """Music by named tracks, and what is to be said of how it came about.

    `seconds` is how long it should sound: a video's length. `facts` are plain values for JSON.
    """

    name: str
    tracks: Mapping[str, Notes]
    tempo_bpm: float
    seconds: float
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notes(self) -> Notes:
        """All tracks as one, sorted by start and pitch."""
        return merge(list(self.tracks.values()))


def merge(parts: list[Notes]) -> Notes:
    """The notes of several parts together; what two parts play at once stays twice."""
    starts, ends, pitches, velocities = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("starts_s", "ends_s", "pitches", "velocities")
    )
    order = np.lexsort((pitches, starts))
    return Notes(starts[order], ends[order], pitches[order], velocities[order])


def sound_of(piece: Piece, soundfont: Path | None = None) -> NDArray[np.float32]:
    """Stereo samples ``[n, 2]`` that last exactly as long as the piece should, faded at the end."""
    rendered = tinysoundfont.render(
        piece.notes, rate_hz=RATE_HZ, tail_s=_TAIL_S, soundfont=soundfont
    )
    length = max(1, round(piece.seconds * RATE_HZ))
    samples = np.zeros((length, 2), dtype=np.float32)
    samples[: len(rendered)] = rendered[:length]
    fade = min(length, round(_FADE_S * RATE_HZ))
    samples[length - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)[:, None]
    return samples


def check_piece(
    name: str,
    folder: Path,
    *,
    video: Path | None = None,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
) -> None:
    """`StopRun` where the files of a piece may not be written: see `storage.outputs`.

    A set of files that a killed process had finished is put in its place first.
    """
    places = _places(name, folder, video)
    read = [*inputs, *([video] if video else [])]
    check_outputs(places, inputs=read, overwrite=True)
    finish_set(folder, name, overwrite=overwrite)
    check_outputs(places, overwrite=overwrite, is_ours=is_made(places[-1]))


def write_piece(
    piece: Piece,
    folder: Path,
    *,
    video: Path | None = None,
    soundfont: Path | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write ``NAME.mid``, ``NAME.wav``, ``NAME.mp4`` where there is a video, and ``NAME.json``.

    All of them take their places together or none does. The JSON says how the piece was made and
    names the others with their sha256. `RejectEntry` where the video cannot be read, `StopRun`
    where one of the files would take the place of the video or of a file that is not ours.
    """
    check_piece(piece.name, folder, video=video, overwrite=overwrite)
    samples = sound_of(piece, soundfont)
    with replacing_set(folder, piece.name, overwrite=overwrite) as staging:
        score = midi.midi_bytes(piece.tracks, tempo_bpm=piece.tempo_bpm)
        (staging / f"{piece.name}.mid").write_bytes(score)
        write_sound(staging / f"{piece.name}.wav", samples, RATE_HZ)
        if video is not None:
            replace_sound(video, samples, RATE_HZ, staging / f"{piece.name}.mp4")
        write_receipt(staging, piece.name, dict(piece.facts))
    return _places(piece.name, folder, video)


def _places(name: str, folder: Path, video: Path | None) -> list[Path]:
    kinds = ("mid", "wav", *(("mp4",) if video is not None else ()), "json")
    return [folder / f"{name}.{kind}" for kind in kinds]
