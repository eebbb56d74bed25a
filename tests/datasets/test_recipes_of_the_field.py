"""The recipes of V2Meow, GVMGen and V2M: their rules, and a folder of films built by one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder.backends import backend_class, names
from symmv_builder.clips import Windows
from symmv_builder.crawl.folder import find_entries
from symmv_builder.crawl.sources import default_sources, read_sources
from symmv_builder.datasets import built_in, recipe, remembered, variant
from symmv_builder.datasets.build import Summary, build, in_processes, take_in
from symmv_builder.datasets.recipe import ClipRules, Recipe
from symmv_builder.pipeline.keys import ModelIdentity, Plan
from symmv_builder.pipeline.pool import Effort
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt, read_rows
from symmv_builder.storage.store import Store
from tests.media import Pictures, Samples, noise, paint, tone, write_media

FIELD = ("gvmgen", "v2meow", "v2m")
# Models of the packages' own weights; all others come from the model hub.
IN_PACKAGES = {("tags", "musicnn"), ("speech", "silero-vad"), ("text", "rapidocr")}
every_recipe = pytest.mark.parametrize("name", FIELD)


class ToyTags:
    """Everything that is loud enough is a violin."""

    rate_hz, segment_s = 8000, 1.0
    tags = backend_class("tags", "musicnn").tags

    def tag_at(
        self, samples: NDArray[np.float32], starts_s: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        firsts = (starts_s * self.rate_hz).astype(int).clip(0)
        loud = [np.abs(samples[n : n + self.rate_hz]).max(initial=0.0) > 0.1 for n in firsts]
        is_violin = np.array([tag == "violin" for tag in self.tags])
        return np.outer(loud, 0.9 * is_violin).astype(np.float32)


class ToySpeech:
    """Nobody speaks."""

    rate_hz, hop_s = 8000, 0.1

    def likelihood(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.zeros(-(-len(samples) // 800), dtype=np.float32)


class ToyText:
    """What is white is writing."""

    layout = "rgb24"

    def size(self, width: int, height: int) -> tuple[int, int]:
        return width, height

    def text_mask(self, picture: NDArray[np.uint8]) -> NDArray[np.bool_]:
        mask: NDArray[np.bool_] = picture.min(axis=2) > 240
        return mask


TOYS: dict[str, Any] = {"tags": ToyTags, "speech": ToySpeech, "text": ToyText}


def load_toy(slot: str, name: str) -> Any:
    return TOYS[slot]()


@every_recipe
def test_a_recipe_needs_no_weights_of_a_hub_and_has_sources(name: str) -> None:
    made = recipe(name)
    needed = {(use.step.slot, use.model) for use in made.uses if use.step.slot}
    assert needed <= IN_PACKAGES
    Plan(name, made.uses)
    Plan(name, made.screening)
    assert read_sources(default_sources(name))


@every_recipe
def test_what_the_papers_model_reads_is_one_word_away(name: str) -> None:
    assert f"{name}-paper" in built_in()
    made = variant(name, "paper")
    assert made.name == name
    Plan(name, made.uses)
    more = {use.makes: use for use in made.uses if use not in recipe(name).uses}
    assert more
    assert all(use.model in names(use.step.slot) for use in more.values() if use.step.slot)


def test_the_figures_are_those_of_the_papers() -> None:
    gvmgen, v2meow, v2m = map(recipe, FIELD)
    assert gvmgen.clips is not None
    assert v2meow.clips is not None
    assert gvmgen.clips.cut == Windows(30.0, 30.0, 30.0)
    assert gvmgen.shares == {"train": 85, "test": 15}
    assert v2meow.clips.cut == Windows(10.0, 10.0, 10.0)
    assert v2meow.shares == {"train": 80, "validation": 20}
    limits = {use.makes: dict(use.parameters) for use in v2m.uses if "screen" in use.makes}
    assert v2m.clips is None
    assert limits["screen_length"] == {"min_duration_s": 30.0}
    assert limits["screen_longest"] == {"max_duration_s": 480.0}
    assert limits["screen_similarity"] == {"max_mean": 0.8}
    assert limits["screen_sound"]["min_music"] == 0.5


def film(path: Path, pictures: Sequence[NDArray[np.uint8]], sound: NDArray[np.float32]) -> Path:
    """Two pictures a second."""
    times = [number / 2 for number in range(len(pictures))]
    return write_media(path, Pictures(pictures, times), Samples(sound))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of six seconds: good, silent from the third second on, still, written over; a short."""
    folder = tmp_path_factory.mktemp("films")
    moving = [noise(number) for number in range(12)]
    written = [picture.copy() for picture in moving]
    for picture in written:
        picture[16:32, 8:56] = 255
    music = tone(6.0)
    fades = music * (np.arange(len(music)) < len(music) // 2)[:, None]
    film(folder / "good.mkv", moving, music)
    film(folder / "fades.mkv", moving, fades.astype(np.float32))
    film(folder / "still.mkv", [paint((90, 120, 30))] * 12, music)
    film(folder / "captions.mkv", written, music)
    film(folder / "short.mkv", moving[:2], tone(1.0))
    return folder


def of_seconds(made: Recipe, length_s: float) -> Recipe:
    """The recipe for films that are made in no time: its thirty seconds are fewer."""
    shorter = tuple(
        replace(use, parameters={"min_duration_s": length_s})
        if use.makes == "screen_length"
        else use
        for use in made.uses
    )
    assert made.clips is not None
    clips = ClipRules(Windows(length_s, length_s, length_s), screens=made.clips.screens)
    return replace(made, uses=shorter, clips=clips)


def built(root: Path, made: Recipe, folder: Path) -> tuple[Summary, Store]:
    root.mkdir()
    place = Root(str(root))
    store = Store(place, place, Ledger(f"sqlite:///{root}/ledger.sqlite"))
    take_in(store, find_entries(folder, made.name, pairs=made.pairs), made.name, lambda _: None)
    remembered.remember(store, made)
    models = {
        (str(use.step.slot), str(use.model)): ModelIdentity(str(use.model), "toy", "0" * 64)
        for use in made.uses
        if use.step.slot
    }
    plan = Plan(made.name, made.uses, models)
    run = in_processes(plan, store, load_toy, effort=Effort(0), tell=lambda _: None)
    return build(made, plan, store, run), store


def test_a_persons_own_films_become_clips_and_each_filter_says_what_it_turned_away(
    films: Path, tmp_path: Path
) -> None:
    summary, store = built(tmp_path / "root", of_seconds(recipe("gvmgen"), 3.0), films)
    receipt = read_receipt(store.root, "gvmgen") or {}
    assert (summary.made, summary.rejected) == (4, 1)
    rows = list(read_rows(store.root, "gvmgen", receipt["columns"]))
    kept = {row["clip_id"] for row in rows}
    assert kept == {"good@00000000ms", "good@00003000ms", "fades@00000000ms"}
    assert receipt["clips_turned_away"] == {"little_music": 1, "lyric_video": 2, "static_video": 2}
    for row in rows:
        assert len(row["frames"]) == 3
        assert all(picture.startswith(b"\xff\xd8") for picture in row["frames"])
        assert (row["music_share"], row["speech_share"]) == (1.0, 0.0)
