"""A recording of any length in segments that overlap, and their notes as one.

Segments of 16 seconds follow each other every 8, the first of them half before the recording. A
symbol goes on in a segment where its last complete note of the one before ended. A note that
reaches the edge of a segment has no onset or no end there, and is joined to its other part.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from symmv_builder.backends.transkun.encoder import SegmentEncoder
from symmv_builder.backends.transkun.intervals import Interval, best_intervals

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


class SegmentDecoder:
    """The package's model with its own decoding taken apart."""

    def __init__(self, model: Any) -> None:
        self._model, self._encoder = model, SegmentEncoder(model)
        self._symbols: tuple[int, ...] = tuple(model.targetMIDIPitch)

    def transcribe(self, samples: Tensor) -> list[NoteEvent]:
        """Transcribe events of samples ``[n, channels]``, sorted by start, end and pitch."""
        model = self._model
        rate, hop = model.fs, model.hopSize
        length = -(-model.segmentSizeInSecond * rate // 1)
        step = -(-model.segmentHopSizeInSecond * rate // hop) * hop
        before_s = model.segmentSizeInSecond - model.segmentHopSizeInSecond
        edge = -(-before_s * rate // 1)
        sound = F.pad(samples.T, (edge, edge))
        starts = [before_s * rate // hop] * len(self._symbols)
        by_pitch: dict[int, list[NoteEvent]] = {pitch: [] for pitch in self._symbols}
        for begin in range(0, sound.shape[-1], step):
            segment = sound[:, begin : begin + length]
            segment = F.pad(segment, (0, length - segment.shape[-1]))
            events, lasts = self._decode(segment, starts)
            starts = [max(last - step // hop, 0) for last in lasts]
            for event in events:
                event.start_s = max(event.start_s + begin / rate - before_s, 0.0)
                event.end_s = max(event.end_s + begin / rate - before_s, event.start_s)
                _join(by_pitch[event.pitch], event)
        return _apart(by_pitch)

    def _decode(self, segment: Tensor, starts: Sequence[int]) -> tuple[list[NoteEvent], list[int]]:
        """Decode a segment's events, in s from its start, and each symbol's last complete end."""
        nothing: list[NoteEvent] = []
        # The network finds nothing in silence (a test asks it): the padding costs nothing.
        if not segment.any():
            return nothing, [0] * len(self._symbols)
        context = self._encoder.context(segment)
        paths = best_intervals(self._model.scorer, context, starts)
        if not any(paths):
            return nothing, [0] * len(self._symbols)
        velocities, shifts, present = self._attributes(context, paths)
        last_frame = round(segment.shape[-1] / self._model.hopSize)
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
