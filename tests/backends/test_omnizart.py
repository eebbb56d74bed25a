"""Omnizart's program, stood in for by packages that behave well, badly or not at all."""

from pathlib import Path

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, omnizart
from symmv_builder.backends.omnizart import Omnizart
from symmv_builder.errors import Reason, RejectEntry, StopRun
from tests.backends.sounds import fake_omnizart, home_of, plucked

SOUND = plucked(rate_hz=44100, duration_s=1.5)


def model(folder: Path, app: str) -> Omnizart:
    return Omnizart(home_of("omnizart", fake_omnizart(folder, app)))


def test_its_version_and_weights_come_from_the_other_interpreter(tmp_path: Path) -> None:
    home = home_of("omnizart", fake_omnizart(tmp_path))
    first = Omnizart.identify(home)
    assert first.version == "0.5.0"
    (tmp_path / "site/omnizart/checkpoints/music/weights.h5").write_text("other weights")
    assert Omnizart.identify(home).weights_sha256 != first.weights_sha256


def test_drums_are_left_out(tmp_path: Path) -> None:
    heard = Omnizart(home_of("omnizart", fake_omnizart(tmp_path))).transcribe(SOUND)
    assert heard.pitches.tolist() == [60]
    assert heard.velocities.tolist() == [80]
    assert heard.starts_s == pytest.approx([0.5], abs=0.003)


def test_its_absence_is_one_clear_line() -> None:
    with pytest.raises(StopRun, match="SYMMV_MODEL_OMNIZART") as caught:
        Omnizart(ModelHome())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("broken", ["no package", "no program", "no weights"])
def test_an_interpreter_without_omnizart_stops_the_run(tmp_path: Path, broken: str) -> None:
    python = fake_omnizart(tmp_path)
    if broken == "no package":
        (tmp_path / "site/omnizart").rename(tmp_path / "elsewhere")
    elif broken == "no weights":
        (tmp_path / "site/omnizart/checkpoints/music/weights.h5").unlink()
    else:
        python.chmod(0o644)
    with pytest.raises(StopRun) as caught:
        Omnizart(home_of("omnizart", python))
    assert "\n" not in str(caught.value)


def test_a_program_that_fails_is_a_rejection(tmp_path: Path) -> None:
    app = "def transcribe(path, output):\n    raise RuntimeError('out of memory')\n"
    with pytest.raises(RejectEntry, match="out of memory") as caught:
        model(tmp_path, app).transcribe(SOUND)
    assert caught.value.reason is Reason.CRASHED


def test_a_program_that_writes_nothing_is_a_rejection(tmp_path: Path) -> None:
    with pytest.raises(RejectEntry) as caught:
        model(tmp_path, "def transcribe(path, output):\n    pass\n").transcribe(SOUND)
    assert caught.value.reason is Reason.CRASHED


def test_a_program_that_hangs_is_ended_with_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = (
        "import subprocess, sys, time\n"
        "def transcribe(path, output):\n"
        f"    subprocess.run(['sh', '-c', 'sleep 8; touch {tmp_path}/alive'])\n"
    )
    monkeypatch.setattr(omnizart, "BASE_S", 1.0)
    monkeypatch.setattr(omnizart, "PER_SOUND_S", 0.1)
    with pytest.raises(RejectEntry) as caught:
        model(tmp_path, app).transcribe(np.zeros((44100, 1), np.float32))
    assert caught.value.reason is Reason.TIMED_OUT
    assert not (tmp_path / "alive").exists()
