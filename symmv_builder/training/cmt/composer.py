"""CMT as a composer: what a video asks becomes controls, and words become pieces."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from symmv_builder.errors import StopRun
from symmv_builder.training import checkpoint
from symmv_builder.training.cmt.config import KIND, CmtConfig
from symmv_builder.training.cmt.control import Control, control_of
from symmv_builder.training.cmt.examples import VIDEO_COLUMNS, song_in_score
from symmv_builder.training.cmt.model import CmtModel
from symmv_builder.training.cmt.sampling import Sampling, heeded, sample
from symmv_builder.training.cmt.tokens import INSTRUMENTS, POSITIONS, Score, score_of
from symmv_builder.training.composing import (
    Composer,
    Order,
    Piece,
    Seen,
    Tell,
    merge,
    ordered_piece,
)
from symmv_builder.training.configs import from_plain
from symmv_builder.training.ranks import device_of
from symmv_builder.training.trainer import ComposeRequest
from symmv_builder.training.vmusprod.piece import parse_key, shift_to
from symmv_builder.training.vmusprod.sounding import cut, notes_of_song, struck_once
from symmv_builder.training.vmusprod.tempo import STEPS_PER_BEAT, draw_tempo, steady

_TEMPO = 0
_DRUMS = 1 + INSTRUMENTS.index("drums")
_REMEMBERED = (
    *("tempo_quantiles", "bars_quantiles", "instruments", "densities", "strengths"),
    *("flow_quantiles", "salience_quantiles", "has_video", "models"),
)
# A bar is not begun for less than a thousandth of itself.
_LEAST_OF_A_BAR = 1e-3


def load(run: Path, device: str) -> tuple[CmtModel, Mapping[str, Any]]:
    """The best model of a run, in evaluation mode, and what it remembers (`train.about`).

    `StopRun` where the folder holds no such model.
    """
    place = device_of(device)
    held = checkpoint.read(run, KIND)
    model = CmtModel(from_plain(CmtConfig, held.config))
    checkpoint.load_module(held, model)
    with checkpoint.understood(held):
        about = {name: held.about[name] for name in _REMEMBERED}
    return model.to(place).eval(), about


@final
class CmtComposer(Composer):
    """All instruments that the model learned from, by the columns of the recipe `cmt`.

    The option `control` is how often what a video asks is heeded, `tempo` beats a minute, by
    default that of the visual beats, else one of those that were learned from.
    """

    dataset = "cmt"
    needs_video = False

    def __init__(self, request: ComposeRequest) -> None:
        self._model, self._about = load(request.run, request.device)
        self._find_key = request.find_key
        self._tempo_bpm: float | None = request.options["tempo"]
        self._control = float(request.options["control"])
        self.reads = frozenset((*VIDEO_COLUMNS, "visual_beats_tempo_bpm"))
        self.learned_from = self._about.get("models") or ()

    def check(self, order: Order) -> None:
        if order.key:
            parse_key(order.key)
        if order.primer:
            raise StopRun("CMT writes no chords, so no primer can begin its music")

    def compose(self, seen: Sequence[Seen], order: Order, tell: Tell) -> Iterator[Piece]:
        for each in seen or [Seen("piece", {})]:
            for number in range(order.count):
                yield self._piece(each, order, number, tell)

    def _piece(self, seen: Seen, order: Order, number: int, tell: Tell) -> Piece:
        seed = order.seed_of(number)
        rng = np.random.default_rng([_TEMPO, seed])
        tempo_bpm = self._tempo(seen.row, rng)
        bar_s = POSITIONS / STEPS_PER_BEAT * 60.0 / tempo_bpm
        bars, seconds = self._length(seen, order, bar_s, rng)
        control = control_of(seen.row, bars, tempo_bpm, self._about)
        sampling = Sampling(
            control=self._control,
            temperature=order.temperature,
            top_k=order.top_k,
            greedy=order.greedy,
        )
        [written] = sample(
            self._model,
            [control],
            seeds=[seed],
            instruments=self._about["instruments"],
            sampling=sampling,
            tell=lambda share: tell(round(100 * share), 100, f"percent of {seen.name}"),
        )
        score = score_of(written)
        facts = {
            "model": KIND,
            "sampling": order.sampling(top_p=sampling.top_p),
            "tempo_bpm": tempo_bpm,
            "control": self._control,
            **control_facts(heeded(control, seed, self._control), score),
        }
        if seen.row and (control.densities < 0).all() and not control.strengths.any():
            facts["said"] = (
                "this video has no column flow_magnitude or visual_beats; the music took its "
                "length alone"
            )
        tracks = self._sounding(score, tempo_bpm, seconds, order.key)
        name = order.name(seen.name, number)
        return ordered_piece(name, tracks, tempo_bpm, seconds, order, number, facts)

    def _tempo(self, row: Mapping[str, Any], rng: np.random.Generator) -> float:
        seen_bpm = float(row.get("visual_beats_tempo_bpm", 0.0))
        known = self._tempo_bpm or seen_bpm
        return known if known > 0 else draw_tempo(self._about["tempo_quantiles"], rng)

    def _length(
        self, seen: Seen, order: Order, bar_s: float, rng: np.random.Generator
    ) -> tuple[int, float]:
        """Bars and seconds: those asked for, the video's, or those of what was learned from."""
        seconds = order.seconds or (seen.seconds if seen.row else None)
        if seconds is None:
            bars = max(1, round(draw_tempo(self._about["bars_quantiles"], rng)))
            return bars, bars * bar_s
        return max(1, math.ceil(seconds / bar_s - _LEAST_OF_A_BAR)), seconds

    def _sounding(self, score: Score, tempo_bpm: float, seconds: float, key: str) -> dict[str, Any]:
        """Notes by instrument, in seconds, cut at the end and moved into the key."""
        clock = steady(tempo_bpm)
        found = self._about["instruments"]
        songs = {i: song_in_score(score, i, tempo_bpm) for i in found}
        tracks = {i: notes_of_song(struck_once(song), clock)[1] for i, song in songs.items()}
        heard = merge(list(tracks.values()))
        if key and len(heard.pitches):
            shift = shift_to(self._find_key(heard), parse_key(key))
            # Drums have no pitch that could be moved.
            songs = {i: s if i == _DRUMS else s.transposed(shift) for i, s in songs.items()}
            tracks = {i: notes_of_song(struck_once(s), clock)[1] for i, s in songs.items()}
        shortest_s = 0.5 * 60.0 / tempo_bpm / STEPS_PER_BEAT
        return {
            INSTRUMENTS[i - 1]: cut(notes, seconds, shortest_s=shortest_s)
            for i, notes in tracks.items()
        }


def control_facts(control: Control, score: Score) -> dict[str, Any]:
    """What was asked of a piece and what it has, as its JSON tells it.

    Densities of bars, -1 where any would do; 16ths and strengths that were asked, and how many
    notes begin on each.
    """
    asked = np.flatnonzero(control.strengths)
    strengths = np.bincount(score.onsets, minlength=len(control.strengths))
    return {
        "densities_asked": control.densities.tolist(),
        "densities": score.densities().tolist(),
        "steps_asked": asked.tolist(),
        "strengths_asked": control.strengths[asked].tolist(),
        "strengths": strengths[asked].tolist(),
    }
