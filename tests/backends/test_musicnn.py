"""musicnn in PyTorch: its weights out of a TensorFlow checkpoint, and what it hears in a piano."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmv_builder.backends import ModelHome, hash_files, load
from symmv_builder.backends.musicnn import checkpoint, tagger
from symmv_builder.backends.musicnn.checkpoint import read_tensors
from symmv_builder.backends.musicnn.tagger import Musicnn, expected_shapes
from symmv_builder.backends.sampler import render
from symmv_builder.backends.wheels import files_of
from symmv_builder.errors import StopRun
from symmv_builder.records import Notes
from tests.backends.sounds import plucked

torch: Any = pytest.importorskip("torch")
pytest.importorskip("librosa")

Tensors = dict[str, np.ndarray[Any, Any]]


def varint(number: int) -> bytes:
    digits = bytearray()
    while number > 0x7F:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*digits, number])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """A block with prefix-compressed keys, one restart point, no compression and no checksum."""
    out, before = b"", b""
    for key, value in pairs:
        shared = 0
        while shared < min(len(key), len(before)) and key[shared] == before[shared]:
            shared += 1
        out += varint(shared) + varint(len(key) - shared) + varint(len(value))
        out += key[shared:] + value
        before = key
    return out + (0).to_bytes(4, "little") + (1).to_bytes(4, "little")


def entry(tensor: np.ndarray[Any, Any], offset: int, *, kind: int = 1, size: int = -1) -> bytes:
    shape = b"".join(field(2, field(1, length)) for length in tensor.shape)
    size = tensor.nbytes if size < 0 else size
    checksum = varint(6 << 3 | 5) + bytes(4)
    return field(1, kind) + field(2, shape) + field(4, offset) + field(5, size) + checksum


def index_of(pairs: list[tuple[bytes, bytes]]) -> bytes:
    """A table of two blocks: what it holds, and where that lies."""
    half = len(pairs) // 2
    out, handles = b"", []
    for part in (pairs[:half], pairs[half:]):
        body = block(part)
        handles.append((part[-1][0], varint(len(out)) + varint(len(body))))
        out += body + bytes(5)
    table = block(handles)
    footer = varint(0) + varint(0) + varint(len(out)) + varint(len(table))
    footer = footer.ljust(40, b"\0") + bytes.fromhex("57fb808b247547db")
    return out + table + bytes(5) + footer


def saved(folder: Path, tensors: Tensors, **changes: Any) -> tuple[Path, Path]:
    pairs, values = [(b"", field(1, 1))], b""
    for name, tensor in sorted(tensors.items()):
        pairs.append((name.encode(), entry(tensor, len(values), **changes)))
        values += tensor.astype("<f4").tobytes()
    (folder / ".index").write_bytes(index_of(pairs))
    (folder / ".data").write_bytes(values)
    return folder / ".index", folder / ".data"


@pytest.fixture
def tensors() -> Tensors:
    rng = np.random.default_rng(4)
    shapes = {"dense/bias": (3,), "dense/kernel": (2, 3), "dense_1/kernel": (300,), "step": ()}
    return {name: rng.random(shape, dtype=np.float32) for name, shape in shapes.items()}


def test_a_checkpoints_tensors_are_read_as_they_were_written(
    tmp_path: Path, tensors: Tensors
) -> None:
    found = read_tensors(*saved(tmp_path, tensors), list(tensors))
    assert set(found) == set(tensors)
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(found[name], tensor)


def test_only_the_tensors_asked_for_are_looked_at(tmp_path: Path, tensors: Tensors) -> None:
    files = saved(tmp_path, tensors)
    assert list(read_tensors(*files, ["step"])) == ["step"]
    with pytest.raises(ValueError, match="no tensor other"):
        read_tensors(*files, ["step", "other"])


@pytest.mark.parametrize("changes", [{"kind": 2}, {"size": 8}, {"size": 1 << 62}])
def test_a_tensor_that_claims_another_type_or_size_is_refused(
    tmp_path: Path, tensors: Tensors, changes: dict[str, int]
) -> None:
    with pytest.raises(ValueError, match="a tensor"):
        read_tensors(*saved(tmp_path, tensors, **changes), list(tensors))


def test_a_shape_of_a_trillion_numbers_allocates_nothing(tmp_path: Path) -> None:
    shape = b"".join(field(2, field(1, 1 << 20)) for _ in range(2))
    lying = field(1, 1) + field(2, shape) + field(4, 0) + field(5, 4 << 40)
    (tmp_path / ".index").write_bytes(index_of([(b"", b""), (b"x", lying)]))
    (tmp_path / ".data").write_bytes(bytes(16))
    with pytest.raises(ValueError, match="not that of its shape"):
        read_tensors(tmp_path / ".index", tmp_path / ".data", ["x"])


def test_any_cut_or_flipped_index_is_read_or_refused_but_never_crashes(
    tmp_path: Path, tensors: Tensors
) -> None:
    index, data = saved(tmp_path, tensors)
    whole = index.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        broken = bytearray(whole[: rng.integers(len(whole) // 2, len(whole) + 1)])
        for place in rng.integers(0, len(broken), 3):
            broken[place] = rng.integers(256)
        index.write_bytes(bytes(broken))
        try:
            read_tensors(index, data, list(tensors))
        except ValueError:
            refused += 1
    assert refused > 100


def test_a_compressed_index_and_one_that_is_too_large_are_refused(
    tmp_path: Path, tensors: Tensors, monkeypatch: pytest.MonkeyPatch
) -> None:
    index, data = saved(tmp_path, tensors)
    held = bytearray(index.read_bytes())
    held[-48 - 5] = 1
    index.write_bytes(bytes(held))
    with pytest.raises(ValueError, match="compressed"):
        read_tensors(index, data, list(tensors))
    monkeypatch.setattr(checkpoint, "MAX_INDEX_BYTES", 10)
    with pytest.raises(ValueError, match="larger than 10"):
        read_tensors(index, data, list(tensors))


def test_weights_that_do_not_fit_stop_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shapes = expected_shapes() | {"dense/bias": (7,)}
    made = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    files = saved(tmp_path, made)
    monkeypatch.setattr(tagger, "files_of", lambda _: files)
    with pytest.raises(StopRun, match="does not fit musicnn at dense/bias"):
        Musicnn(ModelHome())


@pytest.fixture(scope="module")
def model() -> Musicnn:
    try:
        Musicnn.identify(ModelHome())
    except StopRun as error:
        pytest.skip(str(error))
    model = load("audio_embedding", "musicnn", ModelHome())
    assert isinstance(model, Musicnn)
    return model


def piano(seconds: int) -> Notes:
    """Broken chords over a bass, two a second."""
    starts = np.arange(0, seconds, 0.25)
    pitches = np.array([48, 64, 67, 72, 45, 60, 64, 69])[np.arange(len(starts)) % 8]
    none = np.empty(0)
    return Notes(
        starts_s=starts,
        ends_s=starts + 0.8,
        pitches=pitches.astype(np.int64),
        velocities=np.full(len(starts), 70),
        pedal_starts_s=none,
        pedal_ends_s=none,
    )


def test_a_rendered_piano_is_heard_as_a_piano(model: Musicnn) -> None:
    tags = model.tag(render(piano(9)), 44_100).mean(axis=0)
    best = [model.tags[number] for number in tags.argsort()[::-1][:5]]
    assert best[0] == "piano"
    assert "classical" in best
    assert not set(best) & {"techno", "drums", "rock", "vocals", "guitar"}


def test_its_answers_are_those_of_the_package_under_tensorflow(model: Musicnn) -> None:
    """The figures are those of musicnn 0.1.0 under TensorFlow 2.21, its spectrogram in float32."""
    sound = plucked(rate_hz=16_000)
    hidden = [-0.07995, -0.03288, 1.30502, -0.18606, 0.10288, 0.95114, -0.10575, -0.21658]
    np.testing.assert_allclose(model.embed(sound, 16_000)[0, :8], hidden, atol=1e-4)
    tags = dict(zip(model.tags, model.tag(sound, 16_000)[0], strict=True))
    expected = {"piano": 0.73719, "slow": 0.35217, "solo": 0.26543, "classical": 0.2471}
    assert {name: tags[name] for name in expected} == pytest.approx(expected, abs=1e-4)


def test_every_three_seconds_have_an_embedding_and_a_short_sound_has_one(model: Musicnn) -> None:
    rng = np.random.default_rng(1)
    sound = rng.normal(0, 0.1, 16_000 * 7).astype(np.float32)
    found = model.embed(sound, 16_000)
    assert found.shape == (2, model.width)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    np.testing.assert_allclose(model.embed(sound[:, None], 16_000), found)
    assert model.embed(sound[:100], 16_000).shape == (1, model.width)
    assert model.embed(sound[:0], 16_000).shape == (1, model.width)


def test_a_segments_embedding_is_of_its_own_three_seconds(model: Musicnn) -> None:
    rng = np.random.default_rng(2)
    sound = rng.normal(0, 0.1, 16_000 * 12).astype(np.float32)
    changed = sound.copy()
    changed[16_000 * 6 + 600 : 16_000 * 9 - 600] *= 0.1
    differs = np.abs(model.embed(sound, 16_000) - model.embed(changed, 16_000)).max(axis=1)
    assert differs[[0, 1, 3]].max() < 1e-5
    assert differs[2] > 0.1


def test_a_loud_sound_is_not_infinite(model: Musicnn) -> None:
    times_s = np.arange(16_000 * 6) / 16_000
    loud = np.sin(2 * np.pi * 440 * times_s).astype(np.float32)
    loud[16_000 * 3 :] = np.sign(loud[16_000 * 3 :])
    found = model.embed(loud, 16_000)
    assert np.isfinite(found).all()
    assert np.abs(found[0] - found[1]).max() > 0.1


def test_its_identity_is_that_of_its_weights(model: Musicnn) -> None:
    identity = model.identify(ModelHome())
    assert identity.backend == "musicnn"
    assert identity.weights_sha256 == hash_files(files_of(tagger.WHEEL))
