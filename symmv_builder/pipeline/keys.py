"""Keys: a result is named by everything that made it.

Step, version, parameters, the model with the hash of its weights, the content of the
recordings read and the keys of the other inputs: same key, same result. Change one
model, and exactly what depends on it gets another key.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from json.encoder import encode_basestring_ascii
from typing import Any

from symmv_builder import editing
from symmv_builder.pipeline.step import RECORDINGS, Use
from symmv_builder.records import Provenance
from symmv_builder.records.corrections import Correction

# What the provenance of a corrected record names as its step, and its version.
CORRECTION = "correction"
# What a use makes, the constant parts of its key's text, the inputs that stand between them.
_Template = tuple[str, tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """The identity of a model: part of a result's key, so another model is another result."""

    backend: str
    version: str
    weights_sha256: str
    trained: bool = True
    precision: str = "fp32"


@dataclass(frozen=True, slots=True)
class Work:
    """One entry to be done: its id and the content of its recordings.

    `published_sha256` is that of the published files of an imported song; the hash of what
    an entry does not have is empty. `corrections` are those of its records that stand.
    """

    entry_id: str
    music_sha256: str
    video_sha256: str
    published_sha256: str = ""
    corrections: tuple[Correction, ...] = ()

    @property
    def contents(self) -> tuple[str, str, str]:
        """The hash of each recording, in the order of `RECORDINGS`."""
        return self.music_sha256, self.video_sha256, self.published_sha256

    def source(self, recording: str) -> str:
        return self.contents[RECORDINGS.index(recording)]

    @property
    def corrected(self) -> frozenset[str]:
        """The artifacts that people corrected, ``entry`` where they trimmed it."""
        return frozenset(each.edit.artifact for each in self.corrections if each.edit)

    def corrections_of(self, artifact: str) -> tuple[Correction, ...]:
        """List what people corrected of one of its records."""
        edits = ((each, each.edit) for each in self.corrections)
        return tuple(each for each, edit in edits if edit and edit.artifact == artifact)


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan for every entry: the uses of a recipe, in order, and their models."""

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
        """Compute the key of every artifact of an entry, in the order of the plan.

        That of a record which people corrected is of the record as it is then, and so are the keys
        of what is made of it.
        """
        return self._keys(work)[0]

    def machine_keys(self, work: Work) -> dict[str, str]:
        """Compute the key of every artifact that people corrected, as the machine made it."""
        return self._keys(work)[1] if work.corrections else {}

    def _keys(self, work: Work) -> tuple[dict[str, str], dict[str, str]]:
        keys = dict(zip(RECORDINGS, work.contents, strict=True))
        machine: dict[str, str] = {}
        if not self._templates:
            self._templates.extend(self._template(use) for use in self.uses)
        for makes, parts, inputs in self._templates:
            text = parts[0]
            for name, part in zip(inputs, parts[1:], strict=True):
                text += encode_basestring_ascii(keys[name]) + part
            keys[makes] = _digest_of(text)
            if work.corrections and (corrected := work.corrections_of(makes)):
                machine[makes] = keys[makes]
                keys[makes] = corrected_key(keys[makes], corrected)
        return {use.makes: keys[use.makes] for use in self.uses}, machine

    def _template(self, use: Use) -> _Template:
        """Make what a use's key is the hash of, cut where the content or key of an input belongs.

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


def corrected_key(key: str, corrections: Sequence[Correction]) -> str:
    """Compute the key of a record that is stored under `key`, after some corrections."""
    return digest([CORRECTION, editing.VERSION, key, [each.fields() for each in corrections]])


def correction_provenance(
    artifact: str, key: str, corrections: Sequence[Correction], problems: Mapping[str, str]
) -> Provenance:
    """Tell what made a corrected record: who corrected what is stored under `key`, and when.

    `problems` say why corrections do not apply, by their id.
    """
    parameters = {
        each.id: problems.get(each.id) or f"{each.edit}, by {each.author} at {each.time}"
        for each in corrections
    }
    applied = {name: text for name, text in parameters.items() if name not in problems}
    left_out = {name: text for name, text in parameters.items() if name in problems}
    return Provenance(
        step=CORRECTION,
        version=editing.VERSION,
        parameters=json.dumps({"applied": applied, "not_applicable": left_out}, sort_keys=True),
        backend="",
        model_version="",
        weights_sha256="",
        trained=True,
        inputs=json.dumps({artifact: key}),
    )


def digest(value: Any) -> str:
    """Compute the sha256 of a value's canonical JSON, its first 32 hexadecimal digits."""
    return _digest_of(_canonical(value))


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


def _digest_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
