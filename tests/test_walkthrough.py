"""The product in one sitting: two recordings become one row. Read this file first.

Each test goes one step further than the one before it. The stages are real; where a build has
models for notes and beats, the walk takes those that were played.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from symmv_builder import backends, screen
from symmv_builder.assemble import assemble_row
from symmv_builder.backends.pyav.encode import write_sound, write_video
from symmv_builder.backends.sampler import render
from symmv_builder.crawl import probe
from symmv_builder.demo.drawings import Drawing, cut_times, draw
from symmv_builder.demo.repertoire import piece, play
from symmv_builder.music import dynamics, key, rhythm
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.pipeline.run import run_entry
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Beats, Entry, FeatureTrack, Notes, Scenes, Source
from symmv_builder.schema import Column
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.video import motion, scenes

for package in ("music21", "scenedetect", "torch"):
    pytest.importorskip(package)

# A little music (some bars of Mozart, played as a person plays) and a little video (drawn, with
# cuts at known times).
MUSIC = play(piece("sonata-k545"), longest_s=8.0)
VIDEO = Drawing(width=160, height=96, frame_rate=Fraction(12), duration_s=8.0, seed=11)


# A step is made of a function: positional parameters are what it reads (here the music's path),
# keyword-only ones are its settings.
def written_notes(music: Path) -> Notes:
    return MUSIC.notes


def written_beats(music: Path) -> Beats:
    return MUSIC.beats


HOME = backends.ModelHome()
ADAPTIVE = backends.backend_class("scenes", "adaptive").identify(HOME)


def plan(motion_hop_s: float = 0.2) -> Plan:
    """What is to be made of every entry, in order, and who the models are on this machine."""
    uses = (
        use(probe.MUSIC),
        use(probe.VIDEO),
        use(dynamics.LOUDNESS),
        use(motion.STEP, variant="sampled", hop_s=motion_hop_s),
        use(scenes.STEP, model="adaptive"),
        use(screen.MOTION),
        use(Step("written_notes", 1, ("music",), written_notes), makes="notes"),
        use(Step("written_beats", 1, ("music",), written_beats), makes="beats"),
        use(rhythm.QUANTISE, makes="grid"),
        use(key.STEP, profile="krumhansl-schmuckler"),
    )
    return Plan("walk", uses, {("scenes", "adaptive"): ADAPTIVE})


def load_model(slot: str, name: str) -> Any:
    return backends.load(slot, name, HOME)


@dataclass(frozen=True)
class Desk:
    """A data root with one entry in it, and the content of the entry's two recordings."""

    root: Root
    entry: Entry
    work: Work

    def make(self, by: Plan) -> list[str]:
        """Bring the entry to the end of a plan; what was really made on the way."""
        events: list[Event] = []
        outcome = run_entry(self.work, by, self.root, load_model, events.append)
        assert outcome.rejection is None
        return [event.step for event in events if event.kind == "step" and not event.reused]

    def read(self, artifact: str, by: Plan) -> Any:
        """A stored record: a result is found under the key of everything that made it."""
        self.make(by)
        sidecars = Sidecars(self.root, by.dataset)
        return sidecars.load(self.work.entry_id, artifact, by.keys(self.work)[artifact])[0]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    folder = tmp_path_factory.mktemp("walk")
    cover, clip = folder / "cover.flac", folder / "clip.mp4"
    write_sound(cover, render(MUSIC.notes, rate_hz=44100), 44100)
    write_video(clip, draw(VIDEO), frame_rate=VIDEO.frame_rate)
    # Taken in: each file is stored once, under the hash of its bytes.
    root = Root(str(folder / "data"))
    for path in (cover, clip):
        add_asset(root, path, hash_file(path))
    music, video = Source("file", "cover"), Source("file", "clip")
    entry = Entry("sonata", "walk", song_id="k545", video=video, music=music)
    return Desk(root, entry, Work(entry.entry_id, hash_file(cover), hash_file(clip)))


def test_an_entry_goes_through_a_plan_once(desk: Desk) -> None:
    # Motion and scenes share one decode of the video.
    assert desk.make(plan()) == [use.makes for use in plan().uses]
    assert desk.make(plan()) == []


def test_results_are_records_with_a_clock_and_units(desk: Desk) -> None:
    loudness: FeatureTrack = desk.read("loudness", plan())
    assert (loudness.clock, loudness.hop_s) == ("music", 1.0)
    assert loudness.times_s.tolist() == list(range(len(loudness.values)))
    shots: Scenes = desk.read("scenes", plan())
    assert shots.clock == "video"
    assert shots.starts_s.tolist() == pytest.approx([0.0, *cut_times(VIDEO)])
    assert str(desk.read("key", plan())) == "C major"


def test_a_result_lies_beside_its_entry_with_what_made_it(desk: Desk) -> None:
    desk.make(plan())
    under = plan().keys(desk.work)["key"]
    assert f"key.{under}.npz" in desk.root.names("walk/sidecars/sonata")
    _, by = Sidecars(desk.root, "walk").load("sonata", "key", under)
    assert (by.step, by.parameters) == ("key", '{"profile": "krumhansl-schmuckler"}')


def test_a_changed_setting_remakes_exactly_what_depends_on_it(desk: Desk) -> None:
    other = plan(motion_hop_s=1.0)
    before, after = plan().keys(desk.work), other.keys(desk.work)
    assert [name for name in before if before[name] != after[name]] == ["motion", "screen_motion"]
    desk.make(plan())
    assert desk.make(other) == ["motion", "screen_motion"]
    # Both answers are kept, and a plan finds its own.
    assert len(desk.read("motion", plan()).values) == 8 * 5
    assert len(desk.read("motion", other).values) == 8


def test_records_become_a_row_of_a_shard(desk: Desk) -> None:
    # A column says which field of which record it is.
    columns = (
        Column("entry_id", "string", "", "the pair", "entry.entry_id"),
        Column("split", "string", "", "train, validation or test", "entry.split"),
        Column("key_tonic", "string", "", "tonic", "key.tonic"),
        Column("onsets", "list<int32>", "16th", "onsets of the notes", "grid.onset_steps"),
        Column("motion", "list<float32>", "0-255", "mean RGB difference", "motion.values"),
    )
    records = {name: desk.read(name, plan()) for name in ("key", "grid", "motion")}
    row = assemble_row(columns, desk.entry, "train", records)
    schema = pa.schema(
        [pa.field(column.name, column.arrow, False, column.metadata) for column in columns]
    )
    [shard] = ShardWriter(desk.root, "walk", schema).write([row])
    table = pq.read_table(desk.root.path(f"walk/{shard.path}"))
    assert table["key_tonic"].to_pylist() == ["C"]
    assert table["onsets"][0].as_py() == records["grid"].onset_steps.tolist()
    assert len(table["motion"][0]) == 8 * 5


def test_rows_become_padded_batches_for_a_trainer(desk: Desk) -> None:
    from symmv_builder.training.data import Batching, Loader, Rows

    schema = pa.schema([("entry_id", pa.string()), ("motion", pa.list_(pa.float32()))])
    rows = [
        {"split": "train", "entry_id": f"song-{n}", "motion": np.full(n, 0.5, np.float32)}
        for n in (3, 5)
    ]
    shards = ShardWriter(desk.root, "walk", schema).write(rows)
    write_receipt(desk.root, "walk", {"shards": as_plain(shards)})
    loader = Loader(
        Rows(desk.root, "walk", "train", ["motion"]),
        # A trainer's own function, with a generator of random numbers for crops and the like.
        lambda row, rng: {"motion": row["motion"]},
        Batching(batch_size=2, seed=0),
    )
    [batch] = loader.epoch(0)
    assert batch["motion"].shape == (2, 5)
    assert sorted(batch["motion_mask"].sum(dim=1).tolist()) == [3, 5]


# From here on: `recipes/symmv.toml` is a plan like the one above with real models, and
# `datasets/build.py`, which `symmv build` calls, runs it over many entries in processes that may
# be killed at any moment. `training/amt/train.py` is a loop over batches like the last one.
