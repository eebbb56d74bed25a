"""Recordings and files on their way to the metrics: which file is heard, by whom, as what."""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.datasets.evaluate import (
    beat_scores,
    find_files,
    is_dataset,
    moments_of_dataset,
    moments_of_files,
    music_of_dataset,
    music_of_files,
    shortened,
    untrained_models,
)
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.errors import NoRows
from symmv_builder.evaluation.beats import ONSET_RATE_HZ, heard_onsets_s
from symmv_builder.records import Beats, Notes
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from tests.synthetic_rows import make_row


def clicks(times: list[float], seconds: float, rate_hz: int = ONSET_RATE_HZ) -> np.ndarray:
    """Silence with short bursts of a tone."""
    samples = np.zeros(round(seconds * rate_hz), dtype=np.float32)
    burst = np.sin(np.arange(1000) * 0.3) * np.linspace(1, 0, 1000)
    for time in times:
        start = round(time * rate_hz)
        samples[start : start + 1000] += burst[: len(samples) - start].astype(np.float32)
    return samples


def save_wav(path: Path, samples: np.ndarray, rate_hz: int = ONSET_RATE_HZ) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate_hz, 0, "NONE", ""))
        file.writeframes((samples * 30000).astype("<i2").tobytes())
    return path


def save_midi(path: Path, starts: list[float]) -> Path:
    times = np.array(starts)
    notes = Notes(times, times + 0.25, np.full(len(times), 60), np.full(len(times), 64))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(midi_bytes({"piano": notes}))
    return path


class Tracker:
    """A beat tracker that says how many samples it was given."""

    rate_hz = 8000
    mono = True

    def track(self, samples: np.ndarray) -> Beats:
        assert samples.shape == (16000, 1)
        return Beats(times_s=np.array([0.5, 1.5]), positions=np.array([1, 2]))


def load(slot: str, name: str) -> Any:
    return {"beats": Tracker}[slot]()


def never(slot: str, name: str) -> Any:
    raise AssertionError(f"{slot} {name} was loaded")


def test_onsets_are_heard_where_they_sound() -> None:
    times = [0.5, 1.2, 2.0, 2.9]
    heard = heard_onsets_s(clicks(times, 4.0))
    assert len(heard) == len(times)
    assert heard == pytest.approx(times, abs=0.05)


def test_silence_and_a_moment_of_sound_have_no_onsets() -> None:
    assert len(heard_onsets_s(np.zeros(40000, dtype=np.float32))) == 0
    assert len(heard_onsets_s(np.ones(100, dtype=np.float32))) == 0


def test_a_recording_s_beats_are_those_of_the_tracker(tmp_path: Path) -> None:
    save_wav(tmp_path / "one.wav", clicks([0.5], 2.0))
    [(name, moments)] = moments_of_files([tmp_path], "beats", load).named
    assert name == "one"
    assert moments.times_s.tolist() == [0.5, 1.5]
    assert moments.duration_s == pytest.approx(2.0)


def test_a_recording_s_onsets_take_no_model(tmp_path: Path) -> None:
    path = save_wav(tmp_path / "one.wav", clicks([0.5, 1.2], 2.0))
    [(_, moments)] = moments_of_files([path], "onsets", never).named
    assert moments.times_s == pytest.approx([0.5, 1.2], abs=0.05)


def test_a_midi_file_says_its_own_beats_and_goes_before_its_recording(tmp_path: Path) -> None:
    save_midi(tmp_path / "one.amt.mid", [0.0, 1.0])
    save_wav(tmp_path / "one.amt.wav", clicks([0.5], 2.0))
    [(name, moments)] = moments_of_files([tmp_path], "beats", never).named
    assert name == "one.amt"
    assert moments.times_s[:3].tolist() == [0.0, 0.5, 1.0]
    assert moments.duration_s == 1.25


def test_generated_music_is_scored_against_the_recording_of_its_name(tmp_path: Path) -> None:
    save_wav(tmp_path / "real" / "one.wav", clicks([0.5, 1.2, 3.3], 4.0))
    save_midi(tmp_path / "made" / "one.mid", [0.2, 2.2, 3.6])
    made = moments_of_files([tmp_path / "made"], "onsets", never)
    real = moments_of_files([tmp_path / "real"], "onsets", never)
    scores, pairs, alone = beat_scores(made, real, 1.0)
    assert (pairs, alone) == (1, ())
    # Seconds 0, 2, 3 against 0, 1, 3.
    assert scores["bcs"] == scores["bhs"] == pytest.approx(200 / 3)


def test_files_are_found_in_order_once_and_by_suffix(tmp_path: Path) -> None:
    two, one = save_midi(tmp_path / "b.mid", [0.0]), save_midi(tmp_path / "a" / "x.MID", [0.0])
    (tmp_path / "note.txt").touch()
    assert find_files([two, tmp_path], (".mid",), "MIDI files") == [two, one]


def test_progress_counts_every_file(tmp_path: Path) -> None:
    for name in ("a.mid", "b.mid"):
        save_midi(tmp_path / name, [0.0, 1.0])
    told: list[tuple[int, int, str]] = []
    music_of_files([tmp_path], tell=lambda *count: told.append(count))
    assert told == [(1, 2, "a.mid"), (2, 2, "b.mid")]


@pytest.mark.parametrize(
    ("name", "belongs_to"),
    [("x", "x"), ("x.amt", "x"), ("x-3", "x"), ("x.y-12.amt", "x.y"), ("x-3", "x-3")],
)
def test_a_piece_belongs_to_what_its_name_begins_with(name: str, belongs_to: str) -> None:
    assert belongs_to in list(shortened(name))


def test_an_exact_name_goes_before_a_shorter_one(tmp_path: Path) -> None:
    assert list(shortened("x.y-3")) == ["x.y-3", "x.y", "x"]
    assert list(shortened("-3")) == ["-3"]
    save_midi(tmp_path / "real" / "x.mid", [0.0, 9.0])
    save_midi(tmp_path / "real" / "x-3.mid", [0.0, 1.0])
    save_midi(tmp_path / "made" / "x-3.mid", [0.0, 1.0])
    made, real = (
        moments_of_files([tmp_path / folder], "onsets", never) for folder in ("made", "real")
    )
    assert beat_scores(made, real, 1.0)[0]["bhs"] == 100.0


def test_a_path_is_no_dataset(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    root.write("real/dataset.json", b"{}")
    assert is_dataset(root, "real")
    assert not is_dataset(root, "./real")
    assert not is_dataset(root, "..")
    assert not is_dataset(root, "other")


def test_untrained_models_are_named_once() -> None:
    models = [
        {"backend": "untrained-512", "trained": False},
        {"backend": "untrained-512", "trained": False},
        {"backend": "madmom", "trained": True},
        {"backend": "old"},
    ]
    assert untrained_models({"models": models}) == ("untrained-512",)
    assert untrained_models({}) == ()


def test_a_row_that_cannot_be_measured_is_named_and_the_others_are(tmp_path: Path) -> None:
    rows = [make_row("symmv", number, split="test") for number in range(5)]
    for name in ("starts_s", "ends_s", "pitches", "velocities"):
        rows[1][f"notes_{name}"] = rows[1][f"notes_{name}"][:1]
    rows[2]["beats_times_s"] = np.zeros(16)
    rows[3]["beats_times_s"] = np.zeros(0)
    root = Root(str(tmp_path))
    shards = ShardWriter(root, "symmv", published_schema("symmv")).write(rows)
    write_receipt(root, "symmv", {"shards": as_plain(shards), "splits": {"test": 5}})
    found = music_of_dataset(root, "symmv", "test")
    assert found.summary.songs == 3
    assert found.clock == "tracked beats in 2 of 3, else 120 to the minute"
    assert found.left_out == {
        "song-001": "it has 1 note; the metrics take two",
        "song-002": "the times of its beats do not rise",
    }
    moments = moments_of_dataset(root, "symmv", "test", "beats")
    assert [name for name, _ in moments.named] == ["song-000", "song-001", "song-002", "song-004"]
    assert moments.left_out == {"song-003": "its column beats_times_s holds no times"}


def test_a_split_without_rows_says_which_splits_have_some(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    rows = [make_row("symmv", 0, split="train")]
    shards = ShardWriter(root, "symmv", published_schema("symmv")).write(rows)
    write_receipt(root, "symmv", {"shards": as_plain(shards), "splits": {"train": 1, "test": 0}})
    with pytest.raises(NoRows, match=r"has no rows in split .*; it has train") as caught:
        music_of_dataset(root, "symmv", "test")
    assert list(caught.value.known) == ["train"]
