"""The second half of `symmv demo`: every trainer for about a minute, then music and its measures.

A minute teaches a model of a few songs next to nothing; what is shown is that each part of the
way from shards to a video with new music works, and what its measures look like.
"""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from symmv_builder.api import training
from symmv_builder.api.evaluation.models import scores_of
from symmv_builder.api.evaluation.music import music as measure
from symmv_builder.api.generating import Order, Videos, write
from symmv_builder.api.training import TRAINERS, find_trainer
from symmv_builder.cli.evaluate.models import show
from symmv_builder.errors import RejectEntry
from symmv_builder.report import score_tables, tables
from symmv_builder.report.counting import Counting
from symmv_builder.report.learning import Learning, losses_in_words
from symmv_builder.report.piano_roll import draw_piano_roll
from symmv_builder.report.score_tables import ScoreLine
from symmv_builder.settings import Settings
from symmv_builder.text import amount

_SPLIT = "train"

Say = Callable[[str], None]


def train_demo(settings: Settings, out: Path, say: Say) -> None:
    """Train the smoke presets, write music for every video of the demo, measure all of it."""
    runs, music = out / "runs", out / "music"
    for trainer in TRAINERS:
        dataset = find_trainer(trainer).dataset
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
    composers = [name for name in TRAINERS if find_trainer(name).composes]
    for trainer in composers:
        _compose(settings, trainer, runs, music, say)
    _measure(settings, composers, runs, music)


def _compose(settings: Settings, trainer: str, runs: Path, music: Path, say: Say) -> None:
    def refuse(video: object, error: RejectEntry) -> None:
        say(f"{video}: {error}")

    composer = find_trainer(trainer)
    # What a model takes from another one's run, it takes from the one of the demo.
    options = {o.name: runs / o.run_of for o in composer.options if o.run_of}
    say(f"writing music for the videos of {composer.dataset}")
    with Counting(percent=True) as counting:
        for composition in write(
            Videos(dataset=composer.dataset, split="all"),
            runs / trainer,
            Order(),
            music / trainer,
            settings,
            options=options,
            overwrite=True,
            refuse=refuse,
            tell=counting.tell,
        ):
            piece = composition.piece
            draw_piano_roll(
                music / trainer / f"{piece.name}.png",
                piece.notes,
                title=f"{piece.name}, written by {trainer}",
            )


def _measure(settings: Settings, composers: Sequence[str], runs: Path, music: Path) -> None:
    lines, report = [], None
    by_dataset: dict[str, list[str]] = {}
    for trainer in composers:
        by_dataset.setdefault(find_trainer(trainer).dataset, []).append(trainer)
    for dataset, those in by_dataset.items():
        report = measure(settings, dataset=dataset, split="all")
        real = report.ours.summary
        lines.append(ScoreLine(f"real: {dataset}, {amount(real.songs, 'song')}", real.mean))
        for trainer in those:
            ours = measure(settings, music / trainer).ours.summary
            lines.append(ScoreLine(f"{trainer} for their videos", ours.mean))
    sys.stdout.write("\n")
    title = "Music quality after a minute of training; closer to real is better"
    if report:
        figures = report.published[-1:]
        tables.show(score_tables.scores_table(title, report.columns, figures, lines))
    for trainer in TRAINERS:
        for by in scores_of(trainer, runs / trainer):
            show(by, runs / trainer, find_trainer(trainer).dataset, _SPLIT, settings.root)
