"""CLIP's two towers as plain torch modules, named as a checkpoint of the model hub names them.

Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", 2021,
sections 2.3 to 2.5: a Vision Transformer over patches, a causal transformer over tokens, and a
linear map out of each into one space. Layers are normalised before attention and before the MLP,
and the tower of pictures once more before its first layer. What only training needs is left out.

The values are those of `transformers` 5.23.0 bit for bit, as a test shows in fp32 without a GPU. So
padding is masked, although no token that counts would see it.
"""

from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional

ACTIVATIONS: Final = ("quick_gelu", "gelu")
_COLOURS = 3


@dataclass(frozen=True, slots=True)
class TowerShape:
    """Sizes of one transformer; `activation` is one of `ACTIVATIONS`."""

    width: int
    hidden: int
    layers: int
    heads: int
    activation: str = "quick_gelu"
    epsilon: float = 1e-5


@dataclass(frozen=True, slots=True)
class ClipShape:
    """Both towers, sides of picture and patch in pixels, numbers of tokens, size of the space."""

    vision: TowerShape
    text: TowerShape
    dimensions: int
    image_size: int
    patch_size: int
    vocabulary: int
    longest: int


class _Unset(nn.Module):
    """Draws no weights, for they are loaded: it would take seconds, or import torch's compiler."""

    def reset_parameters(self) -> None:
        pass


class _Linear(_Unset, nn.Linear):
    pass


class _Embedding(_Unset, nn.Embedding):
    pass


class _Conv2d(_Unset, nn.Conv2d):
    pass


class Clip(nn.Module):
    """Both towers with their projections; weights hold nothing before `load_state_dict`."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.vision_model = _Vision(shape)
        self.text_model = _Text(shape)
        self.visual_projection = _Linear(shape.vision.width, shape.dimensions, bias=False)
        self.text_projection = _Linear(shape.text.width, shape.dimensions, bias=False)
        self.logit_scale = nn.Parameter(torch.empty(()))

    def embed_pixels(self, pixels: Tensor) -> Tensor:
        """Embed normalised pictures ``[n, 3, side, side]`` as ``[n, dimensions]``."""
        first = self.patches(pixels)[:, 0]
        embedded: Tensor = self.visual_projection(self.vision_model.post_layernorm(first))
        return embedded

    def patches(self, pixels: Tensor) -> Tensor:
        """Give the last layer ``[n, 1 + patches, width]``: the picture's token, then patches."""
        hidden: Tensor = self.vision_model(pixels)
        return hidden

    def embed_tokens(self, tokens: Tensor, lengths: Tensor, ends: Tensor) -> Tensor:
        """Embed tokens ``[n, longest]``, padded on the right, as ``[n, dimensions]``.

        Of each row the first `lengths` tokens count, and it is told by that at its place `ends`.
        """
        hidden = self.text_model(tokens, lengths)
        rows = torch.arange(len(hidden), device=hidden.device)
        embedded: Tensor = self.text_projection(hidden[rows, ends])
        return embedded


class _Vision(nn.Module):
    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        width, epsilon = shape.vision.width, shape.vision.epsilon
        self.embeddings = _Patches(width, shape.patch_size, shape.image_size)
        # The name's mistake is that of the checkpoints.
        self.pre_layrnorm = nn.LayerNorm(width, epsilon)
        self.encoder = _Encoder(shape.vision)
        self.post_layernorm = nn.LayerNorm(width, epsilon)

    def forward(self, pixels: Tensor) -> Tensor:
        hidden: Tensor = self.encoder(self.pre_layrnorm(self.embeddings(pixels)))
        return hidden


class _Patches(nn.Module):
    """A vector for each patch and a learned one for the whole picture, each with its place."""

    def __init__(self, width: int, patch_size: int, image_size: int) -> None:
        super().__init__()
        self.class_embedding = nn.Parameter(torch.empty(width))
        self.patch_embedding = _Conv2d(_COLOURS, width, patch_size, patch_size, bias=False)
        self.position_embedding = _Embedding(1 + (image_size // patch_size) ** 2, width)

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        whole = self.class_embedding.expand(len(patches), 1, -1)
        return torch.cat([whole, patches], dim=1) + self.position_embedding.weight


class _Text(nn.Module):
    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        width = shape.text.width
        self.embeddings = nn.ModuleDict(
            {
                "token_embedding": _Embedding(shape.vocabulary, width),
                "position_embedding": _Embedding(shape.longest, width),
            }
        )
        self.encoder = _Encoder(shape.text)
        self.final_layer_norm = nn.LayerNorm(width, shape.text.epsilon)

    def forward(self, tokens: Tensor, lengths: Tensor) -> Tensor:
        longest = tokens.shape[1]
        places = torch.arange(longest, device=tokens.device)
        hidden = self.embeddings["token_embedding"](tokens)
        hidden = hidden + self.embeddings["position_embedding"](places)
        mask = None
        # As `transformers` does: a GPU has other kernels for attention with a mask and without one.
        if not bool((lengths == longest).all()):
            mask = (places <= places[:, None]) & (places < lengths[:, None])[:, None, None]
        hidden = self.final_layer_norm(self.encoder(hidden, mask=mask, is_causal=mask is None))
        return torch.as_tensor(hidden)


class _Encoder(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(shape) for _ in range(shape.layers))

    def forward(
        self, hidden: Tensor, *, mask: Tensor | None = None, is_causal: bool = False
    ) -> Tensor:
        for layer in self.layers:
            hidden = layer(hidden, mask, is_causal)
        return hidden


class _Layer(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(shape.width, shape.epsilon)
        self.self_attn = _Attention(shape.width, shape.heads)
        self.layer_norm2 = nn.LayerNorm(shape.width, shape.epsilon)
        self.mlp = _Mlp(shape)

    def forward(self, hidden: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor:
        hidden = hidden + self.self_attn(self.layer_norm1(hidden), mask, is_causal)
        return hidden + torch.as_tensor(self.mlp(self.layer_norm2(hidden)))


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"a width of {width} is no multiple of {heads} heads")
        self._head_width = width // heads
        self.q_proj, self.k_proj = _Linear(width, width), _Linear(width, width)
        self.v_proj, self.out_proj = _Linear(width, width), _Linear(width, width)

    def forward(self, hidden: Tensor, mask: Tensor | None, is_causal: bool) -> Tensor:
        query, key, value = (
            projection(hidden).unflatten(-1, (-1, self._head_width)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = functional.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=is_causal, scale=self._head_width**-0.5
        )
        out: Tensor = self.out_proj(attended.transpose(1, 2).flatten(2))
        return out


class _Mlp(nn.Module):
    def __init__(self, shape: TowerShape) -> None:
        super().__init__()
        self._activation = shape.activation
        self.fc1 = _Linear(shape.width, shape.hidden)
        self.fc2 = _Linear(shape.hidden, shape.width)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = self.fc1(hidden)
        if self._activation == "quick_gelu":
            hidden = hidden * torch.sigmoid(1.702 * hidden)
        else:
            hidden = functional.gelu(hidden)
        out: Tensor = self.fc2(hidden)
        return out
