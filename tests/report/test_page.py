"""The page is one file, loads nothing, and shows texts of strangers as texts."""

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from symmv_builder.records import Chords
from symmv_builder.report import markup
from symmv_builder.report.markup import PageMedia
from symmv_builder.report.page import (
    ColumnRow,
    DatasetPart,
    ModelRow,
    Page,
    Section,
    render,
    write_page,
)
from symmv_builder.report.tables import StageRow

EVIL = '<script>alert("x")</script>&\u202e\udc80'
SOUND = b"not really sound"


class Tags(HTMLParser):
    """Every tag with its attributes, and the tags that are open."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def tags(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(text)
    assert parser.open == []
    return parser.seen


@pytest.fixture
def page(tmp_path: Path) -> Page:
    """A page on which every text is a stranger's."""
    paths = [tmp_path / f"seen{ending}" for ending in (".png", ".mp4", ".flac")]
    for path in paths:
        path.write_bytes(SOUND)
    chords = Chords(np.array([0.0, 1.0, 2.0]), np.array([1.0, 2.0, 5.0]), (EVIL, EVIL, "C"))
    section = Section(EVIL, EVIL, {EVIL: EVIL}, [PageMedia(path, EVIL) for path in paths], chords)
    part = DatasetPart(
        "symmv",
        EVIL,
        [section],
        [ColumnRow(EVIL, EVIL, EVIL, EVIL, EVIL)],
        [StageRow(EVIL, EVIL, 2, 1.5, 0.1)],
    )
    models = [ModelRow(EVIL, EVIL, EVIL, EVIL, False)]
    return Page(EVIL, EVIL, section, [part], {EVIL: 2.0, "b": 1.0}, models, [EVIL], {EVIL: EVIL})


def test_texts_of_strangers_stay_texts(page: Page, tmp_path: Path) -> None:
    text = render(page, tmp_path)
    assert {"script", "alert"} & {tag for tag, _ in tags(text)} == set()
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\u202e" not in text
    text.encode("utf-8")


def test_the_page_loads_nothing_from_elsewhere(page: Page, tmp_path: Path) -> None:
    text = render(page, tmp_path)
    found = tags(text)
    for tag, attributes in found:
        assert tag not in ("script", "link", "iframe", "object", "base")
        for name in ("src", "href", "srcset", "action"):
            assert (attributes.get(name) or "data:").startswith("data:")
        assert not [name for name in attributes if name.startswith("on")]
    assert "http" not in text.replace("http-equiv", "")
    assert "url(" not in text
    [policy] = [a["content"] for t, a in found if a.get("http-equiv")]
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_pictures_sounds_and_videos_lie_inside(page: Page, tmp_path: Path) -> None:
    write_page(tmp_path / "index.html", page)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    inside = re.findall(r'src="data:([a-z]+/[a-z0-9]+);base64,([^"]*)"', text)
    assert [kind for kind, _ in inside] == ["image/png", "video/mp4", "audio/flac"] * 2
    assert {base64.b64decode(content) for _, content in inside} == {SOUND}


def test_a_large_video_is_linked_from_beside_the_page(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(markup, "MOST_EMBEDDED_BYTES", 3)
    (tmp_path / "music").mkdir()
    film = tmp_path / "music" / 'a "film" #1.mp4'
    film.write_bytes(SOUND)
    music = replace(page.music, shown=[PageMedia(film, "")]) if page.music else None
    text = render(replace(page, music=music, datasets=[]), tmp_path)
    assert [a["src"] for t, a in tags(text) if t == "video"] == ["music/a%20%22film%22%20%231.mp4"]


def test_equal_chords_that_follow_each_other_are_one(page: Page, tmp_path: Path) -> None:
    text = render(replace(page, music=None), tmp_path)
    strips = re.findall(r'<span style="flex-grow:([0-9.]+)"', text)
    assert strips == ["2.00", "3.00"]


def test_what_is_missing_is_left_out(page: Page, tmp_path: Path) -> None:
    text = render(replace(page, music=None, notices=()), tmp_path)
    ids = [attributes.get("id") for tag, attributes in tags(text) if tag == "section"]
    assert ids == ["symmv", "time", "models", "next"]


def test_models_without_training_are_named_as_such(page: Page, tmp_path: Path) -> None:
    assert "NO: random weights" in render(page, tmp_path)
