"""CMT as a trainer: what doors know of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

from symmv_builder.evaluation.metric import Metric
from symmv_builder.training.cmt.config import PRESETS
from symmv_builder.training.trainer import (
    DENSITY,
    TEMPO,
    Baseline,
    Columns,
    ComposeRequest,
    ModelScore,
    Option,
    ScoreRequest,
    Trainer,
)

if TYPE_CHECKING:
    from symmv_builder.training.composing import Composer
    from symmv_builder.training.runs import Outcome, Request

_SOURCE = 'Di et al., "Video Background Music Generation with CMT", 2021; measured by this package'


def _measure(request: ScoreRequest) -> Mapping[str, Any]:
    from symmv_builder.training.cmt.score import score

    return score(request)


def _free(measured: Mapping[str, Any]) -> Mapping[str, float | None]:
    names = ("density_error", "strength_error")
    return {name: measured[f"free_{name}"] for name in names}


@final
class CmtTrainer(Trainer):
    """Music by rules of rhythm for any video, from notes on a grid without video.

    It learns from rows of SymMV; what it asks of a video are columns of the recipe `cmt`.
    """

    title = "CMT"
    dataset = "symmv"
    presets = PRESETS
    options = (
        Option(
            "control",
            float,
            "For CMT: how often what the video asks of a bar or a beat is heeded, 0 to 1.",
            default=0.7,
            least=0.0,
            most=1.0,
            label="Heed the video (0 never, 1 always)",
        ),
        TEMPO,
        DENSITY,
    )
    scores = (
        ModelScore(
            name="cmt",
            kind="cmt",
            help="How well CMT tells music, and how far density and strength lie from what is "
            "asked.",
            title="Words, teacher-forced, and control errors as shares of the mean asked",
            metrics=(
                Metric(
                    "loss",
                    "Loss (nats)",
                    4,
                    definition="mean cross-entropy of the fields of the next word, teacher-forced",
                    source=_SOURCE,
                    unit="nats",
                    best="low",
                    reads=("notes", "beats"),
                ),
                Metric(
                    "density_error",
                    "Density error",
                    definition="mean distance of the density of a bar from the one asked, a share "
                    "of the mean asked",
                    source=_SOURCE,
                    unit="share",
                    best="low",
                    reads=("flow_magnitude",),
                ),
                Metric(
                    "strength_error",
                    "Strength error",
                    definition="mean distance of the notes of a beat from the strength asked, as a "
                    "share of the mean asked",
                    source=_SOURCE,
                    unit="share",
                    best="low",
                    reads=("visual_beats",),
                ),
            ),
            measure=_measure,
            beside=Baseline("nothing heeded", _free),
        ),
    )

    def columns(self, config: Any) -> Columns:
        from symmv_builder.training.cmt.control import VIDEO_COLUMNS
        from symmv_builder.training.vmusprod.songs import COLUMNS

        return COLUMNS, ("entry_id", *VIDEO_COLUMNS)

    def train(self, config: Any, request: "Request") -> "Outcome":
        from symmv_builder.training.cmt.train import train

        return train(config, request)

    def heeds(self, config: Mapping[str, Any]) -> frozenset[str]:
        """List what it heeds: passages too, but no chords to begin with, which its words lack."""
        return (super().heeds(config) | {"passage"}) - {"primer"}

    def composer(self, request: ComposeRequest) -> "Composer":
        from symmv_builder.training.cmt.composer import CmtComposer

        return CmtComposer(request)


TRAINER = CmtTrainer()
