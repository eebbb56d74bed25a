"""V-MusProd as a trainer: what doors know of it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, final

from symmv_builder.training.composing import ORDERED
from symmv_builder.training.trainer import (
    DENSITY,
    TEMPO,
    Columns,
    ComposeRequest,
    Option,
    Trainer,
)
from symmv_builder.training.vmusprod.config import PRESETS, WAYS

if TYPE_CHECKING:
    from symmv_builder.training.composing import Composer
    from symmv_builder.training.runs import Outcome, Request


@final
class VMusProdTrainer(Trainer):
    """Chords, melody and accompaniment by three transformers, from rows of SymMV."""

    title = "V-MusProd"
    dataset = "symmv"
    presets = PRESETS
    ways = WAYS
    options = (
        TEMPO,
        DENSITY,
        Option(
            "follow",
            bool,
            "Let bar lines, loudness and the end follow the video, or keep one tempo "
            "throughout and break off where the video ends.",
            default=True,
            off="steady",
            label="Follow the video's cuts, and end with it",
        ),
    )

    def columns(self, config: Any) -> Columns:
        from symmv_builder.training.vmusprod.corpus import columns_of

        return columns_of(config)

    def train(self, config: Any, request: "Request") -> "Outcome":
        from symmv_builder.training.vmusprod.train import train

        return train(config, request)

    def heeds(self, config: Mapping[str, Any]) -> frozenset[str]:
        """List the options heeded: all, but no primer in a variant that writes no chords."""
        chordless = {"primer"} if config.get("variant") == "video2music" else set()
        return frozenset(ORDERED) - chordless | {option.name for option in self.options}

    def composer(self, request: ComposeRequest) -> "Composer":
        from symmv_builder.training.vmusprod.composer import VMusProdComposer

        return VMusProdComposer(request)


TRAINER = VMusProdTrainer()
