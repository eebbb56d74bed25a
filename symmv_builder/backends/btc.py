"""BTC (Park et al., "A Bi-Directional Transformer for Musical Chord Recognition", ISMIR
2019): the recogniser that made MuVi-Sync's chords.

Eight layers, each with one attention block that looks back and one that looks ahead,
over 10 s of a constant-Q transform. The authors' large-vocabulary checkpoint
(``{"model", "mean", "std"}``, 170 classes) lies in no package and is a path here. The
network is written from the paper as functions of the checkpoint's tensors, whose names
and shapes are checked one by one. Known from public description but not tried on the
real file: that its names are these, and that a layer norm divides by the sample standard
deviation. Class 168, a chord outside the vocabulary, is written ``N``.
"""

from functools import partial
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import (
    About,
    ModelHome,
    ModelIdentity,
    hash_files,
    reading_checkpoint,
    required_path,
)
from symmv_builder.backends.slots import ChordRecogniser
from symmv_builder.errors import WrongWeights
from symmv_builder.packages import import_compiled
from symmv_builder.records import Chords
from symmv_builder.vocab import NO_CHORD, muvisync_label

NAME = "btc"
WHAT = "its large-vocabulary checkpoint"
HOW = "Get test/btc_model_large_voca.pt of github.com/jayg996/BTC-ISMIR19."
BINS, BINS_PER_OCTAVE, HOP = 144, 24, 2048
BLOCK_S, BLOCK_FRAMES = 10, 108
WIDTH, HEADS, LAYERS, CLASSES = 128, 4, 8, 170
# In the order of the classes; the second "min" is minmaj7, which MuVi-Sync does not have.
QUALITIES = (
    *("min", "maj", "dim", "aug", "min6", "maj6", "min7"),
    *("min", "maj7", "7", "dim7", "hdim7", "sus2", "sus4"),
)
LABELS = (
    *(muvisync_label(root, quality) for root in range(12) for quality in QUALITIES),
    NO_CHORD,
    NO_CHORD,
)
SHORTEST = 4096


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Give name and shape of every tensor of the checkpoint's ``model``."""
    shapes: dict[str, tuple[int, ...]] = {
        "self_attn_layers.embedding_proj.weight": (WIDTH, BINS),
        "self_attn_layers.layer_norm.gamma": (WIDTH,),
        "self_attn_layers.layer_norm.beta": (WIDTH,),
        "output_layer.output_projection.weight": (CLASSES, WIDTH),
        "output_layer.output_projection.bias": (CLASSES,),
    }
    # A recurrent layer that the authors' class carries along and never calls.
    for way in ("", "_reverse"):
        shapes[f"output_layer.lstm.weight_ih_l0{way}"] = (2 * WIDTH, WIDTH)
        shapes[f"output_layer.lstm.weight_hh_l0{way}"] = (2 * WIDTH, WIDTH // 2)
        shapes[f"output_layer.lstm.bias_ih_l0{way}"] = (2 * WIDTH,)
        shapes[f"output_layer.lstm.bias_hh_l0{way}"] = (2 * WIDTH,)
    for layer in range(LAYERS):
        start = f"self_attn_layers.self_attn_layers.{layer}"
        shapes[f"{start}.linear.weight"] = (WIDTH, 2 * WIDTH)
        shapes[f"{start}.linear.bias"] = (WIDTH,)
        for block in (f"{start}.attn_block", f"{start}.backward_attn_block"):
            for part in ("query", "key", "value", "output"):
                shapes[f"{block}.multi_head_attention.{part}_linear.weight"] = (WIDTH, WIDTH)
            for number in (0, 1):
                conv = f"{block}.positionwise_convolution.layers.{number}.conv"
                shapes[f"{conv}.weight"], shapes[f"{conv}.bias"] = (WIDTH, WIDTH, 3), (WIDTH,)
            for norm in ("layer_norm_mha", "layer_norm_ffn"):
                shapes[f"{block}.{norm}.gamma"] = shapes[f"{block}.{norm}.beta"] = (WIDTH,)
    return shapes


@final
class Btc(ChordRecogniser):
    """Mono samples at 22.05 kHz to chords of MuVi-Sync's vocabulary."""

    needs = ("librosa", "torch")
    rate_hz = 22050
    mono = True

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        return ModelIdentity(NAME, "1", hash_files([required_path(home, NAME, WHAT, HOW)]))

    @classmethod
    def about(cls) -> About:
        return About("BTC (ISMIR 2019)", "MIT", HOW)

    def __init__(self, home: ModelHome) -> None:
        path = required_path(home, NAME, WHAT, HOW)
        import torch

        librosa = import_compiled("librosa")
        self._librosa, self._torch, self._device = librosa, torch, home.device
        with reading_checkpoint(NAME, "BTC", path, HOW):
            with torch.serialization.safe_globals(_numpy_scalars()):
                checkpoint = torch.load(path, map_location="cpu", weights_only=True)
            state = checkpoint["model"]
            self._mean, self._std = float(checkpoint["mean"]), float(checkpoint["std"])
        expected = expected_shapes()
        odd = {name for name, tensor in state.items() if expected.get(name) != tuple(tensor.shape)}
        if odd := odd | (set(expected) - set(state)):
            problem = f"{path} does not fit BTC at {', '.join(sorted(odd)[:3])}"
            raise WrongWeights(NAME, problem, HOW)
        self._state = {name: tensor.float().to(home.device) for name, tensor in state.items()}

    def recognise(self, samples: NDArray[np.float32]) -> Chords:
        """Recognise chords of samples ``[n, 1]``, one span after the other over the whole sound."""
        features = self._features(np.ascontiguousarray(samples[:, 0]))
        if not len(features):
            return Chords(starts_s=np.empty(0), ends_s=np.empty(0), labels=())
        count = -(-len(features) // BLOCK_FRAMES)
        padded = np.pad(features, ((0, count * BLOCK_FRAMES - len(features)), (0, 0)))
        blocks = padded.reshape(count, BLOCK_FRAMES, BINS).astype(np.float32)
        with self._torch.no_grad():
            logits = _logits(self._state, self._torch.from_numpy(blocks).to(self._device))
        classes = logits.argmax(-1).cpu().numpy().ravel()[: len(features)]
        labels = [LABELS[number] for number in classes]
        edges = [0, *(i for i in range(1, len(labels)) if labels[i] != labels[i - 1]), len(labels)]
        edges_s = np.array(edges) * (BLOCK_S / BLOCK_FRAMES)
        return Chords(
            starts_s=edges_s[:-1],
            ends_s=edges_s[1:],
            labels=tuple(labels[edge] for edge in edges[:-1]),
        )

    def _features(self, mono: NDArray[np.float32]) -> NDArray[np.float64]:
        """Normalised log transform ``[frames, bins]``, block by block as in training."""
        step = BLOCK_S * self.rate_hz
        parts = [
            np.abs(
                self._librosa.cqt(
                    mono[start : start + step],
                    sr=self.rate_hz,
                    n_bins=BINS,
                    bins_per_octave=BINS_PER_OCTAVE,
                    hop_length=HOP,
                )
            ).T
            for start in range(0, len(mono), step)
            if len(mono) - start >= SHORTEST
        ]
        if not parts:
            return np.empty((0, BINS))
        features = (np.log(np.concatenate(parts) + 1e-6) - self._mean) / self._std
        return np.asarray(features, dtype=np.float64)


def _numpy_scalars() -> list[Any]:
    """List what a saved numpy number consists of, by its old and its new name: no code in it."""
    scalar: Any = np.float64(0).__reduce__()[0]
    kinds = [np.dtype, np.dtypes.Float64DType, np.dtypes.Float32DType]
    return [*kinds, scalar, (scalar, "numpy.core.multiarray.scalar")]


def _logits(state: dict[str, Any], x: Any) -> Any:
    """Compute scores ``[blocks, frames, classes]`` of features ``[blocks, frames, bins]``."""
    import torch
    from torch.nn.functional import linear

    start = "self_attn_layers"
    x = linear(x, state[f"{start}.embedding_proj.weight"])
    x = x + torch.from_numpy(_timing(x.shape[1])).to(x)
    past = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool, device=x.device).tril()
    for layer in range(LAYERS):
        name = f"{start}.self_attn_layers.{layer}"
        back = _block(state, f"{name}.attn_block", x, past)
        ahead = _block(state, f"{name}.backward_attn_block", x, past.T)
        both = torch.cat((back, ahead), dim=-1)
        x = linear(both, state[f"{name}.linear.weight"], state[f"{name}.linear.bias"])
    x = _norm(state, f"{start}.layer_norm", x)
    last = "output_layer.output_projection"
    return linear(x, state[f"{last}.weight"], state[f"{last}.bias"])


def _block(state: dict[str, Any], name: str, x: Any, mask: Any) -> Any:
    """Attention over the frames that `mask` allows, then two convolutions, each added on."""
    from torch.nn.functional import conv1d, linear, relu, scaled_dot_product_attention

    weight = partial("{}.multi_head_attention.{}_linear.weight".format, name)
    normed = _norm(state, f"{name}.layer_norm_mha", x)
    query, key, value = (
        linear(normed, state[weight(part)]).reshape(*x.shape[:2], HEADS, -1).transpose(1, 2)
        for part in ("query", "key", "value")
    )
    attended = scaled_dot_product_attention(query, key, value, attn_mask=mask)
    x = x + linear(attended.transpose(1, 2).flatten(2), state[weight("output")])
    y = _norm(state, f"{name}.layer_norm_ffn", x).transpose(1, 2)
    for number in (0, 1):
        conv = f"{name}.positionwise_convolution.layers.{number}.conv"
        y = relu(conv1d(y, state[f"{conv}.weight"], state[f"{conv}.bias"], padding=1))
    return x + y.transpose(1, 2)


def _norm(state: dict[str, Any], name: str, x: Any) -> Any:
    centred = x - x.mean(-1, keepdim=True)
    scale = x.std(-1, keepdim=True) + 1e-6
    return state[f"{name}.gamma"] * centred / scale + state[f"{name}.beta"]


def _timing(length: int) -> NDArray[np.float32]:
    """Make sines, then cosines, of wavelengths 2 pi to 20,000 pi frames: ``[length, WIDTH]``."""
    rates = np.exp(-np.log(1e4) * np.arange(WIDTH // 2) / (WIDTH // 2 - 1))
    angles = np.arange(length)[:, None] * rates
    return np.concatenate((np.sin(angles), np.cos(angles)), axis=1).astype(np.float32)
