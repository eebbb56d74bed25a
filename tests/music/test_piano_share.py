"""A piano accounts for piano; for drums, voices and held notes it does not."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.sampler import render
from symmv_builder.demo.repertoire import PIECES, piece, play
from symmv_builder.errors import RejectEntry
from symmv_builder.music.piano_share import RATE_HZ, explained, hear_piano
from symmv_builder.records import FeatureTrack, Notes
from symmv_builder.screen import screen_piano
from symmv_builder.timeline import Clock
from tests.hearing import heard
from tests.media import Samples, write_media
from tests.weights import need_model

ORGAN, VIOLIN, STRINGS, CHOIR, FLUTE = 19, 40, 48, 52, 73


@pytest.fixture(scope="module")
def notes() -> Notes:
    return play(piece("polonaise-op1-no1"), longest_s=20.0).notes


def share_in(path: Path, notes: Notes) -> FeatureTrack:
    track: FeatureTrack = heard(path, hear_piano(), notes)
    return track


def share(folder: Path, samples: NDArray[np.float32], notes: Notes) -> FeatureTrack:
    path = write_media(folder / "music.wav", Samples(samples[:, None], RATE_HZ))
    return share_in(path, notes)


def sound(notes: Notes, program: int = 0) -> NDArray[np.float32]:
    return np.asarray(render(notes, rate_hz=RATE_HZ, program=program).mean(axis=1))


@pytest.mark.slow
@pytest.mark.parametrize("name", [each.name for each in PIECES])
def test_a_piano_alone_passes(tmp_path: Path, name: str) -> None:
    played = play(piece(name), longest_s=20.0).notes
    track = share(tmp_path, sound(played), played)
    assert screen_piano(track).value > 0.5
    assert track.clock is Clock.MUSIC
    assert track.values.shape[1] == 3


@pytest.mark.slow
@pytest.mark.parametrize("program", [ORGAN, VIOLIN, STRINGS, CHOIR, FLUTE])
def test_an_instrument_that_holds_its_notes_is_turned_away(
    tmp_path: Path, notes: Notes, program: int
) -> None:
    with pytest.raises(RejectEntry, match="not_solo_piano"):
        screen_piano(share(tmp_path, sound(notes, program), notes))


def test_a_piano_with_drums_is_turned_away(tmp_path: Path, notes: Notes) -> None:
    samples = sound(notes).copy()
    rng = np.random.default_rng(0)
    fading = np.exp(-np.arange(RATE_HZ // 5) / (0.04 * RATE_HZ))
    for start in range(0, len(samples) - len(fading), RATE_HZ // 4):
        samples[start : start + len(fading)] += 0.4 * rng.normal(size=len(fading)) * fading
    with pytest.raises(RejectEntry, match="share that a piano accounts for"):
        screen_piano(share(tmp_path, samples, notes))


def test_a_piano_of_which_half_the_notes_are_unknown_is_accounted_for_less(
    tmp_path: Path, notes: Notes
) -> None:
    half = Notes(notes.starts_s[::2], notes.ends_s[::2], notes.pitches[::2], notes.velocities[::2])
    whole = share(tmp_path, sound(notes), notes).values[:, 0]
    assert share(tmp_path, sound(notes), half).values[:, 0].mean() < whole.mean() - 0.1


def test_loudness_of_the_recording_makes_no_difference(tmp_path: Path, notes: Notes) -> None:
    loud, quiet = (share(tmp_path, sound(notes) * gain, notes) for gain in (1.0, 0.01))
    np.testing.assert_allclose(loud.values[:-1, :2], quiet.values[:-1, :2], atol=1e-3)


@pytest.mark.parametrize("length", [1, 1000, 30000])
def test_silence_and_no_notes_are_no_error(tmp_path: Path, notes: Notes, length: int) -> None:
    nothing = Notes((), (), (), ())  # type: ignore[arg-type]
    silence = np.zeros(length, np.float32)
    for given in (notes, nothing):
        track = share(tmp_path, silence, given)
        assert np.isfinite(track.values).all()
        with pytest.raises(RejectEntry):
            screen_piano(track)


def test_fitting_never_accounts_for_more_than_is_there(notes: Notes) -> None:
    heard = np.random.default_rng(0).random((500, 109))
    fitted = explained(heard, notes, fades=True)
    assert fitted.shape == heard.shape
    assert (fitted >= 0).all()
    assert fitted.sum() < 1.1 * heard.sum()


@pytest.mark.twin("test_a_piano_alone_passes")
def test_a_real_piano_in_a_real_room_passes(shared_data: Path) -> None:
    stem = shared_data / "piano" / "MAPS_MUS-scn15_9_ENSTDkAm"
    rows = np.loadtxt(stem.with_suffix(".tsv"))
    rows = rows[np.lexsort((rows[:, 2], rows[:, 0]))]
    whole = rows[:, 2:].astype(np.int64)
    known = Notes(rows[:, 0], rows[:, 1], whole[:, 0], whole[:, 1])
    assert screen_piano(share_in(stem.with_suffix(".flac"), known)).value > 0.43


@pytest.mark.twin("test_a_piano_alone_passes")
@pytest.mark.slow
def test_a_real_piano_passes_by_what_is_transcribed_of_it(
    tmp_path: Path, shared_data: Path
) -> None:
    need_model("piano", "transkun")
    model = load("piano", "transkun", ModelHome())
    path = shared_data / "piano" / "MAPS_MUS-chpn-p14_ENSTDkAm.flac"
    some = slice(14 * model.rate_hz, 20 * model.rate_hz)
    heard = read_sound(path, rate_hz=model.rate_hz, mono=model.mono).samples[some]
    excerpt = write_media(tmp_path / "excerpt.wav", Samples(heard[:, :1], model.rate_hz))
    assert screen_piano(share_in(excerpt, model.transcribe(heard))).value > 0.43


@pytest.mark.twin("test_a_piano_with_drums_is_turned_away")
@pytest.mark.parametrize("name", ["sintel_score_26s", "big_buck_bunny_30s"])
def test_music_of_a_film_is_turned_away(shared_data: Path, name: str) -> None:
    need_model("polyphonic", "basic_pitch")
    model = load("polyphonic", "basic_pitch", ModelHome())
    path = shared_data / "video" / f"{name}.mp4"
    found = model.transcribe(read_sound(path, rate_hz=model.rate_hz, mono=True).samples)
    with pytest.raises(RejectEntry, match="not_solo_piano"):
        screen_piano(share_in(path, found))
