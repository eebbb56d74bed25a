"""Sequences drawn from a stage's model, many at once, every one of them well formed.

Zhuo et al. (2023), section 4.3, sample with a temperature after Holtzman et al. ("The curious
case of neural text degeneration", 2020): of the tokens that may come next, the fewest that hold
`top_p` of the probability are drawn from, or the `top_k` likeliest, or the likeliest alone
(`greedy`). The type is drawn first, then the fields that it has.

A piece's chances come from its own seed alone, whatever else is in the batch.
"""

import math
from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from symmv_builder.training.vmusprod.grammar import Form, Writing
from symmv_builder.training.vmusprod.stepping import one_thread
from symmv_builder.training.vmusprod.tempo import STEPS_PER_BEAT
from symmv_builder.training.vmusprod.tokens import (
    BAR,
    BEGIN,
    CHORD,
    DURATION,
    END,
    FIELDS,
    FIRST_POSITION,
    NOTE,
    PAD,
    POSITIONS,
    RHYTHM,
    SIZES,
    TYPE,
    Sequence,
    placed,
)

# How many tokens are drawn between two words on how far it is, and on a GPU, where each look waits
# for the device, between two looks at whether all pieces are done.
BLOCK = 64


@dataclass(frozen=True, slots=True)
class TokenSampling:
    """The sampling of each field. Temperature 1 is the model's own distribution, less is safer.

    `greedy` takes the likeliest value of every field that is allowed, the first of equal ones.
    `top_k` limits the draw to so many. `density` leans towards more notes above 1 and towards fewer
    below it (`leaning`). `ValueError` where a temperature is not above 0, `top_p`
    does not lie in 0-1, `top_k` is below 1, or `density` is not
    above 0.
    """

    top_p: float = 0.98
    top_k: int | None = None
    greedy: bool = False
    type: float = 1.0
    barbeat: float = 1.0
    pitch: float = 1.0
    duration: float = 1.0
    root: float = 1.0
    quality: float = 1.0
    notes_per_position: int = 10
    density: float = 1.0

    def __post_init__(self) -> None:
        for name in FIELDS:
            if not getattr(self, name) > 0:
                raise ValueError(f"the temperature of {name} is {getattr(self, name)}, not over 0")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}, not in 0-1")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"the {self.top_k} likeliest values are none; top_k is 1 at least")
        if not 0 < self.density < math.inf:
            raise ValueError(f"a density of {self.density} is none; it is above 0")
        if self.notes_per_position < 1:
            raise ValueError("a 16th holds one note at least")


class Stepper(Protocol):
    """A model that reads one token at a time."""

    def begin(self, batch_size: int, context: Any) -> Any: ...

    def step(
        self, tokens: Tensor, bars: Tensor, beats: Tensor, tempo: Tensor, timing: Tensor, state: Any
    ) -> tuple[Tensor, Any]: ...

    def type_logits(self, hidden: Tensor) -> Tensor: ...

    def decided(self, hidden: Tensor, kind: Tensor) -> Tensor: ...

    def field_logits(self, name: str, decided: Tensor, before: Tensor | None) -> Tensor: ...


def sample(
    model: Stepper,
    context: Any,
    form: Form,
    *,
    tempo: Tensor,
    seeds: Many[int],
    sampling: TokenSampling,
    primer: Tensor | None = None,
    last_bar: int | None = None,
    tell: Callable[[float], None] = lambda share: None,
) -> list[Sequence]:
    """Sample one sequence for each of `seeds`, with as many bars as `form` asks.

    `tempo` ``[b]`` are bins, on the device of ``form.bars``. `primer` int64 ``[b, p, 6]`` are
    lawful tokens to begin with, behind ``begin`` and padded with zeros. Behind `last_bar` nothing
    more is written: the one sequence that is asked for then has no ``end``. `tell` hears now and
    then which share of the bars is written.
    """
    with torch.inference_mode(), one_thread(form.bars.device):
        tokens = _write(model, context, form, tempo, seeds, sampling, primer, last_bar, tell)
        table = tokens.cpu().numpy()
    sequences = []
    for rows in table:
        ends = np.flatnonzero(rows[:, TYPE] == END)
        count = int(ends[0]) + 1 if len(ends) else len(rows)
        sequences.append(placed(np.ascontiguousarray(rows[:count])))
    return sequences


def _write(
    model: Stepper,
    context: Any,
    form: Form,
    tempo: Tensor,
    seeds: Many[int],
    sampling: TokenSampling,
    primer: Tensor | None,
    last_bar: int | None,
    tell: Callable[[float], None],
) -> Tensor:
    writing, state = Writing(form), model.begin(len(seeds), context)
    token = torch.zeros(len(seeds), len(FIELDS), dtype=torch.int64, device=form.bars.device)
    token[:, TYPE], token[:, DURATION] = BEGIN, form.steps_per_bar
    tokens, chances = [token], Chances(seeds, form.bars.device)
    primed = 0 if primer is None else primer.shape[1]
    waits = form.bars.device.type != "cpu"
    for number in range(form.most_tokens):
        if number % BLOCK == 0 and number:
            tell(float((writing.bar.clamp(min=0) / form.bars).mean()))
        if (number % BLOCK == 0 or not waits) and bool(writing.done.all()):
            break
        if last_bar is not None and bool((writing.bar > last_bar).all()):
            break
        bars, beats = writing.bar.clamp(min=0), writing.beat.clamp(min=0)
        hidden, state = model.step(token, bars, beats, tempo, writing.timing(), state)
        token = _draw_token(model, hidden, writing, sampling, chances.next())
        if primer is not None and number < primed:
            forced = primer[:, number]
            token = torch.where((forced[:, TYPE] != PAD)[:, None], forced, token)
        token = token * ~writing.done[:, None]
        writing.write(token)
        tokens.append(token)
    tell(1.0)
    return torch.stack(tokens, dim=1)


def _draw_token(
    model: Stepper, hidden: Tensor, writing: Writing, sampling: TokenSampling, chance: Tensor
) -> Tensor:
    """Draw the next token ``[b, 6]`` of every sequence; `chance` ``[b, 6]`` is even in 0-1."""

    def pick(name: str, logits: Tensor, allowed: Tensor) -> Tensor:
        temperature: float = getattr(sampling, name)
        number = chance[:, FIELDS.index(name)]
        most = 1 if sampling.greedy else sampling.top_k
        return nucleus(logits, allowed, number, temperature, sampling.top_p, most)

    writes_notes = writing.form.kind == NOTE and sampling.density != 1.0
    kinds_logits = model.type_logits(hidden)
    if writes_notes:
        kinds_logits = kinds_logits + leaning(sampling.density, hidden.device)[0]
    kind = pick("type", kinds_logits, writing.types())
    # On a CPU it costs nothing to look at what was drawn: fields that no piece has are left out.
    kinds = set(kind.tolist()) if kind.device.type == "cpu" else {RHYTHM, CHORD, NOTE}
    decided = model.decided(hidden, kind)
    values = {"type": kind}
    if RHYTHM in kinds:
        logits = model.field_logits("barbeat", decided, None)
        if writes_notes:
            logits = logits + leaning(sampling.density, hidden.device)[1]
        values["barbeat"] = pick("barbeat", logits, writing.barbeats())
    if CHORD in kinds and writing.form.kind == CHORD:
        root = pick("root", model.field_logits("root", decided, None), writing.roots())
        logits = model.field_logits("quality", decided, root)
        values |= {"root": root, "quality": pick("quality", logits, writing.qualities(root))}
    if NOTE in kinds and writing.form.kind == NOTE:
        pitch = pick("pitch", model.field_logits("pitch", decided, None), writing.pitches())
        logits = model.field_logits("duration", decided, pitch)
        some = torch.arange(SIZES["duration"], device=kind.device) > 0
        values |= {"pitch": pitch, "duration": pick("duration", logits, some)}
    none = torch.zeros_like(kind)
    token = torch.stack([values.get(name, none) for name in FIELDS], dim=1)
    return writing.closed(token * writing.has_field[kind])


@cache
def leaning(density: float, device: torch.device) -> tuple[Tensor, Tensor]:
    """Compute the bias for `density`: on logits of the next type ``[6]`` and next place ``[18]``.

    The odds of one more note on a 16th are those of the model times the square root of `density`;
    of two places the odds of the one a beat earlier are multiplied by `density`, where the next bar
    counts as the place behind the last 16th.
    """
    lean = math.log(density)
    kinds, places = torch.zeros(SIZES["type"]), torch.zeros(SIZES["barbeat"])
    kinds[NOTE] = lean / 2
    places[FIRST_POSITION:] = -lean / STEPS_PER_BEAT * torch.arange(POSITIONS)
    places[BAR] = -lean / STEPS_PER_BEAT * POSITIONS
    return kinds.to(device), places.to(device)


def nucleus(
    logits: Tensor,
    allowed: Tensor,
    chance: Tensor,
    temperature: float,
    top_p: float,
    top_k: int | None = None,
) -> Tensor:
    """Draw from each row of `logits` ``[b, n]``, of what is `allowed`, by `chance` ``[b]`` in 0-1.

    The `top_k` likeliest values are kept, or with `None` all, and of them the nucleus of `top_p`;
    of equally likely values the first. A row in which nothing is allowed
    gives an arbitrary number.
    """
    scaled = torch.where(allowed, logits.float() / temperature, torch.finfo(torch.float32).min)
    scaled, order = scaled.sort(dim=-1, descending=True, stable=True)
    likely = scaled[:, :top_k].softmax(dim=-1)
    reached = likely.cumsum(dim=-1)
    # How many values are in the nucleus; what is below it in an ordinary row is never reached.
    inside = ((reached - likely < top_p) & (likely > 0)).sum(dim=-1, keepdim=True) - 1
    at = (reached <= chance[:, None] * reached.gather(1, inside)).sum(dim=-1, keepdim=True)
    # Rounding may carry the last chance past the end of the nucleus.
    return order.gather(1, at.minimum(inside))[:, 0]


class Chances:
    """Uniform random numbers for each piece from its own seed, made in blocks: ``[b, n]`` a step.

    There are as many as a token has `fields`.
    """

    def __init__(self, seeds: Many[int], device: torch.device, fields: int = len(FIELDS)) -> None:
        self._fields = fields
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._device = device
        self._block, self._used = torch.empty(0), BLOCK

    def next(self) -> Tensor:
        if self._used == BLOCK:
            drawn = [torch.rand(BLOCK, self._fields, generator=g) for g in self._generators]
            self._block, self._used = torch.stack(drawn, dim=1).to(self._device), 0
        self._used += 1
        return self._block[self._used - 1]
