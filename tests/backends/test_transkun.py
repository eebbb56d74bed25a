"""Transkun on real Disklavier recordings: as good as, and equal to, its own program."""

import importlib.machinery
import json
import sys
import warnings
import wave
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, load
from symmv_builder.backends.midi import read_notes
from symmv_builder.backends.pyav import read_sound
from symmv_builder.backends.transkun import SUSTAIN, WHEEL, Transkun
from symmv_builder.backends.transkun.intervals import best_intervals
from symmv_builder.backends.transkun.network import Network
from symmv_builder.backends.transkun.segments import SegmentDecoder
from symmv_builder.backends.wheels import files_of
from symmv_builder.records import Notes

torch: Any = pytest.importorskip("torch")
EXCERPT_S = 6


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The package transkun, which asks torchaudio for a filter bank that its checkpoint holds."""
    try:
        import torchaudio  # noqa: F401
    except (ImportError, OSError):
        stand_in: Any = ModuleType("torchaudio")
        stand_in.__spec__ = importlib.machinery.ModuleSpec("torchaudio", None)
        stand_in.functional = SimpleNamespace(
            melscale_fbanks=lambda n_freqs, n_mels, **_: torch.zeros(n_freqs, n_mels)
        )
        monkeypatch.setitem(sys.modules, "torchaudio", stand_in)
    return pytest.importorskip("transkun.ModelTransformer", exc_type=ImportError)


def excerpt(path: Path, folder: Path) -> Path:
    """The first seconds as a 16-bit WAV file, which its own program reads without ffmpeg."""
    sound = read_sound(path)
    samples = np.rint(sound.samples[: EXCERPT_S * sound.rate_hz] * 32768).clip(-32768, 32767)
    out = folder / "excerpt.wav"
    with wave.open(str(out), "wb") as file:
        file.setparams((samples.shape[1], 2, sound.rate_hz, 0, "NONE", ""))
        file.writeframes(samples.astype("<i2").tobytes())
    return out


@pytest.mark.long
@pytest.mark.twin("test_its_notes_are_those_of_the_package_s_model")
def test_its_notes_are_those_of_its_own_program_and_of_the_score(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: Any
) -> None:
    pytest.importorskip("pkg_resources")
    program: Any = pytest.importorskip("transkun.transcribe", exc_type=ImportError)
    recording = shared_data / "piano/MAPS_MUS-scn15_9_ENSTDkAm.flac"
    wav, mid = excerpt(recording, tmp_path), tmp_path / "program.mid"
    model: Any = load("piano", "transkun", ModelHome())
    ours: Notes = model.transcribe(read_sound(wav, rate_hz=Transkun.rate_hz).samples)

    monkeypatch.setattr(sys, "argv", ["transkun", str(wav), str(mid)])
    try:
        program.main()
    finally:
        torch.set_grad_enabled(True)
    theirs = read_notes(mid)
    found, wanted = by_key(ours), by_key(theirs)
    assert found.shape == wanted.shape
    assert (found[:, [0, 3]] == wanted[:, [0, 3]]).all()
    # A MIDI file has a tick of half a millisecond, and a note of one at least.
    assert np.abs(found[:, 1:3] - wanted[:, 1:3]).max() < 0.002
    assert len(ours.pedal_starts_s) >= len(theirs.pedal_starts_s)
    assert onset_f1(ours, recording.with_suffix(".tsv")) > 0.97


def by_key(notes: Notes) -> np.ndarray:
    """Rows of pitch, start, end, velocity: key by key, since rounding may reorder a chord."""
    table = np.stack((notes.pitches, notes.starts_s, notes.ends_s, notes.velocities), axis=1)
    return table[np.lexsort((table[:, 1], table[:, 0]))]


def onset_f1(notes: Notes, truth: Path) -> float:
    mir_eval: Any = pytest.importorskip("mir_eval")
    rows = np.loadtxt(truth, delimiter="\t", skiprows=1)
    rows = rows[rows[:, 0] < EXCERPT_S - 0.05]
    kept = notes.starts_s < EXCERPT_S - 0.05
    found = np.stack((notes.starts_s, np.maximum(notes.ends_s, notes.starts_s + 0.01)), 1)[kept]
    _, _, f1, _ = mir_eval.transcription.precision_recall_f1_overlap(
        np.stack((rows[:, 0], np.maximum(rows[:, 1], rows[:, 0] + 0.01)), 1),
        mir_eval.util.midi_to_hz(rows[:, 2]),
        found,
        mir_eval.util.midi_to_hz(notes.pitches[kept]),
        offset_ratio=None,
    )
    return float(f1)


def played(seconds: float) -> np.ndarray:
    """A piece of the demo on the sampled piano, samples ``[n, 2]``."""
    from symmv_builder.backends.sampler import render
    from symmv_builder.demo.repertoire import PIECES, play

    sound = render(play(PIECES[0], longest_s=20).notes, rate_hz=Transkun.rate_hz)
    return np.ascontiguousarray(sound[: round(seconds * Transkun.rate_hz)])


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["mono", pytest.param("unlike channels over a segment's border", marks=pytest.mark.long)],
)
def test_its_notes_are_those_of_the_package_s_model(kind: str, package: Any) -> None:
    sound = played(3.0 if kind == "mono" else 8.3)
    if kind == "mono":
        sound = sound[:, :1]
    else:
        sound[:, 1] = 0.5 * np.roll(sound[:, 1], 441)
    model: Any = load("piano", "transkun", ModelHome())
    config = package.ModelConfig()
    config.__dict__.update(json.loads(files_of(WHEEL)[1].read_text())["Model"]["config"])
    original = package.TransKun(config).eval()
    original.load_state_dict(model._model.state_dict())
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        events = original.transcribe(torch.from_numpy(sound), discardSecondHalf=False)
    theirs = sorted((e.pitch, e.start, e.end, e.velocity) for e in events if e.pitch > 0)
    ours = model.transcribe(sound)
    found = by_key(ours)
    assert len(found) == len(theirs) > 10
    assert (found[:, [0, 3]] == np.array(theirs)[:, [0, 3]]).all()
    assert np.abs(found - np.array(theirs)).max() < 1e-3
    pedal = sum(event.pitch == SUSTAIN for event in events)
    assert len(ours.pedal_starts_s) == pedal


@pytest.mark.slow
def test_the_network_finds_nothing_in_silence_so_padding_need_not_be_heard() -> None:
    model: Any = load("piano", "transkun", ModelHome())
    with torch.inference_mode():
        silence = torch.zeros(1, 2, 16 * Transkun.rate_hz)
        [context] = model._transcriber._encoder.contexts(silence)
        starts = [0] * len(context)
        assert not any(best_intervals(model._model.scorer, context, starts))
    assert len(model.transcribe(np.zeros((1000, 2), dtype=np.float32)).pitches) == 0


def test_the_search_finds_the_intervals_of_the_package_s_own() -> None:
    """On scores by chance, with ties between silence and an interval of score 0."""
    pytest.importorskip("transkun")
    from transkun.CRF import NeuralSemiCRFInterval

    class Scorer(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.map = torch.nn.Linear(4, 9)

    torch.manual_seed(0)
    for frames, low in ((2, 0), (7, 0), (150, 40), (230, 3)):
        scorer, context = Scorer(), torch.randn(5, frames, 4).round(decimals=1)
        scorer.map.weight.data = scorer.map.weight.data.round(decimals=1)
        starts = [min(low + n, frames - 1) for n in range(5)]
        with torch.inference_mode():
            ours = best_intervals(scorer, context, starts)
            query, key, alone = scorer.map(context).split([4, 4, 1], dim=-1)
            lengths = (torch.arange(frames)[:, None] - torch.arange(frames)).abs()
            scores = (query / 2) @ key.transpose(1, 2) * lengths + torch.diag_embed(alone[..., 0])
            scores = scores.permute(1, 2, 0).contiguous()
            crf = NeuralSemiCRFInterval(scores, torch.zeros(frames - 1, 5))
            assert ours == crf.decode(forcedStartPos=starts, forward=False)


SMALL: dict[str, Any] = {
    "fs": 4000, "hopSize": 256, "windowSize": 512, "segmentSizeInSecond": 2,
    "segmentHopSizeInSecond": 1, "n_mels": 24, "nExtraWins": 1, "baseSize": 8, "nHead": 2,
    "nLayers": 2, "hiddenFactorAttn": 1, "hiddenFactor": 2, "velocityPredictorHiddenSize": 16,
    "refinedOFPredictorHiddenSize": 16, "scoringExpansionFactor": 4, "useInnerProductScorer": True,
    "downsampleF": True, "enabledAttn": ["F", "T"],
}  # fmt: skip


def small_network() -> Network:
    """The network with thin layers, segments of two seconds and seeded weights: it hears a lot."""
    torch.manual_seed(3)
    network = Network(SMALL).eval()
    filters = network.framewiseFeatureExtractor.freq2mels
    filters.copy_(torch.rand(filters.shape) / 100)
    for name, parameter in network.named_parameters():
        parameter.data = torch.randn_like(parameter) * (0.5 if parameter.dim() > 1 else 0.1)
        if name.endswith("scale"):
            parameter.data.fill_(0.1)
    return network


@pytest.mark.parametrize(("channels", "at_once"), [(1, 2), (2, 4), (1, 16)])
def test_segments_that_are_heard_at_once_give_the_notes_of_each_alone(
    channels: int, at_once: int
) -> None:
    """Also where some are silent, and where the last ones do not fill a batch."""
    random = np.random.default_rng(0)
    sound = random.standard_normal((7 * SMALL["fs"] + 123, channels)).astype(np.float32)
    sound[2 * SMALL["fs"] : 5 * SMALL["fs"]] = 0
    with torch.inference_mode():
        network, samples = small_network(), torch.from_numpy(sound)
        alone, together = (
            SegmentDecoder(network, number).transcribe(samples) for number in (1, at_once)
        )
    assert len(alone) == len(together) > 1000
    for one, other in zip(alone, together, strict=True):
        assert (one.pitch, one.velocity) == (other.pitch, other.velocity)
        assert one.start_s == pytest.approx(other.start_s, abs=1e-4)
        assert one.end_s == pytest.approx(other.end_s, abs=1e-4)
