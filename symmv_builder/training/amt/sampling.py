"""Chords drawn from the model one second after another (Video2Music, section 4.1.3).

At most two equal chords and at most two silences stand in a row; where a third would follow,
it is left out of the choice, so that the next most probable chord comes in its place. Neither
END nor PAD is ever drawn: a video gets a chord for each of its seconds. Music longer than the
model's length is written in stretches, each of which begins with the half of the one before.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from symmv_builder.errors import WrongSetting
from symmv_builder.training.amt.model import ChordModel, DecodingState
from symmv_builder.training.amt.vocabulary import CHORDS, START, key_value
from symmv_builder.vocab import NO_CHORD, muvisync_id

SILENCE = muvisync_id(NO_CHORD)


@dataclass(frozen=True, slots=True)
class ChordSampling:
    """The way a chord is chosen among 157.

    `greedy` takes the most probable. Else one is drawn, after logits were divided by
    `temperature`, among the `top_k` most probable or, with `None`, all. `max_repeats` and
    `max_silences` are how many equal chords and how many ``N`` may stand in a row; `None` is
    any number, and no silences at all (0) are what the released code does.
    """

    temperature: float = 1.0
    top_k: int | None = None
    greedy: bool = False
    max_repeats: int | None = 2
    max_silences: int | None = 2
    seed: int = 0

    def __post_init__(self) -> None:
        if self.temperature <= 0:
            raise WrongSetting("temperature", self.temperature, "it has to be above 0")
        if self.top_k is not None and self.top_k < 1:
            raise WrongSetting("top_k", self.top_k, "it has to be 1 or more")
        if self.max_repeats is not None and self.max_repeats < 1:
            raise WrongSetting("max_repeats", self.max_repeats, "it has to be 1 or more")
        if self.max_silences is not None and self.max_silences < 0:
            raise WrongSetting("max_silences", self.max_silences, "it has to be 0 or more")


def sample_chords(
    model: ChordModel,
    *,
    seconds: int,
    mode: str,
    video: Tensor | None = None,
    primer: Sequence[int] = (),
    sampling: ChordSampling | None = None,
    tell: Callable[[int, int], None] = lambda done, seconds: None,
) -> list[int]:
    """Sample `seconds` chords in C major or A minor by number, the primer first.

    `video` is float32 ``[seconds, w]`` on the model's device, `None` for a model without;
    `tell` is given how many chords stand. The same seed gives the same chords. A model that
    never learned to begin (``start=first_chord``) begins on the tonic where no primer is given.
    """
    sampling = sampling or ChordSampling()
    config = model.config
    device = model.positions.device
    rng = torch.Generator().manual_seed(sampling.seed)
    key = torch.tensor([key_value(mode, config.key_flag)], device=device)
    chords = list(primer)[:seconds]
    symbol = config.start == "symbol"
    if not symbol and not chords and seconds:
        chords.append(muvisync_id("C" if mode == "major" else "A:min"))
    progress: DecodingState | None = None
    with torch.no_grad():
        while len(chords) < seconds:
            if progress is None or progress.position == config.length:
                fits = len(chords) < config.length
                first = 0 if fits else len(chords) - config.length // 2
                film = None if video is None else video[None, first : first + config.length]
                progress = model.begin(key, film)
                remaining = chords[first:]
                if symbol:
                    remaining = [chords[first - 1] if first else START, *remaining]
            else:
                remaining = chords[-1:]
            for chord in remaining:
                logits = model.step(torch.tensor([chord], device=device), progress)
            chords.append(choose(logits[0].float().cpu(), chords, sampling, rng))
            tell(len(chords), seconds)
    return chords


def choose(
    logits: Tensor, chords: Sequence[int], sampling: ChordSampling, rng: torch.Generator
) -> int:
    """Choose the chord that follows on `chords`, out of logits ``[159]`` on the CPU."""
    scores = logits[:CHORDS].double()
    scores[sorted(barred(chords, sampling))] = float("-inf")
    # Stable: of equally probable chords the first ones are kept, and never more than `top_k`.
    order = scores.sort(descending=True, stable=True).indices
    if sampling.greedy:
        return int(order[0])
    if sampling.top_k is not None:
        scores[order[sampling.top_k :]] = float("-inf")
    odds = torch.softmax(scores / sampling.temperature, dim=0)
    return int(torch.multinomial(odds, 1, generator=rng))


def barred(chords: Sequence[int], sampling: ChordSampling) -> set[int]:
    """Mark chords that would break a limit if they followed."""
    tokens: set[int] = set()
    limit = sampling.max_repeats
    if limit is not None and len(chords) >= limit and len(set(chords[-limit:])) == 1:
        tokens.add(chords[-1])
    quiet = sampling.max_silences
    if quiet is not None and len(chords) >= quiet:
        last = chords[len(chords) - quiet :]
        if all(chord == SILENCE for chord in last):
            tokens.add(SILENCE)
    return tokens
