"""A composed piece as files: MIDI, WAV, and the video that it was made for with its new sound."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import midi, notation, sampler
from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.backends.pyav.soundtrack import replace_sound
from symmv_builder.datasets.pictures import pictures_at
from symmv_builder.errors import MalformedFile, NoSuchPath, RejectEntry
from symmv_builder.files import read_json
from symmv_builder.records import Beats, Chords, Parts
from symmv_builder.report.piece_picture import Shown, draw_pieces, frame_times
from symmv_builder.storage.outputs import (
    check_outputs,
    finish_set,
    is_made,
    replacing_set,
    write_receipt,
)
from symmv_builder.training.composing import NO_NOTES, Piece

RATE_HZ = 44100
_FADE_S = 0.5
_TAIL_S = 1.5
_LONGEST_S = 3 * 3600.0
_BEATS_PER_BAR = 4
_USUAL_BPM = 120.0


def sound_of(piece: Piece, soundfont: Path | None = None) -> NDArray[np.float32]:
    """Stereo samples ``[n, 2]`` that last exactly as long as the piece should, faded at the end."""
    rendered = sampler.render(piece.notes, rate_hz=RATE_HZ, tail_s=_TAIL_S, soundfont=soundfont)
    length = max(1, round(piece.seconds * RATE_HZ))
    # An hour of sound is more than a gigabyte: no second copy of it is made.
    missing = np.zeros((max(0, length - len(rendered)), 2), dtype=np.float32)
    samples = np.concatenate((rendered, missing)) if len(missing) else rendered[:length]
    fade = min(length, round(_FADE_S * RATE_HZ))
    samples[length - fade :] *= np.linspace(1.0, 0.0, fade, dtype=np.float32)[:, None]
    return samples


def piece_of(name: str, facts: Mapping[str, Any], score: Path) -> Piece:
    """Read the piece of `facts`, its JSON, and `score`, its MIDI file; the files may be anybody's.

    `RejectEntry` where the file cannot be read, `ValueError` or `TypeError` where it has no note
    or the facts are none of a piece.
    """
    tracks = dict(midi.read_tracks(score))
    if not tracks:
        raise ValueError("it holds no note")
    seconds = float(facts.get("seconds") or 0.0)
    last = max(float(each.ends_s.max()) for each in tracks.values())
    seconds = min(_LONGEST_S, seconds if seconds > 0 else last)
    chords = facts.get("chords")
    details = {**facts, "chords": chords if isinstance(chords, list) else []}
    tempo_map = midi.read_tempo_map(score) if "tempo_map" in facts else None
    return Piece(name, tracks, float(facts.get("tempo_bpm") or 0.0), seconds, details, tempo_map)


def read_piece(receipt: Path) -> Piece:
    """Read a piece as `write_piece` wrote it, by its ``NAME.json``, with its tempo map.

    Tracks without a note are there, too. `StopRun` where this is no piece of ours, or its MIDI
    file was changed since.
    """
    score = receipt.with_suffix(".mid")
    if not receipt.is_file():
        raise NoSuchPath(receipt)
    if receipt.suffix != ".json":
        raise MalformedFile(receipt, f"a piece is named by its JSON file, {receipt.stem}.json")
    facts = read_json(receipt)
    if not isinstance(facts, dict) or not is_made(receipt)(score):
        cause = "this is no piece of this program, or its MIDI file was changed"
        raise MalformedFile(receipt, cause)
    try:
        del facts["files"]
        named = dict(facts.get("notes", {}))
        piece = piece_of(receipt.stem, facts, score)
        tracks = {track: piece.tracks.get(track, NO_NOTES) for track in (*named, *piece.tracks)}
        return replace(piece, tracks=tracks, tempo_map=midi.read_tempo_map(score))
    except (RejectEntry, ValueError, TypeError, AttributeError) as error:
        raise MalformedFile(receipt, f"this is no piece: {error}") from error


def check_piece(
    name: str,
    folder: Path,
    *,
    video: Path | None = None,
    picture: bool = False,
    notated: bool = False,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
) -> None:
    """Raise `StopRun` where the files of a piece may not be written: see `storage.outputs`.

    A set of files that a killed process had finished is put in its place first.
    """
    places = _places(name, folder, video, picture, notated)
    sources = [*inputs, *([video] if video else [])]
    check_outputs(places, inputs=sources, overwrite=True)
    finish_set(folder, name, overwrite=overwrite)
    check_outputs(places, overwrite=overwrite, is_ours=is_made(places[-1]))


def write_piece(
    piece: Piece,
    folder: Path,
    *,
    video: Path | None = None,
    soundfont: Path | None = None,
    picture: bool = False,
    notated: bool = False,
    cuts_s: Sequence[float] | None = None,
    overwrite: bool = False,
) -> list[Path]:
    """Write ``NAME.mid``, ``NAME.wav``, ``NAME.mp4`` where there is a video, and ``NAME.json``.

    With `picture` one of them is ``NAME.png``, which shows notes, chords and loudness under the
    video's frames and its cuts (`cuts_s`, `None` where nobody looked); with `notated` one is
    ``NAME.musicxml``, a staff a track on 16ths of the beats. All of them take their places together
    or none does. The JSON says how the piece was made and names the others with their sha256.
    `RejectEntry` where the video cannot be read, `StopRun` where one of the files would take the
    place of the video or of a file that is not ours.
    """
    check_piece(
        piece.name, folder, video=video, picture=picture, notated=notated, overwrite=overwrite
    )
    samples = sound_of(piece, soundfont)
    with replacing_set(folder, piece.name, overwrite=overwrite) as staging:
        score = midi.midi_bytes(piece.tracks, tempo_bpm=piece.tempo_bpm, tempo_map=piece.tempo_map)
        (staging / f"{piece.name}.mid").write_bytes(score)
        write_sound(staging / f"{piece.name}.wav", samples, RATE_HZ)
        if video is not None:
            replace_sound(video, samples, RATE_HZ, staging / f"{piece.name}.mp4")
        if picture:
            _draw(piece, staging / f"{piece.name}.png", samples, video, cuts_s)
        if notated:
            tempo_bpm = piece.tempo_bpm or _USUAL_BPM
            notation.write_musicxml(staging / f"{piece.name}.musicxml", staves_of(piece), tempo_bpm)
        cuts = {} if cuts_s is None else {"cuts_s": [round(cut, 3) for cut in cuts_s]}
        write_receipt(staging, piece.name, {**cuts, **piece.facts})
    return _places(piece.name, folder, video, picture, notated)


def staves_of(piece: Piece) -> dict[str, list[tuple[float, float, int]]]:
    """Onset and length in quarters, and pitch, of each track's notes, on 16ths of the beats."""
    times_s, numbers = np.array([0.0, 60.0 / (piece.tempo_bpm or _USUAL_BPM)]), np.array([0.0, 1.0])
    if piece.tempo_map is not None:
        times_s, numbers = piece.tempo_map
    # Behind its last point the tempo goes on.
    pace = (numbers[-1] - numbers[-2]) / (times_s[-1] - times_s[-2])

    def steps(seconds: NDArray[np.float64]) -> NDArray[np.int64]:
        beats = np.interp(seconds, times_s, numbers) + pace * (seconds - times_s[-1]).clip(0)
        return np.asarray(np.rint(4 * beats), dtype=np.int64)

    staves = {}
    for name, notes in piece.tracks.items():
        onsets = steps(notes.starts_s)
        lengths = np.maximum(steps(notes.ends_s) - onsets, 1)
        columns = (onsets / 4).tolist(), (lengths / 4).tolist(), notes.pitches.tolist()
        staves[name] = list(zip(*columns, strict=True))
    return staves


def _draw(
    piece: Piece,
    path: Path,
    samples: NDArray[np.float32],
    video: Path | None,
    cuts_s: Sequence[float] | None,
) -> None:
    """Draw the piece under one time line with its video.

    Melody and accompaniment apart if known.
    """
    frames = pictures_at(video, frame_times(piece.seconds)) if video is not None else []
    panel = replace(shown_of(piece), loudness=loudness_of(samples, RATE_HZ))
    draw_pieces(
        path, [panel], title=piece.name, seconds=piece.seconds, frames=frames, cuts_s=cuts_s
    )


def loudness_of(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float64]:
    """Compute the root mean square of each second of samples ``[n, c]``, mono, over full scale."""
    seconds = (samples[at : at + rate_hz].mean(axis=1) for at in range(0, len(samples), rate_hz))
    return np.array([np.sqrt(np.mean(np.square(each))) for each in seconds], dtype=np.float64)


def shown_of(piece: Piece) -> Shown:
    """Convert a piece to what `draw_pieces` takes: parts, beats and chords where it has them."""
    notes = piece.notes
    parts = None
    if set(piece.tracks) == {"melody", "accompaniment"}:
        tracks = [piece.tracks[name] for name in ("melody", "accompaniment")]
        lengths = [len(track.pitches) for track in tracks]
        starts, ends, pitches, velocities, is_melody = (
            np.concatenate(each)
            for each in (
                *(
                    [getattr(track, name) for track in tracks]
                    for name in ("starts_s", "ends_s", "pitches", "velocities")
                ),
                [np.ones(lengths[0], np.bool_), np.zeros(lengths[1], np.bool_)],
            )
        )
        order = np.lexsort((pitches, starts))
        steps = np.zeros(len(order), np.int64)
        parts = Parts(
            starts_s=starts[order],
            ends_s=ends[order],
            pitches=pitches[order],
            velocities=velocities[order],
            onset_steps=steps,
            duration_steps=steps,
            is_melody=is_melody[order],
        )
    beats = None
    if piece.tempo_map is not None:
        times_s, numbers = piece.tempo_map
        whole = np.arange(int(numbers[-1]) + 1)
        beats = Beats(np.interp(whole, numbers, times_s), whole % _BEATS_PER_BAR + 1)
    spans = piece.facts.get("chords")
    chords = None
    if spans and isinstance(spans[0], str):
        # Video2Music's: one a second.
        spans = [(second, second + 1, label) for second, label in enumerate(spans)]
    if spans:
        starts_s, ends_s, labels = zip(*spans, strict=True)
        chords = Chords(np.array(starts_s), np.array(ends_s), tuple(labels))
    return Shown(piece.name, notes, parts=parts, beats=beats, chords=chords)


def _places(
    name: str, folder: Path, video: Path | None, picture: bool, notated: bool
) -> list[Path]:
    optional = (("mp4", video is not None), ("png", picture), ("musicxml", notated))
    kinds = ("mid", "wav", *(kind for kind, is_made in optional if is_made), "json")
    return [folder / f"{name}.{kind}" for kind in kinds]
