"""What the video-music models see of a row: features of video and music, segment by segment.

The video's are its CLIP features, averaged over each segment. The music's come from the row's
notes: they are played on a sampled piano, as the paper converts SymMV's MIDI to audio (section
5.1), and a tagging model listens. That is done once: a song's features are kept below the data
root under the content of its notes, the model's weights and the soundfont's.

A row has music and video on clocks of their own and no alignment between them: segment i of one
is taken to belong to segment i of the other, as in the paper.
"""

import hashlib
import io
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, ModelIdentity, backend_class, hash_file, load
from symmv_builder.backends.tinysoundfont import render, soundfont_path
from symmv_builder.errors import StopRun
from symmv_builder.records import Notes
from symmv_builder.storage.root import Root
from symmv_builder.training.data import Example, Prepare, Rows
from symmv_builder.training.usable import LeftOut, UnusableRow
from symmv_builder.training.vmcp.config import Config

SLOT = "audio_embedding"
COLUMNS = (
    *("entry_id", "notes_starts_s", "notes_ends_s", "notes_pitches", "notes_velocities"),
    "semantic",
)
OPTIONAL = ("pedal_starts_s", "pedal_ends_s", "video_url")

# Samples a second of the column `semantic`, by its width: CLIP ViT-B/32 of symmv rows, ViT-L/14
# of muvisync rows.
SEMANTIC_HZ = {512: 6, 768: 1}
RATE_HZ = 44_100
# What is rendered of a song, so that one odd note cannot ask for hours of sound.
LONGEST_S = 1200.0
RENDERING = 1

Floats32 = NDArray[np.float32]


def notes_of(row: Mapping[str, Any]) -> Notes:
    """The transcribed notes of a row, with the pedal where its columns are there.

    `UnusableRow` where there is none, or they contradict each other.
    """
    if not len(row["notes_starts_s"]):
        raise UnusableRow("it has no notes")
    fields = ("starts_s", "ends_s", "pitches", "velocities")
    pedal = {name: row[name] for name in ("pedal_starts_s", "pedal_ends_s") if name in row}
    try:
        return Notes(**{field: row[f"notes_{field}"] for field in fields}, **pedal)
    except ValueError as error:
        raise UnusableRow(str(error)) from error


def video_segments(semantic: NDArray[Any], segment_s: float) -> Floats32:
    """Mean features ``[segments, d]`` of ``[t, d]``; a remainder is left out.

    A video shorter than a segment is one. `StopRun` for a width whose rate is not known,
    `UnusableRow` where there is no frame, or a feature is not finite.
    """
    if not len(semantic):
        raise UnusableRow("its video has no features")
    if not np.isfinite(semantic).all():
        raise UnusableRow("the features of its video are not finite")
    width = semantic.shape[1]
    if width not in SEMANTIC_HZ:
        raise StopRun(f"semantic features of width {width} are unknown; known: {[*SEMANTIC_HZ]}")
    return _means(np.asarray(semantic, dtype=np.float32), round(SEMANTIC_HZ[width] * segment_s))


def _means(values: Floats32, size: int) -> Floats32:
    """Means over every `size` rows, without a remainder; fewer rows than that are one mean."""
    size = min(size, len(values)) or 1
    kept = len(values) // size
    return np.asarray(values[: kept * size].reshape(kept, size, -1).mean(axis=1), np.float32)


class MusicFeatures:
    """Features of notes as a piano plays them, made once and kept below the dataset's folder.

    Threads may share one object.
    """

    def __init__(self, root: Root, dataset: str, name: str, home: ModelHome) -> None:
        model = backend_class(SLOT, name)
        self.identity: ModelIdentity = model.identify(home)
        self.width = int(model.width)
        self.window_s = float(model.segment_s)
        self._root, self._name, self._home = root, name, home
        made_by = f"{self.identity} {hash_file(soundfont_path())} {RATE_HZ} {LONGEST_S} {RENDERING}"
        place = hashlib.sha256(made_by.encode()).hexdigest()[:12]
        self._folder = f"{dataset}/embeddings/{name}-{place}"
        self._held: dict[str, Floats32] = {}
        self._lock = threading.Lock()

    def of(self, notes: Notes, windows: int = 1) -> Floats32:
        """Features ``[segments, d]``, each the mean of so many windows; at least one segment."""
        return _means(self._windows(notes), windows)

    def _windows(self, notes: Notes) -> Floats32:
        digest = _digest(notes)
        with self._lock:
            if digest not in self._held:
                name = f"{self._folder}/{digest}.npy"
                found = self._read(name)
                if found is None:
                    found = self._listen(notes)
                    buffer = io.BytesIO()
                    np.save(buffer, found, allow_pickle=False)
                    self._root.write(name, buffer.getvalue())
                self._held[digest] = found
            return self._held[digest]

    def _read(self, name: str) -> Floats32 | None:
        """Features made before; those that a disk has damaged are made again."""
        data = self._root.read(name)
        if data is None:
            return None
        try:
            values = np.load(io.BytesIO(data), allow_pickle=False)
        except (ValueError, EOFError):
            return None
        fits = values.dtype == np.float32 and values.ndim == 2 and values.shape[1] == self.width
        return values if fits and len(values) else None

    def _listen(self, notes: Notes) -> Floats32:
        model = load(SLOT, self._name, self._home)
        sound = render(_up_to(notes, LONGEST_S), rate_hz=RATE_HZ)
        return np.asarray(model.embed(sound, RATE_HZ), dtype=np.float32)


def _up_to(notes: Notes, end_s: float) -> Notes:
    kept = notes.starts_s < end_s
    pedal = np.asarray(notes.pedal_starts_s) < end_s
    return Notes(
        starts_s=notes.starts_s[kept],
        ends_s=notes.ends_s[kept].clip(max=end_s),
        pitches=notes.pitches[kept],
        velocities=notes.velocities[kept],
        pedal_starts_s=np.asarray(notes.pedal_starts_s)[pedal],
        pedal_ends_s=np.asarray(notes.pedal_ends_s)[pedal].clip(max=end_s),
    )


def _digest(notes: Notes) -> str:
    digest = hashlib.sha256()
    fields = ("starts_s", "ends_s", "pitches", "velocities", "pedal_starts_s", "pedal_ends_s")
    for name in fields:
        values = np.ascontiguousarray(getattr(notes, name), dtype=np.float64)
        digest.update(f"{name} {len(values)} ".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:32]


def prepare(music: MusicFeatures, config: Config) -> Prepare:
    """Rows to examples: ``video`` and ``music`` ``[segments, d]``, of the same length.

    A song of more than `max_segments` is cropped where the generator says. `UnusableRow` where
    there are no notes or no pictures.
    """

    def make(row: Mapping[str, Any], rng: np.random.Generator) -> Example:
        video = video_segments(row["semantic"], music.window_s * config.windows)
        heard = music.of(notes_of(row), config.windows)
        length = min(len(video), len(heard))
        kept = min(length, config.max_segments)
        start = int(rng.integers(length - kept + 1))
        return {"video": video[start : start + kept], "music": heard[start : start + kept]}

    return make


def listen(
    rows: Sequence[Rows],
    music: MusicFeatures,
    tell: Callable[[int, int], None],
    left_out: LeftOut,
    *,
    rank: int = 0,
    world: int = 1,
) -> None:
    """Make the features of all songs of this rank's share; `tell` is given songs done and in all.

    What was made before is only read, so that a run that was killed here loses one song.
    """
    count = sum(len(part) for part in rows)
    songs = (row for part in rows for row in part.without_features())
    for number, row in enumerate(songs):
        if number % world == rank:
            left_out.use(row, lambda row: music.of(notes_of(row)))
        tell(number + 1, count)
