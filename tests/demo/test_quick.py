"""The quick tour: what it makes is what it shows, and a second run goes on from the first."""

import re
import sys
from pathlib import Path

import pytest

from symmv_builder import cli
from symmv_builder.demo.drawings import cut_times, plan
from symmv_builder.demo.quick import quick_plans


def test_two_covers_and_two_videos_of_equal_names_are_made() -> None:
    places = [Path(each.path) for each in quick_plans()]
    names = {
        folder: {p.stem for p in places if p.parts[0] == folder} for folder in ("covers", "videos")
    }
    assert len(names["covers"]) == 2
    assert names["covers"] == names["videos"]


def test_every_video_has_cuts_to_find() -> None:
    drawings = [each.drawing for each in quick_plans() if each.drawing]
    assert len(drawings) == 2
    for drawing in drawings:
        assert len(cut_times(drawing)) >= 2
        assert len({shot.kind for shot in plan(drawing)}) >= 3


def run(
    out: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[str, str]:
    monkeypatch.setattr(sys, "argv", ["symmv", "demo", "--quick", "--out", str(out)])
    monkeypatch.setattr(
        "webbrowser.open", lambda url: pytest.fail(f"a browser was asked for {url}")
    )
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 0
    found = capsys.readouterr()
    return found.out, found.err


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_the_quick_tour_makes_everything_that_its_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("torch", "music21", "transkun", "basic_pitch", "matplotlib"):
        pytest.importorskip(module)
    out = tmp_path / "tour"
    said, _ = run(out, capsys, monkeypatch)
    # The stages are near to what is true of recordings that we made ourselves.
    assert "3 of 3 cuts found, 0 extra" in said
    assert "key C major (written in C major)" in said
    assert said.rstrip().splitlines()[-1] == f"everything on one page: {out / 'index.html'}"
    [film] = (out / "music").glob("*.mp4")
    assert film.with_suffix(".mid").stat().st_size > 100
    page = (out / "index.html").read_text(encoding="utf-8")
    assert page.count("data:video/mp4") == 5
    assert page.count("data:image/png") == 9
    assert page.count("data:audio/flac") == 2
    assert "CLIP is NOT TRAINED" in page
    assert "NO: random weights" in page
    for column in ("notes_pitches", "beats_times_s", "loudness"):
        assert f"<td>{column}</td>" in page
    assert str(tmp_path) not in re.sub(r"<pre>.*?</pre>", "", page)
    made = sorted((out / "media").rglob("*.mp4"))
    times = [path.stat().st_mtime_ns for path in made]
    _, told = run(out, capsys, monkeypatch)
    assert "making" not in told
    assert [path.stat().st_mtime_ns for path in made] == times
