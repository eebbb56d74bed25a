"""What a tagging model hears of a piece of music, made once and kept.

A piece is a recording, as the store or a file has it, or notes: these are played on a sampled
piano, as the paper converts SymMV's MIDI to audio (section 5.1). What was heard is kept below the
dataset's folder under the content of the recording or of the notes, the model's weights and, for
notes, the soundfont's.
"""

import hashlib
import io
import math
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, ModelIdentity, backend_class, hash_file, load, midi
from symmv_builder.backends.sampler import render, soundfont_path
from symmv_builder.clips import milliseconds
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import Notes
from symmv_builder.storage.assets import has_asset, open_asset
from symmv_builder.storage.root import Root
from symmv_builder.training.usable import UnusableRow

SLOT: Final = "audio_embedding"
RATE_HZ = 44_100
# What is heard of a song, so that one odd note cannot ask for hours of sound.
LONGEST_S = 1200.0
RENDERING = 2
# Raised when a recording is read otherwise.
LISTENING = 1
_READ = f"recording {LONGEST_S} {LISTENING}"

MIDI_SUFFIXES = (".mid", ".midi")
SOUND_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a")
VIDEO_SUFFIXES = (".mp4", ".mkv", ".webm")

Sounding: TypeAlias = Literal["rendered", "recording"]
Floats32: TypeAlias = NDArray[np.float32]
# Samples ``[n, c]`` and their rate in Hz.
Samples: TypeAlias = tuple[Floats32, int]

_NOTES = ("entry_id", "notes_starts_s", "notes_ends_s", "notes_pitches", "notes_velocities")
_RECORDING = ("entry_id", "music_sha256", "music_duration_s")
# Where the music of a row that is a clip lies in its recording.
_PART = ("clip_music_start_s", "clip_music_end_s")
_PEDAL = ("pedal_starts_s", "pedal_ends_s")


def heard_columns(sound: Sounding) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """List the columns that a row's music is heard by: those that are needed, and optional ones."""
    return (_NOTES, _PEDAL) if sound == "rendered" else (_RECORDING, _PART)


def notes_of(row: Mapping[str, Any]) -> Notes:
    """Read the transcribed notes of a row, with the pedal where its columns are there.

    `UnusableRow` where there is none, or they contradict each other.
    """
    if not len(row["notes_starts_s"]):
        raise UnusableRow("it has no notes")
    fields = ("starts_s", "ends_s", "pitches", "velocities")
    pedal = {name: row[name] for name in _PEDAL if name in row}
    try:
        return Notes(**{field: row[f"notes_{field}"] for field in fields}, **pedal)
    except ValueError as error:
        raise UnusableRow(str(error)) from error


def played(notes: Notes) -> Samples:
    """Play notes as a piano does: samples ``[n, 2]``, and their rate."""
    return render(_up_to(notes, LONGEST_S), rate_hz=RATE_HZ), RATE_HZ


def recorded(path: Path, longest_s: float = LONGEST_S) -> Samples:
    """Read samples ``[n, c]`` of a recording, sound or video, and its rate; errors of `read_sound`.

    What comes after `longest_s` seconds is left out.
    """
    # Decoding asks for PyAV, which notes do without.
    from symmv_builder.backends.pyav import read_sound

    sound = read_sound(path)
    if longest_s == math.inf:
        return sound.samples, sound.rate_hz
    return sound.samples[: round(longest_s * sound.rate_hz)], sound.rate_hz


class Recordings:
    """The recordings of rows out of a store; the last one is held for the clips that follow it.

    Threads may share one object.
    """

    def __init__(self, root: Root) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._held: tuple[str, Samples] | None = None

    def of_row(self, row: Mapping[str, Any]) -> Samples:
        """Read the music of a row, of a clip its part; `UnusableRow` where it cannot be had."""
        sha256 = str(row["music_sha256"])
        if _PART[0] not in row:
            return self._decoded(sha256, LONGEST_S)
        with self._lock:
            if self._held is None or self._held[0] != sha256:
                self._held = None
                self._held = sha256, self._decoded(sha256, math.inf)
            samples, rate_hz = self._held[1]
        start, end = (round(float(row[name]) * rate_hz) for name in _PART)
        if not len(samples[start:end]):
            raise UnusableRow("its part of the recording holds no sound")
        return samples[start : min(end, start + round(LONGEST_S * rate_hz))], rate_hz

    def _decoded(self, sha256: str, longest_s: float) -> Samples:
        if not sha256 or not has_asset(self._root, sha256):
            raise UnusableRow("its recording is not in the store")
        try:
            with open_asset(self._root, sha256) as path:
                return recorded(path, longest_s)
        except RejectEntry as error:
            raise UnusableRow(f"its recording cannot be heard: {error.detail}") from error


def sound_of(path: Path) -> Samples:
    """Play a MIDI file as a piano, or read a recording; `RejectEntry` as `notes_in`, `recorded`."""
    return played(notes_in(path)) if midi.is_midi(path) else recorded(path)


def notes_in(path: Path) -> Notes:
    """Read the notes of a MIDI file; `RejectEntry` where there is none, or it is broken."""
    notes = midi.read_notes(path)
    if not len(notes.starts_s):
        raise RejectEntry(Reason.TOO_FEW_NOTES, "it has no notes")
    return notes


class MusicFeatures:
    """Embeddings of music by the model `name`, made once and kept below the dataset's folder.

    With `sound` a row is heard as its notes are played (``rendered``) or as its recording in the
    store sounds. Threads may share one object.
    """

    def __init__(
        self, root: Root, dataset: str, name: str, home: ModelHome, sound: Sounding = "rendered"
    ) -> None:
        model = backend_class(SLOT, name)
        self.identity: ModelIdentity = model.identify(home)
        self.sound = sound
        self.width = int(model.width)
        self.window_s = float(model.segment_s)
        self._root, self._dataset, self._name, self._home = root, dataset, name, home
        self._recordings = Recordings(root)
        self._held: dict[str, Floats32] = {}
        self._lock = threading.Lock()

    def of_row(self, row: Mapping[str, Any], windows: int = 1) -> Floats32:
        """Compute features ``[segments, d]`` of a row's music, each the mean of so many windows.

        `UnusableRow` where it has no notes, or its recording is not stored or cannot be read.
        """
        if self.sound == "rendered":
            return self.of(notes_of(row), windows)
        digest = str(row["music_sha256"])[:32]
        if _PART[0] in row:
            digest += "".join(f"-{milliseconds(float(row[name]))}" for name in _PART)
        return self._heard(_READ, digest, lambda: self._recordings.of_row(row), windows)

    def of(self, notes: Notes, windows: int = 1) -> Floats32:
        """Compute features of notes as a piano plays them; at least one segment."""

        made_by = f"{hash_file(soundfont_path())} {RATE_HZ} {LONGEST_S} {RENDERING}"
        return self._heard(made_by, _digest(notes), lambda: played(notes), windows)

    def of_file(self, path: Path, windows: int = 1) -> Floats32:
        """Compute features of a MIDI file, played, or of a recording, sound or video.

        `RejectEntry` where it holds no note, or no sound that can be decoded.
        """
        if midi.is_midi(path):
            return self.of(notes_in(path), windows)
        return self._heard(_READ, hash_file(path)[:32], lambda: recorded(path), windows)

    def _heard(
        self, made_by: str, digest: str, sounding: Callable[[], Samples], windows: int
    ) -> Floats32:
        """Give features out of memory, the folder, or of what `sounding` gives."""
        place = hashlib.sha256(f"{self.identity} {made_by}".encode()).hexdigest()[:12]
        name = f"{self._dataset}/embeddings/{self._name}-{place}/{digest}.npy"
        with self._lock:
            if name not in self._held:
                features = self._read(name)
                if features is None:
                    model = load(SLOT, self._name, self._home)
                    features = np.asarray(model.embed(*sounding()), dtype=np.float32)
                    buffer = io.BytesIO()
                    np.save(buffer, features, allow_pickle=False)
                    self._root.write(name, buffer.getvalue())
                self._held[name] = features
            return means(self._held[name], windows)

    def _read(self, name: str) -> Floats32 | None:
        """Read features made before; those that a disk has damaged are made again."""
        data = self._root.read(name)
        if data is None:
            return None
        try:
            values = np.load(io.BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError):
            return None
        fits = values.dtype == np.float32 and values.ndim == 2 and values.shape[1] == self.width
        return values if fits and len(values) else None


def means(values: Floats32, size: int) -> Floats32:
    """Average every `size` rows, without a remainder; fewer rows than that are one mean."""
    size = min(size, len(values)) or 1
    whole = len(values) // size
    return np.asarray(values[: whole * size].reshape(whole, size, -1).mean(axis=1), np.float32)


def _up_to(notes: Notes, end_s: float) -> Notes:
    is_before = notes.starts_s < end_s
    pedal = np.asarray(notes.pedal_starts_s) < end_s
    return Notes(
        starts_s=notes.starts_s[is_before],
        ends_s=notes.ends_s[is_before].clip(max=end_s),
        pitches=notes.pitches[is_before],
        velocities=notes.velocities[is_before],
        pedal_starts_s=np.asarray(notes.pedal_starts_s)[pedal],
        pedal_ends_s=np.asarray(notes.pedal_ends_s)[pedal].clip(max=end_s),
    )


def _digest(notes: Notes) -> str:
    digest = hashlib.sha256()
    fields = ("starts_s", "ends_s", "pitches", "velocities", *_PEDAL)
    for name in fields:
        values = np.ascontiguousarray(getattr(notes, name), dtype=np.float64)
        digest.update(f"{name} {len(values)} ".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:32]
