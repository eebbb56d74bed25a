"""Pieces drawn from the model, many at once, with what their videos ask put in their place.

As in the release: where the model opens a bar, its density is replaced by the one that is asked;
where it would pass a 16th on which a simu-note is asked, the word of that 16th and strength is
written first. Each is done with the probability `control`, CMT's C, which is drawn for every bar
and every 16th before the piece begins. What follows is the model's, which learned what these
numbers mean.
"""

from collections.abc import Callable
from collections.abc import Sequence as Many
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from symmv_builder.training.cmt.control import Control
from symmv_builder.training.cmt.grammar import WordWriting
from symmv_builder.training.cmt.model import CmtModel
from symmv_builder.training.cmt.tokens import (
    BAR,
    BARBEAT,
    BEGIN,
    DENSITY,
    END,
    FIELDS,
    FIRST_POSITION,
    MOST_NOTES,
    NOTE,
    POSITIONS,
    RHYTHM,
    STRENGTH,
    TYPE,
    Ints,
    Sequence,
    placed,
)
from symmv_builder.training.vmusprod.sampling import BLOCK, Chances, nucleus
from symmv_builder.training.vmusprod.stepping import one_thread

# What every piece begins with, `begin` alone: [1, 7].
BEGINNING: Ints = np.zeros((1, len(FIELDS)), dtype=np.int64)
BEGINNING[0, TYPE] = BEGIN
# First word of the seed by which it is drawn what of a control is heeded.
_CONTROL = 7


@dataclass(frozen=True, slots=True)
class CmtSampling:
    """The boldness with which attributes are drawn, and how often a control is heeded, 0-1.

    Of an attribute that no field names the fewest values that hold `top_p` of the probability are
    drawn from, at temperature 1; barbeats from all, at 1.2; durations at 2: the release's numbers.
    `temperature` takes the place of all. `greedy` takes the likeliest; `top_k` limits the draw.
    """

    control: float = 0.7
    top_p: float = 0.9
    barbeat: float = 1.2
    duration: float = 2.0
    temperature: float | None = None
    top_k: int | None = None
    greedy: bool = False

    def of(self, name: str) -> tuple[float, float, int | None]:
        """Give temperature, nucleus and number of values for an attribute."""
        own = {"barbeat": self.barbeat, "duration": self.duration}.get(name, 1.0)
        heat = own if self.temperature is None else self.temperature
        top_p = 1.0 if name == "barbeat" or self.top_k is not None else self.top_p
        return heat, top_p, 1 if self.greedy else self.top_k


def heeded(control: Control, seed: int, share: float) -> Control:
    """Thin the control: each bar and each 16th is kept with the probability `share`."""
    rng = np.random.default_rng([_CONTROL, seed])
    bars = rng.random(len(control.densities)) < share
    steps = rng.random(len(control.strengths)) < share
    return Control(np.where(bars, control.densities, -1), np.where(steps, control.strengths, 0))


def sample(
    model: CmtModel,
    controls: Many[Control],
    *,
    seeds: Many[int],
    instruments: Many[int],
    sampling: CmtSampling,
    primer: Ints = BEGINNING,
    last_bar: int | None = None,
    tell: Callable[[float], None] = lambda share: None,
) -> list[Sequence]:
    """Sample one sequence for each of `controls`, with as many bars as it has.

    `instruments` are those that the model knows, 1-5. `primer` ``[p, 7]`` are lawful words that
    each sequence begins with, ``begin`` first; behind more than that the next bar is opened. Behind
    `last_bar` nothing more is written, and there is no ``end``. `tell` hears now and then which
    share of the bars is written.
    """
    device = next(model.parameters()).device
    targets = [heeded(c, s, sampling.control) for c, s in zip(controls, seeds, strict=True)]
    writer = _Writer(model.eval(), targets, seeds, instruments, sampling)
    with torch.inference_mode(), one_thread(device):
        table = writer.write(torch.from_numpy(primer).to(device), last_bar, tell)
    return [_written(rows, last_bar) for rows in table.cpu().numpy()]


def _written(rows: Ints, last_bar: int | None) -> Sequence:
    """Cut off what was written of one piece behind its end or its last bar."""
    is_over = rows[:, TYPE] == END
    if last_bar is not None:
        is_over |= np.cumsum(rows[:, BARBEAT] == BAR) > last_bar + 1
    over = np.flatnonzero(is_over)
    count = int(over[0]) + int(rows[over[0], TYPE] == END) if len(over) else len(rows)
    return placed(np.ascontiguousarray(rows[:count]))


class _Writer:
    """Writes a batch of pieces word by word, one for each of `controls`."""

    def __init__(
        self,
        model: CmtModel,
        controls: Many[Control],
        seeds: Many[int],
        instruments: Many[int],
        sampling: CmtSampling,
    ) -> None:
        device = next(model.parameters()).device
        self._bars = torch.tensor([len(c.densities) for c in controls], device=device)
        most = int(self._bars.max())
        densities = _padded([c.densities for c in controls], most, -1).to(device)
        strengths = _padded([c.strengths for c in controls], most * POSITIONS, 0).to(device)
        is_set = torch.zeros(1 + 5, dtype=torch.bool, device=device)
        is_set[list(instruments)] = True
        self._model, self._sampling = model, sampling
        self._writing = WordWriting(self._bars, is_set, model.config.timing)
        self._targets = _Controls(densities, strengths)
        self._chances = Chances(seeds, device, len(FIELDS))
        self._longest = most * (1 + POSITIONS * len(instruments) * (1 + MOST_NOTES)) + 1

    def write(self, primer: Tensor, last_bar: int | None, tell: Callable[[float], None]) -> Tensor:
        """Write the words ``[b, t, 7]``, those of `primer` ``[p, 7]`` first."""
        writing, primed = self._writing, len(primer)
        token = primer[0].repeat(len(self._bars), 1)
        tokens, sums = [token], self._model.begin(len(self._bars), primer.device)
        for number in range(1, primed + self._longest):
            if number % BLOCK == 0:
                tell(float((writing.bar.clamp(min=0) / self._bars).mean()))
                if self._is_over(last_bar):
                    break
            hidden, sums = self._model.step(token, writing.steps, writing.timing(), sums)
            if number < primed:
                token = primer[number].repeat(len(self._bars), 1)
            else:
                token = self._draw(hidden, opens=number == primed)
                token = token * ~writing.done[:, None]
            writing.write(token)
            tokens.append(token)
        tell(1.0)
        return torch.stack(tokens, dim=1)

    def _is_over(self, last_bar: int | None) -> bool:
        """Tell whether every piece has its end, or is behind the last bar that is asked for."""
        is_behind = self._writing.bar > (self._bars if last_bar is None else last_bar)
        return bool((self._writing.done | is_behind).all())

    def _draw(self, hidden: Tensor, *, opens: bool) -> Tensor:
        """Draw the next word ``[b, 7]`` of every piece; one that `opens` is a bar's own."""
        model, writing, chance = self._model, self._writing, self._chances.next()

        def pick(name: str, logits: Tensor, allowed: Tensor) -> Tensor:
            heat, top_p, most = self._sampling.of(name)
            return nucleus(logits, allowed, chance[:, FIELDS.index(name)], heat, top_p, most)

        kind = pick("type", model.kind(hidden), writing.types())
        decided = model.decided(hidden, kind)
        barbeat = pick("barbeat", model.heads["barbeat"](decided), writing.barbeats())
        barbeat = torch.where(kind == RHYTHM, barbeat, 0)
        due = self._targets.due(writing, kind, barbeat)
        if opens:
            due = torch.full_like(due, BAR)
        # A 16th that is put before what was drawn is a rhythm word, and is told as one.
        is_due = due > 0
        kind, barbeat = torch.where(is_due, RHYTHM, kind), torch.where(is_due, due, barbeat)
        decided = model.decided(hidden, kind)
        word = {"type": kind, "barbeat": barbeat}
        masks = {
            "density": writing.some("density"),
            "strength": writing.some("strength"),
            "instrument": writing.instruments(barbeat),
            "pitch": writing.pitches(),
            "duration": writing.some("duration"),
        }
        word |= {n: pick(n, model.heads[n](decided), mask) for n, mask in masks.items()}
        token = torch.stack([word[name] for name in FIELDS], dim=1)
        return writing.lawful(self._targets.put(writing.lawful(token), writing))


class _Controls:
    """Controls of the batch: which 16th is due before another, and what its numbers are."""

    def __init__(self, densities: Tensor, strengths: Tensor) -> None:
        self._densities = torch.where(densities < 0, 0, densities + 1)
        self._strengths = strengths
        b, bars = densities.shape
        is_due = (strengths > 0).view(b, bars, POSITIONS)
        # The first 16th behind each one of its bar (and behind its own word) on which something
        # is asked, one too far where there is none: [b, bars, 17].
        after = torch.full((b, bars, POSITIONS + 1), POSITIONS, device=densities.device)
        for place in range(POSITIONS - 1, -1, -1):
            after[:, :, place] = torch.where(is_due[:, :, place], place, after[:, :, place + 1])
        self._after = after
        self._rows = torch.arange(b, device=densities.device)

    def due(self, writing: WordWriting, kind: Tensor, barbeat: Tensor) -> Tensor:
        """Find the barbeat that has to be written before a drawn word, 0 where none has to."""
        next_asked = self._after[self._rows, writing.bar.clamp(min=0), writing.beat + 1]
        closes = (kind == END) | (barbeat == BAR)
        drawn_position = torch.where(closes, POSITIONS, barbeat - FIRST_POSITION)
        may = (kind != NOTE) & (writing.bar >= 0) & (next_asked < POSITIONS)
        return torch.where(may & (next_asked <= drawn_position), next_asked + FIRST_POSITION, 0)

    def put(self, token: Tensor, writing: WordWriting) -> Tensor:
        """Replace the density and the strength in words by those that are asked."""
        token = token.clone()
        is_bar = token[:, BARBEAT] == BAR
        bar = (writing.bar + is_bar).clamp(0, self._densities.shape[1] - 1)
        density = self._densities[self._rows, bar]
        token[:, DENSITY] = torch.where(is_bar & (density > 0), density, token[:, DENSITY])
        place = token[:, BARBEAT] - FIRST_POSITION
        step = (bar * POSITIONS + place.clamp(min=0)).clamp(max=self._strengths.shape[1] - 1)
        strength = torch.where(place >= 0, self._strengths[self._rows, step], 0)
        token[:, STRENGTH] = torch.where(strength > 0, strength, token[:, STRENGTH])
        return token


def _padded(values: Many[Ints], length: int, filler: int) -> Tensor:
    table = np.full((len(values), length), filler, dtype=np.int64)
    for row, own in zip(table, values, strict=True):
        row[: len(own)] = own
    return torch.from_numpy(table)
