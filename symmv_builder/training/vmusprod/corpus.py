"""What V-MusProd learns from: the rows, what they hold, and what a model must remember of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from symmv_builder.errors import MissingColumns
from symmv_builder.training.data import Batching, Loader, Rows
from symmv_builder.training.ranks import Ranks
from symmv_builder.training.runs import Request
from symmv_builder.training.trainer import Columns
from symmv_builder.training.usable import LeftOut, UnusableRow
from symmv_builder.training.vmusprod import songs
from symmv_builder.training.vmusprod.config import Stage, VMusProd
from symmv_builder.training.vmusprod.examples import FIXED_BPM, Examples
from symmv_builder.training.vmusprod.models import Condition, Design
from symmv_builder.training.vmusprod.tempo import MotionRange, mean_motion, quantiles_of

VIDEO_COLUMNS = ("semantic", "colour", "motion")
# Columns whose lengths say how long an example is; small, so that they are read fast.
LENGTH_COLUMN = "parts_pitches"


@dataclass(frozen=True, slots=True)
class Corpus:
    """The splits that a training reads; `validation` is `None` where that split is empty."""

    train: Rows
    validation: Rows | None
    semantic: bool
    colour: bool
    left_out: LeftOut

    @property
    def has_video(self) -> bool:
        return self.semantic or self.colour


def columns_of(config: VMusProd) -> Columns:
    """List the columns that a variant needs, and those that it uses where a dataset has them."""
    if config.variant == "video2music":
        return songs.COLUMNS, ("entry_id", *VIDEO_COLUMNS, *songs.CHORD_COLUMNS)
    return (*songs.COLUMNS, *songs.CHORD_COLUMNS), ("entry_id", *VIDEO_COLUMNS)


def open_corpus(config: VMusProd, request: Request) -> Corpus:
    """Open the rows of a dataset; `StopRun` where a column that every variant needs is absent."""
    train, validation = (
        request.rows(split, *columns_of(config)) for split in ("train", "validation")
    )
    return Corpus(
        train,
        validation if len(validation) else None,
        semantic="semantic" in train.columns and not config.without_semantic,
        colour="colour" in train.columns and not config.without_colour,
        left_out=LeftOut(),
    )


def design_for(stage: Stage, config: VMusProd, corpus: Corpus) -> Design:
    """Choose the design of a stage's model; all but the Chord Transformer encode timing (4.1)."""
    condition: Condition = "video" if corpus.has_video else "nothing"
    if stage != "chord" and config.variant != "video2music":
        condition = "score"
    return Design(
        condition=condition,
        width=config.width,
        heads=config.heads,
        feedforward=config.feedforward,
        encoder_layers=config.encoder_layers,
        decoder_layers=config.decoder_layers,
        controller_layers=config.controller_layers,
        dropout=config.dropout,
        max_bars=config.max_bars,
        timing=stage != "chord" and not config.without_motion,
        semantic=corpus.semantic and condition == "video",
        colour=corpus.colour and condition == "video",
    )


def loaders_of(
    stage: Stage,
    config: VMusProd,
    corpus: Corpus,
    design: Design,
    request: Request,
    ranks: Ranks,
    motion_range: MotionRange | None,
) -> tuple[Loader, Loader | None]:
    """Make loaders: shuffled batches of train, and of validation in order without augmentation."""
    on_gpu = ranks.device.type == "cuda"

    def loader(rows: Rows, *, learns: bool) -> Loader:
        transposes = config.transpose == "on" or (
            config.transpose == "auto" and not corpus.has_video
        )
        return Loader(
            rows,
            Examples(
                stage=stage,
                variant=config.variant,
                max_tokens=config.max_tokens,
                transposes=transposes and learns,
                to_white_keys=config.transpose == "white",
                motion=not config.without_motion,
                semantic_hz=config.semantic_hz if design.semantic else None,
                colour_hz=config.colour_hz if design.colour else None,
                motion_range=motion_range,
                timing=config.timing,
            ),
            Batching(
                config.batch_size,
                config.seed,
                shuffle=learns,
                buckets=config.buckets if learns else 0,
                workers=request.workers,
            ),
            rank=ranks.rank,
            world=ranks.world,
            left_out=corpus.left_out,
            length_of=LENGTH_COLUMN,
            # Few shapes for the compiler to see.
            multiple=64 if on_gpu else 1,
            pin=on_gpu,
        )

    # Only what the stage sees is read: features are nearly all of a row's bytes.
    features = [name for name in ("semantic", "colour") if getattr(design, name)]
    features += ["motion"] if motion_range else []
    columns = [name for name in corpus.train.columns if name not in VIDEO_COLUMNS] + features
    held_out = request.rows("validation", columns) if corpus.validation else None
    validation = None if held_out is None else loader(held_out, learns=False)
    return loader(request.rows("train", columns), learns=True), validation


def motion_of(config: VMusProd, remembered: Mapping[str, Any]) -> MotionRange | None:
    """Measure the corpus's range of motion where the tempo is learned from it, else `None`.

    `StopRun` where the videos of the corpus have no motion.
    """
    if config.tempo == "song":
        return None
    if remembered["motion"] is None:
        needed_for = "which tempo=motion learns from; tempo=song does without"
        raise MissingColumns(remembered["dataset"], ("motion",), needed_for=needed_for)
    lowest, highest = remembered["motion"]
    return MotionRange(lowest, highest)


def about(config: VMusProd, corpus: Corpus) -> dict[str, Any]:
    """Summarise the songs learned from, as composing with the model needs it.

    ``tempo_quantiles`` (beats a minute, `tempo.draw_tempo`), ``bars_quantiles``, ``motion`` (the
    corpus's least and greatest mean RGB difference, or `None`), ``fixed_bpm`` of a model that was
    trained without motion, ``songs``, ``models`` (what made the features) and the shards' hashes.
    `StopRun` where no row of the split train holds a song.
    """
    tempos, bars, motions = [], [], []
    for row in corpus.train.without_features():
        song = corpus.left_out.use(row, songs.song_of)
        if song is not None:
            tempos.append(song.tempo_bpm)
            bars.append(song.bars)
        motion = corpus.left_out.use(row, _motion) if "motion" in row else None
        if motion is not None:
            motions.append(motion)
    if not tempos:
        raise corpus.left_out.no_rows(corpus.train.dataset, corpus.train.split)
    extent = MotionRange.of(motions) if motions and not config.without_motion else None
    receipt = corpus.train.receipt
    return {
        "dataset": corpus.train.dataset,
        "shards": {shard["path"]: shard["sha256"] for shard in receipt["shards"]},
        "schema": receipt.get("schema"),
        "models": receipt.get("models"),
        "songs": len(tempos),
        "tempo_quantiles": quantiles_of(tempos),
        "bars_quantiles": [float(q) for q in np.quantile(bars, np.linspace(0, 1, 101))],
        "motion": [extent.lowest, extent.highest] if extent else None,
        "fixed_bpm": FIXED_BPM if config.without_motion else None,
        "has_validation": corpus.validation is not None,
    }


def _motion(row: Mapping[str, Any]) -> float | None:
    """Average the motion of a row's video, `None` where it has none."""
    if not len(row["motion"]):
        return None
    mean = mean_motion(row["motion"])
    if not np.isfinite(mean):
        raise UnusableRow("the motion of its video is not finite")
    return mean
