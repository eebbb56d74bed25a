"""Chains against counting by hand; a training that goes on to the same bytes; pieces."""

import math
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.api import training
from symmv_builder.datasets.composing import open_composer
from symmv_builder.datasets.subsets import Subset, shards_of, write_subset
from symmv_builder.errors import DataChanged, StopRun, UnknownName, WrongSetting
from symmv_builder.records import Key, Notes
from symmv_builder.settings import read_settings
from symmv_builder.storage.root import Root
from symmv_builder.training import checkpoint, find_trainer, journal
from symmv_builder.training.composing import Order, Passage, Piece, WatchedVideo
from symmv_builder.training.markov.chains import CELLS, CHORDS, TABLES, Chains, cells_of, nats_of
from symmv_builder.training.markov.config import MarkovConfig
from symmv_builder.training.markov.trainer import TRAINER
from symmv_builder.training.runs import Outcome, Request
from symmv_builder.training.trainer import ComposeRequest, ScoreRequest
from symmv_builder.training.vmusprod.songs import QuantisedSong
from tests.training.vmusprod.made_songs import is_same, make_song
from tests.training.vmusprod.song_rows import song_row, write_rows

# In C: two bars, a melody of quarters in the first, a triad in each, F then G.
NOTES = [
    *((4 * beat, pitch, 4, True) for beat, pitch in enumerate((72, 76, 72, 76))),
    *((0, pitch, 8, False) for pitch in (53, 57, 60)),
    *((16, pitch, 16, False) for pitch in (55, 59, 62)),
]
F, G = 5 * 10, 7 * 10
SONG = make_song(NOTES, [(0, 5, 0), (16, 7, 0)])


def counted(chains: Chains, name: str, *state: int) -> dict[int, int]:
    table = TABLES[name]
    row = chains.counts[table.row(*state) :][: table.outcomes]
    return {int(i): int(row[i]) for i in np.flatnonzero(row)}


def rows(count: int, split: str = "train", first: int = 0) -> list[dict[str, Any]]:
    return [
        song_row(first + n, 4 + n % 3, split=split) | {"key_mode": "minor" if n % 3 else "major"}
        for n in range(count)
    ]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Root:
    return write_rows(tmp_path_factory.mktemp("data"), rows(9) + rows(2, "validation", 100))


@pytest.fixture(scope="module")
def learned(dataset: Root, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "whole"
    run(dataset, out)
    return out


def run(root: Root, out: Path, **request: Any) -> Outcome:
    return TRAINER.train(MarkovConfig(batch_size=4), Request(root, "symmv", out, **request))


def pieces(
    run: Path,
    seen: list[WatchedVideo],
    order: Order,
    tempo: float | None = None,
    density: float = 1.0,
) -> list[Piece]:
    def in_c(notes: Notes) -> Key:
        return Key("C", "major", 1.0)

    composer = TRAINER.composer(
        ComposeRequest(run, "cpu", {"tempo": tempo, "density": density}, in_c)
    )
    composer.check(order)
    return list(composer.compose(seen, order, lambda done, of, what: None))


def test_a_song_is_counted_as_by_hand() -> None:
    chains = Chains.of([(SONG, 1)])
    assert counted(chains, "mode", 0) == {1: 1}
    assert counted(chains, "chord", 1, CHORDS) == {F: 1}
    assert counted(chains, "chord", 1, F) == {G: 1}
    assert counted(chains, "chord", 0, F) == {}
    assert counted(chains, "beats", F) == counted(chains, "beats", G) == {4: 1}
    # The melody begins at once, goes on by quarters, and is silent for the second bar.
    assert counted(chains, "gap", 1, 16) == {0: 1}
    assert [counted(chains, "gap", 1, place) for place in (0, 4, 8)] == [{4: 1}] * 3
    assert counted(chains, "gap", 1, 12) == {20: 1}
    assert counted(chains, "together", 0, 0) == {3: 2}
    assert counted(chains, "lasting", 0, 16) == {8: 3, 16: 3}
    assert counted(chains, "melody", 128, 5) == {72: 1}
    assert counted(chains, "melody", 72, 5) == {76: 2}
    assert counted(chains, "above", 0) == {48 + 11: 2, 52 + 11: 2, 55 + 11: 2}
    assert chains.counts.sum() == len(cells_of(SONG, 1)) == 1 + 2 + 2 + 8 + 6 + 10 + 4 + 6


def test_songs_of_all_keys_are_one_song() -> None:
    for shift in (1, 5, -3):
        assert np.array_equal(cells_of(SONG.transposed(shift), 0), cells_of(SONG, 0))


def test_surprise_is_that_of_smoothed_counts() -> None:
    counts = Chains.of([(SONG, 0)] * 3).counts
    cells = cells_of(SONG, 0)
    found = nats_of(cells, counts, 0.5)
    wanted: dict[str, float] = defaultdict(float)
    for cell in cells.tolist():
        [table] = [t for t in TABLES.values() if t.start <= cell < t.start + t.size]
        row = (cell - table.start) // table.outcomes
        total = counts[table.start + row * table.outcomes :][: table.outcomes].sum()
        chance = (counts[cell] + 0.5) / (total + 0.5 * table.outcomes)
        wanted[table.kind] -= math.log(chance)
    assert {kind: nats for kind, (nats, _) in found.items()} == pytest.approx(dict(wanted))
    assert sum(number for _, number in found.values()) == len(cells)


def test_music_has_only_what_was_counted() -> None:
    chains = Chains.of([(SONG, 0)])
    made = chains.compose(8, 100.0, 3)
    assert is_same(made, chains.compose(8, 100.0, 3))
    assert not is_same(made, chains.compose(8, 100.0, 4))
    assert set(made.chord_roots.tolist()) <= {5, 7}
    assert set(made.pitches[made.is_melody].tolist()) <= {72, 76}
    above = made.pitches[~made.is_melody]
    at = np.searchsorted(made.chord_onsets, made.onsets[~made.is_melody], side="right") - 1
    assert set((above - made.chord_roots[at]).tolist()) <= {48, 52, 55}
    assert (made.bars, made.tempo_bpm) == (8, 100.0)


def test_a_pitch_that_only_ended_songs_is_followed_by_another() -> None:
    falls = make_song([(0, 76, 4, True), (4, 72, 4, True)], [(0, 5, 0), (16, 7, 0)])
    made = Chains.of([(falls, 0)]).compose(8, 100.0, 1)
    melody = made.pitches[made.is_melody].tolist()
    assert len(melody) > 2
    assert set(melody) == {72, 76}


def test_a_part_that_no_song_has_is_not_written() -> None:
    alone = make_song([note for note in NOTES if not note[3]], [(0, 5, 0), (16, 7, 0)])
    assert not Chains.of([(alone, 0)]).compose(8, 100.0, 1).is_melody.any()
    with pytest.raises(ValueError, match="shape"):
        Chains(np.zeros(3, dtype=np.int64))


def test_training_counts_each_song_once(learned: Path, dataset: Root) -> None:
    from symmv_builder.training.markov.composer import load
    from symmv_builder.training.vmusprod.songs import song_of

    def songs(of: list[dict[str, Any]]) -> list[tuple[QuantisedSong, int]]:
        return [(song_of(row), int(row["key_mode"] == "minor")) for row in of]

    chains, about, smoothing = load(learned)
    assert np.array_equal(chains.counts, Chains.of(songs(rows(9))).counts)
    held = checkpoint.read(learned, "markov")
    assert (held.state["step"], held.about["songs"], held.state["ended"]) == (3, 9, "")
    lines = journal.read_metrics(learned)
    assert [line["split"] for line in lines] == ["train"] * 3 + ["validation"]
    # What is known of no song surprises more than what is known of all.
    losses = [line["loss"] for line in lines]
    assert losses[0] > 2 * losses[-1]
    cells = np.concatenate([cells_of(*song) for song in songs(rows(2, "validation", 100))])
    found = nats_of(cells, chains.counts, smoothing)
    nats, events = (sum(column) for column in zip(*found.values(), strict=True))
    assert losses[-1] == held.state["best"] == pytest.approx(nats / events)
    assert set(about["tempo_quantiles"]) >= {80.0}


def test_a_run_that_stopped_goes_on_to_the_same_bytes(
    learned: Path, dataset: Root, tmp_path: Path
) -> None:
    out = tmp_path / "stopped"
    assert run(dataset, out, max_s=0.0).ended == "time"
    outcome = run(dataset, out)
    assert (outcome.step, outcome.ended) == (3, "steps")
    for place in ("best", f"checkpoints/{3:08d}"):
        for name in ("model.safetensors", "checkpoint.json"):
            assert (learned / place / name).read_bytes() == (out / place / name).read_bytes()
    assert journal.read_metrics(learned) == journal.read_metrics(out)
    assert run(dataset, out) == outcome


def test_pieces_are_as_long_as_their_video_and_the_same_of_one_seed(learned: Path) -> None:
    seen = WatchedVideo("film", {"video_duration_s": 7.0})
    first, second = pieces(learned, [seen], Order(count=2, key="D major"))
    [again] = pieces(learned, [seen], Order(key="D major"))
    assert [first.name, second.name] == ["film-0", "film-1"]
    assert np.array_equal(first.notes.starts_s, again.notes.starts_s)
    assert np.array_equal(first.notes.pitches, again.notes.pitches)
    assert not np.array_equal(first.notes.pitches, second.notes.pitches)
    assert set(first.tracks) == {"melody", "accompaniment"}
    # Videos of one length have pieces of their own, from the seeds that follow.
    other = replace(seen, name="other")
    of_two = pieces(learned, [seen, other], Order(key="D major"))
    assert [piece.facts["seed"] for piece in of_two] == [0, 1]
    assert np.array_equal(of_two[0].notes.pitches, first.notes.pitches)
    assert np.array_equal(of_two[1].notes.pitches, second.notes.pitches)
    assert first.seconds == 7.0
    assert first.notes.ends_s.max() <= 7.0
    [fixed] = pieces(learned, [], Order(), tempo=77.0)
    assert fixed.tempo_bpm == 77.0
    for asked in (Order(primer="C G"), Order(temperature=0.5), Order(greedy=True), Order(top_k=2)):
        [name] = asked.non_defaults()
        with pytest.raises(StopRun, match=f"this Markov chains cannot heed `{name}`; it heeds"):
            open_composer(learned, {}, "cpu", asked)


def test_a_density_leans_towards_more_notes_or_fewer() -> None:
    even = Chains(np.ones(CELLS, dtype=np.int64))
    sparse, usual, busy = (
        sum(len(even.compose(16, 120.0, seed, density).onsets) for seed in range(3))
        for density in (0.5, 1.0, 4.0)
    )
    assert sparse < 0.8 * usual < 0.8 * 0.8 * busy


def test_a_passage_alone_is_written_anew(learned: Path) -> None:
    [old] = pieces(learned, [], Order(seconds=12.0), tempo=120.0)
    order = Order(seed=5, passage=Passage(3.9, 8.2, old))
    [new] = pieces(learned, [], order)
    assert new.facts["passages"] == [{"of": "piece", "from_s": 4.0, "to_s": 8.0, "seed": 5}]
    assert (new.seconds, new.tempo_bpm, new.facts["seed"]) == (12.0, 120.0, 0)
    for name, before in old.tracks.items():
        after = new.tracks[name]
        kept = [(each.starts_s < 4) | (each.starts_s >= 8) for each in (before, after)]
        for column in ("starts_s", "ends_s", "pitches", "velocities"):
            values = [
                getattr(each, column)[k] for each, k in zip((before, after), kept, strict=True)
            ]
            assert np.array_equal(*values)
    assert not np.array_equal(old.notes.pitches, new.notes.pitches)
    with pytest.raises(StopRun, match=r"passage is '3\.9-4\.2'; no whole beat"):
        pieces(learned, [], Order(passage=Passage(3.9, 4.2, old)))
    with pytest.raises(StopRun, match="leave out `tempo`"):
        pieces(learned, [], order, tempo=90.0)
    with pytest.raises(StopRun, match="this model is markov and `piece` was written by cmt"):
        pieces(learned, [], Order(passage=Passage(1, 9, replace(old, facts={"model": "cmt"}))))


def test_a_split_is_measured_by_kind(learned: Path, dataset: Root) -> None:
    [by] = TRAINER.scores
    measured = by.measure(ScoreRequest(learned, dataset, "symmv", "validation"))
    assert measured["songs"] == 2
    [line] = [x for x in journal.read_metrics(learned) if x["split"] == "validation"]
    assert measured["metrics"] == pytest.approx(
        {kind: line[kind] for kind in ("chord", "rhythm", "pitch")}
    )


def test_rows_without_chords_or_a_mode_are_refused(tmp_path: Path) -> None:
    assert find_trainer("markov") is TRAINER
    bare = [{k: v for k, v in row.items() if k != "key_mode"} for row in rows(2)]
    with pytest.raises(StopRun, match="key_mode"):
        run(write_rows(tmp_path / "bare", bare), tmp_path / "run")
    odd = write_rows(tmp_path / "odd", [row | {"key_mode": "dorian"} for row in rows(2)])
    with pytest.raises(StopRun, match="dorian"):
        run(odd, tmp_path / "other")


def test_counts_that_are_none_are_refused(learned: Path, tmp_path: Path) -> None:
    import torch

    from symmv_builder.training.configs import as_plain
    from symmv_builder.training.markov.composer import load
    from symmv_builder.training.markov.train import Counts

    held = checkpoint.read(learned, "markov")
    broken = Counts()
    broken.counts = torch.full((CELLS,), -1)
    checkpoint.save(
        tmp_path / "run",
        kind="markov",
        config=as_plain(replace(MarkovConfig(), batch_size=4)),
        state=held.state,
        about=held.about,
        module=broken,
    )
    with pytest.raises(StopRun, match="no counts"):
        load(tmp_path / "run")


def test_a_subset_is_learned_from_alone_and_another_one_is_other_data(tmp_path: Path) -> None:
    from symmv_builder.training.markov.composer import load
    from symmv_builder.training.vmusprod.songs import song_of

    root = write_rows(tmp_path / "data", rows(9) + rows(2, "validation", 100))
    names = tuple(row["entry_id"] for row in rows(9)[2:7])
    write_subset(
        root, "symmv", "best", Subset("train", names, shards_of(root, "symmv", "train"), {})
    )
    settings = read_settings(root=root.url)
    config, out = MarkovConfig(batch_size=4), tmp_path / "run"
    outcome = training.run("markov", config, "symmv", out, settings, subset="best")
    chains, _, _ = load(out)
    expected = [(song_of(row), int(row["key_mode"] == "minor")) for row in rows(9)[2:7]]
    assert np.array_equal(chains.counts, Chains.of(expected).counts)
    assert (checkpoint.read(out, "markov").about["songs"], outcome.ended) == (5, "steps")
    with pytest.raises(DataChanged, match="4 entries added"):
        training.run("markov", config, "symmv", out, settings)
    shards = shards_of(root, "symmv", "validation")
    write_subset(root, "symmv", "held", Subset("validation", names, shards, {}))
    with pytest.raises(WrongSetting, match="split validation"):
        training.run("markov", config, "symmv", tmp_path / "other", settings, subset="held")
    with pytest.raises(UnknownName, match="best, held"):
        training.run("markov", config, "symmv", tmp_path / "other", settings, subset="finest")
