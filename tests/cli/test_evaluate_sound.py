"""`symmv evaluate audio | kld | mcc`: which model heard is said, and what may stand beside it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from symmv_builder.backends.embeddings.vggish import Vggish
from symmv_builder.backends.musicnn.tagger import _Network
from symmv_builder.backends.pretrained import UNTRAINED
from symmv_builder.backends.pyav.encode import write_sound
from tests.backends.audio_models import make_vggish
from tests.cli.evaluate_call import Call


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("SYMMV_ROOT", "SYMMV_LEDGER", "SYMMV_MANIFESTS", "SYMMV_DEVICE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Call:
    return Call(capsys, monkeypatch)


def recordings(folder: Path, seconds: float, count: int = 2, level: float = 0.2) -> None:
    folder.mkdir()
    rng = np.random.default_rng(round(1000 * level))
    for number in range(count):
        times = np.arange(round(seconds * 16_000)) / 16_000
        wave = level * np.sin(2 * np.pi * 220 * (number + 1) * times)
        noisy = wave + rng.normal(0, 0.02, len(times))
        write_sound(folder / f"piece-{number}x.wav", noisy[:, None].astype(np.float32), 16_000)


def _by_chance(network: Any, patches: Any) -> tuple[Any, Any]:
    return torch.randn(len(patches), 200), torch.randn(len(patches), 50)


def test_embeddings_of_others_have_a_distance_and_no_figure_beside(
    call: Call, elsewhere: Path
) -> None:
    rng = np.random.default_rng(0)
    np.save("real.npy", rng.normal(size=(50, 4)))
    np.savez("made.npz", a=rng.normal(size=(3, 4)) + 1, b=rng.normal(size=4) + 1)
    answer = call.json("audio made.npz --reference real.npy")
    assert answer["embeddings"] == {"generated": 4, "reference": 50}
    assert answer["metrics"]["fad"] > 0
    assert (answer["embedding"], answer["model"]) == ("tables of others", None)
    assert answer["published"] == []
    assert not answer["is_full_rank"]
    _, out, _ = call("audio made.npz --reference real.npy")
    assert "not of full rank" in out
    assert "tables of others" in out
    assert "V2Meow" not in out
    assert call.json("audio real.npy --reference real.npy")["is_full_rank"]


@pytest.mark.parametrize("swapped", [False, True])
def test_fewer_examples_than_dimensions_are_refused_with_both_numbers(
    call: Call, elsewhere: Path, swapped: bool
) -> None:
    rng = np.random.default_rng(0)
    np.save("many.npy", rng.normal(size=(50, 8)))
    np.save("few.npy", rng.normal(size=(7, 8)))
    one, other = ("many", "few") if swapped else ("few", "many")
    code, out, err = call(f"audio {one}.npy --reference {other}.npy")
    assert (code, out) == (2, "")
    what = "real" if swapped else "generated"
    assert f"7 {what} examples are fewer than the 8 dimensions" in err.splitlines()[-1]
    code, _, err = call("audio few.npy --reference few.npy --json")
    assert code == 2


def test_musicnn_is_named_and_no_papers_figure_stands_beside_it(
    call: Call, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One recording of 200 segments is as many examples as there are dimensions. What its network
    # makes of them is not asked here, and takes 20 s.
    monkeypatch.setattr(_Network, "forward", _by_chance)
    recordings(elsewhere / "made", 600.5, 1)
    rng = np.random.default_rng(0)
    np.save("real.npy", rng.normal(size=(201, 200)))
    answer = call.json("audio made --reference real.npy")
    assert answer["embedding"] == "musicnn and tables of others"
    assert answer["model"]["backend"] == "musicnn"
    assert len(answer["model"]["weights_sha256"]) == 64
    assert (answer["dimensions"], answer["published"]) == (200, [])
    _, out, _ = call("audio made --reference real.npy")
    assert "over musicnn" in " ".join(out.split())
    assert "VGGish" not in out
    assert "V2Meow" not in out


def test_the_papers_figures_stand_beside_trained_vggish_alone(
    call: Call, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As above: `tests/backends` ask what the network makes of its patches.
    monkeypatch.setattr(Vggish, "forward", lambda _, patches: torch.randn(len(patches), 128))
    weights = make_vggish(elsewhere / "weights")
    monkeypatch.setenv("SYMMV_MODEL_VGGISH", str(weights))
    for name in ("made", "real"):
        recordings(elsewhere / name, 70.0, level=0.2 if name == "made" else 0.3)
    answer = call.json("audio made --reference real --backend vggish")
    assert (answer["embedding"], answer["dimensions"]) == ("vggish", 128)
    assert (answer["untrained"], answer["published"]) == (["vggish"], [])
    _, out, _ = call("audio made --reference real --backend vggish")
    assert "NOT TRAINED: vggish" in out
    (weights.parent / UNTRAINED).unlink()
    answer = call.json("audio made --reference real --backend vggish")
    assert answer["untrained"] == []
    assert {row["table"] for row in answer["published"]} == {"Table 1, VGGish"}
    assert "V2Meow" in call("audio made --reference real --backend vggish")[1]


def test_kld_compares_tags_of_a_piece_with_those_of_its_original(
    call: Call, elsewhere: Path
) -> None:
    recordings(elsewhere / "made", 6.0, 3)
    recordings(elsewhere / "real", 6.0, 3)
    answer = call.json("kld made --reference real")
    assert (answer["classifier"], answer["classes"], answer["pairs"]) == ("musicnn", 50, 3)
    assert answer["metrics"]["kld"] == pytest.approx(0, abs=1e-9)
    assert answer["metrics"]["kld_others"] > 0.01
    assert answer["published"] == []
    code, out, _ = call("kld made --reference real")
    assert code == 0
    assert "musicnn" in out
    code, _, err = call("kld made --reference real --backend vggish")
    assert code == 2
    assert "model is 'vggish'; it gives no tags" in err.splitlines()[-1]


def test_kld_takes_probabilities_of_any_classifier(call: Call, elsewhere: Path) -> None:
    for folder, values in (("made", [[0.5, 0.5]]), ("real", [[0.6, 0.2], [0.9, 0.3]])):
        (elsewhere / folder).mkdir()
        np.save(elsewhere / folder / "song.npy", np.array(values))
    answer = call.json("kld made --reference real")
    wanted = 0.75 * np.log(0.75 / 0.5) + 0.25 * np.log(0.25 / 0.5)
    assert answer["metrics"]["kld"] == pytest.approx(wanted, abs=1e-5)
    assert answer["metrics"]["kld_others"] is None
    np.save(elsewhere / "made" / "song.npy", np.array([[1.5, 0.5]]))
    code, _, err = call("kld made --reference real")
    assert code == 2
    assert "outside 0-1" in err.splitlines()[-1]


def test_mcc_is_the_cosine_of_a_piece_and_its_original(call: Call, elsewhere: Path) -> None:
    for folder in ("made", "real"):
        (elsewhere / folder).mkdir()
    np.save("real/a.npy", np.array([[1.0, 0.0]]))
    np.save("real/b.npy", np.array([[0.0, 2.0]]))
    np.save("made/a.npy", np.array([[1.0, 1.0], [3.0, 1.0]]))
    np.save("made/b-2.npy", np.array([[0.0, 1.0]]))
    np.save("made/other.npy", np.array([[0.0, 1.0]]))
    answer = call.json("mcc made --reference real")
    assert answer["metrics"]["mcc"] == pytest.approx((2 / np.sqrt(5) + 1) / 2)
    assert answer["metrics"]["mcc_others"] == pytest.approx(1 / np.sqrt(5) / 2)
    assert (answer["pairs"], answer["without_pair"]) == (2, ["other"])
    assert "1 without an original of their name: other" in call("mcc made --reference real")[1]
