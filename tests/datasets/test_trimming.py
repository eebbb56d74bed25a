"""Entries that a person trimmed: their rows, clips and exports hold what is kept."""

import json
from pathlib import Path

import toy_clips as toy
import toy_corrections as made

from symmv_builder.api import correcting
from symmv_builder.clips import Windows
from symmv_builder.datasets import questions
from symmv_builder.datasets.media_export.media import Media
from symmv_builder.datasets.media_export.plan import make_plan
from symmv_builder.datasets.recipe import ClipRules
from symmv_builder.settings import Settings
from symmv_builder.storage.manifests import read_entries
from symmv_builder.storage.receipts import PLACE, read_receipt
from symmv_builder.storage.shard_rows import ShardRows


def test_an_entry_is_trimmed_and_its_row_begins_where_the_trim_does(settings: Settings) -> None:
    line = correcting.correct(settings, "toy", "film", "trim", 2.0, 6.0, by="Ann")
    _, steps = made.rebuild(settings)
    assert steps == []
    after = made.row(settings, "film")
    assert after["wave"].tolist() == list(range(20, 60))
    assert after["beats_times_s"].tolist() == [0.5 * number for number in range(8)]
    assert after["scenes_ends_s"].tolist() == [4.0]
    receipt = read_receipt(settings.open_store(read_only=True).root, "toy")
    assert receipt is not None
    assert receipt["trimmed"] == {"film": [2.0, 6.0, 2.0, 6.0]}
    assert made.states(settings) == {"built": 1}
    assert made.rebuild(settings)[0].up_to_date
    # A further trim takes the place of the first, whole when both are undone.
    correcting.correct(settings, "toy", "film", "trim", 1.0, 9.0, by="Bob")
    made.rebuild(settings)
    assert len(made.row(settings, "film")["wave"]) == 80
    correcting.undo_last(settings, "toy", "film", by="Bob")
    made.rebuild(settings)
    assert len(made.row(settings, "film")["wave"]) == 40
    correcting.undo(settings, "toy", line.id, by="Bob")
    made.rebuild(settings)
    assert len(made.row(settings, "film")["wave"]) == 100


def test_of_two_recordings_the_trim_is_taken_by_the_alignment(tmp_path: Path) -> None:
    media = toy.write_media(tmp_path / "media")
    for kind, seconds in (("cover", 20.0), ("video", 18.0)):
        (media / f"song.{kind}.mp4").write_text(json.dumps({"seconds": seconds, "of": kind}))
    recipe = made.recipe(pairs=True)
    toy.run(tmp_path / "root", recipe, media)
    settings = made.settings_of(tmp_path / "root")
    [entry] = [each.entry_id for each in read_entries(settings.open_manifests(), "toy")]
    correcting.correct(settings, "toy", entry, "trim", 6.0, 10.0, by="Ann")
    made.rebuild(settings, recipe)
    after = made.row(settings, entry)
    # The music runs 1.25 times as fast and begins 2 s later: 5 to 10 s of it.
    assert after["beats_times_s"].tolist() == [0.5 * number for number in range(10)]
    assert len(after["wave"]) == 40


def test_where_rows_are_clips_those_alone_are_made_that_lie_in_the_trim(settings: Settings) -> None:
    recipe = toy.recipe(ClipRules(Windows(2.0, 2.0, 2.0)))
    made.rebuild(settings, recipe)
    correcting.correct(settings, "toy", "film", "trim", 3.0, 8.0, by="Ann")
    summary, steps = made.rebuild(settings, recipe)
    assert steps == []
    assert summary.clips is not None
    assert made.states(settings) == {"built": 1}
    store = settings.open_store(read_only=True)
    story = questions.why(store, questions.find_entry(store, "film"))
    away = [each.result.detail for each in story if each.result.reason == "trimmed"]
    assert [text.split(":")[0] for text in away] == ["0 to 2 s", "2 to 4 s", "8 to 10 s"]


def test_the_row_of_a_trimmed_entry_says_where_it_lies_to_whoever_asks(settings: Settings) -> None:
    """Exports with recordings, and models that hear them, take the same seconds as the row."""
    correcting.correct(settings, "toy", "film", "trim", 2.0, 6.0, by="Ann")
    made.rebuild(settings)
    root = settings.open_store(read_only=True).root
    found = {}
    for split in ("train", "test"):
        rows = ShardRows(root, "toy", split, ("entry_id",), PLACE)
        for each in (*rows, *rows.reopened(), rows.row(0)):
            found[each["entry_id"]] = [each.get(name) for name in PLACE]
        assert PLACE[0] not in ShardRows(root, "toy", split, ("entry_id",)).row(0)
    assert found == {"film": [2.0, 6.0, 2.0, 6.0], "short": [None] * 4}
    plan = make_plan(root, settings.open_manifests(), "toy", Media("hf"))
    cuts = {each.entry_id: (each.music, each.video) for each in plan.all()}
    for part in cuts["film"]:
        assert part is not None
        assert (part.span, part.is_whole) == ((2.0, 6.0), False)
    assert all(part is not None and part.is_whole for part in cuts["short"])
