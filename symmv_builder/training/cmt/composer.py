"""CMT as a composer: what a video asks becomes controls, and words become pieces."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

import numpy as np

from symmv_builder.errors import StopRun, WrongArguments
from symmv_builder.records import Floats, Notes
from symmv_builder.training import checkpoint
from symmv_builder.training.cmt.config import KIND, CmtConfig
from symmv_builder.training.cmt.control import VIDEO_COLUMNS, Control, control_of, video_in
from symmv_builder.training.cmt.examples import song_in_score
from symmv_builder.training.cmt.model import CmtModel
from symmv_builder.training.cmt.rewriting import (
    bars_in,
    control_in,
    merged,
    score_in_piece,
    spliced,
    tempo_of,
    words_before,
)
from symmv_builder.training.cmt.sampling import BEGINNING, CmtSampling, heeded, sample
from symmv_builder.training.cmt.tokens import (
    INSTRUMENTS,
    POSITIONS,
    Ints,
    WordScore,
    score_of,
)
from symmv_builder.training.composing import (
    Composer,
    Order,
    Passage,
    Piece,
    Tell,
    WatchedVideo,
    merge,
    ordered_piece,
)
from symmv_builder.training.configs import from_plain
from symmv_builder.training.ranks import device_of
from symmv_builder.training.trainer import ComposeRequest
from symmv_builder.training.usable import UnusableRow
from symmv_builder.training.vmusprod.piece import (
    PiecePlan,
    Wish,
    arranged_piece,
    parse_key,
    plan_piece,
    shift_to,
)

_COLUMNS = ("flow_magnitude", "visual_beats")
_DRUMS = 1 + INSTRUMENTS.index("drums")
_REMEMBERED = (
    *("tempo_quantiles", "bars_quantiles", "instruments", "densities", "strengths"),
    *("flow_quantiles", "salience_quantiles", "has_video", "models"),
)


def load(run: Path, device: str) -> tuple[CmtModel, Mapping[str, Any]]:
    """Load the best model of a run, in evaluation mode, and what it remembers (`train.about`).

    `StopRun` where the folder holds no such model.
    """
    place = device_of(device)
    saved = checkpoint.read(run, KIND)
    model = CmtModel(from_plain(CmtConfig, saved.config))
    checkpoint.load_module(saved, model)
    with checkpoint.understood(saved):
        about = {name: saved.about[name] for name in _REMEMBERED}
    # Tempos come from visual beats and the corpus, none from motion (`piece.plan_piece`).
    about |= {"motion": None, "fixed_bpm": None}
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
        self._density = float(request.options["density"])
        self._control = float(request.options["control"])
        self.reads = frozenset((*VIDEO_COLUMNS, "visual_beats_tempo_bpm"))
        self.learned_from = self._about.get("models") or ()

    def check(self, order: Order) -> None:
        if order.key:
            parse_key(order.key)
        if order.passage:
            order.passage.check_model(KIND)
            if self._tempo_bpm is not None:
                raise WrongArguments("`passage` keeps the tempo of its piece: leave out `tempo`")

    def compose(self, videos: Sequence[WatchedVideo], order: Order, tell: Tell) -> Iterator[Piece]:
        if order.passage is not None:
            video = videos[0] if videos else WatchedVideo(order.passage.piece.name, {})
            for number in range(order.count):
                yield self._rewritten(video, order, order.passage, number, tell)
            return
        for place, each in enumerate(videos or [WatchedVideo("piece", {})]):
            for number in range(order.count):
                # Videos may lack the columns of motion.
                turn = order.turn_of(place, number)
                yield self._piece(each, order, order.name(each.name, number), turn, tell)

    def _piece(self, video: WatchedVideo, order: Order, name: str, turn: int, tell: Tell) -> Piece:
        seed = order.seed_of(turn)
        seconds = order.seconds or (video.seconds if video.row else None)
        shown_bpm = float(video.row.get("visual_beats_tempo_bpm", 0.0))
        tempo_bpm = self._tempo_bpm or (shown_bpm if shown_bpm > 0 else None)
        wish = Wish(seed=seed, seconds=seconds, tempo_bpm=tempo_bpm)
        plan = plan_piece(wish, self._about, POSITIONS)
        score, targets = self._written(video, order, plan, tell)
        facts = {
            "model": KIND,
            "tempo_bpm": plan.tempo_bpm,
            **self._ordered(order),
            **control_facts(targets, score),
        }
        if video.row and not any(name in video.row for name in VIDEO_COLUMNS):
            facts["said"] = f"this video has no {' or '.join(_COLUMNS)}; it gave its length alone"
        tracks = self._sounding(score, plan, order.key)
        return ordered_piece(name, tracks, plan.tempo_bpm, plan.end_s, order, turn, facts)

    def _rewritten(
        self, video: WatchedVideo, order: Order, passage: Passage, number: int, tell: Tell
    ) -> Piece:
        """Write the whole bars of a passage of an earlier piece anew (`rewriting`)."""
        piece, seed = passage.piece, order.seed_of(number)
        tempo_bpm = tempo_of(piece)
        wish = Wish(seed=seed, seconds=piece.seconds, tempo_bpm=tempo_bpm)
        plan = plan_piece(wish, self._about, POSITIONS)
        first, last = bars_in(passage, tempo_bpm, plan.bars)
        old = score_in_piece(piece.tracks, tempo_bpm, plan.bars)
        primer = words_before(old, first)
        new, asked = self._written(video, order, plan, tell, primer, last - 1)
        score = spliced(old, new, first, last)
        targets = merged(control_in(piece.facts, plan.bars), asked, first, last)
        bar_s = POSITIONS * float(plan.clock(np.array([1]))[0])
        return passage.rewritten(
            self._sounding(score, plan, key=""),
            (first * bar_s, min(last * bar_s, piece.seconds)),
            order.name(video.name, number),
            seed,
            {**self._ordered(order), **control_facts(targets, score)},
        )

    def _written(
        self,
        video: WatchedVideo,
        order: Order,
        plan: PiecePlan,
        tell: Tell,
        primer: Ints = BEGINNING,
        last_bar: int | None = None,
    ) -> tuple[WordScore, Control]:
        """Write the notes of a piece for a video; they, and what was asked of them."""
        seed = plan.seed_of(0)
        control = control_of(_video(video), plan.bars, plan.tempo_bpm, self._about)
        control = control.denser(self._density, self._about["densities"])
        [sampled] = sample(
            self._model,
            [control],
            seeds=[seed],
            instruments=self._about["instruments"],
            sampling=self._sampling(order),
            primer=primer,
            last_bar=last_bar,
            tell=lambda share: tell(round(100 * share), 100, f"notes of {video.name}"),
        )
        return score_of(sampled), heeded(control, seed, self._control)

    def _sampling(self, order: Order) -> CmtSampling:
        return CmtSampling(
            control=self._control,
            temperature=order.temperature,
            top_k=order.top_k,
            greedy=order.greedy,
        )

    def _ordered(self, order: Order) -> dict[str, Any]:
        """Say how the model was asked to write, as the JSON of a piece tells it."""
        return {
            "sampling": order.sampling(top_p=self._sampling(order).top_p),
            "control": self._control,
            "density_factor": self._density,
        }

    def _sounding(self, score: WordScore, plan: PiecePlan, key: str) -> dict[str, Notes]:
        """Give notes by instrument, in seconds, cut at the end and moved into the key."""
        songs = {
            instrument: song_in_score(score, instrument, plan.tempo_bpm)
            for instrument in self._about["instruments"]
        }
        tracks = {i: arranged_piece(song, plan).notes for i, song in songs.items()}
        pitched = merge([notes for i, notes in tracks.items() if i != _DRUMS])
        if key and len(pitched.pitches):
            shift = shift_to(self._find_key(pitched), parse_key(key))
            # Drums have no pitch that could be moved.
            songs |= {i: s.transposed(shift) for i, s in songs.items() if i != _DRUMS}
            tracks = {i: arranged_piece(song, plan).notes for i, song in songs.items()}
        return {INSTRUMENTS[i - 1]: notes for i, notes in tracks.items()}


def _video(video: WatchedVideo) -> Mapping[str, Floats]:
    try:
        return video_in(video.row)
    except UnusableRow as error:
        raise StopRun(f"no music can be written for {video.name}: {error}") from error


def control_facts(control: Control, score: WordScore) -> dict[str, Any]:
    """Tell what was asked of a piece and what it has, for its JSON.

    Densities of bars, -1 where any would do; 16ths and strengths that were asked, and how many
    notes begin on each.
    """
    places = np.flatnonzero(control.strengths)
    strengths = np.bincount(score.onsets, minlength=len(control.strengths))
    return {
        "densities_asked": control.densities.tolist(),
        "densities": score.densities().tolist(),
        "steps_asked": places.tolist(),
        "strengths_asked": control.strengths[places].tolist(),
        "strengths": strengths[places].tolist(),
    }
