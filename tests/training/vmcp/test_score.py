"""What a model is worth: ten pairs learned by heart are found again, others' music is not."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder import backends
from symmv_builder.api import ranking
from symmv_builder.backends.midi import read_notes, write_notes
from symmv_builder.backends.pyav.encode import write_sound
from symmv_builder.backends.sampler import render
from symmv_builder.datasets.subsets import FINETUNE, read_subset, shards_of
from symmv_builder.errors import (
    Damaged,
    NoRows,
    NoSuchPath,
    StopRun,
    UnknownName,
    WrongSetting,
)
from symmv_builder.settings import read_settings
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt, write_receipt
from symmv_builder.training.rows import Rows, SubsetRows
from symmv_builder.training.runs import Outcome, Request
from symmv_builder.training.vmcp import rank as ranker
from symmv_builder.training.vmcp import relevance, score
from symmv_builder.training.vmcp.config import PRESETS
from symmv_builder.training.vmcp.hearing import notes_of
from symmv_builder.training.vmcp.train import train
from tests.media import Samples, write_media
from tests.training.vmcp import tones
from tests.training.vmcp.clip_rows import CLIP, TINY, clip_row, write_rows

SONGS = 10


@dataclass(frozen=True)
class Learned:
    """A run of each objective over ten pairs, without dropout until they are known."""

    root: Root
    vmcp: Outcome
    gvmgen: Outcome


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> Learned:
    folder = tmp_path_factory.mktemp("learned")
    root = write_rows(folder / "data", [clip_row(n, 9 + 3 * (n % 3)) for n in range(SONGS)])
    small = replace(
        PRESETS["smoke"], embedding="tones", dropout=0.0, batch_size=SONGS, steps=120, warmup=10
    )
    with pytest.MonkeyPatch.context() as patch:
        table = f"{tones.__name__}:Tones"
        patch.setitem(backends.TABLE, ("audio_embedding", tones.NAME), table)
        vmcp = train(small, Request(root, "symmv", folder / "vmcp"))
        other = replace(small, objective="gvmgen", steps=250)
        gvmgen = train(other, Request(root, "symmv", folder / "gvmgen"))
    return Learned(root, vmcp, gvmgen)


def write_music(folder: Path, shift: int, numbers: range = range(SONGS)) -> Path:
    """MIDI for each entry: its own music, or that of the entry `shift` further on."""
    folder.mkdir()
    for number in numbers:
        other = (number + shift) % SONGS
        notes = notes_of(clip_row(other, 9 + 3 * (other % 3)))
        write_notes(folder / f"song-{number:03d}.mid", {"piano": notes})
    return folder


@pytest.mark.slow
def test_ten_pairs_are_learned_by_heart_and_every_piece_finds_its_video(learned: Learned) -> None:
    assert learned.vmcp.losses["loss"] < 0.1
    told: list[Any] = []
    found = score.score(
        learned.vmcp.best, learned.root, "symmv", "train", tell=lambda *t: told.append(t)
    )
    assert (found["p5"], found["p10"], found["p20"], found["ar"]) == (100, 100, 100, 1)
    assert (found["pool"], found["songs"], found["videos"]) == (SONGS, SONGS, SONGS)
    assert found["chance"] == {"p5": 50, "p10": 100, "p20": 100, "ar": 5.5}
    assert told == [(n, SONGS) for n in range(1, SONGS + 1)]


@pytest.mark.slow
def test_by_heart_relevance_is_far_above_that_of_mismatched_pairs(learned: Learned) -> None:
    assert learned.gvmgen.losses["loss"] < 0.3
    found = relevance.score(learned.gvmgen.best, learned.root, "symmv", "train")
    assert found["accuracy"] == 1
    assert found["cmr"] > found["cmr_others"] + 0.5
    assert found["cmr"] > found["cmr_mismatched"] + 0.2
    assert found["ta"] > 0.8 > found["ta_mismatched"]
    assert found["ta_chance"] == pytest.approx((4 / 3 + 3 / 4 + 3 / 5) / 10)


@pytest.mark.slow
def test_generated_music_is_taken_from_files_named_by_entry(
    learned: Learned, tmp_path: Path
) -> None:
    ask = learned.vmcp.best, learned.root, "symmv", "train"
    own = score.score(*ask, music=write_music(tmp_path / "own", 0))
    others = score.score(*ask, music=write_music(tmp_path / "others", 3))
    assert (own["songs"], own["ar"]) == (SONGS, 1)
    assert others["ar"] > 3
    few = score.score(*ask, music=write_music(tmp_path / "few", 0, range(2, 5)))
    assert (few["songs"], few["pool"], few["sound"]) == (3, SONGS, "rendered")
    assert len(few["left_out"]) == SONGS - 3
    assert set(few["left_out"].values()) == {"no file of music is called so"}

    ask = learned.gvmgen.best, learned.root, "symmv", "train"
    own = relevance.score(*ask, music=tmp_path / "own")
    others = relevance.score(*ask, music=tmp_path / "others")
    assert own["cmr"] > others["cmr"] + 0.2
    assert own["ta"] > others["ta"]


def test_a_video_that_two_songs_share_is_one_video(learned: Learned, tmp_path: Path) -> None:
    rows = [clip_row(n, 9, split="test", url=f"file:{n // 2}") for n in range(6)]
    found = score.score(learned.vmcp.best, write_rows(tmp_path, rows), "symmv", "test")
    assert (found["songs"], found["videos"], found["pool"]) == (6, 3, 3)


def test_a_song_longer_than_in_training_is_encoded_piece_by_piece(tmp_path: Path) -> None:
    root = write_rows(tmp_path / "data", [clip_row(n, 30) for n in range(3)])
    outcome = train(replace(TINY, max_segments=4), Request(root, "symmv", tmp_path / "run"))
    assert score.score(outcome.best, root, "symmv", "train")["songs"] == 3


def test_one_song_alone_has_no_mismatched_pair(learned: Learned, tmp_path: Path) -> None:
    root = write_rows(tmp_path, [clip_row(1, 9, split="test")])
    found = relevance.score(learned.gvmgen.best, root, "symmv")
    assert math.isnan(found["cmr_mismatched"])
    assert found["songs"] == 1


def test_a_folder_without_music_for_the_split_stops_the_run(
    learned: Learned, tmp_path: Path
) -> None:
    ask = learned.vmcp.best, learned.root, "symmv", "train"
    with pytest.raises(StopRun, match=r"no MIDI file named by an entry .* as song-000\.mid"):
        score.score(*ask, music=tmp_path)
    with pytest.raises(StopRun, match="is not a folder"):
        score.score(*ask, music=tmp_path / "nowhere")
    (tmp_path / "song-000.mid").write_bytes(b"no MIDI")
    with pytest.raises(StopRun, match=r"song-000\.mid cannot be used"):
        score.score(*ask, music=tmp_path)


@pytest.mark.slow
def test_recordings_are_taken_as_well_as_midi_and_the_sound_goes_before_the_video(
    learned: Learned, tmp_path: Path
) -> None:
    ask = learned.vmcp.best, learned.root, "symmv", "train"
    own, mixed = write_music(tmp_path / "own", 0), tmp_path / "mixed"
    mixed.mkdir()
    endings = (".wav", ".flac", ".mp3", ".mp4", ".mid")
    for number, path in enumerate(sorted(own.iterdir())):
        samples = render(read_notes(path), rate_hz=44_100)
        suffix = endings[number % len(endings)]
        codec = {".mp3": "libmp3lame", ".mp4": "aac"}.get(suffix)
        target = mixed / f"{path.stem}{suffix}"
        if codec:
            write_media(target, Samples(samples, 44_100, "stereo", codec=codec))
        elif suffix == ".mid":
            target.write_bytes(path.read_bytes())
        else:
            write_sound(target, samples, 44_100)
    found = score.score(*ask, music=mixed)
    assert (found["songs"], found["ar"]) == (SONGS, 1)
    assert found["sound"] == "recording and rendered"
    # Beside a piece's MIDI its video, as `symmv generate` leaves it: another one's, to tell.
    for path in mixed.glob("*.wav"):
        write_media(path.with_suffix(".mp4"), Samples(np.zeros((44_100, 2), np.float32), 44_100,
                                                      "stereo", codec="aac"))  # fmt: skip
    for sound in ("rendered", "recording"):
        assert score.score(*ask, music=mixed, sound=sound)["ar"] == 1
    for path in mixed.glob("*.wav"):
        path.with_suffix(".mid").write_bytes((own / f"{path.stem}.mid").read_bytes())
        path.write_bytes(b"broken")
    assert score.score(*ask, music=mixed)["songs"] == SONGS
    heard = score.score(*ask, music=mixed, sound="recording")
    assert sorted(heard["left_out"]) == ["song-000", "song-005"]
    assert all("cannot be used" in reason for reason in heard["left_out"].values())


def test_two_files_for_one_entry_stop_the_run(learned: Learned, tmp_path: Path) -> None:
    folder = write_music(tmp_path / "music", 0)
    (folder / "song-001.vmusprod.mid").write_bytes((folder / "song-001.mid").read_bytes())
    with pytest.raises(StopRun, match="several MIDI files for song-001"):
        score.score(learned.vmcp.best, learned.root, "symmv", "train", music=folder)


def test_a_model_of_the_other_objective_stops_the_run(learned: Learned) -> None:
    with pytest.raises(StopRun, match=r"a checkpoint of vmcp\.gvmgen, not of vmcp"):
        score.score(learned.gvmgen.best, learned.root, "symmv", "train")
    with pytest.raises(StopRun, match=r"a checkpoint of vmcp, not of vmcp\.gvmgen"):
        relevance.score(learned.vmcp.best, learned.root, "symmv", "train")


def test_rows_seen_by_another_model_than_in_training_stop_the_run(
    learned: Learned, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CLIP, "weights_sha256", "cd" * 32)
    root = write_rows(tmp_path, [clip_row(1, 9, split="test")])
    with pytest.raises(
        StopRun, match=r"has video_model .* cdcd.* learned from video_model vit-b-32 abab"
    ):
        score.score(learned.vmcp.best, root, "symmv")


def test_a_split_without_rows_stops_the_run(learned: Learned) -> None:
    for module, outcome in ((score, learned.vmcp), (relevance, learned.gvmgen)):
        with pytest.raises(StopRun, match="no row of the split test"):
            module.score(outcome.best, learned.root, "symmv")


@pytest.fixture
def own(learned: Learned, tmp_path: Path) -> Root:
    """The same rows, but that the music of song 3 is that of song 7; in a root of its own."""
    del learned
    rows = [clip_row(n, 9 + 3 * (n % 3)) for n in range(SONGS)]
    other = clip_row(7, 9 + 3 * (7 % 3))
    rows[3] = other | {
        name: rows[3][name]
        for name in ("entry_id", "song_id", "split", "semantic")
        if name in other
    }
    return write_rows(tmp_path / "data", rows)


@pytest.mark.parametrize("objective", ["vmcp", "gvmgen"])
def test_music_of_another_video_comes_last_and_the_order_is_always_the_same(
    objective: str,
    learned: Learned,
    own: Root,
) -> None:
    best = getattr(learned, objective).best
    first, again = (ranker.rank(best, own, "symmv") for _ in range(2))
    assert first == again
    assert len(first.rows) == SONGS
    assert first.rows[-1][0] == "song-003"
    similarities = [similarity for _, similarity in first.rows]
    assert similarities == sorted(similarities, reverse=True)
    assert similarities[-2] - similarities[-1] > 0.1
    assert first.shards == shards_of(own, "symmv", "train")


def test_the_best_share_is_a_subset_that_the_loader_reads(
    learned: Learned,
    own: Root,
) -> None:
    settings = read_settings(root=own.url)
    found = ranking.rank("symmv", learned.vmcp.best, best=0.3, settings=settings)
    assert found.chosen == 3
    kept = read_subset(own, "symmv", FINETUNE)
    assert kept.rows == tuple(name for name, _ in found.rows[:3])
    rows = SubsetRows(own, "symmv", "train", ["entry_id", "notes_pitches"], kept.rows)
    assert len(rows) == 3
    assert sorted(row["entry_id"] for row in rows) == sorted(kept.rows)
    assert {row["entry_id"] for row in rows.to_torch(shuffle=True, seed=1)} == set(kept.rows)
    whole = {row["entry_id"]: row for row in Rows(own, "symmv", "train", rows.columns)}
    for row in rows:
        assert (row["notes_pitches"] == whole[row["entry_id"]]["notes_pitches"]).all()
    assert len(rows.reopened()) == 3
    with pytest.raises(IndexError):
        rows.row(3)
    one = ranking.rank("symmv", learned.vmcp.best, best=0.001, settings=settings)
    assert (one.chosen, one.untrained) == (1, ())


def test_a_ranking_names_models_with_random_weights(learned: Learned, own: Root) -> None:
    receipt = {k: v for k, v in (read_receipt(own, "symmv") or {}).items() if k != "seal"}
    models = [{"backend": "untrained-512", "trained": False}]
    write_receipt(own, "symmv", {**receipt, "models": models})
    ranked = ranking.rank("symmv", learned.vmcp.best, settings=read_settings(root=own.url))
    assert ranked.untrained == ("untrained-512",)
    assert read_subset(own, "symmv", FINETUNE).about["untrained"] == ["untrained-512"]


def test_a_mark_of_other_shards_is_refused_and_so_are_strange_wishes(
    learned: Learned,
    own: Root,
    tmp_path: Path,
) -> None:
    settings = read_settings(root=own.url)
    with pytest.raises(UnknownName, match="no subset 'finetune'"):
        read_subset(own, "symmv", FINETUNE)
    ranking.rank("symmv", learned.vmcp.best, settings=settings)
    write_rows(tmp_path / "data", [clip_row(n, 9) for n in range(4)])
    with pytest.raises(Damaged, match="written anew since; rank the dataset again"):
        read_subset(own, "symmv", FINETUNE)
    for best in (0.0, 1.5, float("nan")):
        with pytest.raises(WrongSetting, match="best"):
            ranking.rank("symmv", learned.vmcp.best, best=best, settings=settings)
    with pytest.raises(WrongSetting, match="subset"):
        ranking.rank("symmv", learned.vmcp.best, subset="../x", settings=settings)
    with pytest.raises(NoSuchPath):
        ranking.rank("symmv", tmp_path / "nowhere", settings=settings)
    with pytest.raises(NoRows):
        ranking.rank("symmv", learned.vmcp.best, split="test", settings=settings)
