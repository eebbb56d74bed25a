"""Recordings of the toy recipe, and where workers find its code."""

from pathlib import Path

HERE = Path(__file__).parent
FOLDERS = [str(HERE), str(HERE.parent / "datasets"), str(HERE.parent), str(HERE.parents[1])]


def make_toys(folder: Path, count: int) -> Path:
    """A folder of that many recordings of the toy recipe; two of twelve are to be rejected."""
    folder.mkdir()
    for number in range(count):
        text = "reject me" if number % 7 == 3 else "keep me"
        (folder / f"clip{number:03d}.mp4").write_text(f"{text} {number}")
    return folder
