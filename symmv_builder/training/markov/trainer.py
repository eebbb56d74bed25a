"""Markov chains as a trainer: what doors know of them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

from symmv_builder.evaluation.metric import Metric
from symmv_builder.training.markov.config import PRESETS
from symmv_builder.training.trainer import (
    DENSITY,
    TEMPO,
    Columns,
    ComposeRequest,
    ModelScore,
    ScoreRequest,
    Trainer,
)

if TYPE_CHECKING:
    from symmv_builder.training.composing import Composer
    from symmv_builder.training.runs import Outcome, Request


def _measure(request: ScoreRequest) -> Mapping[str, Any]:
    from symmv_builder.training.markov.score import score

    return score(request)


@final
class MarkovTrainer(Trainer):
    """Counts of chords, rhythm and pitches: the floor of every table."""

    title = "Markov chains"
    dataset = "symmv"
    presets = PRESETS
    options = (TEMPO, DENSITY)
    scores = (
        ModelScore(
            name="markov",
            kind="markov",
            help="How surprising songs are by the chains, in nats for a chord, an onset or length, "
            "a pitch.",
            title="Surprise of Markov chains, nats an event",
            metrics=tuple(
                Metric(
                    kind,
                    kind.capitalize(),
                    definition=f"mean negative log likelihood of {event} by the chains",
                    source="this package; chains of first order",
                    unit="nats",
                    best="low",
                    reads=("notes", "beats", "chords", "key"),
                )
                for kind, event in (
                    ("chord", "a chord"),
                    ("rhythm", "an onset or a length"),
                    ("pitch", "a pitch"),
                )
            ),
            measure=_measure,
        ),
    )

    def columns(self, config: Any) -> Columns:
        from symmv_builder.training.markov.train import NEEDED

        return NEEDED, ("entry_id",)

    def train(self, config: Any, request: "Request") -> "Outcome":
        from symmv_builder.training.markov.train import train

        return train(config, request)

    def heeds(self, config: Mapping[str, Any]) -> frozenset[str]:
        """Neither chords to begin with nor a way of sampling: chains are drawn as they are."""
        del config
        return frozenset({"key", "passage"}) | {option.name for option in self.options}

    def composer(self, request: ComposeRequest) -> "Composer":
        from symmv_builder.training.markov.composer import MarkovComposer

        return MarkovComposer(request)


TRAINER = MarkovTrainer()
