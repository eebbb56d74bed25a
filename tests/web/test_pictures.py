"""The pictures of the documentation: pages in a real browser, with recordings that are real.

`SYMMV_TEST_PICTURES=docs/images python -m pytest -m slow tests/web/test_pictures.py` makes them
anew, which takes some minutes; look at each before committing it. Without the variable the pages
of `test_in_browser.py` alone are opened.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from symmv_builder.api.take_writer import Studio, TakeWriter
from symmv_builder.api.takes import Takes
from symmv_builder.web import raters
from symmv_builder.web.guard import Access
from symmv_builder.web.server import make_app
from tests.browser import Browser, find_chromium, opened
from tests.web.exhibits import DATASET, SHOWN, Exhibits, make_exhibits
from tests.web.rooms import serving
from tests.web.test_compose_in_browser import ENDED
from tests.web.test_in_browser import House

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT, COLOURS = 1000, 900, 64
MOST_BYTES = 600_000
# Where the players of a page stand when it is pictured.
AT_S = 9.0


@dataclass(frozen=True, slots=True)
class View:
    """A page, what its picture begins with where that is not its beginning, and its height."""

    path: str
    top: str = ""
    height: int = HEIGHT


VIEWS = {
    "browse": View(f"/browse/{DATASET}?sort=title", height=620),
    "entry-page": View(f"/entry/{DATASET}/{SHOWN}"),
    "correct": View(f"/correct/{DATASET}/{SHOWN}", top="#roll"),
    "review": View(f"/review/{DATASET}"),
    "compose": View("/compose"),
    "take": View("TAKE"),
    "runs": View("/runs/v-musprod%3A%20chord", height=640),
    "report": View("REPORT", top="#chords_written"),
    "study": View("STUDY"),
    "gallery": View("GALLERY"),
}
_PLAYERS = "[...document.querySelectorAll('video, audio')]"
# What is seen of a video is there once it stands at a time.
_SEEK = f"""
Promise.all({_PLAYERS}.filter((each) => each.localName === 'video').map((each) =>
  new Promise((tell) => {{
    each.preload = 'auto'; each.onseeked = () => tell(true); each.currentTime = {AT_S};
  }})
)).then(() => new Promise((tell) => setTimeout(() => tell(true), 1500)))
"""


@dataclass(frozen=True, slots=True)
class Exhibition:
    """The exhibits, and somebody who looks at them."""

    exhibits: Exhibits
    house: House
    take: str

    def address(self, path: str) -> str:
        named = {
            "TAKE": self.house.at + self.take,
            "STUDY": self.house.at + raters.address(self.exhibits.study),
            "REPORT": self.exhibits.report.as_uri(),
            "GALLERY": self.exhibits.gallery.as_uri(),
        }
        return named.get(path, self.house.at + path)

    def open(self, name: str, width: int = WIDTH, *, is_dark: bool = False) -> list[str]:
        """Open a page as it is pictured; what it complained of."""
        view, browser = VIEWS[name], self.house.browser
        at, height = self.address(view.path), view.height
        seen = browser.visit(at, width=width, height=height, is_dark=is_dark)
        if name == "study":
            begin_study(self.house)
        self.house.until(f"{_PLAYERS}.every((each) => each.readyState > 1)", 30)
        browser.evaluate(_SEEK)
        if view.top:
            browser.evaluate(f"document.querySelector('{view.top}').scrollIntoView(); true")
        return seen.complaints


@pytest.fixture(scope="module")
def exhibition(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exhibition]:
    if not os.environ.get("SYMMV_TEST_PICTURES"):
        pytest.skip("three minutes of work: SYMMV_TEST_PICTURES names no folder for the pictures")
    find_chromium()
    for module in ("torch", "music21", "transkun", "basic_pitch", "matplotlib"):
        pytest.importorskip(module)
    with opened_exhibition(tmp_path_factory.mktemp("exhibits")) as exhibition:
        yield exhibition


@contextmanager
def opened_exhibition(folder: Path) -> Iterator[Exhibition]:
    """The exhibits below a folder, served, and a browser in which somebody ordered a take."""
    exhibits = make_exhibits(folder / "data")
    writer = TakeWriter(Takes(folder / "takes"), Studio(exhibits.settings, exhibits.runs))
    app = make_app(exhibits.settings, Access(), exhibits.runs, writer, [exhibits.study])
    with serving(app) as at, opened(folder / "profile") as browser:
        house = House(exhibits.settings, browser, at)
        assert house.visit("/name") == []
        house.type_into("input[name=name]", "ann")
        house.press("Enter")
        house.until("document.querySelector('nav')?.textContent.includes('ann')")
        assert house.visit("/compose") == []
        house.choose_file(exhibits.video)
        house.submit("Write music")
        house.until("location.pathname.length > 20 && document.readyState === 'complete'")
        take = house.here()
        house.until(ENDED, 120)
        yield Exhibition(exhibits, house, take)


def begin_study(house: House) -> None:
    """A rater agrees, and has come to the first pair."""
    house.browser.evaluate(
        "document.getElementById('agree').click();"
        "document.querySelector('input[name=training]').click();"
        "document.querySelector('form').requestSubmit(); true"
    )
    house.until("document.querySelectorAll('video').length > 0")


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", VIEWS)
def test_a_page_of_real_recordings_is_quiet_and_plays(exhibition: Exhibition, name: str) -> None:
    browser = exhibition.house.browser
    assert exhibition.open(name) == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= WIDTH
    take_picture(browser, Path(os.environ["SYMMV_TEST_PICTURES"]) / f"{name}.png")


def take_picture(browser: Browser, path: Path) -> None:
    """What the window shows, in few colours: single lines of a drawing keep theirs."""
    browser.picture(path, is_whole=False)
    picture = Image.open(BytesIO(path.read_bytes())).convert("RGB")
    few = picture.quantize(COLOURS, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(path, optimize=True)


@pytest.mark.parametrize("name", VIEWS)
def test_a_picture_is_small_and_shown_with_words_in_its_place(name: str) -> None:
    picture = Image.open(IMAGES / f"{name}.png")
    assert picture.size == (WIDTH, VIEWS[name].height)
    assert len(picture.getcolors() or ()) <= COLOURS
    pages = [path.read_text(encoding="utf-8") for path in (ROOT / "docs" / "how-to").glob("*.md")]
    shown = [
        alt for page in pages for alt in re.findall(rf"!\[([^]]*)\]\(../images/{name}\.png\)", page)
    ]
    assert len(shown) == 1
    assert len(shown[0].split()) > 4


def test_pictures_are_small_together() -> None:
    assert sum((IMAGES / f"{name}.png").stat().st_size for name in VIEWS) < MOST_BYTES
