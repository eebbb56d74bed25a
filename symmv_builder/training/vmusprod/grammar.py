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
    """The form of the sequences to write: `kind` CHORD or NOTE, and each one's bars ``[b]``.

    A chord sequence names its chord at the start of every bar and changes on beats; sequences of
    notes have at most `notes_per_position` notes that begin together. One of them lies on
    a 16th of the first bar up to `first_by` ``[b]``; where it is -1, and by default, none has to.
    """

    kind: int
    bars: Tensor
    steps_per_bar: int = 16
    notes_per_position: int = 10
    rounding: Rounding = "floor"
    first_by: Tensor | None = None

    @property
    def most_tokens(self) -> int:
        """Bound the number of tokens of any sequence of this form, ``begin`` left out."""
        positions = self.steps_per_bar
        if self.kind == CHORD:
            per_bar = 1 + 2 * (positions // STEPS_PER_BEAT)
        else:
            per_bar = 1 + positions * (1 + self.notes_per_position)
        return int(self.bars.max().item()) * per_bar + 1


class Writing:
    """The state of each sequence of a batch, and what may come next.

    `bar` ``[b]`` is the bar that it is in, -1 before the first; `beat` the 16th, -1 behind a bar's
    own token; `kind` the type of the last token; `done` whether its ``end`` is written. What may
    come next is looked up in tables that are made once, one of each field.
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
        # Up to which 16th of their first bar sequences still lack a note, -1 where they do not.
        self.first_by = nothing - 1 if form.first_by is None else form.first_by
        self._places = torch.arange(SIZES["barbeat"], device=device) - FIRST_POSITION
        starts = [
            [name == "type" or name in FIELDS_OF[kind] for name in FIELDS] for kind in FIELDS_OF
        ]
        # Which fields a token of each type holds, bool [types, 6].
        self.has_field = torch.tensor(starts, device=device)
        self._types = _types(form.kind).to(device)
        self._barbeats = _barbeats(form).to(device)
        number = torch.arange(SIZES["pitch"])
        above = (number > number[:, None]) & (number >= LOWEST) & (number <= HIGHEST)
        self._pitches = above.to(device)
        self._roots, self._qualities = (table.to(device) for table in _chords())

    def timing(self) -> Tensor:
        """Compute the share of the piece that has passed, 0-100, as `tempo.timing_of` gives it."""
        spb = self.form.steps_per_bar
        passed = (TIMING_SIZE - 1) * (self.bar.clamp(min=0) * spb + self.beat.clamp(min=0))
        whole = self.form.bars * spb
        if self.form.rounding == "round":
            passed, whole = 2 * passed + whole, 2 * whole
        return (passed // whole).clamp(0, TIMING_SIZE - 1)

    def types(self) -> Tensor:
        """Mark types that may come next, bool ``[b, types]``.

        ``end`` also where it will mean a bar.
        """
        room = (self.notes < self.form.notes_per_position) & (self.pitch < HIGHEST)
        allowed = self._types[self.kind, (self.beat < 0).long(), room.long()]
        allowed[:, END] &= ~self._lacks_note()
        return allowed

    def barbeats(self) -> Tensor:
        """Mark bar and 16ths that a rhythm token may name now, bool ``[b, barbeats]``."""
        allowed = self._barbeats[self.kind, self.beat + 1, (self.bar < 0).long()]
        in_time = (self._places >= 0) & (self._places <= self.first_by[:, None])
        return allowed & (in_time | ~self._lacks_note()[:, None])

    def pitches(self) -> Tensor:
        """Mark piano keys above the last one struck on the same 16th, bool ``[b, pitches]``."""
        return self._pitches[self.pitch]

    def roots(self) -> Tensor:
        """Roots of a next chord, bool ``[b, roots]``; no chord is not followed by no chord."""
        return self._roots[(self._changes() & (self.root == N_ROOT)).long()]

    def qualities(self, root: Tensor) -> Tensor:
        """Qualities that `root` ``[b]`` can have, bool ``[b, qualities]``.

        Within a bar a chord token is a change: the chord that sounds is not named again.
        """
        same = self._changes() & (root == self.root)
        return self._qualities[(root == N_ROOT).long(), torch.where(same, self.quality, 0)]

    def _changes(self) -> Tensor:
        return self.beat > 0

    def _lacks_note(self) -> Tensor:
        return (self.first_by >= 0) & (self.bar == 0)

    def closed(self, token: Tensor) -> Tensor:
        """Replace tokens ``[b, 6]`` that close a bar: by ``end`` after the last bar, else a bar."""
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
        self.first_by = torch.where(is_note, -1, self.first_by)


def _types(of: int) -> Tensor:
    """Mark types that may follow on a type, bool ``[types, 2, 2, types]``.

    The second axis says whether that type stands behind a bar's own token, the third whether
    there is room for another note.
    """
    kinds = torch.arange(SIZES["type"])[:, None, None]
    behind_own, room = torch.tensor([False, True])[:, None], torch.tensor([False, True])
    behind_bar, behind_place = (kinds == RHYTHM) & behind_own, (kinds == RHYTHM) & ~behind_own
    behind_event = (kinds == CHORD) | (kinds == NOTE)
    allowed = torch.zeros(SIZES["type"], 2, 2, SIZES["type"], dtype=torch.bool)
    if of == CHORD:
        allowed[..., CHORD] = behind_place
        allowed[..., END] = behind_event
    else:
        allowed[..., NOTE] = behind_place | (behind_event & room)
        allowed[..., END] = behind_event | behind_bar
    allowed[..., RHYTHM] = ~behind_place
    return allowed


def _barbeats(form: Form) -> Tensor:
    """Mark bar and 16ths that may follow on a type, bool ``[types, 17, 2, barbeats]``.

    The second axis is the 16th of that type plus one, the third whether it is before the first bar.
    """
    kinds = torch.arange(SIZES["type"])[:, None, None, None]
    beats = (torch.arange(form.steps_per_bar + 1) - 1)[:, None, None]
    before_first = torch.tensor([False, True])[:, None]
    at = torch.arange(SIZES["barbeat"]) - FIRST_POSITION
    allowed = (at > beats) & (at < form.steps_per_bar) & ~before_first
    allowed = allowed.expand(SIZES["type"], -1, -1, -1).clone()
    if form.kind == CHORD:
        behind_bar = (kinds == RHYTHM) & (beats < 0)
        allowed &= torch.where(behind_bar, at == 0, at % STEPS_PER_BEAT == 0)
        allowed[..., BAR] = ((kinds != RHYTHM) | before_first)[..., 0]
    else:
        allowed[..., BAR] = True
    allowed[..., 0] = False
    return allowed


def _chords() -> tuple[Tensor, Tensor]:
    """Roots, where no chord sounds already or not: bool ``[2, roots]``.

    Qualities, of a root or of no chord, all but the one that sounds (0: none does): bool ``[2,
    qualities, qualities]``.
    """
    roots = (torch.arange(SIZES["root"]) > 0).repeat(2, 1)
    roots[1, N_ROOT] = False
    number = torch.arange(SIZES["quality"])
    named = (number > 0) & (number < N_QUALITY) & (number != number[:, None])
    nothing = (number == N_QUALITY).expand(len(number), -1)
    return roots, torch.stack((named, nothing))
