"""Every trainer, `evaluate` and `export` over songs as they were published, odd ones and all."""

import shutil
import sys
from pathlib import Path

import pytest

from symmv_builder import cli
from tests.datasets.imports.small_releases import write_pop909

VMUSPROD = (
    "vmusprod --preset smoke --set steps=3 --set width=16 --set feedforward=16 --set batch_size=8 "
    "--set validate_every=3"
)
# What the trainers that see videos say of datasets that were published without any.
NEEDS = (
    ("amt --preset smoke --set steps=3 --set warmup=1", "has no column"),
    ("regressor --preset smoke --set steps=3", "has no column"),
    ("vmcp --preset smoke --set steps=3 --set warmup=1", "has no column"),
)


def call(arguments: str) -> int:
    sys.argv = ["symmv", *arguments.split()]
    with pytest.raises(SystemExit) as end:
        cli.main()
    return int(end.value.code or 0)


@pytest.mark.twin("test_made_songs_are_learned_measured_and_exported")
@pytest.mark.long
@pytest.mark.timeout(1800)
def test_songs_of_pop909_are_learned_measured_and_exported(
    shared_data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # That all of them can be imported is held by the tests of the import.
    chosen = sorted((shared_data / "pop909").glob("[0-9][0-9][0-9]"))[::4]
    for song in chosen:
        shutil.copytree(song, tmp_path / "pop909" / song.name)
    monkeypatch.chdir(tmp_path)
    use_them(tmp_path, len(chosen), capsys)


def test_made_songs_are_learned_measured_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        write_pop909(tmp_path / "pop909", f"{number + 1:03d}")
    monkeypatch.chdir(tmp_path)
    use_them(tmp_path, 12, capsys)


def use_them(tmp_path: Path, songs: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Import the songs of a folder, learn from them, measure and export them."""
    assert call(f"import pop909 {tmp_path / 'pop909'} --root data") == 0
    capsys.readouterr()
    assert call(f"train {VMUSPROD} --data pop909 --root data --out run") == 0
    said = capsys.readouterr()
    assert "all steps are done at step 3" in said.out
    assert "left out" not in said.err
    assert call("evaluate music --dataset pop909 --split all --root data") == 0
    assert f"({songs} songs)" in capsys.readouterr().out
    assert call("export pop909 released --root data") == 0
    assert capsys.readouterr().out.startswith(f"{songs} entries of pop909 in released")
    for trainer, line in NEEDS:
        assert call(f"train {trainer} --data pop909 --root data --out other") == 2
        [last] = [said for said in capsys.readouterr().err.splitlines() if line in said]
        assert last.startswith("symmv: ")
        assert not (tmp_path / "other").exists()
