"""The pages in a real browser: nothing in a stranger's text runs, nothing is asked of other hosts,
and every page fits, at the width of a phone, a tablet and a desk, in light and in dark."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import axe
from tests.browser import Browser, opened
from tests.report import hostile

pytest.importorskip("matplotlib")
pytest.importorskip("scipy")

WIDTHS = (360, 800, 1400)
# The luminance of a colour as WCAG 2.1 has it, and the contrast of a text with what is behind it.
CONTRAST = """
(() => {
  const light = (text) => {
    const parts = text.match(/[\\d.]+/g).slice(0, 3).map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = (node) => {
    for (let each = node; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (colour !== 'rgba(0, 0, 0, 0)' && colour !== 'transparent') return colour;
    }
    return 'rgb(255, 255, 255)';
  };
  return Math.min(...[...document.querySelectorAll('h1, h2, h3, p, dt, dd, td, summary, li')]
    .filter((node) => node.textContent.trim())
    .map((node) => {
      const [a, b] = [light(getComputedStyle(node).color), light(behind(node))];
      return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    }));
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with opened(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module", params=["report", "gallery"])
def page(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, browser: Browser
) -> Path:
    del browser  # where there is none, no page has to be made
    folder = tmp_path_factory.mktemp(str(request.param))
    make = {"report": hostile.page, "gallery": hostile.gallery}[request.param]
    return make(folder)


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_page_is_quiet_fits_and_can_be_read(
    browser: Browser, page: Path, width: int, is_dark: bool, tmp_path: Path
) -> None:
    seen = browser.visit(page.as_uri(), width=width, is_dark=is_dark)
    assert seen.complaints == []
    beside = page.parent.as_uri()
    assert [url[:80] for url in seen.requests if not url.startswith(("data:", beside))] == []
    assert browser.evaluate("document.scripts.length") == 0
    # Nothing but what may scroll by itself is wider than the window.
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    assert browser.evaluate(CONTRAST) >= 4.5
    dark = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (dark == "rgb(21, 23, 28)") == is_dark
    assert browser.picture(tmp_path / "page.png").stat().st_size > 10_000


def test_axe_finds_nothing_on_a_page(browser: Browser, page: Path) -> None:
    browser.visit(page.as_uri(), width=800)
    assert axe.both_shades(browser) == []


def test_strangers_texts_are_texts(browser: Browser, page: Path) -> None:
    browser.visit(page.as_uri(), width=800)
    assert browser.evaluate("document.title").startswith('</text></svg><script>alert("x")')
    assert browser.evaluate("document.querySelectorAll('script, [onerror], iframe').length") == 0
    text = browser.evaluate("document.documentElement.textContent")
    assert "\u202e" not in text
    assert "\x1b" not in text


def test_every_picture_and_sound_is_there(browser: Browser, page: Path) -> None:
    browser.visit(page.as_uri(), width=800)
    pictures = "[...document.images].every((each) => each.complete && each.naturalWidth > 0)"
    assert browser.evaluate(pictures)
    loaded = (
        "Promise.all([...document.querySelectorAll('audio')].map((each) => new Promise((tell) => {"
        "if (each.readyState > 0) tell(each.duration);"
        "each.onloadedmetadata = () => tell(each.duration); each.onerror = () => tell(0); })))"
    )
    lengths = browser.evaluate(loaded)
    assert lengths
    assert all(length == pytest.approx(0.1, abs=0.05) for length in lengths)
    unnamed = "document.querySelectorAll('img:not([alt]), svg:not([aria-label])').length"
    assert browser.evaluate(unnamed) == 0


def test_what_scrolls_and_folds_is_reached_by_the_keyboard(browser: Browser, page: Path) -> None:
    browser.visit(page.as_uri(), width=360)
    wide = "document.querySelectorAll('.wide:not([tabindex=\"0\"])').length"
    assert browser.evaluate(wide) == 0
    if page.name == "report.html":
        browser.evaluate("document.querySelector('details summary').focus()")
        for kind in ("keyDown", "keyUp"):
            browser.ask(
                "Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                windowsVirtualKeyCode=13,
            )  # fmt: skip
        assert browser.evaluate("document.querySelector('details').open")


def test_an_address_elsewhere_would_be_seen_and_is_refused(
    browser: Browser, tmp_path: Path
) -> None:
    """The test itself: what it looks for is reported where it happens."""
    path = hostile.gallery(tmp_path)
    evil = '<script>alert(1)</script><img src="http://192.0.2.1/x.png">'
    path.write_text(path.read_text(encoding="utf-8").replace("</main>", f"{evil}</main>"))
    seen = browser.visit(path.as_uri(), width=800)
    assert len([line for line in seen.complaints if "Content Security Policy" in line]) == 2
