"""Which word may follow which, for a batch of pieces that are written at once.

A bar's word is followed by that of one of its 16ths, or by the next bar; the word of a 16th by a
note; a note by higher notes of the same simu-note, by a later 16th, by the same 16th of a later
instrument, or by the next bar. As the number of bars is asked for, ``end`` and "next bar" both
mean that a bar is over, and ``end`` is written after the last bar and nowhere else.
"""

import torch
from torch import Tensor

from symmv_builder.training.cmt.tokens import (
    BAR,
    BARBEAT,
    BEGIN,
    DENSITY,
    DURATION,
    END,
    FIRST_POSITION,
    INSTRUMENT,
    MOST_NOTES,
    NOTE,
    PAD,
    PITCH,
    POSITIONS,
    RHYTHM,
    SIZES,
    STRENGTH,
    TYPE,
)
from symmv_builder.training.vmusprod.grammar import HIGHEST, LOWEST
from symmv_builder.training.vmusprod.tempo import TIMING_SIZE, Rounding


class WordWriting:
    """The state of each piece of a batch, and what may come next; every field is ``[b]``.

    `bar` is -1 before the first, `beat` the 16th in it and -1 behind a bar's own word, `onsets`
    on how many 16ths of the bar notes begin already. `instruments` ``[6]`` says which the model
    knows. A simu-note has 20 notes at most, whatever its strength says.
    """

    def __init__(self, bars: Tensor, instruments: Tensor, rounding: Rounding) -> None:
        nothing = torch.zeros_like(bars)
        self.bars, self.rounding = bars, rounding
        self.bar, self.beat = nothing - 1, nothing - 1
        self.kind = nothing + BEGIN
        self.instrument, self.pitch, self.notes = nothing, nothing, nothing
        self.density, self.onsets = nothing, nothing
        self.done = torch.zeros_like(bars, dtype=torch.bool)
        self._instruments = instruments
        self._last = int(instruments.nonzero().max())
        device = bars.device
        self._number = {name: torch.arange(size, device=device) for name, size in SIZES.items()}

    @property
    def steps(self) -> Tensor:
        """16ths from the first bar."""
        return self.bar.clamp(min=0) * POSITIONS + self.beat.clamp(min=0)

    def timing(self) -> Tensor:
        """Compute the share of the piece that has passed, 0-100, as `tempo.timing_of` gives it."""
        passed, whole = (TIMING_SIZE - 1) * self.steps, self.bars * POSITIONS
        if self.rounding == "round":
            passed, whole = 2 * passed + whole, 2 * whole
        return (passed // whole).clamp(0, TIMING_SIZE - 1)

    def types(self) -> Tensor:
        """Mark types that may come next, bool ``[b, 5]``; ``end`` also where it will mean a bar."""
        behind_bar = (self.kind == RHYTHM) & (self.beat < 0)
        behind_place = (self.kind == RHYTHM) & (self.beat >= 0)
        behind_note = self.kind == NOTE
        room = (self.pitch < HIGHEST) & (self.notes < MOST_NOTES)
        allowed = torch.zeros(len(self.bars), SIZES["type"], dtype=torch.bool)
        allowed = allowed.to(self.bars.device)
        allowed[:, RHYTHM] = ~behind_place
        allowed[:, NOTE] = behind_place | (behind_note & room)
        allowed[:, END] = behind_bar | behind_note
        return allowed

    def barbeats(self) -> Tensor:
        """Mark bar and 16ths that a rhythm word may name, bool ``[b, 18]``."""
        at = self._number["barbeat"] - FIRST_POSITION
        more = (self.kind == NOTE) & (self.instrument < self._last)
        allowed = (at > self.beat[:, None]) | ((at == self.beat[:, None]) & more[:, None])
        allowed &= (at >= 0) & (self.bar >= 0)[:, None]
        allowed[:, BAR] = True
        return allowed

    def instruments(self, barbeat: Tensor) -> Tensor:
        """Instruments of a word that names `barbeat` ``[b]``, bool ``[b, 6]``."""
        again = barbeat - FIRST_POSITION == self.beat
        after = torch.where(again, self.instrument, 0)[:, None]
        return self._instruments & (self._number["instrument"] > after)

    def pitches(self) -> Tensor:
        """Mark keys of a piano above the last one of the simu-note, bool ``[b, 129]``."""
        number = self._number["pitch"]
        return (number > self.pitch[:, None]) & (number >= LOWEST) & (number <= HIGHEST)

    def some(self, name: str) -> Tensor:
        """Mark all values of a field but "none", bool ``[size]``."""
        return self._number[name] > 0

    def lawful(self, token: Tensor) -> Tensor:
        """Complete words ``[b, 7]`` with what follows from where they stand.

        What closes a bar is ``end`` or the next bar, and the density of a 16th counts down.
        """
        token = token.clone()
        closes = (token[:, TYPE] == END) | (token[:, BARBEAT] == BAR)
        over = self.bar + 1 >= self.bars
        token[:, TYPE] = torch.where(closes, torch.where(over, END, RHYTHM), token[:, TYPE])
        token[:, BARBEAT] = torch.where(closes, torch.where(over, 0, BAR), token[:, BARBEAT])
        is_bar = token[:, BARBEAT] == BAR
        is_place = token[:, BARBEAT] >= FIRST_POSITION
        new = token[:, BARBEAT] - FIRST_POSITION != self.beat
        to_come = (self.density - self.onsets - new.long()).clamp(min=0)
        token[:, DENSITY] = torch.where(is_place, to_come + 1, token[:, DENSITY] * is_bar)
        token[:, [STRENGTH, INSTRUMENT]] *= is_place[:, None]
        token[:, [PITCH, DURATION]] *= (token[:, TYPE] == NOTE)[:, None]
        return token

    def write(self, token: Tensor) -> None:
        """Take the next word of each piece; padding changes nothing."""
        kind, barbeat = token[:, TYPE], token[:, BARBEAT]
        is_bar, is_place, is_note = barbeat == BAR, barbeat >= FIRST_POSITION, kind == NOTE
        new = is_place & (barbeat - FIRST_POSITION != self.beat)
        self.bar = self.bar + is_bar
        self.onsets = torch.where(is_bar, 0, self.onsets + new)
        self.density = torch.where(is_bar, token[:, DENSITY] - 1, self.density)
        self.beat = torch.where(is_place, barbeat - FIRST_POSITION, self.beat)
        self.beat = torch.where(is_bar, -1, self.beat)
        self.instrument = torch.where(is_place, token[:, INSTRUMENT], self.instrument)
        self.instrument = torch.where(is_bar, 0, self.instrument)
        self.notes = torch.where(is_bar | is_place, 0, self.notes + is_note)
        self.pitch = torch.where(is_bar | is_place, 0, self.pitch)
        self.pitch = torch.where(is_note, token[:, PITCH], self.pitch)
        self.kind = torch.where(kind == PAD, self.kind, kind)
        self.done = self.done | (kind == END)
