"""Tags of the music: which seconds a segment is of, and what musicnn says of a piano."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.musicnn.tagger import Musicnn
from symmv_builder.backends.slots import Tagger
from symmv_builder.crawl.probe import probe_music
from symmv_builder.music import music_tags
from symmv_builder.music.music_tags import hear_tags
from symmv_builder.pipeline.step import use
from symmv_builder.records import TagTrack
from symmv_builder.timeline import Clock
from tests.hearing import heard
from tests.media import Samples, write_media
from tests.standins import StandInModel
from tests.weights import need_model

RATE_HZ = 100


class Level(StandInModel, Tagger):
    """Says how loud a segment is, and when it begins as a share of a hundred seconds."""

    rate_hz: ClassVar[int] = RATE_HZ
    segment_s: ClassVar[float] = 3.0
    tags: ClassVar[tuple[str, ...]] = ("loud", "late")

    def __init__(self, home: ModelHome) -> None:
        """There is nothing to load."""

    def tag_at(
        self, samples: NDArray[np.float32], starts_s: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        firsts = np.round(starts_s * RATE_HZ).astype(int)
        loud = [np.abs(samples[first : first + 300]).mean() for first in firsts]
        return np.stack([loud, starts_s / 100], axis=1).astype(np.float32)


def tags_of(path: Path, model: Tagger, hop_s: float = 1.0) -> TagTrack:
    track: TagTrack = heard(path, hear_tags(model=model, hop_s=hop_s), probe_music(path))
    return track


def test_a_second_is_tagged_by_the_three_around_it(tmp_path: Path) -> None:
    samples = np.zeros((800, 1), np.float32)
    samples[500:600] = 0.5
    path = write_media(tmp_path / "sound.wav", Samples(samples, RATE_HZ))
    track = tags_of(path, Level(ModelHome()))
    assert (track.hop_s, track.clock) == (1.0, Clock.MUSIC)
    assert track.values[:, 1] * 100 == pytest.approx([0, 0, 1, 2, 3, 4, 5, 5])
    assert (track.values[:, 0] > 0.1).tolist() == [False] * 4 + [True] * 4
    assert len(tags_of(path, Level(ModelHome()), hop_s=2.0).values) == 4


def test_columns_say_which_tag_stands_where() -> None:
    placed = use(music_tags.STEP, model="musicnn", hop_s=0.5)
    [column] = placed.columns({placed.makes: placed})
    assert (column.name, column.type) == ("music_tags", "list<float16[50]>")
    assert column.meaning.startswith("likelihood at 2 Hz, by musicnn, of: guitar, classical, ")


def test_a_piano_is_tagged_as_a_piano_in_every_second(tmp_path: Path) -> None:
    need_model("tags", "musicnn")
    need_model("soundfont", "timgm6mb")
    from symmv_builder.backends.sampler import render
    from symmv_builder.demo.repertoire import piece, play

    samples = render(play(piece("sonata-k545"), longest_s=6.0).notes, rate_hz=16_000)
    path = write_media(tmp_path / "piano.wav", Samples(samples, 16_000, "stereo"))
    model = load("tags", "musicnn", ModelHome())
    values = tags_of(path, model).values
    assert values.shape == (len(values), 50)
    assert (values.argmax(axis=1)[:5] == model.tags.index("piano")).all()
    # The same network as that which embeds: its segments begin every three seconds.
    ear = load("audio_embedding", "musicnn", ModelHome())
    assert isinstance(ear, Musicnn)
    mono = samples.mean(axis=1, dtype=np.float32)
    found, wanted = model.tag_at(mono, np.array([0.0, 3.0])), ear.tag(mono, 16_000)[:2]
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert model.tag_at(mono[:100], np.array([0.0])).shape == (1, 50)
    assert model.tag_at(mono, np.array([])).shape == (0, 50)
