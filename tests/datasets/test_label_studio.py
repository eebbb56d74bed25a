"""Tasks of Label Studio, and its answers as corrections."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

from symmv_builder.api import correcting, label_studio
from symmv_builder.cli import app
from symmv_builder.errors import MalformedFile, OutputExists, StopRun
from symmv_builder.settings import Settings, read_settings
from tests.datasets.foreign import python_with, run


def tasks(settings: Settings, folder: Path, **more: str) -> list[dict[str, Any]]:
    label_studio.export(settings, "toy", folder, **more)
    found: list[dict[str, Any]] = json.loads((folder / "tasks.json").read_text())
    return found


def answered(task: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What Label Studio exports where somebody left a task as it was predicted."""
    result = [{**region, "origin": "prediction"} for region in task["predictions"][0]["result"]]
    by = {"id": 3, "email": "ann@example.org"}
    answer = {"id": 1, "completed_by": by, "result": result, "was_cancelled": False, **more}
    return {"id": 7, "data": task["data"], "annotations": [answer], "predictions": []}


def regions(task: dict[str, Any], control: str) -> list[dict[str, Any]]:
    return [each for each in task["annotations"][0]["result"] if each["from_name"] == control]


def said(settings: Settings) -> list[str]:
    return [str(each.correction.edit) for each in correcting.corrections(settings, "toy")]


def test_tasks_have_media_and_predictions_that_the_interface_knows(
    settings: Settings, tmp_path: Path
) -> None:
    film = next(t for t in tasks(settings, tmp_path / "out") if t["data"]["entry_id"] == "film")
    assert film["data"]["music"].startswith("/data/local-files/?d=assets/")
    assert (film["data"]["fps"], film["data"]["dataset"]) == (25.0, "toy")
    [prediction] = film["predictions"]
    assert prediction["model_version"].startswith("symmv-builder ")
    view = ElementTree.parse(tmp_path / "out" / "interface.xml").getroot()  # noqa: S314
    controls = {each.get("name"): each for each in view if each.get("toName")}
    objects = {each.get("name"): each.get("value") for each in view if not each.get("toName")}
    fields = {"labels": "labels", "choices": "choices", "timelinelabels": "timelinelabels"}
    for region in prediction["result"]:
        control = controls[region["from_name"]]
        assert control.get("toName") == region["to_name"]
        assert control.tag.lower() == region["type"]
        assert str(objects[region["to_name"]])[1:] in film["data"]
        names = {label.get("value") for label in control}
        assert set(region["value"][fields[region["type"]]]) <= names
    assert len({each["id"] for each in prediction["result"]}) == len(prediction["result"])
    shots = [r["value"]["ranges"] for r in prediction["result"] if r["from_name"] == "shots"]
    assert shots == [[{"start": 1, "end": 175}], [{"start": 176, "end": 250}]]


def test_recordings_are_served_where_it_is_said(settings: Settings, tmp_path: Path) -> None:
    address = "https://example.org/{entry}/{kind}?f={path}"
    [first, _] = tasks(settings, tmp_path / "out", address=address)
    assert first["data"]["video"].startswith("https://example.org/film/video?f=assets/")
    with pytest.raises(OutputExists):
        label_studio.export(settings, "toy", tmp_path / "out")


def test_answers_that_change_nothing_correct_nothing(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(json.dumps([answered(each) for each in tasks(settings, tmp_path / "out")]))
    assert label_studio.take_in(settings, "toy", path) == {}


def test_what_was_changed_is_corrected_by_who_answered(settings: Settings, tmp_path: Path) -> None:
    film = answered(tasks(settings, tmp_path / "out")[0])
    regions(film, "beats")[3]["value"].update(start=1.6, end=1.64)
    regions(film, "chords")[1]["value"]["labels"] = ["Dm7"]
    regions(film, "keys")[1]["value"]["labels"] = ["A minor"]
    regions(film, "key")[0]["value"]["choices"] = ["E- major"]
    beats = regions(film, "beats")
    film["annotations"][0]["result"].remove(beats[12])
    beats[10]["value"]["labels"], beats[9]["value"]["labels"] = ["beat"], ["downbeat"]
    shots = [each["value"]["ranges"][0] for each in regions(film, "shots")]
    shots[0]["end"], shots[1]["start"] = 150, 151
    skipped = {**film["annotations"][0], "was_cancelled": True, "updated_at": "2027"}
    film["annotations"].append(skipped)
    path = tmp_path / "export.json"
    path.write_text(json.dumps([film]))
    new = label_studio.take_in(settings, "toy", path)["film"]
    assert {each.author for each in new} == {"ann@example.org"}
    assert sorted(said(settings)) == [
        "beats at 1.500 s to 1.600 s",
        "beats: add at 4.500 s",
        "beats: add at 5.000 s",
        "beats: remove at 4.500 s",
        "beats: remove at 5.000 s",
        "beats: remove at 6.000 s",
        "chords at 2.000 s is Dm7",
        "key is E- major",
        "key_spans at 5.000 s is A minor",
        "scenes at 7.000 s to 6.000 s",
    ]
    beats_now: Any = correcting.entry(settings, "toy", "film").records["beats"]
    assert beats_now.positions[8:12].tolist() == [3, 1, 2, 2]
    assert label_studio.take_in(settings, "toy", path) == {}


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda t: t.update(data={}), "'fps' is missing"),
        (lambda t: t["data"].update(entry_id="nobody"), "no entry"),
        (lambda t: t["data"].update(fps=0), "no 0.0 frames a second"),
        (lambda t: t["annotations"][0].update(result=[{"from_name": "beats"}]), "is missing"),
        (lambda t: regions(t, "beats")[0]["value"].update(start="x"), "could not convert"),
        (lambda t: regions(t, "beats")[0]["value"].update(start=-2, end=0), "is no time"),
        (lambda t: t["annotations"][0]["result"].remove(regions(t, "chords")[0]), "has 4 chords"),
        (lambda t: regions(t, "chords")[0]["value"].update(labels=["x"]), "no name of a chord"),
        (lambda t: t["annotations"][0].update(completed_by={"email": "x" * 41}), "author"),
    ],
)
def test_answers_that_cannot_be_are_refused_in_one_line(
    built_once: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    settings = read_settings({"HOME": str(tmp_path)}, root=str(built_once))
    film = answered(tasks(settings, tmp_path / "out")[0])
    # A change that would go through: nothing is written all the same.
    regions(film, "beats")[3]["value"].update(start=1.6, end=1.64)
    change(film)
    (tmp_path / "export.json").write_text(json.dumps([film]))
    with pytest.raises(StopRun, match=problem) as caught:
        label_studio.take_in(settings, "toy", tmp_path / "export.json", by="Bob")
    assert "\n" not in str(caught.value)
    assert not (built_once / "toy" / "corrections.jsonl").exists()


@pytest.mark.parametrize(
    "text", ["", "{}", "[1]", '[{"annotations": 1}]', '[{"beats": [], "id": 1}]', "[" * 100_000]
)
def test_what_is_no_export_is_refused(built_once: Path, tmp_path: Path, text: str) -> None:
    settings = read_settings({"HOME": str(tmp_path)}, root=str(built_once))
    (tmp_path / "export.json").write_text(text)
    with pytest.raises(MalformedFile):
        label_studio.take_in(settings, "toy", tmp_path / "export.json")


VALID = """
import json, sys
from label_studio_sdk.label_interface import LabelInterface

interface = LabelInterface(open(sys.argv[1] + "/interface.xml").read())
interface.validate()
tasks = json.load(open(sys.argv[1] + "/tasks.json"))
faults = [
    fault
    for task in tasks
    for each in task["predictions"]
    for fault in interface.validate_prediction(each, return_errors=True)
]
wrong = json.loads(json.dumps(tasks[0]["predictions"][0]))
wrong["result"][0]["value"]["labels"] = ["nothing"]
print(json.dumps({
    "tasks": [interface.validate_task({"data": task["data"]}) for task in tasks],
    "faults": faults,
    "wrong": len(interface.validate_prediction(wrong, return_errors=True)),
}))
"""


def test_its_own_package_finds_tasks_and_interface_valid(
    settings: Settings, tmp_path: Path
) -> None:
    python = python_with("label_studio_sdk")
    tasks(settings, tmp_path / "out")
    said = run(python, VALID, tmp_path / "out", home=tmp_path / "home")
    assert said == {"tasks": [True, True], "faults": [], "wrong": 1}


def test_the_commands_write_tasks_and_take_answers(settings: Settings, tmp_path: Path) -> None:
    def call(*words: str) -> str:
        done = CliRunner().invoke(app, [*words, "--root", settings.root])
        assert done.exit_code == 0, done.output
        return done.output

    out = tmp_path / "out"
    said = call("export", "toy", str(out), "--format", "label-studio", "--media-url", "/x/{kind}")
    assert "interface.xml" in said
    film = answered(json.loads((out / "tasks.json").read_text())[0], completed_by=4)
    assert film["data"]["music"] == "/x/music"
    regions(film, "beats")[3]["value"].update(start=1.6, end=1.64)
    (tmp_path / "export.json").write_text(json.dumps([film]))
    said = call("correct", "toy", "--label-studio", str(tmp_path / "export.json"))
    assert "beats at 1.500 s to 1.600 s, by Label Studio user 4" in said
