"""The MIDI reader against files of known bytes, against pretty_midi, and against hostility."""

import io
import struct
import time
from contextlib import suppress
from pathlib import Path

import mido
import numpy as np
import pretty_midi
import pytest

from symmv_builder.backends.midi import (
    MAX_BYTES,
    is_midi,
    midi_bytes,
    read_beats,
    read_notes,
    write_notes,
)
from symmv_builder.errors import Reason, RejectEntry
from symmv_builder.records import Notes


def track(*events: bytes) -> bytes:
    body = b"".join(events) + b"\x00\xff\x2f\x00"
    return b"MTrk" + struct.pack(">L", len(body)) + body


def score(*tracks: bytes, division: int = 480, kind: int = 1) -> bytes:
    return struct.pack(">4sLHHH", b"MThd", 6, kind, len(tracks), division) + b"".join(tracks)


def save(folder: Path, data: bytes) -> Path:
    path = folder / "song.mid"
    path.write_bytes(data)
    return path


def saved(folder: Path, *messages: mido.Message, division: int = 480) -> Path:
    midi = mido.MidiFile(ticks_per_beat=division)
    midi.tracks.append(mido.MidiTrack(messages))
    out = io.BytesIO()
    midi.save(file=out)
    return save(folder, out.getvalue())


def rows(notes: Notes) -> list[tuple[float, int, float, int]]:
    fields = (notes.starts_s, notes.pitches, notes.ends_s, notes.velocities)
    return [tuple(row) for row in zip(*(field.tolist() for field in fields), strict=True)]


def test_times_follow_the_tempo_map(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        mido.MetaMessage("set_tempo", tempo=1_000_000),
        mido.Message("note_on", note=60, velocity=70, time=480),
        mido.MetaMessage("set_tempo", tempo=250_000, time=240),
        mido.Message("note_off", note=60, time=480),
    )
    assert rows(read_notes(path)) == [(1.0, 60, 1.75, 70)]


def test_running_status_and_a_note_on_without_velocity_are_read(tmp_path: Path) -> None:
    events = track(b"\x00\x90\x3c\x40", b"\x83\x60\x3c\x00", b"\x00\x3e\x40", b"\x83\x60\x3e\x00")
    assert rows(read_notes(save(tmp_path, score(events)))) == [(0, 60, 0.5, 64), (0.5, 62, 1, 64)]


def test_whole_seconds_come_out_whole(tmp_path: Path) -> None:
    messages = [mido.Message("note_on", note=60, velocity=9, time=440) for _ in range(600)]
    messages += [mido.Message("note_off", note=60) for _ in messages]
    notes = read_notes(saved(tmp_path, *messages, division=220))
    assert notes.starts_s.tolist() == list(range(1, 601))


def test_time_can_be_counted_in_frames(tmp_path: Path) -> None:
    events = track(b"\x83\x74\x90\x3c\x40", b"\x83\x74\x80\x3c\x40")
    path = save(tmp_path, score(events, division=(256 - 25) << 8 | 40))
    assert rows(read_notes(path)) == [(0.5, 60, 1.0, 64)]
    assert read_beats(path).times_s.tolist() == [0, 0.5, 1.0]


def test_two_notes_of_one_pitch_end_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        mido.Message("note_on", note=60, velocity=50),
        mido.Message("note_on", note=60, velocity=80, time=480),
        mido.Message("note_off", note=60, time=480),
        mido.Message("note_off", note=60, time=480),
    )
    assert rows(read_notes(path)) == [(0, 60, 1, 50), (0.5, 60, 1.5, 80)]


def test_drums_are_left_out_and_the_pedal_is_kept_apart(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        mido.Message("note_on", note=60, velocity=50),
        mido.Message("note_on", channel=9, note=36, velocity=99),
        mido.Message("control_change", control=64, value=127, time=240),
        mido.Message("note_off", note=60, time=240),
        mido.Message("note_off", channel=9, note=36),
        mido.Message("control_change", control=64, value=0, time=480),
    )
    notes = read_notes(path)
    assert rows(notes) == [(0, 60, 0.5, 50)]
    assert (notes.pedal_starts_s.tolist(), notes.pedal_ends_s.tolist()) == ([0.25], [1.0])


def test_beats_follow_tempo_and_time_signature(tmp_path: Path) -> None:
    path = saved(
        tmp_path,
        mido.MetaMessage("time_signature", numerator=3, denominator=4),
        mido.MetaMessage("set_tempo", tempo=600_000, time=3 * 480),
        mido.MetaMessage("time_signature", numerator=2, denominator=4),
        mido.Message("note_on", note=60, velocity=50),
        mido.Message("note_off", note=60, time=3 * 480),
    )
    beats = read_beats(path)
    assert beats.times_s == pytest.approx([0, 0.5, 1.0, 1.5, 2.1, 2.7, 3.3])
    assert beats.positions.tolist() == [1, 2, 3, 1, 2, 1, 2]


def test_what_would_begin_before_the_file_begins_with_it(tmp_path: Path) -> None:
    notes = Notes(
        starts_s=np.array([-0.01, 0.5]),
        ends_s=np.array([0.5, 1]),
        pitches=np.array([48, 60]),
        velocities=np.array([9, 9]),
    )
    path = tmp_path / "out.mid"
    write_notes(path, {"piano": notes})
    assert read_notes(path).starts_s.tolist() == [0.0, 0.5]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    notes = Notes(
        starts_s=np.array([0, 0, 1]),
        ends_s=np.array([1, 0.5, 2]),
        pitches=np.array([48, 60, 60]),
        velocities=np.array([1, 64, 127]),
        pedal_starts_s=np.array([0.25]),
        pedal_ends_s=np.array([1.5]),
    )
    path = tmp_path / "out.mid"
    write_notes(path, {"melody": notes, "accompaniment": notes}, tempo_bpm=120, ticks_per_beat=220)
    midi = pretty_midi.PrettyMIDI(str(path))
    assert [instrument.name for instrument in midi.instruments] == ["melody", "accompaniment"]
    assert midi.resolution == 220
    one = tmp_path / "one.mid"
    one.write_bytes(midi_bytes({"piano": notes}))
    again = read_notes(one)
    assert rows(again) == rows(notes)
    assert (again.pedal_starts_s.tolist(), again.pedal_ends_s.tolist()) == ([0.25], [1.5])


@pytest.mark.twin("test_made_files_are_read_as_pretty_midi_reads_them")
def test_real_files_are_read_as_pretty_midi_reads_them(shared_data: Path) -> None:
    files = sorted((shared_data / "symmv/midi").glob("*.mid"))[:10]
    files += sorted((shared_data / "pop909").glob("*/*.mid"))[:10]
    check_against_pretty_midi(files)


def test_made_files_are_read_as_pretty_midi_reads_them(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    paths = []
    for number in range(4):
        starts = np.sort(random.uniform(0, 60, 200))
        pitches = np.arange(200) % 60 + 30
        notes = Notes(starts, starts + 0.2, pitches, random.integers(1, 128, 200))
        path = tmp_path / f"{number}.mid"
        write_notes(path, {"piano": notes}, tempo_bpm=70 + 40 * number, ticks_per_beat=220)
        paths.append(path)
    check_against_pretty_midi(paths)


def check_against_pretty_midi(files: list[Path]) -> None:
    for path in files:
        midi = pretty_midi.PrettyMIDI(str(path))
        wanted = sorted(
            (note.start, note.pitch, note.end, note.velocity)
            for instrument in midi.instruments
            for note in instrument.notes
        )
        assert np.allclose(sorted(rows(read_notes(path))), wanted, atol=1e-9), path.name
        grid = midi.get_beats()
        assert np.allclose(read_beats(path).times_s[: len(grid)], grid, atol=1e-9), path.name


NOTE = b"\x00\x90\x3c\x40\x83\x60\x80\x3c\x40"
DAMAGED = {
    "nothing": (b"", Reason.EMPTY_FILE),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(64), Reason.NOT_MEDIA),
    "a header alone": (b"MThd\x00\x00", Reason.UNREADABLE),
    "half a file": (score(track(NOTE))[:-9], Reason.UNREADABLE),
    "a track of four gigabytes": (
        score(b"MTrk\xff\xff\xff\xff" + NOTE), Reason.UNREADABLE,
    ),
    "a delta time without end": (score(track(b"\xff" * 1000)), Reason.UNREADABLE),
    "an event that breaks off": (
        score(b"MTrk" + struct.pack(">L", 3) + b"\x00\x90\x3c"), Reason.UNREADABLE,
    ),
    "no ticks in a beat": (score(track(NOTE), division=0), Reason.UNREADABLE),
    "an impossible frame rate": (score(track(NOTE), division=0x8100), Reason.UNREADABLE),
    "independent patterns": (score(track(NOTE), track(NOTE), kind=2), Reason.UNREADABLE),
    "data before any status": (score(track(b"\x00\x3c\x40")), Reason.UNREADABLE),
    "a pitch over 127": (score(track(b"\x00\x90\xbc\x40")), Reason.UNREADABLE),
    "days of silence": (score(track(*[b"\xff\xff\xff\x7f\x90\x3c\x00"] * 2000)), Reason.TOO_LONG),
    "too many bytes": (score(track(NOTE)) + bytes(MAX_BYTES), Reason.TOO_LARGE),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_or_hostile_file_is_a_rejection(name: str, tmp_path: Path) -> None:
    data, reason = DAMAGED[name]
    path = save(tmp_path, data)
    for read in (read_notes, read_beats):
        with pytest.raises(RejectEntry) as caught:
            read(path)
        assert caught.value.reason is reason
        assert "\n" not in caught.value.detail


def test_any_single_broken_byte_gives_notes_or_a_rejection(tmp_path: Path) -> None:
    notes = Notes(
        np.array([0, 0.5]),
        np.array([0.5, 1]),
        np.array([60, 62]),
        np.array([64, 64]),
        pedal_starts_s=np.array([0]),
        pedal_ends_s=np.array([1]),
    )
    data = midi_bytes({"piano": notes})
    random = np.random.default_rng(0)
    for place in range(len(data)):
        broken = bytearray(data)
        broken[place] = random.integers(256)
        path = save(tmp_path, bytes(broken))
        for read in (read_notes, read_beats):
            with suppress(RejectEntry):
                read(path)


def test_a_file_of_a_million_tempos_is_read_in_seconds(tmp_path: Path) -> None:
    path = save(tmp_path, score(track(*[b"\x01\xff\x51\x03\x07\xa1\x20"] * 1_000_000)))
    began = time.perf_counter()
    read_notes(path)
    assert time.perf_counter() - began < 20


def test_a_file_is_midi_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    assert is_midi(save(tmp_path, score(track(NOTE))))
    assert not is_midi(save(tmp_path, b"RIFF"))
    assert not is_midi(tmp_path / "absent.mid")
