"""CLIP as OpenAI trained it: embeddings of pictures and of words.

`towers` has its two networks, `checkpoint` reads them out of a folder, `inputs` prepares pictures
and words. The package `transformers`, which gives the same bits, is not imported: it would cost
each worker more time than torch itself.

No package carries the weights. They come from a folder (``SYMMV_MODEL_VIT_B_32``,
``SYMMV_MODEL_VIT_L_14`` or ``SYMMV_MODEL_VIT_L_14_336``, holding what `hf download` gives) or
from the model hub at a pinned revision, whose weights are compared with a known hash. A folder is
compared with the hash in ``SYMMV_MODEL_..._SHA256`` where that is set. Either way the hash of what
was loaded is part of the model's identity.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    check_sha256,
    hash_files,
    in_short,
    lacking,
    variable_of,
)
from symmv_builder.backends.hub import how_to_get, snapshot
from symmv_builder.backends.slots import Later, Prepare, SplitClip
from symmv_builder.errors import NoDevice, WrongWeights

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = ("model.safetensors", "pytorch_model.bin")
DESCRIPTIONS = ("config.json", "preprocessor_config.json")
TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
# Part of the keys of all results. Their values are those of this version to the last bit, whoever
# computes them, so results that it made stay. Another name here remakes every feature of CLIP.
VALUES_OF = "transformers 5.23.0"


class _Clip(SplitClip):
    """One architecture; a subclass says which, and where its weights are published."""

    name: ClassVar[str]
    title: ClassVar[str]
    dimensions: ClassVar[int]
    image_size: ClassVar[int]
    patch_size: ClassVar[int]
    repository: ClassVar[str]
    revision: ClassVar[str]
    published_sha256: ClassVar[str]
    needs = ("torch", "safetensors", "tokenizers", "PIL")
    # Which of the published weight files the hash is of.
    published_file: ClassVar[str] = "pytorch_model.bin"
    input_type = np.uint8

    def __init__(self, home: ModelHome) -> None:
        import torch

        from symmv_builder.backends.clip import checkpoint, inputs

        if home.device.startswith("cuda") and not torch.cuda.is_available():
            problem = f"{self.name}: device {home.device} was asked for, but there is no CUDA"
            raise NoDevice(home.device, problem)
        folder, weights = self._find(home)
        self._device = home.device
        self._type = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}[
            home.precision
        ]
        with self._loading(folder):
            shape = checkpoint.read_shape(folder)
        self._check_shape(folder, (shape.dimensions, shape.image_size, shape.patch_size))
        with self._loading(folder):
            preparation = inputs.read_preparation(folder, shape.image_size)
            self._words = inputs.Words(folder, shape.longest, shape.vocabulary)
            clip = checkpoint.read_clip(shape, weights, self._type)
        self._prepare = preparation.middles
        # The values of all colours in one row, for `_pixels` to look them up.
        values = torch.from_numpy(preparation.values.ravel())
        self._values = values.to(self._device, self._type)
        self._clip = clip.to(self._device)
        self.scale = float(clip.logit_scale.detach().float().exp())

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        folder, weights = cls._find(home)
        parts = [folder / name for name in (*DESCRIPTIONS, *_tokenizer(folder))]
        sha256 = hash_files([weights, *parts])
        return ModelIdentity(cls.name, VALUES_OF, sha256, precision=home.precision)

    @classmethod
    def about(cls) -> About:
        how = f"{variable_of(cls.name)}=FOLDER, or the model hub ({cls.repository})"
        return About(f"CLIP {cls.repository}", "MIT", how, fetched=True)

    @classmethod
    def preparation(cls, home: ModelHome) -> Prepare:
        """Make middles uint8 ``[n, 3, side, side]`` of pictures, scaled to the model's size."""
        from symmv_builder.backends.clip import inputs

        folder, _ = cls._find(home)
        with cls._loading(folder):
            return inputs.read_preparation(folder, cls.image_size).middles

    def embed_images(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Embed RGB pictures uint8 ``[h, w, 3]`` as float32 ``[n, dimensions]``.

        The shorter side is scaled to the model's (bicubic), the middle is taken; the
        projection's output is not normalised.
        """
        return self.start_images(pictures)()

    def embed_patches(self, pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Give the last layer before its norm and projection, float32 ``[n, tokens, token_width]``.

        First the class token, then the patches: 577 of 1,024 for ViT-L/14@336px.
        """
        return self.start_patches(pictures)()

    def start_images(self, pictures: Sequence[NDArray[np.uint8]]) -> Later:
        return self.start_inputs(self._prepare(pictures))

    def start_patches(self, pictures: Sequence[NDArray[np.uint8]]) -> Later:
        return self.start_inputs(self._prepare(pictures), patches=True)

    def start_inputs(self, inputs: NDArray[Any], *, patches: bool = False) -> Later:
        """Begin with middles of pictures: a GPU has been given its work when this returns.

        On the CPU it is done then.
        """
        import torch

        embed = self._clip.patches if patches else self._clip.embed_pixels
        with torch.inference_mode():
            embedded = embed(self._pixels(inputs))
        return lambda: _array(embedded)

    def embed_words(self, words: Sequence[str]) -> NDArray[np.float32]:
        """Embed words or sentences as float32 ``[n, dimensions]``, not normalised."""
        import torch

        tokens = self._words.tokens(words)
        with torch.inference_mode():
            on_device = (torch.from_numpy(array).to(self._device) for array in tokens)
            return _array(self._clip.embed_tokens(*on_device))

    def _pixels(self, middles: NDArray[np.uint8]) -> "Tensor":
        """Look up normalised pixels ``[n, 3, side, side]`` of middles, on the model's device."""
        import torch

        levels = torch.from_numpy(middles).to(self._device).int()
        levels += 256 * torch.arange(3, device=self._device, dtype=torch.int32)[:, None, None]
        return self._values.index_select(0, levels.ravel()).view(levels.shape)

    @classmethod
    @contextmanager
    def _loading(cls, folder: Path) -> Iterator[None]:
        """Turn the errors of each format, pickle's among them, into one: all mean the same here."""
        try:
            yield
        except Exception as error:
            problem = f"{cls.name} does not load from {folder}: {in_short(error)}"
            raise WrongWeights(cls.name, problem) from error

    @classmethod
    def _find(cls, home: ModelHome) -> tuple[Path, Path]:
        """Find folder and weight file, complete and with the expected hash."""
        if cls.name in home.paths:
            folder = Path(home.paths[cls.name]).expanduser()
            expected = home.paths.get(f"{cls.name}.sha256", "")
        else:
            folder, expected = cls._fetch(), cls.published_sha256
        weights = next((folder / name for name in WEIGHTS if (folder / name).is_file()), None)
        missing = [name for name in DESCRIPTIONS if not (folder / name).is_file()]
        if weights is None or missing or not _tokenizer(folder):
            lacks = missing or (["tokenizer.json"] if weights else [" or ".join(WEIGHTS)])
            raise lacking(cls.name, folder, lacks, cls._how())
        check_sha256(cls.name, weights, expected)
        return folder, weights

    @classmethod
    def _fetch(cls) -> Path:
        """Fetch the pinned revision out of the hub's cache, else from the hub."""
        return snapshot(cls.name, cls.repository, cls.revision, cls._files(), cls._how())

    @classmethod
    def _files(cls) -> list[str]:
        return ["*.json", "merges.txt", cls.published_file]

    @classmethod
    def _how(cls) -> str:
        return how_to_get(
            cls.repository, cls._files(), variable_of(cls.name), revision=cls.revision
        )

    @classmethod
    def _check_shape(cls, folder: Path, actual: tuple[int, int, int]) -> None:
        if actual != (cls.dimensions, cls.image_size, cls.patch_size):
            expected = f"{cls.dimensions}, {cls.image_size}, {cls.patch_size}"
            raise WrongWeights(
                cls.name,
                f"{folder} is not {cls.name}: dimensions, image and patch size are "
                f"{', '.join(map(str, actual))} and not {expected}",
            )


@final
class VitB32(_Clip):
    """ViT-B/32 at 224 pixels, 512 dimensions: SymMV's."""

    name, title = "vit-b-32", "CLIP ViT-B/32"
    dimensions, image_size, patch_size = 512, 224, 32
    input_shape = (3, 224, 224)
    tokens, token_width = 50, 768
    repository = "openai/clip-vit-base-patch32"
    revision = "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"
    published_sha256 = "a63082132ba4f97a80bea76823f544493bffa8082296d62d71581a4feff1576f"


@final
class VitL14(_Clip):
    """ViT-L/14 at 224 pixels, 768 dimensions: the size that Video2Music's paper names (5.2)."""

    name, title = "vit-l-14", "CLIP ViT-L/14"
    dimensions, image_size, patch_size = 768, 224, 14
    input_shape = (3, 224, 224)
    tokens, token_width = 257, 1024
    repository = "openai/clip-vit-large-patch14"
    revision = "32bd64288804d66eefd0ccbe215aa642df71cc41"
    published_sha256 = "a2bf730a0c7debf160f7a6b50b3aaf3703e7e88ac73de7a314903141db026dcb"
    published_file = "model.safetensors"


@final
class VitL14At336(_Clip):
    """ViT-L/14 at 336 pixels, 768 dimensions: that of MuVi-Sync's released features."""

    name, title = "vit-l-14-336", "CLIP ViT-L/14@336px"
    dimensions, image_size, patch_size = 768, 336, 14
    input_shape = (3, 336, 336)
    tokens, token_width = 577, 1024
    repository = "openai/clip-vit-large-patch14-336"
    revision = "ce19dc912ca5cd21c8a653c79e251e808ccabcd1"
    published_sha256 = "c6032c2e0caae3dc2d4fba35535fa6307dbb49df59c7e182b1bc4b3329b81801"


def _tokenizer(folder: Path) -> tuple[str, ...]:
    """Find the first complete set of tokenizer files, empty where there is none."""
    complete = (names for names in TOKENIZERS if all((folder / name).is_file() for name in names))
    return next(complete, ())


def _array(embedded: "Tensor") -> NDArray[np.float32]:
    return np.asarray(embedded.float().cpu().numpy(), dtype=np.float32)
