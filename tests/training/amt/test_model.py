"""The network: any batch, nothing leaks, one chord at a time as all at once."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from symmv_builder.training.amt.config import PRESETS, AmtConfig, ModelName
from symmv_builder.training.amt.model import ChordModel, sinusoids
from symmv_builder.training.amt.vocabulary import OUTPUTS, PAD, START
from tests.training.amt.amt_rows import TINY

FILM = 16
MODELS: tuple[ModelName, ...] = ("amt", "amt_without_emotion", "music_transformer", "transformer")
LENGTHS = (9, 14, 4)


def make(name: ModelName, **settings: Any) -> ChordModel:
    torch.manual_seed(1)
    config = replace(TINY, model=name, **settings)
    return ChordModel(config, FILM if config.sees_video else 0).eval()


def song(seconds: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    chords = torch.randint(0, 157, (seconds,), generator=rng)
    return (
        torch.cat([torch.tensor([START]), chords]),
        torch.tensor(float(seed % 2)),
        torch.randn(seconds, FILM, generator=rng),
    )


def padded(longest: int = 20) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Songs of several lengths side by side, with rubbish where each has ended."""
    inputs = torch.full((len(LENGTHS), longest + 1), PAD)
    video = torch.full((len(LENGTHS), longest, FILM), 1e3)
    inputs_mask, video_mask = torch.zeros_like(inputs).bool(), torch.zeros(video.shape[:2]).bool()
    keys = []
    for place, seconds in enumerate(LENGTHS):
        chords, key, film = song(seconds, place)
        inputs[place, : seconds + 1], video[place, :seconds] = chords, film
        inputs_mask[place, : seconds + 1], video_mask[place, :seconds] = True, True
        keys.append(key)
    return inputs, torch.stack(keys), inputs_mask, video, video_mask


@pytest.mark.parametrize("name", MODELS)
def test_a_padded_batch_gives_the_logits_of_each_song_alone(name: ModelName) -> None:
    model = make(name)
    inputs, keys, inputs_mask, video, video_mask = padded()
    film = (video, video_mask) if model.config.sees_video else (None, None)
    together = model(inputs, keys, inputs_mask, *film)
    for place, seconds in enumerate(LENGTHS):
        chords, key, pictures = song(seconds, place)
        alone = model(
            chords[None], key[None], None, pictures[None] if model.config.sees_video else None
        )
        assert alone.shape == (1, seconds + 1, OUTPUTS)
        torch.testing.assert_close(together[place, : seconds + 1], alone[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_neither_the_future_nor_padding_reaches_a_logit(name: ModelName) -> None:
    """The gradient of a row's logits is exactly zero at every later input and in padding."""
    model = make(name)
    inputs, keys, inputs_mask, video, video_mask = padded()
    seen: dict[str, Tensor] = {}

    def keep(_: object, __: object, output: Tensor) -> None:
        seen["chords"] = output
        output.retain_grad()

    model.chord.register_forward_hook(keep)
    video.requires_grad_()
    film = (video, video_mask) if model.config.sees_video else (None, None)
    model(inputs, keys, inputs_mask, *film)[0, 5].sum().backward()
    gradient = seen["chords"].grad
    assert gradient is not None
    reached = gradient.abs().sum(-1) > 0
    assert reached[0].nonzero().flatten().tolist() == list(range(6))
    assert not reached[1:].any()
    if model.config.sees_video:
        assert video.grad is not None
        watched = video.grad.abs().sum(-1) > 0
        assert watched[0].nonzero().flatten().tolist() == list(range(LENGTHS[0]))
        assert not watched[1:].any()


@pytest.mark.parametrize("name", MODELS)
def test_one_chord_at_a_time_gives_the_same_logits(name: ModelName) -> None:
    model = make(name)
    chords, key, film = song(20, 3)
    pictures = film[None] if model.config.sees_video else None
    with torch.no_grad():
        progress = model.begin(key[None], pictures)
        steps = [model.step(chord[None], progress) for chord in chords]
        whole = model(chords[None], key[None], None, pictures)
    torch.testing.assert_close(torch.stack(steps, 1), whole, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_the_first_chord_depends_on_key_and_video_where_there_is_one(name: ModelName) -> None:
    model = make(name)
    start = torch.tensor([[START]])
    film = torch.randn(1, 6, FILM)
    pictures = [film, film + 1] if model.config.sees_video else [None]
    first = model(start, torch.tensor([1.0]), None, pictures[0])
    assert not torch.allclose(first, model(start, torch.tensor([0.0]), None, pictures[0]))
    for other in pictures[1:]:
        assert not torch.allclose(first, model(start, torch.tensor([1.0]), None, other))


def test_order_matters_to_the_plain_transformer_by_its_sinusoids() -> None:
    model = make("transformer")
    key = torch.tensor([1.0])
    a, b = (model(torch.tensor([[START, *rest]]), key)[0, -1] for rest in ([3, 40], [40, 3]))
    assert not torch.allclose(a, b)
    table = sinusoids(5, 4)
    assert table[0].tolist() == [0, 1, 0, 1]
    assert table[3, 0].item() == pytest.approx(torch.sin(torch.tensor(3.0)).item())
    assert table[3, 3].item() == pytest.approx(torch.cos(torch.tensor(3 / 100.0)).item())


def test_the_paper_s_model_has_the_paper_s_shapes() -> None:
    model = ChordModel(PRESETS["paper"], 776)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert shapes["root.weight"] == (15, 512)
    assert shapes["quality.weight"] == (16, 512)
    assert shapes["chord.weight"] == (512, 513)
    assert shapes["video.weight"] == (512, 776)
    assert shapes["out.weight"] == (159, 512)
    assert shapes["decoder.0.attention.distances"] == (8, 300, 64)
    assert shapes["encoder.5.network.0.weight"] == (1024, 512)
    assert (len(model.encoder), len(model.decoder)) == (6, 6)
    assert model.positions.shape == (300, 512)


def test_released_heads_share_their_distances() -> None:
    config: AmtConfig = replace(TINY, relative_tables="shared")
    model = ChordModel(config, FILM)
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    assert shapes["decoder.0.attention.distances"] == (1, TINY.length, TINY.width // TINY.heads)


def test_relative_positions_are_the_decoder_s_alone() -> None:
    for name, there in (("amt", True), ("music_transformer", True), ("transformer", False)):
        names = [n for n, _ in make(name).named_parameters() if "distances" in n]  # type: ignore[arg-type]
        assert bool(names) == there
        assert all(n.startswith("decoder.") for n in names)


def test_a_model_without_video_refuses_one() -> None:
    with pytest.raises(ValueError, match="transformer does not go with 16 video features"):
        ChordModel(replace(TINY, model="transformer"), FILM)
    with pytest.raises(ValueError, match="amt does not go with 0 video features"):
        ChordModel(TINY, 0)
