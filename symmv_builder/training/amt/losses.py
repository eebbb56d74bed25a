"""What the Affective Multimodal Transformer minimises (Video2Music, section 4.1.4).

Equation 5: lambda x cross-entropy of the chord + (1 - lambda) x emotion matching, the binary
cross-entropy between all 159 logits and the chords that suit the picture's strongest
feeling (equation 7, Table 1). Both are means over positions that exist: padding counts in
neither, and the end of a song, which no picture belongs to, not in the second.
"""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional

from symmv_builder.training.amt.vocabulary import PAD

NO_EMOTION = -1


@dataclass(frozen=True, slots=True)
class LossSums:
    """Sums over positions and how many there were; scalars that gradients flow through."""

    chord: Tensor
    chords: Tensor
    emotion: Tensor
    emotions: Tensor

    def total(self, weight: float, chords: Tensor, emotions: Tensor) -> Tensor:
        """Equation 5 where `chords` and `emotions` positions make the means."""
        chord = self.chord / chords.clamp(min=1)
        return weight * chord + (1 - weight) * self.emotion / emotions.clamp(min=1)


def sum_losses(logits: Tensor, targets: Tensor, emotions: Tensor, table: Tensor) -> LossSums:
    """Sum both losses of ``logits [b, t, 159]`` in float32.

    `targets` ``[b, t]`` are chords, END or PAD. `emotions` ``[b, t]`` are rows of `table`
    (bool ``[6, 159]``), `NO_EMOTION` where nothing is asked; so it is wherever PAD stands.
    """
    logits = logits.float()
    chord = functional.cross_entropy(
        logits.flatten(0, 1), targets.flatten(), ignore_index=PAD, reduction="sum"
    )
    real = targets != PAD
    felt = real & (emotions != NO_EMOTION)
    suits = table[emotions.clamp(min=0)].to(logits.dtype)
    each = functional.binary_cross_entropy_with_logits(logits, suits, reduction="none").mean(-1)
    emotion = each.masked_fill(~felt, 0.0).sum()
    return LossSums(chord, real.sum(), emotion, felt.sum())
