"""Two builders at once on one ledger: neither loses what the other does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import toy_build

HERE = Path(__file__).parent
COUNT = 10


def media_of(folder: Path) -> Path:
    folder.mkdir()
    for number in range(COUNT):
        text = "reject me" if number % 4 == 3 else "keep me"
        (folder / f"clip{number:03d}.mp4").write_text(f"{text} {number}")
    return folder


def shards_of(dataset: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(dataset.glob("shards/*"))}


def build_at_once(root: Path, media: Path, ledger_url: str, names: tuple[str, ...]) -> list[int]:
    """Exit codes of a builder for each name, all begun together."""
    folders = [str(HERE), str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    root.mkdir(exist_ok=True)
    words = [sys.executable, str(HERE / "builders.py")]
    builders = [
        subprocess.Popen(
            [*words, name, str(root), str(media), ledger_url],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name in names
    ]
    said = [builder.communicate(timeout=120)[1] for builder in builders]
    codes = [builder.returncode for builder in builders]
    for code, text in zip(codes, said, strict=True):
        assert code == 0 or (code == 2 and "Traceback" not in text), text
    return codes


@pytest.fixture
def alone(tmp_path: Path) -> tuple[Path, dict[str, bytes]]:
    """Media, and the shards that one builder makes of them."""
    media, plain = media_of(tmp_path / "media"), tmp_path / "plain"
    plain.mkdir()
    toy_build.run(str(plain), media, ledger_url=f"sqlite:///{plain}/l.sqlite", workers=0)
    return media, shards_of(plain / "toy")


@pytest.mark.slow
def test_two_datasets_are_built_at_once_in_one_root(
    tmp_path: Path, ledger_url: str, alone: tuple[Path, dict[str, bytes]]
) -> None:
    media, shards = alone
    root = tmp_path / "root"
    assert build_at_once(root, media, ledger_url, ("toy", "other")) == [0, 0]
    assert shards_of(root / "toy") == shards
    assert len(shards_of(root / "other")) > 0
    assert toy_build.run(str(root), None, ledger_url=ledger_url, workers=0).up_to_date


def test_two_builders_of_one_dataset_come_to_the_same_shards(
    tmp_path: Path, ledger_url: str, alone: tuple[Path, dict[str, bytes]]
) -> None:
    """Either both end well, or one says that it did not do its work."""
    media, shards = alone
    root = tmp_path / "root"
    codes = build_at_once(root, media, ledger_url, ("toy", "toy"))
    assert 0 in codes
    assert shards_of(root / "toy") == shards
    assert toy_build.run(str(root), None, ledger_url=ledger_url, workers=0).up_to_date
