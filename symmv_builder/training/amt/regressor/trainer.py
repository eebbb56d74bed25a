"""The regressors of density and loudness as a trainer: what doors know of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

from symmv_builder.evaluation import published_figures
from symmv_builder.evaluation.metric import Metric
from symmv_builder.training.amt.regressor.config import PRESETS, WAYS
from symmv_builder.training.trainer import Baseline, Columns, ModelScore, ScoreRequest, Trainer

if TYPE_CHECKING:
    from symmv_builder.training.runs import Outcome, Request

_METRICS = tuple(
    Metric(
        f"rmse_{track}",
        f"RMSE ({track})",
        4,
        definition=f"root mean square error of the {track} of each second",
        source='Kang, Poria, Herremans, "Video2Music", 2024, equation 8',
        unit=unit,
        best="low",
        reads=(track,),
    )
    for track, unit in (("density", "notes a second"), ("loudness", "0-1"))
)


def _measure(request: ScoreRequest) -> Mapping[str, Any]:
    from symmv_builder.training.amt.regressor.score import score

    place = (request.run, request.root, request.dataset, request.split, request.device)
    return score(*place, request.tell)


@final
class RegressorTrainer(Trainer):
    """The trainer of how busy and how loud music is, by the second, from rows of MuVi-Sync."""

    title = "regressor of AMT"
    dataset = "muvisync"
    presets = PRESETS
    ways = WAYS
    scores = (
        ModelScore(
            name="regressor",
            kind="regressor",
            help="Root mean square error of note density and loudness estimated from video.",
            title="Root mean square error over the seconds of a split",
            metrics=_METRICS,
            measure=_measure,
            published=published_figures.REGRESSOR,
            beside=Baseline(
                "guessing the mean of the training split",
                lambda measured: {m.name: measured.get(f"baseline_{m.name}") for m in _METRICS},
            ),
        ),
    )

    def columns(self, config: Any) -> Columns:
        del config
        from symmv_builder.training.amt.regressor.examples import COLUMNS, OPTIONAL

        return COLUMNS, OPTIONAL

    def train(self, config: Any, request: "Request") -> "Outcome":
        from symmv_builder.training.amt.regressor.train import train

        return train(config, request)


TRAINER = RegressorTrainer()
