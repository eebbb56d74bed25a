"""Markov chains as a composer: pieces of the length and tempo that are asked for."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from symmv_builder.errors import StopRun, WrongArguments
from symmv_builder.training import checkpoint
from symmv_builder.training.composing import (
    Composer,
    Order,
    Passage,
    Piece,
    Tell,
    WatchedVideo,
    ordered_piece,
)
from symmv_builder.training.markov.chains import Chains
from symmv_builder.training.markov.config import KIND
from symmv_builder.training.markov.train import Counts
from symmv_builder.training.trainer import ComposeRequest
from symmv_builder.training.vmusprod.piece import Wish, arranged_piece, parse_key, plan_piece
from symmv_builder.training.vmusprod.songs import shift_to_white_keys

_STEPS_PER_BAR = 16


def load(run: Path) -> tuple[Chains, Mapping[str, Any], float]:
    """Load the chains of a run, what it remembers of its songs, and its smoothing.

    `StopRun` where there are none.
    """
    saved = checkpoint.read(run, KIND)
    counts = Counts()
    checkpoint.load_module(saved, counts)
    with checkpoint.understood(saved):
        names = ("tempo_quantiles", "bars_quantiles", "motion", "fixed_bpm", "models")
        about = {name: saved.about[name] for name in names}
        smoothing = float(saved.config["smoothing"])
    if not bool((counts.counts >= 0).all()) or not bool(counts.counts.any()):
        raise StopRun(f"{saved.folder} holds no counts of songs")
    return Chains(counts.counts.numpy()), about, smoothing


@final
class MarkovComposer(Composer):
    """Melody and accompaniment by chance; of a video they take its length alone.

    The option `tempo` is beats a minute, by default one of those that were counted.
    """

    dataset = "symmv"
    needs_video = False
    reads: frozenset[str] = frozenset()

    def __init__(self, request: ComposeRequest) -> None:
        self._chains, self._about, _ = load(request.run)
        self._find_key = request.find_key
        self._density = float(request.options["density"])
        self._tempo_bpm: float | None = request.options["tempo"]
        self.learned_from = self._about["models"] or ()

    def check(self, order: Order) -> None:
        if order.key:
            parse_key(order.key)

        if order.passage:
            order.passage.check_model(KIND)
            if self._tempo_bpm is not None:
                raise WrongArguments("`passage` keeps the tempo of its piece: leave out `tempo`")

    def compose(self, videos: Sequence[WatchedVideo], order: Order, tell: Tell) -> Iterator[Piece]:
        if order.passage is not None:
            base = videos[0].name if videos else order.passage.piece.name
            for number in range(order.count):
                yield self._rewritten(base, order, order.passage, number)
            return
        key = parse_key(order.key) if order.key else None
        for place, each in enumerate(videos or [WatchedVideo("piece", {})]):
            seconds = order.seconds or (each.seconds if each.row else None)
            for number in range(order.count):
                turn = order.turn_of(place, number)
                seed = order.seed_of(turn)
                wish = Wish(seed=seed, seconds=seconds, tempo_bpm=self._tempo_bpm)
                plan = plan_piece(wish, self._about, _STEPS_PER_BAR)
                song = self._chains.compose(
                    plan.bars, plan.tempo_bpm, plan.seed_of(0), self._density
                )
                arranged = arranged_piece(song, plan, key, self._find_key)
                facts = {
                    "model": KIND,
                    "sampling": {"method": "chains"},
                    "tempo_bpm": arranged.tempo_bpm,
                    "density_factor": self._density,
                }
                tracks = {"melody": arranged.melody, "accompaniment": arranged.accompaniment}
                name = order.name(each.name, number)
                tell(100, 100, f"notes of {name}")
                yield ordered_piece(
                    name, tracks, arranged.tempo_bpm, arranged.duration_s, order, turn, facts
                )

    def _rewritten(self, base: str, order: Order, passage: Passage, number: int) -> Piece:
        """Rewrite a passage of an earlier piece by another piece of its tempo, in its scale.

        Chains know nothing but what is next, so that any stretch of theirs follows on any other.
        """
        piece, seed = passage.piece, order.seed_of(number)
        wish = Wish(seed=seed, seconds=piece.seconds, tempo_bpm=piece.tempo_bpm)
        plan = plan_piece(wish, self._about, _STEPS_PER_BAR)
        beat_s = 60.0 / plan.tempo_bpm
        first, last = (
            math.ceil(passage.start_s / beat_s - 1e-2),
            math.floor(passage.end_s / beat_s + 1e-2),
        )
        if last <= first:
            raise passage.none_within("beat")
        song = self._chains.compose(plan.bars, plan.tempo_bpm, plan.seed_of(0), self._density)
        # Chains write on white keys.
        song = song.transposed(-shift_to_white_keys(piece.notes.pitches))
        new = arranged_piece(song, plan)
        tracks = {"melody": new.melody, "accompaniment": new.accompaniment}
        within_s = first * beat_s, min(last * beat_s, piece.seconds)
        facts = {"density_factor": self._density}
        return passage.rewritten(tracks, within_s, order.name(base, number), seed, facts)
