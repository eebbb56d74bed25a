"""VGGish, CLAP and MERT: loaded from files as they are published, one vector a segment."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, backend_class, load
from symmv_builder.backends.embeddings import vggish
from symmv_builder.backends.pretrained import UNTRAINED
from symmv_builder.errors import StopRun
from tests.backends.audio_models import make_clap, make_mert, make_vggish

SLOT = "audio_embedding"
MAKERS: dict[str, Callable[..., Path]] = {
    "vggish": make_vggish,
    "clap": make_clap,
    "mert": make_mert,
}
every_model = pytest.mark.parametrize("name", MAKERS)


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelHome]:
    folder = tmp_path_factory.mktemp("models")
    return {
        name: ModelHome(paths={name: str(make(folder / name))}) for name, make in MAKERS.items()
    }


def tone(seconds: float, hertz: float = 440.0, rate_hz: int = 22_050) -> np.ndarray[Any, Any]:
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = np.sin(2 * np.pi * hertz * times) * (0.3 + 0.2 * np.sin(times))
    return np.stack([wave, 0.5 * wave], axis=1).astype(np.float32)


@every_model
def test_a_segment_is_a_vector_and_depends_on_what_sounds_in_it(
    name: str, homes: dict[str, ModelHome]
) -> None:
    model = load(SLOT, name, homes[name])
    length = 2.6 * model.segment_s
    found = model.embed(tone(length), 22_050)
    assert found.shape == (2, model.width)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found, model.embed(tone(length), 22_050))
    # The first segment is the same whatever follows it, and another tone is another vector.
    alone = model.embed(tone(length)[: round(1.1 * model.segment_s * 22_050)], 22_050)
    np.testing.assert_allclose(alone[0], found[0], rtol=2e-2, atol=2e-3)
    other = model.embed(tone(length, 1760.0), 22_050)
    assert np.linalg.norm(other[0] - found[0]) > 10 * np.linalg.norm(alone[0] - found[0])


@every_model
def test_a_moment_of_sound_is_one_segment_and_so_is_mono(
    name: str, homes: dict[str, ModelHome]
) -> None:
    model = load(SLOT, name, homes[name])
    short = tone(0.2)
    found = model.embed(short, 22_050)
    assert found.shape == (1, model.width)
    np.testing.assert_allclose(model.embed(short.mean(axis=1), 22_050), found, atol=1e-5)


@every_model
def test_the_identity_says_whose_weights_they_are_and_that_they_are_random(
    name: str, homes: dict[str, ModelHome], tmp_path: Path
) -> None:
    identity = backend_class(SLOT, name).identify(homes[name])
    assert (identity.backend, identity.trained) == (name, False)
    assert len(identity.weights_sha256) == 64
    place = MAKERS[name](tmp_path / "other")
    marker = (place if place.is_dir() else place.parent) / UNTRAINED
    marker.unlink()
    assert backend_class(SLOT, name).identify(ModelHome(paths={name: str(place)})).trained


@every_model
def test_weights_that_are_not_there_or_damaged_stop_the_run(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = backend_class(SLOT, name)
    with pytest.raises(StopRun):
        backend.identify(ModelHome(paths={name: str(tmp_path / "nowhere")}))
    place = MAKERS[name](tmp_path / "damaged")
    home = ModelHome(paths={name: str(place)})
    files = [place] if place.is_file() else [*place.glob("*.safetensors"), *place.glob("*.bin")]
    files[0].write_bytes(files[0].read_bytes()[:1000])
    with pytest.raises(StopRun, match=r"does not load from|is not a checkpoint"):
        backend(home)


@pytest.mark.parametrize("name", ["clap", "mert"])
def test_without_network_and_path_one_line_says_how_to_get_the_weights(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(StopRun, match=r"hf download .* set SYMMV_MODEL_"):
        backend_class(SLOT, name).identify(ModelHome())


def test_a_checkpoint_that_lacks_tensors_is_refused(tmp_path: Path) -> None:
    import torch

    folder = make_mert(tmp_path / "mert")
    path = folder / "pytorch_model.bin"
    state = torch.load(path, weights_only=True)
    state.pop("feature_projection.projection.weight")
    torch.save(state, path)
    with pytest.raises(StopRun, match="lacks 1 tensors of mert"):
        backend_class(SLOT, "mert")(ModelHome(paths={"mert": str(folder)}))


@pytest.mark.parametrize("changed", [{"feature_extractor_cqt": True}, {"deepnorm": True}])
def test_a_mert_that_needs_code_of_its_own_is_refused(
    changed: dict[str, Any], tmp_path: Path
) -> None:
    folder = make_mert(tmp_path / "mert", **changed)
    with pytest.raises(StopRun, match="code of its own"):
        backend_class(SLOT, "mert")(ModelHome(paths={"mert": str(folder)}))


def test_a_model_of_another_width_is_refused(tmp_path: Path) -> None:
    clap = make_clap(tmp_path / "clap", projection_dim=64)
    with pytest.raises(StopRun, match="projection_dim is 64 and not 512"):
        backend_class(SLOT, "clap")(ModelHome(paths={"clap": str(clap)}))
    mert = make_mert(tmp_path / "mert", hidden_size=1024)
    with pytest.raises(StopRun, match="hidden_size is 1024 and not 768"):
        backend_class(SLOT, "mert")(ModelHome(paths={"mert": str(mert)}))


def test_mert_is_the_mean_of_huberts_last_layer(homes: dict[str, ModelHome]) -> None:
    import torch
    import transformers

    model = load(SLOT, "mert", homes["mert"])
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 5 * 24_000).astype(np.float32)
    wave = (sound - sound.mean()) / np.sqrt(sound.var() + 1e-7)
    torch.manual_seed(0)
    config = transformers.HubertConfig(
        hidden_size=768, num_hidden_layers=1, num_attention_heads=4, intermediate_size=16,
        conv_dim=[16] * 7, num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=4,
    )  # fmt: skip
    made = transformers.HubertModel(config).eval()
    with torch.no_grad():
        wanted = made(torch.from_numpy(wave)[None]).last_hidden_state.mean(dim=1)
    np.testing.assert_allclose(model.embed(sound, 24_000), wanted.numpy(), atol=1e-4)


def test_claps_embedding_is_that_of_the_whole_model(homes: dict[str, ModelHome]) -> None:
    import transformers

    folder = homes["clap"].paths["clap"]
    rng = np.random.default_rng(0)
    sound = rng.normal(0, 0.1, 10 * 48_000).astype(np.float32)
    whole = transformers.ClapModel.from_pretrained(folder).eval()
    extract = transformers.ClapFeatureExtractor.from_pretrained(folder)
    given = extract(sound, sampling_rate=48_000, return_tensors="pt")
    features = whole.get_audio_features(**given)
    wanted = getattr(features, "pooler_output", features).detach().numpy()
    found = load(SLOT, "clap", homes["clap"]).embed(sound, 48_000)
    # One gives vectors of length 1, the other may not.
    units = [x / np.linalg.norm(x) for x in (found, wanted)]
    np.testing.assert_allclose(units[0], units[1], atol=1e-4)


def test_vggishs_bands_are_triangles_over_mels() -> None:
    bank = vggish.mel_bank()

    def mel(hertz: float) -> float:
        return 1127.0 * math.log(1.0 + hertz / 700.0)

    edges = np.linspace(mel(125.0), mel(7500.0), 66)
    for band in (0, 20, 63):
        for number in range(257):
            at = mel(number * 16_000 / 512)
            low, top, high = edges[band : band + 3]
            up, down = (at - low) / (top - low), (high - at) / (high - top)
            wanted = max(0.0, min(up, down)) if number else 0.0
            assert bank[number, band] == pytest.approx(wanted, abs=1e-6)


def test_vggish_is_its_layers_by_hand(homes: dict[str, ModelHome]) -> None:
    """The first segment through numpy: windows, magnitudes, convolutions, channels last."""
    import torch
    from scipy.signal import correlate

    model = load(SLOT, "vggish", homes["vggish"])
    rng = np.random.default_rng(1)
    mono = rng.normal(0, 0.1, 15_600).astype(np.float32)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    frames = np.stack([mono[160 * n : 160 * n + 400] * window for n in range(96)])
    x = np.log(np.abs(np.fft.rfft(frames, 512)) @ vggish.mel_bank() + 0.01)[None]
    state = torch.load(homes["vggish"].paths["vggish"], weights_only=True)
    weights = {name: tensor.numpy().astype(np.float64) for name, tensor in state.items()}
    for number, halves in ((0, 1), (3, 1), (6, 0), (8, 1), (11, 0), (13, 1)):
        kernel, bias = (weights[f"features.{number}.{part}"] for part in ("weight", "bias"))
        if kernel.shape[0] > 128:
            # scipy would take minutes for the wide layers; torch's own function does them.
            y = torch.nn.functional.conv2d(
                torch.from_numpy(x)[None], torch.from_numpy(kernel), padding=1
            )[0].numpy()
        else:
            padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
            y = np.stack([correlate(padded, each, "valid")[0] for each in kernel])
        x = np.maximum(0.0, y + bias[:, None, None])
        if halves:
            c, t, f = x.shape
            x = x.reshape(c, t // 2, 2, f // 2, 2).max(axis=(2, 4))
    flat = x.transpose(1, 2, 0).ravel()
    for number in (0, 2, 4):
        flat = weights[f"embeddings.{number}.weight"] @ flat + weights[f"embeddings.{number}.bias"]
        flat = np.maximum(0.0, flat) if number < 4 else flat
    np.testing.assert_allclose(model.embed(mono, 16_000)[0], flat, rtol=1e-3, atol=1e-4)


def test_claps_words_are_those_of_the_whole_model(
    homes: dict[str, ModelHome], tmp_path: Path
) -> None:
    import transformers

    folder = homes["clap"].paths["clap"]
    model = load(SLOT, "clap", homes["clap"])
    found = model.embed_words(["sad", "a piano"])
    whole = transformers.ClapModel.from_pretrained(folder).eval()
    tokens = transformers.RobertaTokenizer.from_pretrained(folder)
    given = tokens(["sad", "a piano"], padding=True, return_tensors="pt")
    features = whole.get_text_features(**given)
    wanted = getattr(features, "pooler_output", features).detach().numpy()
    assert found.shape == (2, 512)
    units = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (found, wanted)]
    np.testing.assert_allclose(units[0], units[1], atol=1e-4)
    assert np.abs(units[0][0] - units[0][1]).max() > 1e-3

    bare = make_clap(tmp_path / "bare")
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
        (bare / name).unlink()
    without = load(SLOT, "clap", ModelHome(paths={"clap": str(bare)}))
    assert without.embed(tone(1.0), 22_050).shape == (1, 512)
    with pytest.raises(StopRun, match=r"lacks tokenizer\.json, so it cannot embed words"):
        without.embed_words(["sad"])
