"""What V-MusProd's tokens cost on real songs: notes, timing and the metrics of music quality.

    python benchmarks/quantisation.py FOLDER [tracked]     (MIDI files at any depth)

A `beat_midi.txt` beside a file holds its beats (POP909 publishes them); else they are those of
the file's ticks or, with `tracked`, those that madmom hears in the rendered piano. Each song goes
to tokens and back; it is compared on its own beats, and at one steady tempo as songs are composed.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.midi import read_beats, read_notes
from symmv_builder.backends.sampler import render
from symmv_builder.evaluation.music import METRICS, MusicScores, score_song, summarise
from symmv_builder.music.melody import split_parts
from symmv_builder.music.rhythm import quantise
from symmv_builder.records import Beats, Notes
from symmv_builder.training.usable import UnusableRow
from symmv_builder.training.vmusprod.sequences import (
    accompaniment_sequence,
    chord_sequence,
    full_sequence,
    melody_sequence,
)
from symmv_builder.training.vmusprod.songs import QuantisedSong, song_of, song_of_sequences
from symmv_builder.training.vmusprod.sounding import merged, notes_of_song
from symmv_builder.training.vmusprod.tempo import along, steady

NEAR_S = 0.25


@dataclass
class Cost:
    """What one song lost."""

    song: QuantisedSong
    notes: int
    kept: int
    onset_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]
    raw: MusicScores
    on_beats: MusicScores
    at_one_tempo: MusicScores


def beats_of(path: Path, tracker: Any) -> Beats:
    published = path.with_name("beat_midi.txt")
    if published.is_file():
        rows = np.loadtxt(published)
        opens = rows[:, 2] > 0
        last = np.maximum.accumulate(np.where(opens, np.arange(len(rows)), -1))
        before = (np.arange(len(rows)) - np.flatnonzero(opens)[0]) % 4
        return Beats(rows[:, 0], np.where(last >= 0, np.arange(len(rows)) - last, before) + 1)
    if tracker is None:
        return read_beats(path)
    sound = render(read_notes(path), rate_hz=tracker.rate_hz)
    beats: Beats = tracker.track(sound.mean(axis=1, keepdims=True))
    return beats


def scores(notes: Notes, beats_s: NDArray[np.float64] | None) -> MusicScores:
    return score_song(notes.starts_s, notes.ends_s, notes.pitches, beats_s)


def there_and_back(song: QuantisedSong) -> QuantisedSong:
    return song_of_sequences(
        chord_sequence(song),
        melody_sequence(song),
        accompaniment_sequence(song),
        tempo_bpm=song.tempo_bpm,
        beats=song.beats,
    )


def measure(path: Path, tracker: Any) -> Cost | None:
    notes, beats = read_notes(path), beats_of(path, tracker)
    parts = split_parts(quantise(notes, beats))
    row = {
        "beats_times_s": beats.times_s,
        "beats_positions": beats.positions,
        "parts_pitches": parts.pitches,
        "parts_onset_steps": parts.onset_steps,
        "parts_duration_steps": parts.duration_steps,
        "parts_is_melody": parts.is_melody,
    }
    try:
        song = song_of(row)
    except UnusableRow:
        return None
    back = there_and_back(song)
    on_beats = merged(*notes_of_song(back, along(beats.times_s, back.beats)))
    even = merged(*notes_of_song(back, steady(back.tempo_bpm)))
    beat_s = np.arange(2) * 60.0 / back.tempo_bpm
    onset_s, duration_s = errors(notes, on_beats)
    return Cost(
        song=back,
        notes=len(notes.pitches),
        kept=len(on_beats.pitches),
        onset_s=onset_s,
        duration_s=duration_s,
        raw=scores(notes, beats.times_s),
        on_beats=scores(on_beats, beats.times_s),
        at_one_tempo=scores(even, beat_s),
    )


def errors(raw: Notes, grid: Notes) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How far onset and duration of each note lie from the nearest note of its pitch.

    `nan` for a note with none near: its beat was left out.
    """
    onset = np.full(len(raw.pitches), np.nan)
    duration = onset.copy()
    for pitch in np.unique(raw.pitches):
        mine, theirs = np.flatnonzero(raw.pitches == pitch), np.flatnonzero(grid.pitches == pitch)
        if len(theirs) == 0:
            continue
        near = np.abs(raw.starts_s[mine, None] - grid.starts_s[None, theirs]).argmin(axis=1)
        onset[mine] = grid.starts_s[theirs][near] - raw.starts_s[mine]
        lengths = (grid.ends_s - grid.starts_s)[theirs][near]
        duration[mine] = lengths - (raw.ends_s - raw.starts_s)[mine]
    far = np.abs(onset) > NEAR_S
    onset[far] = duration[far] = np.nan
    return onset, duration


def report(costs: list[Cost]) -> None:
    notes, on_beats = sum(cost.notes for cost in costs), sum(cost.kept for cost in costs)
    lost = sum(int(np.isnan(cost.onset_s).sum()) for cost in costs)
    joined = (notes - on_beats - lost) / notes
    print(f"{notes} notes: {joined:.2%} joined with another of their 16th and pitch,", end=" ")
    print(f"{lost / notes:.2%} lost with beats that make no whole bar")
    for name in ("onset_s", "duration_s"):
        errors_ms = 1000 * np.abs(np.concatenate([getattr(cost, name) for cost in costs]))
        middle, high = np.nanquantile(errors_ms, (0.5, 0.95))
        print(f"{name[:-2]:9s} off by {middle:.1f} ms (median), {high:.1f} ms (95 %)")
    songs = [cost.song for cost in costs]
    chords = np.concatenate([np.unique(s.onsets, return_counts=True)[1] for s in songs])
    tokens = [len(full_sequence(song)) / song.bars for song in songs]
    print(f"a 16th holds at most {chords.max()} notes, {np.quantile(chords, 0.999):.0f} at 99.9 %")
    print(f"tokens of all notes a bar: median {np.median(tokens):.1f}, most {max(tokens):.1f}")
    spans = [1 + int(song.beats[-1] - song.beats[0]) for song in songs]
    kept_beats = sum(len(song.beats) for song in songs) / sum(spans)
    print(f"{1 - kept_beats:.2%} of the beats make no whole bar")
    print(f"tempo: median {np.median([song.tempo_bpm for song in songs]):.1f} to the minute")
    print("mean over songs            " + "  ".join(f"{metric.name:>6s}" for metric in METRICS))
    for name in ("raw", "on_beats", "at_one_tempo"):
        mean = summarise(getattr(cost, name) for cost in costs).mean
        values = (mean[metric.name] for metric in METRICS)
        print(f"  {name:24s} " + "  ".join(f"{value:6.4f}" for value in values))


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    tracker = load("beats", "madmom", ModelHome()) if "tracked" in sys.argv[2:] else None
    paths = sorted(Path(sys.argv[1]).rglob("*.mid"))
    costs = [measure(path, tracker) for path in paths]
    measured = [cost for cost in costs if cost is not None]
    print(f"{len(measured)} of {len(paths)} songs have bars of three or four beats")
    report(measured)


if __name__ == "__main__":
    main()
