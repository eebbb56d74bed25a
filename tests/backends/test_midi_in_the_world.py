"""MIDI files as they come: what the format forbids and files do, each with one meaning."""

import gzip
import struct
import tracemalloc
import zlib
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pretty_midi
import pytest

from symmv_builder.backends.midi import MAX_BYTES, is_midi, read_beats, read_notes, read_tracks
from symmv_builder.errors import Reason, RejectEntry

END = b"\x00\xff\x2f\x00"
# A tick is a millisecond at the default tempo of 120 to the minute.
DIVISION = 500


def track(*events: bytes) -> bytes:
    body = b"".join(events) + END
    return b"MTrk" + struct.pack(">L", len(body)) + body


def score(*tracks: bytes, kind: int = 1, count: int | None = None) -> bytes:
    claimed = len(tracks) if count is None else count
    return struct.pack(">4sLHHH", b"MThd", 6, kind, claimed, DIVISION) + b"".join(tracks)


def delta(ticks: int) -> bytes:
    low = bytes((ticks & 0x7F,))
    return bytes((ticks >> 7 | 0x80,)) + low if ticks >> 7 else low


def on(ticks: int, pitch: int = 60, velocity: int = 80) -> bytes:
    return delta(ticks) + bytes((0x90, pitch, velocity))


def off(ticks: int, pitch: int = 60) -> bytes:
    return delta(ticks) + bytes((0x80, pitch, 64))


def control(ticks: int, number: int, value: int = 0) -> bytes:
    return delta(ticks) + bytes((0xB0, number, value))


SCALE = [event for pitch in range(60, 68) for event in (on(0, pitch), off(500, pitch))]
ROWS = [(0.5 * n, 0.5 * (n + 1), 60 + n) for n in range(8)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "song.mid"


def rows(path: Path, data: bytes) -> list[tuple[float, float, int]]:
    path.write_bytes(data)
    notes = read_notes(path)
    columns = (notes.starts_s, notes.ends_s, notes.pitches)
    return list(zip(*(np.round(column, 9).tolist() for column in columns), strict=True))


def spans(path: Path, *events: bytes) -> list[tuple[float, float]]:
    return [(start, end) for start, end, _ in rows(path, score(track(*events)))]


META = b"\x00\xff\x05\x02la"
EXCLUSIVE = b"\x00\xf0\x05\x7e\x7f\x09\x01\xf7"
ESCAPE = b"\x00\xf7\x02\xf3\x01"


@pytest.mark.parametrize("between", [META, EXCLUSIVE, ESCAPE, META + EXCLUSIVE + META])
def test_running_status_goes_on_after_meta_and_system_events(between: bytes, path: Path) -> None:
    events = [b"\x00\x90\x3c\x50", between, b"\x83\x74\x3c\x00"]
    events += [event for p in b"\x3e\x40" for event in (
        bytes((0, p, 80)), between, b"\x83\x74" + bytes((p, 0)), between
    )]  # fmt: skip
    expected = [(0, 0.5, 60), (0.5, 1, 62), (1, 1.5, 64)]
    assert rows(path, score(track(*events))) == expected


REAL_TIME = [bytes((byte,)) for byte in (0xF8, 0xF9, 0xFA, 0xFB, 0xFC, 0xFD, 0xFE)]
COMMON = [b"\xf1\x12", b"\xf2\x01\x02", b"\xf3\x05", b"\xf4", b"\xf5", b"\xf6", b"\xf7"]


@pytest.mark.parametrize("message", [*REAL_TIME, *COMMON, b"\xff"], ids=bytes.hex)
def test_system_messages_of_a_cable_are_passed_over(message: bytes, path: Path) -> None:
    events = [part for event in SCALE for part in (b"\x00" + message, event)]
    assert rows(path, score(track(*events))) == ROWS


@pytest.mark.parametrize("message", [*REAL_TIME, b"\xf7", b"\xff"], ids=bytes.hex)
def test_a_system_message_takes_its_own_delta_time(message: bytes, path: Path) -> None:
    events = [on(0), b"\x64" + message, off(400)]
    assert rows(path, score(track(*events))) == [(0, 0.5, 60)]


def test_real_time_bytes_may_stand_within_an_event(path: Path) -> None:
    events = [b"\x00\x90\xfe\x3c\xf8\xf8\x50", b"\x83\x74\x80\x3c\xfe\x40"]
    assert rows(path, score(track(*events))) == [(0, 0.5, 60)]


def test_an_exclusive_whose_length_leaves_out_its_end_shifts_nothing(path: Path) -> None:
    short = b"\x00\xf0\x04\x7e\x7f\x09\x01\xf7"
    assert rows(path, score(track(short, *SCALE))) == ROWS


@pytest.mark.parametrize("seed", range(40))
def test_what_is_inserted_between_events_never_changes_the_notes(seed: int, path: Path) -> None:
    chance = np.random.default_rng(seed)
    events: list[bytes] = []
    for pitch in chance.integers(30, 90, size=60):
        events += [on(int(chance.integers(300)), pitch), off(int(chance.integers(1, 300)), pitch)]
    # The same events by running status where the one before had it too.
    if seed % 2:
        events = [bytes((*e[:-3], 0x90, e[-2], e[-1] * (e[-3] == 0x90))) for e in events]
        events = [events[0], *(e[:-3] + e[-2:] for e in events[1:])]
    plain = rows(path, score(track(*events)))
    assert len(plain) == 60
    strange = [*REAL_TIME, *COMMON[:-1], META[1:], EXCLUSIVE[1:], b"\xff\x7f\x00"]
    mixed = []
    for event in events:
        picked = chance.integers(len(strange), size=chance.integers(4))
        mixed += [b"\x00" + strange[n] for n in picked] + [event]
    assert rows(path, score(track(*mixed))) == plain


@pytest.mark.parametrize("count", [0, 1, 2, 4, 65535])
def test_a_file_has_the_tracks_that_it_holds_whatever_its_header_says(
    count: int, path: Path
) -> None:
    tempo = track(b"\x00\xff\x51\x03\x07\xa1\x20")
    tracks = (tempo, track(*SCALE), track(on(0, 90), off(500, 90)))
    assert len(rows(path, score(*tracks, count=count))) == 9
    assert [len(notes.pitches) for _, notes in read_tracks(path)] == [8, 1]


def test_foreign_chunks_and_bytes_after_the_tracks_are_passed_over(path: Path) -> None:
    foreign = b"XFIH" + struct.pack(">L", 5) + b"hello"
    for tail in (b"", b"\0" * 100, b"\x1a", b"\r\n", foreign, b"what is this, a trailer of bytes?"):
        assert rows(path, score(foreign, track(*SCALE), count=1) + tail) == ROWS


def test_one_pattern_of_type_2_is_a_piece(path: Path) -> None:
    assert rows(path, score(track(*SCALE), kind=2)) == ROWS
    tempo = track(b"\x00\xff\x51\x03\x07\xa1\x20")
    assert rows(path, score(tempo, track(*SCALE), kind=2)) == ROWS


@pytest.mark.parametrize(
    ("body", "beat_s"),
    [
        (b"\x0f\x42\x40", 1.0),
        (b"\x00\x0f\x42\x40", 1.0),
        (b"\x00\x00\x0f\x42\x40", 1.0),
        (b"\x0f\x42\x40\x00", 1.0),
        (b"\x0f\x42", 0.5),
        (b"\x0f", 0.5),
        (b"", 0.5),
        (b"\x00\x00\x00", 0.5),
        (b"\x00\x00\x00\x00", 0.5),
    ],
)
def test_a_tempo_of_a_wrong_length_counts_where_its_value_is_clear(
    body: bytes, beat_s: float, path: Path
) -> None:
    tempo = b"\x00\xff\x51" + bytes((len(body),)) + body
    path.write_bytes(score(track(tempo, on(0), off(DIVISION))))
    assert read_beats(path).times_s.tolist() == [0, beat_s]
    assert read_notes(path).ends_s.tolist() == [beat_s]


@pytest.mark.parametrize(
    ("number", "lifted_s"), [(64, 0.5), (121, 0.5), (120, 1.0), (123, 1.0), (127, 1.0), (66, 1.0)]
)
def test_what_lifts_the_pedal(number: int, lifted_s: float, path: Path) -> None:
    path.write_bytes(score(track(
        control(0, 64, 127), on(0), off(500), control(0, number), on(250, 62), off(250, 62)
    )))  # fmt: skip
    notes = read_notes(path)
    assert (notes.pedal_starts_s.tolist(), notes.pedal_ends_s.tolist()) == ([0], [lifted_s])


@pytest.mark.parametrize("number", [120, 123, 124, 125, 126, 127])
def test_all_notes_off_ends_the_notes_of_its_channel(number: int, path: Path) -> None:
    other = b"\x00\x91\x40\x50"
    events = [on(0), on(0, 64), other, control(500, number), off(500, 64), b"\x00\x81\x40\x40"]
    assert rows(path, score(track(*events))) == [(0, 0.5, 60), (0, 0.5, 64), (0, 1, 64)]


def test_a_lost_release_shifts_no_later_end(path: Path) -> None:
    later = [event for _ in range(3) for event in (on(500), off(500))]
    events = [on(0), on(1000), off(500), *later]
    assert spans(path, *events) == [(0, 1), (1, 1.5), (2, 2.5), (3, 3.5), (4, 4.5)]


def test_two_lost_releases_shift_no_later_end(path: Path) -> None:
    events = [on(0), on(1000), on(1000), off(500), on(500), off(500)]
    assert spans(path, *events) == [(0, 1), (1, 2), (2, 2.5), (3, 3.5)]


def test_a_lost_release_of_one_pitch_leaves_other_pitches_alone(path: Path) -> None:
    events = [on(0), on(0, 64), off(500, 64), on(500), off(500)]
    found = rows(path, score(track(*events)))
    assert found == [(0, 1, 60), (0, 0.5, 64), (1, 1.5, 60)]


def test_a_release_and_a_strike_of_one_tick_may_stand_in_either_order(path: Path) -> None:
    for events in ([on(0), on(500), off(0), off(500)], [on(0), off(500), on(0), off(500)]):
        assert spans(path, *events) == [(0, 0.5), (0.5, 1)]
        lost = [on(0, 60), on(100), *events[1:]]
        assert spans(path, *lost)[-1] == (0.6, 1.1)


def test_a_note_that_is_struck_twice_at_once_is_held_no_longer_than_its_key(path: Path) -> None:
    assert spans(path, on(0), on(0), off(500), on(1500), off(500)) == [
        (0, 0.5), (0, 0.5), (2, 2.5)
    ]  # fmt: skip


def test_the_last_note_without_a_release_is_left_out(path: Path) -> None:
    assert spans(path, on(0), off(500), on(0)) == [(0, 0.5)]


def test_voices_that_share_a_pitch_are_read_as_pretty_midi_reads_their_starts(path: Path) -> None:
    chance = np.random.default_rng(5)
    events: list[tuple[int, bytes]] = []
    for start in range(0, 20_000, 400):
        pitch, length = int(chance.integers(58, 62)), int(chance.integers(100, 390))
        events += [(start, bytes((0x90, pitch, 70))), (start + length, bytes((0x80, pitch, 0)))]
    now, body = 0, []
    for tick, event in sorted(events):
        body.append(delta(tick - now) + event)
        now = tick
    found = rows(path, score(track(*body)))
    [instrument] = pretty_midi.PrettyMIDI(str(path)).instruments
    wanted = sorted((note.start, note.end, note.pitch) for note in instrument.notes)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def riff(data: bytes, *before: bytes, size: int | None = None) -> bytes:
    chunk = b"data" + struct.pack("<L", len(data) if size is None else size) + data
    body = b"RMID" + b"".join(before) + chunk + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<L", len(body)) + body


TITLE = b"LIST" + struct.pack("<L", 5) + b"INFO!\0"


@pytest.mark.parametrize("before", [(), (TITLE,), (TITLE, TITLE)])
def test_a_file_in_riff_is_read(before: Sequence[bytes], path: Path) -> None:
    for data in (riff(score(track(*SCALE)), *before), riff(score(track(*SCALE, META)), *before)):
        assert rows(path, data) == ROWS
        assert is_midi(path)


def test_a_file_in_gzip_is_read(path: Path) -> None:
    plain = score(track(*SCALE))
    twice = gzip.compress(plain[:50]) + gzip.compress(plain[50:])
    for data in (gzip.compress(plain), gzip.compress(riff(plain)), twice):
        assert rows(path, data) == ROWS
    path.write_bytes(gzip.compress(plain))
    assert is_midi(path)
    path.write_bytes(gzip.compress(b"no music at all"))
    assert not is_midi(path)


PLAIN = score(track(*SCALE))
DAMAGED = {
    "gzip that breaks off": (gzip.compress(PLAIN)[:-12], Reason.UNREADABLE),
    "gzip with a wrong checksum": (gzip.compress(PLAIN)[:-8] + bytes(8), Reason.UNREADABLE),
    "gzip of nothing known": (b"\x1f\x8b" + bytes(30), Reason.UNREADABLE),
    "gzip of a text": (gzip.compress(b"hello"), Reason.NOT_MEDIA),
    "gzip in gzip": (gzip.compress(gzip.compress(PLAIN)), Reason.NOT_MEDIA),
    "riff without data": (b"RIFF\x00\x00\x00\x00RMID" + TITLE, Reason.UNREADABLE),
    "riff of four gigabytes": (
        b"RIFF\xff\xff\xff\xffRMIDdata\xff\xff\xff\xffMThd", Reason.UNREADABLE,
    ),
    "riff of sound": (b"RIFF\x00\x00\x00\x00WAVEdata" + bytes(50), Reason.NOT_MEDIA),
    "two patterns": (score(track(*SCALE), track(*SCALE), kind=2), Reason.UNREADABLE),
    "a type that there is not": (score(track(*SCALE), kind=3), Reason.UNREADABLE),
    "no track": (score(count=1), Reason.UNREADABLE),
    "a header that is too short": (b"MThd\0\0\0\x02" + PLAIN[8:], Reason.UNREADABLE),
    "a header of four gigabytes": (b"MThd\xff\xff\xff\xff" + PLAIN[8:], Reason.UNREADABLE),
    "half of a track's header": (PLAIN + b"MTrk\0\0", Reason.UNREADABLE),
    "no track where one should be": (
        score(track(*SCALE), b"MTsk\xff\xff\xff\xff", count=2), Reason.UNREADABLE,
    ),
    "an exclusive without an end": (score(track(b"\x00\xf0\x8f\x7f\x01")), Reason.UNREADABLE),
    "a song position over 127": (score(track(b"\x00\xf2\x80\x80")), Reason.UNREADABLE),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_file_has_one_clear_reason(name: str, path: Path) -> None:
    data, reason = DAMAGED[name]
    path.write_bytes(data)
    for read in (read_notes, read_beats):
        with pytest.raises(RejectEntry) as caught:
            read(path)
        assert caught.value.reason is reason
        assert "\n" not in caught.value.detail


def test_a_bomb_is_never_unpacked_whole(path: Path) -> None:
    packer = zlib.compressobj(wbits=31)
    data = packer.compress(PLAIN)
    for _ in range(400):
        data += packer.compress(bytes(1 << 20))
    path.write_bytes(data + packer.flush())
    tracemalloc.start()
    with pytest.raises(RejectEntry, match="too_large"):
        read_notes(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * MAX_BYTES


def test_random_bytes_in_any_place_give_notes_or_a_rejection(path: Path) -> None:
    chance = np.random.default_rng(1)
    whole = [PLAIN, riff(PLAIN, TITLE), gzip.compress(PLAIN)]
    for number in range(600):
        data = bytearray(whole[number % 3])
        for place in chance.integers(len(data), size=3):
            data[place] = chance.integers(256)
        path.write_bytes(bytes(data[: chance.integers(len(data) // 2, len(data) + 1)]))
        with suppress(RejectEntry):
            read_notes(path)
