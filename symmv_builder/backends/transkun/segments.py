"""A recording of any length in segments that overlap, and their notes as one.

Segments of 16 seconds follow each other every 8, the first of them half before the recording. A
symbol goes on in a segment where its last complete note of the one before ended. A note that
reaches the edge of a segment has no onset or no end there, and is joined to its other part.

Several segments may go through the network and the search at once: neither depends on the segment
before. Where a symbol goes on is asked when its path is followed, segment by segment.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from symmv_builder.backends.transkun.encoder import SegmentEncoder
from symmv_builder.backends.transkun.intervals import Interval, follow, search

_SHORTEST_S = 1e-8


@dataclass(slots=True)
class NoteEvent:
    """A note or a span of a pedal (a negative pitch), in seconds of the recording."""

    start_s: float
    end_s: float
    pitch: int
    velocity: int
    has_onset: bool
    has_end: bool


@dataclass(frozen=True, slots=True)
class _Search:
    """Contexts ``[symbols, frames, d]`` of a segment, and what the search for its notes gave."""

    context: Tensor
    ends: Tensor
    singles: Tensor


class SegmentDecoder:
    """The package's model with its own decoding taken apart; `at_once` segments are heard at once.

    More than one is for a GPU: a CPU takes as long for two together as for one and one.
    """

    def __init__(self, model: Any, at_once: int = 1) -> None:
        self._model, self._encoder, self._at_once = model, SegmentEncoder(model), at_once
        self._symbols: tuple[int, ...] = tuple(model.targetMIDIPitch)
        self._length = int(-(-model.segmentSizeInSecond * model.fs // 1))

    def transcribe(self, samples: Tensor) -> list[NoteEvent]:
        """Transcribe events of samples ``[n, channels]``, sorted by start, end and pitch."""
        model = self._model
        rate, hop = model.fs, model.hopSize
        step = -(-model.segmentHopSizeInSecond * rate // hop) * hop
        before_s = model.segmentSizeInSecond - model.segmentHopSizeInSecond
        edge = -(-before_s * rate // 1)
        sound = F.pad(samples.T, (edge, edge))
        starts = [before_s * rate // hop] * len(self._symbols)
        by_pitch: dict[int, list[NoteEvent]] = {pitch: [] for pitch in self._symbols}
        begins = range(0, sound.shape[-1], step)
        for number in range(0, len(begins), self._at_once):
            group = begins[number : number + self._at_once]
            segments = [self._segment(sound, begin) for begin in group]
            for begin, result in zip(group, self._hear(segments, min(starts)), strict=True):
                events, lasts = self._decode(result, starts)
                starts = [max(last - step // hop, 0) for last in lasts]
                for event in events:
                    event.start_s = max(event.start_s + begin / rate - before_s, 0.0)
                    event.end_s = max(event.end_s + begin / rate - before_s, event.start_s)
                    _join(by_pitch[event.pitch], event)
        return _apart(by_pitch)

    def _segment(self, sound: Tensor, begin: int) -> Tensor:
        """Cut samples ``[channels, n]`` from a place on, filled up with silence."""
        segment = sound[:, begin : begin + self._length]
        return F.pad(segment, (0, self._length - segment.shape[-1]))

    def _hear(self, segments: Sequence[Tensor], first: int) -> list[_Search | None]:
        """Run network and search, `None` for silence; paths of the first segment begin at `first`.

        The network is shown `at_once` segments, silent ones to make up the number: the shapes do
        not depend on how many are left.
        """
        # The network finds nothing in silence (a test asks it): the padding costs nothing.
        sounding = [number for number, segment in enumerate(segments) if segment.any()]
        searches: list[_Search | None] = [None] * len(segments)
        if not sounding:
            return searches
        batch = torch.stack([segments[number] for number in sounding])
        batch = F.pad(batch, (0, 0, 0, 0, 0, self._at_once - len(batch)))
        contexts = self._encoder.contexts(batch)
        # Where the paths of later segments begin is not known yet.
        first = first if self._at_once == 1 else 0
        both = search(self._model.scorer, contexts.flatten(0, 1), first)
        ends, singles = (each.view(contexts.shape[:3]) for each in both)
        for row, number in enumerate(sounding):
            searches[number] = _Search(contexts[row], ends[row], singles[row])
        return searches

    def _decode(
        self, result: _Search | None, starts: Sequence[int]
    ) -> tuple[list[NoteEvent], list[int]]:
        """Decode a segment's events, in s from its start, and each symbol's last complete end."""
        nothing: list[NoteEvent] = []
        if result is None:
            return nothing, [0] * len(self._symbols)
        paths = follow(result.ends, result.singles, starts)
        if not any(paths):
            return nothing, [0] * len(self._symbols)
        velocities, shifts, present = self._attributes(result.context, paths)
        last_frame = round(self._length / self._model.hopSize)
        frame_s = self._model.hopSize / self._model.fs
        events, lasts, number = [], [], 0
        for pitch, path in zip(self._symbols, paths, strict=True):
            end_s, last = 0.0, 0
            for first, final in path:
                start_s = max((first + shifts[number][0]) * frame_s, end_s)
                end_s = max((final + shifts[number][1]) * frame_s, start_s + _SHORTEST_S)
                # Whether it begins or ends within is only in question on the outermost frames.
                has_onset = first > 0 or present[number][0]
                has_end = final < last_frame or present[number][1]
                if has_end:
                    last = final
                events.append(
                    NoteEvent(start_s, end_s, pitch, velocities[number], has_onset, has_end)
                )
                number += 1
            lasts.append(last)
        return sorted(events, key=_by_time), lasts

    def _attributes(
        self, context: Tensor, paths: Sequence[Sequence[Interval]]
    ) -> tuple[list[int], list[list[float]], list[list[bool]]]:
        """Compute each event's velocity, and shifts of its ends in frames, if there are such."""
        rows = [(s, *interval) for s, path in enumerate(paths) for interval in path]
        symbol, first, final = torch.tensor(rows, device=context.device).T
        at_start, at_end = context[symbol, first], context[symbol, final]
        inputs = torch.cat([at_start, at_end, at_start * at_end], dim=-1)
        velocities = self._model.velocityPredictor(inputs).argmax(dim=-1)
        shifts, present = self._model.refinedOFPredictor(inputs).chunk(2, dim=-1)
        means = torch.distributions.ContinuousBernoulli(logits=shifts).mean
        shifts = ((means - 0.5) / 0.99).clamp(-0.5, 0.5)
        return velocities.tolist(), shifts.tolist(), (present > 0).tolist()


def _by_time(event: NoteEvent) -> tuple[float, float, int]:
    return event.start_s, event.end_s, event.pitch


def _join(line: list[NoteEvent], event: NoteEvent) -> None:
    """Add an event to those of its pitch; one that overlaps the last replaces it or goes on."""
    if line and event.start_s < line[-1].end_s:
        if event.has_onset:
            line[-1] = event
        else:
            line[-1].has_end = event.has_end
            line[-1].end_s = max(event.end_s, line[-1].end_s)
    elif event.has_onset:
        line.append(event)


def _apart(by_pitch: dict[int, list[NoteEvent]]) -> list[NoteEvent]:
    """List all complete events; one that the next of its pitch cuts into ends there."""
    whole = []
    for line in by_pitch.values():
        if line:
            line[-1].has_end = True
        complete = sorted((event for event in line if event.has_end), key=_by_time)
        for event, after in pairwise(complete):
            event.end_s = min(event.end_s, after.start_s)
        whole += [event for event in complete if event.start_s < event.end_s]
    return sorted(whole, key=_by_time)
