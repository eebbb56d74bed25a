"""SigLIP 2 and DINOv2 from folders as the hub has them, and tokens of patches, also of CLIP's."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from symmv_builder.backends import ModelHome, backend_class, load  # noqa: E402
from symmv_builder.backends.pretrained import UNTRAINED  # noqa: E402
from symmv_builder.errors import StopRun  # noqa: E402
from symmv_builder.pipeline.step import use  # noqa: E402
from symmv_builder.video import emotion, semantic  # noqa: E402
from tests.recordings import make_clip_folder  # noqa: E402

THIN: dict[str, Any] = {"intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def make_siglip2(folder: Path, **changed: Any) -> Path:
    """google/siglip2-base-patch16-224 with thin layers and a tokenizer of letters."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    tokens = ["<pad>", "<eos>", "<unk>", *map(chr, range(ord("a"), ord("z") + 1))]
    text = {"hidden_size": 768, "vocab_size": len(tokens), "max_position_embeddings": 64}
    vision = {"hidden_size": 768, "image_size": 224, "patch_size": 16}
    config = transformers.SiglipConfig(
        text_config={**THIN, **text}, vision_config={**THIN, **vision, **changed}
    )
    torch.manual_seed(0)
    transformers.SiglipModel(config).save_pretrained(folder)
    transformers.SiglipImageProcessorPil().save_pretrained(folder)
    letters = Tokenizer(models.WordLevel({t: i for i, t in enumerate(tokens)}, unk_token="<unk>"))
    letters.normalizer = normalizers.NFC()
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=letters, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    ).save_pretrained(folder)
    (folder / UNTRAINED).touch()
    return folder


def make_dinov2(folder: Path, **changed: Any) -> Path:
    """facebook/dinov2-base with one layer of few heads."""
    plain = {"hidden_size": 768, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_ratio": 1}
    config = transformers.Dinov2Config(**{**plain, "patch_size": 14, "image_size": 518, **changed})
    torch.manual_seed(0)
    transformers.Dinov2Model(config).save_pretrained(folder)
    transformers.BitImageProcessorPil(
        size={"shortest_edge": 256}, crop_size={"height": 224, "width": 224}
    ).save_pretrained(folder)
    (folder / UNTRAINED).touch()
    return folder


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> ModelHome:
    folder = tmp_path_factory.mktemp("pictures")
    paths = {
        "siglip2": str(make_siglip2(folder / "siglip2")),
        "dinov2": str(make_dinov2(folder / "dinov2")),
    }
    return ModelHome(paths=paths)


def pictures() -> list[NDArray[np.uint8]]:
    random = np.random.default_rng(0)
    shapes = ((120, 200, 3), (300, 180, 3))
    return [random.integers(0, 256, shape).astype(np.uint8) for shape in shapes]


def test_siglip2_embeds_pictures_and_words_as_transformers_does(home: ModelHome) -> None:
    folder = home.paths["siglip2"]
    model = load("clip", "siglip2", home)
    whole = transformers.SiglipModel.from_pretrained(folder).eval()
    seen = transformers.SiglipImageProcessorPil.from_pretrained(folder)(
        images=pictures(), return_tensors="pt"
    )
    tokens = transformers.AutoTokenizer.from_pretrained(folder)
    read = tokens(["sad", "a sea"], padding="max_length", max_length=64, return_tensors="pt")
    with torch.no_grad():
        wanted = whole(pixel_values=seen["pixel_values"], input_ids=read["input_ids"])
    images, words = model.embed_images(pictures()), model.embed_words(["Sad", "A SEA"])
    assert images.shape == words.shape == (2, 768)
    for found, expected in ((images, wanted.image_embeds), (words, wanted.text_embeds)):
        unit = found / np.linalg.norm(found, axis=1, keepdims=True)
        np.testing.assert_allclose(unit, expected.numpy(), atol=1e-5)
    assert np.abs(words[0] - words[1]).max() > 1e-3
    assert model.scale == pytest.approx(float(whole.logit_scale.detach().exp()))
    patches = model.embed_patches(pictures())
    assert patches.shape == (2, model.tokens, model.token_width)
    hidden = wanted.vision_model_output.last_hidden_state.numpy()
    np.testing.assert_allclose(patches, hidden, atol=1e-5)


def test_dinov2_embeds_pictures_as_transformers_does_and_no_words(home: ModelHome) -> None:
    folder = home.paths["dinov2"]
    model = load("clip", "dinov2", home)
    seen = transformers.BitImageProcessorPil.from_pretrained(folder)(
        images=pictures(), return_tensors="pt"
    )
    with torch.no_grad():
        wanted = transformers.Dinov2Model.from_pretrained(folder).eval()(**seen)
    np.testing.assert_allclose(
        model.embed_images(pictures()), wanted.pooler_output.numpy(), atol=1e-5
    )
    patches = model.embed_patches(pictures())
    assert patches.shape == (2, model.tokens, model.token_width)
    np.testing.assert_allclose(patches, wanted.last_hidden_state.numpy(), atol=1e-5)
    with pytest.raises(StopRun, match="it embeds no words"):
        model.embed_words(["sad"])


def test_a_recipe_that_asks_a_model_for_what_it_lacks_is_refused() -> None:
    seen = use(semantic.STEP, model="dinov2")
    felt = use(emotion.STEP, model="dinov2")
    with pytest.raises(StopRun, match=r"dinov2.*embeds no words"):
        felt.columns({"semantic": seen, "emotion": felt})
    tokens = use(semantic.PATCHES, model="untrained-768")
    with pytest.raises(StopRun, match="no tokens of patches"):
        tokens.columns({"patch_tokens": tokens})
    with pytest.raises(StopRun, match="no tokens of patches"):
        load("clip", "untrained-768", ModelHome()).embed_patches(pictures())


def test_clips_tokens_are_as_many_and_as_wide_as_it_says(tmp_path: Path) -> None:
    folder = make_clip_folder(tmp_path / "clip", width=768)
    model = load("clip", "vit-b-32", ModelHome(paths={"vit-b-32": str(folder)}))
    assert model.embed_patches(pictures()).shape == (2, model.tokens, model.token_width)


@pytest.mark.parametrize(
    ("name", "tokens", "width"), [("vit-l-14", 257, 1024), ("vit-l-14-336", 577, 1024)]
)
def test_columns_of_patches_are_as_wide_as_all_tokens(name: str, tokens: int, width: int) -> None:
    placed = use(semantic.PATCHES, model=name)
    [column] = placed.columns({placed.makes: placed})
    assert column.type == f"list<bytes<float16[{tokens * width}]>>"
    assert f"{tokens} tokens of {width}" in column.meaning


@pytest.mark.parametrize(("name", "make"), [("siglip2", make_siglip2), ("dinov2", make_dinov2)])
def test_random_weights_and_another_shape_are_told(
    name: str, make: Any, home: ModelHome, tmp_path: Path
) -> None:
    assert not backend_class("clip", name).identify(home).trained
    other = make(tmp_path / "other", patch_size=28)
    with pytest.raises(StopRun, match="patch_size is 28 and not"):
        backend_class("clip", name)(ModelHome(paths={name: str(other)}))
