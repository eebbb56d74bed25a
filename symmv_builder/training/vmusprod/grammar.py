"""Which token may follow which, for a batch of sequences that are written at once.

Everything is a tensor over the batch, so that one step of sampling costs no wait for the device.
A bar ends where a model closes it: with a bar token, or with ``end``. Which of the two is not its
choice, since the number of bars is asked for: both mean "close", and ``end`` is written after the
last bar and nowhere else.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from symmv_builder.training.vmusprod.tempo import STEPS_PER_BEAT, TIMING_SIZE, Rounding
from symmv_builder.training.vmusprod.tokens import (
    BAR,
    BARBEAT,
    BEGIN,
    CHORD,
    END,
    FIELDS,
    FIELDS_OF,
    FIRST_POSITION,
    NO_QUALITY,
    NO_ROOT,
    NOTE,
    PAD,
    PITCH,
    QUALITY,
    RHYTHM,
    ROOT,
    SIZES,
    TYPE,
)

N_ROOT, N_QUALITY = NO_ROOT + 1, NO_QUALITY + 1
# Tokens of the lowest and the highest key of a piano.
LOWEST, HIGHEST = 1 + 21, 1 + 108


@dataclass(frozen=True, slots=True)
class Form:
    """What is asked for: `kind` CHORD or NOTE, the number of bars of each sequence ``[b]``.

    A chord sequence names its chord at the start of every bar and changes on beats; sequences of
    notes have at most `notes_per_position` notes that begin together.
    """

    kind: int
    bars: Tensor
    steps_per_bar: int = 16
    notes_per_position: int = 10
    rounding: Rounding = "floor"

    @property
    def most_tokens(self) -> int:
        """Above how many tokens no sequence of this form can grow, ``begin`` left out."""
        positions = self.steps_per_bar
        if self.kind == CHORD:
            per_bar = 1 + 2 * (positions // STEPS_PER_BEAT)
        else:
            per_bar = 1 + positions * (1 + self.notes_per_position)
        return int(self.bars.max().item()) * per_bar + 1


class Writing:
    """Where each sequence of the batch stands, and what may come next.

    `bar` ``[b]`` is the bar that it is in, -1 before the first; `beat` the 16th, -1 behind a bar's
    own token; `kind` the type of the last token; `done` whether its ``end`` is written.
    """

    def __init__(self, form: Form) -> None:
        self.form = form
        device = form.bars.device
        nothing = torch.zeros_like(form.bars)
        self.bar, self.beat = nothing - 1, nothing - 1
        self.kind = nothing + BEGIN
        self.notes, self.pitch = nothing, nothing
        self.root, self.quality = nothing, nothing
        self.done = torch.zeros_like(form.bars, dtype=torch.bool)
        held = [
            [name == "type" or name in FIELDS_OF[kind] for name in FIELDS] for kind in FIELDS_OF
        ]
        # Which fields a token of each type holds, bool [types, 6].
        self.held = torch.tensor(held, device=device)
        self._numbers = {name: torch.arange(SIZES[name], device=device) for name in FIELDS}
        self._positions = self._numbers["barbeat"] - FIRST_POSITION

    def timing(self) -> Tensor:
        """The share of the piece that has passed, 0-100, as `tempo.timing_of` gives it."""
        spb = self.form.steps_per_bar
        gone = (TIMING_SIZE - 1) * (self.bar.clamp(min=0) * spb + self.beat.clamp(min=0))
        whole = self.form.bars * spb
        if self.form.rounding == "round":
            gone, whole = 2 * gone + whole, 2 * whole
        return (gone // whole).clamp(0, TIMING_SIZE - 1)

    def types(self) -> Tensor:
        """Types that may come next, bool ``[b, types]``; ``end`` also where it will mean a bar."""
        behind_bar = (self.kind == RHYTHM) & (self.beat < 0)
        behind_place = (self.kind == RHYTHM) & (self.beat >= 0)
        behind_event = (self.kind == CHORD) | (self.kind == NOTE)
        allowed = torch.zeros(
            len(self.bar), SIZES["type"], dtype=torch.bool, device=self.bar.device
        )
        if self.form.kind == CHORD:
            allowed[:, CHORD] = behind_place
            allowed[:, END] = behind_event
        else:
            room = (self.notes < self.form.notes_per_position) & (self.pitch < HIGHEST)
            allowed[:, NOTE] = behind_place | (behind_event & room)
            allowed[:, END] = behind_event | behind_bar
        allowed[:, RHYTHM] = ~behind_place
        return allowed

    def barbeats(self) -> Tensor:
        """Bar and 16ths that a rhythm token may name now, bool ``[b, barbeats]``."""
        at, beat = self._positions, self.beat[:, None]
        allowed = (at > beat) & (at < self.form.steps_per_bar) & (self.bar[:, None] >= 0)
        if self.form.kind == CHORD:
            behind_bar = (self.kind == RHYTHM)[:, None] & (beat < 0)
            allowed &= torch.where(behind_bar, at == 0, at % STEPS_PER_BEAT == 0)
            allowed[:, BAR] = (self.kind != RHYTHM) | (self.bar < 0)
        else:
            allowed[:, BAR] = True
        allowed[:, 0] = False
        return allowed

    def pitches(self) -> Tensor:
        """Keys of a piano above the last one struck on the same 16th, bool ``[b, pitches]``."""
        number = self._numbers["pitch"]
        return (number > self.pitch[:, None]) & (number >= LOWEST) & (number <= HIGHEST)

    def roots(self) -> Tensor:
        """Roots of a next chord, bool ``[b, roots]``; no chord is not followed by no chord."""
        allowed = (self._numbers["root"] > 0).expand(len(self.bar), -1).clone()
        allowed[:, N_ROOT] = ~(self._changes() & (self.root == N_ROOT))
        return allowed

    def qualities(self, root: Tensor) -> Tensor:
        """Qualities that `root` ``[b]`` can have, bool ``[b, qualities]``.

        Within a bar a chord token is a change: the chord that sounds is not named again.
        """
        number, without = self._numbers["quality"], (root == N_ROOT)[:, None]
        allowed = torch.where(without, number == N_QUALITY, (number > 0) & (number < N_QUALITY))
        same = (self._changes() & (root == self.root))[:, None] & ~without
        return allowed & ~(same & (number == self.quality[:, None]))

    def _changes(self) -> Tensor:
        return self.beat > 0

    def closed(self, token: Tensor) -> Tensor:
        """Tokens ``[b, 6]`` in which what closes a bar is what it must be here."""
        closes = (token[:, TYPE] == END) | (token[:, BARBEAT] == BAR)
        over = self.bar + 1 >= self.form.bars
        kind = torch.where(closes, torch.where(over, END, RHYTHM), token[:, TYPE])
        barbeat = torch.where(closes, torch.where(over, 0, BAR), token[:, BARBEAT])
        return torch.cat((kind[:, None], barbeat[:, None], token[:, 2:]), dim=1)

    def write(self, token: Tensor) -> None:
        """Take the next token ``[b, 6]`` of each sequence; padding changes nothing."""
        kind, barbeat = token[:, TYPE], token[:, BARBEAT]
        is_bar, is_place = barbeat == BAR, barbeat >= FIRST_POSITION
        is_note, is_chord = kind == NOTE, kind == CHORD
        self.bar = self.bar + is_bar
        self.beat = torch.where(is_place, barbeat - FIRST_POSITION, self.beat)
        self.beat = torch.where(is_bar, -1, self.beat)
        self.notes = torch.where(is_place | is_bar, 0, self.notes + is_note)
        self.pitch = torch.where(is_place | is_bar, 0, self.pitch)
        self.pitch = torch.where(is_note, token[:, PITCH], self.pitch)
        self.root = torch.where(is_chord, token[:, ROOT], self.root)
        self.quality = torch.where(is_chord, token[:, QUALITY], self.quality)
        self.kind = torch.where(kind == PAD, self.kind, kind)
        self.done = self.done | (kind == END)
