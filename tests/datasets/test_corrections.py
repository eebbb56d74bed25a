"""What people correct: kept beside the machine's record, in the next build, never lost, undone."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import toy_clips as toy
import toy_corrections as made

from symmv_builder.api import correcting
from symmv_builder.datasets import questions
from symmv_builder.datasets.clean import find_waste
from symmv_builder.datasets.dry_run import dry_run
from symmv_builder.datasets.takedown import take_down
from symmv_builder.datasets.verify import CheckCounts, verify
from symmv_builder.errors import MalformedFile, NotFound, StopRun, UnknownName, WrongSetting
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import CORRECTION, Plan
from symmv_builder.settings import Settings
from symmv_builder.storage.receipts import read_receipt
from tests.web.rooms import visitor


def test_the_next_build_makes_what_depends_on_a_correction_and_nothing_else(
    settings: Settings,
) -> None:
    before, other = made.row(settings, "film"), made.row(settings, "short")
    line = correcting.correct(settings, "toy", "film", "beat", 4.02, 4.25, by=" Ann  A ")
    assert (line.author, line.time[-6:]) == ("Ann A", "+00:00")
    assert made.states(settings) == {"waits for the next build": 1}
    plan = dry_run(
        made.recipe(), Plan("toy", made.recipe().uses), settings.open_store(read_only=True)
    )
    assert [(each.reason, each.entries) for each in plan.causes] == [("corrections of beats", 1)]
    _, steps = made.rebuild(settings)
    # Chords are named on beats; nothing else of the toy is made of them.
    assert steps == ["film.beats", "film.chords"]
    after = made.row(settings, "film")
    assert before["beats_times_s"][8] == 4.0
    assert after["beats_times_s"][8] == 4.25
    assert (
        np.delete(after["beats_times_s"], 8).tolist()
        == np.delete(before["beats_times_s"], 8).tolist()
    )
    assert str(made.row(settings, "short")) == str(other)
    assert made.states(settings) == {"built": 1}
    receipt = read_receipt(settings.open_store(read_only=True).root, "toy")
    assert receipt is not None
    assert receipt["corrections"] == {"beats": 1}
    assert made.rebuild(settings)[0].up_to_date


def test_every_kind_of_correction_is_in_the_row(settings: Settings) -> None:
    for what, *values in (
        ("cut", 7.0, 6.52),
        ("chord", 2.0, "Dm7"),
        ("key", "eb major"),
        ("key", 5.0, "a minor"),
        ("melody", 0.0, 60),
        ("accompaniment", "1.75", "67"),
    ):
        correcting.correct(settings, "toy", "film", what, *values, by="Ann")
    before = made.row(settings, "film")
    _, steps = made.rebuild(settings)
    assert steps == [f"film.{name}" for name in ("chords", "key", "key_spans", "parts", "scenes")]
    after = made.row(settings, "film")
    assert before["scenes_starts_s"].tolist() == [0.0, 7.0]
    assert after["scenes_starts_s"].tolist() == [0.0, 6.52]
    assert after["scenes_ends_s"].tolist() == [6.52, 10.0]
    assert after["scenes_start_frames"].tolist() == [0, 163]
    assert list(after["chords_labels"]) == ["CM", "Dm7", "FM", "GM", "CM"]
    assert after["key"] == "E-"
    assert list(after["key_tonics"]) == ["C", "A"]
    changed = np.flatnonzero(after["is_melody"] != before["is_melody"])
    assert changed.tolist() == [0, 7]


def test_beats_and_cuts_are_added_and_removed(settings: Settings) -> None:
    """The others stay as they are; what is made of them follows in the next build."""
    before = made.row(settings, "film")
    lines = [
        correcting.correct(settings, "toy", "film", what, *values, by="Ann")
        for what, *values in (
            ("add-beat", 4.25, 3),
            ("add-beat", 9.8),
            ("remove-beat", "1.02"),
            ("add-cut", 3.0),
            ("add-cut", 8.0),
            ("remove-cut", 7.0),
        )
    ]
    _, steps = made.rebuild(settings)
    assert steps == ["film.beats", "film.chords", "film.scenes"]
    after = made.row(settings, "film")
    places = list(zip(before["beats_times_s"], before["beats_positions"], strict=True))
    del places[2]
    places.insert(8, (4.25, 3))
    places.append((9.8, 3))
    assert list(zip(after["beats_times_s"], after["beats_positions"], strict=True)) == places
    assert after["scenes_starts_s"].tolist() == [0.0, 3.0, 8.0]
    assert after["scenes_ends_s"].tolist() == [3.0, 8.0, 10.0]
    assert after["scenes_start_frames"].tolist() == [0, 75, 200]
    # What was added can be moved, and removed; what stands on what is undone is told.
    moved = correcting.correct(settings, "toy", "film", "beat", 4.25, 4.3, by="Bob")
    correcting.correct(settings, "toy", "film", "remove-cut", 3.0, by="Bob")
    correcting.undo(settings, "toy", lines[0].id, by="Bob")
    made.rebuild(settings)
    assert made.row(settings, "film")["scenes_starts_s"].tolist() == [0.0, 8.0]
    status = questions.status(settings.open_store(read_only=True), "toy")
    [told] = status.not_applicable
    assert (told.correction, told.reason) == (moved, "there is no beat at 4.250 s")
    for each in correcting.corrections(settings, "toy", "film"):
        correcting.undo(settings, "toy", each.correction.id, by="Ann")
    assert made.rebuild(settings)[1] == []
    assert str(made.row(settings, "film")) == str(before)


def test_the_first_cut_of_all_has_its_frame_by_the_rate_of_the_video(settings: Settings) -> None:
    for what, at_s in (("remove-cut", 7.0), ("add-cut", 2.0)):
        correcting.correct(settings, "toy", "film", what, at_s, by="Ann")
    scenes = correcting.entry(settings, "toy", "film").records["scenes"]
    assert scenes.start_frames.tolist() == [0, 50]  # type: ignore[union-attr]


def test_the_machines_record_stands_beside_the_corrected_one_with_who_did_it(
    settings: Settings,
) -> None:
    line = correcting.correct(settings, "toy", "film", "chord", 0.0, "Em", by="Ann")
    made.rebuild(settings)
    store = settings.open_store(read_only=True)
    entry = questions.find_entry(store, "film")
    lines = [each for each in questions.why(store, entry) if each.result.artifact == "chords"]
    assert [each.result.step for each in lines] == ["toy_chords", CORRECTION]
    machine, by_hand = lines
    assert machine.provenance is not None
    assert machine.provenance.step == "toy_chords"
    assert by_hand.provenance is not None
    said = json.loads(by_hand.provenance.parameters)
    assert said["applied"].keys() == {line.id}
    assert "chords at 0.000 s is Em, by Ann at" in said["applied"][line.id]
    assert json.loads(by_hand.provenance.inputs) == {"chords": machine.result.key}
    # What clears old results away leaves the machine's.
    old = [each.name for each in find_waste(settings.open_store(), "toy", old_results=True)]
    assert not [name for name in old if "chords" in name]
    assert list(verify(settings.open_store(), "toy", CheckCounts(), deep=True)) == []


def test_undoing_makes_nothing_anew(settings: Settings) -> None:
    before = made.row(settings, "film")
    line = correcting.correct(settings, "toy", "film", "beat", 4.0, 4.2, by="Ann")
    made.rebuild(settings)
    with pytest.raises(UnknownName):
        correcting.undo(settings, "toy", "nothing", by="Bob")
    assert correcting.undo(settings, "toy", line.id, by="Bob") == line
    with pytest.raises(UnknownName):
        correcting.undo(settings, "toy", line.id, by="Bob")
    summary, steps = made.rebuild(settings)
    assert not summary.up_to_date
    assert steps == []
    assert str(made.row(settings, "film")) == str(before)
    assert [each.author for each in correcting.history(settings, "toy", "film")] == ["Ann", "Bob"]
    assert made.states(settings) == {}


def test_taking_a_line_out_of_the_file_undoes_it(settings: Settings) -> None:
    path = Path(settings.root) / "toy" / "corrections.jsonl"
    correcting.correct(settings, "toy", "film", "beat", 4.0, 4.2, by="Ann")
    first = path.read_bytes()
    correcting.correct(settings, "toy", "film", "beat", 4.2, 4.1, by="Bob")
    assert path.read_bytes().startswith(first)
    times = correcting.entry(settings, "toy", "film").records["beats"]
    assert times.times_s[8] == 4.1  # type: ignore[union-attr]
    path.write_bytes(first)
    assert [each.correction.author for each in correcting.corrections(settings, "toy")] == ["Ann"]
    path.unlink()
    assert correcting.corrections(settings, "toy") == []


def test_a_correction_outlives_another_model(settings: Settings) -> None:
    """It is applied where what it is about is there, and told where it is not."""
    kept = correcting.correct(settings, "toy", "film", "chord", 2.0, "Dm7", by="Ann")
    lost = correcting.correct(settings, "toy", "film", "cut", 7.0, 6.5, by="Ann")
    made.rebuild(settings)
    other = made.recipe(first="Gm")
    uses = tuple(
        toy.use(toy.SCENES, makes="scenes", shot_s=3.0) if use.makes == "scenes" else use
        for use in other.uses
    )
    made.rebuild(settings, replace(other, uses=uses))
    after = made.row(settings, "film")
    assert list(after["chords_labels"])[:2] == ["Gm", "Dm7"]
    assert after["scenes_starts_s"].tolist() == [0.0, 3.0, 6.0, 9.0]
    status = questions.status(settings.open_store(read_only=True), "toy")
    assert status.corrections == {"built": 1, "not applicable": 1}
    [told] = status.not_applicable
    assert (told.correction, told.reason) == (lost, "there is no cut at 7.000 s")
    # With the model that it was made for it is there again.
    made.rebuild(settings)
    assert made.row(settings, "film")["scenes_starts_s"].tolist() == [0.0, 6.5]
    assert {each.correction for each in correcting.corrections(settings, "toy")} == {kept, lost}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("beat", 4.3, 4.4), "there is no beat at 4.300 s"),
        (("beat", 4.0, 4.5), "not between its neighbours"),
        (("beat", 4.0, "x"), "a time in seconds"),
        (("beat", 4.0, "nan"), "a time in seconds"),
        (("beat", 4.0), "it takes AT TO"),
        (("beat", 1, 2, 3), "it takes AT TO"),
        (("add-beat", 4.04), "there is a beat at 4.000 s already"),
        (("add-beat", 4.2, 0), "a number from 1 to 32"),
        (("add-beat", 4.2, "-1"), "a number from 1 to 32"),
        (("add-beat",), "it takes AT [PLACE]"),
        (("remove-beat", 4.2), "there is no beat at 4.200 s"),
        (("remove-beat", 4.0, 4.5), "it takes AT"),
        (("add-cut", 7.01), "there is a cut at 7.000 s already"),
        (("add-cut", 0.01), "there is a cut at 0.000 s already"),
        (("add-cut", 10.0), "no shot goes on at 10.000 s"),
        (("remove-cut", 0.0), "there is no cut at 0.000 s"),
        (("cut", 0.0, 1.0), "there is no cut at 0.000 s"),
        (("cut", 7.0, 10.0), "not between its neighbours"),
        (("chord", 0.3, "Am"), "there is no chord at 0.300 s"),
        (("chord", 0.0, "A:min"), "A:min is no name of a chord here"),
        (("chord", 0.0, "A" * 41), "at most 40 characters"),
        (("key", "H minor"), "is no key"),
        (("key", 1.0, "A minor"), "there is no key at 1.000 s"),
        (("melody", 0.0, 61), "there is no note 61 at 0.000 s"),
        (("melody", 0.0, 128), "MIDI number"),
        (("trim", 3.0, 3.0), "ends behind its start"),
        (("trim", 3.0, 99.0), "the entry ends at 10.000 s"),
        (("tempo", 90), "no correction is called 'tempo'"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line_and_nothing_is_written(
    built_once: Path, words: tuple[str, Any], problem: str
) -> None:
    settings = made.settings_of(built_once)
    with pytest.raises(StopRun, match=re.escape(problem)) as caught:
        correcting.correct(settings, "toy", "film", *words, by="Ann")
    assert "\n" not in str(caught.value)
    assert not (built_once / "toy" / "corrections.jsonl").exists()


def test_who_and_what_are_asked_for(built_once: Path) -> None:
    settings = made.settings_of(built_once)
    for by in ("", " ", "x" * 41):
        with pytest.raises(WrongSetting, match="author"):
            correcting.correct(settings, "toy", "film", "beat", 4.0, 4.1, by=by)
    with pytest.raises(NotFound):
        correcting.correct(settings, "toy", "nobody", "beat", 4.0, 4.1, by="Ann")
    with pytest.raises(StopRun):
        correcting.corrections(settings, "nothing")


def test_a_second_author_is_told_what_the_first_one_left(settings: Settings) -> None:
    correcting.correct(settings, "toy", "film", "beat", 4.0, 4.2, by="Ann")
    with pytest.raises(WrongSetting, match=r"there is no beat at 4\.000 s"):
        correcting.correct(settings, "toy", "film", "beat", 4.0, 3.8, by="Bob")
    assert correcting.undo_last(settings, "toy", "film", by="Bob") is None
    assert correcting.undo_last(settings, "toy", "film", by="Ann") is not None


def test_of_many_who_correct_at_once_nobody_is_lost(settings: Settings) -> None:
    def correct(number: int) -> str:
        at_s, by = 0.5 * number, f"Ann {number}"
        return correcting.correct(settings, "toy", "film", "beat", at_s, at_s + 0.1, by=by).id

    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(correct, range(8)))
    lines = (Path(settings.root) / "toy" / "corrections.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["id"] for line in lines) == sorted(ids)
    assert made.states(settings) == {"waits for the next build": 8}


@pytest.mark.parametrize(
    "line",
    [
        "{}",
        "[]",
        '{"id": "a", "entry_id": "film", "author": "A", "time": "2026-01-01", "undoes": ""}',
        '{"id": "../a", "entry_id": "film", "author": "A", "time": "2026-01-01", "undoes": "b"}',
        '{"id": "a", "entry_id": "film", "author": "A\\n", "time": "2026-01-01", "undoes": "b"}',
        '{"id": "a", "entry_id": "film", "author": "A", "time": "now", "undoes": "b"}',
        *(
            '{"id": "a", "entry_id": "film", "author": "A", "time": "2026-01-01", "edit": '
            f"{edit}}}"
            for edit in (
                "1",
                "{}",
                '{"artifact": "beats", "kind": "move", "value": "x", "at_s": 1}',
                '{"artifact": "beats", "kind": "move", "value": -1, "at_s": 1}',
                '{"artifact": "beats", "kind": "move", "value": 1, "at_s": "1"}',
                '{"artifact": "beats", "kind": "move", "value": 1}',
                '{"artifact": "beats", "kind": "drop", "value": 1, "at_s": 1}',
                '{"artifact": "beats", "kind": "trim", "value": 2, "at_s": 1}',
                '{"artifact": "parts", "kind": "mark", "value": true, "at_s": 1}',
                '{"artifact": "chords", "kind": "rename", "value": "a\\u001b", "at_s": 1}',
            )
        ),
    ],
)
def test_a_line_that_is_no_correction_stops_with_its_place(settings: Settings, line: str) -> None:
    path = Path(settings.root) / "toy" / "corrections.jsonl"
    correcting.correct(settings, "toy", "film", "beat", 4.0, 4.2, by="Ann")
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(MalformedFile) as caught:
        correcting.corrections(settings, "toy")
    assert caught.value.line == 2


def test_verify_looks_at_the_lines(settings: Settings) -> None:
    correcting.correct(settings, "toy", "film", "beat", 4.0, 4.2, by="Ann")
    assert list(verify(settings.open_store(), "toy", CheckCounts())) == []
    path = Path(settings.root) / "toy" / "corrections.jsonl"
    path.write_text(path.read_text() + "{}\n")
    [problem] = verify(settings.open_store(), "toy", CheckCounts())
    assert (problem.kind, problem.path) == ("manifest", "toy/corrections.jsonl")


def test_a_line_that_a_merge_left_twice_counts_once(settings: Settings) -> None:
    path = Path(settings.root) / "toy" / "corrections.jsonl"
    correcting.correct(settings, "toy", "film", "beat", 4.0, 4.2, by="Ann")
    path.write_text(path.read_text() * 2)
    assert made.states(settings) == {"waits for the next build": 1}


def test_the_page_goes_through_a_long_entry(tmp_path: Path) -> None:
    settings = made.settings_of(made.make_root(tmp_path, film=31.0))
    guest = visitor(settings).is_called("Ann")
    page = guest.get("/correct/toy/film")
    assert "Earlier" not in page
    assert "Mark as melody: C4 at 0.000 s" in page
    places = []
    while match := re.search(r'name="place" value="([^"]+)"><button[^>]*>Later', page):
        places.append(match[1])
        page = guest.get(f"/correct/toy/film?place={match[1]}")
    assert places == ["15", "25", "35"]
    assert "30 to 40 s" in page
    assert "beat at 30.500 s" in page
    assert "beat at 29.500 s" not in page
    assert re.search(r'value="25"><button[^>]*>Earlier', page)
    guest.send("/correct/toy/film", place="35", what="beat", at="30.5", to="30.6")
    assert "beats at 30.500 s to 30.600 s" in guest.get("/correct/toy/film?place=35")


def test_a_correction_made_during_a_build_waits_for_the_next(settings: Settings) -> None:
    def tell(event: Event) -> None:
        if event.kind == "note" and event.detail == "writing shards":
            correcting.correct(settings, "toy", "film", "beat", 6.0, 6.2, by="Bob")

    correcting.correct(settings, "toy", "film", "beat", 4.0, 4.2, by="Ann")
    summary = toy.run(Path(settings.root), made.recipe(), tell=tell)
    assert summary.made == 2
    assert made.row(settings, "film")["beats_times_s"][[8, 12]].tolist() == [4.2, 6.0]
    assert made.states(settings) == {"built": 1, "waits for the next build": 1}


def test_what_is_taken_down_takes_its_corrections_along(settings: Settings) -> None:
    for name in ("film", "short"):
        correcting.correct(settings, "toy", name, "trim", 1.0, 5.0, by="Ann")
    made.rebuild(settings)
    take_down(settings.open_store(), "toy", "film", "asked for")
    text = (Path(settings.root) / "toy" / "corrections.jsonl").read_text()
    assert "film" not in text
    assert "short" in text
    receipt = read_receipt(settings.open_store(read_only=True).root, "toy")
    assert receipt is not None
    assert list(receipt["trimmed"]) == ["short"]


def test_a_correction_of_an_entry_that_is_gone_is_told(settings: Settings) -> None:
    correcting.correct(settings, "toy", "film", "beat", 4.0, 4.2, by="Ann")
    path = Path(settings.root) / "toy" / "corrections.jsonl"
    path.write_text(path.read_text().replace('"film"', '"other"'))
    status = questions.status(settings.open_store(read_only=True), "toy")
    [told] = status.not_applicable
    assert told.reason == "there is no entry other"
