"""One stage on one file: a MIDI file needs no transcription, and texts become settings."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder import datasets
from symmv_builder.backends import ModelHome, ModelLoader, midi
from symmv_builder.datasets.stages import home_of, parse_settings, run_stage, write_record
from symmv_builder.errors import StopRun
from symmv_builder.music import dynamics, key
from symmv_builder.records import Beats, Chords, FeatureTrack, Key, Notes, Parts

LOAD = ModelLoader(ModelHome())


@pytest.fixture
def song(tmp_path: Path) -> Path:
    """Two bars of C major at 120 to the minute, a chord a beat under a line."""
    starts = [0.5 * beat for beat in range(8) for _ in range(4)]
    pitches = [pitch for _ in range(8) for pitch in (48, 52, 55, 72)]
    notes = Notes(
        np.array(starts),
        np.array([start + 0.5 for start in starts]),
        np.array(pitches),
        np.array([80] * 32),
    )
    path = tmp_path / "song.mid"
    midi.write_notes(path, {"piano": notes})
    return path


def test_a_midi_file_goes_through_the_symbolic_stages(song: Path) -> None:
    found = run_stage("key", song, LOAD)
    assert isinstance(found, Key)
    assert (found.tonic, found.mode) == ("C", "major")
    beats = run_stage("beats", song, LOAD)
    assert isinstance(beats, Beats)
    assert beats.tempo_bpm == pytest.approx(120)
    parts = run_stage("melody", song, LOAD)
    assert isinstance(parts, Parts)
    assert set(parts.pitches[parts.is_melody]) == {72}
    density = run_stage("density", song, LOAD, settings={"variant": "onsets"})
    assert isinstance(density, FeatureTrack)
    assert density.values[:, 0].tolist() == [8.0] * 4


def test_chords_of_a_midi_file_are_named_from_its_notes(song: Path) -> None:
    chords = run_stage("chords", song, LOAD)
    assert isinstance(chords, Chords)
    assert set(chords.labels) == {"CM"}


def test_a_stage_that_listens_refuses_a_midi_file(song: Path) -> None:
    with pytest.raises(StopRun, match="takes a recording"):
        run_stage("transcribe", song, LOAD)


def test_a_stage_belongs_to_the_recipe_that_has_it_and_its_backend() -> None:
    def home(name: str, backend: str | None = None, *, is_midi: bool = False) -> str:
        return home_of(name, backend, is_midi=is_midi).name

    assert home("chords") == "muvisync"
    assert home("chords", is_midi=True) == "midi"
    assert home("chords", "chorder") == "symmv"
    assert home("transcribe") == "symmv"
    assert home("transcribe", "basic_pitch") == "muvisync"
    assert home("semantic", "vit-l-14-336") == "symmv"
    assert home("emotion") == "muvisync"
    assert home("screen-text") == "symmv"
    # Steps of sound and pictures are those of the recipes of clips.
    assert [home(name) for name in ("music_tags", "sound-shares", "frames")] == ["gvmgen"] * 3
    assert home("audio_codes", "dac") == "gvmgen-paper"
    assert home("separate") == "v2m-paper"
    with pytest.raises(StopRun, match="lyrics is in no recipe of the package: name one"):
        home("lyrics")
    with pytest.raises(StopRun, match=r"transcribe has no backend 'transkum' \(did you mean trans"):
        home("transcribe", "transkum")
    with pytest.raises(StopRun, match=r"no stage is called 'chrods' \(did you mean chords\?\)$"):
        home("chrods")


def test_a_stage_of_a_recipe_has_the_settings_of_that_recipe(song: Path) -> None:
    tune = run_stage("parts", song, LOAD, recipe=datasets.recipe("symmv-paper"))
    assert isinstance(tune, Parts)
    assert run_stage("melody", song, LOAD, settings={"rule": "skyline"}) is not None
    with pytest.raises(StopRun, match="muvisync has no stage 'melody'; it has: music_asset"):
        run_stage("melody", song, LOAD, recipe=datasets.recipe("muvisync"))


def test_texts_become_settings_of_the_right_type_or_one_clear_line() -> None:
    assert parse_settings(key.STEP, {"profile": "vote"}, "key") == {"profile": "vote"}
    with pytest.raises(StopRun, match="it can be relative-pair, krumhansl-schmuckler"):
        parse_settings(key.STEP, {"profile": "guess"}, "key")
    with pytest.raises(StopRun, match="loudness has no parameter 'hop'"):
        parse_settings(dynamics.LOUDNESS, {"hop": "1"}, "loudness")


class Pulse:
    """A tracker that hears a beat every quarter of a second, whatever is played."""

    rate_hz, mono = 44_100, True

    def track(self, samples: NDArray[np.float32]) -> Beats:
        times = np.arange(0.25, len(samples) / self.rate_hz - 2, 0.25)
        return Beats(times, np.arange(len(times)) % 4 + 1)


def test_beats_heard_in_a_midi_file_are_at_the_level_of_the_recipe(tmp_path: Path) -> None:
    # Chords 0.47 s apart lie on no beats of a file that claims two a second.
    starts = np.repeat(np.arange(24) * 0.47 + 0.1, 3)
    path, pitches = tmp_path / "played.mid", np.tile([48, 64, 67], 24)
    midi.write_notes(path, {"piano": Notes(starts, starts + 0.4, pitches, np.full(72, 80))})

    def heard(recipe: str, **settings: str) -> Beats:
        model = datasets.recipe(recipe)
        beats = run_stage("beats", path, lambda *_: Pulse(), recipe=model, settings=settings)
        assert isinstance(beats, Beats)
        assert beats.source == "tracked"
        return beats

    assert heard("symmv").level_confidence is not None
    assert heard("symmv-paper").level_confidence is None
    assert heard("symmv-paper", level="chosen").level_confidence is not None
    with pytest.raises(StopRun, match="beats: level is 'raw'; it can be chosen, pulse"):
        heard("symmv", level="raw")


def test_a_record_of_notes_is_written_as_json_and_as_midi(song: Path, tmp_path: Path) -> None:
    record = run_stage("texture", song, LOAD)
    text, music = write_record(tmp_path / "out", song, "texture", record)
    assert json.loads(text.read_text())["pitches"] == record.pitches.tolist()  # type: ignore[union-attr]
    assert len(midi.read_notes(music).pitches) == len(record.pitches)  # type: ignore[union-attr]
