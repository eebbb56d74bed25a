"""Music by Markov chains of chords, rhythm and pitches: what a learned model has to be better than.

Everything is counted in songs that were moved to white keys (`shift_to_white_keys`), as the starter
model's are:

- chords: the next one given the one before, and for how many beats each lasts;
- onsets of melody and accompaniment: the way to the next one given the 16th of the bar;
- how many notes begin together given the 16th, how long a note lasts given the way to the next;
- the melody's pitch given the pitch before it and the root of the chord, or the pitch alone where
  the songs never had both;
- the accompaniment's pitches above the chord's root given the chord's quality.
"""

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field

import numpy as np

from symmv_builder.training.vmusprod.songs import QuantisedSong, shift_to_white_keys
from symmv_builder.training.vmusprod.tempo import STEPS_PER_BEAT

STEPS_PER_BAR = 16
LONGEST = 64
# Octave in which roots are counted for the accompaniment.
_ROOT = 36


@dataclass
class Chain:
    """Counts of what followed what."""

    counts: dict[Hashable, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, state: Hashable, following: int) -> None:
        self.counts[state][following] += 1

    def draw(self, states: Iterable[Hashable], random: np.random.Generator) -> int:
        """What follows the first of the states that was ever counted."""
        found = next(self.counts[state] for state in states if state in self.counts)
        values = np.array(sorted(found))
        weights = np.array([found[int(value)] for value in values], dtype=np.float64)
        return int(random.choice(values, p=weights / weights.sum()))


class Markov:
    """The chains, counted in songs of four beats in a bar."""

    def __init__(self, songs: Iterable[QuantisedSong]) -> None:
        self.chord, self.beats = Chain(), Chain()
        self.gap = {part: Chain() for part in (True, False)}
        self.together = {part: Chain() for part in (True, False)}
        self.lasting = {part: Chain() for part in (True, False)}
        self.melody, self.above = Chain(), Chain()
        for song in songs:
            if song.steps_per_bar == STEPS_PER_BAR:
                self._count(song.transposed(shift_to_white_keys(song.pitches)))

    def _count(self, song: QuantisedSong) -> None:
        chords = (song.chord_roots * 16 + song.chord_qualities).tolist()
        ends = np.append(song.chord_onsets[1:], song.bars * STEPS_PER_BAR)
        lengths = ((ends - song.chord_onsets) // STEPS_PER_BEAT).tolist()
        for before, chord, length in zip([-1, *chords[:-1]], chords, lengths, strict=True):
            self.chord.add(before, chord)
            self.beats.add(chord, length)
        at = np.searchsorted(song.chord_onsets, song.onsets, side="right") - 1
        for part in (True, False):
            chosen = song.is_melody == part
            onsets, first, counts = np.unique(
                song.onsets[chosen], return_index=True, return_counts=True
            )
            gaps = np.diff(onsets, prepend=0, append=song.bars * STEPS_PER_BAR).clip(0, LONGEST)
            self.gap[part].add("begin", int(gaps[0]))
            for onset, count, gap in zip(onsets, counts, gaps[1:], strict=True):
                place = int(onset % STEPS_PER_BAR)
                self.gap[part].add(place, int(gap))
                self.together[part].add(place, int(count))
            till_next = np.repeat(gaps[1:], counts)
            for gap, duration in zip(till_next, song.durations[chosen], strict=True):
                self.lasting[part].add(int(gap), int(duration))
            pitches, chord = song.pitches[chosen].tolist(), at[chosen]
            roots, qualities = song.chord_roots[chord].tolist(), song.chord_qualities[chord]
            if part:
                tops = [pitches[i] for i in (first + counts - 1).tolist()]
                for i, (before, pitch) in enumerate(zip([-1, *tops[:-1]], tops, strict=True)):
                    self.melody.add((before, roots[int(first[i])]), pitch)
                    self.melody.add(before, pitch)
            else:
                for pitch, root, quality in zip(pitches, roots, qualities.tolist(), strict=True):
                    self.above.add(quality, pitch - _ROOT - root % 12)

    def compose(self, bars: int, tempo_bpm: float, seed: int) -> QuantisedSong:
        """A piece of so many bars of four beats."""
        random = np.random.default_rng(seed)
        end = bars * STEPS_PER_BAR
        starts, chords = [], []
        step, chord = 0, -1
        while step < end:
            chord = self.chord.draw((chord, 0), random)
            starts.append(step)
            chords.append(chord)
            step += max(1, self.beats.draw((chord,), random)) * STEPS_PER_BEAT
        roots, qualities = np.array(chords) // 16, np.array(chords) % 16
        notes: dict[tuple[int, int], tuple[int, bool]] = {}
        for part in (False, True):
            pitch = -1
            step = self.gap[part].draw(("begin",), random)
            while step < end:
                place = step % STEPS_PER_BAR
                gap = max(1, self.gap[part].draw((place,), random))
                at = int(np.searchsorted(starts, step, side="right")) - 1
                root, quality = int(roots[at]), int(qualities[at])
                for _ in range(1 if part else self.together[part].draw((place,), random)):
                    if part:
                        pitch = self.melody.draw(((pitch, root), pitch), random)
                        sounding = pitch
                    else:
                        sounding = self.above.draw((quality, 0), random) + _ROOT + root % 12
                    lasting = self.lasting[part].draw((gap, 1), random)
                    notes[step, int(np.clip(sounding, 0, 127))] = (lasting, part)
                step += gap
        order = sorted(notes)
        new = [i for i in range(len(chords)) if i == 0 or chords[i] != chords[i - 1]]
        return QuantisedSong(
            onsets=np.array([step for step, _ in order], dtype=np.int64),
            durations=np.array([notes[key][0] for key in order], dtype=np.int64),
            pitches=np.array([pitch for _, pitch in order], dtype=np.int64),
            is_melody=np.array([notes[key][1] for key in order], dtype=np.bool_),
            chord_onsets=np.array(starts, dtype=np.int64)[new],
            chord_roots=roots[new],
            chord_qualities=qualities[new],
            steps_per_bar=STEPS_PER_BAR,
            bars=bars,
            tempo_bpm=tempo_bpm,
            beats=np.arange(bars * STEPS_PER_BAR // STEPS_PER_BEAT),
        )
