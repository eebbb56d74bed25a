"""Music from trained models: chords, then a melody, then an accompaniment (section 4.2).

    x_m = G_m(G_c(y_s), y_r),  x_a = G_a(G_c(y_s), x_m, y_r),  x = x_m (+) x_a

of Zhuo et al. (2023), where y_s is what a video shows and y_r its motion. The ablations of section
6.4 come out of the same function: all notes from the video (video2music), or all notes from
chords (video2chord2music). Many pieces are written at once.
"""

from collections.abc import Callable, Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from symmv_builder.errors import (
    MissingFeatures,
    NoCheckpoint,
    StopRun,
    Untrained,
    WrongArguments,
    WrongSetting,
)
from symmv_builder.records import Key
from symmv_builder.training import checkpoint, run_folders
from symmv_builder.training.configs import from_plain
from symmv_builder.training.padding import on_device, stack
from symmv_builder.training.ranks import device_of
from symmv_builder.training.vmusprod import controller
from symmv_builder.training.vmusprod.config import STAGES, Stage, VMusProd, kind_of
from symmv_builder.training.vmusprod.ending import resolved, sounding_chords
from symmv_builder.training.vmusprod.examples import features_of, scores_of
from symmv_builder.training.vmusprod.grammar import Form
from symmv_builder.training.vmusprod.models import Context, StageModel, design_of
from symmv_builder.training.vmusprod.piece import (
    ArrangedPiece,
    FindKey,
    PiecePlan,
    Video,
    Wish,
    arranged_piece,
    parse_primer,
    plan_piece,
    primer_of,
)
from symmv_builder.training.vmusprod.sampling import TokenSampling, sample
from symmv_builder.training.vmusprod.songs import song_of_sequences
from symmv_builder.training.vmusprod.stepping import FusedStepper
from symmv_builder.training.vmusprod.tempo import tempo_bin
from symmv_builder.training.vmusprod.tokens import (
    BAR,
    BARBEAT,
    CHORD,
    NOTE,
    RHYTHM,
    TYPE,
    Sequence,
    merged_sequence,
)

Tell = Callable[[str, float], None]


@dataclass(frozen=True, slots=True)
class Models:
    """The stages of one variant, in evaluation mode on their device, and what they remember.

    `about` is that of the first stage's checkpoint (`corpus.about`): its tempos and lengths of
    songs, the range of motion.
    """

    config: VMusProd
    stages: Mapping[Stage, StageModel]
    about: Mapping[str, Any]
    device: torch.device

    @property
    def for_video(self) -> bool:
        """Whether a first stage reads what a video shows."""
        first = STAGES[self.config.variant][0]
        return self.stages[first].design.condition == "video"

    @property
    def features(self) -> frozenset[str]:
        """The columns of a video that a first stage reads."""
        design = self.stages[STAGES[self.config.variant][0]].design
        kinds = ("semantic", "colour") if design.condition == "video" else ()
        return frozenset(name for name in kinds if getattr(design, name))


def load(run: Path, device: str = "cpu") -> Models:
    """Load the models of a run's folder: of each stage the best checkpoint, else the newest.

    `StopRun` where a stage of its variant has not been trained, or the device is not there.
    """
    place = device_of(device)
    trained = run_folders.stages(run)
    first = next((stages[0] for stages in STAGES.values() if stages[0] in trained), None)
    if first is None:
        raise Untrained(run) if run_folders.is_begun(run) else NoCheckpoint(run, "V-MusProd")
    saved = checkpoint.read(run / first, kind_of(first))
    config = from_plain(VMusProd, saved.config)
    stages: dict[Stage, StageModel] = {}
    for stage in STAGES[config.variant]:
        if not run_folders.checkpoints_in(run / stage):
            only = "" if config.stages == "all" else config.stages
            raise Untrained(run, stage=stage, only=only)
        stage_saved = checkpoint.read(run / stage, kind_of(stage))
        with checkpoint.understood(stage_saved):
            model = StageModel(design_of(stage_saved.about["design"]))
        checkpoint.load_module(stage_saved, model)
        stages[stage] = model.to(place).eval()
    return Models(config, stages, saved.about, place)


def compose(
    models: Models,
    video: Video | None,
    *,
    seconds: float | None = None,
    bars: int | None = None,
    seed: int = 0,
    tempo_bpm: float | None = None,
    key: Key | None = None,
    find_key: FindKey | None = None,
    primer: str = "",
    sampling: TokenSampling | None = None,
    count: int = 1,
    tell: Tell = lambda stage, share: None,
) -> list[ArrangedPiece]:
    """Compose `count` pieces of one kind, from seeds `seed`, `seed` + 1, ...; see `compose_all`."""
    wishes = [
        Wish(seed=seed + number, seconds=seconds, bars=bars, tempo_bpm=tempo_bpm, video=video)
        for number in range(count)
    ]
    return compose_all(
        models, wishes, key=key, find_key=find_key, primer=primer, sampling=sampling, tell=tell
    )


def compose_all(
    models: Models,
    wishes: Many[Wish],
    *,
    key: Key | None = None,
    find_key: FindKey | None = None,
    primer: str = "",
    sampling: TokenSampling | None = None,
    batch_size: int = 32,
    steps_per_bar: int = 16,
    tell: Tell = lambda stage, share: None,
) -> list[ArrangedPiece]:
    """Compose a piece for each wish, in their order; a piece depends on its own wish alone.

    Models write in any key. With `key`, each finished piece is moved into that key's scale, from
    the key that `find_key` hears in it (`pieces.shift_to`); pieces that follow a video end in the
    key that it hears in their chords. `primer` are chords to begin with
    (`pieces.parse_primer`), which say the key themselves: the two together are refused. `tell`
    hears the stage and which share of all pieces it has written. `StopRun` where models and
    wishes do not fit.
    """
    if key is not None and primer:
        raise WrongArguments("a primer's chords say the key: give `key` or `primer`, not both")
    if find_key is None and (key is not None or any(wish.shown for wish in wishes)):
        raise ValueError("a piece is moved and ended by the key that `find_key` hears")
    if primer and "chord" not in models.stages:
        problem = f"{models.config.variant} writes no chords, which it could begin"
        raise WrongSetting("primer", primer, problem)
    sampling = sampling or TokenSampling()
    plans = [plan_piece(_fitting(models, w), models.about, steps_per_bar) for w in wishes]
    order = sorted(range(len(plans)), key=lambda i: plans[i].bars)
    pieces: dict[int, ArrangedPiece] = {}
    for start in range(0, len(order), batch_size):
        batch = order[start : start + batch_size]
        writer = Writer(
            models,
            [plans[i] for i in batch],
            sampling,
            steps_per_bar,
            _within(tell, start / len(order), len(batch) / len(order)),
            find_key,
        )
        parts = writer.write(primer)
        for place, i in enumerate(batch):
            piece = {name: sequences[place] for name, sequences in parts.items()}
            song = song_of_sequences(
                piece.get("chord"),
                piece.get("melody"),
                piece.get("accompaniment", piece.get("music")),
                tempo_bpm=plans[i].tempo_bpm,
            )
            pieces[i] = arranged_piece(song, plans[i], key, find_key)
    return [pieces[i] for i in range(len(plans))]


def _within(tell: Tell, begun: float, share: float) -> Tell:
    """Make a `tell` for a part of the work: `begun` is done before it, and it is `share` of all."""
    return lambda stage, done: tell(stage, begun + share * done)


def _fitting(models: Models, wish: Wish) -> Wish:
    """Check the wish; `StopRun` where it has no video for models that need one, or the reverse."""
    if models.for_video and wish.video is None:
        raise StopRun("these models write music for videos: give one")
    sees = models.for_video or models.about["motion"] is not None
    if wish.video is not None and not sees and models.about["fixed_bpm"] is None:
        raise WrongArguments("these models were trained without videos: give `seconds` instead")
    return wish


class Writer:
    """Samples the stages of one batch of pieces, one after the other."""

    def __init__(
        self,
        models: Models,
        plans: Many[PiecePlan],
        sampling: TokenSampling,
        steps_per_bar: int,
        tell: Tell,
        find_key: FindKey | None,
    ) -> None:
        self.models, self.plans, self.sampling, self.tell = models, plans, sampling, tell
        self.find_key = find_key
        self.steps_per_bar = steps_per_bar
        device = models.device
        self.bars = torch.tensor([plan.bars for plan in plans], device=device)
        tempos = np.array([plan.tempo_bpm for plan in plans])
        self.tempo = torch.from_numpy(tempo_bin(tempos)).to(device)

    def write(self, primer: str) -> dict[str, list[Sequence]]:
        """Sample every stage; gives by stage one sequence for each piece."""
        if self.models.config.variant == "video2music":
            return {"music": self.stage("music", None)}
        chords = self.stage("chord", None, self._primer(primer))
        chords = [self._resolved(c, plan) for c, plan in zip(chords, self.plans, strict=True)]
        if self.models.config.variant == "video2chord2music":
            return {"chord": chords, "music": self.stage("music", chords)}
        melody = self.stage("melody", chords)
        both = [merged_sequence(c, m) for c, m in zip(chords, melody, strict=True)]
        accompaniment = self.stage("accompaniment", both)
        return {"chord": chords, "melody": melody, "accompaniment": accompaniment}

    def _resolved(self, chords: Sequence, plan: PiecePlan) -> Sequence:
        """End the chords of a piece on its tonic where it is to end there."""
        if not plan.ends or self.find_key is None:
            return chords
        sounding = sounding_chords(chords, plan.bars - 1)
        if not len(sounding.pitches):
            return chords
        return resolved(chords, plan.bars - 1, self.find_key(sounding))

    def stage(
        self,
        stage: Stage,
        source: list[Sequence] | None,
        primer: Tensor | None = None,
        last_bar: int | None = None,
    ) -> list[Sequence]:
        """Sample one stage, conditioned on `source`; `primer` and `last_bar` are `sample`'s."""
        stages = STAGES[self.models.config.variant]
        place, model = stages.index(stage), self.models.stages[stage]
        config = self.models.config
        score = scores_of(source, self.models.device, config.timing) if source is not None else None
        video = self._video(model) if model.design.condition == "video" else None
        return sample(
            FusedStepper(model),
            Context(self.tempo, score, video),
            Form(
                CHORD if stage == "chord" else NOTE,
                self.bars,
                self.steps_per_bar,
                self.sampling.notes_per_position,
                config.timing,
                self._beginnings(source) if stage == stages[-1] else None,
            ),
            tempo=self.tempo,
            seeds=[plan.seed_of(place) for plan in self.plans],
            sampling=self.sampling,
            primer=primer,
            last_bar=last_bar,
            tell=lambda share: self.tell(stage, (place + share) / len(stages)),
        )

    def _beginnings(self, source: list[Sequence] | None) -> Tensor:
        """Music begins with its video: where a melody rests at first, the last stage does not."""
        parts: Many[Sequence | None] = source or [None] * len(self.plans)
        each = [_first_by(p, s, self.steps_per_bar) for p, s in zip(self.plans, parts, strict=True)]
        return torch.tensor(each, device=self.bars.device)

    def _primer(self, text: str) -> Tensor | None:
        """Make the primer's tokens for every piece, and the bar behind them where there is one."""
        if not text:
            return None
        song = parse_primer(text, self.steps_per_bar)
        tokens = torch.from_numpy(primer_of(song, self.plans).tokens[1:])
        tokens = torch.cat((tokens, torch.zeros_like(tokens[:1])))
        primer = tokens.expand(len(self.plans), -1, -1).clone().to(self.models.device)
        goes_on = self.bars > song.bars
        primer[:, -1, TYPE] = torch.where(goes_on, RHYTHM, 0)
        primer[:, -1, BARBEAT] = torch.where(goes_on, BAR, 0)
        return primer

    def _video(self, model: StageModel) -> controller.Video:
        config, design = self.models.config, model.design
        columns = {
            "semantic": config.semantic_hz if design.semantic else None,
            "colour": config.colour_hz if design.colour else None,
        }
        examples = []
        for plan in self.plans:
            video = plan.wish.video or {}
            absent = [
                name for name, rate in columns.items() if rate and not len(video.get(name, ()))
            ]
            if absent:
                raise MissingFeatures("the video", absent, "which the model reads")
            examples.append(features_of(video, columns["semantic"], columns["colour"]))
        batch = on_device(stack(examples, {}), self.models.device)
        names = ("semantic", "semantic_mask", "colour", "colour_mask")
        return controller.Video(*(batch.get(name) for name in names))


def _first_by(plan: PiecePlan, source: Sequence | None, steps_per_bar: int) -> int:
    """Give the 16th on which a piece has begun at the latest, -1 where its `source` does it.

    It lies in the first bar, and in the first half of a piece that is as short as a bar or two.
    """
    times_s = plan.clock(np.arange(steps_per_bar))
    latest = max(0, int((times_s <= plan.end_s / 2).sum()) - 1)
    if source is None:
        return latest
    is_note = source.tokens[:, TYPE] == NOTE
    begins = is_note & (source.bars == 0) & (source.beats <= latest)
    return -1 if begins.any() else latest
