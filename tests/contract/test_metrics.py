"""Every metric says what it is, and what is measured is what is declared."""

import numpy as np
import pytest

from symmv_builder import evaluation
from symmv_builder.evaluation import Metric, published_figures
from symmv_builder.evaluation.metric import PlayedNotes
from symmv_builder.evaluation.music import score_song
from symmv_builder.training import model_scores

DECLARED = evaluation.metrics()
OF_MODELS = {
    f"{name}-{metric.name}": metric
    for name, score in model_scores().items()
    for metric in score.metrics
}
EVERY = {f"{module}-{metric.name}": metric for module, some in DECLARED.items() for metric in some}


@pytest.mark.parametrize("metric", (EVERY | OF_MODELS).values(), ids=(EVERY | OF_MODELS).keys())
def test_a_metric_says_definition_source_unit_direction_and_what_it_reads(metric: Metric) -> None:
    assert metric.name.isidentifier()
    assert metric.heading
    assert metric.definition
    assert metric.source
    assert metric.unit
    assert metric.best in ("high", "low", "real")
    assert metric.reads


def test_no_two_metrics_of_a_module_share_a_name() -> None:
    for some in DECLARED.values():
        assert len({metric.name for metric in some}) == len(some)


def test_the_figures_of_papers_are_of_metrics_that_are_declared() -> None:
    names = {metric.name for metric in (EVERY | OF_MODELS).values()}
    for family in ("MUSIC", "VMCP", "AMT", "REGRESSOR", "BEATS", "AUDIO"):
        for figures in getattr(published_figures, family):
            assert set(figures.values) <= names, figures


def test_every_metric_of_notes_is_a_number_of_two_notes_and_in_the_scores_of_a_song() -> None:
    song = PlayedNotes(np.array([0.0, 0.5]), np.array([0.4, 1.0]), np.array([60, 67]))
    metrics = evaluation.song_metrics()
    assert all(np.isfinite(metric.measure(song)) for metric in metrics)
    scores = score_song(song.starts_s, song.ends_s, song.pitches, metrics=metrics)
    assert list(scores) == [metric.name for metric in metrics]
