"""Recordings, tables, MIDI files and rows are heard, and paired by name."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from symmv_builder.backends.midi import write_notes
from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.backends.sampler import render
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.datasets.sounds import Ear, PieceTables, hear_dataset, hear_files, paired
from symmv_builder.errors import StopRun
from symmv_builder.records import Notes
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt


class Level:
    """Two numbers for each second: which one, and how loud it is."""

    def embed(self, samples: np.ndarray[Any, Any], rate_hz: int) -> np.ndarray[Any, Any]:
        seconds = max(1, len(samples) // rate_hz)
        parts = [samples[n * rate_hz : (n + 1) * rate_hz] for n in range(seconds)]
        loud = [float(np.abs(part).mean()) for part in parts]
        return np.stack([np.arange(seconds), loud], axis=1)


def load(slot: str, name: str) -> Any:
    assert (slot, name) == ("audio_embedding", "musicnn")
    return Level()


EAR = Ear(load)
RATE = 22_050


def save_wav(path: Path, seconds: float, level: float = 0.25) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sound(path, np.full((round(seconds * RATE), 1), level, np.float32), RATE)
    return path


def notes(seconds: int = 3) -> Notes:
    starts = np.arange(0.0, seconds, 0.5)
    ones = np.ones(len(starts), dtype=np.int64)
    return Notes(starts, starts + 0.4, 60 * ones, 90 * ones)


def test_recordings_are_embedded_and_tables_are_read(tmp_path: Path) -> None:
    save_wav(tmp_path / "one.wav", 3.0)
    np.save(tmp_path / "two.npy", np.array([[7.0, 8.0]]))
    heard = hear_files([tmp_path], EAR)
    assert (heard.by_model, heard.by_others, heard.refused) == (True, True, ())
    assert [name for name, _ in heard.tables] == ["one", "two"]
    np.testing.assert_allclose(heard.table, [[0, 0.25], [1, 0.25], [2, 0.25], [7, 8]], atol=1e-3)  # type: ignore[arg-type]
    only = hear_files([tmp_path / "two.npy"], EAR)
    assert (only.by_model, only.by_others) == (False, True)


def test_a_piece_that_is_there_in_several_forms_is_heard_once(tmp_path: Path) -> None:
    save_wav(tmp_path / "one.wav", 3.0)
    shutil.copy(tmp_path / "one.wav", tmp_path / "one.mp4")
    write_notes(tmp_path / "one.mid", {"piano": notes(6)})
    save_wav(tmp_path / "one.two.wav", 2.0)
    assert len(hear_files([tmp_path], EAR).table) == 3 + 2
    played = dict(hear_files([tmp_path], Ear(load, sound="rendered")).tables)
    assert len(played["one"]) >= 6
    assert len(played["one.two"]) == 2


def test_midi_is_played(tmp_path: Path) -> None:
    write_notes(tmp_path / "one.mid", {"piano": notes()})
    [(name, table)] = hear_files([tmp_path], EAR).tables
    sound = render(notes(), rate_hz=44_100)
    assert name == "one"
    np.testing.assert_allclose(table, Level().embed(sound, 44_100), atol=1e-3)


def test_one_bad_file_is_refused_and_all_of_them_stop(tmp_path: Path) -> None:
    (tmp_path / "bad.wav").write_text("no sound")
    np.save(tmp_path / "two.npy", np.eye(2))
    heard = hear_files([tmp_path], EAR)
    [refused] = heard.refused
    assert len(heard.table) == 2
    assert not heard.by_model
    assert refused.file.endswith("bad.wav")
    with pytest.raises(StopRun, match=r"bad\.wav cannot be used"):
        hear_files([tmp_path / "bad.wav"], EAR)


@pytest.mark.parametrize(
    "array", [np.zeros((0, 3)), np.full((2, 2), np.nan), np.zeros((2, 2, 2)), np.array(["a"])]
)
def test_a_table_that_is_none_stops_the_run(array: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", array)
    with pytest.raises(StopRun, match=r"one\.npy"):
        hear_files([tmp_path], EAR)


def test_tables_of_unlike_widths_stop_the_run(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.eye(2))
    np.save(tmp_path / "two.npy", np.eye(3))
    with pytest.raises(StopRun, match=r"\[2, 3\] dimensions"):
        hear_files([tmp_path], EAR)


def dataset(folder: Path) -> Root:
    """Three rows: with a recording, with a lost one, and with no notes."""
    root = Root(str(folder / "data"))
    path = save_wav(folder / "a.wav", 2.0, 0.5)
    add_asset(root, path, hash_file(path))
    played = notes()
    filled = {f"notes_{n}": getattr(played, n) for n in ("starts_s", "ends_s", "pitches")}
    filled["notes_velocities"] = played.velocities
    empty = {name: values[:0] for name, values in filled.items()}
    rows = [
        {"entry_id": "a", "music_sha256": hash_file(path), **filled},
        {"entry_id": "b", "music_sha256": "ab" * 32, **filled},
        {"entry_id": "c", "music_sha256": hash_file(path), **empty},
    ]
    rows = [{"split": "test", "music_duration_s": 2.0, **row} for row in rows]
    schema = pa.schema([published_schema("symmv").field(name) for name in rows[0]])
    shards = ShardWriter(root, "symmv", schema).write(rows)
    receipt = {"splits": {"train": 0, "validation": 0, "test": 3}, "shards": as_plain(shards)}
    write_receipt(root, "symmv", receipt)
    return root


def test_rows_are_heard_by_their_recordings_or_their_notes(tmp_path: Path) -> None:
    root = dataset(tmp_path)
    recorded = hear_dataset(root, "symmv", "test", EAR)
    assert [name for name, _ in recorded.tables] == ["a", "c"]
    assert recorded.left_out == {"b": "its recording is not in the store"}
    np.testing.assert_allclose(recorded.tables[0][1], [[0, 0.5], [1, 0.5]], atol=1e-3)
    rendered = hear_dataset(root, "symmv", "all", Ear(load, sound="rendered"))
    assert [name for name, _ in rendered.tables] == ["a", "b"]
    assert rendered.left_out == {"c": "it has no notes"}
    assert len(rendered.tables[0][1]) >= 3


def heard(**tables: float) -> PieceTables:
    return PieceTables(
        tuple((name.replace("_", "."), np.full((1, 2), v)) for name, v in tables.items())
    )


def test_pieces_are_paired_with_what_their_names_begin_with() -> None:
    pairs, alone = paired(heard(a_amt=1.0, b=2.0, z=3.0), heard(b=5.0, a=6.0))
    assert [(name, number) for name, _, number in pairs] == [("a.amt", 1), ("b", 0)]
    assert alone == ["z"]
    with pytest.raises(StopRun, match="no piece has a reference of its name"):
        paired(heard(z=3.0), heard(b=5.0))
