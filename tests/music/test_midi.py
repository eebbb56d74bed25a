"""The column of MIDI files: off unless a recipe asks, and the row's notes within a tick."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from symmv_builder import datasets
from symmv_builder.backends.midi import read_notes
from symmv_builder.datasets.recipe_file import read_recipe
from symmv_builder.midi_file import MidiFile
from symmv_builder.music.midi import STEP, TEMPO_BPM, TICKS_PER_BEAT, write_midi
from symmv_builder.records import Notes, Provenance
from symmv_builder.schema import arrow_schema
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, read_rows, write_receipt
from symmv_builder.storage.sidecars import decode, encode
from symmv_builder.storage.tables import build_table, row_bytes, table_bytes

TICK_S = 60 / TEMPO_BPM / TICKS_PER_BEAT


def make_notes(seed: int = 0, count: int = 80) -> Notes:
    """Notes at any time, none of which meets another of its pitch."""
    rng = np.random.default_rng(seed)
    starts = np.sort(rng.uniform(0, 30, count))
    return Notes(
        starts,
        starts + rng.uniform(0.05, 0.4, count),
        21 + np.arange(count) % 88,
        rng.integers(1, 128, count),
        pedal_starts_s=np.array([1.0, 4.5]),
        pedal_ends_s=np.array([2.0, 6.25]),
    )


def assert_same(notes: Notes, found: list[tuple[float, float, int, int]]) -> None:
    fields = (notes.starts_s, notes.ends_s, notes.pitches, notes.velocities)
    wanted = sorted(zip(*(f.tolist() for f in fields), strict=True), key=lambda n: (n[2], n[0]))
    assert len(found) == len(wanted)
    for one, other in zip(wanted, sorted(found, key=lambda n: (n[2], n[0])), strict=True):
        assert one[2:] == other[2:]
        assert np.abs(np.subtract(one[:2], other[:2])).max() <= TICK_S / 2 + 1e-6


def test_our_reader_gives_the_notes_and_their_pedal(tmp_path: Path) -> None:
    notes = make_notes()
    path = tmp_path / "a.mid"
    path.write_bytes(write_midi(notes).content)
    read = read_notes(path)
    columns = (read.starts_s, read.ends_s, read.pitches, read.velocities)
    assert_same(notes, list(zip(*(c.tolist() for c in columns), strict=True)))
    np.testing.assert_allclose(read.pedal_starts_s, notes.pedal_starts_s, atol=TICK_S)
    np.testing.assert_allclose(read.pedal_ends_s, notes.pedal_ends_s, atol=TICK_S)


def test_pretty_midi_gives_the_notes() -> None:
    pretty_midi = pytest.importorskip("pretty_midi", reason="pretty_midi is not installed")
    notes = make_notes()
    file = pretty_midi.PrettyMIDI(io.BytesIO(write_midi(notes).content))
    [piano] = file.instruments
    assert_same(notes, [(n.start, n.end, n.pitch, n.velocity) for n in piano.notes])


def test_symusic_gives_the_notes() -> None:
    symusic = pytest.importorskip("symusic", reason="symusic is not installed")
    notes = make_notes()
    score = symusic.Score.from_midi(write_midi(notes).content, ttype="second")
    found = [
        (n.time, n.time + n.duration, n.pitch, n.velocity)
        for track in score.tracks
        for n in track.notes
    ]
    fields = (notes.starts_s, notes.ends_s, notes.pitches, notes.velocities)
    wanted = sorted(zip(*(f.tolist() for f in fields), strict=True), key=lambda n: (n[2], n[0]))
    assert len(found) == len(wanted)
    for one, other in zip(wanted, sorted(found, key=lambda n: (n[2], n[0])), strict=True):
        assert one[2:] == other[2:]
        assert np.abs(np.subtract(one[:2], other[:2])).max() <= TICK_S


def test_no_notes_are_a_file_too(tmp_path: Path) -> None:
    path = tmp_path / "a.mid"
    path.write_bytes(write_midi(Notes((), (), (), ())).content)  # type: ignore[arg-type]
    assert len(read_notes(path).pitches) == 0


def test_a_recipe_asks_for_it_and_none_of_ours_does() -> None:
    text = 'name = "mine"\nbase = "symmv"\n\n[steps.midi]\n'
    recipe = read_recipe(text, "mine.toml", datasets.recipe)
    ours = datasets.recipe("symmv")
    assert [c.name for c in recipe.columns] == [*(c.name for c in ours.columns), "midi"]
    assert recipe.columns[-1].type == "binary"
    for name in datasets.built_in():
        assert "midi" not in {column.name for column in datasets.recipe(name).columns}


def test_it_is_stored_and_read_as_it_is(tmp_path: Path) -> None:
    made = write_midi(make_notes())
    by = Provenance("midi", 1, "{}", "", "", "", True, "{}")
    kept, _ = decode(encode(made, by))
    assert isinstance(kept, MidiFile)
    assert kept.content == made.content


def test_shards_hold_the_bytes(tmp_path: Path) -> None:
    text = 'name = "mine"\nbase = "symmv"\ncolumns = ["notes", "midi"]\n[steps.midi]\n'
    recipe = read_recipe(text, "mine.toml", datasets.recipe)
    kept = [c for c in recipe.columns if c.name in ("entry_id", "split", "midi")]
    schema = arrow_schema(kept, "mine")
    files = [write_midi(make_notes(seed, 10 + 7 * seed)).content for seed in range(3)]
    rows = [{"entry_id": f"e{n}", "split": "train", "midi": data} for n, data in enumerate(files)]
    assert row_bytes(schema, rows[1]) == 16 + 16 + len(files[1])
    assert table_bytes(build_table(schema, rows)) == [row_bytes(schema, row) for row in rows]
    root = Root(str(tmp_path))
    written = ShardWriter(root, "mine", schema).write(rows)
    receipt = {"schema": "mine", "splits": {"train": 3}, "shards": as_plain(written)}
    write_receipt(root, "mine", receipt)
    assert [row["midi"] for row in read_rows(root, "mine", ["midi"])] == files
    assert schema.field("midi").type == pa.binary()


@pytest.mark.parametrize("data", [b"", b"RIFF", b"MT"])
def test_other_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="Standard MIDI File"):
        MidiFile(np.frombuffer(data, np.uint8))


def test_the_step_is_found_by_its_name() -> None:
    from symmv_builder.datasets.step_table import find_step

    assert find_step("midi") is STEP
