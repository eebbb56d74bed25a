"""Steps for music that is a MIDI file: its notes, and its beats where nobody wrote them down.

A file whose notes were transcribed holds no real tempo: the beats that its header claims
mean nothing. They are heard as those of a recording are, by the same trackers, in sound
that a piano of a soundfont plays from the notes. Where the notes do lie on the beats of the
file, these are taken, and no tracker is loaded.
"""

from pathlib import Path
from typing import Literal

import numpy as np

from symmv_builder import screen
from symmv_builder.backends import hash_file, midi, sampler
from symmv_builder.backends.pyav import DEFAULT_LIMITS
from symmv_builder.backends.slots import BeatTracker
from symmv_builder.crawl import probe
from symmv_builder.errors import Reason, RejectEntry, WrongWeights
from symmv_builder.music import chords, melody, rhythm, transcribe
from symmv_builder.music.rhythm import Level, beats_in_sound
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Beats, Notes

BeatsSource = Literal["auto", "file", "tracked"]
SOUNDFONT = "TimGM6mb.sf2"
SOUNDFONT_SHA256 = "82475b91a76de15cb28a104707d3247ba932e228bada3f47bba63c6b31aaf7a1"


def read_midi_notes(music: Path) -> Notes:
    """Read notes and pedal of a MIDI file, on its tempo map; errors are `midi.read_notes`'s."""
    return midi.read_notes(music)


NOTES = Step(
    "midi_notes",
    2,
    reads=("music",),
    run=read_midi_notes,
    columns=(*transcribe.NOTES, *transcribe.PEDAL),
)


def read_midi_beats(music: Path, notes: Notes, *, source: BeatsSource = "auto") -> Beats:
    """Read the beats that a MIDI file's own tempo map spans; none where they are to be tracked.

    ``auto`` takes them where the notes lie on them (`rhythm.lies_on_beats`), ``file`` in any
    case, ``tracked`` in none. Errors are `midi.read_beats`'s.
    """
    if source != "tracked":
        beats = midi.read_beats(music)
        if source == "file" or rhythm.lies_on_beats(notes, beats):
            return beats
    return Beats(times_s=np.empty(0), positions=np.empty(0, dtype=np.int64))


WRITTEN_BEATS = Step("midi_beats", 1, reads=("music", "notes"), run=read_midi_beats)


def track_rendered_beats(
    notes: Notes,
    *,
    level: Level = "chosen",
    renderer: str = "sampler",
    soundfont: str = SOUNDFONT,
    soundfont_sha256: str = SOUNDFONT_SHA256,
    model: BeatTracker,
) -> Beats:
    """Track the beats that `model` hears in the notes as a General MIDI piano plays them.

    The parameters say who played; there is one renderer and one soundfont. `StopRun` where
    its content is another: the beats would not be
    those that the key promises. `RejectEntry` (no_beats) with fewer than two beats, and (too_long)
    where the notes last longer than a recording may.
    """
    end_s = float(notes.ends_s.max(initial=0.0))
    if end_s > DEFAULT_LIMITS.max_duration_s:
        detail = f"{end_s:.0f} s of notes; beats are heard in {DEFAULT_LIMITS.max_duration_s:.0f} s"
        raise RejectEntry(Reason.TOO_LONG, f"{detail} at most")
    path = sampler.soundfont_path()
    if path.name != soundfont or hash_file(path) != soundfont_sha256:
        problem = f"{path} is not the {soundfont} of {soundfont_sha256[:12]}"
        raise WrongWeights(soundfont, problem)
    sound = sampler.render(notes, rate_hz=model.rate_hz)
    return beats_in_sound(sound.mean(axis=1, keepdims=True), model, level)


BEATS = Step(
    "rendered_beats",
    5,
    reads=("notes",),
    run=track_rendered_beats,
    slot="beats",
    columns=rhythm.COLUMNS,
)


def written_or_rendered_beats(
    written_beats: Beats,
    notes: Notes,
    *,
    level: Level = "chosen",
    renderer: str = "sampler",
    soundfont: str = SOUNDFONT,
    soundfont_sha256: str = SOUNDFONT_SHA256,
    model: BeatTracker | None,
) -> Beats:
    """Give the beats that stand in the file, else those of `track_rendered_beats`."""
    if model is None:
        return written_beats
    return track_rendered_beats(
        notes,
        level=level,
        renderer=renderer,
        soundfont=soundfont,
        soundfont_sha256=soundfont_sha256,
        model=model,
    )


def _none_written(written_beats: Beats, notes: Notes) -> bool:
    return len(written_beats.times_s) == 0


WRITTEN_OR_HEARD = Step(
    "written_or_rendered_beats",
    4,
    reads=("written_beats", "notes"),
    run=written_or_rendered_beats,
    slot="beats",
    needs_model=_none_written,
    columns=rhythm.COLUMNS,
)

# How a MIDI file without beats becomes quantised parts and chords.
READ = (use(probe.MUSIC), use(NOTES, makes="notes"), use(screen.NOTES))
HEARD = use(BEATS, makes="beats", model="madmom")
QUANTISED = (use(rhythm.QUANTISE, makes="grid"), use(melody.STEP, makes="parts"))
NAMED = use(chords.SYMBOLIC, makes="chords", model="templates")
