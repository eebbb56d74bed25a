"""The video-music models as a trainer: what doors know of them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from symmv_builder.evaluation import alignment, published_figures, retrieval
from symmv_builder.text import amount
from symmv_builder.training.trainer import (
    Baseline,
    Columns,
    ModelScore,
    Option,
    ScoreRequest,
    Trainer,
)
from symmv_builder.training.vmcp.config import PRESETS, WAYS

if TYPE_CHECKING:
    from symmv_builder.training.runs import Outcome, Request

_MUSIC_OPTIONS = (
    Option(
        "music",
        Path,
        "Generated music instead of the rows' own: a folder of MIDI files or recordings "
        "(WAV, FLAC, MP3, MP4 ...), named by entry.",
    ),
    Option(
        "sound",
        str,
        "Hear music as recording or as notes are played (rendered). Default: as in training.",
        choices=("recording", "rendered"),
    ),
)


def _measure_vmcp(request: ScoreRequest) -> Mapping[str, Any]:
    from symmv_builder.training.vmcp.score import score

    place = (request.run, request.root, request.dataset, request.split, request.device)
    return score(*place, request.tell, **_options_set(request))


def _measure_relevance(request: ScoreRequest) -> Mapping[str, Any]:
    from symmv_builder.training.vmcp.relevance import score

    place = (request.run, request.root, request.dataset, request.split, request.device)
    return score(*place, request.tell, **_options_set(request))


def _options_set(request: ScoreRequest) -> dict[str, Any]:
    return {name: value for name, value in request.options.items() if value is not None}


def _heard_by(measured: Mapping[str, Any]) -> list[str]:
    """Name the model that heard the music, and tell how."""
    ear = measured.get("embedding")
    return [f"music heard by {ear['backend']}, {measured['sound']}"] if ear else []


def _pool(measured: Mapping[str, Any]) -> list[str]:
    """Say, where the pool is another one than the paper's, that the figures do not compare."""
    ours, theirs = measured.get("pool"), published_figures.VMCP_POOL
    if ours is None or ours == theirs:
        return []
    here = amount(int(ours), "video")
    return [f"the pool here is {here}, the paper's {theirs}: the figures do not compare"]


@final
class VmcpTrainer(Trainer):
    """The video-music CLIP and GVMGen's evaluation model, from rows of SymMV."""

    title = "video-music CLIP"
    dataset = "symmv"
    presets = PRESETS
    ways = WAYS
    scores = (
        ModelScore(
            name="vmcp",
            kind="vmcp",
            help="Video-Music CLIP Precision: how often music finds its own video among others.",
            title="Music finds its video: P@k in percent, average rank",
            metrics=retrieval.METRICS,
            measure=_measure_vmcp,
            published=published_figures.VMCP,
            options=_MUSIC_OPTIONS,
            beside=Baseline("chance", lambda measured: measured.get("chance", {})),
            remarks=lambda measured: [*_pool(measured), *_heard_by(measured)],
        ),
        ModelScore(
            name="relevance",
            kind="vmcp.gvmgen",
            help="GVMGen's cross-modal relevance (CMR) and temporal alignment (TA), by its "
            "evaluation model.\n\n"
            "The model is that of a training of vmcp with objective=gvmgen.",
            title="Music fits its video as a whole (CMR) and by time (TA)",
            metrics=alignment.METRICS,
            measure=_measure_relevance,
            options=_MUSIC_OPTIONS,
            beside=Baseline(
                "each video with another one's music",
                lambda measured: {
                    metric.name: measured.get(f"{metric.name}_mismatched")
                    for metric in alignment.METRICS
                },
            ),
            remarks=_heard_by,
        ),
    )

    def columns(self, config: Any) -> Columns:
        from symmv_builder.training.vmcp.features import columns

        return columns(config.sound)

    def train(self, config: Any, request: "Request") -> "Outcome":
        from symmv_builder.training.vmcp.train import train

        return train(config, request)


TRAINER = VmcpTrainer()
