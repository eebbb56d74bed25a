"""The flows as programs: what they say and how they end where they cannot begin."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flows import build


def test_names_that_are_none_are_refused_before_anything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        build.main(["symmv", "--root", str(tmp_path / "data"), "--only", ","])
    assert end.value.code == 2
    assert "only is ','; it has to be names with commas" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("flow", ["build", "crawl", "release"])
def test_a_server_that_is_not_there_is_one_line(flow: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"flows.{flow}", "symmv", "--root", str(tmp_path)],
        env={**os.environ, "PREFECT_API_URL": "http://127.0.0.1:9/api"},
        capture_output=True,
        check=False,
        text=True,
        timeout=200,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("Prefect's server cannot be used: ")
    assert "Traceback" not in done.stderr
