"""axe-core on a page that a browser shows: what it says is wrong with contrast, labels and order.

Its script comes out of the package `axe-playwright-python`, of which nothing else is used, and is
put into the page by the protocol of the browser. Tests that need it are skipped where it is absent.
"""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.browser import Browser

_PACKAGE = "axe_playwright_python"
# All rules of WCAG 2.2 at AA, and what axe-core calls best practices.
_RUN = """
axe.run(document, {resultTypes: ['violations'], runOnly: TAGS}).then((found) =>
  JSON.stringify(found.violations.flatMap((rule) => rule.nodes.map((node) => [
    rule.id, node.target.join(' '), node.failureSummary.split('\\n').slice(1).join(' ').trim(),
  ].join(': ')))))
"""
_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@cache
def script() -> str:
    """The source of axe-core; skips the test where its package is not installed."""
    package = find_spec(_PACKAGE)
    if package is None or not package.submodule_search_locations:
        pytest.skip(f"{_PACKAGE.replace('_', '-')} is not installed: it is in the lock alone")
    return Path(package.submodule_search_locations[0], "axe.min.js").read_text(encoding="utf-8")


def faults(browser: Browser) -> list[str]:
    """What breaks a rule on the page as it stands: rule, element, and what is wrong with it."""
    source = script()
    if not browser.evaluate("'axe' in window"):
        browser.evaluate(f"{source}; true")
    found: list[str] = json.loads(browser.evaluate(_RUN.replace("TAGS", json.dumps(_TAGS))))
    return found


def both_shades(browser: Browser, width: int = 800) -> list[str]:
    """`faults` in light and in dark."""
    found = []
    for is_dark in (False, True):
        browser.resize(width=width, is_dark=is_dark)
        shade = "dark" if is_dark else "light"
        found += [f"{shade}: {each}" for each in faults(browser)]
    return found
