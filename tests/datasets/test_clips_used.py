"""Clips through the doors: Python, the command line, training, evaluation, generation, export."""

import csv
import json
from collections import Counter
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import toy_clips as toy
from typer.testing import CliRunner

import symmv_builder as sb
from symmv_builder.backends.pyav import frames, probe, read_sound
from symmv_builder.backends.pyav.encode import write_sound, write_video
from symmv_builder.cli import app
from symmv_builder.clips import ClockMap, Lengths, Windows, cut_entry
from symmv_builder.datasets.evaluate import moments_of_dataset, music_of_dataset
from symmv_builder.datasets.export import export
from symmv_builder.datasets.recipe import ClipRules
from symmv_builder.datasets.schemas import columns_of
from symmv_builder.datasets.seen import rows_seen
from symmv_builder.datasets.seen import stored as cut_to
from symmv_builder.errors import NotFound, WrongArguments, WrongSetting
from symmv_builder.pipeline.step import use
from symmv_builder.schema import CLIP, arrow_schema
from symmv_builder.storage.assets import add_asset, asset_name, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.training.learned_from import data_of
from symmv_builder.training.rows import Rows
from symmv_builder.training.usable import LeftOut, UnusableRow
from symmv_builder.training.vmcp import hearing
from tests.datasets import exporting
from tests.media import noise
from tests.synthetic_rows import make_row


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two entries in windows of 5 s; clips from 20 s on are turned away."""
    place = tmp_path_factory.mktemp("clips")
    media = toy.write_media(place / "media", film=31.0, short=12.0)
    screen = use(toy.SCREEN, max_mean=180.0)
    rules = ClipRules(Windows(5.0, 5.0, 5.0), screens=(screen,))
    toy.run(place / "root", toy.recipe(rules), media)
    return place / "root"


def call(root: Path, *words: str) -> str:
    done = CliRunner().invoke(app, [*words, "--root", str(root)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_python_gives_a_clip_by_its_address(root: Path) -> None:
    dataset = sb.open_dataset("toy", str(root))
    for address in ("film@10", "film@10.0s", "film@00010000ms"):
        clip = dataset[address]
        assert (clip.name, clip.entry_id) == ("film@00010000ms", "film")
        assert clip.wave.values[:, 0].tolist() == list(range(100, 150))
        assert clip.notes.starts_s[:2].tolist() == [0.0, 0.25]
        assert clip.video_asset.duration_s == 5.0
    assert dataset["film"].video_asset.duration_s == 31.0
    with pytest.raises(KeyError, match="no clip is called 'film@11'"):
        dataset["film@11"]
    with pytest.raises(KeyError, match="turned away by screen_wave: the mean of the wave"):
        dataset["film@20"]
    story = dataset.why("film@20")
    assert isinstance(story, list)
    assert story[-1].result.reason == "static_video"


def test_python_takes_an_entry_between_any_two_times(root: Path) -> None:
    entry = sb.open_dataset("toy", str(root))["film"]
    part = entry.between(1.25, 3.5)
    assert part.name == "film@00001250ms"
    assert part.notes.starts_s.tolist() == [0.25 * number for number in range(9)]
    assert part.wave.values[:, 0].tolist() == list(range(13, 35))
    # The song's first downbeat is at 1 s, the clip's at 3 s: a bar later.
    assert part.beats.positions.tolist() == [2, 3, 4, 1]
    assert part.grid.record.onset_steps[0] == 2 - 16
    for start, end in ((2.0, 2.0), (-1.0, 2.0), (3.0, float("inf"))):
        with pytest.raises(WrongSetting, match="lies behind the start"):
            entry.between(start, end)


def test_commands_name_clips_and_count_them(root: Path) -> None:
    said = call(root, "status", "toy")
    line = (
        "6 clips of 2 entries, cut by windows of 5 s, one every 5 s; 2 turned away: static_video 2"
    )
    assert line in said
    [state] = json.loads(call(root, "status", "toy", "--json"))
    assert state["clips"]["turned_away"] == {"static_video": 2}
    story = json.loads(call(root, "why", "film", "--json"))
    assert [made["result"]["detail"] for made in story if made["result"]["artifact"] == "clip"] == [
        "4 clips",
        "20 to 25 s: the mean of the wave is 224.5",
        "25 to 30 s: the mean of the wave is 274.5",
    ]
    assert "made: 10 to 15 s" in call(root, "why", "film@10")
    assert "film@00010000ms (toy), song film" in call(root, "show", "film@10")
    shown = json.loads(call(root, "show", "short@5", "--json"))
    assert shown["wave"]["values"][0] == 50.0
    explained = call(root, "recipe", "toy", "--check")
    assert "a row is a clip, cut by windows of 5 s" in explained
    assert "clips turned away by screen_wave: max_mean=180.0" in explained
    done = CliRunner().invoke(app, ["show", "film@20", "--root", str(root)])
    assert isinstance(done.exception, WrongArguments)


def test_training_and_evaluation_call_rows_by_their_clips(root: Path) -> None:
    place = Root(str(root))
    splits = json.loads((root / "toy" / "splits.json").read_text())
    rows = Rows(place, "toy", splits["film"], ("entry_id", "wave"))
    assert "film@00005000ms" in data_of(rows)[splits["film"]]["entries"]
    left_out = LeftOut()

    def refuse(row: Any) -> None:
        raise UnusableRow("it is not wanted")

    left_out.use(rows.row(0), refuse)
    assert next(iter(left_out.reasons)).endswith("@00000000ms")
    moments = moments_of_dataset(place, "toy", "all", "beats")
    assert {name for name, _ in moments.named} == {
        *(f"film@{start:05d}000ms" for start in (0, 5, 10, 15)),
        *(f"short@{start:05d}000ms" for start in (0, 5)),
    }
    assert all(each.duration_s == 5.0 for _, each in moments.named)
    assert music_of_dataset(place, "toy", "all").summary.songs == 6


def test_generation_sees_clips_as_videos_of_their_own(root: Path) -> None:
    composer: Any = SimpleNamespace(dataset="muvisync")
    place = Root(str(root))
    [seen] = rows_seen(composer, place, "toy", entries=["film@10"])
    # The name is that of files; the stored video is the whole film's, of which a part is cut.
    assert (seen.name, seen.seconds, seen.sha256) == ("film@00010000ms", 5.0, "")
    assert len(rows_seen(composer, place, "toy", entries=["film"])) == 4
    with pytest.raises(NotFound, match=r"film@20, nobody"):
        rows_seen(composer, place, "toy", entries=["short", "film@20", "nobody"])


def test_models_hear_the_clips_part_sample_for_sample(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rate = 8000
    rng = np.random.default_rng(1)
    write_sound(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, (3 * rate, 1)).astype(np.float32), rate)
    root, sha256 = Root(str(tmp_path / "root")), hash_file(tmp_path / "a.wav")
    (tmp_path / "root").mkdir()
    add_asset(root, tmp_path / "a.wav", sha256)
    whole = read_sound(tmp_path / "a.wav").samples
    decoded: Counter[str] = Counter()
    recorded = hearing.recorded

    def count(path: Path, longest_s: float) -> hearing.Samples:
        decoded["times"] += 1
        return recorded(path, longest_s)

    monkeypatch.setattr(hearing, "recorded", count)
    recordings = hearing.Recordings(root)
    for start, end in ((0.0, 1.0), (0.51, 1.25), (2.5, 9.0)):
        row = {"music_sha256": sha256, "clip_music_start_s": start, "clip_music_end_s": end}
        samples, found_rate = recordings.of_row(row)
        assert found_rate == rate
        assert np.array_equal(samples, whole[round(start * rate) : round(end * rate)])
    assert decoded["times"] == 1
    with pytest.raises(UnusableRow, match="holds no sound"):
        recordings.of_row({**row, "clip_music_start_s": 5.0})
    # A row that is a whole entry is heard as before.
    assert np.array_equal(recordings.of_row({"music_sha256": sha256})[0], whole)


def test_the_papers_layout_has_a_file_for_each_clip(tmp_path: Path) -> None:
    schema = arrow_schema((*columns_of("muvisync"), *CLIP), "muvisync/v1")
    rows = [
        make_row("muvisync", number)
        | {
            "clip_id": f"song-{number:03d}@{start:05d}000ms",
            "clip_start_s": float(start),
            "clip_end_s": start + 8.0,
            "clip_music_start_s": float(start),
            "clip_music_end_s": start + 8.0,
        }
        for number in (1, 2)
        for start in (0, 8, 16)
    ]
    root = Root(str(tmp_path / "root"))
    shards = ShardWriter(root, "muvisync", schema).write(rows)
    write_receipt(root, "muvisync", {"dataset": "muvisync", "shards": as_plain(shards)}
                  | {"columns": schema.names, "schema": "muvisync/v1"})  # fmt: skip
    summary = export(root, "muvisync", tmp_path / "out")
    assert (summary.entries, dict(summary.left_out)) == (6, {})
    with (tmp_path / "out" / "index.csv").open() as file:
        named = [row["entry_id"] for row in csv.DictReader(file)]
    assert named[:2] == ["song-001-00000000ms", "song-001-00008000ms"]
    assert len(set(named)) == 6
    again = export(root, "muvisync", tmp_path / "out")
    assert (again.written, again.removed) == (0, 0)


@pytest.mark.parametrize("rate", [Fraction(25), Fraction(30000, 1001), Fraction(12)])
def test_frames_of_a_clip_are_those_that_a_decoder_counts(tmp_path: Path, rate: Fraction) -> None:
    """By number: each picture says which one it is."""
    count = round(4 * rate)
    levels = [np.full((32, 32, 3), 10 + number % 5 * 50, dtype=np.uint8) for number in range(count)]
    write_video(tmp_path / "film.mp4", iter(levels), frame_rate=rate)
    facts = probe(tmp_path / "film.mp4", "0" * 64)
    times = [frame.time_s for frame in frames(tmp_path / "film.mp4")]
    lengths = Lengths(facts.duration_s, ClockMap(), frame_rate_hz=facts.frame_rate_hz)
    for clip in cut_entry(Windows(0.75, 0.4, 0.3), lengths):
        inside = [number for number, time in enumerate(times) if time >= clip.start_s - 1e-4]
        assert clip.first_frame == inside[0]


def test_a_piece_for_a_clip_has_the_video_cut_to_it(tmp_path: Path) -> None:
    """Pictures are those of the clip, decoded once for all clips of a film; others go on."""
    stored = exporting.store_films(tmp_path, 2)
    starts = {0: (0.0, 0.8), 1: (0.4,)}
    rows = [
        exporting.row(
            stored, number, split="train", clip_id=f"film-{number}@{round(1000 * at):08d}ms",
            clip_start_s=at, clip_end_s=at + 0.8, video_duration_s=0.8,
        )
        for number, places in starts.items()
        for at in places
    ]  # fmt: skip
    exporting.write_rows(stored, rows, exporting.CLIPS)
    composer: Any = SimpleNamespace(dataset="muvisync")
    seen = rows_seen(composer, stored.root, exporting.DATASET, split="train")
    refused: list[str] = []
    with cut_to(stored.root, seen, lambda name, error: refused.append(name)) as videos:
        assert [video.name for video in videos] == [row["clip_id"] for row in rows]
        for video, row in zip(videos, rows, strict=True):
            assert video.path is not None
            facts = probe(video.path, "0" * 64)
            assert facts.duration_s == pytest.approx(0.8, abs=0.05)
            first = round(25 * row["clip_start_s"]) + 50 * int(row["entry_id"][-1])
            shown = next(frames(video.path)).rgb().astype(int)
            others = {
                n: np.abs(shown - noise(n)).mean() for n in range(max(0, first - 2), first + 3)
            }
            assert min(others, key=lambda n: others[n]) == first
        files = [video.path for video in videos]
    assert not any(path.exists() for path in files if path)
    # A film that the store has lost takes nothing from the others: its pieces have no video.
    assert not refused
    Path(stored.root.path(asset_name(stored.films[1]))).write_bytes(b"no film")
    with cut_to(stored.root, seen, lambda name, error: refused.append(name)) as videos:
        assert [video.name for video in videos] == [row["clip_id"] for row in rows[:2]]
    assert refused == ["film-1"]
    done = CliRunner().invoke(
        app,
        [
            *("generate", "--dataset", exporting.DATASET, "--from", "film-0@0.8", "--no-picture"),
            *("--root", str(tmp_path / "root"), "--out", str(tmp_path / "out")),
        ],
    )
    assert done.exit_code == 0, done.output
    written = probe(tmp_path / "out" / "film-0@00000800ms.mp4", "0" * 64)
    assert written.duration_s == pytest.approx(0.8, abs=0.05)
