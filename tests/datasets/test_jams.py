"""Entries as JAMS files and back: what an editor changed becomes corrections."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import toy_corrections as made
from typer.testing import CliRunner

from symmv_builder.api import correcting, jams
from symmv_builder.cli import app
from symmv_builder.errors import NotFound, OutputExists, StopRun
from symmv_builder.records import to_json
from symmv_builder.settings import Settings, read_settings
from tests.datasets.foreign import python_with, run


def written(settings: Settings, folder: Path) -> dict[str, Any]:
    jams.export(settings, "toy", folder)
    found: dict[str, Any] = json.loads((folder / "film.jams").read_text())
    return found


def named(document: dict[str, Any], artifact: str, part: str = "") -> dict[str, Any]:
    for each in document["annotations"]:
        mine = each["sandbox"]["symmv"]
        if (mine["artifact"], mine.get("part", "")) == (artifact, part):
            found: dict[str, Any] = each
            return found
    raise LookupError(artifact)


def records(settings: Settings) -> dict[str, Any]:
    found = correcting.entry(settings, "toy", "film")
    names = ("beats", "scenes", "chords", "key", "key_spans", "parts")
    return {name: to_json(found.records[name]) for name in names} | {"trim": found.trim}


ALL = (
    ("beat", 4.0, 4.2),
    ("add-beat", 9.8),
    ("remove-beat", 0.5),
    ("cut", 7.0, 6.5),
    ("add-cut", 3.0),
    ("chord", 2.0, "Dm7"),
    ("key", "E- major"),
    ("key", 5.0, "A minor"),
    ("melody", 0.0, 60),
    ("trim", 1.0, 9.0),
)


def test_a_file_has_the_entry_as_it_was_corrected_in_the_namespaces_of_jams(
    settings: Settings, tmp_path: Path
) -> None:
    for words in ALL:
        correcting.correct(settings, "toy", "film", *words, by="Ann")
    document = written(settings, tmp_path / "out")
    assert document["file_metadata"]["identifiers"] == {"symmv": "film"}
    beats = named(document, "beats")
    assert beats["namespace"] == "beat"
    assert len(beats["data"]) == 20
    assert beats["data"][7] == {"time": 4.2, "duration": 0.0, "value": 3, "confidence": None}
    assert beats["annotation_metadata"]["annotator"] == {"names": ["Ann"]}
    assert [each["time"] for each in named(document, "scenes")["data"]] == [0.0, 3.0, 6.5]
    chords = named(document, "chords")
    assert chords["namespace"] == "chord"
    assert [each["value"] for each in chords["data"]][:3] == ["C:maj", "D:min7", "F:maj"]
    assert [each["value"] for each in named(document, "key")["data"]] == ["Eb:major"]
    spans = [each["value"] for each in named(document, "key_spans")["data"]]
    assert spans == ["C:major", "A:minor"]
    assert named(document, "parts", "melody")["data"][0]["value"] == 60
    assert document["sandbox"]["symmv"]["trim"] == [1.0, 9.0]


def test_files_bring_corrections_with_their_authors_to_another_root_and_once(
    settings: Settings, built_once: Path, tmp_path: Path
) -> None:
    for words in ALL:
        correcting.correct(settings, "toy", "film", *words, by="Ann")
    written(settings, tmp_path / "out")
    other = made.copy_of(built_once, tmp_path / "other" / "root")
    new = jams.take_in(other, "toy", [tmp_path / "out"], by="Bob")
    assert {name: len(mine) for name, mine in new.items()} == {"film": len(ALL)}
    assert records(other) == records(settings)
    here, there = (correcting.history(each, "toy", "film") for each in (settings, other))
    assert here == there
    assert jams.take_in(other, "toy", [tmp_path / "out"], by="Bob") == {}
    assert jams.take_in(settings, "toy", [tmp_path / "out"], by="Bob") == {}


def test_what_an_editor_changed_becomes_corrections(settings: Settings, tmp_path: Path) -> None:
    document = written(settings, tmp_path / "out")
    for each in named(document, "beats")["data"]:
        # Later than the next beat was: they make room for one another.
        each["time"] += 0.7
    named(document, "scenes")["data"][1]["time"] = 6.5
    named(document, "chords")["data"][1]["value"] = "D:min7"
    named(document, "key")["data"][0]["value"] = "Eb:major"
    melody = named(document, "parts", "melody")["data"]
    gone = melody.pop(0)
    path = tmp_path / "film.jams"
    path.write_text(json.dumps(document))
    before = records(settings)
    new = jams.take_in(settings, "toy", [path], by="Bob")["film"]
    assert {each.author for each in new} == {"Bob"}
    after = records(settings)
    assert after["beats"]["times_s"] == [pytest.approx(t + 0.7) for t in before["beats"]["times_s"]]
    assert after["scenes"]["starts_s"] == [0.0, 6.5]
    assert after["chords"]["labels"][:2] == ["CM", "Dm7"]
    assert after["key"]["tonic"] == "E-"
    changed = [
        number
        for number, pair in enumerate(
            zip(before["parts"]["is_melody"], after["parts"]["is_melody"], strict=True)
        )
        if pair[0] != pair[1]
    ]
    assert [before["parts"]["starts_s"][number] for number in changed] == [gone["time"]]


def test_beats_and_shots_that_a_file_has_or_lacks_are_added_and_removed(
    settings: Settings, tmp_path: Path
) -> None:
    document = written(settings, tmp_path / "out")
    beats, shots = (named(document, name)["data"] for name in ("beats", "scenes"))
    blank = {"duration": 0.0, "confidence": None}
    beats[6]["time"] = 3.1
    beats[12:14] = [{"time": t, "value": None, **blank} for t in (6.1, 6.3, 6.55)]
    beats[15]["value"] = 1
    beats.append({"time": 9.9, "value": 3, **blank})
    shots[1:] = [{"time": t, "value": "x", **blank} for t in (2.0, 4.0)]
    path = tmp_path / "film.jams"
    path.write_text(json.dumps(document))
    jams.take_in(settings, "toy", [path], by="Bob")
    after = records(settings)
    assert after["beats"]["times_s"] == [each["time"] for each in beats]
    places = [each["value"] for each in beats]
    # Those without a place are counted on from the beat before.
    places[12:15] = [each % 4 + 1 for each in range(places[11], places[11] + 3)]
    assert after["beats"]["positions"] == places
    assert after["scenes"]["starts_s"] == [0.0, 2.0, 4.0]
    assert after["scenes"]["ends_s"] == [2.0, 4.0, 10.0]
    assert after["scenes"]["start_frames"] == [0, 50, 100]
    assert jams.take_in(settings, "toy", [path], by="Bob") == {}


def test_a_file_of_another_program_is_known_by_its_namespaces(
    settings: Settings, tmp_path: Path
) -> None:
    times = records(settings)["beats"]["times_s"]
    times[3] += 0.1
    data = [{"time": t, "duration": 0, "value": None, "confidence": None} for t in times]
    beats = {"namespace": "beat", "annotation_metadata": {}, "data": data}
    path = tmp_path / "film.jams"
    path.write_text(json.dumps({"annotations": [beats], "file_metadata": {}}))
    [line] = jams.take_in(settings, "toy", [path], by="Bob")["film"]
    assert str(line.edit) == "beats at 1.500 s to 1.600 s"


def test_a_file_that_the_package_wrote_is_understood(settings: Settings, tmp_path: Path) -> None:
    """By jams 0.3.5, without a word of ours; a confidence is NaN, and a contour lies in columns."""
    path = tmp_path / "film.jams"
    path.write_bytes((Path(__file__).parent / "written_by_jams.jams").read_bytes())
    assert b"NaN" in path.read_bytes()
    new = jams.take_in(settings, "toy", [path], by="Bob")["film"]
    assert sorted(str(each.edit) for each in new) == [
        "beats at 1.500 s to 1.600 s",
        "chords at 2.000 s is Dm7",
        "key is E- major",
    ]


AGAIN = """
import json, sys
import jams

document = jams.load(sys.argv[1], validate=True, strict=True)
document.annotations.sort(key=lambda each: -len(each.data))
chords = document.search(namespace="chord")[0].data
del chords[1]
chords.add(jams.Observation(2.0, 2.0, "D:min7", None))
document.save(sys.argv[1], strict=True)
print(json.dumps([len(each.data) for each in document.annotations]))
"""


def test_the_package_itself_reads_changes_and_writes_a_file_of_ours(
    settings: Settings, tmp_path: Path
) -> None:
    python = python_with("jams")
    before = written(settings, tmp_path / "out")
    path = tmp_path / "out" / "film.jams"
    counts = run(python, AGAIN, path, home=tmp_path / "home")
    assert sorted(counts) == sorted(len(each["data"]) for each in before["annotations"])
    new = jams.take_in(settings, "toy", [path], by="Bob")["film"]
    assert [str(each.edit) for each in new] == ["chords at 2.000 s is Dm7"]


def _changed(document: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> str:
    change(document)
    return json.dumps(document)


def _data(document: dict[str, Any], artifact: str) -> list[dict[str, Any]]:
    part = "melody" if artifact == "parts" else ""
    data: list[dict[str, Any]] = named(document, artifact, part)["data"]
    return data


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda d: _data(d, "chords").pop(), "it has 4 chords and the entry 5"),
        (lambda d: _data(d, "beats").insert(4, {**_data(d, "beats")[4]}), "is a beat at 2.000 s"),
        (lambda d: _data(d, "beats")[3].pop("value"), "has no value"),
        (lambda d: _data(d, "beats")[3].update(time=-1), "is no time"),
        (lambda d: _data(d, "beats")[3].update(time="1"), "is no time"),
        (lambda d: _data(d, "beats")[3].update(time=True), "is no time"),
        (lambda d: _data(d, "beats")[3].update(time=2.04), "is a beat at 2.000 s"),
        (lambda d: _data(d, "chords")[1].update(value="<b>"), "is no name of a chord here"),
        (lambda d: _data(d, "chords")[1].update(time=2.5), "do not move them"),
        (lambda d: _data(d, "key")[0].update(value="H:major"), "is no key"),
        (lambda d: _data(d, "parts")[0].update(value=1), "there is no note 1"),
        (lambda d: d.update(annotations={}), "annotations is no list"),
        (lambda d: d["annotations"].append({}), "has no annotation_metadata"),
        (lambda d: d["annotations"][0].update(data={"time": []}), "no list of observations"),
        (lambda d: d["sandbox"]["symmv"].update(corrections=[{}]), "it cannot correct film"),
        (lambda d: d["sandbox"]["symmv"].update(corrections=[1]), "a correction is an object"),
        (lambda d: d["sandbox"]["symmv"].update(trim=["a", 1]), "it cannot correct film"),
        (lambda d: d["sandbox"]["symmv"].update(entry_id="../film"), "no entry"),
    ],
)
def test_a_file_that_cannot_be_is_refused_in_one_line_and_nothing_is_written(
    built_once: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    settings = read_settings({"HOME": str(tmp_path)}, root=str(built_once))
    path = tmp_path / "film.jams"
    path.write_text(_changed(written(settings, tmp_path / "out"), change))
    with pytest.raises(StopRun, match=problem) as caught:
        jams.take_in(settings, "toy", [path], by="Bob")
    assert "\n" not in str(caught.value)
    assert not (built_once / "toy" / "corrections.jsonl").exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"annotations": [NaN]}', "[" * 100_000])
def test_what_is_no_jams_is_refused(built_once: Path, tmp_path: Path, text: str) -> None:
    settings = read_settings({"HOME": str(tmp_path)}, root=str(built_once))
    (tmp_path / "film.jams").write_text(text)
    with pytest.raises(StopRun, match="it is no JAMS file"):
        jams.take_in(settings, "toy", [tmp_path], by="Bob")
    with pytest.raises(StopRun, match="holds no files"):
        jams.take_in(settings, "toy", [built_once], by="Bob")


def test_a_file_of_somebody_else_stays(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "film.jams").write_text("{}")
    with pytest.raises(OutputExists):
        jams.export(settings, "toy", tmp_path / "out")
    (tmp_path / "out" / "film.jams").unlink()
    first = written(settings, tmp_path / "out")
    assert written(settings, tmp_path / "out") == first


def call(settings: Settings, *words: str, code: int = 0) -> str:
    done = CliRunner().invoke(app, [*words, "--root", settings.root])
    assert done.exit_code == code, done.output
    return done.output


def test_the_command_corrects_lists_undoes_exports_and_takes_in(
    settings: Settings, tmp_path: Path
) -> None:
    def correct(*words: str) -> str:
        return call(settings, "correct", "toy", *words)

    said = correct("film", "beat", "4.0", "4.2", "--by", "Ann")
    assert "film: beats at 4.000 s to 4.200 s, by Ann" in said
    assert "waits for the next build" in correct()
    assert "1 correction stands" in correct("film")
    assert "0 corrections stand" in correct("short")
    assert "1 waits for the next build" in call(settings, "status", "toy")
    [line] = [json.loads(text) for text in correct("--json").splitlines()]
    assert (line["author"], line["state"]) == ("Ann", "waits for the next build")
    assert "2 entries" in call(settings, "export", "toy", str(tmp_path / "o"), "--format", "jams")
    assert "undone: film" in correct("--undo", line["id"])
    said = correct("--jams", str(tmp_path / "o" / "film.jams"), "--by", "Bob")
    assert "1 correction of 1 entry" in said
    with pytest.raises(NotFound):
        CliRunner().invoke(
            app, ["correct", "toy", "no", "beat", "1", "2", "--root", settings.root],
            catch_exceptions=False,
        )  # fmt: skip
