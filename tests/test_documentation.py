"""README and the pages of `docs/` are run: their commands in order, their Python too.

Each page is run in a desk of its own: a folder with the recordings that the pages speak of. A page
that begins with ``<!-- desk: after PAGE -->`` starts on a copy of the desk that PAGE left. A block
stays unrun only under ``<!-- not run: REASON -->``. Where a block of output follows a block that
was run, the two are compared, with numbers and hashes left open.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import zip_longest
from pathlib import Path

import pytest
from filelock import FileLock

from tests import warm
from tests.recordings import make_clip_folder, make_recordings

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)
DESK = re.compile(r"\A<!-- desk: after (\S+) -->\n")
PATIENCE_S = 900
# What blocks of the pages import, all of the extras `dev` and `all`.
MODULES = ("torch", "transformers", "music21", "datasets", "duckdb", "prefect", "mir_eval")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: what it holds, why it is not run, and the output shown under it."""

    line: int
    kind: str
    text: str
    not_run: str = ""
    shown: str = ""


@cache
def texts() -> dict[str, str]:
    """Every page by its path below `docs/`, and the README."""
    pages = {path.relative_to(DOCS).as_posix(): path for path in sorted(DOCS.rglob("*.md"))}
    pages["README.md"] = ROOT / "README.md"
    return {name: path.read_text(encoding="utf-8") for name, path in pages.items()}


def blocks(page: str) -> Iterator[Block]:
    """The blocks that a reader would type in; output belongs to the block directly above."""
    text = texts()[page]
    matches = list(FENCE.finditer(text))
    for match, after in zip_longest(matches, matches[1:]):
        if match["kind"] not in ("sh", "python"):
            continue
        shown = ""
        if after and after["kind"] == "text" and not text[match.end() : after.start()].strip():
            shown = after["text"]
        line = text[: match.start("kind")].count("\n") + 1
        note = (match["note"] or "").removeprefix("not run: ")
        yield Block(line, match["kind"], match["text"], note, shown)


# Those that wait for the desk of another come last.
PAGES = sorted(
    (page for page in texts() if any(not block.not_run for block in blocks(page))),
    key=lambda page: DESK.match(texts()[page]) is not None,
)


@dataclass
class Desk:
    """A folder and an environment in which blocks are run one after the other."""

    folder: Path
    environment: dict[str, str]
    fault: str = ""

    def save(self, path: Path) -> None:
        about = {"environment": self.environment, "fault": self.fault}
        path.write_text(json.dumps({"folder": str(self.folder), **about}))

    @classmethod
    def load(cls, path: Path) -> "Desk":
        about = json.loads(path.read_text())
        return cls(Path(about.pop("folder")), **about)

    def copy(self, folder: Path) -> "Desk":
        shutil.copytree(self.folder, folder, symlinks=True)
        moved = {
            name: value.replace(str(self.folder), str(folder))
            for name, value in self.environment.items()
        }
        return Desk(folder, moved)

    def run(self, page: str, block: Block) -> str:
        """What is wrong with a block of a page; empty where it does what it says."""
        script = self.folder / f"block-{block.kind}"
        script.write_text(block.text)
        if block.kind == "python":
            command = ["warm-python", str(script)]
        else:
            after = self.folder / "environment"
            command = ["bash", "-ec", f". {script}; env -0 > {after}"]
        where = f"{page}, line {block.line}"
        try:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=self.environment,
                capture_output=True,
                text=True,
                check=False,
                timeout=PATIENCE_S,
            )
        except subprocess.TimeoutExpired as error:
            return f"{where} took longer than {PATIENCE_S} s:\n{block.text}\n{error.stderr!r}"
        if done.returncode:
            return f"{where}:\n{block.text}\n{done.stdout}\n{done.stderr}"
        if block.kind == "sh":
            pairs = (self.folder / "environment").read_text().split("\0")
            found = dict(pair.partition("=")[::2] for pair in pairs if pair)
            self.environment.clear()
            self.environment.update(found)
        if block.shown and not re.fullmatch(pattern(block.shown), loosened(done.stdout)):
            return f"{where}: it prints\n{done.stdout}\nand the page shows\n{block.shown}"
        return ""


@dataclass(frozen=True)
class Desks:
    """The desks that pages have left, each run once, whichever process of the tests does it."""

    place: Path

    def after(self, page: str) -> Desk:
        """The desk as a page leaves it; `fault` says what its first wrong block did."""
        return self._once(re.sub(r"\W", "-", page), lambda folder: self._work(page, folder))

    def _work(self, page: str, folder: Path) -> Desk:
        before = DESK.match(texts()[page])
        start = self.after(before[1]) if before else self._once("first", lay_out)
        desk = start.copy(folder)
        desk.fault = f"{before[1]} failed" if before and start.fault else ""
        for block in blocks(page):
            if not desk.fault and not block.not_run:
                desk.fault = desk.run(page, block)
        return desk

    def _once(self, name: str, make: Callable[[Path], Desk]) -> Desk:
        left = self.place / f"{name}.json"
        with FileLock(self.place / f"{name}.lock"):
            if not left.exists():
                make(self.place / name).save(left)
        return Desk.load(left)


@pytest.fixture(scope="module")
def desks(tmp_path_factory: pytest.TempPathFactory) -> Desks:
    """A place for desks, shared by the processes of one run of the tests."""
    for module in MODULES:
        pytest.importorskip(module)
    of_all = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        of_all = of_all.parent
    place = of_all / "desks"
    place.mkdir(exist_ok=True)
    with FileLock(place / "programs.lock"):
        if not (place / "programs").exists():
            # The process that all processes of the tests were started by, where there are several.
            until = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
            warm.start(place / "socket", environment(place / "first"), until)
            warm.write_programs(place / "programs", place / "socket")
    return Desks(place)


def lay_out(folder: Path) -> Desk:
    """A desk with the files that the pages speak of, and a reader's environment."""
    takes = make_recordings(folder.with_name("made"))
    for name, take in (
        ("my-pairs/sonata.cover.flac", "piano.flac"),
        ("my-pairs/sonata.video.mp4", "drawn.mp4"),
        ("my-pairs/slideshow.cover.flac", "piano.flac"),
        ("my-pairs/slideshow.video.mp4", "still.mp4"),
        ("my-folders/covers/sonata.flac", "piano.flac"),
        ("my-folders/videos/sonata.mp4", "drawn.mp4"),
        ("my-table/sonata.flac", "piano.flac"),
        ("my-table/clip-0042.mp4", "drawn.mp4"),
        ("my-videos/holiday.mp4", "musical.mp4"),
        ("my-videos/unheard.mp4", "drawn.mp4"),
        ("holiday.mp4", "musical.mp4"),
    ):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(takes / take, folder / name)
    make_clip_folder(folder / "clip-b32", dimensions=512, image_size=224, patch_size=32)
    make_clip_folder(folder / "clip-l14", dimensions=768, image_size=336, patch_size=14)
    return Desk(folder, environment(folder))


def environment(folder: Path) -> dict[str, str]:
    """A reader's: the venv's programs on PATH, CLIP at hand, pip puts packages on the desk."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYMMV_")}
    packages = str(folder / "packages")
    programs = [str(folder.parent / "programs"), str(Path(sys.executable).parent)]
    path = os.pathsep.join([*programs, kept.get("PATH", "")])
    python_path = [packages, kept.get("PYTHONPATH", "")]
    return kept | {
        "PATH": path,
        "PYTHONPATH": os.pathsep.join(filter(None, python_path)),
        "COLUMNS": "96",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "SYMMV_MODEL_VIT_B_32": str(folder / "clip-b32"),
        "SYMMV_MODEL_VIT_L_14_336": str(folder / "clip-l14"),
        "PIP_TARGET": packages,
        "PIP_NO_DEPS": "1",
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip's way to say that there is none
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_do_what_they_say(page: str, desks: Desks) -> None:
    assert desks.after(page).fault == ""


def loosened(text: str) -> str:
    """Numbers and hashes left open, white space and the places of line breaks too."""
    text = re.sub(r"(?<![\w.])[0-9a-f]{12,}\b", "#", text)
    return " ".join(re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "#", text).split())


def pattern(shown: str) -> str:
    """A shown output as a pattern; ``...`` stands for anything."""
    return r"\s*.*?\s*".join(re.escape(loosened(part)) for part in shown.split("..."))


def test_most_of_what_is_shown_is_run() -> None:
    everything = [block for page in texts() for block in blocks(page)]
    not_run = [block for block in everything if block.not_run]
    assert len(not_run) < len(everything) / 2
    assert all(block.not_run or not block.text.startswith("make") for block in everything)


def test_a_block_that_is_not_run_says_why() -> None:
    notes = [match["note"] for text in texts().values() for match in FENCE.finditer(text)]
    assert [note for note in notes if note and not re.match(r"not run: \w", note)] == []


def test_a_desk_is_that_of_a_page() -> None:
    named = [match[1] for text in texts().values() if (match := DESK.match(text))]
    assert named
    assert set(named) <= set(PAGES)


def test_the_readme_is_short_enough_to_be_read() -> None:
    assert len(texts()["README.md"].splitlines()) <= 250


def test_the_weights_of_every_model_are_told_of() -> None:
    from symmv_builder import backends

    page = texts()["how-to/models.md"]
    assert [name for _, name in backends.all_models() if f"`{name}`" not in page] == []


def test_every_extra_is_in_the_table_of_installing() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    rows = re.findall(r"^\| (`.*?) \|", texts()["how-to/install.md"], flags=re.MULTILINE)
    shown = {name for row in rows for name in re.findall(r"`([\w-]+)`", row)}
    assert shown == set(extras["optional-dependencies"])
