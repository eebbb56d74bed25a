"""The music metrics of rows and MIDI files, and beat coverage and hit: no trained model of ours."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from symmv_builder.backends import ModelLoader
from symmv_builder.datasets import evaluate as measure
from symmv_builder.datasets.evaluate import MusicOf, Refused, Tell
from symmv_builder.datasets.lacking import explaining
from symmv_builder.datasets.remembered import require_receipt
from symmv_builder.errors import WrongArguments
from symmv_builder.evaluation import Metric, published_figures, song_metrics
from symmv_builder.evaluation import beats as beat_metrics
from symmv_builder.evaluation import music as metrics
from symmv_builder.evaluation.published_figures import Figures
from symmv_builder.settings import Settings
from symmv_builder.storage.root import Root

__all__ = ["BeatsReport", "MusicOf", "MusicReport", "Refused"]


@dataclass(frozen=True, slots=True)
class MusicReport:
    """The metrics of a collection of music, and of the real music beside it."""

    ours: MusicOf
    real: MusicOf | None = None
    published: Sequence[Figures] = published_figures.MUSIC

    @property
    def columns(self) -> Sequence[Metric]:
        """The metrics, in the order of the table."""
        return song_metrics()

    @property
    def distance(self) -> dict[str, float] | None:
        """How far the means lie from those of the real music; `None` without a reference."""
        if self.real is None:
            return None
        return metrics.distance(self.ours.summary.mean, self.real.summary.mean)

    @property
    def refused(self) -> tuple[Refused, ...]:
        """Files that could not be read."""
        return (*self.ours.refused, *(self.real.refused if self.real else ()))

    def as_json(self) -> dict[str, Any]:
        """Give everything as plain data."""
        out = _collection(self.ours)
        if self.real:
            out["reference"] = _collection(self.real)
            out["distance"] = self.distance
        out["published"] = [asdict(figures) for figures in self.published]
        return out


def _collection(of: MusicOf) -> dict[str, Any]:
    summary = of.summary
    return {
        "dataset": of.name,
        "split": of.split or None,
        "songs": summary.songs,
        "left_out": summary.left_out + len(of.left_out),
        "unusable": dict(of.left_out),
        "beats": of.clock,
        "metrics": dict(summary.mean),
        "median": dict(summary.median),
        "deviation": dict(summary.deviation),
        "untrained": list(of.untrained),
        "refused": [asdict(refused) for refused in of.refused],
    }


def music(
    settings: Settings,
    *paths: str | Path,
    dataset: str | None = None,
    split: str = "test",
    reference: str | None = None,
    notes: Literal["notes", "parts"] = "notes",
    tracked: bool = True,
    tell: Tell = measure.silent,
) -> MusicReport:
    """Scale consistency, pitch and pitch class entropy, empty beat rate, inter-onset interval.

    Of MIDI files and folders, or of the rows of a dataset's split; `notes` are the transcribed
    ones or the quantised parts, beats are `tracked` or 120 to the minute. `reference` is real
    music: a dataset of the root, a file or a folder. `StopRun` where both or neither are given,
    and where there is nothing to measure.
    """
    if bool(paths) == bool(dataset):
        raise WrongArguments("name either MIDI files and folders, or a `dataset`")
    data, manifests = Root(settings.root), settings.open_manifests()

    def of(what: str | None, files: Sequence[Path]) -> MusicOf:
        if what is None:
            return measure.music_of_files(files, tell=tell)
        require_receipt(data, manifests, what)
        with explaining(manifests, what):
            return measure.music_of_dataset(
                data, what, split, notes=notes, tracked=tracked, tell=tell
            )

    ours = of(dataset, [Path(path) for path in paths])
    if not reference:
        return MusicReport(ours)
    is_dataset = measure.is_dataset(data, reference)
    return MusicReport(ours, of(reference if is_dataset else None, [Path(reference)]))


@dataclass(frozen=True, slots=True)
class BeatsReport:
    """Beat coverage and hit of generated music against the real music of each video.

    `scores` are in percent; `alone` names pieces without a reference that has a beat.
    """

    reference: str
    scores: Mapping[str, float]
    pairs: int
    alone: tuple[str, ...]
    points: str
    window_s: float
    untrained: tuple[str, ...]
    refused: tuple[Refused, ...]
    left_out: Mapping[str, str]
    published: Sequence[Figures] = published_figures.BEATS
    columns: Sequence[Metric] = beat_metrics.METRICS

    def as_json(self) -> dict[str, Any]:
        """Give everything as plain data."""
        return {
            "dataset": self.reference,
            "metrics": dict(self.scores),
            "pairs": self.pairs,
            "without_pair": list(self.alone),
            "points": self.points,
            "window_s": self.window_s,
            "untrained": list(self.untrained),
            "refused": [asdict(refused) for refused in self.refused],
            "unusable": dict(self.left_out),
            "published": [asdict(figures) for figures in self.published],
        }


def beats(
    settings: Settings,
    *paths: str | Path,
    reference: str,
    split: str = "test",
    window: float = 1.0,
    points: Literal["beats", "onsets"] = "beats",
    backend: str | None = None,
    tell: Tell = measure.silent,
) -> BeatsReport:
    """Compare the beats of generated and real music, paired by name: coverage, hit and F1.

    `window` is in seconds; of recordings `backend` tracks the beats. `StopRun` where nothing pairs.
    """
    data, loader = Root(settings.root), ModelLoader(settings.home)
    if measure.is_dataset(data, reference):
        real = measure.moments_of_dataset(data, reference, split, points)
    else:
        real = measure.moments_of_files(
            [Path(reference)], points, loader, backend=backend, tell=tell
        )
    files = [Path(path) for path in paths]
    ours = measure.moments_of_files(files, points, loader, backend=backend, tell=tell)
    scores, pairs, alone = measure.beat_scores(ours, real, window)
    return BeatsReport(
        reference,
        scores,
        pairs,
        tuple(alone),
        points,
        window,
        tuple(sorted({*ours.untrained, *real.untrained})),
        (*ours.refused, *real.refused),
        real.left_out,
    )
