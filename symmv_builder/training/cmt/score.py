"""How well a model of CMT tells music, and how well it does what is asked of it.

The losses are those of training, teacher-forced. The control errors are the release's: how far
density and strength lie from what was asked, as a share of their mean, in music that is written
anew. Each row asks for the densities of its own first bars, and for the strengths that it has on
beats.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from symmv_builder.errors import NoRows
from symmv_builder.training.cmt.composer import load
from symmv_builder.training.cmt.control import Control
from symmv_builder.training.cmt.examples import CmtExamples, score_in
from symmv_builder.training.cmt.sampling import CmtSampling, sample
from symmv_builder.training.cmt.tokens import POSITIONS, WordScore, score_of
from symmv_builder.training.cmt.train import count_losses, losses_of
from symmv_builder.training.data import Batching, Loader
from symmv_builder.training.ranks import device_of
from symmv_builder.training.rows import Rows
from symmv_builder.training.trainer import ScoreRequest
from symmv_builder.training.usable import LeftOut
from symmv_builder.training.vmusprod.songs import COLUMNS, song_in_fours
from symmv_builder.training.vmusprod.tempo import STEPS_PER_BEAT

# Bars that are written for each row, and pieces that are written side by side.
_BARS, _AT_ONCE = 8, 16


def score(request: ScoreRequest) -> Mapping[str, Any]:
    """Compute losses in nats, and control errors, with all heeded and with nothing (``free_``)."""
    model, about = load(request.run, request.device)
    rows = Rows(request.root, request.dataset, request.split, COLUMNS, ["entry_id"])
    left_out = LeftOut()
    songs = [song for row in rows if (song := left_out.use(row, song_in_fours)) is not None]
    if not songs:
        reason = left_out.none_left(request.dataset, request.split)
        raise NoRows(request.dataset, request.split, reason)
    config = model.config
    loader = Loader(
        rows,
        CmtExamples(config.max_tokens, config.timing, transposes=False),
        Batching(config.batch_size, 0, shuffle=False),
        left_out=left_out,
    )
    losses = losses_of(count_losses(model, loader, device_of(request.device)))
    targets = [asked_by(score_in(song.cropped(0, min(_BARS, song.bars)))) for song in songs]
    errors: dict[str, float] = {}
    for prefix, share in (("", 1.0), ("free_", 0.0)):
        scores: list[WordScore] = []
        for start in range(0, len(targets), _AT_ONCE):
            some = targets[start : start + _AT_ONCE]
            sequences = sample(
                model,
                some,
                seeds=list(range(start, start + len(some))),
                instruments=about["instruments"],
                sampling=CmtSampling(control=share),
            )
            scores += [score_of(sequence) for sequence in sequences]
            count = start + len(some) + (0 if share else len(targets))
            request.tell(count // 2, len(targets))
        errors |= {f"{prefix}{n}": v for n, v in control_errors(targets, scores).items()}
    metrics = {"loss": losses["loss"], **errors}
    return {
        "metrics": metrics,
        "losses": losses,
        "songs": len(songs),
        "left_out": left_out.reasons,
    }


def asked_by(score: WordScore) -> Control:
    """Make a control that asks for what a score has: all densities, and strengths on beats."""
    steps, _, strengths = score.simu_notes()
    on_beat = steps % STEPS_PER_BEAT == 0
    requests = np.zeros(score.bars * POSITIONS, dtype=np.int64)
    np.maximum.at(requests, steps[on_beat], strengths[on_beat])
    return Control(score.densities(), requests)


def control_errors(targets: Sequence[Control], scores: Sequence[WordScore]) -> dict[str, float]:
    """Average how far density and strength are from what was asked, as shares of their means."""
    densities = np.concatenate([control.densities for control in targets])
    densities_written = np.concatenate([score.densities() for score in scores])
    strengths, notes = [], []
    for control, score in zip(targets, scores, strict=True):
        steps = np.flatnonzero(control.strengths)
        strengths.append(control.strengths[steps])
        notes.append(np.bincount(score.onsets, minlength=len(control.strengths))[steps])
    expected, actual = np.concatenate(strengths), np.concatenate(notes)
    return {
        "density_error": float(
            np.abs(densities - densities_written).mean() / max(densities.mean(), 1e-9)
        ),
        "strength_error": float(np.abs(expected - actual).mean() / max(expected.mean(), 1e-9))
        if len(expected)
        else 0.0,
    }
