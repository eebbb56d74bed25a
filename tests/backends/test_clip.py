"""CLIP loads from a folder as from the hub; the folders here hold tiny seeded models."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, backend_class, hash_file, hash_files
from symmv_builder.backends.clip import VitB32, VitL14At336
from symmv_builder.backends.clip_untrained import Untrained512, Untrained768
from symmv_builder.errors import StopRun

LETTERS = [chr(code) for code in range(ord("a"), ord("z") + 1)]
MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """A folder as the hub gives it, with a model of one thin layer."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")

    def make(name: str = "vit", dimensions: int = 512, safe: bool = True) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        tokens = LETTERS + [f"{letter}</w>" for letter in LETTERS]
        tokens += ["<|startoftext|>", "<|endoftext|>"]
        (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
        (folder / "merges.txt").write_text("#version: 0.2\n")
        thin = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
        config = transformers.CLIPConfig(
            text_config={**thin, "num_attention_heads": 2, "vocab_size": len(tokens)}
            | {"bos_token_id": len(tokens) - 2, "eos_token_id": len(tokens) - 1},
            vision_config={**thin, "num_attention_heads": 2, "patch_size": 32},
            projection_dim=dimensions,
        )
        torch.manual_seed(0)
        model = transformers.CLIPModel(config).eval()
        model.save_pretrained(folder)
        if not safe:
            torch.save(model.state_dict(), folder / "pytorch_model.bin")
            (folder / "model.safetensors").unlink()
        transformers.CLIPImageProcessorPil().save_pretrained(folder)
        return folder

    return make


def home_at(folder: Path, **more: str) -> ModelHome:
    return ModelHome(paths={"vit-b-32": str(folder), **more})


def picture(seed: int, height: int = 120, width: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("safe", [True, False])
def test_pictures_and_words_are_embedded_as_transformers_does(
    make_folder: MakeFolder, safe: bool
) -> None:
    import torch
    from transformers import CLIPImageProcessorPil, CLIPModel, CLIPTokenizer

    folder = make_folder(safe=safe)
    model = VitB32(home_at(folder))
    pictures = [picture(1), picture(2, 300, 180)]
    found = model.embed_images(pictures)
    other = CLIPModel.from_pretrained(folder).eval()
    pixels = CLIPImageProcessorPil.from_pretrained(folder)(images=pictures, return_tensors="pt")
    words = CLIPTokenizer.from_pretrained(folder)(
        ["sad", "tense"], padding=True, return_tensors="pt"
    )
    with torch.no_grad():
        out = other(**pixels, **words)
    unit = found / np.linalg.norm(found, axis=1, keepdims=True)
    assert found.shape == (2, 512)
    assert found.dtype == np.float32
    np.testing.assert_allclose(unit, out.image_embeds.numpy(), atol=1e-5)
    spoken = model.embed_words(["sad", "tense"])
    unit = spoken / np.linalg.norm(spoken, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, out.text_embeds.numpy(), atol=1e-5)
    assert model.scale == pytest.approx(float(other.logit_scale.detach().exp()))


def test_an_embedding_does_not_depend_on_its_batch(make_folder: MakeFolder) -> None:
    model = VitB32(home_at(make_folder()))
    together = model.embed_images([picture(n) for n in range(3)])
    alone = np.concatenate([model.embed_images([picture(n)]) for n in range(3)])
    np.testing.assert_allclose(together, alone, atol=1e-5)


def test_half_precision_is_near_full_precision_and_says_so(make_folder: MakeFolder) -> None:
    folder = make_folder()
    paths = {"vit-b-32": str(folder)}
    full, half = (ModelHome(precision=name, paths=paths) for name in ("fp32", "bf16"))
    a, b = (VitB32(home).embed_images([picture(5)])[0] for home in (full, half))
    assert b.dtype == np.float32
    assert float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) > 0.99
    assert VitB32.identify(full) != VitB32.identify(half)


def test_the_identity_changes_with_the_weights(make_folder: MakeFolder) -> None:
    one, other = make_folder("one"), make_folder("other", safe=False)
    identities = [VitB32.identify(home_at(folder)) for folder in (one, other)]
    assert identities[0].weights_sha256 != identities[1].weights_sha256
    assert all(identity.trained for identity in identities)


def test_weights_of_a_package_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(StopRun, match=r"cannot read .*gone\.bin: No such file"):
        hash_files([tmp_path / "gone.bin"])


def test_weights_with_another_hash_than_the_expected_one_stop_the_run(
    make_folder: MakeFolder,
) -> None:
    folder = make_folder()
    sha256 = hash_file(folder / "model.safetensors")
    assert VitB32.identify(home_at(folder, **{"vit-b-32.sha256": sha256.upper()}))
    with pytest.raises(StopRun, match="expected 0000"):
        VitB32.identify(home_at(folder, **{"vit-b-32.sha256": "0" * 64}))


def test_a_folder_of_another_model_stops_the_run(make_folder: MakeFolder) -> None:
    with pytest.raises(StopRun, match=r"is not vit-l-14-336: .* 512, 224, 32 and not 768, 336, 14"):
        VitL14At336(ModelHome(paths={"vit-l-14-336": str(make_folder())}))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("config.json", "config.json"),
        ("model.safetensors", "model.safetensors or pytorch_model.bin"),
        ("merges.txt", "tokenizer.json"),
    ],
)
def test_a_folder_that_lacks_a_file_is_told_how_to_be_filled(
    make_folder: MakeFolder, name: str, said: str
) -> None:
    folder = make_folder()
    (folder / name).unlink()
    with pytest.raises(StopRun, match=f"lacks {said}. Run `hf download openai/clip"):
        VitB32.identify(home_at(folder))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_damaged_weights_stop_the_run(make_folder: MakeFolder, name: str) -> None:
    folder = make_folder(safe=name.endswith("safetensors"))
    (folder / name).write_bytes(b"no weights at all" * 10)
    with pytest.raises(StopRun, match="vit-b-32 does not load from"):
        VitB32(home_at(folder))


def test_weights_that_lack_a_tensor_stop_the_run(make_folder: MakeFolder) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_folder()
    state = load_file(folder / "model.safetensors")
    del state["visual_projection.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(StopRun, match="lacks 1 tensors"):
        VitB32(home_at(folder))


def test_without_hub_and_folder_one_line_says_how_to_get_the_weights(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(StopRun, match="SYMMV_MODEL_VIT_L_14_336=FOLDER") as caught:
        VitL14At336.identify(ModelHome())
    assert "hf download openai/clip-vit-large-patch14-336" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_hub_that_cannot_be_reached_stops_the_run_within_seconds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    hub = pytest.importorskip("huggingface_hub")
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(hub.constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "hf_hub_url", lambda *_, **__: "http://127.0.0.1:9/config.json")
    with pytest.raises(StopRun, match="the model hub cannot be reached"):
        VitB32.identify(ModelHome())


@pytest.mark.parametrize(("kind", "dimensions"), [(Untrained512, 512), (Untrained768, 768)])
def test_untrained_towers_have_the_shapes_and_say_that_they_are_untrained(
    kind: type[Untrained512], dimensions: int
) -> None:
    model = kind(ModelHome())
    pictures = [picture(1), picture(2, 9, 7), np.zeros((40, 40, 3), np.uint8)]
    found = model.embed_images(pictures)
    assert found.shape == (3, dimensions)
    assert model.embed_words(["sad", "tense"]).shape == (2, dimensions)
    assert not kind.identify(ModelHome()).trained
    assert np.array_equal(found, kind(ModelHome()).embed_images(pictures))
    assert np.array_equal(found[1:2], model.embed_images(pictures[1:2]))
    assert np.abs(found[0] - found[1]).max() > 0.01
    assert model.embed_images([]).shape == (0, dimensions)


def test_every_clip_model_of_the_table_has_what_the_stages_ask_for() -> None:
    for name in ("vit-b-32", "vit-l-14-336", "untrained-512", "untrained-768"):
        kind: Any = backend_class("clip", name)
        assert kind.name == name
        assert kind.dimensions in (512, 768)
        assert kind.about().licence
