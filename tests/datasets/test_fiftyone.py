"""A dataset as a folder that FiftyOne opens: it is as its metadata say, and FiftyOne reads it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import toy_clips as toy
import toy_corrections as made
from typer.testing import CliRunner

from symmv_builder.api import correcting, fiftyone
from symmv_builder.cli import app
from symmv_builder.clips import ClockMap
from symmv_builder.datasets.exports import exports
from symmv_builder.datasets.subsets import Subset, shards_of, write_subset
from symmv_builder.errors import OutputExists
from symmv_builder.pipeline.step import use
from symmv_builder.records import Alignment, Scenes
from symmv_builder.settings import Settings
from symmv_builder.storage.assets import asset_name
from symmv_builder.storage.root import Root
from tests.datasets.foreign import python_with, run

KINDS: Mapping[str, type] = {"StringField": str, "IntField": int, "FloatField": float}
# What FiftyOne itself says of a sample beside its fields.
PRIVATE = {"_id", "_media_type", "_rand"}


def written(settings: Settings, folder: Path) -> dict[str, Any]:
    """The samples of an export by entry, once each is as its metadata say."""
    fiftyone.export(settings, "toy", folder)
    declared = json.loads((folder / "metadata.json").read_text())
    samples = json.loads((folder / "samples.json").read_text())["samples"]
    for each in samples:
        check(each, declared, folder)
    found = {each["entry_id"]: each for each in samples}
    assert len(found) == len(samples)
    return found


def check(sample: Mapping[str, Any], declared: Mapping[str, Any], folder: Path) -> None:
    fields = {each["name"]: each for each in declared["sample_fields"]}
    assert sample.keys() - PRIVATE == fields.keys() - {"id"}
    ids = [sample["_id"]["$oid"]]
    for name, field in fields.items():
        value, kind = sample.get(name), field["ftype"].removeprefix("fiftyone.core.fields.")
        if kind in KINDS and value is not None:
            assert type(value) is KINDS[kind], name
        if field["embedded_doc_type"] and value is not None:
            assert value["_cls"] == field["embedded_doc_type"].rpartition(".")[2]
    frames = sample["metadata"]["total_frame_count"]
    for name, detection in detections(sample):
        [inner] = fields[name]["fields"]
        known = {each["db_field"] for each in inner["fields"]}
        assert detection.keys() - {"_cls"} <= known
        first, last = detection["support"]
        assert 1 <= first <= last <= frames
        ids.append(detection["_id"]["$oid"])
    assert all(len(each) == 24 and int(each, 16) >= 0 for each in ids)
    assert len(set(ids)) == len(ids)
    assert (folder / sample["filepath"]).is_file()


def detections(sample: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, value in sample.items():
        if isinstance(value, dict) and value.get("_cls") == "TemporalDetections":
            yield from ((name, each) for each in value["detections"])


def labels(sample: Mapping[str, Any], name: str) -> list[tuple[str, int, int]]:
    return [(d["label"], *d["support"]) for own, d in detections(sample) if own == name]


def test_a_sample_has_the_video_and_what_is_known_of_the_entry(
    settings: Settings, tmp_path: Path
) -> None:
    correcting.correct(settings, "toy", "film", "chord", 2.0, "Dm7", by="Ann")
    correcting.correct(settings, "toy", "film", "trim", 1.0, 9.0, by="Bob")
    film, short = written(settings, tmp_path / "out").values()
    stored = Path(settings.root) / asset_name(_sha256(settings, film))
    assert (tmp_path / "out" / film["filepath"]).read_bytes() == stored.read_bytes()
    assert film["metadata"]["frame_rate"] == 25.0
    assert (film["metadata"]["total_frame_count"], film["metadata"]["duration"]) == (250, 10.0)
    assert (film["tempo_bpm"], film["note_count"], film["melody_note_count"]) == (120.0, 40, 15)
    assert (film["key"]["label"], film["key"]["confidence"]) == ("C major", 0.75)
    assert labels(film, "scenes") == [("shot 1", 1, 175), ("shot 2", 176, 250)]
    assert labels(film, "chords")[:3] == [("CM", 1, 50), ("Dm7", 51, 100), ("FM", 101, 150)]
    assert labels(film, "key_spans") == [("C major", 1, 125), ("G major", 126, 250)]
    assert labels(film, "beats")[2:4] == [("downbeat", 26, 26), ("beat", 39, 39)]
    assert labels(film, "kept") == [("kept", 26, 225)]
    assert film["tags"] == [film["split"], "corrected"]
    assert film["corrected_by"] == ["Ann", "Bob"]
    assert film["provenance"]["chords"]["step"] == "toy_chords"
    assert film["provenance"]["chords"]["corrected_by"] == ["Ann"]
    assert film["provenance"]["beats"]["corrected_by"] == []
    assert (short["kept"], short["corrected_by"], short["tags"]) == (None, [], [short["split"]])


def _sha256(settings: Settings, sample: Mapping[str, Any]) -> str:
    video: Any = correcting.entry(settings, "toy", sample["entry_id"]).records["video_asset"]
    return str(video.sha256)


def test_times_of_the_music_are_brought_to_the_video(tmp_path: Path) -> None:
    root = made.make_root(tmp_path, pairs=True, film_cover=10.0, film_video=12.0)
    settings = made.settings_of(root)
    film = written(settings, tmp_path / "out")["film"]
    alignment: Any = correcting.entry(settings, "toy", "film").records["alignment"]
    clocks = ClockMap(alignment if isinstance(alignment, Alignment) else None)
    beats = [d for own, d in detections(film) if own == "beats"]
    for each in beats:
        assert each["clock"] == "music"
        assert each["support"][0] == round(clocks.to_video(each["start_s"]) * 25) + 1
    # The music begins later than the video: all of it that the video reaches is there.
    assert beats[0]["support"][0] == round(toy.LATER_S * 25) + 1
    scenes: Any = correcting.entry(settings, "toy", "film").records["scenes"]
    assert isinstance(scenes, Scenes)
    assert [d["start_s"] for own, d in detections(film) if own == "scenes"] == [0.0, 7.0]


def test_rows_that_are_clips_are_detections_with_the_names_of_their_subsets(
    tmp_path: Path,
) -> None:
    media = toy.write_media(tmp_path / "media", film=12.0)
    toy.run(tmp_path / "root", toy.recipe(), media)
    settings = made.settings_of(tmp_path / "root")
    root = Root(settings.root)
    split = "train" if shards_of(root, "toy", "train") else "test"
    marked = Subset(split, ("film@00005000ms",), shards_of(root, "toy", split), {})
    write_subset(root, "toy", "finetune", marked)
    film = written(settings, tmp_path / "out")["film"]
    clips = [(d["label"], d["support"], d["tags"]) for own, d in detections(film) if own == "clips"]
    assert clips == [
        ("film@00000000ms", [1, 125], []),
        ("film@00005000ms", [126, 250], ["finetune"]),
    ]


def test_an_entry_that_was_turned_away_says_so(tmp_path: Path) -> None:
    media = toy.write_media(tmp_path / "media", film=12.0, short=6.0)
    recipe = toy.recipe()
    screen = use(toy.SCREEN, makes="still", max_mean=50.0)
    toy.run(tmp_path / "root", replace(recipe, uses=(*recipe.uses, screen)), media)
    film, short = written(made.settings_of(tmp_path / "root"), tmp_path / "out").values()
    assert film["rejected"] == "screen_wave: static_video, the mean of the wave is 59.5"
    assert ("rejected" in film["tags"], short["rejected"]) == (True, None)


def test_an_export_is_gone_on_with_and_follows_the_dataset(
    settings: Settings, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = fiftyone.export(settings, "toy", out)
    assert (first.samples, first.copied, first.left_out) == (2, 2, {})
    before = (out / "samples.json").read_bytes()
    # One that was interrupted has no samples yet.
    (out / "samples.json").unlink()
    assert fiftyone.export(settings, "toy", out).copied == 0
    assert (out / "samples.json").read_bytes() == before
    [known] = exports(Root(settings.root), "toy")
    assert (known.folder, known.format) == (str(out), "fiftyone")
    film = correcting.entry(settings, "toy", "film").records["video_asset"]
    (Path(settings.root) / asset_name(film.sha256)).unlink()  # type: ignore[union-attr]
    again = fiftyone.export(settings, "toy", out)
    assert again.left_out == {"film": "no video of it is stored"}
    assert [each.name[:5] for each in (out / "data").iterdir()] == ["short"]


@pytest.mark.parametrize("content", ["{}", "[1]", '{"info": {"symmv_builder": "1"}}', None])
def test_a_folder_of_something_else_is_left_alone(
    built_once: Path, tmp_path: Path, content: str | None
) -> None:
    out = tmp_path / "out"
    (out / "data").mkdir(parents=True)
    if content is not None:
        (out / "metadata.json").write_text(content)
    before = sorted(out.rglob("*"))
    with pytest.raises(OutputExists):
        fiftyone.export(made.settings_of(built_once), "toy", out)
    assert sorted(out.rglob("*")) == before


def test_no_path_of_a_changed_file_is_removed(settings: Settings, tmp_path: Path) -> None:
    out = tmp_path / "out"
    fiftyone.export(settings, "toy", out)
    (tmp_path / "mine").write_text("mine")
    (out / "samples.json").write_text('{"samples": [{"filepath": "data/../../mine"}]}')
    fiftyone.export(settings, "toy", out)
    assert (tmp_path / "mine").is_file()


def test_the_command_says_what_was_written(settings: Settings, tmp_path: Path) -> None:
    words = ("export", "toy", str(tmp_path / "out"), "--format", "fiftyone", "--root")
    done = CliRunner().invoke(app, [*words, settings.root])
    assert done.exit_code == 0, done.output
    assert "2 samples of toy in" in done.output
    wrong = CliRunner().invoke(app, [*words[:4], "fifty", "--root", settings.root])
    assert "lance, litdata, jams, label-studio, fiftyone" in str(wrong.exception)


READ = """
import json, sys
import fiftyone as fo

dataset = fo.Dataset.from_dir(sys.argv[1], dataset_type=fo.types.FiftyOneDataset, name="toy")
film = dataset.match({"entry_id": "film"}).first()
late = dataset.filter_labels("chords", fo.ViewField("start_s") > 3).count("chords.detections")
print(json.dumps({
    "media_type": dataset.media_type,
    "samples": len(dataset),
    "fields": sorted(dataset.get_field_schema(flat=True)),
    "splits": dataset.count_values("split"),
    "tags": dataset.count_sample_tags(),
    "rate": film.metadata.frame_rate,
    "chords": [[d.label, d.support, d.start_s] for d in film.chords.detections],
    "late": late,
    "shots": len(dataset.to_clips("scenes")),
    "key": [film.key.label, film.key.confidence],
    "step": film.provenance["chords"]["step"],
    "path": film.filepath,
}))
"""


def test_fiftyone_itself_reads_the_folder(settings: Settings, tmp_path: Path) -> None:
    python = python_with("fiftyone")
    out = tmp_path / "out"
    film, short = written(settings, out).values()
    read = run(python, READ, out, home=tmp_path / "home")
    declared = json.loads((out / "metadata.json").read_text())["sample_fields"]
    assert {each["name"] for each in declared} <= set(read["fields"])
    assert "chords.detections.start_s" in read["fields"]
    assert (read["media_type"], read["samples"], read["rate"]) == ("video", 2, 25.0)
    assert sum(read["splits"].values()) == sum(read["tags"].values()) == 2
    chords = [d for own, d in detections(film) if own == "chords"]
    assert read["chords"] == [[d["label"], d["support"], d["start_s"]] for d in chords]
    every = [d for each in (film, short) for own, d in detections(each) if own == "chords"]
    assert read["late"] == sum(each["start_s"] > 3 for each in every)
    assert read["shots"] == len(labels(film, "scenes")) + len(labels(short, "scenes"))
    assert (read["key"], read["step"]) == (["C major", 0.75], "toy_chords")
    assert Path(read["path"]) == out / film["filepath"]
