"""The documentation site: its reference follows the code, and it builds without a warning."""

import importlib.util
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import symmv_builder as sb
from symmv_builder import backends, datasets
from symmv_builder.cli.commands import COMMANDS
from symmv_builder.datasets import schemas, step_table
from symmv_builder.errors import Reason
from symmv_builder.settings import find_settings
from tests import browser

ROOT = Path(__file__).resolve().parent.parent
HOOK = ROOT / "docs" / "hooks" / "reference.py"


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    """The generated pages by their path."""
    found = importlib.util.spec_from_file_location("reference", HOOK)
    assert found is not None
    assert found.loader is not None
    hook: Any = importlib.util.module_from_spec(found)
    # As MkDocs does it: a hook may import what lies beside it.
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(HOOK.parent))
        found.loader.exec_module(hook)
    made: dict[str, str] = hook.pages()
    return made


def headings(text: str) -> set[str]:
    return set(re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE))


def test_every_command_has_a_section(pages: dict[str, str]) -> None:
    assert {f"symmv {name}" for name in COMMANDS} <= headings(pages["reference/cli.md"])
    assert (
        "| `--dry-run` |  | Say what would be made and why; make nothing. |"
        in (pages["reference/cli.md"])
    )


def test_every_name_of_the_package_is_documented(pages: dict[str, str]) -> None:
    missing = [
        name
        for name in sb.__all__
        if name[0] != "_" and not re.search(rf"\b{name}\b", pages["reference/api.md"])
    ]
    assert missing == []


def test_every_step_model_column_and_reason_is_there(pages: dict[str, str]) -> None:
    # A module of the tests may have added steps of its own.
    own = {name for name, at in step_table.STEPS.items() if at.startswith("symmv_builder.")}
    assert own | {"motion", "scenes", "key"} <= headings(pages["reference/steps.md"])
    for slot, name in backends.TABLE:
        licence = backends.about(slot, name).licence
        [line] = re.findall(rf"^\| {slot} \| `{name}` \|.*$", pages["reference/models.md"], re.M)
        assert f"| {licence} |" in line
    for name in datasets.NAMES:
        for column in schemas.columns_of(name):
            start = f"| `{column.name}` | `{column.type}` | {column.unit} |"
            assert start in pages["reference/columns.md"], column.name
    assert all(f"| `{reason}` |" in pages["reference/reasons.md"] for reason in Reason)


def test_every_environment_variable_is_there(pages: dict[str, str]) -> None:
    text = pages["reference/settings.md"]
    names = [f"SYMMV_{name.upper()}" for name in find_settings({})]
    assert [name for name in names if f"| `{name}` |" not in text] == []


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does it."""
    for module in ("material", "mkdocstrings_handlers"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_builds_without_a_warning_and_loads_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|link|img)\b[^>]*(?:src|href)=\"(https?:[^\"]*)", page.read_text()
        )
        assert loaded == [], page
    # The style keeps an option on one line.
    assert '<code class="option">--quick</code>' in (site / "reference/cli.html").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_it_can_be_searched_without_a_server(site: Path, tmp_path: Path) -> None:
    found = "document.querySelectorAll('.md-search-result__item a[href*=\"cli.html\"]').length"
    with browser.opened(tmp_path) as tab:
        seen = tab.visit(f"{(site / 'index.html').as_uri()}?q=takedown", width=1200)
        until = time.monotonic() + 60
        while not tab.evaluate(found):
            assert time.monotonic() < until, seen
            time.sleep(0.1)
    assert seen.complaints == []
    assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
