"""A person's own MIDI files: heard, quantised, and one song where they are equal."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.datasets.imports.importers.midi import scan
from symmv_builder.datasets.imports.symbolic import track_rendered_beats
from symmv_builder.errors import RejectEntry
from symmv_builder.records import Beats, Notes
from symmv_builder.storage.sidecars import decode
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
    assert len(row["key_tonics"]) == len(row["key_modes"]) == len(row["key_starts_s"]) >= 1
    assert receipt["made_by"]["beats"] == "written_or_rendered_beats"

    # Nothing is said of a video, which there is none of.
    _, out, _ = call("show", "tune", *place)
    assert out.splitlines()[1] == "music file:midi.tune, no video"
    code, _, err = call("release", "midi", "1.0.0", *place)
    assert code == 0, err
    released = tmp_path / "root" / "releases" / "midi" / "1.0.0"
    card = (released / "README.md").read_text()
    assert "Music with symbolic annotation on its clock, without videos" in card
    assert "video-classification" not in card
    assert not re.search(r"(?i)music and video|video_url", (released / "DATASHEET.md").read_text())


def test_a_song_that_was_taken_down_is_named_when_its_folder_is_imported_again(
    tmp_path: Path, call: Call
) -> None:
    folder = tmp_path / "songs"
    folder.mkdir()
    for number in range(3):
        pitches = [pitch + number for pitch in SCALE]
        (folder / f"song{number}.mid").write_bytes(midi_bytes({"piano": notes(pitches)}))
    place = ("--root", tmp_path / "root")
    assert call("import", "midi", folder, *place, "--workers", 1)[0] == 0
    asked = ("takedown", "midi", "song1", "--reason", "asked", *place)
    assert "removed: song1" in call(*asked)[1]
    code, out, err = call("import", "midi", folder, *place, "--workers", 1)
    assert (code, "2 made, 0 rejected" in out) == (0, True)
    assert "1 left out: taken down: song1" in err
    code, out, _ = call(*asked)
    assert (code, out.splitlines()[0]) == (0, "song1 was taken down already")
    # Under another name it is the same recording.
    (folder / "song1.mid").rename(folder / "renamed.mid")
    assert "1 left out: taken down: renamed" in call("import", "midi", folder, *place)[2]


BEAT_S = 60 / 84


def write_song(path: Path, *, drift: bool) -> Notes:
    """Chords in quarters at 84 to the minute, or played with a tempo that drifts."""
    at = np.arange(64) * BEAT_S
    if drift:
        at = at + 0.4 * np.sin(np.arange(64) / 5) + 0.5
    pitches = np.array(SCALE * 2)[:64]
    song = Notes(
        np.asarray(at, np.float64),
        np.asarray(at + BEAT_S * 0.9, np.float64),
        pitches,
        np.full(64, 80),
    )
    path.write_bytes(midi_bytes({"piano": song}, tempo_bpm=84.0))
    return song


@pytest.mark.parametrize(
    ("source", "drift", "wanted"),
    [("auto", False, "file"), ("auto", True, "tracked"), ("file", True, "file")],
)
def test_beats_are_taken_from_the_file_where_the_notes_lie_on_them(
    source: str, drift: bool, wanted: str, tmp_path: Path, call: Call, read: Read
) -> None:
    folder, root = tmp_path / "songs", tmp_path / "root"
    folder.mkdir()
    write_song(folder / "song.mid", drift=drift)
    choice = ("--beats", source, "--root", root, "--workers", 1)
    code, _, err = call("import", "midi", folder, *choice)
    assert code == 0, err
    _, [row] = read(root, "midi")
    [sidecar] = (root / "midi" / "sidecars" / "song").glob("beats.*.npz")
    beats, by = decode(sidecar.read_bytes())
    assert isinstance(beats, Beats)
    assert beats.source == wanted
    assert (beats.level_confidence is None) == (wanted == "file")
    assert by.step == "written_or_rendered_beats"
    [written] = (root / "midi" / "sidecars" / "song").glob("written_beats.*.npz")
    assert f'"source": "{source}"' in decode(written.read_bytes())[1].parameters
    if wanted == "file":
        expected = np.arange(len(row["beats_times_s"])) * BEAT_S
        assert row["beats_times_s"] == pytest.approx(expected, abs=1e-3)


def test_no_tracker_is_loaded_where_the_files_have_their_beats(tmp_path: Path) -> None:
    (tmp_path / "songs").mkdir()
    for number in range(3):
        write_song(tmp_path / "songs" / f"{number}.mid", drift=False)
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from symmv_builder.datasets.imports.symbolic import (\n"
        "    WRITTEN_OR_HEARD, read_midi_beats, read_midi_notes)\n"
        "path = Path(sys.argv[1]); notes = read_midi_notes(path)\n"
        "assert not WRITTEN_OR_HEARD.takes_model([read_midi_beats(path, notes), notes])\n"
        "assert not {'torch', 'madmom', 'librosa'} & set(sys.modules)\n"
    )
    song = tmp_path / "songs" / "0.mid"
    subprocess.run([sys.executable, "-c", script, str(song)], check=True)


def test_a_choice_of_beats_that_does_not_exist_is_one_line(tmp_path: Path, call: Call) -> None:
    (tmp_path / "a.mid").write_bytes(midi_bytes({"piano": notes(SCALE)}))
    code, out, err = call("import", "midi", tmp_path, "--beats", "guessed")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "auto, file, tracked" in err


def test_a_folder_without_midi_files_is_one_line(tmp_path: Path, call: Call) -> None:
    code, out, err = call("import", "midi", tmp_path, "--root", tmp_path / "root")
    assert (code, out, err.count("\n")) == (2, "", 1)
    code, _, err = call("import", "midi", tmp_path, "--chords", "recomputed")
    assert (code, "no choice 'chords'" in err) == (2, True)


@pytest.mark.slow
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


def test_a_file_of_hours_is_not_played_to_hear_its_beats() -> None:
    late = Notes(np.array([0.0, 7200.0]), np.array([1.0, 7201.0]), *np.array([[60, 64], [80, 80]]))
    with pytest.raises(RejectEntry, match="7201 s of notes; beats are heard in 3600 s at most"):
        track_rendered_beats(late, model=None)  # type: ignore[arg-type]
