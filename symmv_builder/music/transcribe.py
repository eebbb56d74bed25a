"""Sound to notes: piano alone, or any mixture of instruments.

SymMV's music is piano covers, transcribed by a piano model with velocity and pedal;
MuVi-Sync's is the sound of official videos, for which a model of any instrument is
wanted. The two are separate steps with a slot each, so that both can stand in one recipe.
"""

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends.slots import Transcriber
from symmv_builder.music import listening
from symmv_builder.pipeline.step import Step
from symmv_builder.records import Notes
from symmv_builder.schema import Column


class _NotesListener:
    block_s: float | None = None

    def __init__(self, model: Transcriber) -> None:
        self.rate_hz, self.mono = model.rate_hz, model.mono
        self._model = model

    def hear(self, samples: NDArray[np.float32], rate_hz: int) -> None:
        self._notes = self._model.transcribe(samples)

    def finish(self) -> Notes:
        return self._notes


def hear_notes(*, model: Transcriber) -> _NotesListener:
    """Transcribe notes of the recording, with velocities, and the pedal where the model hears it.

    A recording in which no note is found gives no notes.
    """
    return _NotesListener(model)


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
    "transcribe",
    1,
    reads=("music",),
    run=hear_notes,
    slot="piano",
    together=listening.listen,
    columns=(*NOTES, *PEDAL),
)
POLYPHONIC = Step(
    "transcribe_polyphonic",
    1,
    reads=("music",),
    run=hear_notes,
    slot="polyphonic",
    together=listening.listen,
    columns=NOTES,
)
