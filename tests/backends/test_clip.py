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
from tests.recordings import make_clip_folder, write_json

MakeFolder = Callable[..., Path]


@pytest.fixture
def make_folder(tmp_path: Path) -> MakeFolder:
    """A folder as the hub gives it, with a model of one thin layer."""
    pytest.importorskip("torch")

    def make(name: str = "vit", **shape: Any) -> Path:
        return make_clip_folder(tmp_path / name, **shape)

    return make


def home_at(folder: Path, **more: str) -> ModelHome:
    return ModelHome(paths={"vit-b-32": str(folder), **more})


def picture(seed: int, height: int = 120, width: int = 200) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


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
    one, other = make_folder("one"), make_folder("other", weights="pytorch_model.bin")
    identities = [VitB32.identify(home_at(folder)) for folder in (one, other)]
    assert identities[0].weights_sha256 != identities[1].weights_sha256
    assert all(identity.trained for identity in identities)
    # Whose values they are. Under another name every result of CLIP in the world is made again.
    assert {identity.version for identity in identities} == {"transformers 5.23.0"}


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
    with pytest.raises(StopRun, match=r"vit-b-32: .*/nowhere is not a folder\. Run `hf download"):
        VitB32.identify(home_at(folder / "nowhere"))


@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
def test_damaged_weights_stop_the_run(make_folder: MakeFolder, name: str) -> None:
    folder = make_folder(weights=name)
    (folder / name).write_bytes(b"no weights at all" * 10)
    with pytest.raises(StopRun, match="vit-b-32 does not load from"):
        VitB32(home_at(folder))


def test_weights_that_lack_a_tensor_or_have_it_in_another_shape_stop_the_run(
    make_folder: MakeFolder,
) -> None:
    from safetensors.torch import load_file, save_file

    folder = make_folder()
    weights = folder / "model.safetensors"
    state = load_file(weights)
    projection = state.pop("visual_projection.weight")
    save_file(state, weights)
    with pytest.raises(StopRun, match="lacks 1 tensors, such as visual_projection"):
        VitB32(home_at(folder))
    save_file({**state, "visual_projection.weight": projection.T.contiguous()}, weights)
    with pytest.raises(StopRun, match=r"has the shape \(32, 512\) and not \(512, 32\)"):
        VitB32(home_at(folder))


def test_a_pickle_that_runs_code_is_not_read(make_folder: MakeFolder) -> None:
    import torch

    folder = make_folder(weights="pytorch_model.bin")
    touched = folder / "touched"
    torch.save({"logit_scale": _Runs(touched)}, folder / "pytorch_model.bin")
    with pytest.raises(StopRun, match="vit-b-32 does not load from"):
        VitB32(home_at(folder))
    assert not touched.exists()


class _Runs:
    """Pickled, it makes a file for whoever reads it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


VISION, TEXT = "config.json/vision_config", "config.json/text_config"
PREPARATION = "preprocessor_config.json"


@pytest.mark.parametrize(
    ("place", "changed", "said"),
    [
        (VISION, {"num_hidden_layers": 10**9}, "fewer tensors than config.json tells layers"),
        (VISION, {"num_hidden_layers": 2}, "lacks 16 tensors"),
        (VISION, {"hidden_size": "wide"}, "hidden_size is 'wide' and no whole number above 0"),
        (VISION, {"num_attention_heads": 3}, "a width of 32 is no multiple of 3 heads"),
        (TEXT, {"hidden_act": "tan"}, "hidden_act is 'tan', not one of quick_gelu, gelu"),
        (TEXT, {"vocab_size": 40}, "its words are 54 tokens, and its model knows 40"),
        (TEXT, {"max_position_embeddings": 2}, "text_model.embeddings.position_embedding.weight"),
        (PREPARATION, {"do_center_crop": False}, "do_center_crop is off"),
        (PREPARATION, {"crop_size": 336}, "scales to 224 and takes 336 pixels"),
        (PREPARATION, {"size": {"longest_edge": 224}}, "shortest_edge"),
        (PREPARATION, {"crop_size": {"height": 224, "width": 99}}, "crop_size in preprocessor"),
        (PREPARATION, {"image_mean": [0.5]}, "not enough values"),
        ("vocab.json", {"<|endoftext|>": None}, "does not load from"),
    ],
)
def test_a_description_that_cannot_be_is_one_line(
    make_folder: MakeFolder, place: str, changed: dict[str, Any], said: str
) -> None:
    folder = make_folder()
    name, _, section = place.partition("/")
    content = json.loads((folder / name).read_text())
    (content[section] if section else content).update(changed)
    write_json(folder / name, content)
    with pytest.raises(StopRun, match=said) as stopped:
        VitB32(home_at(folder))
    assert "\n" not in str(stopped.value)


def test_a_description_that_is_no_object_is_one_line(make_folder: MakeFolder) -> None:
    folder = make_folder()
    (folder / "config.json").write_text("[]")
    with pytest.raises(StopRun, match=r"config\.json holds no object"):
        VitB32(home_at(folder))


def test_the_older_way_to_describe_a_tower_holds(make_folder: MakeFolder) -> None:
    folder = make_folder()
    content = json.loads((folder / "config.json").read_text())
    content["text_config_dict"] = content.pop("text_config")
    content["vision_config_dict"] = None
    seen = VitB32(home_at(folder)).embed_words(["sad"])
    write_json(folder / "config.json", content | {"text_config": {"hidden_size": 1}})
    assert np.array_equal(VitB32(home_at(folder)).embed_words(["sad"]), seen)


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
