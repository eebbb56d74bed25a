"""chorder (Chou et al., MidiBERT-Piano, 2021): names the chord of each beat of MIDI.

It scores the pitch classes that sound in one beat and in two against templates. Its own
classes are called on notes in memory; no file is written.
"""

from collections.abc import Sequence
from typing import final

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    hash_files,
    package_folder,
    package_version,
)
from symmv_builder.backends.slots import ChordNamer
from symmv_builder.records import Ints


@final
class Chorder(ChordNamer):
    """`Dechorder.dechord` as a model of the slot ``symbolic_chords``."""

    needs = ("chorder", "miditoolkit")

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        rules = package_folder("chorder") / "dechorder.py"
        return ModelIdentity("chorder", package_version("chorder"), hash_files([rules]))

    @classmethod
    def about(cls) -> About:
        return About("chorder", "MIT", "none: rules, in the package")

    def __init__(self, home: ModelHome) -> None:
        from chorder import Dechorder
        from miditoolkit.midi.containers import Instrument, Note
        from miditoolkit.midi.parser import MidiFile

        self._dechorder, self._file = Dechorder, MidiFile
        self._instrument, self._note = Instrument, Note

    def name(
        self,
        starts: Ints,
        ends: Ints,
        pitches: Ints,
        *,
        ticks_per_beat: int,
        positions: Ints | None = None,
    ) -> Sequence[tuple[int, str] | None]:
        """Name root (0-11) and chorder's quality of each beat, `None` where it finds no chord.

        Starts and ends are ticks from the first beat; the answer reaches to the beat in
        which the last note ends. The bass that chorder also names is left out, and `positions`
        is not looked at: chorder knows no bars.
        """
        if not len(starts):
            return []
        piano = self._instrument(program=0, is_drum=False)
        fields = zip(starts.tolist(), ends.tolist(), pitches.tolist(), strict=True)
        piano.notes = [self._note(64, pitch, start, end) for start, end, pitch in fields]
        midi = self._file(ticks_per_beat=ticks_per_beat)
        midi.instruments = [piano]
        midi.max_tick = int(ends.max())
        return [
            (int(chord.root_pc), str(chord.quality)) if chord.is_complete() else None
            for chord in self._dechorder.dechord(midi)
        ]
