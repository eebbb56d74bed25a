"""AMT as a composer: rows with a video become chords, arpeggios and pieces."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, final

import numpy as np

from symmv_builder.errors import WrongArguments, WrongSetting
from symmv_builder.records import Notes
from symmv_builder.timeline import grid_length
from symmv_builder.training.amt.arrange import TEMPO_BPM, Style
from symmv_builder.training.amt.compose import REGRESSOR_OR_PATTERN, compose, load
from symmv_builder.training.amt.features import VIDEO_COLUMNS
from symmv_builder.training.amt.regressor import model as regressors
from symmv_builder.training.amt.sampling import ChordSampling
from symmv_builder.training.amt.vocabulary import parse_key, parse_primer
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

_KEY = "C major"


@final
class AmtComposer(Composer):
    """Chords and their arpeggios, by the columns of MuVi-Sync.

    The option `regressor` is the run of one, which says how busily and loudly is played, `pattern`
    the arpeggio where there is none, `style` that of `arrange.arrange`.
    """

    dataset = "muvisync"

    def __init__(self, request: ComposeRequest) -> None:
        self._model = load(request.run, request.device)
        regressor: Path | None = request.options["regressor"]
        self._regressor = regressors.load(regressor, request.device) if regressor else None
        self._pattern: int | None = request.options["pattern"]
        self._density = float(request.options["density"])
        self._style: Style = request.options["style"]
        self.needs_video = self._model.config.sees_video
        self.reads = frozenset(VIDEO_COLUMNS if self.needs_video else ())
        self.learned_from = self._model.about.get("receipt", {}).get("models") or ()

    def check(self, order: Order) -> None:
        parse_key(order.key or _KEY)
        parse_primer(order.primer)
        if self.needs_video and self._regressor is None and self._pattern is None:
            raise WrongArguments(REGRESSOR_OR_PATTERN)
        if self._density != 1.0 and (self._pattern is not None or self._style == "released"):
            raise WrongArguments(
                "a `pattern`, and `style` released, say how many notes there are: leave out "
                "`density`, or them"
            )
        if order.passage is not None:
            order.passage.check_model(self._model.config.model)

    def compose(self, videos: Sequence[WatchedVideo], order: Order, tell: Tell) -> Iterator[Piece]:
        passage = order.passage
        if passage is not None:
            # The chords before it are those that the new ones follow on.
            first, last = _seconds_of(passage)
            earlier = passage.piece.facts
            primer = " ".join(map(str, earlier["chords"][:first]))
            seconds = None if videos else passage.piece.seconds
            order = replace(order, key=str(earlier["key"]), primer=primer, seconds=seconds)
        if not videos and order.seconds is None:
            raise WrongArguments(
                "this model sees no video: give `seconds`, the length of the music"
            )
        rows = [(each.name, self._row(each, order.seconds)) for each in videos]
        for name, row in rows or [("piece", {"video_duration_s": order.seconds})]:

            def count(done: int, of: int, what: str = f"chords of {name}") -> None:
                tell(done, of, what)

            for number in range(order.count):
                sampling = ChordSampling(
                    seed=order.seed_of(number), greedy=order.greedy, top_k=order.top_k
                )
                if order.temperature is not None:
                    sampling = replace(sampling, temperature=order.temperature)
                pieces = compose(
                    self._model,
                    self._regressor,
                    row,
                    key=order.key or _KEY,
                    primer=order.primer,
                    sampling=sampling,
                    pattern=self._pattern,
                    style=self._style,
                    density=self._density,
                    tell=count,
                )
                facts = {
                    "model": self._model.config.model,
                    "sampling": order.sampling(),
                    "key": pieces.key,
                    "chords": list(pieces.chords),
                    "density": _plain(pieces.density),
                    "loudness": _plain(pieces.loudness),
                }
                primed = len(parse_primer(order.primer))
                if passage is not None:
                    chords = [*earlier["chords"][:first], *pieces.chords[first:last]]
                    facts["chords"] = [*chords, *earlier["chords"][last:]]
                    yield passage.rewritten(
                        {"piano": pieces.notes},
                        (float(first), float(last)),
                        order.name(name, number),
                        order.seed_of(number),
                        facts,
                    )
                    continue
                if primed > len(pieces.chords):
                    facts["said"] = f"of the primer's {primed} chords {len(pieces.chords)} fit"
                length_s = float(row["video_duration_s"])
                own = order.name(name, number)
                notes = {"piano": _within(pieces.notes, length_s)}
                yield ordered_piece(own, notes, TEMPO_BPM, length_s, order, number, facts)

    def _row(self, video: WatchedVideo, seconds: float | None) -> Mapping[str, Any]:
        """Give the video's row, its first `seconds` alone where so many are asked for."""
        if seconds is None:
            return video.row
        row = {**video.row, "video_duration_s": seconds}
        if not self.needs_video:
            return row
        if seconds > video.seconds:
            most = (
                f"{video.name} lasts {video.seconds:.1f} s, and AMT writes for what it sees alone"
            )
            raise WrongSetting("seconds", seconds, most)
        length = grid_length(seconds, 1.0)
        return row | {name: row[name][:length] for name in VIDEO_COLUMNS if name in row}


def _seconds_of(passage: Passage) -> tuple[int, int]:
    """Find the whole seconds in a passage, as the first and the one behind the last."""
    most = len(passage.piece.facts["chords"])
    first, last = math.ceil(passage.start_s - 1e-3), math.floor(passage.end_s + 1e-3)
    last = most if passage.end_s >= passage.piece.seconds else min(last, most)
    if last <= first:
        raise passage.none_within("second")
    return first, last


def _within(notes: Notes, seconds: float) -> Notes:
    """Keep notes that begin before the end of the piece, none of them longer than that."""
    begun = notes.starts_s < seconds
    return Notes(
        notes.starts_s[begun],
        np.minimum(notes.ends_s[begun], seconds),
        notes.pitches[begun],
        notes.velocities[begun],
    )


def _plain(values: Any) -> list[float] | None:
    return None if values is None else [round(float(value), 4) for value in values]
