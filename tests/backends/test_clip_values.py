"""CLIP's values are those of `transformers`, bit for bit; nothing else of CLIP's tests imports it.

Keys of results say that version, so that results which it made stay.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import ModelHome, backend_class
from symmv_builder.backends.slots import ClipModel

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

# Name, dimensions, sides of picture and patch, activation, file of weights, files of words.
MODELS = (
    ("vit-b-32", 512, 224, 32, "quick_gelu", "model.safetensors", "tokenizer.json"),
    ("vit-l-14", 768, 224, 14, "gelu", "pytorch_model.bin", "merges.txt"),
    ("vit-l-14-336", 768, 336, 14, "quick_gelu", "model.safetensors", "merges.txt"),
)
# Height and width: wide, high, tiny, square, odd rests of the middle that is taken.
SIZES = ((120, 200), (341, 257), (3, 5), (224, 224), (229, 1000))
LINES = (
    "sad",
    "The  SEA's 12 waves,\nfar\taway!",
    "",
    "naïve E\u0301CLAIR 東京 🙂",
    "before <|endoftext|> after, <|ENDOFTEXT|>",
    "the sea and the sad tea " * 30,
)
MERGES = ("t h", "th e</w>", "s a", "sa d</w>", "s e", "se a</w>", "a n", "an d</w>")


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model[0])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the hub gives it, called as its model, with thin towers of seeded weights."""
    name, dimensions, image_size, patch_size, activation, weights, words = request.param
    folder: Path = tmp_path_factory.mktemp("clip") / name
    signs = [chr(code) for code in (*range(33, 127), *range(161, 173), *range(174, 324))]
    pairs = [pair.replace(" ", "") for pair in MERGES]
    tokens = [*signs, *(f"{sign}</w>" for sign in signs), *pairs]
    tokens += ["<|startoftext|>", "<|endoftext|>"]
    thin = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}
    thin |= {"num_attention_heads": 4, "hidden_act": activation}
    numbers = {"vocab_size": len(tokens), "bos_token_id": len(tokens) - 2}
    config = transformers.CLIPConfig(
        text_config=thin | numbers | {"eos_token_id": len(tokens) - 1},
        vision_config=thin | {"image_size": image_size, "patch_size": patch_size},
        projection_dim=dimensions,
    )
    torch.manual_seed(dimensions + patch_size)
    model = transformers.CLIPModel(config).eval()
    for parameter in model.parameters():
        # Biases and scales that are not 0 and 1.
        parameter.data += 0.1 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    if weights != "model.safetensors":
        (folder / "model.safetensors").unlink()
        torch.save(model.state_dict(), folder / weights)
    size = {"height": image_size, "width": image_size}
    transformers.CLIPImageProcessorPil(
        size={"shortest_edge": image_size}, crop_size=size
    ).save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(MERGES) + "\n")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder, model_max_length=77)
    tokenizer.save_pretrained(folder)
    if words == "tokenizer.json":
        (folder / "vocab.json").unlink()
        (folder / "merges.txt").unlink()
    else:
        (folder / "tokenizer.json").unlink()
    return folder


@pytest.fixture(scope="module")
def ours(folder: Path) -> ClipModel:
    return backend_class("clip", folder.name)(ModelHome(paths={folder.name: str(folder)}))


@pytest.fixture(scope="module")
def theirs(folder: Path) -> Any:
    return transformers.CLIPModel.from_pretrained(folder, dtype=torch.float32).eval()


def pictures() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    return [random.integers(0, 256, (*size, 3)).astype(np.uint8) for size in SIZES]


def test_pictures_are_embedded_to_the_same_bits(folder: Path, ours: ClipModel, theirs: Any) -> None:
    assert theirs.config._attn_implementation == "sdpa"  # what a build used
    prepare = transformers.CLIPImageProcessorPil.from_pretrained(folder)
    for shown in (pictures(), pictures()[1:2]):
        pixels = prepare(images=shown, return_tensors="pt", input_data_format="channels_last")
        with torch.inference_mode():
            embedded = theirs.get_image_features(**pixels).pooler_output.numpy()
            patches = theirs.vision_model(**pixels).last_hidden_state.numpy()
        assert np.array_equal(ours.embed_images(shown), embedded)
        assert np.array_equal(ours.embed_patches(shown), patches)
    assert ours.scale == float(theirs.logit_scale.detach().exp())


@pytest.mark.parametrize("lines", [LINES, ("sad",), ("sad", "sea"), LINES[-1:]])
def test_words_are_embedded_to_the_same_bits(
    folder: Path, ours: ClipModel, theirs: Any, lines: tuple[str, ...]
) -> None:
    read = transformers.CLIPTokenizer.from_pretrained(folder)
    tokens = read(list(lines), padding=True, truncation=True, return_tensors="pt")
    assert tokens["input_ids"].shape[1] <= 77
    with torch.inference_mode():
        embedded = theirs.get_text_features(**tokens).pooler_output.numpy()
    assert np.array_equal(ours.embed_words(lines), embedded)
    assert len(np.unique(embedded, axis=0)) == len(lines)
