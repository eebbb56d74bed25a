"""Sound to notes: piano alone, or any mixture of instruments.

SymMV's music is piano covers, transcribed by a piano model with velocity and pedal;
MuVi-Sync's is the sound of official videos, for which a model of any instrument is
wanted. The two are separate steps with a slot each, so that both can stand in one recipe.
"""

from pathlib import Path

from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.slots import Transcriber
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Notes
from symmv_builder.schema import Column


def transcribe(music: Path, *, model: Transcriber) -> Notes:
    """Notes of the recording, with velocities, and the pedal where the model hears it.

    A recording in which no note is found gives no notes; errors are `read_sound`'s.
    """
    sound = read_sound(music, rate_hz=model.rate_hz, mono=model.mono)
    return model.transcribe(sound.samples)


NOTES = (
    Column("{}_starts_s", "list<float64>", "s, music", "onsets of the transcribed notes, sorted",
           "starts_s"),
    Column("{}_ends_s", "list<float64>", "s, music", "ends of the transcribed notes", "ends_s"),
    Column("{}_pitches", "list<uint8>", "MIDI number", "pitches of the transcribed notes",
           "pitches"),
    Column("{}_velocities", "list<uint8>", "1-127", "velocities of the transcribed notes",
           "velocities"),
)  # fmt: skip
PEDAL = (
    Column("pedal_starts_s", "list<float64>", "s, music", "sustain pedal down", "pedal_starts_s"),
    Column("pedal_ends_s", "list<float64>", "s, music", "sustain pedal up", "pedal_ends_s"),
)
STEP = Step(
    "transcribe", 1, reads=("music",), run=transcribe, slot="piano", columns=(*NOTES, *PEDAL)
)
POLYPHONIC = Step(
    "transcribe_polyphonic", 1, reads=("music",), run=transcribe, slot="polyphonic", columns=NOTES
)
