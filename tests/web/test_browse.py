"""Entries and clips by any column; one entry with its time line, its sounds and its provenance."""

import json
import re
from pathlib import Path

import pytest

from symmv_builder.api.browsing import Choice, Listing, choose, type_of
from symmv_builder.api.runs import flow_pages
from symmv_builder.report import loss_curves, time_line
from symmv_builder.report.elements import element
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage.receipts import read_receipt, write_receipt
from tests.datasets.released import SYMMV, made
from tests.web.rooms import DATASET, ENTRY, Visitor, make_root, make_run, records, text_of, visitor

TABLE = Listing(
    ("entry", "tempo", "title"),
    (
        {"entry": "a", "tempo": 90.0, "title": "One"},
        {"entry": "b", "tempo": None, "title": "Two"},
        {"entry": "c", "tempo": 120.0, "title": "one more"},
    ),
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_root(tmp_path_factory.mktemp("root"))


@pytest.fixture
def guest(settings: Settings) -> Visitor:
    return visitor(settings)


@pytest.mark.parametrize(
    ("choice", "entries"),
    [
        (Choice(), "abc"),
        (Choice(text="ONE"), "ac"),
        (Choice(column="tempo", where=">90"), "c"),
        (Choice(column="tempo", where="< 100"), "a"),
        (Choice(column="tempo", where="=120"), "c"),
        (Choice(column="tempo", where=">x"), ""),
        (Choice(column="title", where="=two"), "b"),
        (Choice(column="nothing", where="x"), "abc"),
        (Choice(sort="tempo"), "acb"),
        (Choice(sort="tempo", descending=True), "cab"),
        (Choice(sort="title", descending=True), "bca"),
        (Choice(page=2, page_size=2), "c"),
        (Choice(page=99, page_size=2), "c"),
        (Choice(text="nowhere"), ""),
    ],
)
def test_rows_are_chosen_and_ordered_by_any_column(choice: Choice, entries: str) -> None:
    assert "".join(str(row["entry"]) for row in choose(TABLE, choice).rows) == entries


def test_rejected_entries_are_there_with_their_reasons(guest: Visitor) -> None:
    page = text_of(guest.get(f"/browse/{DATASET}?state=rejected"))
    assert "1 of 2 entries" in page
    assert "too_quiet" in page
    assert ENTRY not in page


def test_single_values_of_the_shards_are_columns(tmp_path: Path) -> None:
    store = made(tmp_path, "symmv", models=SYMMV)
    store.ledger.close()
    guest = visitor(read_settings({"HOME": str(tmp_path)}, root=str(tmp_path / "root")))
    page = guest.get("/browse/symmv?sort=tempo_bpm&order=down&column=split&where=train")
    assert "4 of 6 entries" in page
    heads = re.findall(r'<th[^>]*><a href="[^"]*">([a-z_]+)', page)
    assert "tempo_bpm" in heads
    place = heads.index("tempo_bpm")
    rows = re.findall(r"<tr>(<td.*?)</tr>", page)
    tempos = [float(text_of(re.findall(r"<td.*?</td>", row)[place])) for row in rows]
    assert len(tempos) == 4
    assert tempos == sorted(tempos, reverse=True)


def test_pages_of_a_long_table_follow_each_other(guest: Visitor) -> None:
    many = Listing(("entry",), tuple({"entry": str(n)} for n in range(101)))
    assert [len(choose(many, Choice(page=n)).rows) for n in (1, 2, 3)] == [50, 50, 1]
    for page in ("x", "-1", "9" * 30, ""):
        assert "page 1 of 1" in guest.get(f"/browse/{DATASET}?page={page}&size=7")


def test_clips_are_rows_with_what_became_of_them(tmp_path: Path) -> None:
    from symmv_builder.clips import Clip
    from symmv_builder.storage.clip_tables import FIELD, EntryClips, TurnedAway, write_table

    store = made(tmp_path, "muvisync")
    clips = EntryClips("s", (Clip(0, 5, 0, 5),), (TurnedAway(5, 10, "screen", "no_notes", "none"),))
    receipt = read_receipt(store.root, "muvisync") or {}
    name = write_table(store.root, "muvisync", {"yt-aaaaaaaa000": clips})
    write_receipt(store.root, "muvisync", receipt | {FIELD: name})
    store.ledger.close()
    guest = visitor(read_settings({"HOME": str(tmp_path)}, root=str(tmp_path / "root")))
    page = guest.get("/browse/muvisync?rows=clips")
    assert "2 of 2 clips" in page
    assert "no_notes" in page
    assert 'href="/entry/muvisync/yt-aaaaaaaa000%4000000000ms"' in page


def test_an_entry_shows_its_time_line_its_warp_and_what_made_it(guest: Visitor) -> None:
    page = guest.get(f"/entry/{DATASET}/{ENTRY}")
    assert len(re.findall(r'class="(?:note|melody)"', page)) == 10
    assert 'class="time-line"' in page
    assert 'class="warp"' in page
    assert 'data-points="[[0.0, 0.0], [1.0, 0.9]' in page
    assert f'src="/media/{DATASET}/{ENTRY}/video"' in page
    text = text_of(page)
    assert "alignment v1" in text
    assert "a model 1 (not trained)" in text
    assert "Confidence 0.80" in text


def test_music_stands_on_the_time_line_where_it_sounds_with_the_video() -> None:
    drawn = time_line.draw(records(), "label")
    assert drawn is not None
    scale = float(re.findall(r'data-scale="([\d.]+)"', drawn)[0])
    notes = re.findall(r'<rect x="([\d.]+)"[^>]*class="note"', drawn)
    # The third note begins at 0.5 s of the music, which is 0.5 / 0.9 s of the video.
    assert float(notes[2]) == pytest.approx(0.5 / 0.9 * scale, abs=0.06)
    assert time_line.draw({}, "label") is None
    assert time_line.warp({}) is None


def test_the_notes_are_heard_or_it_is_said_why_not(guest: Visitor) -> None:
    from symmv_builder.api.browsing import can_play_notes

    path = f"/media/{DATASET}/{ENTRY}/notes"
    page = guest.get(f"/entry/{DATASET}/{ENTRY}")
    if not can_play_notes():
        assert "cannot be heard here" in page
        assert guest.client.get(path).status_code == 400
        return
    answer = guest.client.get(path)
    assert answer.content.startswith(b"fLaC")
    assert guest.client.get(path, headers={"range": "bytes=0-3"}).content == b"fLaC"


def test_runs_show_their_losses_and_builds_their_progress(
    settings: Settings, tmp_path: Path
) -> None:
    make_run(tmp_path / "first")
    make_run(tmp_path / "odd & <b>")
    # One that trains its parts one after the other has a journal in the folder of each.
    make_run(tmp_path / "parts" / "chord")
    guest = visitor(settings, runs=tmp_path)
    page = guest.get("/runs")
    assert 'href="/runs/parts%3A%20chord"' in page
    assert guest.get("/runs/parts%3A%20chord").count("<polyline") == 2
    assert "train loss 0.1, validation loss 0.2" in page
    assert "odd &amp; &lt;b&gt;" in page
    assert guest.get("/runs/first").count("<polyline") == 2
    assert 'http-equiv="refresh" content="15"' in guest.get("/runs/first?follow=yes")
    (tmp_path / "first" / "metrics.jsonl").write_text("{}\n{}\n")
    assert "is damaged: line 1" in text_of(guest.get("/runs/first"))
    assert "1 made" not in guest.get(f"/crawl/{DATASET}")
    assert "too_quiet" in guest.get(f"/crawl/{DATASET}")


def test_what_a_training_has_learned_so_far_can_be_heard(
    settings: Settings, tmp_path: Path
) -> None:
    for name, kind in (("chains", "markov"), ("busyness", "regressor")):
        make_run(tmp_path / name)
        (tmp_path / name / "best").mkdir()
        about = json.dumps({"kind": kind, "config": {}})
        (tmp_path / name / "best" / "checkpoint.json").write_text(about)
    guest = visitor(settings, runs=tmp_path)
    assert 'href="/compose?model=chains"' in guest.get("/runs/chains")
    assert "/compose?" not in guest.get("/runs/busyness")


def test_datasets_are_those_that_are_there(guest: Visitor, tmp_path: Path) -> None:
    for path in ("/", "/runs"):
        page = guest.get(path)
        assert f">{DATASET}<" in page
        assert "pop909" not in page
    empty = visitor(read_settings({"HOME": str(tmp_path)}, root=str(tmp_path / "root")))
    assert "Nothing was built or crawled here yet." in empty.get("/")
    assert "Nothing was built or crawled here yet." in empty.get("/runs")


def test_runs_lead_to_the_pages_of_prefect(guest: Visitor, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Prefect" not in guest.get("/runs")
    monkeypatch.setenv("PREFECT_API_URL", "http://flows.example.org:4200/api")
    assert 'href="http://flows.example.org:4200"' in guest.get("/runs")
    for url in ("javascript:alert(1)/api", "http://elsewhere.example.org/other"):
        assert flow_pages({"PREFECT_API_URL": url}) == ""
    assert flow_pages({"PREFECT_UI_URL": "https://a.example.org/"}) == "https://a.example.org"


def test_a_run_whose_name_is_no_text_does_not_hide_the_others(
    settings: Settings, tmp_path: Path
) -> None:
    make_run(tmp_path / "first")
    make_run(tmp_path / "odd\udcff")
    guest = visitor(settings, runs=tmp_path)
    assert 'href="/runs/first"' in guest.get("/runs")
    assert guest.client.get("/runs/odd%EF%BF%BD").status_code == 404


def test_what_a_table_has_no_row_of_is_said(guest: Visitor) -> None:
    page = guest.get(f"/browse/{DATASET}?text=nowhere")
    assert "0 of 2 entries" in page
    assert '<td colspan="1">none</td>' in page


def test_a_recording_that_cannot_be_read_is_one_line_without_its_place(tmp_path: Path) -> None:
    settings = make_root(tmp_path)
    for path in (tmp_path / "root" / "assets").glob("*/*"):
        path.unlink()
        path.mkdir()
    answer = visitor(settings).client.get(f"/entry/{DATASET}/{ENTRY}")
    assert answer.status_code == 500
    assert "cannot be read: Is a directory" in answer.text
    assert str(tmp_path) not in answer.text


def test_an_open_breaker_is_seen(tmp_path: Path) -> None:
    import time

    from symmv_builder.storage.items import Items

    settings = make_root(tmp_path, with_media=False)
    Items(settings.open_store().ledger).open_breaker("network", time.time() + 3000, "refused")
    assert "goes on in" in visitor(settings).get("/runs")


def test_an_element_escapes_whatever_is_put_into_it() -> None:
    assert element("a", "<b>", href='"><script>') == (
        '<a href="&quot;&gt;&lt;script&gt;">&lt;b&gt;</a>'
    )
    assert element("input", required=True, checked=False, value=None) == "<input required>"
    assert element("p", element("b", 1), None, 2) == "<p><b>1</b>2</p>"


def test_a_curve_needs_a_point_and_one_is_enough() -> None:
    assert loss_curves.draw("loss", {"train": [(3, 1.0)]}).count("polyline") == 2
    with pytest.raises(ValueError, match="point"):
        loss_curves.draw("loss", {})


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"\0\0\0\x20ftypisom", "video/mp4"),
        (b"\x1aE\xdf\xa3", "video/webm"),
        (b"OggS", "video/ogg"),
        (b"ID3", "audio/mpeg"),
        (b"\xff\xfb", "audio/mpeg"),
        (b"\xff\xf1", "audio/aac"),
        (b"fLaC", "audio/flac"),
        (b"MThd", ""),
        (b"<svg", ""),
        (b"\xff", ""),
        (b"", ""),
    ],
)
def test_a_recording_is_what_its_bytes_say(head: bytes, kind: str) -> None:
    assert type_of(head) == kind
