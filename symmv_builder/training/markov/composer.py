"""Markov chains as a composer: pieces of the length and tempo that are asked for."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from symmv_builder.errors import StopRun
from symmv_builder.training import checkpoint
from symmv_builder.training.composing import (
    Composer,
    Order,
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

_STEPS_PER_BAR = 16


def load(run: Path) -> tuple[Chains, Mapping[str, Any], float]:
    """The chains of a run, what it remembers of its songs, and its smoothing; `StopRun` where
    there are none."""
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
        self._tempo_bpm: float | None = request.options["tempo"]
        self.learned_from = self._about["models"] or ()

    def check(self, order: Order) -> None:
        if order.key:
            parse_key(order.key)
        if order.primer:
            raise StopRun("chains begin with a chord of their own; a primer changes nothing")

    def compose(self, seen: Sequence[WatchedVideo], order: Order, tell: Tell) -> Iterator[Piece]:
        key = parse_key(order.key) if order.key else None
        for each in seen or [WatchedVideo("piece", {})]:
            seconds = order.seconds or (each.seconds if each.row else None)
            for number in range(order.count):
                seed = order.seed_of(number)
                wish = Wish(seed=seed, seconds=seconds, tempo_bpm=self._tempo_bpm)
                plan = plan_piece(wish, self._about, _STEPS_PER_BAR)
                song = self._chains.compose(plan.bars, plan.tempo_bpm, plan.seed_of(0))
                arranged = arranged_piece(song, plan, key, self._find_key)
                facts = {
                    "model": KIND,
                    "sampling": {"method": "chains"},
                    "tempo_bpm": arranged.tempo_bpm,
                }
                tracks = {"melody": arranged.melody, "accompaniment": arranged.accompaniment}
                name = order.name(each.name, number)
                tell(100, 100, f"percent of {name}")
                yield ordered_piece(
                    name, tracks, arranged.tempo_bpm, arranged.duration_s, order, number, facts
                )
