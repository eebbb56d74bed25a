"""What a stored file is: its hash, its streams, how long it lasts.

The first step for both recordings of an entry. What cannot be read, or asks for more
than the limits allow, is put aside here, before anything costly touches it. A MIDI file
may stand in for music: its duration is the end of its last note.
"""

from pathlib import Path

from symmv_builder.backends import midi, pyav
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Asset, MediaKind
from symmv_builder.storage.assets import hash_file


def probe_music(
    music: Path,
    *,
    max_size_bytes: int = 8 << 30,
    max_duration_s: float = 3600.0,
    max_pixels: int = 36_000_000,
    max_channels: int = 16,
) -> Asset:
    """Read the facts of the music recording; NO_AUDIO where it has no audio stream.

    `max_pixels` bounds the pictures of a file that holds video too. Raises `RejectEntry`:
    EMPTY_FILE, NOT_MEDIA, UNREADABLE, TOO_LARGE, TOO_LONG, NO_AUDIO.
    """
    limits = pyav.Limits(max_size_bytes, max_duration_s, max_pixels, max_channels)
    if midi.is_midi(music):
        return _probe_midi(music, limits)
    asset = pyav.probe(music, _hash(music), limits=limits)
    if not asset.audio_codec:
        raise RejectEntry(Reason.NO_AUDIO, "the file has no audio stream")
    return asset


def probe_video(
    video: Path,
    *,
    max_size_bytes: int = 8 << 30,
    max_duration_s: float = 3600.0,
    max_pixels: int = 36_000_000,
    max_channels: int = 16,
) -> Asset:
    """Read the facts of the video recording; NO_VIDEO where it has no video stream.

    `max_channels` bounds the sound of a file that has some. Raises `RejectEntry`:
    EMPTY_FILE, NOT_MEDIA, UNREADABLE, TOO_LARGE, TOO_LONG, NO_VIDEO.
    """
    limits = pyav.Limits(max_size_bytes, max_duration_s, max_pixels, max_channels)
    asset = pyav.probe(video, _hash(video), limits=limits)
    if not asset.video_codec:
        raise RejectEntry(Reason.NO_VIDEO, "the file has no video stream")
    return asset


def _probe_midi(path: Path, limits: pyav.Limits) -> Asset:
    notes = midi.read_notes(path)
    duration_s = float(notes.ends_s.max(initial=0.0))
    if duration_s > limits.max_duration_s:
        limit = f"the limit is {limits.max_duration_s:.0f} s"
        raise RejectEntry(Reason.TOO_LONG, f"the file lasts {duration_s:.0f} s; {limit}")
    return Asset(_hash(path), MediaKind.MIDI, path.stat().st_size, "midi", duration_s)


def _hash(path: Path) -> str:
    """Compute the sha256 of the file's bytes.

    One that is not there is left to the reader to report.
    """
    if not path.is_file():
        raise RejectEntry(Reason.UNREADABLE, f"{path} is not a file")
    return hash_file(path)


MUSIC = Step("music_asset", 2, ("music",), probe_music)
VIDEO = Step("video_asset", 2, ("video",), probe_video)
