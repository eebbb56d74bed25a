"""A row that is a clip of whole bars is learned as the same bars of the whole song."""

from typing import Any

import numpy as np
import pytest

from symmv_builder.between import cut_records
from symmv_builder.clips import Bars, ClockMap, Lengths, cut_entry
from symmv_builder.records import Beats, Chords, Parts
from symmv_builder.training.vmusprod.songs import song_of
from tests.training.vmusprod.song_rows import song_row

BARS = 12


def records_of(row: dict[str, Any]) -> dict[str, Any]:
    """A row's song as records; notes begin on the times of their steps."""
    gap_s = float(np.diff(row["beats_times_s"]).mean())
    starts = row["parts_onset_steps"] * gap_s / 4
    count = len(starts)
    parts = Parts(
        *(starts, starts + row["parts_duration_steps"] * gap_s / 4, row["parts_pitches"]),
        *(np.full(count, 64), row["parts_onset_steps"], row["parts_duration_steps"]),
        is_melody=row["parts_is_melody"],
    )
    return {
        "parts": parts,
        "beats": Beats(row["beats_times_s"], row["beats_positions"]),
        "chords": Chords(row["chords_starts_s"], row["chords_ends_s"], row["chords_labels"]),
    }


def as_row(records: dict[str, Any]) -> dict[str, Any]:
    """Records as the columns that V-MusProd reads."""
    parts, beats, chords = (records[name] for name in ("parts", "beats", "chords"))
    fields = ("pitches", "onset_steps", "duration_steps", "is_melody")
    return {
        "beats_times_s": beats.times_s,
        "beats_positions": beats.positions,
        **{f"parts_{name}": getattr(parts, name) for name in fields},
        **{f"chords_{name}": getattr(chords, name) for name in ("starts_s", "ends_s", "labels")},
    }


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("bars", [1, 4])
def test_a_clip_of_bars_is_a_crop_of_the_song(number: int, bars: int) -> None:
    row = song_row(number, BARS)
    whole, records = song_of(row), records_of(row)
    lengths = Lengths(600.0, ClockMap(), beats=records["beats"])
    clips = list(cut_entry(Bars(bars, bars), lengths))
    assert len(clips) == BARS // bars
    for place, clip in enumerate(clips):
        part = song_of(as_row(cut_records(records, clip)))
        crop = whole.cropped(place * bars, bars)
        # The clip counts its own beats from 0, and its tempo is that of fewer of them.
        assert part.tempo_bpm == pytest.approx(crop.tempo_bpm)
        assert part.beats.tolist() == (crop.beats - crop.beats[0]).tolist()
        for field in ("onsets", "durations", "pitches", "is_melody", "chord_roots"):
            assert getattr(part, field).tolist() == getattr(crop, field).tolist(), field
        assert part.chord_onsets.tolist() == crop.chord_onsets.tolist()
        assert part.bars == crop.bars
