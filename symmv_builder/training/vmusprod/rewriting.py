"""A passage of a piece written anew, between what stands before it and what stands behind it.

The stages write as they always do (`compose`), behind the piece's own tokens up to the passage, and
stop where it ends. Chords are written first; melody and accompaniment are then written to the
chords of the whole piece, and the accompaniment to the whole melody, so that they know what
comes behind the passage. Nothing outside of it is changed: the caller takes the new notes alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from symmv_builder.records import Chords, Floats, Notes
from symmv_builder.training.composing import NO_NOTES, Passage, Piece
from symmv_builder.training.vmusprod.compose import Models, Tell, Writer
from symmv_builder.training.vmusprod.config import STAGES, Stage
from symmv_builder.training.vmusprod.following import TempoMap
from symmv_builder.training.vmusprod.piece import PiecePlan, Wish
from symmv_builder.training.vmusprod.sampling import TokenSampling
from symmv_builder.training.vmusprod.songs import song_of_sequences
from symmv_builder.training.vmusprod.sounding import chords_of_song, cut, notes_of_song, struck_once
from symmv_builder.training.vmusprod.tempo import STEPS_PER_BEAT
from symmv_builder.training.vmusprod.tokens import (
    LONGEST,
    NO_QUALITY,
    NO_ROOT,
    Events,
    Ints,
    Sequence,
    events_of,
    merged_sequence,
    sequence_of,
)
from symmv_builder.vocab import SYMMV_LABELS, SYMMV_QUALITIES

_STEPS_PER_BAR = 16
# Of a beat: what a time in a file may miss it by.
_NEAR = 0.02
# What a chord's end in a piece's JSON is rounded by, and more.
_ABOUT_S = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class RewrittenPassage:
    """A piece with a passage written anew: its parts, its chords, and from when to when that is.

    Of `tracks` the notes that begin `within_s` are new.
    """

    tracks: Mapping[str, Notes]
    chords: Chords
    within_s: tuple[float, float]


def rewrite(
    models: Models,
    passage: Passage,
    wish: Wish,
    *,
    keeps_end: bool,
    sampling: TokenSampling,
    tell: Tell,
) -> RewrittenPassage:
    """Write a passage anew, from the first beat in it to the last.

    Of the `wish` the seed and what the models see of the video count. With `keeps_end` the chord
    on which the piece ends stays, wherever the passage ends. `StopRun` where no beat lies in it.
    """
    piece = passage.piece
    if piece.tempo_map is None:
        raise ValueError("a piece that was read has a tempo map")
    clock = TempoMap(*piece.tempo_map)
    old = sequences_of(piece, clock)
    start, end = _steps_of(passage, clock, events_of(next(iter(old.values()))).bars)
    onsets = [events_of(old[part]).steps for part in ("melody", "accompaniment")]
    last = int(np.concatenate(onsets).max(initial=0)) // STEPS_PER_BEAT * STEPS_PER_BEAT
    end = min(end, last) if keeps_end and last else end
    if end <= start:
        raise passage.none_within("beat")
    bars = events_of(old["melody"]).bars
    plan = PiecePlan(wish, piece.tempo_bpm, bars, piece.seconds, clock)
    writer = Writer(models, [plan], sampling, _STEPS_PER_BAR, tell, None)
    parts = _rewrite(writer, models, old, start, end)
    song = song_of_sequences(
        parts.get("chord", old["chord"]),
        parts.get("melody"),
        parts.get("accompaniment", parts.get("music")),
        tempo_bpm=piece.tempo_bpm,
    )
    melody, accompaniment = notes_of_song(struck_once(song), clock)
    tracks = {"melody": melody, "accompaniment": accompaniment}
    # As long as the piece lasts, and as loud as its video asks for.
    tracks = {name: cut(notes, piece.seconds) for name, notes in tracks.items()}
    if wish.shown is not None:
        tracks = {name: wish.shown.shaped(n, piece.seconds) for name, n in tracks.items()}
    within_s = clock(np.array([start, end]))
    chords = chords_of_song(song, clock)
    return RewrittenPassage(tracks, _until(chords, piece.seconds), (within_s[0], within_s[1]))


def sequences_of(piece: Piece, clock: TempoMap) -> dict[str, Sequence]:
    """Encode the chords and parts of a piece as tokens, by stage; all have the same bars."""
    end = _beats(clock, np.array([piece.seconds]))[0]
    named = {name: piece.tracks.get(name, NO_NOTES) for name in ("melody", "accompaniment")}
    onsets = {name: _steps(clock, notes.starts_s) for name, notes in named.items()}
    last = max(int(steps.max(initial=0)) for steps in onsets.values())
    bars = max(int(np.ceil(end * STEPS_PER_BEAT / _STEPS_PER_BAR - _NEAR)), last // 16 + 1)
    empty = np.zeros(0, dtype=np.int64)
    sequences = {}
    for name, notes in named.items():
        durations = (_steps(clock, notes.ends_s) - onsets[name]).clip(1, LONGEST)
        own = Events(
            bars, _STEPS_PER_BAR, empty, empty, empty, onsets[name], notes.pitches, durations
        )
        sequences[name] = sequence_of(own)
    sequences["music"] = sequences["accompaniment"]
    steps, numbers = _chords(piece, clock, bars)
    chords = Events(bars, _STEPS_PER_BAR, steps, numbers[:, 0], numbers[:, 1], empty, empty, empty)
    sequences["chord"] = sequence_of(chords)
    return sequences


def spliced(old: Sequence, new: Sequence, start: int, end: int, other: Sequence) -> Sequence:
    """Splice the events of `new` into `old`, from the step `start` up to `end`.

    A new note is left out while a note of the same pitch, of `old` or of `other`, is still held
    from before the passage. A chord that sounds on behind the passage is named anew where that
    ends.
    """
    original, fresh = events_of(old), events_of(new)
    inside = (fresh.steps >= start) & (fresh.steps < end)
    for before in (original, events_of(other)):
        for step, pitch, length in zip(before.steps, before.pitches, before.durations, strict=True):
            if step < start < step + length:
                inside &= (fresh.pitches != pitch) | (fresh.steps >= step + length)
    outside = (original.steps < start) | (original.steps >= end)
    steps, pitches, durations = (
        np.concatenate((old_values[outside], new_values[inside]))
        for old_values, new_values in (
            (original.steps, fresh.steps),
            (original.pitches, fresh.pitches),
            (original.durations, fresh.durations),
        )
    )
    chords = _spliced_chords(original, fresh, start, end)
    return sequence_of(
        replace(
            original,
            chord_steps=chords[:, 0],
            roots=chords[:, 1],
            qualities=chords[:, 2],
            steps=steps,
            pitches=pitches,
            durations=durations,
        )
    )


def _spliced_chords(original: Events, fresh: Events, start: int, end: int) -> Ints:
    """Splice steps, roots and qualities ``[c, 3]``, in order."""
    old, new = (
        np.stack((each.chord_steps, each.roots, each.qualities), axis=1)
        for each in (original, fresh)
    )
    parts = [
        old[(old[:, 0] < start) | (old[:, 0] >= end)],
        new[(new[:, 0] >= start) & (new[:, 0] < end)],
    ]
    if len(old) and end < original.bars * original.steps_per_bar:
        sounding = old[int(np.searchsorted(old[:, 0], end, side="right")) - 1]
        if sounding[0] < end:
            parts.append(np.array([[end, *sounding[1:]]]))
    whole = np.concatenate(parts)
    return np.asarray(whole[np.argsort(whole[:, 0], kind="stable")])


def _rewrite(
    writer: Writer, models: Models, old: Mapping[str, Sequence], start: int, end: int
) -> dict[Stage, Sequence]:
    """Rewrite the passage in the sequences of each stage."""
    parts: dict[Stage, Sequence] = {}
    last_bar = (end - 1) // _STEPS_PER_BAR
    for stage in STAGES[models.config.variant]:
        source = None
        if stage in ("melody", "music") and "chord" in parts:
            source = [parts["chord"]]
        elif stage == "accompaniment":
            source = [merged_sequence(parts["chord"], parts["melody"])]
        primer = _before(old[stage], start)[None].to(models.device)
        [new] = writer.stage(stage, source, primer, last_bar)
        other = old["accompaniment" if stage == "melody" else "melody"]
        parts[stage] = spliced(old[stage], new, start, end, other)
    return parts


def _before(old: Sequence, start: int) -> Tensor:
    """Take tokens ``[p, 6]`` behind ``begin`` of all that begins before a step, its bar opened."""
    events = events_of(old)
    notes, chords = events.steps < start, events.chord_steps < start
    head = replace(
        events,
        bars=start // events.steps_per_bar + 1,
        chord_steps=events.chord_steps[chords],
        roots=events.roots[chords],
        qualities=events.qualities[chords],
        steps=events.steps[notes],
        pitches=events.pitches[notes],
        durations=events.durations[notes],
    )
    return torch.from_numpy(sequence_of(head, end=False).tokens[1:])


def _steps_of(passage: Passage, clock: TempoMap, bars: int) -> tuple[int, int]:
    """Find the first step and the one behind the last of the whole beats in a passage."""
    first, last = _beats(clock, np.array([passage.start_s, passage.end_s]))
    start = int(np.ceil(first - _NEAR)) * STEPS_PER_BEAT
    end = int(np.floor(last + _NEAR)) * STEPS_PER_BEAT
    whole = bars * _STEPS_PER_BAR
    if passage.end_s >= passage.piece.seconds:
        end = whole
    return max(0, start), min(end, whole)


def _beats(clock: TempoMap, times_s: Floats) -> Floats:
    """Find beats that sound at times: the other way of `TempoMap.__call__`."""
    pace = np.diff(clock.numbers[-2:])[0] / np.diff(clock.times_s[-2:])[0]
    behind = (times_s - clock.times_s[-1]).clip(0)
    return np.asarray(np.interp(times_s, clock.times_s, clock.numbers) + pace * behind)


def _steps(clock: TempoMap, times_s: Floats) -> Ints:
    return np.asarray(np.rint(STEPS_PER_BEAT * _beats(clock, times_s)), dtype=np.int64)


def _chords(piece: Piece, clock: TempoMap, bars: int) -> tuple[Ints, Ints]:
    """List steps and numbers ``[c, 2]`` of a piece's chords, named anew in every bar."""
    changes = {0: (NO_ROOT, NO_QUALITY)}
    for start_s, end_s, label in piece.facts.get("chords", ()):
        start, end = _steps(clock, np.array([start_s, end_s], dtype=np.float64)).tolist()
        root, quality = divmod(SYMMV_LABELS.index(label), len(SYMMV_QUALITIES))
        changes[start] = (root, quality)
        if end_s < piece.seconds - _ABOUT_S:
            changes.setdefault(end, (NO_ROOT, NO_QUALITY))
    change_steps = np.array(sorted(changes), dtype=np.int64)
    steps = np.union1d(change_steps, np.arange(bars) * _STEPS_PER_BAR)
    steps = steps[steps < bars * _STEPS_PER_BAR]
    sounding = change_steps[np.searchsorted(change_steps, steps, side="right") - 1]
    return steps, np.array([changes[int(step)] for step in sounding], dtype=np.int64)


def _until(chords: Chords, end_s: float) -> Chords:
    begun = chords.starts_s < end_s
    labels = tuple(label for label, is_in in zip(chords.labels, begun, strict=True) if is_in)
    return Chords(chords.starts_s[begun], np.minimum(chords.ends_s[begun], end_s), labels)
