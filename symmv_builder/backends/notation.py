"""Notes as objects of other packages: pretty_midi, symusic, and MusicXML by music21."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from symmv_builder.packages import required
from symmv_builder.records import Notes


def to_pretty_midi(tracks: Mapping[str, Notes], tempo_bpm: float) -> Any:
    """Make a `PrettyMIDI` with an instrument (piano) a track; pedals become controller 64."""
    with required("notation"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pretty_midi
    whole = pretty_midi.PrettyMIDI(initial_tempo=tempo_bpm)
    for name, notes in tracks.items():
        piano = pretty_midi.Instrument(program=0, name=name)
        fields = (notes.velocities, notes.pitches, notes.starts_s, notes.ends_s)
        lists = (values.tolist() for values in fields)
        piano.notes = [pretty_midi.Note(*note) for note in zip(*lists, strict=True)]
        for value, times in ((127, notes.pedal_starts_s), (0, notes.pedal_ends_s)):
            piano.control_changes += [
                pretty_midi.ControlChange(64, value, time) for time in times.tolist()
            ]
        piano.control_changes.sort(key=lambda change: (change.time, change.value))
        whole.instruments.append(piano)
    return whole


def to_symusic(data: bytes) -> Any:
    """Make a `symusic.Score` out of a MIDI file's bytes."""
    with required("notation"):
        import symusic
    return symusic.Score.from_midi(data)


def write_musicxml(
    path: Path, staves: Mapping[str, Sequence[tuple[float, float, int]]], tempo_bpm: float
) -> None:
    """Write staves of notes (onset and length in quarters, pitch) as a score in 4/4."""
    with required("notation"):
        from music21 import chord, metadata, meter, note, stream, tempo
    score = stream.Score()
    score.metadata = metadata.Metadata(title=" ")
    for name, notes in staves.items():
        staff = stream.Part(id=name)
        staff.partName = name
        staff.insert(0, meter.TimeSignature("4/4"))
        staff.insert(0, tempo.MetronomeMark(number=round(tempo_bpm, 2)))
        # What begins and ends together is one chord; what overlaps becomes voices.
        together: dict[tuple[float, float], list[int]] = {}
        for onset, length, pitch in notes:
            together.setdefault((onset, length), []).append(pitch)
        for (onset, length), pitches in together.items():
            written_chord = chord.Chord(sorted(set(pitches))) if len(set(pitches)) > 1 else None
            written_chord = written_chord or note.Note(pitches[0])
            written_chord.quarterLength = length
            staff.insert(onset, written_chord)
        score.insert(0, staff)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # music21 names the file itself; ours is put in its place by who gave the path.
        result = Path(str(score.write("musicxml", fp=str(path.with_suffix(".musicxml")))))
    if result != path:
        result.replace(path)
