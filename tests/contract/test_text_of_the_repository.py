"""The repository speaks of the product: nothing unfinished, nothing of one machine."""

import re
import subprocess
from pathlib import Path

import pytest

TEXT = {".py", ".md", ".toml", ".txt", ".json", ".jsonl", ".yaml", ".yml", ".cfg", ".ini", ""}
# Written in pieces, so that this file does not speak of them either.
WORDS = ("TO" "DO", "FIX" "ME", "X" "XX", "NotImplemented" "Error")  # fmt: skip
UNFINISHED = re.compile(rf"\b({'|'.join(WORDS)})\b")
MACHINE = re.compile(r"(?<![\w.:/}-])/(work|root|opt|home|Users|mnt|scratch)/")
INDEX = re.compile("find" r"-links|files\.python" r"hosted|pypi" r"\.org|://[^\s'\"]*/simple\b")

# Pages that the site's build writes; it checks links to them (`make docs`).
GENERATED = re.compile(r"(^|/)reference/[a-z-]+\.md$|tutorials/notebook\.md$")

MEDIA = {
    ".aac", ".avi", ".bin", ".ckpt", ".flac", ".h5", ".m4a", ".mid", ".midi", ".mkv", ".mov",
    ".mp3", ".mp4", ".npy", ".npz", ".ogg", ".onnx", ".opus", ".parquet", ".pkl", ".pt", ".pth",
    ".safetensors", ".sf2", ".sf3", ".wav", ".webm",
}  # fmt: skip

# Trained by a script of this repository, on a listed set of songs, and small.
OUR_WEIGHTS = {
    "symmv_builder/music/melody/weights.npz",
    "symmv_builder/music/tempo_level/downbeats.npz",
    "symmv_builder/starter/run/accompaniment/best/model.safetensors",
    "symmv_builder/starter/run/chord/best/model.safetensors",
    "symmv_builder/starter/run/melody/best/model.safetensors",
}


@pytest.fixture(scope="module")
def texts(root: Path, repository_files: list[Path]) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8", errors="replace")
        for path in repository_files
        if path.suffix in TEXT and path.name != "LICENSE"
    }


def lines_with(pattern: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:80]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_nothing_is_marked_unfinished(texts: dict[str, str]) -> None:
    assert lines_with(UNFINISHED, texts) == []


def test_no_path_of_a_machine_is_written_down(texts: dict[str, str]) -> None:
    assert lines_with(MACHINE, texts) == []


def test_no_package_index_is_written_down(texts: dict[str, str]) -> None:
    assert lines_with(INDEX, texts) == []


def test_no_media_and_no_weights_of_others_lie_in_the_repository(
    root: Path, repository_files: list[Path]
) -> None:
    binary = {
        path.relative_to(root).as_posix()
        for path in repository_files
        if path.suffix.lower() in MEDIA
    }
    assert binary == OUR_WEIGHTS


def test_what_must_be_there_for_a_newcomer_is_there(root: Path) -> None:
    names = (
        "README.md LICENSE CHANGELOG.md CONTRIBUTING.md CITATION.cff SECURITY.md Makefile "
        "Dockerfile mkdocs.yml docs/index.md docs/architecture.md .github/ISSUE_TEMPLATE/bug.yml"
    )
    assert [name for name in names.split() if not (root / name).is_file()] == []


def test_relative_links_of_the_documents_lead_somewhere(root: Path, texts: dict[str, str]) -> None:
    dead = [
        f"{name}: {target}"
        for name, text in texts.items()
        if name.endswith(".md")
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", text)
        if not (root / name).parent.joinpath(target).exists() and not GENERATED.search(target)
    ]
    assert dead == []


def test_the_script_of_continuous_integration_is_a_program(root: Path) -> None:
    script = root / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
