"""The pages in a real browser, by keyboard alone: quiet, no wider than the window, and working."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from symmv_builder.api import correcting, reviewing
from symmv_builder.settings import Settings
from symmv_builder.web.guard import Access
from symmv_builder.web.server import make_app
from tests import axe
from tests.browser import Browser, find_chromium, opened
from tests.report.test_in_browser import CONTRAST
from tests.web.rooms import DATASET, ENTRY, make_root, make_run, proposal, serving

PROPOSALS = 50
WIDTHS = (360, 800, 1400)
PAGES = {
    "home": "/",
    "browse": f"/browse/{DATASET}?sort=title",
    "entry": f"/entry/{DATASET}/{ENTRY}",
    "correct": f"/correct/{DATASET}/{ENTRY}",
    "review": f"/review/{DATASET}/{proposal(0)}",
    "decisions": f"/decisions/{DATASET}",
    "crawl": f"/crawl/{DATASET}",
    "runs": "/runs",
    "run": "/runs/first",
    "name": "/name",
    "lost": "/nothing",
}
# How many elements have no name, and how many that scroll cannot be gone to.
UNNAMED = (
    "[...document.querySelectorAll('a, button, input:not([type=hidden]), select, video, audio, "
    "svg[role=img], [role=region], progress')].filter((each) => !(each.textContent.trim() || "
    "each.getAttribute('aria-label') || (each.labels && each.labels.length))).length"
)
UNSCROLLED = (
    'document.querySelectorAll(\'.wide:not([tabindex="0"]), .roll:not([tabindex="0"])\').length'
)
KEYS = {"Tab": 9, "Enter": 13, "ArrowRight": 39, "Escape": 27}


@dataclass
class House:
    """A server in a thread, and the browser that visits it."""

    settings: Settings
    browser: Browser
    at: str

    def visit(self, path: str) -> list[str]:
        """Open a page; what it complained of, and requests to others."""
        seen = self.browser.visit(self.at + path, width=800)
        # The controls of a player are pictures that the browser has itself.
        others = [url for url in seen.requests if not url.startswith((self.at, "data:"))]
        # The browser itself says of a page that is not there that it is not.
        return [each for each in seen.complaints if "404" not in each] + others

    def press(self, key: str) -> None:
        code = KEYS.get(key, ord(key.upper()[0]))
        text = {"Enter": "\r"}.get(key, "" if key in KEYS else key)
        for kind in ("keyDown", "keyUp"):
            self.browser.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code,
                **({"text": text} if text and kind == "keyDown" else {}),
            )  # fmt: skip

    def choose_file(self, path: Path) -> None:
        """As a person does in the window that the system opens."""
        # The protocol of the browser knows its pages once it was asked for one.
        self.browser.ask("DOM.enable")
        document = self.browser.ask("DOM.getDocument")["root"]["nodeId"]
        field = self.browser.ask(
            "DOM.querySelector", nodeId=document, selector="input[type=file]"
        )["nodeId"]  # fmt: skip
        self.browser.ask("DOM.setFileInputFiles", nodeId=field, files=[str(path)])

    def type_into(self, selector: str, text: str) -> None:
        self.browser.evaluate(f"document.querySelector({selector!r}).focus()")
        self.browser.evaluate(f"document.querySelector({selector!r}).value = ''")
        for letter in text:
            self.press(letter)

    def submit(self, words: str) -> None:
        """Go to a button by its words and press Enter on it."""
        found = f"[...document.querySelectorAll('button')].find((e) => e.textContent === {words!r})"
        self.browser.evaluate(f"{found}.focus()")
        self.press("Enter")

    def here(self) -> str:
        place: str = self.browser.evaluate("location.pathname")
        return place

    def until(self, expression: str, patience_s: float = 10.0) -> None:
        """Wait for what a page will be; a page that is being left may not answer."""
        end = time.monotonic() + patience_s
        while True:
            try:
                if self.browser.evaluate(expression):
                    return
            except AssertionError:
                pass
            assert time.monotonic() < end, f"{expression} at {self.here()}"
            time.sleep(0.02)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    find_chromium()
    folder = tmp_path_factory.mktemp("root")
    settings = make_root(folder, proposals=PROPOSALS)
    make_run(folder / "runs" / "first")
    app = make_app(settings, Access(), folder / "runs")
    with serving(app) as at, opened(tmp_path_factory.mktemp("profile")) as browser:
        house = House(settings, browser, at)
        house.visit("/name")
        browser.evaluate("document.querySelector('input[name=name]').focus()")
        for letter in "ann":
            house.press(letter)
        house.press("Enter")
        house.until("document.querySelector('nav')?.textContent.includes('ann')")
        yield house


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_fits_and_can_be_read(house: House, name: str) -> None:
    assert house.visit(PAGES[name]) == []
    evaluate = house.browser.evaluate
    foreign = "document.querySelectorAll('[onerror], iframe, style, script:not([src])').length"
    assert evaluate(foreign) == 0
    for width in WIDTHS:
        for is_dark in (False, True):
            house.browser.resize(width=width, is_dark=is_dark)
            paper = evaluate("getComputedStyle(document.body).backgroundColor")
            assert (paper == "rgb(21, 23, 28)") == is_dark
            assert evaluate("document.documentElement.scrollWidth") <= width
            assert evaluate(CONTRAST) >= 4.5
            if folder := os.environ.get("SYMMV_TEST_PICTURES"):
                shade = "dark" if is_dark else "light"
                house.browser.picture(Path(folder) / f"{name}-{width}-{shade}.png")


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing_on_a_page(house: House, name: str) -> None:
    house.visit(PAGES[name])
    assert axe.both_shades(house.browser) == []


def test_axe_would_say_what_is_wrong(house: House) -> None:
    """The test itself: a field without a label and a text that can hardly be seen are named."""
    house.visit("/name")
    house.browser.evaluate(
        "document.querySelector('main').innerHTML = '<input><p id=\"pale\">pale</p>';"
        "document.getElementById('pale').style.color = 'rgb(180, 180, 180)'; true"
    )
    found = {each.partition(": ")[0] for each in axe.faults(house.browser)}
    assert {"label", "color-contrast"} <= found


def test_what_is_written_in_a_drawing_can_be_read(house: House) -> None:
    """axe-core looks at the colour of texts, and not at that with which a drawing is filled."""
    for name in ("entry", "run"):
        for is_dark in (False, True):
            house.visit(PAGES[name])  # anew: the texts below have the colours of one shade
            house.browser.resize(width=800, is_dark=is_dark)
            house.browser.evaluate(
                "document.querySelectorAll('svg text').forEach((each) => {"
                "const text = document.createElement('p'); text.textContent = each.textContent;"
                "text.style.color = getComputedStyle(each).fill;"
                "each.closest('article, .roll, main').append(text); }); true"
            )
            assert house.browser.evaluate("document.querySelectorAll('svg text').length") > 4
            assert house.browser.evaluate(CONTRAST) >= 4.5


@pytest.mark.parametrize("name", PAGES)
def test_everything_on_a_page_is_reached_by_the_keyboard_and_has_a_name(
    house: House, name: str
) -> None:
    house.visit(PAGES[name])
    for _ in range(3):
        house.press("Tab")
    assert house.browser.evaluate("document.activeElement.matches('a, button, input, select')")
    assert house.browser.evaluate(UNNAMED) == 0
    assert house.browser.evaluate(UNSCROLLED) == 0
    assert house.browser.evaluate("document.querySelectorAll('h1').length") == 1


def test_the_players_of_an_entry_stay_together_and_the_cursor_goes_along(house: House) -> None:
    assert house.visit(PAGES["entry"]) == []
    house.until("[...document.querySelectorAll('video, audio')].every((e) => e.readyState > 0)")
    evaluate = house.browser.evaluate
    assert (
        evaluate("document.querySelectorAll('.time-line .note, .time-line .melody').length") == 10
    )
    evaluate("document.getElementById('roll').focus()")
    house.press("ArrowRight")
    house.until("document.getElementById('cursor').getAttribute('x1') === '200'")
    # The music runs a tenth slower than the video.
    house.until("Math.abs(document.querySelector('[data-name=music]').currentTime - 0.9) < 0.01")
    assert evaluate("document.querySelector('[data-name=video]').muted") is False
    assert evaluate("document.querySelector('[data-name=music]').muted") is True
    house.press("b")
    assert evaluate("document.querySelector('[data-name=video]').muted") is True


def test_an_entry_is_corrected_by_the_keyboard(house: House) -> None:
    """A beat goes to where the player is, one is added and removed, a note marked; all undone."""
    house.visit(PAGES["correct"])
    house.until("[...document.querySelectorAll('video, audio')].every((e) => e.readyState > 0)")
    evaluate = house.browser.evaluate

    def loaded(expression: str) -> None:
        house.until(f"document.readyState === 'complete' && {expression}")

    evaluate("document.querySelector('[data-go]').focus()")
    house.press("Enter")
    evaluate("document.querySelector('[data-name=video]').currentTime = 0.7")
    house.until("Math.abs(document.querySelector('[data-name=music]').currentTime - 0.63) < 0.01")
    evaluate("document.querySelector('[aria-label^=\"New time of the beat at 0.500\"]').focus()")
    house.press("n")
    assert evaluate("document.activeElement.value") == "0.630"
    house.press("Enter")
    loaded("document.body.textContent.includes('beats at 0.500 s to 0.630 s')")
    for words in ("waits for the next build", "ann"):
        assert evaluate(f"document.body.textContent.includes('{words}')")
    house.press("a")
    house.until("document.activeElement.name === 'at'")
    evaluate("document.querySelector('[data-name=video]').currentTime = 1.3")
    house.until("Math.abs(document.querySelector('[data-name=music]').currentTime - 1.17) < 0.01")
    house.press("n")
    house.press("Enter")
    loaded("document.body.textContent.includes('beats: add at 1.170 s')")
    evaluate(
        'document.querySelector(\'[aria-label^="Remove the beat"][aria-label$="1.170 s"]\').focus()'
    )
    house.press("Enter")
    loaded("document.body.textContent.includes('beats: remove at 1.170 s')")
    evaluate("document.querySelector('[aria-label^=\"Mark as accompaniment\"]').focus()")
    house.press("Enter")
    loaded("document.querySelectorAll('[aria-label^=Undo]').length === 4")
    for left in (3, 2, 1, 0):
        house.press("u")
        loaded(f"document.querySelectorAll('[aria-label^=Undo]').length === {left}")
    assert correcting.corrections(house.settings, DATASET) == []


@pytest.mark.slow
def test_fifty_proposals_are_reviewed_by_the_keyboard(house: House) -> None:
    """One key each: accepted, turned away with a reason of one's own or a listed one, skipped."""
    house.visit(f"/review/{DATASET}")
    assert house.here() == PAGES["review"]
    house.press("s")
    house.until(
        f"location.pathname.endsWith('{proposal(1)}') && document.readyState === 'complete'"
    )
    house.press("u")
    house.until(
        f"location.pathname.endsWith('{proposal(0)}') && document.readyState === 'complete'"
    )
    house.press("r")
    house.until("document.activeElement.id === 'reason'")
    for letter in "a bad one":
        house.press(letter)
    house.press("Enter")
    for number in range(1, PROPOSALS + 1):
        house.until(
            f"location.pathname.endsWith('{proposal(number)}') "
            "&& document.readyState === 'complete'"
        )
        house.press("2" if number % 10 == 5 else "a")
    house.until(f"location.pathname === '/decisions/{DATASET}'")
    found = {
        each.recording.entry_id: each.verdict for each in reviewing.judged(house.settings, DATASET)
    }
    votes = {name: verdict.votes[0] for name, verdict in found.items()}
    assert votes[proposal(0)].reason == "a bad one"
    assert votes[proposal(5)].reason == "not a piano alone"
    assert sum(vote.verdict == "accept" for vote in votes.values()) == 45
    assert {vote.reviewer for vote in votes.values()} == {"ann"}
