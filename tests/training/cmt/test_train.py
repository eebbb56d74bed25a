"""The loop learns and goes on to the same bytes; its models write music and are measured."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.datasets.composing import open_composer
from symmv_builder.errors import StopRun
from symmv_builder.records import Key, Notes
from symmv_builder.storage.root import Root
from symmv_builder.training import checkpoint, find_trainer, journal
from symmv_builder.training.cmt.composer import CmtComposer
from symmv_builder.training.cmt.config import PRESETS, CmtConfig
from symmv_builder.training.cmt.control import USUAL_FLOW
from symmv_builder.training.cmt.trainer import TRAINER
from symmv_builder.training.composing import Order, Passage, Piece, WatchedVideo
from symmv_builder.training.runs import Outcome, Request, configure
from symmv_builder.training.trainer import ComposeRequest, ScoreRequest
from symmv_builder.training.usable import UnusableRow
from symmv_builder.training.vmusprod.songs import song_in_fours
from tests.training.vmusprod.song_rows import small_dataset, song_row, write_rows

TINY = replace(
    PRESETS["smoke"],
    width=16,
    heads=2,
    feedforward=24,
    layers=1,
    max_tokens=96,
    steps=40,
    lr=1e-2,
    warmup=4,
    validate_every=20,
    checkpoint_every=15,
    log_every=10,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return small_dataset(tmp_path_factory.mktemp("data"), train=8, validation=2)


@pytest.fixture(scope="module")
def learned(dataset: Root, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    run(TINY, dataset, out)
    return out


def run(config: CmtConfig, root: Root, out: Path, **request: Any) -> Outcome:
    return TRAINER.train(config, Request(root, "symmv", out, **request))


def pieces(run: Path, seen: list[WatchedVideo], order: Order, **options: Any) -> list[Piece]:
    chosen = {"tempo": None, "control": 1.0, "density": 1.0} | options
    composer = TRAINER.composer(
        ComposeRequest(run, "cpu", chosen, lambda notes: Key("C", "major", 1.0))
    )
    composer.check(order)
    return list(composer.compose(seen, order, lambda done, of, what: None))


def video(seconds: float, bpm: float = 120.0) -> WatchedVideo:
    """A video that moves faster from second to second, with a visual beat on each beat."""
    times = np.arange(1, int(seconds * bpm / 60)) * 60 / bpm
    row = {
        "video_duration_s": seconds,
        "flow_magnitude": np.linspace(0, 0.4, int(seconds * 5), dtype=np.float32),
        "visual_beats_times_s": times,
        "visual_beats_strengths": np.full(len(times), 0.6, dtype=np.float32),
        "visual_beats_tempo_bpm": bpm,
    }
    return WatchedVideo("film", row)


def test_the_trainer_is_found_by_its_name() -> None:
    assert find_trainer("cmt") is TRAINER
    assert TRAINER.composes
    paper = configure("cmt", "paper", {})
    assert (paper.width, paper.layers, paper.heads, paper.feedforward) == (512, 12, 8, 2048)
    with pytest.raises(StopRun, match="no multiple"):
        configure("cmt", "smoke", {"heads": "7"})


def test_losses_fall_and_the_best_model_is_kept(learned: Path, dataset: Root) -> None:
    lines = journal.read_metrics(learned)
    train = [line["loss"] for line in lines if line["split"] == "train"]
    validation = [line["loss"] for line in lines if line["split"] == "validation"]
    assert train[-1] < 0.7 * train[0]
    held = checkpoint.read(learned, "cmt")
    assert held.state["best"] == min(validation)
    about = held.about
    rows = [song_in_fours(song_row(n, 4 + n % 4)) for n in range(8)]
    bars = [np.unique(song.onsets // 16, return_counts=True)[1] for song in rows]
    assert sum(about["densities"]) == sum(song.bars for song in rows) == sum(map(len, bars))
    # A bar of these songs has four onsets, on beats, two of them of four notes.
    assert about["densities"][4] == sum(about["densities"])
    assert about["strengths"][0] == about["strengths"][3] == 2 * sum(about["densities"])
    assert (about["instruments"], about["songs"], about["has_video"]) == ([2], 8, False)
    assert about["flow_quantiles"] == USUAL_FLOW


def test_a_run_that_stopped_goes_on_to_the_same_bytes(
    learned: Path, dataset: Root, tmp_path: Path
) -> None:
    outcome = run(TINY, dataset, tmp_path / "stopped", max_s=0.0)
    assert (outcome.step, outcome.ended) == (1, "time")
    outcome = run(TINY, dataset, tmp_path / "stopped")
    assert (outcome.step, outcome.ended) == (40, "steps")
    for place in ("best", f"checkpoints/{40:08d}"):
        for name in ("model.safetensors", "checkpoint.json"):
            one, other = (folder / place / name for folder in (learned, tmp_path / "stopped"))
            assert one.read_bytes() == other.read_bytes(), (place, name)
    assert journal.read_metrics(learned) == journal.read_metrics(tmp_path / "stopped")
    assert run(TINY, dataset, tmp_path / "stopped") == outcome


def test_a_loss_that_is_no_number_stops_the_run(dataset: Root, tmp_path: Path) -> None:
    with pytest.raises(StopRun, match=r"the loss is nan behind step \d+; lower lr"):
        run(replace(TINY, lr=1e30, log_every=1), dataset, tmp_path / "run")


def test_videos_of_the_corpus_set_the_thresholds(tmp_path: Path) -> None:
    rows = [song_row(n, 4) | dict(video(4.0).row) for n in range(2)]
    for row in rows:
        del row["visual_beats_tempo_bpm"], row["video_duration_s"]
    root = write_rows(tmp_path / "data", rows)
    outcome = run(replace(TINY, steps=1), root, tmp_path / "run")
    about = checkpoint.read(outcome.checkpoint, "cmt").about
    flow = np.linspace(0, 0.4, 20, dtype=np.float32)
    assert about["has_video"]
    assert about["flow_quantiles"][0] == pytest.approx(flow[:10].mean())
    assert about["flow_quantiles"][-1] == pytest.approx(flow[10:].mean())
    assert about["salience_quantiles"] == pytest.approx([0.6] * 101)


def test_a_video_is_set_to_music_by_its_beats(learned: Path) -> None:
    seen = video(6.0)
    [piece] = pieces(learned, [seen], Order(seed=2))
    [again] = pieces(learned, [seen], Order(seed=2))
    [other] = pieces(learned, [seen], Order(seed=3))
    first, second = pieces(learned, [seen, replace(seen, name="next")], Order(seed=2))
    assert [first.facts["seed"], second.facts["seed"]] == [2, 3]
    assert np.array_equal(second.notes.pitches, other.notes.pitches)
    assert _same(piece.tracks["piano"], again.tracks["piano"])
    assert not _same(piece.tracks["piano"], other.tracks["piano"])
    assert (piece.tempo_bpm, piece.seconds) == (120.0, 6.0)
    notes = piece.tracks["piano"]
    assert notes.ends_s.max() <= 6.0
    # On each visual beat notes begin, as many as is asked within what the model makes of it.
    starts = set(np.round(notes.starts_s, 6).tolist())
    assert {float(time) for time in seen.row["visual_beats_times_s"]} <= starts
    facts = piece.facts
    assert facts["densities_asked"] == [4, 4, 4]
    assert len(facts["densities"]) == 3
    assert facts["steps_asked"] == list(range(4, 48, 4))
    assert "said" not in facts


def test_the_door_gives_the_model_its_options(learned: Path) -> None:
    assert isinstance(open_composer(learned, {"control": 0.2, "tempo": 90.0}, "cpu"), CmtComposer)
    with pytest.raises(StopRun, match=r"control is 1\.5; it can be 0 to 1"):
        open_composer(learned, {"control": 1.5}, "cpu")
    with pytest.raises(StopRun, match="follow is for V-MusProd; this model is CMT"):
        open_composer(learned, {"follow": False}, "cpu")
    broken = WatchedVideo("film", dict(video(4.0).row) | {"flow_magnitude": np.array([np.inf])})
    with pytest.raises(StopRun, match="for film: its column flow_magnitude"):
        pieces(learned, [broken], Order())


def test_nothing_of_a_video_is_heeded_where_that_is_asked(learned: Path) -> None:
    [piece] = pieces(learned, [video(4.0)], Order(), control=0.0)
    assert piece.facts["densities_asked"] == [-1, -1]
    assert piece.facts["steps_asked"] == []


def test_music_without_a_video_has_the_corpus_s_length_and_tempo(learned: Path) -> None:
    made = pieces(learned, [], Order(count=2, key="D major"))
    assert [piece.name for piece in made] == ["piece-0", "piece-1"]
    assert all(75 <= piece.tempo_bpm <= 125 for piece in made)
    [slow] = pieces(learned, [], Order(seconds=5.0), tempo=60.0)
    assert (slow.tempo_bpm, slow.seconds) == (60.0, 5.0)
    [blind] = pieces(learned, [WatchedVideo("film", {"video_duration_s": 3.0})], Order())
    assert "gave its length alone" in blind.facts["said"]
    with pytest.raises(StopRun, match="this CMT cannot heed `primer`; it heeds `control`"):
        open_composer(learned, {}, "cpu", Order(primer="C G"))


def test_a_density_is_a_factor_of_what_is_asked_of_each_bar(learned: Path) -> None:
    for factor, asked in ((2.0, [8, 8, 8]), (0.5, [2, 2, 2])):
        [piece] = pieces(learned, [video(6.0)], Order(), density=factor)
        assert piece.facts["densities_asked"] == asked
    # Without a video the usual density is what is multiplied.
    [usual] = pieces(learned, [], Order(seconds=8.0), density=2.0)
    assert min(usual.facts["densities_asked"]) > 0


def outside(piece: Piece, start_s: float, end_s: float) -> list[tuple[float, ...]]:
    """The piano's notes that do not begin between two times, as rows."""
    notes = piece.tracks["piano"]
    kept = (notes.starts_s < start_s - 1e-6) | (notes.starts_s >= end_s - 1e-6)
    names = ("starts_s", "ends_s", "pitches", "velocities")
    return list(zip(*(getattr(notes, name)[kept].tolist() for name in names), strict=True))


def test_a_passage_is_whole_bars_and_all_else_stays(learned: Path) -> None:
    seen = video(10.0)
    [piece] = pieces(learned, [seen], Order(seed=2))

    def again(start_s: float, end_s: float, seed: int, **more: Any) -> Piece:
        asked = Order(seed=seed, passage=Passage(start_s, end_s, piece))
        [rewritten] = pieces(learned, [seen], asked, **more)
        return rewritten

    # Bars of two seconds.
    second, same, other = (again(1.5, 6.5, seed) for seed in (7, 7, 8))
    assert second.facts["passages"] == [{"of": "film", "from_s": 2.0, "to_s": 6.0, "seed": 7}]
    assert outside(second, 2.0, 6.0) == outside(piece, 2.0, 6.0)
    assert _same(second.tracks["piano"], same.tracks["piano"])
    assert not _same(second.tracks["piano"], other.tracks["piano"])
    assert not _same(second.tracks["piano"], piece.tracks["piano"])
    # What the video asks of the bars is heeded anew, within what bars of the corpus have.
    assert second.facts["densities_asked"] == piece.facts["densities_asked"]
    starts = set(np.round(second.tracks["piano"].starts_s, 6).tolist())
    assert {float(time) for time in seen.row["visual_beats_times_s"]} <= starts
    dense = again(2.0, 6.0, 7, density=4.0)
    assert dense.facts["densities_asked"] == [4, 16, 16, 4, 4]
    assert dense.facts["steps_asked"] == piece.facts["steps_asked"]
    # From the first bar, and up to the end of the piece.
    whole = again(0.0, 10.0, 7)
    assert (outside(whole, 0.0, 10.0), whole.seconds) == ([], 10.0)
    assert whole.tracks["piano"].ends_s.max() <= 10.0


def test_a_passage_without_a_bar_or_of_another_model_is_refused(learned: Path) -> None:
    [piece] = pieces(learned, [], Order(seconds=6.0), tempo=120.0)
    for passage, options, line in (
        (Passage(0.5, 2.5, piece), {}, "no whole bar of the piece lies within it"),
        (Passage(0.0, 2.0, piece), {"tempo": 90.0}, "leave out `tempo`"),
        (Passage(0.0, 2.0, replace(piece, facts={"model": "markov"})), {}, "was written by markov"),
    ):
        with pytest.raises(StopRun, match=line):
            pieces(learned, [], Order(passage=passage), **options)
    # A piece whose JSON no longer says what was asked of it.
    bare = replace(piece, facts={"model": "cmt", "densities_asked": "x", "steps_asked": [[]]})
    [again] = pieces(learned, [], Order(passage=Passage(2.0, 4.0, bare)))
    assert again.facts["densities_asked"] == [-1, -1, -1]


def test_control_errors_are_measured_on_a_split(learned: Path, dataset: Root) -> None:
    [by] = TRAINER.scores
    request = ScoreRequest(learned, dataset, "symmv", "validation")
    measured = by.measure(request)
    assert measured["songs"] == 2
    metrics = measured["metrics"]
    lines = [x for x in journal.read_metrics(learned) if x["split"] == "validation"]
    assert metrics["loss"] == pytest.approx(lines[-1]["loss"], rel=1e-5)
    assert metrics["density_error"] >= 0
    assert metrics["strength_error"] <= metrics["free_strength_error"]
    assert set(by.beside.values(metrics)) == {"density_error", "strength_error"}  # type: ignore[union-attr]


def test_a_song_in_three_is_left_out() -> None:
    row = song_row(1, 4)
    row["beats_positions"] = np.arange(17) % 3 + 1
    with pytest.raises(UnusableRow, match="three beats"):
        song_in_fours(row)


def _same(one: Notes, other: Notes) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name))
        for name in ("starts_s", "ends_s", "pitches", "velocities")
    )
