"""Notes in the forms that other programs read: MIDI, pretty_midi, symusic, MusicXML, piano roll."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import midi, notation
from symmv_builder.records import Beats, Floats, GridNotes, Ints, Notes, Parts
from symmv_builder.storage.outputs import replacing_file

# What is written down where nobody tracked beats.
DEFAULT_BPM = 120.0
STEPS_PER_QUARTER = 4


@dataclass(frozen=True, slots=True, eq=False)
class Music:
    """Notes of a piece, and its beats where they are known.

    `record` holds them as a stage made them: `Notes` as transcribed, `GridNotes` or `Parts` on the
    16ths of the beats. Arrays are ``[n]``, sorted by onset, times in seconds.

    Examples:
        >>> notes = sb.open_dataset("midi", root="data")["song0"].notes
        >>> len(notes), round(notes.tempo_bpm), notes.to_piano_roll(hop_s=0.25).shape
        (256, 120, (128, 128))
    """

    record: Notes | GridNotes | Parts
    beats: Beats | None = None

    def __len__(self) -> int:
        return len(self.record.pitches)

    @property
    def starts_s(self) -> Floats:
        return self.record.starts_s

    @property
    def ends_s(self) -> Floats:
        return self.record.ends_s

    @property
    def pitches(self) -> Ints:
        return self.record.pitches

    @property
    def velocities(self) -> Ints:
        return self.record.velocities

    @property
    def tempo_bpm(self) -> float:
        """Sixty over the median gap of the beats; 120 where they are not known."""
        return (self.beats.tempo_bpm if self.beats else 0.0) or DEFAULT_BPM

    def tracks(self) -> Mapping[str, Notes]:
        """Give the notes by part: melody and accompaniment where they are told apart, else one."""
        if not isinstance(self.record, Parts):
            return {"notes": self._select(np.ones(len(self), dtype=bool))}
        return {
            "melody": self._select(self.record.is_melody),
            "accompaniment": self._select(~self.record.is_melody),
        }

    def _select(self, which: NDArray[np.bool_]) -> Notes:
        pedal = {}
        if isinstance(self.record, Notes):
            pedal = {
                "pedal_starts_s": self.record.pedal_starts_s,
                "pedal_ends_s": self.record.pedal_ends_s,
            }
        return Notes(
            self.starts_s[which],
            self.ends_s[which],
            self.pitches[which],
            self.velocities[which],
            clock=self.record.clock,
            **pedal,
        )

    def write_midi(self, path: str | Path) -> Path:
        """Write a MIDI file, a track a part, at one tempo; times are kept to the tick."""
        target = Path(path)
        with replacing_file(target) as temporary:
            midi.write_notes(temporary, self.tracks(), tempo_bpm=self.tempo_bpm)
        return target

    def to_pretty_midi(self) -> Any:
        """Convert to a `pretty_midi.PrettyMIDI`, an instrument a part.

        `StopRun` without the package.
        """
        return notation.to_pretty_midi(self.tracks(), self.tempo_bpm)

    def to_symusic(self) -> Any:
        """Convert to a `symusic.Score` in ticks, a track a part; `StopRun` without the package."""
        return notation.to_symusic(midi.midi_bytes(self.tracks(), tempo_bpm=self.tempo_bpm))

    def to_piano_roll(self, hop_s: float = 0.01) -> NDArray[np.uint8]:
        """Velocities ``[128, t]``, a column every `hop_s` seconds: the loudest note that sounds.

        A note fills the columns from its onset's to the one before its end's, one at least.
        `ValueError` where the hop is not between a tenth of a millisecond and an hour.
        """
        if not 1e-4 <= hop_s <= 3600:
            raise ValueError(f"a hop of {hop_s} s; it is between 0.0001 and 3600")
        first = np.floor(self.starts_s / hop_s + 1e-9).astype(np.int64)
        after = np.maximum(np.floor(self.ends_s / hop_s + 1e-9).astype(np.int64), first + 1)
        roll = np.zeros((128, int(after.max(initial=0))), dtype=np.uint8)
        for pitch, start, end, velocity in zip(
            self.pitches, first, after, self.velocities, strict=True
        ):
            span = roll[pitch, start:end]
            np.maximum(span, np.uint8(velocity), out=span)
        return roll

    def write_musicxml(self, path: str | Path) -> Path:
        """Write a score of 16ths in 4/4 as MusicXML, a staff a part, by music21.

        Notes on the grid keep their steps. Others are laid on 16ths of the beats, and without
        beats on 16ths at 120 to the minute. `StopRun` without the package.
        """
        target = Path(path)
        with replacing_file(target) as temporary:
            notation.write_musicxml(temporary, self._staves(), self.tempo_bpm)
        return target

    def _staves(self) -> dict[str, list[tuple[float, float, int]]]:
        """Give each part's notes: onset and length in quarters from the first bar on, and pitch."""
        onsets, lengths = self._steps()
        # A score begins with a whole bar: a pickup stands at the end of the first.
        bars_before = -min(0, int(onsets.min(initial=0))) + 15
        onsets = onsets + bars_before // 16 * 16
        parts = {"notes": np.ones(len(self), dtype=bool)}
        if isinstance(self.record, Parts):
            parts = {"melody": self.record.is_melody, "accompaniment": ~self.record.is_melody}
        return {
            name: [
                (onset / STEPS_PER_QUARTER, length / STEPS_PER_QUARTER, int(pitch))
                for onset, length, pitch in zip(
                    onsets[which].tolist(),
                    lengths[which].tolist(),
                    self.pitches[which],
                    strict=True,
                )
            ]
            for name, which in parts.items()
        }

    def _steps(self) -> tuple[Ints, Ints]:
        if isinstance(self.record, GridNotes | Parts):
            return self.record.onset_steps, self.record.duration_steps
        if self.beats is not None and len(self.beats.times_s) > 1:
            from symmv_builder.music.rhythm import quantise

            grid = quantise(self.record, self.beats)
            if len(grid.pitches) == len(self):
                return grid.onset_steps, grid.duration_steps
        step_s = 60.0 / self.tempo_bpm / STEPS_PER_QUARTER
        onsets = np.rint(self.starts_s / step_s).astype(np.int64)
        ends = np.rint(self.ends_s / step_s).astype(np.int64)
        return onsets, np.maximum(ends - onsets, 1)


def read_midi(path: str | Path) -> Music:
    """Read the notes and beats of a MIDI file, on its tempo map; errors are `midi.read_piece`'s.

    Examples:
        >>> sb.read_midi("song.mid").pitches[:4].tolist()
        [48, 52, 55, 72]
    """
    piece = midi.read_piece(Path(path))
    return Music(piece.notes, piece.beats)
