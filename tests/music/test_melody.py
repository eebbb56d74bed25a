"""Melody rules on small grids and on POP909; texture against every released file at hand."""

import sys
from pathlib import Path

import numpy as np

from symmv_builder.backends.midi import read_notes
from symmv_builder.music.melody import split_parts, texture
from symmv_builder.records import GridNotes, Notes


def grid(*rows: tuple[int, int, int]) -> GridNotes:
    """Notes as (onset step, steps, pitch)."""
    table = np.array(sorted(rows), dtype=np.int64)
    onsets, steps, pitches = table[:, 0], table[:, 1], table[:, 2]
    order = np.lexsort((pitches, onsets))
    onsets, steps, pitches = onsets[order], steps[order], pitches[order]
    starts, ends = onsets / 8, (onsets + steps) / 8
    return GridNotes(starts, ends, pitches, np.full(len(rows), 64), onsets, steps)


def melody(notes: GridNotes, **rule: object) -> list[tuple[int, int]]:
    parts = split_parts(notes, **rule)  # type: ignore[arg-type]
    chosen = parts.is_melody
    fields = (parts.onset_steps[chosen].tolist(), parts.pitches[chosen].tolist())
    return list(zip(*fields, strict=True))


HELD = grid((0, 8, 76), (0, 8, 48), (2, 2, 64), (4, 2, 52), (8, 4, 74), (8, 4, 60))


def test_skyline_takes_the_highest_note_of_every_step() -> None:
    assert melody(HELD, rule="skyline") == [(0, 76), (2, 64), (4, 52), (8, 74)]


def test_the_default_waits_while_a_higher_melody_note_sounds() -> None:
    assert melody(HELD) == [(0, 76), (8, 74)]


def test_a_higher_note_takes_the_melody_over_at_once() -> None:
    assert melody(grid((0, 8, 72), (4, 4, 76))) == [(0, 72), (4, 76)]


def test_the_melody_never_goes_under_the_lowest_pitch() -> None:
    assert melody(grid((0, 2, 72), (2, 2, 55), (4, 2, 60))) == [(0, 72), (4, 60)]
    assert melody(grid((0, 2, 72), (2, 2, 55)), min_pitch=50) == [(0, 72), (2, 55)]


def test_every_note_is_in_one_part() -> None:
    parts = split_parts(HELD)
    assert len(parts.is_melody) == len(HELD.pitches)
    assert parts.pitches.tolist() == HELD.pitches.tolist()


def test_the_default_finds_more_of_real_melodies_than_skyline(shared_data: Path) -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
    from melody_rules import measure

    scores = measure(sorted((shared_data / "pop909").glob("*/*.mid"))[:10])
    assert scores["skyline"] > 0.55
    assert scores["sustained, from middle C"] > max(0.7, scores["sustained, any pitch"])
    assert scores["sustained, any pitch"] > scores["skyline"]


def test_notes_that_overlap_begin_together() -> None:
    played = Notes([0, 0.5, 2], [1, 1.5, 3], [72, 60, 64], [10, 20, 30])
    moved = texture(played)
    assert moved.starts_s.tolist() == [0.5, 0.5, 2]
    assert moved.pitches.tolist() == [60, 72, 64]
    assert moved.ends_s.tolist() == [1.5, 1, 3]


def test_texture_keeps_the_pedal_and_bears_no_notes() -> None:
    empty = Notes([], [], [], [], pedal_starts_s=[0], pedal_ends_s=[1])
    assert texture(empty).pedal_ends_s.tolist() == [1]


def test_the_released_texture_files_are_reproduced(shared_data: Path) -> None:
    files = sorted((shared_data / "symmv/midi").glob("*.mid"))
    assert len(files) == 60
    for path in files:
        ours = texture(read_notes(path))
        released = read_notes(shared_data / "symmv/texture" / f"{path.stem}_new.mid")
        assert np.allclose(_in_order(ours), _in_order(released), atol=1e-9), path.stem


def _in_order(notes: Notes) -> list[tuple[float, ...]]:
    fields = (notes.starts_s, notes.pitches, notes.ends_s, notes.velocities)
    return sorted(zip(*(field.tolist() for field in fields), strict=True))
