"""Compose in a real browser: a video is sent, a take heard and seen, a passage ordered, by keys."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from symmv_builder.api.take_writer import TakeWriter
from tests import axe
from tests.browser import find_chromium, opened
from tests.report.hostile import STORED
from tests.report.test_in_browser import CONTRAST
from tests.web import test_in_browser
from tests.web.rooms import serving
from tests.web.standin_take import SLOW
from tests.web.studio import House, make_piece

WIDTHS = test_in_browser.WIDTHS
TITLE = f"{STORED.replace(chr(27), '')[:60]}.mp4".replace("/", "")

# The page as it is when nothing is being written.
ENDED = "document.readyState === 'complete' && !document.getElementById('progress')"


@dataclass
class Desk(test_in_browser.House):
    """Somebody at a browser, with a video on the disk."""

    studio: House
    video: Path
    address: str = ""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    find_chromium()
    folder = tmp_path_factory.mktemp("studio")
    piece = make_piece(folder)
    studio = House(folder, TakeWriter)
    (folder / "sounds").mkdir()
    (folder / "sounds" / "organ.sf2").write_bytes(b"RIFF")
    video = piece.parent / TITLE
    video.write_bytes((folder / "video.mp4").read_bytes())
    app = studio.app()
    with serving(app) as at, opened(tmp_path_factory.mktemp("profile")) as browser:
        desk = Desk(studio.settings, browser, at, studio, video)
        assert desk.visit("/compose") == []
        desk.choose_file(desk.video)
        desk.type_into("input[name=primer]", "Am F C G")
        desk.type_into("input[name=takes]", "2")
        desk.submit("Write music")
        desk.until("location.pathname.length > 20 && document.readyState === 'complete'")
        desk.address = desk.here()
        # No key is pressed meanwhile: the page looks by itself.
        desk.until("document.querySelectorAll('tbody tr td:nth-child(2)').length === 2", 40)
        desk.until(ENDED, 40)
        yield desk


def pages(desk: Desk) -> dict[str, str]:
    return {"compose": "/compose", "take": desk.address, "failed": "/compose/0123456789abcdef"}


@pytest.mark.parametrize("name", ["compose", "take", "failed"])
def test_a_page_is_quiet_fits_and_can_be_read(desk: Desk, name: str) -> None:
    assert desk.visit(pages(desk)[name]) == []
    for width in WIDTHS:
        for is_dark in (False, True):
            desk.browser.resize(width=width, is_dark=is_dark)
            assert desk.browser.evaluate("document.documentElement.scrollWidth") <= width
            assert desk.browser.evaluate(CONTRAST) >= 4.5
            if folder := os.environ.get("SYMMV_TEST_PICTURES"):
                shade = "dark" if is_dark else "light"
                desk.browser.picture(Path(folder) / f"{name}-{width}-{shade}.png")


@pytest.mark.parametrize("name", ["compose", "take", "failed"])
def test_axe_finds_nothing_on_a_page(desk: Desk, name: str) -> None:
    desk.visit(pages(desk)[name])
    assert axe.both_shades(desk.browser) == []


@pytest.mark.parametrize("name", ["compose", "take"])
def test_everything_has_a_name_and_is_reached_by_the_keyboard(desk: Desk, name: str) -> None:
    desk.visit(pages(desk)[name])
    assert desk.browser.evaluate(test_in_browser.UNNAMED) == 0
    assert desk.browser.evaluate(test_in_browser.UNSCROLLED) == 0
    assert desk.browser.evaluate("document.querySelectorAll('h1').length") == 1
    controls = "a, button, input:not([type=hidden]), select, summary, [tabindex='0'], video"
    count = desk.browser.evaluate(f"document.querySelectorAll({controls!r}).length")
    place = "[...document.querySelectorAll(%s)].indexOf(document.activeElement)"
    seen = set()
    # Controls within a player are the browser's own: of the page the player has the focus then.
    for _ in range(2 * count):
        desk.press("Tab")
        seen.add(desk.browser.evaluate(place % repr(controls)))
    assert seen - {-1} == set(range(count))


def test_a_take_plays_over_its_notes_and_the_cursor_goes_along(desk: Desk) -> None:
    assert desk.visit(desk.address) == []
    desk.until("document.querySelector('video').readyState > 0")
    evaluate = desk.browser.evaluate
    assert evaluate("document.querySelector('h1').textContent").startswith("<text><svg><script>")
    assert evaluate("document.querySelectorAll('.time-line .melody').length") == 10
    evaluate("document.getElementById('roll').focus()")
    desk.press("ArrowRight")
    desk.until("document.querySelector('video').currentTime === 1")
    assert float(evaluate("document.getElementById('cursor').getAttribute('x1')")) > 100


def test_a_passage_is_ordered_and_a_slow_take_is_stopped_by_the_keyboard(desk: Desk) -> None:
    desk.visit(desk.address)
    desk.type_into("input[name=from]", "1")
    desk.type_into("input[name=to]", "2")
    desk.submit("Write this passage anew")
    words = "document.querySelector('main').textContent"
    desk.until(f"{words}.includes('1 to 2 s of take 2 anew')")
    desk.until(ENDED, 40)
    assert "Take 3" in desk.browser.evaluate(words)
    desk.type_into("form[action$='/takes'] input[name=primer]", SLOW)
    desk.press("Enter")
    desk.until("!!document.querySelector('#progress [data-now=running]')", 40)
    if folder := os.environ.get("SYMMV_TEST_PICTURES"):
        desk.browser.picture(Path(folder) / "progress-800-light.png")
    desk.submit("Stop take 4")
    desk.until(ENDED, 40)
    desk.until(f"{words}.includes('stopped')")
    # What is ordered next waits for nothing that is still being done.
    desk.submit("Delete take 4")
    desk.until(f"!{words}.includes('stopped')")
    assert desk.visit("/compose") == []


def test_without_scripts_the_page_looks_again_by_itself(desk: Desk) -> None:
    [project] = desk.studio.takes.projects("local")
    take = desk.studio.takes.order(project, project.takes[0].wishes)
    page = desk.studio.visitor().get(desk.address)
    assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in page
    desk.studio.takes.project("local", project.name).take(take.number)
