"""Some results alone: shards hold what all of their entries have, and say what that is."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import toy_build

from symmv_builder import backends
from symmv_builder.backends import ModelHome
from symmv_builder.crawl.folder import find_entries
from symmv_builder.datasets import recipe
from symmv_builder.datasets.build import Summary, build, in_processes, take_in
from symmv_builder.datasets.recipe import Recipe, make_plan, make_whole_plan
from symmv_builder.errors import MissingResult, Reason, RejectEntry, StopRun
from symmv_builder.pipeline.keys import ModelIdentity
from symmv_builder.pipeline.pool import Effort
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Asset, FeatureTrack
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import read_receipt
from symmv_builder.storage.store import Store


def make_other(music_asset: Asset) -> FeatureTrack:
    track: FeatureTrack = toy_build.make_wave(music_asset, rows=3, pause_s=0.0)
    return track


def read_movement(video: Path) -> FeatureTrack:
    asset = toy_build.read_facts(video)
    track: FeatureTrack = toy_build.make_wave(asset, rows=5, pause_s=0.0)
    return track


OTHER = use(
    Step("make_other", 1, ("music_asset",), make_other, columns=toy_build.FEATURE), makes="other"
)
MOVEMENT = use(
    Step("read_movement", 1, ("video",), read_movement, columns=toy_build.FEATURE),
    makes="movement",
)
UNKNOWN = use(
    Step("make_words", 1, ("wave",), lambda wave, *, model: wave, slot="text"),
    makes="words",
    model="rapidocr",
)
RECIPE = Recipe(
    name="toy",
    uses=(*toy_build.RECIPE.uses, OTHER, MOVEMENT),
    shares=toy_build.RECIPE.shares,
    pairs=False,
    results=("wave", "other", "movement"),
    absent=toy_build.ABSENT,
)


def make(folder: Path, count: int, first: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    for number in range(first, first + count):
        (folder / f"clip{number:03d}.mp4").write_text(f"keep me {number}")
    return folder


def run(folder: Path, media: Path | None, *only: str, chosen: Recipe = RECIPE) -> Summary:
    root = Root(str(folder))
    folder.mkdir(exist_ok=True)
    store = Store(root, root, Ledger(f"sqlite:///{folder}/l.sqlite"))
    if media:
        take_in(store, find_entries(media, "toy", pairs=False), "toy", lambda _: None)
    plan = make_plan(chosen, ModelHome(), only)
    whole = make_whole_plan(chosen, ModelHome()) if only else None
    works = in_processes(plan, store, toy_build.no_model, effort=Effort(0), tell=lambda _: None)
    return build(chosen, plan, store, works, whole=whole)


def receipt_of(folder: Path) -> dict[str, Any]:
    receipt = read_receipt(Root(str(folder)), "toy")
    assert receipt is not None
    return receipt


def columns(folder: Path) -> list[str]:
    receipt = receipt_of(folder)
    [*shards] = (folder / "toy" / "shards").glob("*.parquet")
    names = {tuple(pq.read_schema(shard).names) for shard in shards}
    assert names == {tuple(receipt["columns"])}
    return list(receipt["columns"])


def test_only_what_is_named_is_made_with_what_it_is_made_of(tmp_path: Path) -> None:
    media = make(tmp_path / "media", 4)
    summary = run(tmp_path / "root", media, "wave")
    assert (summary.made, summary.unfinished) == (4, 0)
    assert columns(tmp_path / "root") == ["entry_id", "split", "music_sha256", "wave"]
    assert summary.missing == ("other", "movement")
    made = {
        path.name.split(".")[0] for path in (tmp_path / "root" / "toy" / "sidecars").rglob("*.npz")
    }
    assert made == {"music_asset", "wave"}


def test_a_result_that_was_made_before_stays_in_the_shards(tmp_path: Path) -> None:
    media = make(tmp_path / "media", 4)
    run(tmp_path / "root", media, "wave")
    run(tmp_path / "root", None, "movement")
    assert columns(tmp_path / "root") == ["entry_id", "split", "music_sha256", "wave", "movement"]


def test_a_full_build_adds_the_rest_and_ends_as_if_it_had_been_alone(tmp_path: Path) -> None:
    media = make(tmp_path / "media", 4)
    run(tmp_path / "root", media, "movement")
    run(tmp_path / "root", None)
    run(tmp_path / "alone", media)
    shards = [
        sorted(p.name for p in (tmp_path / n / "toy" / "shards").iterdir())
        for n in ("root", "alone")
    ]
    assert shards[0] == shards[1]
    assert columns(tmp_path / "root") == [column.name for column in RECIPE.columns]


def test_a_column_that_some_entries_lack_is_absent_and_comes_back(tmp_path: Path) -> None:
    media = make(tmp_path / "media", 4)
    run(tmp_path / "root", media)
    make(media, 2, first=4)
    assert run(tmp_path / "root", media, "wave").made == 6
    assert columns(tmp_path / "root") == ["entry_id", "split", "music_sha256", "wave"]
    assert run(tmp_path / "root", None).made == 6
    assert columns(tmp_path / "root") == [column.name for column in RECIPE.columns]


def test_the_same_part_again_has_nothing_to_do(tmp_path: Path) -> None:
    media = make(tmp_path / "media", 4)
    run(tmp_path / "root", media, "other", "wave")
    assert run(tmp_path / "root", media, "wave", "other").up_to_date
    assert run(tmp_path / "root", media, "wave").up_to_date


def test_an_entry_that_any_step_turned_away_is_in_no_part(tmp_path: Path) -> None:
    media = make(tmp_path / "media", 4)
    (media / "clip001.mp4").write_text("reject me")
    assert run(tmp_path / "root", media).rejected == 1
    summary = run(tmp_path / "root", None, "music_asset")
    assert (summary.made, summary.rejected) == (3, 1)
    assert columns(tmp_path / "root") == [column.name for column in RECIPE.columns]


def test_a_name_that_nothing_makes_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        StopRun, match=r"'waves' \(did you mean wave\?\); it has: music_asset, wave, other"
    ):
        run(tmp_path / "root", make(tmp_path / "media", 1), "waves")


def test_a_model_that_is_not_here_stands_in_the_way_of_its_own_results_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(slot: str, name: str) -> object:
        raise StopRun("its weights are not here")

    wordy = Recipe("toy", (*RECIPE.uses, UNKNOWN), RECIPE.shares, pairs=False)
    monkeypatch.setattr(backends, "backend_class", gone)
    media = make(tmp_path / "media", 2)
    assert run(tmp_path / "root", media, "wave", chosen=wordy).made == 2
    with pytest.raises(StopRun, match="weights"):
        run(tmp_path / "root", media, chosen=wordy)


def test_the_receipt_names_every_model_that_has_a_part_in_the_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Words:
        @classmethod
        def identify(cls, home: ModelHome) -> ModelIdentity:
            return ModelIdentity("rapidocr", "1", "0" * 64, trained=False)

    monkeypatch.setattr(backends, "backend_class", lambda slot, name: Words)
    monkeypatch.setattr(toy_build, "no_model", lambda slot, name: object())
    wordy = Recipe("toy", (*RECIPE.uses, UNKNOWN), RECIPE.shares, pairs=False)
    media = make(tmp_path / "media", 2)
    run(tmp_path / "root", media, "wave", chosen=wordy)
    assert receipt_of(tmp_path / "root")["models"] == []
    run(tmp_path / "root", media, "words", chosen=wordy)
    run(tmp_path / "root", media, "other", chosen=wordy)
    [model] = receipt_of(tmp_path / "root")["models"]
    assert (model["slot"], model["trained"]) == ("text", False)


def test_a_sidecar_that_is_gone_is_named_with_the_command_that_makes_it(tmp_path: Path) -> None:
    media = make(tmp_path / "media", 2)
    run(tmp_path / "root", media, "wave", "movement")
    [gone, _] = (tmp_path / "root" / "toy" / "sidecars").rglob("movement.*.npz")
    gone.unlink()
    with pytest.raises(MissingResult, match=r"the movement of .* is gone"):
        run(tmp_path / "root", media, "other")
    assert run(tmp_path / "root", media, "other", "movement").made == 2


def test_a_recordings_facts_go_with_what_is_made_of_it() -> None:
    for name, asked, expected in (
        ("symmv", "motion", ["video_asset", "motion"]),
        ("symmv", "notes", ["music_asset", "notes"]),
        ("muvisync", "emotion", ["video_asset", "semantic", "emotion"]),
        ("symmv-release", "key", ["music_asset", "notes", "key"]),
        ("muvi-sync", "emotion", ["emotion"]),
    ):
        assert [use.makes for use in recipe(name).needed_for([asked])] == expected


def deaf(video: Path) -> FeatureTrack:
    raise RejectEntry(Reason.NO_AUDIO, "it is silent")


def beside(step: Step) -> Recipe:
    """The toy recipe without movement, which may stand beside it."""
    uses = (*toy_build.RECIPE.uses, OTHER)
    kept = use(step, makes="movement")
    return replace(RECIPE, uses=uses, beside=(kept,))


def test_what_stands_beside_a_recipe_is_in_the_rows_once_all_entries_have_it(
    tmp_path: Path,
) -> None:
    chosen, media = beside(MOVEMENT.step), make(tmp_path / "media", 3)
    without = ["entry_id", "split", "music_sha256", "wave", "other"]
    assert run(tmp_path / "root", media, chosen=chosen).missing == ()
    assert columns(tmp_path / "root") == without
    run(tmp_path / "root", None, "movement", chosen=chosen)
    assert columns(tmp_path / "root") == [*without, "movement"]
    assert run(tmp_path / "root", None, chosen=chosen).missing == ()
    run(tmp_path / "root", make(tmp_path / "media", 1, first=3), chosen=chosen)
    assert columns(tmp_path / "root") == without


def test_who_is_turned_away_by_what_stands_beside_is_so_for_that_request_alone(
    tmp_path: Path,
) -> None:
    chosen = beside(Step("hear", 1, ("video",), deaf))
    media = make(tmp_path / "media", 3)
    assert run(tmp_path / "root", media, chosen=chosen).made == 3
    asked = run(tmp_path / "root", None, "movement", chosen=chosen)
    assert (asked.made, asked.rejected) == (0, 3)
    again = run(tmp_path / "root", None, chosen=chosen)
    assert (again.made, again.rejected) == (3, 0)
