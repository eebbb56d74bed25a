"""A device that is not here is said before anything is made, with the place that asks for it."""

from pathlib import Path

import pytest

import symmv_builder as sb
from symmv_builder.api import devices, doctor
from symmv_builder.api.devices import Torch, TorchBroken, check_device
from symmv_builder.api.doctor import BROKEN, WORKS
from symmv_builder.cli import hints
from symmv_builder.cli.advice import advised
from symmv_builder.errors import NoDevice
from symmv_builder.settings import find_settings
from tests.loopback import make_video

CPU = Torch("2.7", "", (), 2)
NO_GPU = Torch("2.7", "12.6", (), 2)
TWO = Torch("2.7", "12.6", ("A", "A"), 2)


@pytest.mark.parametrize(
    ("torch", "device", "fault"),
    [
        (CPU, "cpu", ""),
        (CPU, "cuda", "this build of torch has no CUDA"),
        (NO_GPU, "cuda:0", "torch finds no GPU"),
        (TWO, "cuda", ""),
        (TWO, "cuda:1", ""),
        (TWO, "cuda:2", "the last of the GPUs that torch finds is cuda:1"),
    ],
)
def test_a_device_is_one_of_those_that_torch_finds(torch: Torch, device: str, fault: str) -> None:
    assert torch.fault_of(device) == fault


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder whose configuration asks for a GPU, on a machine that has none."""
    monkeypatch.setattr(devices, "find_torch", lambda: CPU)
    monkeypatch.delenv("SYMMV_DEVICE", raising=False)
    monkeypatch.chdir(tmp_path)
    Path("symmv.toml").write_text('sites = ["youtube"]\ndevice = "cuda:0"\n')
    hints.remember_root(None)


@pytest.mark.usefixtures("no_gpu")
def test_a_build_ends_before_a_recording_is_taken_in(tmp_path: Path) -> None:
    Path("mine.toml").write_text(
        'name = "mine"\npairs = false\n[splits]\ntrain = 1\n[steps.music_asset]\n'
        '[steps.video_asset]\n[steps.scenes]\nmodel = "adaptive"\n'
    )
    Path("videos").mkdir()
    make_video(Path("videos") / "clip.mp4", seed=0)
    with pytest.raises(NoDevice) as stop:
        sb.open_dataset("mine.toml", "root").build("videos", workers=1)
    assert not (tmp_path / "root").exists()
    assert advised(stop.value) == (
        "models cannot run on cuda:0: this build of torch has no CUDA; device is set by "
        "symmv.toml, line 2; with cpu there it runs on the processor"
    )


@pytest.mark.usefixtures("no_gpu")
def test_the_doctor_names_the_place_that_asks_for_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = doctor._torch(find_settings()["device"])
    assert (found.state, found.advice) == (
        BROKEN,
        "this build of torch has no CUDA: device is cuda:0 by symmv.toml, line 2; set it to cpu "
        "there",
    )
    monkeypatch.setenv("SYMMV_DEVICE", "cuda")
    assert "by the environment variable SYMMV_DEVICE;" in (
        doctor._torch(find_settings()["device"]).advice
    )
    monkeypatch.setenv("SYMMV_DEVICE", "cpu")
    assert doctor._torch(find_settings()["device"]).state == WORKS


def test_a_torch_that_is_missing_or_broken_is_left_to_the_models(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(devices, "find_torch", lambda: None)
    check_device("cuda")

    def broken() -> Torch:
        raise TorchBroken("ImportError: no")

    monkeypatch.setattr(devices, "find_torch", broken)
    check_device("cuda")
    found = doctor._torch(find_settings({})["device"])
    assert (found.state, found.advice) == (BROKEN, "install torch anew")
