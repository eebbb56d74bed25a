"""What is heard counts where it agrees with the title; else the title stands, with a note."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends.slots import SongModel
from symmv_builder.crawl.identify import agreement, identify
from symmv_builder.errors import RetryLater
from symmv_builder.records import SongInfo
from tests.media import Samples, tone, write_media
from tests.standins import StandInModel

HELLO = SongInfo("Hello", "Adele", genre="Pop", shazam_id="1", identified_by="shazam")
OTHER = SongInfo("Bohemian Rhapsody", "Queen", genre="Rock", shazam_id="2", identified_by="shazam")


class Listener(StandInModel, SongModel):
    """Gives answers in turn and remembers how much it was given to hear."""

    rate_hz = 8000
    excerpt_s = 2.0

    def __init__(self, *answers: SongInfo | Exception | None) -> None:
        self._answers: Sequence[SongInfo | Exception | None] = answers
        self.heard: list[NDArray[np.float32]] = []

    def recognise(self, samples: NDArray[np.float32]) -> SongInfo | None:
        answer = self._answers[min(len(self.heard), len(self._answers) - 1)]
        self.heard.append(samples)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("music") / "cover.wav"
    return write_media(path, Samples(np.linspace(0, 1, 80000, dtype=np.float32)[:, None]))


def test_a_song_that_agrees_with_the_title_is_taken_as_heard(music: Path) -> None:
    model = Listener(HELLO)
    found = identify(music, parsed_title="hello", parsed_artist="ADELE", model=model)
    assert found == HELLO
    assert [len(samples) for samples in model.heard] == [16000]


def test_three_places_are_heard_before_the_title_has_to_do(music: Path) -> None:
    model = Listener(None)
    found = identify(music, parsed_title="Hello", parsed_artist="Adele", model=model)
    assert found == SongInfo("Hello", "Adele", identified_by="title", note="no song was recognised")
    first = [float(samples[0]) for samples in model.heard]
    assert first == pytest.approx([0.4, 0.15, 0.65], abs=0.01)


def test_a_later_place_may_be_the_one_that_is_known(music: Path) -> None:
    model = Listener(None, OTHER, HELLO)
    assert identify(music, parsed_title="Hello", parsed_artist="Adele", model=model) == HELLO


def test_another_song_is_noted_and_the_title_stands(music: Path) -> None:
    found = identify(music, parsed_title="Hello", parsed_artist="Adele", model=Listener(OTHER))
    assert (found.title, found.artist, found.genre, found.shazam_id) == ("Hello", "Adele", "", "")
    assert found.identified_by == "title"
    assert "heard Queen - Bohemian Rhapsody, agreement 0." in found.note


def test_the_right_title_by_somebody_else_is_not_the_song(music: Path) -> None:
    cover = SongInfo("Hello", "Piano Tribute Players", genre="New Age", identified_by="shazam")
    found = identify(music, parsed_title="Hello", parsed_artist="Adele", model=Listener(cover))
    assert (found.artist, found.genre, found.identified_by) == ("Adele", "", "title")


def test_a_service_out_of_reach_is_noted_and_asked_once(music: Path) -> None:
    model = Listener(RetryLater("Shazam is not to be reached: refused"))
    found = identify(music, parsed_title="Hello", parsed_artist="Adele", model=model)
    assert found.identified_by == "title"
    assert found.note == "Shazam is not to be reached: refused"
    assert len(model.heard) == 1


def test_without_a_parsed_title_what_is_heard_is_taken(music: Path) -> None:
    assert identify(music, model=Listener(OTHER)) == OTHER


def test_nothing_parsed_and_nothing_heard_is_known_by_nobody(music: Path) -> None:
    assert identify(music, model=Listener(None)).identified_by == ""


def test_a_short_recording_is_heard_as_a_whole(tmp_path: Path) -> None:
    model = Listener(None)
    identify(write_media(tmp_path / "short.wav", Samples(tone(1.0))), model=model)
    assert [len(samples) for samples in model.heard] == [8000]


@pytest.mark.parametrize(
    ("title", "artist", "parsed_title", "parsed_artist"),
    [
        ("Déjà Vu", "Beyoncé feat. JAY-Z", "deja vu", "Beyonce"),
        ("Under Pressure (Remastered 2011)", "Queen & David Bowie", "Under Pressure", "Queen"),
        ("봄날", "방탄소년단", "봄날", "방탄소년단"),
        ("夜に駆ける", "YOASOBI", "夜に駆ける", "yoasobi"),
        ("(Untitled)", "Somebody", "(untitled)", "Somebody"),
        ("Rock & Roll", "Ft. Example", "Roll, Rock", ""),
    ],
)
def test_spelling_is_not_disagreement(
    title: str, artist: str, parsed_title: str, parsed_artist: str
) -> None:
    assert agreement(SongInfo(title, artist), parsed_title, parsed_artist) >= 0.8


@pytest.mark.parametrize(
    ("title", "artist"),
    [("Someone Like You", "Adele"), ("Hello", "Lionel Richie"), ("봄날", "Adele"), ("", "")],
)
def test_another_song_is_disagreement(title: str, artist: str) -> None:
    assert agreement(SongInfo(title, artist), "Hello", "Adele") < 0.6
