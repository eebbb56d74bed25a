"""The stages' models: what they see, what they count, and sampling's steps."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from symmv_builder.training.vmusprod import tokens
from symmv_builder.training.vmusprod.controller import COLOUR, SEMANTIC, Video
from symmv_builder.training.vmusprod.embedding import INTERVALS, TokenBatch, chroma_table
from symmv_builder.training.vmusprod.models import AFTER, Context, Design, StageModel
from symmv_builder.training.vmusprod.stepping import FusedStepper
from symmv_builder.training.vmusprod.train import compile_layers
from symmv_builder.vocab import QUALITY_INTERVALS, SYMMV_QUALITIES

CONDITIONS = ("nothing", "video", "score")
LENGTHS = torch.tensor([40, 33, 12])


def design(condition: Any, **fields: Any) -> Design:
    plain: dict[str, Any] = {
        "width": 32,
        "heads": 4,
        "feedforward": 48,
        "encoder_layers": 2,
        "decoder_layers": 3,
        "controller_layers": 1,
        "dropout": 0.1,
        "max_bars": 6,
        "timing": True,
        "semantic": condition == "video",
        "colour": condition == "video",
    }
    return Design(condition=condition, **(plain | fields))


def model_of(condition: Any, **fields: Any) -> StageModel:
    torch.manual_seed(0)
    return StageModel(design(condition, **fields)).eval()


def make_score(length: int, seed: int, lengths: Tensor = LENGTHS) -> TokenBatch:
    """Random tokens of random types, each with the fields of its type."""
    torch.manual_seed(seed)
    kinds = torch.randint(tokens.RHYTHM, tokens.NOTE + 1, (3, length))
    columns = [kinds]
    for name in tokens.FIELDS[1:]:
        values = torch.randint(1, tokens.SIZES[name], (3, length))
        has = torch.zeros_like(kinds, dtype=torch.bool)
        for kind, names in tokens.FIELDS_OF.items():
            if name in names:
                has |= kinds == kind
        columns.append(values * has)
    mask = torch.arange(length) < lengths.clamp(max=length)[:, None]
    bars = torch.randint(0, 8, (3, length)).sort(1).values
    return TokenBatch(
        tokens=torch.stack(columns, -1) * mask[..., None],
        places=torch.arange(length).expand(3, -1),
        bars=bars * mask,
        beats=torch.randint(0, 16, (3, length)),
        timing=torch.randint(0, 101, (3, length)),
        mask=mask,
    )


def make_context(condition: str) -> Context:
    torch.manual_seed(9)
    tempo = torch.tensor([3, 9, 20])
    if condition == "score":
        return Context(tempo, score=make_score(25, 5, torch.tensor([25, 20, 25])))
    if condition == "video":
        long = torch.arange(7) < torch.tensor([7, 4, 2])[:, None]
        short = torch.arange(3) < torch.tensor([3, 2, 1])[:, None]
        return Context(
            tempo,
            video=Video(torch.randn(3, 7, SEMANTIC), long, torch.rand(3, 3, COLOUR), short),
        )
    return Context(tempo)


def hidden_of(model: StageModel, score: TokenBatch, context: Context) -> Tensor:
    """What the heads are given, by a hook: the parallel form's hidden vectors."""
    seen: list[Tensor] = []
    hook = model.decoder.register_forward_hook(lambda *args: seen.append(args[2]))
    model(score, context)
    hook.remove()
    return seen[0]


@pytest.mark.parametrize("made", [lambda model: model, FusedStepper])
@pytest.mark.parametrize("condition", CONDITIONS)
def test_steps_give_what_the_parallel_form_gives(condition: str, made: Any) -> None:
    model, score, context = model_of(condition), make_score(40, 1), make_context(condition)
    whole = hidden_of(model, score, context)
    stepper = made(model)
    state = stepper.begin(3, context)
    with torch.no_grad():
        for t in range(39):
            hidden, state = stepper.step(
                score.tokens[:, t],
                score.bars[:, t],
                score.beats[:, t],
                context.tempo,
                score.timing[:, t],
                state,
            )
            real = score.mask[:, t]
            torch.testing.assert_close(hidden[real], whole[real, t], atol=1e-5, rtol=1e-5)


def test_the_stepper_tells_the_fields_of_a_token_as_the_model_does() -> None:
    model = model_of("nothing")
    stepper, hidden = FusedStepper(model), torch.randn(tokens.NOTE + 1, 32)
    kind = torch.arange(tokens.NOTE + 1)
    with torch.no_grad():
        told = [each.type_logits(hidden) for each in (model, stepper)]
        torch.testing.assert_close(*told)
        known = [each.decided(hidden, kind) for each in (model, stepper)]
        for name, after in AFTER.items():
            before = None if after is None else 1 + kind
            torch.testing.assert_close(
                model.field_logits(name, known[0], before),
                stepper.field_logits(name, known[1], before),
            )


@pytest.mark.parametrize("condition", CONDITIONS)
def test_a_step_costs_no_more_later_than_earlier(condition: str) -> None:
    model, score, context = model_of(condition), make_score(40, 1), make_context(condition)
    sizes = []
    state = model.begin(3, context)
    for t in range(39):
        fields = score.tokens[:, t], score.bars[:, t], score.beats[:, t]
        _, state = model.step(*fields, context.tempo, score.timing[:, t], state)
        sizes.append([s.kv.numel() + s.k.numel() for s in (*state.own, *state.cross) if s])
    assert all(size == sizes[0] for size in sizes)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_the_future_does_not_change_what_was_said_before(condition: str) -> None:
    model, score, context = model_of(condition), make_score(40, 1), make_context(condition)
    other = make_score(40, 2)
    changed = score.tokens.clone()
    changed[:, 20:] = other.tokens[:, 20:]
    before = hidden_of(model, score, context)
    after = hidden_of(model, replace(score, tokens=changed), context)
    assert torch.equal(before[:, :20], after[:, :20])
    assert not torch.allclose(before[0, 20:], after[0, 20:])


@pytest.mark.parametrize("condition", CONDITIONS)
def test_padding_changes_no_loss(condition: str) -> None:
    model, score, context = model_of(condition), make_score(40, 1), make_context(condition)
    losses, counts = model(score, context)
    junk = make_score(40, 3, torch.tensor([40, 40, 40]))
    keep = score.mask[..., None]
    padded = replace(
        score,
        tokens=torch.where(keep, score.tokens, junk.tokens),
        beats=torch.where(score.mask, score.beats, junk.beats),
        timing=torch.where(score.mask, score.timing, junk.timing),
    )
    changed = replace(context, score=context.score and _junk_behind(context.score))
    after, after_counts = model(padded, changed)
    torch.testing.assert_close(losses, after)
    assert torch.equal(counts, after_counts)


def _junk_behind(score: TokenBatch) -> TokenBatch:
    junk = make_score(score.tokens.shape[1], 4, torch.tensor([99, 99, 99]))
    kept = torch.where(score.mask[..., None], score.tokens, junk.tokens)
    return replace(score, tokens=kept, beats=torch.where(score.mask, score.beats, junk.beats))


def test_padding_of_the_video_changes_no_loss() -> None:
    model, score, context = model_of("video"), make_score(40, 1), make_context("video")
    video = context.video
    assert video is not None
    assert video.semantic is not None
    assert video.semantic_mask is not None
    noise = torch.where(video.semantic_mask[..., None], video.semantic, torch.tensor(7.0))
    other = replace(context, video=replace(video, semantic=noise))
    torch.testing.assert_close(model(score, context)[0], model(score, other)[0])


def test_a_row_of_a_batch_does_not_see_the_others() -> None:
    model, score, context = model_of("score"), make_score(40, 1), make_context("score")
    source = context.score
    assert source is not None
    together = hidden_of(model, score, context)
    row = slice(1, 2)
    alone = hidden_of(
        model,
        TokenBatch(*(getattr(score, name)[row, :33] for name in TokenBatch.__slots__)),
        Context(
            context.tempo[row],
            TokenBatch(*(getattr(source, name)[row, :20] for name in TokenBatch.__slots__)),
        ),
    )
    torch.testing.assert_close(alone[0], together[1, :32], atol=1e-5, rtol=1e-5)


def test_cross_attention_is_to_the_bars_beside_alone() -> None:
    """With an encoder that mixes nothing, another bar's source changes three bars at most."""
    model, score, context = model_of("score", encoder_layers=1), make_score(40, 1), None
    assert model.encoder is not None
    for layer in model.encoder.layers:
        torch.nn.init.zeros_(layer.own.out.weight)  # type: ignore[union-attr,arg-type]
    context = make_context("score")
    source = context.score
    assert source is not None
    at = source.bars == 4
    swapped = torch.where(at[..., None], make_score(25, 8).tokens, source.tokens)
    other = replace(context, score=replace(source, tokens=swapped))
    before, after = hidden_of(model, score, context), hidden_of(model, score, other)
    # Later bars hear of it through the decoder's own attention; earlier ones cannot.
    early = (score.bars < 3)[:, :-1] & score.mask[:, :-1]
    beside = ((score.bars - 4).abs() <= 1)[:, :-1] & score.mask[:, :-1]
    assert torch.equal(before[early], after[early])
    assert (before != after).any(-1)[beside].all()
    for layer in model.decoder.layers:
        torch.nn.init.zeros_(layer.own.out.weight)  # type: ignore[union-attr,arg-type]
    before, after = hidden_of(model, score, context), hidden_of(model, score, other)
    far = ((score.bars - 4).abs() > 1)[:, :-1] & score.mask[:, :-1]
    assert torch.equal(before[far], after[far])


def test_each_field_counts_where_it_is_present_and_the_type_everywhere() -> None:
    model, score = model_of("nothing"), make_score(40, 1)
    _, counts = model(score, make_context("nothing"))
    wanted = (score.tokens[:, 1:] > 0).sum((0, 1))
    assert torch.equal(counts, wanted)
    assert counts[0] == LENGTHS.sum() - 3


def test_the_loss_is_that_of_type_then_fields_in_order() -> None:
    """The same sums by hand, token by token, from the logits that sampling reads."""
    model, score, context = model_of("nothing"), make_score(40, 1), make_context("nothing")
    losses, _ = model(score, context)
    hidden = hidden_of(model, score, context)
    wanted = dict(zip(tokens.FIELDS, score.tokens[:, 1:].unbind(-1), strict=True))
    decided = model.decided(hidden, wanted["type"])
    logits = {"type": model.type_logits(hidden)} | {
        name: model.field_logits(name, decided, wanted[after] if after else None)
        for name, after in AFTER.items()
    }
    for number, name in enumerate(tokens.FIELDS):
        labels = wanted[name]
        lost = -logits[name].log_softmax(-1).gather(-1, labels.unsqueeze(-1)).squeeze(-1)
        torch.testing.assert_close(losses[number], lost[labels > 0].sum())


def test_a_duration_is_told_from_its_pitch_and_a_pitch_from_its_type() -> None:
    model = model_of("nothing")
    hidden = torch.randn(2, 32)
    note, chord = (
        model.decided(hidden, torch.full((2,), kind)) for kind in (tokens.NOTE, tokens.CHORD)
    )
    low, high = (
        model.field_logits("duration", note, torch.full((2,), pitch)) for pitch in (40, 90)
    )
    assert not torch.allclose(low, high)
    one, other = (model.field_logits("pitch", decided, None) for decided in (note, chord))
    assert not torch.allclose(one, other)


@pytest.mark.parametrize("condition", CONDITIONS)
def test_every_weight_learns_in_every_batch(condition: str) -> None:
    """Data parallelism waits for the gradient of each weight, also of fields that no token has."""
    model, score, context = model_of(condition), make_score(40, 1), make_context(condition)
    rhythm = torch.tensor([tokens.RHYTHM, 1, 0, 0, 0, 0])
    only = torch.where(score.mask[..., None], rhythm, 0)
    losses, _ = model(replace(score, tokens=only), context)
    losses.sum().backward()
    without = [name for name, p in model.named_parameters() if p.grad is None]
    assert without == []


def test_without_timing_nothing_hears_of_it() -> None:
    model, score, context = model_of("nothing", timing=False), make_score(40, 1), None
    context = make_context("nothing")
    other = replace(score, timing=score.timing * 0)
    assert torch.equal(model(score, context)[0], model(other, context)[0])
    timed = model_of("nothing")
    assert not torch.equal(timed(score, context)[0], timed(other, context)[0])


def test_tempo_and_place_are_heard() -> None:
    model, score, context = model_of("nothing"), make_score(40, 1), make_context("nothing")
    base = model(score, context)[0]
    changed = (
        (score, replace(context, tempo=context.tempo + 1)),
        (replace(score, places=score.places + 100), context),
        (replace(score, bars=score.bars + 1), context),
        (replace(score, beats=(score.beats + 1) % 16), context),
    )
    for other, beside in changed:
        assert not torch.equal(base, model(other, beside)[0])


def test_chords_are_heard_as_their_pitch_classes() -> None:
    table = chroma_table()
    c_major, a_minor_7 = table[1, 1], table[10, 1 + SYMMV_QUALITIES.index("m7")]
    assert c_major.nonzero().flatten().tolist() == [0, 4, 7]
    assert a_minor_7.nonzero().flatten().tolist() == [0, 4, 7, 9]
    assert table[13].sum() == table[0].sum() == table[:, 11].sum() == 0


def test_both_vocabularies_spell_a_quality_alike() -> None:
    alike = {"M": "maj", "m": "min", "o": "dim", "+": "aug", "M7": "maj7", "m7": "min7"}
    assert set(INTERVALS) == set(SYMMV_QUALITIES)
    for ours, theirs in (alike | {"7": "7", "sus2": "sus2", "sus4": "sus4"}).items():
        assert INTERVALS[ours] == QUALITY_INTERVALS[theirs]
    assert INTERVALS["o7"] == QUALITY_INTERVALS["dim7"]


def test_a_model_for_videos_refuses_to_do_without_one() -> None:
    with pytest.raises(ValueError, match="needs their features"):
        model_of("video")(make_score(40, 1), make_context("nothing"))
    with pytest.raises(ValueError, match="another sequence"):
        model_of("score").begin(3, make_context("nothing"))


@pytest.mark.parametrize("condition", CONDITIONS)
def test_half_precision_gives_nearly_the_same_losses_and_gradients(condition: str) -> None:
    """As a GPU computes: products in bfloat16, sums of attention and losses in float32."""
    model, score, context = model_of(condition), make_score(40, 1), make_context(condition)
    exact = model(score, context)[0]
    exact.sum().backward()
    gradient = model.decoder.norm.weight.grad
    model.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = model(score, context)[0]
    half.sum().backward()
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, exact, rtol=0.02, atol=0.5)
    assert gradient is not None
    torch.testing.assert_close(model.decoder.norm.weight.grad, gradient, rtol=0.2, atol=1.0)


@pytest.mark.long
def test_what_the_compiler_traces_gives_the_same() -> None:
    """The graphs that a GPU's compiler is given, forward and back, for two lengths."""
    model = model_of("score", encoder_layers=1, decoder_layers=2)
    context, gradients = make_context("score"), []
    for traced in (False, True):
        if traced:
            compile_layers(model, "aot_eager")
        for length in (40, 70):
            model.zero_grad(set_to_none=True)
            losses = model(make_score(length, 1), context)[0]
            losses.sum().backward()
            gradients.append([losses, *(p.grad for p in model.parameters())])
    torch.testing.assert_close(gradients[0], gradients[2])
    torch.testing.assert_close(gradients[1], gradients[3])
