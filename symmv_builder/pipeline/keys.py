"""Keys: a result is named by everything that made it.

Step, version, parameters, the model with the hash of its weights, the content of the
recordings read and the keys of the other inputs: same key, same result. Change one
model, and exactly what depends on it gets another key.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from json.encoder import encode_basestring_ascii
from typing import Any

from symmv_builder.pipeline.step import RECORDINGS, Use
from symmv_builder.records import Provenance

# What a use makes, the constant parts of its key's text, the inputs that stand between them.
_Template = tuple[str, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What a result was made with: part of its key, so another model is another result."""

    backend: str
    version: str
    weights_sha256: str
    trained: bool = True
    precision: str = "fp32"


@dataclass(frozen=True, slots=True)
class Work:
    """One entry to be done: its id and the content of its recordings.

    `published_sha256` is that of the published files of an imported song; the hash of what
    an entry does not have is empty.
    """

    entry_id: str
    music_sha256: str
    video_sha256: str
    published_sha256: str = ""

    @property
    def contents(self) -> tuple[str, str, str]:
        """The hash of each recording, in the order of `RECORDINGS`."""
        return self.music_sha256, self.video_sha256, self.published_sha256

    def source(self, recording: str) -> str:
        return self.contents[RECORDINGS.index(recording)]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made of every entry: the uses of a recipe, in order, and their models."""

    dataset: str
    uses: tuple[Use, ...]
    models: Mapping[tuple[str, str], ModelIdentity] = field(default_factory=dict)
    _templates: list[_Template] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        artifacts = set(RECORDINGS)
        for use in self.uses:
            missing = [name for name in use.inputs if name not in artifacts]
            if missing:
                raise ValueError(f"{use.makes} reads {missing}, which nothing before it makes")
            if use.makes in artifacts:
                raise ValueError(f"two steps make {use.makes}")
            artifacts.add(use.makes)

    @property
    def recordings(self) -> frozenset[str]:
        """Which recordings of an entry are read."""
        return frozenset(name for use in self.uses for name in use.inputs if name in RECORDINGS)

    def model_of(self, use: Use) -> ModelIdentity | None:
        if use.step.slot is None or use.model is None:
            return None
        return self.models[use.step.slot, use.model]

    def keys(self, work: Work) -> dict[str, str]:
        """The key of every artifact of an entry, in the order of the plan."""
        keys = dict(zip(RECORDINGS, work.contents, strict=True))
        if not self._templates:
            self._templates.extend(self._template(use) for use in self.uses)
        for makes, parts, inputs in self._templates:
            text = parts[0]
            for name, part in zip(inputs, parts[1:], strict=True):
                text += encode_basestring_ascii(keys[name]) + part
            keys[makes] = _digest_of(text)
        return {use.makes: keys[use.makes] for use in self.uses}

    def _template(self, use: Use) -> _Template:
        """What a use's key is the hash of, cut where the content or key of an input belongs.

        The rest is the same for every entry, and writing it anew for each is what planning a
        large dataset would cost.
        """
        model = self.model_of(use)
        text = _canonical(
            {
                "step": use.step.name,
                "version": use.step.version,
                "parameters": dict(use.parameters),
                "model": asdict(model) if model else None,
                "inputs": dict.fromkeys(use.step.reads),
            }
        )
        # "inputs" comes first, and its names are in order.
        head, tail = text.split("}", 1)
        ordered = sorted(zip(use.step.reads, use.inputs, strict=True))
        return use.makes, (*head.split("null")[:-1], "}" + tail), tuple(n for _, n in ordered)

    def provenance(self, use: Use, keys: Mapping[str, str], work: Work) -> Provenance:
        model = self.model_of(use) or ModelIdentity("", "", "")
        inputs = {
            name: work.source(name) if name in RECORDINGS else keys[name] for name in use.inputs
        }
        return Provenance(
            step=use.step.name,
            version=use.step.version,
            parameters=json.dumps(dict(use.parameters), sort_keys=True),
            backend=model.backend,
            model_version=model.version,
            weights_sha256=model.weights_sha256,
            trained=model.trained,
            inputs=json.dumps(inputs, sort_keys=True),
        )


def digest(value: Any) -> str:
    """sha256 of a value's canonical JSON, its first 32 hexadecimal digits."""
    return _digest_of(_canonical(value))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
