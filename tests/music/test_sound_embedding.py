"""The embedding of a recording is what its model gives of its sound, one row a segment."""

from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome
from symmv_builder.backends.slots import AudioEmbedder
from symmv_builder.music import sound_embedding
from symmv_builder.music.sound_embedding import hear_embedding
from symmv_builder.pipeline.step import use
from symmv_builder.records import FeatureTrack
from tests.hearing import heard
from tests.media import Samples, tone, write_media
from tests.standins import StandInModel


class Halves(StandInModel, AudioEmbedder):
    """Loudness and rate of every half second."""

    width: ClassVar[int] = 2
    segment_s: ClassVar[float] = 0.5

    def __init__(self, home: ModelHome) -> None:
        """There is nothing to load."""

    def embed(self, samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
        size = rate_hz // 2
        parts = [samples[at : at + size] for at in range(0, len(samples) - size + 1, size)]
        return np.array([[np.abs(p).mean(), rate_hz] for p in parts], np.float32)


def test_a_row_is_a_segment_at_the_files_own_rate(tmp_path: Path) -> None:
    samples = tone(1.7)
    samples[4000:8000] = 0
    path = write_media(tmp_path / "a.wav", Samples(samples))
    track: FeatureTrack = heard(path, hear_embedding(model=Halves(ModelHome())))
    assert (track.hop_s, track.values.shape) == (0.5, (3, 2))
    assert (track.values[:, 0] > 0.1).tolist() == [True, False, True]
    assert track.values[0, 1] == 8000


def test_columns_name_the_model_and_its_segments() -> None:
    placed = use(sound_embedding.STEP, makes="clap", model="clap")
    [column] = placed.columns({placed.makes: placed})
    assert (column.name, column.type) == ("clap", "list<float16[512]>")
    assert column.meaning == "embedding by clap of every 10 s"
