"""Raters in a real browser: by keyboard, on a phone and a desk, from a disk and from the store."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from symmv_builder.api import study
from symmv_builder.settings import read_settings
from symmv_builder.study.key import read_key
from symmv_builder.web import raters
from symmv_builder.web.guard import Access
from symmv_builder.web.server import make_app
from tests import axe
from tests.browser import Browser, opened
from tests.report.test_in_browser import CONTRAST
from tests.study.making import made_study
from tests.web.rooms import serving

EVIL = '</script><script>alert("x")</script><img src=x onerror=alert(1)>\'"&'
TITLE = "document.querySelector('h2').textContent"
# Answers everything on the page with the n-th choice, plays what there is, and goes on.
STEP = """
(async () => {
  const form = document.querySelector('form'), before = document.querySelector('h2');
  for (const box of form.querySelectorAll('input[type=checkbox]')) box.click();
  for (const set of form.querySelectorAll('fieldset')) {
    const choices = set.querySelectorAll('input');
    choices[Math.min(CHOICE, choices.length - 1)].click();
  }
  for (const each of document.querySelectorAll('video')) {
    each.muted = true; each.playbackRate = 4;
    await each.play();
    await new Promise((tell) => { each.onended = tell; });
  }
  await new Promise((tell) => setTimeout(tell, 30));
  form.requestSubmit();
  for (let n = 0; n < 200 && document.querySelector('h2') === before; n += 1) {
    await new Promise((tell) => setTimeout(tell, 20));
  }
  return document.querySelector('h2').textContent;
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with opened(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Path:
    del browser  # where there is none, nothing has to be made
    place = tmp_path_factory.mktemp("study")
    folder = made_study(
        place, {"ours": 2, "cmt": 2}, questions="v2meow", title=EVIL, consent=EVIL, attention=1
    )
    own = f'\n[[question]]\nname = "own"\nkind = "rating"\nlow = {json.dumps(EVIL)}\n'
    config = place / "study.toml"
    config.write_text(config.read_text() + own + f"text = {json.dumps(EVIL)}\n")
    study.make(config, folder, overwrite=True)
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    with serving(raters.make_app({"/": study.open_store(folder)}, Access())) as at:
        yield f"{at}/"


@pytest.fixture(scope="module")
def url_in_web(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The study beside the other pages of a server that asks for a token."""
    settings = read_settings({}, root=str(tmp_path_factory.mktemp("root")))
    store = study.open_store(folder)
    with serving(make_app(settings, Access(token="t" * 20), studies=[store])) as at:
        yield at + raters.address(store)


def step(browser: Browser, choice: int = 0) -> str:
    return str(browser.evaluate(STEP.replace("CHOICE", str(choice))))


def look(browser: Browser) -> None:
    """Every width, light and dark: it fits, it can be read, everything has a name."""
    for width, is_dark in ((360, False), (800, True), (1400, False)):
        browser.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        browser.ask("Emulation.setEmulatedMedia", features=[scheme])
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate(CONTRAST) >= 4.5
    unnamed = "document.querySelectorAll('video:not([aria-label]), audio:not([aria-label])').length"
    assert browser.evaluate(unnamed) == 0
    unlabelled = "[...document.querySelectorAll('input')].filter((each) => !each.labels.length)"
    assert browser.evaluate(f"{unlabelled}.length") == 0


@pytest.mark.parametrize("door", ["url", "url_in_web"])
def test_a_rater_goes_from_consent_to_an_answer_that_the_store_keeps(
    browser: Browser, folder: Path, door: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(door)
    for path in (folder / "answers").iterdir():
        path.unlink()
    # The link of a session: of what this rater is shown the test knows.
    seen = browser.visit(f"{url}#1", width=360)
    titles = [str(browser.evaluate(TITLE))]
    while titles[-1] != "Thank you":
        assert len(titles) < 30
        if titles[-1].partition(",")[0] not in [title.partition(",")[0] for title in titles[:-1]]:
            look(browser)
        titles.append(step(browser))
    assert titles.count("Compare the two") == 2
    assert titles.count("Judge the music") == 4
    assert titles.count("A short check") == 1
    assert sum(title.startswith("Headphones") for title in titles) == 6
    assert seen.complaints == []
    assert [each for each in seen.requests if not each.startswith((url, "data:"))] == []
    assert browser.evaluate("document.title").startswith("</script><script>alert")
    said = "document.querySelector('[role=status]').textContent"
    for _ in range(100):
        if "arrived" in browser.evaluate(f"new Promise((t) => setTimeout(() => t({said}), 50))"):
            break
    assert "arrived" in browser.evaluate(said)
    [path] = (folder / "answers").iterdir()
    state = json.loads(path.read_text().splitlines()[-1])
    key = read_key(folder)
    assert set(state["trials"]) == {key.named(each) for each in key.sessions[0]}
    assert state["headphones"] == [1] * 6
    scores = study.score(folder)
    # The first choice of five is "A, strongly": the piece that stood first.
    judged = [shown for shown in key.sessions[0] if shown.unit >= 0]
    pairs = [shown for shown in judged if key.trials[key.named(shown)].kind == "pair"]
    wins = sum(not shown.is_swapped for shown in pairs)
    counted = 1 in key.checks.values()
    assert scores.raters == int(counted)
    if counted:
        assert [row.wins for row in scores.preferences if row.group == "all"] == [wins, wins]
    browser.evaluate("localStorage.clear()")


def test_axe_finds_nothing_on_any_kind_of_page(browser: Browser, url: str) -> None:
    browser.visit("about:blank", width=800)  # another #number alone would load nothing
    browser.visit(f"{url}#4", width=800)
    seen: list[str] = []
    while "Thank you" not in seen:
        assert len(seen) < 30
        title = str(browser.evaluate(TITLE))
        if title.partition(",")[0] not in [each.partition(",")[0] for each in seen]:
            assert axe.both_shades(browser) == [], title
        seen.append(title)
        if title != "Thank you":
            step(browser)
    browser.evaluate("localStorage.clear()")


def test_a_rater_who_comes_back_goes_on_where_the_study_was_left(
    browser: Browser, folder: Path
) -> None:
    page = (folder / "site" / "index.html").as_uri() + "#3"
    seen = browser.visit(page, width=800)
    for _ in range(3):
        left = step(browser)
    before = browser.evaluate("localStorage.getItem(localStorage.key(0))")
    assert json.loads(before)["session"] == 3
    browser.visit("about:blank", width=800)
    seen = browser.visit(page, width=800)
    assert browser.evaluate(TITLE) == left == "Headphones, 3 of 6"
    assert browser.evaluate("localStorage.getItem(localStorage.key(0))") == before
    assert browser.evaluate("document.querySelector('progress').value") == 2
    assert seen.complaints == []
    while step(browser) != "Thank you":
        pass
    state = json.loads(browser.evaluate("localStorage.getItem(localStorage.key(0))"))
    assert len(state["trials"]) == 7
    assert browser.evaluate("document.querySelector('a[download]').href").startswith("blob:")
    browser.evaluate("document.querySelector('button.plain').click()")
    assert browser.evaluate(TITLE) == "Before you begin"
    assert browser.evaluate("localStorage.length") == 0


def test_nothing_goes_on_before_it_was_heard_and_answered_and_the_keyboard_is_enough(
    browser: Browser, folder: Path
) -> None:
    browser.visit("about:blank", width=800)  # another #number alone would load nothing
    browser.visit((folder / "site" / "index.html").as_uri() + "#1", width=800)
    assert browser.evaluate("document.querySelector('form').checkValidity()") is False
    focus = (
        "document.activeElement.name || document.activeElement.id || document.activeElement.tagName"
    )
    reached = []
    for code in ("Tab", "Space", "Tab", "Space", "Tab", "Enter"):
        number, text = {"Tab": (9, ""), "Space": (32, " "), "Enter": (13, "\r")}[code]
        key = text if code == "Space" else code
        for kind in ("keyDown", "keyUp"):
            browser.ask(
                "Input.dispatchKeyEvent", type=kind, key=key, code=code, text=text,
                windowsVirtualKeyCode=number,
            )  # fmt: skip
        reached.append(browser.evaluate(focus))
    assert reached[:4] == ["agree", "agree", "training", "training"]
    assert browser.evaluate(TITLE) == "Headphones, 1 of 6"
    for _ in range(6):
        step(browser)
    button = "document.querySelector('button[type=submit]').disabled"
    assert browser.evaluate(button) is True
    assert "Please play" in browser.evaluate("document.getElementById('wait').textContent")
    browser.evaluate("document.querySelectorAll('fieldset input').forEach((each) => each.click())")
    browser.evaluate("document.querySelector('form').requestSubmit()")
    assert browser.evaluate(button) is True
    browser.evaluate("localStorage.clear()")
