"""JPEG files of a video: the picture on screen, its size, and the column that holds it."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from symmv_builder.pipeline.step import use
from symmv_builder.records import Pictures
from symmv_builder.storage.tables import build_table, holds_files, row_bytes, rows_of, table_bytes
from symmv_builder.video import frames, jpeg_frames
from symmv_builder.video.jpeg_frames import watch_jpeg
from tests.media import Pictures as Stream
from tests.media import noise, steady, write_media

Image = pytest.importorskip("PIL.Image")


def read(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)).convert("RGB"))


def test_a_file_is_the_picture_on_screen_with_its_shape_kept(tmp_path: Path) -> None:
    shown = [noise(number // 25, 96, 160) for number in range(75)]
    path = write_media(tmp_path / "v.mp4", Stream(shown, steady(75)))
    [made] = frames.watch(path, [watch_jpeg(hop_s=0.5, side=48, quality=95)])
    assert isinstance(made, Pictures)
    assert len(made.files) == 6
    assert {read(file).shape for file in made.files} == {(48, 80, 3)}
    small = [noise(number, 96, 160).reshape(48, 2, 80, 2, 3).mean(axis=(1, 3)) for number in (0, 1)]
    for number, expected in ((0, small[0]), (1, small[0]), (2, small[1]), (3, small[1])):
        assert np.abs(read(made.files[number]) - expected).mean() < 25
    assert np.abs(read(made.files[0]) - small[1]).mean() > 40


def test_a_small_picture_is_not_enlarged_and_one_that_stays_is_the_same(tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Stream([noise(1), noise(2)], [0.0, 2.5]))
    [made] = frames.watch(path, [watch_jpeg()])
    assert read(made.files[0]).shape == (48, 64, 3)
    assert made.files[0] == made.files[1] == made.files[2]


def test_files_lie_in_shards_as_they_are(tmp_path: Path) -> None:
    path = write_media(tmp_path / "v.mp4", Stream([noise(1), noise(2)], [0.0, 1.0]))
    [made] = frames.watch(path, [watch_jpeg()])
    placed = use(jpeg_frames.STEP)
    [column] = placed.columns({placed.makes: placed})
    assert (column.name, column.type) == ("frames", "list<binary>")
    schema = pa.schema([column.field])
    assert holds_files(schema.field("frames"))
    rows = [{"frames": column.value_in(made)}, {"frames": ()}]
    table = build_table(schema, rows)
    assert list(rows_of(table)) == rows
    assert table_bytes(table) == [row_bytes(schema, row) for row in rows]
    assert row_bytes(schema, rows[0]) == sum(map(len, made.files))


def test_files_that_do_not_fill_the_data_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fill"):
        Pictures(np.zeros(3, np.uint8), np.array([1, 2]), 1.0)
    assert Pictures(np.zeros(0, np.uint8), np.zeros(0, np.int64), 1.0).files == ()
