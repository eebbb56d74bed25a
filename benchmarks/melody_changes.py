"""Songs of POP909 as mixtures whose melody is known; disturbances, other textures and settings."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import midi
from symmv_builder.music.rhythm import quantise
from symmv_builder.records import Beats, GridNotes, Notes


@dataclass(frozen=True, slots=True)
class Song:
    """Notes ``[n]`` of melody and piano on the file's beats."""

    starts: NDArray[np.float64]
    ends: NDArray[np.float64]
    pitches: NDArray[np.int64]
    is_melody: NDArray[np.bool_]
    beats: Beats

    def grid(self) -> tuple[GridNotes, NDArray[np.bool_]]:
        """The mixture on the grid, and which of its notes the melody has."""
        grid = quantise(self.notes(), self.beats)
        melody = quantise(self.notes(self.is_melody), self.beats)
        places = (each.onset_steps * 128 + each.pitches for each in (grid, melody))
        return grid, np.isin(*places)

    def notes(self, mask: NDArray[np.bool_] | slice = slice(None)) -> Notes:
        order = np.lexsort((self.pitches[mask], self.starts[mask]))
        starts, ends, pitches = (a[mask][order] for a in (self.starts, self.ends, self.pitches))
        return Notes(starts, ends, pitches, np.full(len(starts), 64))


def read_song(folder: Path, number: str, *, bridge: bool = False) -> Song:
    """MELODY and PIANO of a song of POP909; BRIDGE, a second melody, only where it is asked for."""
    path = folder / number / f"{number}.mid"
    tracks = [(name.strip(), notes) for name, notes in midi.read_tracks(path)]
    names = ("MELODY", "PIANO", "BRIDGE") if bridge else ("MELODY", "PIANO")
    tracks = [track for track in tracks if track[0] in names]
    return Song(
        *(np.concatenate([getattr(n, f) for _, n in tracks])
          for f in ("starts_s", "ends_s", "pitches")),
        np.concatenate([np.full(len(n.pitches), name == "MELODY") for name, n in tracks]),
        midi.read_beats(path),
    )  # fmt: skip


def excerpt(song: Song, beat: int, seconds: float) -> Song:
    """The notes that begin in so many seconds from a beat, which is then at time 0."""
    first = float(song.beats.times_s[beat])
    inside = (song.starts >= first) & (song.starts < first + seconds)
    return replace(
        song,
        starts=song.starts[inside] - first,
        ends=np.minimum(song.ends[inside] - first, seconds + 1),
        pitches=song.pitches[inside],
        is_melody=song.is_melody[inside],
        beats=Beats(song.beats.times_s[beat:] - first, song.beats.positions[beat:]),
    )


def pedal(song: Song, random: np.random.Generator) -> Song:
    """Notes ring to the next change of the pedal, every two or four beats."""
    changes = song.beats.times_s[:: int(random.choice([2, 4]))]
    place = np.searchsorted(changes, song.starts + 0.05)
    until = np.append(changes, np.inf)[place]
    return replace(song, ends=np.where(np.isfinite(until), np.maximum(song.ends, until), song.ends))


def jitter(song: Song, random: np.random.Generator) -> Song:
    """Starts and ends move by a normal error of 10 to 40 ms."""
    scale = random.uniform(0.01, 0.04)
    starts = np.maximum(song.starts + random.normal(0, scale, len(song.starts)), 0)
    ends = np.maximum(song.ends + random.normal(0, scale, len(song.ends)), starts + 0.02)
    return replace(song, starts=starts, ends=ends)


def missing(song: Song, random: np.random.Generator) -> Song:
    """One note of ten is gone."""
    return _only(song, random.random(len(song.starts)) >= 0.1)


def _only(song: Song, mask: NDArray[np.bool_]) -> Song:
    fields = ("starts", "ends", "pitches", "is_melody")
    return replace(song, **{name: getattr(song, name)[mask] for name in fields})


def octaves(song: Song, random: np.random.Generator) -> Song:
    """One note of ten is an octave off, or the accompaniment doubles the melody an octave below."""
    if random.random() < 0.5:
        off = (random.random(len(song.pitches)) < 0.1) * random.choice([-12, 12], len(song.pitches))
        return replace(song, pitches=(song.pitches + off).clip(21, 108))
    doubled = song.is_melody
    return replace(
        song,
        starts=np.append(song.starts, song.starts[doubled]),
        ends=np.append(song.ends, song.ends[doubled]),
        pitches=np.append(song.pitches, (song.pitches[doubled] - 12).clip(21)),
        is_melody=np.append(song.is_melody, np.zeros(int(doubled.sum()), dtype=np.bool_)),
    )


def transposition(song: Song, random: np.random.Generator) -> Song:
    """All notes move by up to seven semitones."""
    return replace(song, pitches=(song.pitches + int(random.integers(-7, 8))).clip(0, 127))


def tempo_level(song: Song, random: np.random.Generator) -> Song:
    """Beats at double or half tempo, or from another beat of the bar."""
    times, kind = song.beats.times_s, int(random.integers(3))
    if kind == 0:
        times = np.interp(np.arange(2 * len(times) - 1) / 2, np.arange(len(times)), times)
    if kind == 1:
        times = times[int(random.integers(2)) :: 2]
    first = int(random.integers(4))
    return replace(song, beats=Beats(times, (np.arange(len(times)) + first) % 4 + 1))


def tempo(song: Song, random: np.random.Generator) -> Song:
    """All is played at half to one and a half times its tempo."""
    scale = random.uniform(0.65, 2.0)
    beats = replace(song.beats, times_s=song.beats.times_s * scale)
    return replace(song, starts=song.starts * scale, ends=song.ends * scale, beats=beats)


def detached(song: Song, random: np.random.Generator) -> Song:
    """Melody and accompaniment each sound a part of their length, from a third on."""
    shares = random.uniform(0.35, 1.0, 2)[song.is_melody.astype(int)]
    return replace(song, ends=song.starts + shares * (song.ends - song.starts))


def thinned(song: Song, random: np.random.Generator) -> Song:
    """Of the accompaniment some of what lies under the melody is left: a tune in the right hand."""
    order = np.flatnonzero(song.is_melody)[np.argsort(song.starts[song.is_melody])]
    last = np.searchsorted(song.starts[order], song.starts + 1e-3) - 1
    under = song.pitches < song.pitches[order[last.clip(0)]]
    some = random.random(len(song.starts)) < random.uniform(0.3, 1.0)
    return _only(song, song.is_melody | (under & some))


def runs(song: Song, random: np.random.Generator) -> Song:
    """Some of the longer notes of the melody become runs of up to four notes to the next."""
    order = np.flatnonzero(song.is_melody)[np.argsort(song.starts[song.is_melody])]
    length = (song.ends - song.starts)[order]
    parts = np.where(random.random(len(order)) < random.uniform(0.2, 0.8), 4, 1)
    parts = np.clip(parts, 1, np.maximum(1, length // 0.1).astype(int))
    which = np.repeat(np.arange(len(order)), parts)
    step = np.arange(len(which)) - np.repeat(parts.cumsum() - parts, parts)
    goal = song.pitches[np.append(order[1:], order[-1])][which]
    pitch = song.pitches[order][which]
    share, part = step / parts[which], (length / parts)[which]
    starts = song.starts[order][which] + step * part
    rest = _only(song, ~song.is_melody)
    return replace(
        song,
        starts=np.append(rest.starts, starts),
        ends=np.append(rest.ends, starts + part),
        pitches=np.append(rest.pitches, np.rint(pitch + share * (goal - pitch)).astype(np.int64)),
        is_melody=np.append(rest.is_melody, np.ones(len(starts), dtype=np.bool_)),
    )


# What the left hand plays in two beats: for each of its strokes, places in the chord from its bass.
LEFT_HANDS: tuple[tuple[tuple[int, ...], ...], ...] = (
    ((0,), (2,), (1,), (2,)),
    ((0,), (2,), (1,), (2,), (0,), (2,), (1,), (2,)),
    ((0,), (2,), (3,), (4,), (5,), (4,), (3,), (2,)),
    ((0,), (1,), (2,), (3,), (2,), (1,)),
    ((0,), (1, 2), (1, 2), (1, 2)),
    ((0,), (4, 5), (2,), (4, 5)),
    ((0,), (4, 5), (4, 5)),
    ((0, 1, 2), (0, 1, 2), (0, 1, 2), (0, 1, 2)),
    ((0, 3), (1, 2, 3)),
    ((0, 1, 2),),
    ((0,), (1,)),
    ((0, 3), (0, 3)),
)


def new_setting(song: Song, random: np.random.Generator) -> Song:
    """The melody over another accompaniment, of the same harmony: it is the top line, as in scores.

    The right hand may hold its notes until the next, break them into notes of the chord, and go on
    in rests; all that is melody. Under it lie octaves, one or two notes of the chord, or nothing.
    The left hand plays broken chords, chords after a bass, held chords, or goes along with the
    melody as the lower voices of a hymn do.
    """
    bounds = song.beats.times_s[::2]
    chords = _chords(song, bounds)
    tune = _Tune(song, chords, bounds)
    tune.move(12 * int(random.integers(-1, 2)))
    if random.random() < 0.5:
        tune.hold()
    if random.random() < 0.5:
        tune.fill(random)
    if random.random() < 0.4:
        tune.break_up(random.uniform(0.2, 1.0), random)
    hymn = random.random() < 0.2
    added = [] if hymn else _left_hand(chords, bounds, random)
    under = int(random.integers(1, 3)) if hymn else int(random.integers(4))
    for start, end, pitch in tune.notes:
        chord, voices = tune.chord(start), list[int]()
        if under == 3:
            voices = [pitch - 12]
        elif hymn or random.random() < 0.8:
            voices = [p for p in range(pitch - 3, pitch - 16, -1) if p % 12 in chord][:under]
        if hymn:
            highest = min([pitch, *voices]) - 5
            voices.append(highest - (highest - chord[0]) % 12)
        added += [(start, end, voice) for voice in voices]
    starts, ends, pitches = (np.array(each) for each in zip(*tune.notes, strict=True))
    begin, stop, low = (np.array(each) for each in zip(*added, strict=True))
    # The tune is over what begins with it, and over what begins while it goes on.
    last = (np.searchsorted(starts, begin + 1e-3) - 1).clip(0)
    mask = (low < pitches[last]) & (low >= 21)
    return replace(
        song,
        starts=np.append(starts, begin[mask]),
        ends=np.append(ends, stop[mask]),
        pitches=np.append(pitches, low[mask]).astype(np.int64),
        is_melody=np.arange(len(starts) + int(mask.sum())) < len(starts),
    )


class _Tune:
    """A melody as notes of start, end and pitch, over chords that change at the bounds."""

    def __init__(self, song: Song, chords: list[list[int]], bounds: NDArray[np.float64]):
        melody = song.notes(song.is_melody)
        columns = (melody.starts_s.tolist(), melody.ends_s.tolist(), melody.pitches.tolist())
        self.notes: list[tuple[float, float, int]] = list(zip(*columns, strict=True))
        self._chords, self._bounds = chords, bounds
        self._beat = float(np.median(np.diff(song.beats.times_s)))

    def chord(self, time: float) -> list[int]:
        place = int(np.searchsorted(self._bounds, time + 1e-3)) - 1
        return self._chords[min(max(place, 0), len(self._chords) - 1)]

    def move(self, semitones: int) -> None:
        """Move all notes, where they then lie between 52 and 100."""
        moved = [pitch + semitones for _, _, pitch in self.notes]
        if min(moved) >= 52 and max(moved) <= 100:
            self.notes = [(s, e, p) for (s, e, _), p in zip(self.notes, moved, strict=True)]

    def hold(self) -> None:
        """Hold each note until the next, at most two seconds on."""
        following = [start for start, _, _ in self.notes[1:]] + [self.notes[-1][1]]
        self.notes = [
            (start, max(after, start + 0.05) if after - start < 2.0 else end, pitch)
            for (start, end, pitch), after in zip(self.notes, following, strict=True)
        ]

    def fill(self, random: np.random.Generator) -> None:
        """Go on in rests of 1 to 16 beats, through notes of the chord in half or whole beats."""
        length = self._beat * float(random.choice([0.5, 1.0]))
        notes = []
        for note, (after, _, goal) in zip(
            self.notes, [*self.notes[1:], self.notes[-1]], strict=True
        ):
            notes.append(note)
            _, time, pitch = note
            if self._beat < after - time < 16 * self._beat:
                while time + 1.5 * length < after:
                    pitch = self._near(pitch + (goal - pitch) // 4, time, pitch, random)
                    notes.append((time, time + length, pitch))
                    time += length
        self.notes = notes

    def break_up(self, share: float, random: np.random.Generator) -> None:
        """Make of a share of the longer notes two to four: itself and the chord by turns."""
        notes = []
        for start, end, pitch in self.notes:
            parts = min(int((end - start) / 0.15), int(random.integers(2, 5)))
            if parts < 2 or random.random() >= share:
                notes.append((start, end, pitch))
                continue
            length = (end - start) / parts
            for k in range(parts):
                other = self._near(pitch - 5, start, pitch, random) if k % 2 else pitch
                notes.append((start + k * length, start + (k + 1) * length, other))
        self.notes = notes

    def _near(self, pitch: int, time: float, avoided: int, random: np.random.Generator) -> int:
        """A note of the chord within seven semitones of the pitch, not the one to avoid."""
        chord = self.chord(time)
        near = [p for p in range(pitch - 7, pitch + 8) if p % 12 in chord and p != avoided]
        return int(random.choice(near))


def _chords(song: Song, bounds: NDArray[np.float64]) -> list[list[int]]:
    """The bass and the two other longest pitch classes of the piano from each bound to the next."""
    piano = _only(song, ~song.is_melody)
    chords: list[list[int]] = []
    for begin, end in zip(bounds, np.append(bounds[1:], bounds[-1] + 2.0), strict=True):
        shared = np.minimum(piano.ends, end) - np.maximum(piano.starts, begin)
        sounding = shared > 0.05
        if not sounding.any():
            chords.append(chords[-1] if chords else [0, 4, 7])
            continue
        classes = np.bincount(piano.pitches[sounding] % 12, shared[sounding], 12)
        bass = int(piano.pitches[sounding].min()) % 12
        classes[bass] = 0
        others = np.argsort(-classes, kind="stable")[:2]
        chords.append([bass, *sorted((int(c) for c in others), key=lambda c: (c - bass) % 12)])
    return chords


def _left_hand(
    chords: list[list[int]], bounds: NDArray[np.float64], random: np.random.Generator
) -> list[tuple[float, float, int]]:
    """Notes as start, end and pitch; another pattern every eight chords."""
    lowest, played = int(random.integers(33, 53)), []
    sections = random.integers(len(LEFT_HANDS), size=len(chords) // 8 + 1)
    ringing = random.uniform(0.6, 1.0)
    for i in range(len(bounds) - 1):
        bass, *others = chords[i]
        ground = lowest + (bass - lowest) % 12
        places = [0, *((each - bass) % 12 for each in others)]
        pattern = LEFT_HANDS[int(sections[i // 8])]
        length = (bounds[i + 1] - bounds[i]) / len(pattern)
        for stroke, indexes in enumerate(pattern):
            start = bounds[i] + stroke * length
            for index in indexes:
                pitch = ground + places[index % 3] + 12 * (index // 3)
                played.append((start, start + ringing * length, pitch))
    return played


Change = Callable[[Song, np.random.Generator], Song]
DISTURBANCES: dict[str, Change] = {
    each.__name__: each for each in (tempo_level, transposition, octaves, missing, pedal, jitter)
}

# Other textures than those of pop songs, so that the model leans less on these.
TEXTURES: tuple[Change, ...] = (
    runs, thinned, tempo, detached, transposition,
)  # fmt: skip
