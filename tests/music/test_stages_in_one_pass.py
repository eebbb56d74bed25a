"""The stages of music in the one pass: one decode, and the records that each makes alone."""

import importlib
import pkgutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder import music
from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.slots import (
    BeatTracker,
    ChordRecogniser,
    ModelHome,
    PianoTranscriber,
)
from symmv_builder.crawl import probe
from symmv_builder.demo.repertoire import piece, play
from symmv_builder.errors import Reason
from symmv_builder.music import align, chords, dynamics, listening, piano_share, rhythm, transcribe
from symmv_builder.pipeline.keys import ModelIdentity, Plan, Work
from symmv_builder.pipeline.run import EntryOutcome, run_entry
from symmv_builder.pipeline.step import RECORDINGS, Step, Use, use
from symmv_builder.records import Beats, Chords, Notes, Screened
from symmv_builder.storage.assets import add_asset, hash_file
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from tests.media import Samples, tone, write_media
from tests.standins import StandInModel

STEPS = [
    value
    for found in pkgutil.iter_modules(music.__path__, f"{music.__name__}.")
    for value in vars(importlib.import_module(found.name)).values()
    if isinstance(value, Step)
]


@pytest.mark.parametrize(
    "step", [pytest.param(s, id=s.name) for s in STEPS if set(s.reads) & set(RECORDINGS)]
)
def test_every_stage_that_reads_the_music_joins_the_pass(step: Step) -> None:
    assert step.together is listening.listen
    assert step.watched == "music"
    assert step.record_made is not None
    assert all(step.record_read(name) is not None for name in step.reads)


class Model(StandInModel):
    def __init__(self, home: ModelHome) -> None:
        """There is nothing to load."""


class Piano(Model, PianoTranscriber):
    rate_hz, mono = 16000, False

    def transcribe(self, samples: NDArray[np.float32]) -> Notes:
        heard.update(["piano"])
        # Of what it hears, so that another signal would give other notes.
        starts = np.flatnonzero(np.diff(np.signbit(samples[:, 1])))[::400] / self.rate_hz
        samples[:] = np.nan
        return Notes(starts, starts + 0.2, np.full(len(starts), 60), np.full(len(starts), 64))


class Tracker(Model, BeatTracker):
    rate_hz, mono = 22050, True

    def track(self, samples: NDArray[np.float32]) -> Beats:
        heard.update(["beats"])
        times = np.arange(0.5, len(samples) / self.rate_hz, 0.5 + float(samples.std()))
        samples[:] = 0.0
        return Beats(times, np.arange(len(times)) % 4 + 1)


class Recogniser(Model, ChordRecogniser):
    rate_hz, mono = 22050, True

    def recognise(self, samples: NDArray[np.float32]) -> Chords:
        heard.update(["chords"])
        label = "C" if samples.any() else "N"
        return Chords(np.array([0.0]), np.array([len(samples) / self.rate_hz / 2]), (label,))


class Deaf(Tracker):
    def track(self, samples: NDArray[np.float32]) -> Beats:
        return Beats(np.array([]), np.array([]))


heard: Counter[str] = Counter()


def measure_peak(music: Path) -> Screened:
    """A step of somebody else's, which reads the file by itself."""
    return Screened("peak", float(np.abs(read_sound(music).samples).max()), 0.0)


USES: Mapping[str, Use] = {
    each.makes: each
    for each in (
        use(probe.MUSIC),
        use(dynamics.LOUDNESS),
        use(align.STEP, makes="alignment", inputs={"video": "music"}),
        use(transcribe.STEP, makes="notes", model="stand-in"),
        use(piano_share.STEP),
        use(Step("peak", 1, ("music",), measure_peak)),
        use(rhythm.STEP, makes="beats", level="pulse", model="stand-in"),
        use(chords.STEP, makes="chords", model="stand-in"),
    )
}
MODELS: dict[str, Any] = {"piano": Piano, "beats": Tracker, "chords": Recogniser}


def run(root: Root, work: Work, *names: str, **models: Any) -> EntryOutcome:
    """Make results of an entry, or all."""
    made = MODELS | models
    plan = Plan(
        "toy",
        tuple(USES[name] for name in names or USES),
        {(slot, "stand-in"): ModelIdentity("stand-in", "1", "") for slot in made},
    )
    return run_entry(work, plan, root, lambda slot, _: made[slot](ModelHome()))


@pytest.fixture
def root(tmp_path: Path) -> Root:
    return Root(str(tmp_path / "root"))


@pytest.fixture
def work(root: Root, tmp_path: Path) -> Work:
    from symmv_builder.backends.sampler import render

    samples = render(play(piece("sonata-k545"), longest_s=5.0).notes, rate_hz=44100)
    path = write_media(tmp_path / "music.wav", Samples(samples, 44100, "stereo"))
    return stored(root, path)


def stored(root: Root, path: Path) -> Work:
    sha256 = hash_file(path)
    add_asset(root, path, sha256)
    return Work("e", sha256, sha256)


def sidecars(root: Root) -> dict[str, bytes]:
    folder = Path(root.path("toy/sidecars/e"))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_recording_is_decoded_once_and_every_record_is_what_its_step_makes_alone(
    root: Root, work: Work, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: Counter[str] = Counter()
    av_open = av.open

    def count(path: str, *more: Any, **options: Any) -> Any:
        opened[path.partition(":")[2]] += 1
        return av_open(path, *more, **options)

    path = Path(root.path(f"assets/{work.music_sha256[:2]}/{work.music_sha256}"))
    before = listening.passes[path]
    with monkeypatch.context() as patched:
        patched.setattr(av, "open", count)
        outcome = run(root, work)
    assert outcome.rejection is None
    assert [result.artifact for result in outcome.results] == list(USES)
    assert listening.passes[path] == before + 1
    # Beside the pass: its facts, the video's sound, the step that reads the file by itself.
    assert opened == {str(path): 4}

    other = Root(str(tmp_path / "other"))
    add_asset(other, tmp_path / "music.wav", work.music_sha256)
    for name in USES:
        needed = {"music_asset", "notes"} if name == "piano_share" else {"music_asset"}
        run(other, work, *[each for each in USES if each in {*needed, name}])
    assert sidecars(other) == sidecars(root)


def test_only_the_stage_whose_result_is_gone_listens_again(root: Root, work: Work) -> None:
    run(root, work)
    [lost] = [name for name in sidecars(root) if name.startswith("beats.")]
    root.remove(f"toy/sidecars/e/{lost}")
    heard.clear()
    outcome = run(root, work)
    assert heard == {"beats": 1}
    assert outcome.rejection is None


def test_music_without_beats_is_turned_away_by_that_stage_and_not_heard_again(
    root: Root, work: Work
) -> None:
    heard.clear()
    for _ in range(2):
        outcome = run(root, work, beats=Deaf)
        assert outcome.rejection is not None
        assert (outcome.rejection.step, outcome.rejection.reason) == ("beats", Reason.NO_BEATS)
    # What stands before it in the recipe is made, what stands behind it is not.
    assert heard == {"piano": 1}
    names = {name.split(".")[0] for name in Sidecars(root, "toy").present("e")}
    assert names == set(USES) - {"chords"}


def test_a_damaged_file_is_turned_away_by_the_first_that_would_hear_it(
    root: Root, tmp_path: Path
) -> None:
    path = write_media(tmp_path / "music.wav", Samples(tone(4.0)))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    outcome = run(root, stored(root, path), "alignment", "notes", "beats")
    assert outcome.rejection is not None
    assert (outcome.rejection.step, outcome.rejection.reason) == ("align", Reason.UNREADABLE)
    assert [result.artifact for result in outcome.results] == ["alignment"]
