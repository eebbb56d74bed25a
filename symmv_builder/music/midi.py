"""The notes of an entry as a file that any player opens: a column of bytes, made on request.

A recipe asks for it with ``[steps.midi]``; none of the built-in ones does, so published schemas
stay as they are.
"""

import numpy as np

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.midi_file import MidiFile
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Notes
from symmv_builder.schema import Column

# Written times are rounded to a tick of 1/960 s.
TICKS_PER_BEAT = 480
TEMPO_BPM = 120.0


def write_midi(notes: Notes) -> MidiFile:
    """Write a Standard MIDI File of type 1: a track of the notes and their pedal, on the piano.

    Times are those of the recording, at 120 beats a minute and 480 ticks a beat, whatever its own
    tempo, so a tick is 1/960 s.
    """
    data = midi_bytes({"notes": notes}, tempo_bpm=TEMPO_BPM, ticks_per_beat=TICKS_PER_BEAT)
    return MidiFile(np.frombuffer(data, np.uint8))


COLUMNS = (
    Column("{}", "binary", "", "the notes as a Standard MIDI File, ticks of 1/960 s", "content"),
)
STEP = Step("midi", 1, reads=("notes",), run=write_midi, columns=COLUMNS)
