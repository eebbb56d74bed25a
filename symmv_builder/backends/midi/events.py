"""The events of a Standard MIDI file: notes, pedal, tempos and meters, in ticks.

What files in the world do and the format (Standard MIDI Files 1.0) forbids is read where it
has one meaning:

- Running status goes on after meta events and system exclusives.
- System real-time (F8-FE) and system common bytes (F1-F6) of a recorded cable stand among a
  track's events; they are passed over. So is F7 without a length and FF as a reset.
- The header's number of tracks is not believed: a file has the tracks that it holds.
- A file of type 2 is a piece where no more than one of its patterns holds notes.
- A tempo of more than three bytes is read if its value fits into three, else by the first
  three; a shorter one says nothing.

Which note does a release end? While a key is struck again before it is released, releases
are gathered. Once there are as many as strikes, the notes end in the order in which they
began: two voices share the pitch. If there are fewer at the end of the track, a release was
lost; then each release ends the *newest* note that began before it. If it ended the oldest,
one lost release would give all later notes of that pitch the end of the note before. A note
whose own release was lost ends when its key next moves, struck or released; if it never
does, nothing is known of its length and it is left out.

Controllers: 64 is the sustain pedal. Reset All Controllers (121) lifts it (MIDI
Recommended Practice RP-015). All Sound Off (120), All Notes Off (123) and the changes of mode
(124-127), which include it, end the notes of their channel and leave the pedal where it is
(MIDI 1.0, channel mode messages).
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

DRUM_CHANNEL = 9
SUSTAIN = 64
_RESET_CONTROLLERS = 121
_NOTES_OFF = frozenset((120, 123, 124, 125, 126, 127))
_SMPTE_RATES = {24: 24.0, 25: 25.0, 29: 30000 / 1001, 30: 30.0}
# Data bytes of a system common message; the undefined ones and real-time have none.
_SYSTEM_DATA = {0xF1: 1, 0xF2: 2, 0xF3: 1}


@dataclass(slots=True)
class Track:
    """One track, in ticks: notes are ``(start, end, pitch, velocity)``, pedals spans."""

    name: str = ""
    notes: list[tuple[int, int, int, int]] = field(default_factory=list)
    pedals: list[tuple[int, int]] = field(default_factory=list)
    tempos: list[tuple[int, int]] = field(default_factory=list)
    meters: list[tuple[int, int, int]] = field(default_factory=list)
    last_tick: int = 0
    last_control: int = 0


@dataclass(frozen=True, slots=True)
class MidiTracks:
    """A file's tracks; a tick lasts `tick_s`, or by the tempos where that is `None`."""

    ticks_per_beat: int
    tick_s: float | None
    tracks: tuple[Track, ...]

    @property
    def last_tick(self) -> int:
        return max(track.last_tick for track in self.tracks)


def parse(data: bytes) -> MidiTracks:
    """Parse the events of a file that begins with ``MThd``; `ValueError` says what is damaged."""
    if len(data) < 14:
        raise ValueError("it ends within its header")
    length, kind, count, division = struct.unpack(">LHHH", data[4:14])
    if length < 6:
        raise ValueError("its header is too short")
    if kind > 2:
        raise ValueError(f"it is of type {kind}; there are 0, 1 and 2")
    ticks_per_beat, tick_s = division, None
    if division & 0x8000:
        rate = _SMPTE_RATES.get(256 - (division >> 8), 0.0) * (division & 0xFF)
        ticks_per_beat, tick_s = (1, 1.0 / rate) if rate else (0, None)
    if not ticks_per_beat:
        raise ValueError("its time division is zero")
    tracks = tuple(_read_track(body) for body in _bodies(data, 8 + length, count))
    if not tracks:
        raise ValueError("it holds no track")
    patterns = sum(bool(track.notes) for track in tracks)
    if kind == 2 and patterns > 1:
        raise ValueError(f"type 2 holds {patterns} independent patterns, not one piece")
    return MidiTracks(ticks_per_beat, tick_s, tracks)


def _bodies(data: bytes, at: int, count: int) -> Iterator[bytes]:
    """Iterate over each track's bytes; what follows the last one and is no chunk is passed over."""
    read_bytes = 0
    while len(data) - at >= 8:
        name, size = struct.unpack(">4sL", data[at : at + 8])
        at += 8
        if at + size > len(data):
            if name == b"MTrk":
                raise ValueError("a track goes on after the end of the file")
            if read_bytes < count:
                raise ValueError(f"what follows {read_bytes} of its {count} tracks is no track")
            return
        if name == b"MTrk":
            read_bytes += 1
            yield data[at : at + size]
        at += size
    if at < len(data) and b"MTrk".startswith(data[at : at + 4]):
        raise ValueError("it ends within the header of a track")


def _read_track(data: bytes) -> Track:
    try:
        return _parse_track(data)
    except (IndexError, ValueError) as error:
        try:
            # An F7 without a length, taken for one with, makes nonsense of what follows.
            if 0xF7 in data:
                return _parse_track(data, bare_ends=True)
        except (IndexError, ValueError):
            pass
        if isinstance(error, IndexError):
            raise ValueError("it ends in the middle of an event") from error
        raise


def _parse_track(data: bytes, *, bare_ends: bool = False) -> Track:
    """Parse one track; `IndexError` where it breaks off. With `bare_ends`, no F7 has a length."""
    track = Track()
    playing = _Playing(track)
    at, tick, status, end = 0, 0, 0, len(data)
    while at < end:
        delta = data[at]
        at += 1
        if delta & 0x80:
            delta, at = _number(data, at - 1)
        tick += delta
        byte = data[at]
        if byte >= 0xF0:
            at = _system(track, tick, data, at, bare_ends=bare_ends)
            continue
        if byte & 0x80:
            status = byte
            at += 1
        elif not status:
            raise ValueError("it holds data before any status")
        count = 1 if status & 0xE0 == 0xC0 else 2
        first, second = data[at], data[at + 1] if count == 2 else 0
        at += count
        if (first | second) & 0x80:
            first, second, at = _data_bytes(data, at - count, count)
        playing.take(status, first, second, tick)
    if at > end:
        raise IndexError
    playing.end(tick)
    track.last_tick = tick
    return track


def _system(track: Track, tick: int, data: bytes, at: int, *, bare_ends: bool) -> int:
    """Take a meta event, pass over any other system message; gives the place behind."""
    byte = data[at]
    at += 1
    if byte == 0xFF:
        if _is_reset(data, at):
            return at
        size, start = _number(data, at + 1)
        if data[at] == 0x2F:
            return len(data)
        _take_meta(track, data[at], data[start : start + size], tick)
        return start + size
    if byte == 0xF0 or (byte == 0xF7 and not bare_ends and not _is_bare_end(data, at)):
        size, at = _number(data, at)
        at += size
        # The end of an exclusive that its length does not count.
        if byte == 0xF0 and data[at - 1] != 0xF7 and data[at : at + 1] == b"\xf7":
            at += 1
        return at
    after = at + _SYSTEM_DATA.get(byte, 0)
    if any(value & 0x80 for value in data[at:after]):
        raise ValueError("an event holds a byte over 127")
    return after


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a variable-length number; gives the place behind it."""
    value = 0
    for place in range(at, at + 4):
        value = value << 7 | data[place] & 0x7F
        if not data[place] & 0x80:
            return value, place + 1
    raise ValueError("a variable-length number has more than four bytes")


def _data_bytes(data: bytes, at: int, count: int) -> tuple[int, int, int]:
    """Read one or two data bytes, among which real-time bytes may stand; gives the place behind."""
    values: list[int] = []
    while len(values) < count:
        if data[at] < 0x80:
            values.append(data[at])
        elif data[at] < 0xF8:
            raise ValueError("an event holds a byte over 127")
        at += 1
    return values[0], values[-1] if count == 2 else 0, at


def _is_reset(data: bytes, at: int) -> bool:
    """Check whether an FF before this place is a reset from a cable, and not a meta event.

    Kinds of meta events are below 128, and the only one that is 0 has two bytes or none.
    """
    return data[at] >= 0x80 or (data[at] == 0 and data[at + 1] not in (0, 2))


def _is_bare_end(data: bytes, at: int) -> bool:
    """Check whether F7 before this place has no length: the 0 that follows is the next delta time.

    A packet of no bytes would be written for nothing, so it is none where a whole event
    follows that 0.
    """
    if data[at : at + 1] != b"\x00" or len(data) - at < 4:
        return False
    status, first, second = data[at + 1 : at + 4]
    return status >= 0xF0 or (status >= 0x80 and not (first | second) & 0x80)


def _take_meta(track: Track, kind: int, body: bytes, tick: int) -> None:
    if kind == 0x51 and len(body) >= 3:
        tempo = int.from_bytes(body, "big")
        if tempo >> 24:
            tempo = int.from_bytes(body[:3], "big")
        if tempo:
            track.tempos.append((tick, tempo))
    elif kind == 0x58 and len(body) >= 2 and body[0] and body[1] <= 6:
        track.meters.append((tick, body[0], 2 ** body[1]))
    elif kind == 0x03 and not track.name:
        track.name = body.decode(errors="replace")


class _Playing:
    """The keys and pedals of a track that are down.

    Notes and pedal spans go into the track as they end.
    """

    def __init__(self, track: Track) -> None:
        self._notes, self._pedals = track.notes, track.pedals
        self._track = track
        # Strikes ``(tick, velocity)`` and releases of each key, ``channel << 7 | pitch``.
        self._keys: dict[int, tuple[list[tuple[int, int]], list[int]]] = {}
        self._pedals_down: dict[int, int] = {}

    def take(self, status: int, first: int, second: int, tick: int) -> None:
        """Take a channel event: a key struck or released, or a controller.

        Others change nothing.
        """
        channel = status & 0x0F
        if status >= 0xC0 or channel == DRUM_CHANNEL:
            return
        if status >= 0xB0:
            self._control(channel, first, second, tick)
        elif status < 0xA0:
            key = channel << 7 | first
            down = self._keys.get(key)
            if status >= 0x90 and second:
                if down is None:
                    self._keys[key] = ([(tick, second)], [])
                else:
                    down[0].append((tick, second))
            elif down is not None and len(down[0]) == 1:
                del self._keys[key]
                start, velocity = down[0][0]
                self._notes.append((start, tick, first, velocity))
            elif down is not None:
                self._release(key, *down, tick)

    def end(self, tick: int) -> None:
        """End the track: for the keys that are still down, a release was lost."""
        for key in list(self._keys):
            self._end_lost(key, None)
        self._pedals += [(start, tick) for start in self._pedals_down.values()]

    def _release(
        self, key: int, strikes: list[tuple[int, int]], releases: list[int], tick: int
    ) -> None:
        """Keep a release of a key that was struck again until there are as many as strikes."""
        releases.append(tick)
        if len(releases) == len(strikes):
            del self._keys[key]
            for (start, velocity), end in zip(strikes, releases, strict=True):
                self._notes.append((start, end, key & 0x7F, velocity))

    def _control(self, channel: int, number: int, value: int, tick: int) -> None:
        self._track.last_control = max(self._track.last_control, tick)
        if number == SUSTAIN and value >= 64:
            self._pedals_down.setdefault(channel, tick)
        elif number in (SUSTAIN, _RESET_CONTROLLERS) and channel in self._pedals_down:
            self._pedals.append((self._pedals_down.pop(channel), tick))
        elif number in _NOTES_OFF:
            for key in [key for key in self._keys if key >> 7 == channel]:
                self._end_lost(key, tick)

    def _end_lost(self, key: int, last: int | None) -> None:
        """End the notes of a key with more strikes than releases; `last` ends what is left."""
        strikes, releases = self._keys.pop(key)
        ends: list[int | None] = [None] * len(strikes)
        waiting: list[int] = []
        place = 0
        for tick in releases:
            while place < len(strikes) and strikes[place][0] < tick:
                waiting.append(place)
                place += 1
            if not waiting:
                # Struck at the very tick of its release.
                waiting.append(place)
                place += 1
            ends[waiting.pop()] = tick
        moves = sorted([*(tick for tick, _ in strikes), *releases])
        for (start, velocity), own in zip(strikes, ends, strict=True):
            following = bisect_right(moves, start)
            end = own if own is not None else moves[following] if following < len(moves) else last
            if end is not None:
                self._notes.append((start, end, key & 0x7F, velocity))
