"""The second half of `symmv demo`: every trainer for about a minute, then music and its measures.

A minute teaches a model of a few songs next to nothing; what is shown is that each part of the
way from shards to a video with new music works, and what its measures look like.
"""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from symmv_builder.api import training
from symmv_builder.api.evaluation.music import music as measure
from symmv_builder.api.generating import Order, Videos, write
from symmv_builder.cli import evaluating_models
from symmv_builder.errors import RejectEntry
from symmv_builder.report import score_tables, tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.learning import Learning, losses_in_words
from symmv_builder.report.piano_roll import draw_piano_roll
from symmv_builder.report.score_tables import Measured
from symmv_builder.settings import Settings

_LEARNED_FROM = {"vmusprod": "symmv", "amt": "muvisync", "regressor": "muvisync", "vmcp": "symmv"}
_SPLIT = "train"

Say = Callable[[str], None]


def train_demo(settings: Settings, out: Path, say: Say) -> None:
    """Train the smoke presets, write music for every video of the demo, measure all of it."""
    runs, music = out / "runs", out / "music"
    for trainer, dataset in _LEARNED_FROM.items():
        say(f"training {trainer} on {dataset}, preset smoke")
        config = training.config_of(trainer, "smoke", None, "")
        with Learning() as learning:
            outcome = training.run(
                trainer,
                config,
                dataset,
                runs / trainer,
                settings,
                workers=1,
                tell=learning.on_tick,
            )
        say(f"{trainer}: step {outcome.step}, {losses_in_words(outcome.losses)}")
    _compose(settings, "symmv", runs / "vmusprod", None, music, say)
    _compose(settings, "muvisync", runs / "amt", runs / "regressor", music, say)
    _measure(settings, runs, music)


def _compose(
    settings: Settings, dataset: str, run: Path, regressor: Path | None, music: Path, say: Say
) -> None:
    def refuse(path: Path, error: RejectEntry) -> None:
        say(f"{path}: {error}")

    say(f"writing music for the videos of {dataset}")
    with Counting() as counting:
        for written in write(
            Videos(dataset=dataset, split="all"),
            run,
            Order(),
            music / run.name,
            settings,
            regressor=regressor,
            overwrite=True,
            refuse=refuse,
            tell=counting.tell,
        ):
            piece = written.piece
            draw_piano_roll(
                music / run.name / f"{piece.name}.png",
                piece.notes,
                title=f"{piece.name}, written by {run.name}",
            )


def _measure(settings: Settings, runs: Path, music: Path) -> None:
    lines = []
    for dataset, trainer in (("symmv", "vmusprod"), ("muvisync", "amt")):
        found = measure(settings, dataset=dataset, split="all")
        real, ours = found.ours, measure(settings, music / trainer).ours
        lines += [
            Measured(f"real: {dataset}, {real.summary.songs} songs", asdict(real.summary.mean)),
            Measured(f"{trainer} for their videos", asdict(ours.summary.mean)),
        ]
    sys.stdout.write("\n")
    title = "Music quality after a minute of training; closer to real is better"
    figures = found.published[-1:]
    tables.show(score_tables.scores_table(title, score_tables.MUSIC, figures, lines))
    for trainer in ("amt", "regressor", "vmcp"):
        show = getattr(evaluating_models, trainer)
        show(runs / trainer, _LEARNED_FROM[trainer], split=_SPLIT, root=settings.root)
