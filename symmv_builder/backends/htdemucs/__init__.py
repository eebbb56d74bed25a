"""Hybrid Transformer Demucs: music taken apart into drums, bass, voices and the rest.

Rouard, Massa and Defossez, "Hybrid Transformers for Music Source Separation" (ICASSP 2023). The
weights are read as its authors publish them, in a file of safetensors that describes its network;
no code of theirs runs. What the network gives was compared with the package `demucs` 4.1.0 on
random weights of the same shapes. With the trained weights it was not: they are on the model
hub alone, and how well it separates was not measured.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from symmv_builder.backends import About, ModelHome, ModelIdentity, check_sha256, hash_file
from symmv_builder.backends.hub import how_to_get, snapshot
from symmv_builder.backends.slots import SourceSeparator
from symmv_builder.errors import MissingWeights, SymMVError, WrongWeights

NAME = "htdemucs"
REPOSITORY = "adefossez/HTDemucs"
_VARIABLE = "SYMMV_MODEL_HTDEMUCS"
_WEIGHTS = "955717e8.safetensors"
_HOW = how_to_get(REPOSITORY, [_WEIGHTS], _VARIABLE)
UNTRAINED = "UNTRAINED"
# Segments overlap by a quarter of their length, as in its authors' program.
_OVERLAP = 0.25
# What this reader takes for granted of a network; other values make another network.
_FIXED: Mapping[str, Any] = {
    "wiener_iters": 0, "end_iters": 0, "wiener_residual": False, "cac": True, "rewrite": True,
    "context_enc": 0, "t_emb": "sin", "t_norm_in": True, "t_norm_in_group": False,
    "t_group_norm": False, "t_norm_first": True, "t_norm_out": True, "t_layer_scale": True,
    "t_gelu": True, "t_weight_pos_embed": 1.0, "t_max_period": 10_000.0, "t_cross_first": False,
    "t_sparse_self_attn": False, "t_sparse_cross_attn": False, "t_sin_random_shift": 0,
    "use_train_segment": True, "samplerate": 44_100, "audio_channels": 2,
}  # fmt: skip


@final
class HTDemucs(SourceSeparator):
    """Drums, bass, other and vocals of stereo sound at 44.1 kHz."""

    needs = ("torch", "safetensors")
    rate_hz = 44_100
    stems = ("drums", "bass", "other", "vocals")

    @classmethod
    def identify(cls, home: ModelHome) -> ModelIdentity:
        weights = _find(home)
        trained = not (weights.parent / UNTRAINED).exists()
        return ModelIdentity(NAME, "htdemucs of demucs 4", hash_file(weights), trained=trained)

    @classmethod
    def about(cls) -> About:
        how = f"{_VARIABLE}=FOLDER, or the model hub ({REPOSITORY})"
        return About("Hybrid Transformer Demucs", "MIT", how, fetched=True)

    def __init__(self, home: ModelHome) -> None:
        self._device = home.device
        self._model = read_network(_find(home)).to(home.device)
        if self._model.shape.sources != self.stems:
            problem = f"{NAME}: its sources are {', '.join(self._model.shape.sources)}"
            raise WrongWeights(NAME, problem)

    def extract(self, samples: NDArray[np.float32], stems: Sequence[str]) -> NDArray[np.float32]:
        """Sum some of the stems of samples ``[n, 2]`` to ``[n, 2]``, segment by segment.

        Segments overlap, and each counts the more the nearer its middle is. The authors' program
        also averages over random shifts; here a recording always gives the same.
        """
        extracted = np.zeros((len(samples), 2), dtype=np.float32)
        if not len(samples):
            return extracted
        places = [self.stems.index(name) for name in stems]
        middle = samples.mean(axis=1, dtype=np.float64)
        mean, deviation = float(middle.mean()), float(middle.std(ddof=min(1, len(middle) - 1)))
        deviation += 1e-8
        wave = ((samples - mean) / deviation).astype(np.float32)
        segment = self._model.shape.segment
        slope = np.minimum(np.arange(1, segment + 1), np.arange(segment, 0, -1))
        weights = (slope / slope.max()).astype(np.float32)[:, None]
        total = np.zeros((len(samples), 1), dtype=np.float32)
        for start in range(0, len(samples), int((1 - _OVERLAP) * segment)):
            length = min(segment, len(samples) - start)
            part = self._segment(wave, start, length, places)
            extracted[start : start + length] += weights[:length] * part
            total[start : start + length] += weights[:length]
        # Each stem has the mean of the whole, as the authors' program gives it back.
        return extracted / total * np.float32(deviation) + np.float32(mean * len(places))

    def _segment(
        self, wave: NDArray[np.float32], start: int, length: int, places: Sequence[int]
    ) -> NDArray[np.float32]:
        """Sum stems of a segment to ``[length, 2]``.

        A shorter one lies in the middle of more of the recording, and of silence beyond its ends.
        """
        import torch

        segment = self._model.shape.segment
        before = (segment - length) // 2
        first, end = start - before, start - before + segment
        padding = (max(0, -first), max(0, end - len(wave)))
        piece = np.pad(wave[max(0, first) : min(end, len(wave))], (padding, (0, 0)))
        with torch.inference_mode():
            tensor = torch.from_numpy(np.ascontiguousarray(piece.T))[None].to(self._device)
            separated = self._model(tensor)[0, list(places)].sum(dim=0)
            part = separated[:, before : before + length].T.cpu().numpy()
            return np.asarray(part, dtype=np.float32)


def _find(home: ModelHome) -> Path:
    """Find the file of weights; `MissingWeights` where there is none."""
    if NAME in home.paths:
        path = Path(home.paths[NAME]).expanduser()
    else:
        path = snapshot(NAME, REPOSITORY, "main", [_WEIGHTS], _HOW, probe=_WEIGHTS) / _WEIGHTS
    paths = sorted(path.glob("*.safetensors")) if path.is_dir() else [path]
    if len(paths) != 1 or not paths[0].is_file():
        problem = f"{NAME}: {path} is no file of safetensors, nor a folder with one"
        raise MissingWeights(NAME, problem, _HOW)
    check_sha256(NAME, paths[0], home.paths.get(f"{NAME}.sha256", ""))
    return paths[0]


def read_network(path: Path) -> Any:
    """Read the network that a safetensors file describes and holds; `WrongWeights` for another."""
    import safetensors

    from symmv_builder.backends.htdemucs.network import HTDemucs as Network

    try:
        with safetensors.safe_open(str(path), framework="pt") as file:
            about = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
        network = Network(_shape(about))
        network.load_state_dict(tensors)
    except SymMVError:
        raise
    except Exception as error:
        # safetensors has classes of errors of its own, and torch raises RuntimeError.
        problem = f"{path} is not {NAME}: {str(error).splitlines()[0]}"
        raise WrongWeights(NAME, problem) from error
    return network.eval()


def _shape(about: Mapping[str, str]) -> Any:
    from symmv_builder.backends.htdemucs.network import Shape

    if about.get("klass") != "demucs.htdemucs.HTDemucs":
        raise ValueError(f"it is of the class {about.get('klass')}")
    arguments = _plain(json.loads(about.get("kwargs", "{}")))
    arguments |= dict(zip(("sources",), _plain(json.loads(about.get("args", "[]"))), strict=False))
    for name, value in _FIXED.items():
        if arguments.get(name, value) != value:
            raise ValueError(f"its {name} is {arguments[name]!r}, where {value!r} is known")
    if arguments.get("multi_freqs"):
        raise ValueError("it splits its frequencies (multi_freqs), which is not known here")
    values = {f.name: arguments[f.name] for f in fields(Shape) if f.name in arguments}
    values["sources"] = tuple(map(str, arguments["sources"]))
    if "segment" in arguments:
        values["segment"] = int(arguments["segment"] * HTDemucs.rate_hz)
    shape = Shape(**values)
    if shape.nfft // 2 // shape.stride ** (shape.depth - 1) <= shape.kernel_size:
        raise ValueError("its branches are merged before the transformer, which is not known here")
    if arguments.get("norm_starts", shape.depth) < shape.depth:
        raise ValueError("its layers are normalised, which is not known here")
    if not 0 < shape.segment < 10**8:
        raise ValueError(f"its segments have {shape.segment} samples")
    return shape


def _plain(value: Any) -> Any:
    """Read values as the file writes them: a fraction is an object of two numbers."""
    if isinstance(value, dict):
        if value.get("_type") == "fraction":
            return Fraction(value["numerator"], value["denominator"])
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value
