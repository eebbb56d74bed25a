"""A few pairs of a dataset as picture and sound, where their recordings are stored."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends import sampler
from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.datasets.pictures import pictures_at
from symmv_builder.datasets.piece_files import loudness_of
from symmv_builder.datasets.questions import records_of
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.records import Entry, Notes, Parts
from symmv_builder.report.dataset_page import SampleCard
from symmv_builder.report.markup import PageMedia
from symmv_builder.report.piece_picture import Shown, draw_pieces, frame_times
from symmv_builder.storage.assets import has_asset, open_asset
from symmv_builder.storage.store import Store

# What is shown of a pair, and what is heard: enough to judge it, and little enough to be sent.
SHOWN_S = 20.0
HEARD_S = 10.0
_RATE_HZ = 16000
Samples: TypeAlias = NDArray[np.float32]
_PICTURED = {
    True: "Frames, cuts, chords, notes, loudness",
    False: "Chords, notes, loudness",
}


def spread(entries: Sequence[Entry], count: int) -> list[Entry]:
    """So many entries, evenly spread over all of them: the same ones for the same entries."""
    if len(entries) <= count:
        return list(entries)
    return [entries[at] for at in np.linspace(0, len(entries) - 1, count).round().astype(int)]


def sample(
    store: Store,
    entry: Entry,
    folder: Path,
    name: str,
    *,
    dpi: int = 80,
    with_frames: bool = True,
    most_sound_bytes: int = 256 * 1024,
) -> SampleCard | None:
    """Make one pair, its files in `folder` under a name; `None` where no recording of it is stored.

    Sound that is larger than `most_sound_bytes` is cut. What cannot be decoded is said in the
    sample's note.
    """
    by_name: dict[str, Any] = dict(records_of(store, entry))
    music = by_name.get("music_asset")
    if music is None or not has_asset(store.root, music.sha256):
        return None
    media: list[PageMedia] = []
    faults: list[str] = []
    samples = _hear(store, by_name, faults)
    if samples is not None:
        path = folder / f"{name}.flac"
        heard_s = _write_beginning(path, samples, most_sound_bytes)
        media.append(PageMedia(path, f"The first {heard_s:.0f} s of the music"))
    if isinstance(by_name.get("notes"), Notes):
        frames, seconds = _watch(store, by_name, faults) if with_frames else ([], SHOWN_S)
        path = folder / f"{name}.png"
        scenes = by_name.get("scenes")
        cuts = scenes.starts_s[1:].tolist() if scenes is not None and frames else []
        draw_pieces(
            path,
            [_piece(entry, by_name, samples)],
            title=_title(entry),
            seconds=seconds,
            frames=frames,
            cuts_s=[cut for cut in cuts if cut < seconds],
            dpi=dpi,
        )
        media.insert(0, PageMedia(path, _PICTURED[bool(frames)]))
    facts = {"entry": entry.entry_id, "genre": entry.song.genre or "not known"}
    facts |= {key: str(by_name[key]) for key in ("key",) if key in by_name}
    return SampleCard(_title(entry), facts, media, "; ".join(faults))


def _hear(store: Store, by_name: dict[str, Any], faults: list[str]) -> Samples | None:
    """Read the music as mono samples ``[n, 1]``; that of a MIDI file is played on the piano."""
    music, notes = by_name["music_asset"], by_name.get("notes")
    try:
        if music.audio_codec:
            with open_asset(store.root, music.sha256) as path:
                return read_sound(path, rate_hz=_RATE_HZ, mono=True).samples
        if isinstance(notes, Notes):
            with backends.without_fetching():
                sound = sampler.render(_until(notes, SHOWN_S), rate_hz=_RATE_HZ)
            return np.asarray(sound.mean(axis=1, keepdims=True), dtype=np.float32)
    except (RejectEntry, StopRun) as error:
        faults.append(f"the music cannot be heard: {error}")
    return None


def _until(notes: Notes, seconds: float) -> Notes:
    """Take the notes that begin before a moment, without pedal."""
    mask = notes.starts_s < seconds
    return Notes(
        notes.starts_s[mask],
        notes.ends_s[mask],
        notes.pitches[mask],
        notes.velocities[mask],
        clock=notes.clock,
    )


def _watch(
    store: Store, by_name: dict[str, Any], faults: list[str]
) -> tuple[list[tuple[float, NDArray[np.uint8]]], float]:
    """Read frames of the video; gives also how many seconds of it there are to show."""
    video = by_name.get("video_asset")
    if video is None or not video.video_codec or not has_asset(store.root, video.sha256):
        return [], SHOWN_S
    seconds = min(SHOWN_S, float(video.duration_s))
    try:
        with open_asset(store.root, video.sha256) as path:
            return pictures_at(path, frame_times(seconds)), seconds
    except RejectEntry as error:
        faults.append(f"the video cannot be read: {error.detail}")
        return [], seconds


def _piece(entry: Entry, by_name: dict[str, Any], samples: Samples | None) -> Shown:
    parts = by_name.get("parts")
    loudness = None
    if samples is not None:
        loudness = loudness_of(samples[: int(SHOWN_S * _RATE_HZ)], _RATE_HZ)
    return Shown(
        entry.entry_id,
        by_name["notes"],
        parts=parts if isinstance(parts, Parts) else None,
        beats=by_name.get("beats"),
        chords=by_name.get("chords"),
        loudness=loudness,
    )


def _write_beginning(path: Path, samples: Samples, most_bytes: int) -> float:
    """Write the beginning of mono samples, halved until small enough; gives its seconds."""
    beginning = samples[: int(HEARD_S * _RATE_HZ)]
    write_sound(path, beginning, _RATE_HZ)
    while path.stat().st_size > most_bytes and len(beginning) > _RATE_HZ:
        beginning = beginning[: len(beginning) // 2]
        write_sound(path, beginning, _RATE_HZ)
    return len(beginning) / _RATE_HZ


def _title(entry: Entry) -> str:
    song = entry.song
    named = " \u2013 ".join(filter(None, (song.artist, song.title)))
    return named or entry.entry_id
