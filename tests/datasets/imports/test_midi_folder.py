"""A person's own MIDI files: heard, quantised, and one song where they are equal."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.datasets.imports.midi_folder import scan
from tests.datasets.imports.small_releases import Call, Read, notes, write_pop909

SCALE = [60, 64, 67, 72, 62, 65, 69, 74] * 6


def test_files_of_one_content_are_one_song(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    for name in ("b.mid", "more/a tune.MIDI", "c.mid"):
        tune = notes(SCALE[: 8 if name == "c.mid" else 16])
        (tmp_path / name).write_bytes(midi_bytes({"piano": tune}))
    entries = {song.entry.entry_id: song.entry for song in scan(tmp_path).songs}
    assert len(entries) == 3
    [other] = set(entries) - {"b", "c"}
    assert other.startswith("more-a-tune-")
    assert entries[other].song_id == entries["b"].song_id == "b"
    assert entries["c"].song_id == "c"
    assert entries[other].song.title == "a tune"


def test_names_that_collide_and_packed_files_are_entries_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    names = ("a-b.mid", "a/b.mid", "x.mid", "x.midi", "y.KAR", "z.rmi", "w.mid.gz", ".mid")
    for name in names:
        (tmp_path / name).write_bytes(midi_bytes({"piano": notes(SCALE)}))
    (tmp_path / "out.mid").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "pipe.mid")
    tree = scan(tmp_path)
    ids = {song.entry.entry_id: song.music for song in tree.songs}
    assert len(ids) == 7
    assert ids["a-b"] == tmp_path / "a-b.mid"
    assert ids["x"] == tmp_path / "x.mid"
    assert {"y", "z", "w"} < set(ids)
    assert ["out.mid leads" in tree.left_out[0], "pipe.mid is" in tree.left_out[1]] == [True, True]


def test_names_that_are_no_text_end_nothing(tmp_path: Path, call: Call, read: Read) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    for number, name in enumerate((b"caf\xe9.mid", b"caf\xe8.mid", b"two\nlines\x1b.mid")):
        tune = notes([pitch + number for pitch in SCALE])
        Path(os.fsdecode(os.path.join(os.fsencode(folder), name))).write_bytes(
            midi_bytes({"piano": tune})
        )
    code, out, _ = call("import", "midi", folder, "--root", tmp_path / "root", "--workers", 1)
    assert (code, "3 made, 0 rejected" in out) == (0, True)
    titles = sorted(row["title"] for row in read(tmp_path / "root", "midi")[1])
    assert titles == ["caf\ufffd", "caf\ufffd", "two lines"]


def test_a_folder_of_midi_files_becomes_rows_with_all_that_can_be_heard(
    tmp_path: Path, call: Call, read: Read
) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    (folder / "tune.mid").write_bytes(midi_bytes({"piano": notes(SCALE)}))
    (folder / "broken.mid").write_bytes(b"MThd and no more")
    (folder / "readme.txt").write_text("not music")
    place = ("--root", tmp_path / "root")
    code, out, err = call("import", "midi", folder, *place, "--workers", 1)
    assert (code, "1 made, 1 rejected" in out) == (0, True)
    assert "put aside: broken: music_asset: unreadable" in err
    receipt, [row] = read(tmp_path / "root", "midi")
    assert row["notes_pitches"].tolist() == SCALE
    assert row["parts_is_melody"].any()
    assert np.diff(row["parts_onset_steps"]).min() >= 0
    assert {"chords_labels", "key_tonic", "beats_times_s", "pedal_starts_s"} <= set(row)
    assert receipt["made_by"]["beats"] == "rendered_beats"


def test_a_folder_without_midi_files_is_one_line(tmp_path: Path, call: Call) -> None:
    code, out, err = call("import", "midi", tmp_path, "--root", tmp_path / "root")
    assert (code, out, err.count("\n")) == (2, "", 1)
    code, _, err = call("import", "midi", tmp_path, "--chords", "recomputed")
    assert (code, "no choice of chords" in err) == (2, True)


def test_an_import_that_is_killed_goes_on_and_ends_in_the_same_bytes(tmp_path: Path) -> None:
    for number in range(1, 31):
        write_pop909(tmp_path / "release", f"{number:03d}")
    script = "import sys; from symmv_builder.cli import main; sys.argv[0] = 'symmv'; main()"
    command = [sys.executable, "-c", script, "import", "pop909", str(tmp_path / "release")]
    whole, killed = ([*command, "--workers", "1", "--root", str(tmp_path / n)] for n in "wk")
    subprocess.run(whole, check=True, capture_output=True)
    chance = random.Random(2)
    for _ in range(3):
        running = subprocess.Popen(
            killed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        time.sleep(chance.uniform(0.5, 2.5))
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
    subprocess.run(killed, check=True, capture_output=True)
    for name in ("dataset.json", "entries.jsonl", "splits.json"):
        both = [(tmp_path / root / "pop909" / name).read_bytes() for root in "wk"]
        assert both[0] == both[1], name
    shards = [
        {path.name: path.read_bytes() for path in (tmp_path / root / "pop909/shards").iterdir()}
        for root in "wk"
    ]
    assert shards[0] == shards[1]
