"""BTC's network, written as functions, against torch's own layers with the same weights."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends.btc import HEADS, LABELS, LAYERS, WIDTH, Btc, _logits, expected_shapes
from symmv_builder.errors import StopRun
from symmv_builder.vocab import MUVISYNC_LABELS
from tests.backends.sounds import home_of, random_btc

torch: Any = pytest.importorskip("torch")


@pytest.fixture
def state(tmp_path: Path) -> dict[str, Any]:
    model = Btc(home_of("btc", random_btc(tmp_path)))
    return model._state


def norm(x: Any, state: dict[str, Any], name: str) -> Any:
    scaled = (x - x.mean(-1, keepdim=True)) / (x.std(-1, keepdim=True) + 1e-6)
    return state[f"{name}.gamma"] * scaled + state[f"{name}.beta"]


def block(x: Any, state: dict[str, Any], name: str, hidden: Any) -> Any:
    attention = torch.nn.MultiheadAttention(WIDTH, HEADS, bias=False, batch_first=True)
    weights = [
        state[f"{name}.multi_head_attention.{part}_linear.weight"]
        for part in ("query", "key", "value")
    ]
    attention.in_proj_weight.data = torch.cat(weights)
    attention.out_proj.weight.data = state[f"{name}.multi_head_attention.output_linear.weight"]
    y = norm(x, state, f"{name}.layer_norm_mha")
    x = x + attention(y, y, y, attn_mask=hidden, need_weights=False)[0]
    y = norm(x, state, f"{name}.layer_norm_ffn").transpose(1, 2)
    for number in (0, 1):
        conv = torch.nn.Conv1d(WIDTH, WIDTH, 3, padding=1)
        for part in ("weight", "bias"):
            key = f"{name}.positionwise_convolution.layers.{number}.conv.{part}"
            getattr(conv, part).data = state[key]
        y = torch.relu(conv(y))
    return x + y.transpose(1, 2)


def test_its_scores_are_those_of_torchs_layers(state: dict[str, Any]) -> None:
    frames = 20
    torch.manual_seed(2)
    x = given = torch.randn(2, frames, 144)
    x = x @ state["self_attn_layers.embedding_proj.weight"].T
    rates = 1e4 ** (-torch.arange(64) / 63)
    angles = torch.arange(frames)[:, None] * rates
    x = x + torch.cat((angles.sin(), angles.cos()), 1)
    future = torch.ones(frames, frames, dtype=torch.bool).triu(1)
    with torch.no_grad():
        for layer in range(LAYERS):
            name = f"self_attn_layers.self_attn_layers.{layer}"
            both = torch.cat(
                (
                    block(x, state, f"{name}.attn_block", future),
                    block(x, state, f"{name}.backward_attn_block", future.T),
                ),
                -1,
            )
            x = both @ state[f"{name}.linear.weight"].T + state[f"{name}.linear.bias"]
        x = norm(x, state, "self_attn_layers.layer_norm")
        last = "output_layer.output_projection"
        wanted = x @ state[f"{last}.weight"].T + state[f"{last}.bias"]
        found = _logits(state, given)
    assert torch.allclose(found, wanted, rtol=1e-3, atol=1e-3)


def test_every_class_has_a_label_of_the_vocabulary() -> None:
    assert len(LABELS) == 170
    assert set(LABELS) == set(MUVISYNC_LABELS)
    assert (LABELS[0], LABELS[1], LABELS[14 + 8], LABELS[169]) == ("C:min", "C", "C#:maj7", "N")


@pytest.mark.parametrize("change", ["missing", "shape", "unknown"])
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path: Path, change: str) -> None:
    path = random_btc(tmp_path)
    with torch.serialization.safe_globals([np.dtype]):
        model = {name: torch.zeros(shape) for name, shape in expected_shapes().items()}
    name = "output_layer.output_projection.bias"
    if change == "missing":
        del model[name]
    elif change == "shape":
        model[name] = torch.zeros(25)
    else:
        model["another.weight"] = torch.zeros(1)
    torch.save({"model": model, "mean": 0.0, "std": 1.0}, path)
    with pytest.raises(StopRun, match="does not fit"):
        Btc(home_of("btc", path))
