"""V-MusProd as a composer: orders become wishes, compositions become pieces."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, final

import numpy as np

from symmv_builder.errors import WrongArguments
from symmv_builder.records import Chords
from symmv_builder.training.composing import (
    Composer,
    Order,
    Passage,
    Piece,
    Tell,
    WatchedVideo,
    ordered_piece,
)
from symmv_builder.training.trainer import ComposeRequest
from symmv_builder.training.vmusprod import compose
from symmv_builder.training.vmusprod.following import ON_LINE_S, TempoMap, VideoTiming, distances
from symmv_builder.training.vmusprod.piece import Wish, parse_key, parse_primer
from symmv_builder.training.vmusprod.rewriting import rewrite
from symmv_builder.training.vmusprod.sampling import TokenSampling
from symmv_builder.training.vmusprod.tokens import FIELDS

_MODEL = "vmusprod"
_BEATS_PER_BAR = 4
# How many pieces are written side by side: what is written is kept when a run is stopped.
_AT_ONCE = 32
# What the music goes by, whatever its model sees: none of it takes weights.
_FOLLOWED = frozenset({"motion", "scenes_starts_s"})


@final
class VMusProdComposer(Composer):
    """Melody and accompaniment, by the columns of SymMV.

    With the option `follow` bar lines meet the cuts of the video, its scenes change the loudness
    and the piece ends on its tonic. `tempo` is beats a minute, by default what the motion says.
    """

    dataset = "symmv"

    def __init__(self, request: ComposeRequest) -> None:
        self._models = compose.load(request.run, request.device)
        self._find_key = request.find_key
        self._tempo_bpm: float | None = request.options["tempo"]
        self._density = float(request.options["density"])
        self._follows = bool(request.options["follow"])
        self.needs_video = self._models.for_video
        self.reads = _FOLLOWED | self._models.features
        self.learned_from = self._models.about.get("models") or ()

    def check(self, order: Order) -> None:
        if order.key and order.primer:
            raise WrongArguments(
                "the chords of `primer` say the key themselves: leave out `key`, or `primer`"
            )
        if order.key:
            parse_key(order.key)
        if order.primer:
            parse_primer(order.primer)
        if order.passage:
            order.passage.check_model(_MODEL)
            if self._tempo_bpm is not None:
                raise WrongArguments("`passage` keeps the tempo of its piece: leave out `tempo`")

    def compose(self, videos: Sequence[WatchedVideo], order: Order, tell: Tell) -> Iterator[Piece]:
        if order.passage is not None:
            yield from self._rewritten(videos, order, order.passage, tell)
            return
        key = parse_key(order.key) if order.key else None
        plans = [
            Wish(
                seconds=order.seconds or each.seconds,
                tempo_bpm=self._tempo_bpm,
                video=_arrays(each.row) if self.needs_video else None,
                shown=_shown(each.row) if self._follows else None,
            )
            for each in videos
        ]
        wishes = [
            (order.name(name, number), turn, replace(wish, seed=order.seed_of(turn)))
            for place, (name, wish) in enumerate(
                zip(
                    [each.name for each in videos] or ["piece"],
                    plans or [Wish(seconds=order.seconds, tempo_bpm=self._tempo_bpm)],
                    strict=True,
                )
            )
            for number in range(order.count)
            for turn in (number if self.needs_video else order.turn_of(place, number),)
        ]
        remarks = []
        sampling = _sampling(order, self._density)
        if videos and not self.needs_video:
            timing = "length, cuts and motion" if self._follows else "length"
            remarks.append(f"this model sees no video; it took its {timing} alone")
        for start in range(0, len(wishes), _AT_ONCE):
            some = wishes[start : start + _AT_ONCE]

            last = start + len(some)
            which = f"piece {last}" if len(some) == 1 else f"pieces {start + 1} to {last}"

            def count(stage: str, share: float, which: str = which) -> None:
                tell(round(100 * share), 100, f"{stage}, {which} of {len(wishes)}")

            pieces = compose.compose_all(
                self._models,
                [wish for _, _, wish in some],
                key=key,
                find_key=self._find_key,
                primer=order.primer,
                sampling=sampling,
                tell=count,
            )
            for (name, turn, wish), piece in zip(some, pieces, strict=True):
                tracks = {"melody": piece.melody, "accompaniment": piece.accompaniment}
                facts = {
                    "model": _MODEL,
                    "variant": self._models.config.variant,
                    "sampling": order.sampling(top_p=sampling.top_p),
                    "density_factor": self._density,
                    "tempo_bpm": piece.tempo_bpm,
                    "chords": _spans(piece.chords),
                } | ({"said": "; ".join(remarks)} if remarks else {})
                music = ordered_piece(
                    name, tracks, piece.tempo_bpm, piece.duration_s, order, turn, facts
                )
                if wish.shown is None or piece.beats is None:
                    yield music
                    continue
                followed = _followed(piece.beats, wish.shown, piece.duration_s)
                tempo_map = piece.beats.times_s, piece.beats.numbers
                yield replace(music, facts={**music.facts, **followed}, tempo_map=tempo_map)

    def _rewritten(
        self, videos: Sequence[WatchedVideo], order: Order, passage: Passage, tell: Tell
    ) -> Iterator[Piece]:
        """Rewrite a passage of an earlier piece, once for each seed."""
        row = videos[0].row if videos else {}
        sampling = _sampling(order, self._density)
        for number in range(order.count):
            seed = order.seed_of(number)
            wish = Wish(
                seed=seed,
                video=_arrays(row) if self.needs_video else None,
                shown=_shown(row) if self._follows and row else None,
            )
            new = rewrite(
                self._models,
                passage,
                wish,
                keeps_end=self._follows and bool(passage.piece.facts.get("bars_s")),
                sampling=sampling,
                tell=lambda stage, share: tell(round(100 * share), 100, stage),
            )
            facts = {
                "chords": _spans(new.chords),
                "sampling": order.sampling(top_p=sampling.top_p),
                "density_factor": self._density,
            }
            base = videos[0].name if videos else passage.piece.name
            name = order.name(base, number)
            yield passage.rewritten(new.tracks, new.within_s, name, seed, facts)


def _shown(row: Mapping[str, Any]) -> VideoTiming:
    """Read what of a video's row the time of its music follows."""
    starts_s = np.asarray(row.get("scenes_starts_s", ()), dtype=np.float64)
    motion = np.asarray(row.get("motion", ()), dtype=np.float32).reshape(-1)
    # The first shot begins with the video, which is no cut.
    return VideoTiming(starts_s[starts_s > 0], motion)


def _followed(beats: TempoMap, timing: VideoTiming, seconds: float) -> dict[str, Any]:
    """Read cuts and bar lines as a piece's JSON tells them."""
    cuts_s = timing.cuts_s[timing.cuts_s < seconds]
    lines_s = beats.bar_lines_s(_BEATS_PER_BAR, seconds)
    met = distances(cuts_s, lines_s) <= ON_LINE_S
    return {
        "cuts_s": np.round(cuts_s, 3).tolist(),
        "bars_s": np.round(lines_s, 3).tolist(),
        "cuts_on_bars": int(met.sum()),
        "tempo_map": [[round(time_s, 4), round(bpm, 3)] for time_s, bpm in beats.tempos()],
    }


def _spans(chords: Chords) -> list[list[Any]]:
    """List start, end and label of every chord, as JSON holds them."""
    times = zip(chords.starts_s.tolist(), chords.ends_s.tolist(), chords.labels, strict=True)
    return [[round(start, 4), round(end, 4), label] for start, end, label in times]


def _sampling(order: Order, density: float) -> TokenSampling:
    """V-MusProd's own way of sampling, or what is asked for, for every field.

    The K likeliest take the place of the nucleus.
    """
    same: dict[str, Any] = {}
    if order.temperature is not None:
        same = dict.fromkeys(FIELDS, order.temperature)
    if order.top_k is not None:
        same |= {"top_k": order.top_k, "top_p": 1.0}
    return TokenSampling(greedy=order.greedy, density=density, **same)


def _arrays(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if isinstance(value, np.ndarray)}
