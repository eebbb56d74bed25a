"""The Affective Multimodal Transformer as a trainer: what doors know of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from symmv_builder.evaluation import chord_hits, published_figures
from symmv_builder.training.amt.config import PRESETS, WAYS
from symmv_builder.training.trainer import (
    DENSITY,
    Columns,
    ComposeRequest,
    Confusion,
    ModelScore,
    Option,
    ScoreRequest,
    Trainer,
)
from symmv_builder.vocab import MUVISYNC_LABELS

if TYPE_CHECKING:
    from symmv_builder.training.composing import Composer
    from symmv_builder.training.runs import Outcome, Request


def _measure(request: ScoreRequest) -> Mapping[str, Any]:
    from symmv_builder.training.amt.score import score

    place = (request.run, request.root, request.dataset, request.split, request.device)
    return score(*place, request.tell)


@final
class AmtTrainer(Trainer):
    """A chord a second for a video, and its baselines, from rows of MuVi-Sync."""

    title = "AMT"
    dataset = "muvisync"
    presets = PRESETS
    ways = WAYS
    options = (
        Option(
            "regressor",
            Path,
            "For AMT: folder of the run of a trained regressor.",
            run_of="regressor",
        ),
        DENSITY,
        Option(
            "pattern",
            int,
            "For AMT without a regressor: the arpeggio, 1 to 5.",
            least=1,
            most=5,
            label="Arpeggio, without a regressor",
        ),
        Option(
            "style",
            str,
            "For AMT: arpeggios and loudness as in the paper, or as in its code.",
            default="paper",
            choices=("paper", "released"),
            label="Arpeggios and loudness as in",
        ),
    )
    scores = (
        ModelScore(
            name="amt",
            kind="amt",
            help="Hits@1, 3 and 5 and the emotion matching loss of predicted chords; confusion of "
            "chords.",
            title="Chords, teacher-forced, mean over songs",
            metrics=chord_hits.METRICS,
            measure=_measure,
            published=published_figures.AMT,
            confusions={
                "chord": Confusion(MUVISYNC_LABELS),
                "root": Confusion(chord_hits.ROOT_NAMES),
                "quality": Confusion(chord_hits.QUALITY_NAMES),
                "emotion": Confusion(chord_hits.QUALITY_NAMES[:-1], rows="fits the emotion"),
            },
        ),
    )

    def columns(self, config: Any) -> Columns:
        from symmv_builder.training.amt.examples import columns_of

        return columns_of(config)

    def train(self, config: Any, request: "Request") -> "Outcome":
        from symmv_builder.training.amt.train import train

        return train(config, request)

    def heeds(self, config: Mapping[str, Any]) -> frozenset[str]:
        """All; without a video there is no regressor's density that could be changed."""
        blind = (
            set() if str(config.get("model", "amt")).startswith("amt") else {"regressor", "density"}
        )
        return (super().heeds(config) | {"passage"}) - blind

    def composer(self, request: ComposeRequest) -> "Composer":
        from symmv_builder.training.amt.composer import AmtComposer

        return AmtComposer(request)


TRAINER = AmtTrainer()
