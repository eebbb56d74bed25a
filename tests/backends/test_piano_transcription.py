"""ByteDance's transcriber, batched, against the package's way of one segment at a time."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import piano_transcription
from symmv_builder.backends.piano_transcription import ByteDance
from symmv_builder.errors import StopRun
from tests.backends.sounds import home_of, plucked, random_piano_transcription

torch: Any = pytest.importorskip("torch")
inference: Any = pytest.importorskip("piano_transcription_inference.inference")
RATE_HZ = 16000


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return random_piano_transcription(tmp_path_factory.mktemp("weights"))


@pytest.mark.slow
def test_its_answers_are_those_of_the_package(
    checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(piano_transcription, "SEGMENT_S", 1)
    sound = plucked(rate_hz=RATE_HZ, duration_s=2.6)
    # Noise, since the untrained network answers silence with peaks that are quite flat.
    sound += 0.05 * np.random.default_rng(0).standard_normal(sound.shape, dtype=np.float32)
    package = inference.PianoTranscription(
        checkpoint_path=str(checkpoint), segment_samples=RATE_HZ, device="cpu"
    )
    theirs = package.transcribe(sound[:, 0], None)

    model = ByteDance(home_of("piano_transcription", checkpoint))
    batched = model._activations(sound[:, 0])
    assert {"reg_onset_output", "frame_output", "pedal_frame_output"} <= set(batched)
    for name, values in batched.items():
        assert values.shape == theirs["output_dict"][name].shape
        assert np.abs(values - theirs["output_dict"][name]).max() < 1e-5

    # The same sums in another order differ by rounding, on which an untrained network's
    # notes may depend: for the notes to be the same, the segments go one by one.
    monkeypatch.setattr(piano_transcription, "SEGMENTS_AT_ONCE", 1)
    ours = model.transcribe(sound)
    rows = np.array(
        sorted(
            (note["onset_time"], note["midi_note"], note["offset_time"], note["velocity"])
            for note in theirs["est_note_events"]
        )
    )
    assert len(rows) > 100
    assert ours.starts_s == pytest.approx(rows[:, 0])
    assert ours.pitches.tolist() == rows[:, 1].tolist()
    assert ours.ends_s == pytest.approx(np.maximum(rows[:, 2], rows[:, 0]))
    assert ours.velocities.tolist() == rows[:, 3].tolist()
    pedal = sorted(float(span["onset_time"]) for span in theirs["est_pedal_events"] or [])
    assert ours.pedal_starts_s == pytest.approx(pedal)


def test_a_flat_peak_is_a_note_at_its_frame_and_not_at_no_time() -> None:
    def find(*, reg_output: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return reg_output, np.array([np.nan, 0.25, np.inf])

    _, shifts = piano_transcription._finite(find, reg_output=np.ones(3))
    assert shifts.tolist() == [0, 0.25, 0]


@pytest.mark.slow
def test_a_checkpoint_that_lacks_a_layer_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    state = torch.load(checkpoint, weights_only=True)
    del state["model"]["note_model"]["frame_fc.weight"]
    path = tmp_path / "broken.pth"
    torch.save(state, path)
    with pytest.raises(StopRun, match=r"frame_fc\.weight"):
        ByteDance(home_of("piano_transcription", path))


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[Any, tuple[str]]:
            return (print, ("this must never be seen",))

    path = tmp_path / "hostile.pth"
    torch.save({"model": Hostile()}, path)
    with pytest.raises(StopRun):
        ByteDance(home_of("piano_transcription", path))
