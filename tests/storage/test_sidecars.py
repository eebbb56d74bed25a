"""Every record survives being stored, exactly, and nothing else is read from its file."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.errors import Reason, StopRun
from symmv_builder.midi_file import MidiFile
from symmv_builder.records import (
    RECORD_TYPES,
    Alignment,
    Asset,
    AudioCodes,
    Beats,
    Chords,
    FeatureTrack,
    GridNotes,
    Key,
    KeySpans,
    Loudness,
    MediaKind,
    MusicLabels,
    Notes,
    Parts,
    Pictures,
    Provenance,
    PublishedLabels,
    Rejection,
    Scenes,
    Screened,
    SongInfo,
    SoundFile,
    SoundShares,
    TagTrack,
    TimedText,
    VisualBeats,
)
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars, decode, encode
from symmv_builder.timeline import Clock


def array(*values: Any) -> Any:
    return np.array(values)


# A third has no finite binary fraction: what is stored must be all 64 bits of it.
NOTES: dict[str, Any] = {
    "starts_s": array(0.1, 1 / 3),
    "ends_s": array(2 / 3, 1e9),
    "pitches": array(0, 127),
    "velocities": array(1, 127),
}
STEPS: dict[str, Any] = {"onset_steps": array(-3, 0), "duration_steps": array(1, 64)}
RECORDS = (
    Asset("ab" * 32, MediaKind.VIDEO, 1 << 40, "mov,mp4", 1 / 3, "aac", 44100, 6, "h264", 1, 2),
    Notes(**NOTES, pedal_starts_s=array(0.25), pedal_ends_s=array(1 / 7)),
    Notes(array(), array(), array(), array(), Clock.VIDEO),
    MidiFile(np.frombuffer(b"MThd\x00\xff", np.uint8)),
    Beats(array(0.5, 1 / 1.5), array(4, 1)),
    GridNotes(**NOTES, **STEPS),
    Parts(**NOTES, **STEPS, is_melody=array(True, False)),
    Chords(array(0.0, 1.0), array(1.0, 1.5), ("F#m7", "Sí, 'N'")),
    Chords(array(), array(), ()),
    Key("B-", "minor", -1 / 3),
    KeySpans(array(0.0, 1 / 3), array(1 / 3, 1e9), ("B-", "C"), ("minor", "major")),
    FeatureTrack(
        "semantic", 1 / 6, np.array([[1 / 3, -0.0], [65504.0, 1e-40]], np.float32), Clock.VIDEO
    ),
    FeatureTrack("empty", 0.2, np.zeros((0, 3), np.float32), Clock.VIDEO),
    Scenes(array(0.0), array(1 / 3), array(0)),
    VisualBeats(array(0.1, 1 / 3), array(1 / 7, 1.0), 92.5),
    Alignment(array(0.0, 1.0), array(0.5, 1.6), 0.9, -2),
    SongInfo("Title", "Artist", "Pop", "437442012", identified_by="shazam"),
    Screened("peak", 1 / 3, 0.001),
    TimedText(np.array([0.5, 1.0]), np.array([1.5, 2.0]), ("Grüße", ""), "deu"),
    SoundFile(np.arange(9, dtype=np.uint8), 0.5),
    PublishedLabels(("Música", ""), "a caption", 1 / 3, 10.0),
    AudioCodes(array((0, 2047), (3, 4)), 32_000, 640, 1500),
    Loudness(-23.0 - 1 / 3, array(-70.0, 1 / 3)),
    MusicLabels("new age", 1 / 3, ("piano", "harp")),
    Pictures(np.frombuffer(b"\xff\xd8\x00", np.uint8), array(2, 3), 1 / 3),
    SoundShares(array(0.0, 1.0), array(0.0, 1 / 3), array(0.5, 0.0), 0.5),
    TagTrack(("piano", "Sí, 'N'"), 1.0, array((1 / 3, 0.0), (1.0, 0.0))),
)
BY = Provenance("notes", 3, '{"a":1}', "transkun", "2.0.1", "cd" * 32, True, '{"music":"ab"}')


def assert_equal(one: Any, other: Any) -> None:
    assert type(one) is type(other)
    for field in fields(one):
        left, right = getattr(one, field.name), getattr(other, field.name)
        assert type(left) is type(right), field.name
        if isinstance(left, np.ndarray):
            assert left.dtype == right.dtype
            assert left.shape == right.shape
            assert left.tobytes() == right.tobytes()
        else:
            assert left == right, field.name


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: type(record).__name__)
def test_a_record_survives_exactly(record: Any) -> None:
    found, by = decode(encode(record, BY))
    assert_equal(found, record)
    assert by == BY


def test_every_type_of_record_is_tried_here() -> None:
    assert {type(record).__name__ for record in RECORDS} == set(RECORD_TYPES) - {"Rejection"}


def test_a_record_gives_the_same_bytes_every_time() -> None:
    assert [encode(record, BY) for record in RECORDS] == [encode(record, BY) for record in RECORDS]  # type: ignore[arg-type]


@pytest.mark.parametrize("url", ["{}", "memory://sidecars-{}"])
def test_results_and_rejections_lie_under_their_key(url: str, tmp_path: Path) -> None:
    sidecars = Sidecars(Root(url.format(tmp_path)), "symmv")
    assert sidecars.present("song") == frozenset()
    key = Key("C", "major", 0.5)
    sidecars.save("song", "key", "k1", key, BY)
    sidecars.reject("song", "beats", "k2", Rejection("rhythm", Reason.NO_BEATS, "none found"))
    assert sidecars.present("song") == {"key.k1.npz", "beats.k2.rejected.json"}
    assert sidecars.load("song", "key", "k1") == (key, BY)
    assert sidecars.rejection("song", "beats", "k2").reason is Reason.NO_BEATS
    with pytest.raises(KeyError, match="song has no key under key k2"):
        sidecars.load("song", "key", "k2")
    with pytest.raises(KeyError, match="song has no rejected beats"):
        sidecars.rejection("song", "beats", "k1")


@pytest.mark.parametrize("left", [0, 1, 100])
def test_a_damaged_sidecar_stops_the_run_and_is_named(tmp_path: Path, left: int) -> None:
    sidecars = Sidecars(Root(str(tmp_path)), "symmv")
    sidecars.save("song", "key", "k1", Key("C", "major", 0.5), BY)
    path = tmp_path / "symmv/sidecars/song/key.k1.npz"
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(StopRun, match=r"key\.k1\.npz is damaged"):
        sidecars.load("song", "key", "k1")


def test_a_pickle_in_a_sidecar_is_not_opened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "sprung",))

    path = tmp_path / "trap.npz"
    np.savez(path, __record__=np.array([Trap()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        decode(path.read_bytes())
    assert not (tmp_path / "sprung").exists()
