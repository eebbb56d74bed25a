"""Codes of a codec: those that transformers itself gives, in windows, and the sound out of them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from symmv_builder.backends import ModelHome, about, backend_class, load  # noqa: E402
from symmv_builder.backends.slots import AudioCodec  # noqa: E402
from symmv_builder.errors import StopRun  # noqa: E402
from symmv_builder.music import audio_codes  # noqa: E402
from symmv_builder.music.audio_codes import decoded, hear_codes  # noqa: E402
from symmv_builder.pipeline.step import use  # noqa: E402
from symmv_builder.records import AudioCodes  # noqa: E402
from tests.backends.codec_models import make_dac, make_encodec  # noqa: E402
from tests.hearing import heard  # noqa: E402
from tests.media import Samples, write_media  # noqa: E402

MAKERS: dict[str, Callable[..., Path]] = {"encodec": make_encodec, "dac": make_dac}
every_codec = pytest.mark.parametrize("name", MAKERS)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelHome]:
    folder = tmp_path_factory.mktemp("codecs")
    return {
        name: ModelHome(paths={name: str(make(folder / name))}) for name, make in MAKERS.items()
    }


def sound(seconds: float, rate_hz: int) -> NDArray[np.float32]:
    random = np.random.default_rng(0)
    return (0.1 * random.standard_normal(round(seconds * rate_hz))).astype(np.float32)


def as_transformers_does(
    name: str, folder: str, samples: NDArray[np.float32]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Codes ``[t, q]`` and sound by the package's own extractor and model."""
    import torch

    kind = {"encodec": "Encodec", "dac": "Dac"}[name]
    model = getattr(transformers, f"{kind}Model").from_pretrained(folder).eval()
    extract = getattr(transformers, f"{kind}FeatureExtractor").from_pretrained(folder)
    given = extract(samples, sampling_rate=extract.sampling_rate, return_tensors="pt")
    values = given["input_values"]
    with torch.no_grad():
        if name == "encodec":
            found = model.encode(values, given["padding_mask"])
            again = model.decode(found.audio_codes, found.audio_scales).audio_values[0, 0]
            return found.audio_codes[0, 0].T.numpy(), again.numpy()
        found = model.encode(values)
        again = model.decode(found.quantized_representation).audio_values[0]
        return found.audio_codes[0].T.numpy(), again.numpy()


@every_codec
def test_codes_and_sound_are_those_of_transformers(name: str, homes: dict[str, ModelHome]) -> None:
    codec: AudioCodec = load("codec", name, homes[name])
    samples = sound(0.5, codec.rate_hz)[: 22 * codec.hop]
    codes = codec.encode(samples)
    wanted, again = as_transformers_does(name, homes[name].paths[name], samples)
    assert codes.shape == (22, codec.codebooks)
    assert len(np.unique(codes)) > 5
    np.testing.assert_array_equal(codes, wanted)
    made = codec.decode(codes)
    assert made.shape == (22 * codec.hop,)
    assert made.std() > 0
    both = min(len(made), len(again))
    assert both > 21 * codec.hop
    np.testing.assert_allclose(made[:both], again[:both], atol=1e-5)
    assert codec.encode(samples[:0]).shape == (0, codec.codebooks)
    assert codec.decode(codes[:0]).shape == (0,)
    assert len(codec.encode(samples[: codec.hop + 1])) == 2


@every_codec
def test_a_recording_is_encoded_window_by_window_and_decoded_so(
    name: str, homes: dict[str, ModelHome], tmp_path: Path
) -> None:
    codec: AudioCodec = load("codec", name, homes[name])
    samples = sound(0.75, codec.rate_hz)
    path = write_media(tmp_path / "sound.wav", Samples(samples[:, None], codec.rate_hz))
    found: AudioCodes = heard(path, hear_codes(model=codec, window_s=0.3))
    window = round(0.3 * codec.rate_hz / codec.hop)
    assert (found.window, found.hop, found.rate_hz) == (window, codec.hop, codec.rate_hz)
    assert len(found.codes) == -(-len(samples) // codec.hop)
    second = samples[window * codec.hop : 2 * window * codec.hop]
    np.testing.assert_array_equal(found.codes[window : 2 * window], codec.encode(second))
    made = decoded(found, codec)
    assert len(made) == len(found.codes) * codec.hop
    alone = codec.decode(found.codes[:window].astype(np.int64))
    np.testing.assert_allclose(made[: window * codec.hop], alone, atol=1e-6)


def test_columns_are_as_wide_as_the_codec() -> None:
    for name, kind, rate in (("encodec", "int16[4]", "50 Hz"), ("dac", "int16[9]", "86.133 Hz")):
        placed = use(audio_codes.STEP, model=name)
        [column] = placed.columns({placed.makes: placed})
        assert (column.name, column.type) == ("audio_codes", f"list<{kind}>")
        assert rate in column.meaning


def test_codes_that_no_column_holds_are_refused() -> None:
    with pytest.raises(ValueError, match="outside 0-32767"):
        AudioCodes(np.array([[70_000]]), 1, 1, 1)


@every_codec
def test_random_weights_another_shape_and_none_are_told(
    name: str, homes: dict[str, ModelHome], tmp_path: Path
) -> None:
    assert not backend_class("codec", name).identify(homes[name]).trained
    other = MAKERS[name](tmp_path / "other", codebook_size=512)
    with pytest.raises(StopRun, match="codebook_size is 512 and not"):
        backend_class("codec", name)(ModelHome(paths={name: str(other)}))
    home = ModelHome(paths={name: str(tmp_path)})
    with pytest.raises(StopRun, match=r"lacks config\.json"):
        backend_class("codec", name).identify(home)


def test_encodecs_licence_is_declared() -> None:
    assert about("codec", "encodec").licence == "CC-BY-NC-4.0"
