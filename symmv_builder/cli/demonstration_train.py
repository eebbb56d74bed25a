"""The second half of `symmv demo`: every trainer for about a minute, then music and its measures.

A minute teaches a model of a few songs next to nothing; what is shown is that each part of the
way from shards to a video with new music works, and what its measures look like.
"""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from symmv_builder.cli import evaluating_models
from symmv_builder.datasets import composing
from symmv_builder.datasets import evaluate as measure
from symmv_builder.datasets.pieces import write_piece
from symmv_builder.evaluation import published
from symmv_builder.report import score_tables, tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.learning import Learning, losses_in_words
from symmv_builder.report.piano_roll import draw_piano_roll
from symmv_builder.report.score_tables import Measured
from symmv_builder.settings import Settings
from symmv_builder.storage.root import Root
from symmv_builder.training.runs import Request, configure, start

_LEARNED_FROM = {"vmusprod": "symmv", "amt": "muvisync", "regressor": "muvisync", "vmcp": "symmv"}
_SPLIT = "train"

Say = Callable[[str], None]


def train_demo(settings: Settings, out: Path, say: Say) -> None:
    """Train the smoke presets, write music for every video of the demo, measure all of it."""
    root = settings.open_store().root
    runs, music = out / "runs", out / "music"
    for trainer, dataset in _LEARNED_FROM.items():
        say(f"training {trainer} on {dataset}, preset smoke")
        with Learning() as learning:
            request = Request(
                root=root,
                dataset=dataset,
                out=runs / trainer,
                device=settings.home.device,
                workers=1,
                tell=learning.on_tick,
            )
            outcome = start(trainer, configure(trainer, "smoke", {}), request)
        say(f"{trainer}: step {outcome.step}, {losses_in_words(outcome.losses)}")
    _compose(root, "symmv", runs / "vmusprod", None, music, settings.home.device, say)
    _compose(root, "muvisync", runs / "amt", runs / "regressor", music, settings.home.device, say)
    _measure(settings, runs, music)


def _compose(
    root: Root,
    dataset: str,
    run: Path,
    regressor: Path | None,
    music: Path,
    device: str,
    say: Say,
) -> None:
    composer = composing.open_composer(run, regressor, device)
    say(f"writing music for the videos of {dataset}")
    for seen in composing.rows_seen(composer, root, dataset):
        with composing.stored(root, seen) as there, Counting() as counting:
            for piece in composer.compose([there], composing.Order(), counting.tell):
                write_piece(piece, music / run.name, video=there.path, overwrite=True)
                draw_piano_roll(
                    music / run.name / f"{piece.name}.png",
                    piece.notes,
                    title=f"{piece.name}, written by {run.name}",
                )


def _measure(settings: Settings, runs: Path, music: Path) -> None:
    root = settings.open_store().root
    lines = []
    for dataset, trainer in (("symmv", "vmusprod"), ("muvisync", "amt")):
        real = measure.music_of_dataset(root, dataset, measure.ALL_SPLITS)
        ours = measure.music_of_files([music / trainer])
        lines += [
            Measured(f"real: {dataset}, {real.summary.songs} songs", asdict(real.summary.mean)),
            Measured(f"{trainer} for their videos", asdict(ours.summary.mean)),
        ]
    sys.stdout.write("\n")
    title = "Music quality after a minute of training; closer to real is better"
    tables.show(score_tables.scores_table(title, score_tables.MUSIC, published.MUSIC[-1:], lines))
    for trainer in ("amt", "regressor", "vmcp"):
        show = getattr(evaluating_models, trainer)
        show(runs / trainer, _LEARNED_FROM[trainer], split=_SPLIT, root=settings.root)
