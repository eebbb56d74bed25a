"""The README is run: its commands in order, its Python too, and what it says they print.

A block stays unrun only under a comment that gives the reason. Where a block of output
follows a block that was run, the two are compared with numbers and hashes left open.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.recordings import make_clip_folder, make_recordings

README = Path(__file__).resolve().parent.parent / "README.md"
FENCE = re.compile(
    r"(?:^<!-- (?P<note>[^\n]*) -->\n)?^```(?P<kind>\w*)\n(?P<text>.*?)^```$",
    flags=re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block: what it holds, why it is not run, and the output shown under it."""

    line: int
    kind: str
    text: str
    not_run: str = ""
    shown: str = ""


def blocks() -> Iterator[Block]:
    """The blocks that a reader would type in; output belongs to the block directly above."""
    text = README.read_text(encoding="utf-8")
    matches = list(FENCE.finditer(text))
    for match, after in zip(matches, [*matches[1:], None], strict=True):
        if match["kind"] not in ("sh", "python"):
            continue
        shown = ""
        if after and after["kind"] == "text" and not text[match.end() : after.start()].strip():
            shown = after["text"]
        line = text[: match.start("kind")].count("\n") + 1
        note = (match["note"] or "").removeprefix("not run: ")
        yield Block(line, match["kind"], match["text"], note, shown)


RUN = [block for block in blocks() if not block.not_run]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the README speaks of."""
    for module in ("torch", "transformers", "music21", "tinysoundfont", "datasets", "duckdb"):
        pytest.importorskip(module)
    place = tmp_path_factory.mktemp("desk")
    takes = make_recordings(place / "made")
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
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(takes / take, place / name)
    make_clip_folder(place / "clip-b32", dimensions=512, image_size=224, patch_size=32)
    make_clip_folder(place / "clip-l14", dimensions=768, image_size=336, patch_size=14)
    return place


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """As a reader's: the venv's programs on PATH. It grows with what the blocks export."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SYMMV_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", "")])
    return kept | {"PATH": path, "COLUMNS": "96", "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}


@pytest.mark.slow
@pytest.mark.parametrize("block", RUN, ids=[f"line-{block.line}" for block in RUN])
def test_a_block_of_the_readme_does_what_it_says(
    block: Block, desk: Path, environment: dict[str, str]
) -> None:
    script = desk / f"block-{block.kind}"
    script.write_text(block.text)
    if block.kind == "python":
        command = [sys.executable, str(script)]
    else:
        command = ["bash", "-ec", f". {script}; env -0 > {desk / 'environment'}"]
    done = subprocess.run(
        command, cwd=desk, env=environment, capture_output=True, text=True, check=False, timeout=240
    )
    where = f"README.md, line {block.line}"
    assert done.returncode == 0, f"{where}:\n{block.text}\n{done.stdout}\n{done.stderr}"
    if block.kind == "sh":
        pairs = (desk / "environment").read_text().split("\0")
        environment.update((name, value) for name, _, value in (p.partition("=") for p in pairs))
        environment.pop("")
    if block.shown:
        assert re.fullmatch(pattern(block.shown), loosened(done.stdout)), (
            f"{where}: it prints\n{done.stdout}\nand the README shows\n{block.shown}"
        )


def loosened(text: str) -> str:
    """Numbers and hashes left open, white space and the places of line breaks too."""
    text = re.sub(r"\b[0-9a-f]{12,}\b", "#", text)
    return " ".join(re.sub(r"-?\d+(\.\d+)?(e-?\d+)?", "#", text).split())


def pattern(shown: str) -> str:
    """A shown output as a pattern; ``...`` stands for anything."""
    return r"\s*.*?\s*".join(re.escape(loosened(part)) for part in shown.split("..."))


def test_most_of_the_readme_is_run() -> None:
    everything = list(blocks())
    assert len(RUN) > len(everything) / 2
    assert all(block.not_run or not block.text.startswith("make") for block in everything)


def test_a_block_that_is_not_run_says_why() -> None:
    text = README.read_text(encoding="utf-8")
    notes = [match["note"] for match in FENCE.finditer(text) if match["note"]]
    assert [note for note in notes if not re.match(r"not run: \w", note)] == []
