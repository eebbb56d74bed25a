"""The metrics of a run, against what is worked out by hand from its own logits."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from symmv_builder.errors import OtherFeatures, StopRun
from symmv_builder.storage.root import Root
from symmv_builder.training.amt.config import AmtConfig
from symmv_builder.training.amt.examples import prepare
from symmv_builder.training.amt.loading import load
from symmv_builder.training.amt.score import score
from symmv_builder.training.amt.vocabulary import matching_table
from symmv_builder.training.data import Rows
from tests.training.amt.amt_rows import TINY, VIDEO, amt_row, small_dataset, write_rows
from tests.training.amt.test_compose import write_model


@pytest.fixture
def dataset(tmp_path: Path) -> Root:
    return small_dataset(tmp_path / "data", test=5)


@pytest.mark.parametrize("config", [TINY, replace(TINY, model="transformer")])
def test_metrics_are_those_of_each_song_alone_then_averaged(
    config: AmtConfig, dataset: Root, tmp_path: Path
) -> None:
    run = write_model(tmp_path / "run", config, 16 if config.sees_video else 0)
    found = score(run, dataset, "muvisync", "test")
    model, table = load(run).model, matching_table()
    columns = ("normalised_chords_labels", "key_mode", "semantic", "scene_offset", "motion",
               "emotion")  # fmt: skip
    hits: dict[int, list[float]] = {1: [], 3: [], 5: []}
    matching = []
    for row in Rows(dataset, "muvisync", "test", columns):
        made = prepare(row, config)
        assert made is not None
        film = torch.from_numpy(made["video"])[None] if config.sees_video else None
        inputs, key = torch.from_numpy(made["inputs"])[None], torch.from_numpy(made["key"])[None]
        with torch.no_grad():
            logits = model(inputs, key, None, film)[0].double().numpy()
        places = (-logits).argsort(axis=1)
        for k, values in hits.items():
            right = [t in best[:k] for t, best in zip(made["targets"], places, strict=True)]
            values.append(float(np.mean(right)))
        share = 1 / (1 + np.exp(-logits[:-1]))
        suits = table[made["emotions"][:-1]]
        matching.append(-np.log(np.where(suits, share, 1 - share)).mean())
    assert found["songs"] == 5
    assert found["model"] == config.model
    for k, values in hits.items():
        assert found["metrics"][f"hits{k}"] == pytest.approx(np.mean(values))
    assert found["metrics"]["matching_loss"] == pytest.approx(np.mean(matching), rel=1e-4)


def test_confusions_count_every_chord_of_the_songs_once(dataset: Root, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    found = score(write_model(tmp_path / "run"), dataset, "muvisync", "test",
                  tell=lambda done, songs: told.append((done, songs)))  # fmt: skip
    rows = [amt_row(number, 10 + number % 7) for number in range(5)]
    labels = [label for row in rows for label in row["normalised_chords_labels"]]
    chord, root, quality = (found["confusion"][name] for name in ("chord", "root", "quality"))
    assert chord.shape == (157, 157)
    assert (root.shape, quality.shape) == ((13, 13), (14, 14))
    assert chord.sum() == root.sum() == quality.sum() == len(labels)
    assert chord[0].sum() == labels.count("N")
    assert root[9].sum() == labels.count("A:min")
    assert found["confusion"]["emotion"].shape == (13, 13)
    assert told == [(5, 5)]


def test_a_split_without_feelings_has_no_matching_loss(tmp_path: Path) -> None:
    bare = {k: v for k, v in amt_row(1, 9, split="test").items() if k not in VIDEO}
    root = write_rows(tmp_path / "data", [bare])
    run = write_model(tmp_path / "run", replace(TINY, model="transformer"), 0)
    assert set(score(run, root, "muvisync", "test")["metrics"]) == {"hits1", "hits3", "hits5"}


def test_features_of_another_width_cannot_be_scored(dataset: Root, tmp_path: Path) -> None:
    run = write_model(tmp_path / "run", TINY, 776)
    with pytest.raises(OtherFeatures, match=r"muvisync has 16 video features .* from 776"):
        score(run, dataset, "muvisync", "test")


def test_a_split_without_rows_cannot_be_scored(tmp_path: Path) -> None:
    root = small_dataset(tmp_path / "data", test=0)
    with pytest.raises(StopRun, match="no row of the split test"):
        score(write_model(tmp_path / "run"), root, "muvisync", "test")
