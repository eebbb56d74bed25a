"""The page that corrects an entry: forms that change one thing each, by name, undone, harmless."""

import re
from pathlib import Path

import pytest

from symmv_builder.api import correcting
from symmv_builder.settings import Settings
from tests.web.rooms import DATASET, ENTRY, Visitor, make_root, text_of, visitor

PAGE = f"/correct/{DATASET}/{ENTRY}"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_root(tmp_path, proposals=1, with_media=False)


@pytest.fixture
def ann(settings: Settings) -> Visitor:
    guest = visitor(settings).is_called("Ann \u00c4 <i>")
    guest.get(PAGE)
    return guest


def said(settings: Settings) -> list[str]:
    return [str(each.correction.edit) for each in correcting.corrections(settings, DATASET)]


def test_who_corrects_is_asked_first(settings: Settings) -> None:
    guest = visitor(settings)
    answer = guest.client.get(PAGE, follow_redirects=False)
    assert answer.headers["location"] == f"/name?next=%2Fcorrect%2F{DATASET}%2F{ENTRY}"
    guest.get("/name")
    guest.send(PAGE, status=403, what="beat", at="0.5", to="0.6")
    assert said(settings) == []


def test_what_is_missing_is_added_and_what_is_none_removed(
    ann: Visitor, settings: Settings
) -> None:
    for fields in (
        {"what": "add-beat", "at": "0.75", "to": ""},
        {"what": "add-beat", "at": "1.25", "to": "4"},
        {"what": "remove-beat", "at": "2.0"},
        {"what": "add-cut", "at": "0.5"},
        {"what": "remove-cut", "at": "1.5"},
    ):
        ann.send(PAGE, 303, **fields)
    page = ann.get(PAGE)
    for label in ("Remove the beat 3 at 0.750 s", "Remove the beat 4 at 1.250 s",
                  "Remove the shot 2 at 0.500 s"):  # fmt: skip
        assert f'aria-label="{label}"' in page
    assert re.search('aria-label="Remove the [a-z0-9 ]+ at 2.000 s', page) is None
    # Where nothing is any more one can still be added.
    ann.send(PAGE, what="remove-cut", at="0.5")
    assert "New cut at, s, video" in text_of(ann.get(PAGE))
    assert len(said(settings)) == 6


def test_each_form_changes_one_thing(ann: Visitor, settings: Settings) -> None:
    for fields in (
        {"what": "beat", "at": "0.5", "to": "0.6"},
        {"what": "cut", "at": "1.5", "to": "1.25"},
        {"what": "key", "to": "A minor"},
        {"what": "key", "at": "0.0", "to": "E- major"},
        {"what": "melody", "at": "0.0", "to": "60"},
        {"what": "trim", "at": "0.5", "to": "2"},
        {"what": "chord", "at": "1.0", "to": "C:maj"},
    ):
        assert ann.send(PAGE, 303, place="1", **fields) == f"{PAGE}?place=1"
    assert [each.split(" ")[0] for each in said(settings)] == [
        "beats", "scenes", "key", "key_spans", "parts:", "entry:", "chords",
    ]  # fmt: skip
    page = ann.get(PAGE)
    assert "<i>" not in page
    assert "by</th>" in page
    assert text_of(page).count("waits for the next build") == 7
    # The page shows the entry as it is with them.
    assert 'value="0.600"' in page
    assert "Mark as accompaniment: C4" in page
    first = re.findall(r'name="id" value="([0-9a-f]+)"', page)[0]
    ann.send(PAGE, what="undo", id=first)
    ann.send(PAGE, what="undo last")
    assert [each.split(" ")[0] for each in said(settings)] == [
        "scenes", "key", "key_spans", "parts:", "entry:",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (400, {"what": "beat", "at": "0.3", "to": "0.4"}),
        (400, {"what": "beat", "at": "0.5", "to": "9"}),
        (400, {"what": "beat", "at": "0.5", "to": "<script>"}),
        (400, {"what": "beat"}),
        (400, {"what": "add-beat", "at": "0.5"}),
        (400, {"what": "add-beat", "at": "0.6", "to": "999999999999999999999"}),
        (400, {"what": "add-cut"}),
        (400, {"what": "remove-cut", "at": "0"}),
        (400, {"what": "chord", "at": "0.0", "to": "<script>alert(1)</script>"}),
        (400, {"what": "key", "to": "\x1b[31m"}),
        (400, {"what": "trim", "at": "2", "to": "1"}),
        (400, {"what": "nothing"}),
        (400, {}),
        (404, {"what": "undo", "id": "nothing"}),
        (404, {"what": "undo"}),
    ],
)
def test_what_cannot_be_is_refused_with_one_line(
    ann: Visitor, settings: Settings, status: int, fields: dict[str, str]
) -> None:
    ann.send(PAGE, status=status, **fields)
    assert said(settings) == []
    assert not (Path(settings.root) / DATASET / "corrections.jsonl").exists()


def test_a_form_of_another_site_or_without_its_word_changes_nothing(
    ann: Visitor, settings: Settings
) -> None:
    fields = {"what": "beat", "at": "0.5", "to": "0.6"}
    ann.client.post(PAGE, data={"word": ann.word, **fields}, headers={"origin": "http://evil.org"})
    ann.client.post(PAGE, data={"word": ann.word, **fields})
    ann.client.post(PAGE, data={"word": "x", **fields}, headers={"origin": ann.origin})
    ann.client.get(PAGE, params=fields)
    assert said(settings) == []


@pytest.mark.parametrize("place", ["", "-1", "x", "nan", "inf", "1e9", "2.5"])
def test_a_place_that_is_no_time_is_the_beginning(ann: Visitor, place: str) -> None:
    text = text_of(ann.get(f"{PAGE}?place={place}"))
    assert "0 to 10 s" in text
    assert "downbeat" in text


def test_what_is_not_there_is_not_found(ann: Visitor) -> None:
    for path in (f"/correct/{DATASET}/nobody", f"/correct/nothing/{ENTRY}", f"{PAGE}/more"):
        ann.get(path, status=404)
    ann.send(f"/correct/{DATASET}/nobody", status=404, what="beat", at="0.5", to="0.6")


def test_what_no_longer_applies_is_told_on_the_page(ann: Visitor, settings: Settings) -> None:
    ann.send(PAGE, what="beat", at="0.5", to="0.6")
    path = Path(settings.root) / DATASET / "corrections.jsonl"
    path.write_text(path.read_text().replace('"at_s": 0.5', '"at_s": 0.7'))
    assert "not applicable: there is no beat at 0.700 s" in text_of(ann.get(PAGE))
