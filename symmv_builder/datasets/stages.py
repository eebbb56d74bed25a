"""One stage on one file: what `symmv run` does.

A stage reads artifacts; for a file on its own they are made on the way, by the default
stages. A MIDI file already holds notes and beats, so nothing has to be transcribed.
"""

import json
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from symmv_builder import backends
from symmv_builder.backends import midi
from symmv_builder.crawl import probe
from symmv_builder.crawl.folder import identifier
from symmv_builder.errors import StopRun
from symmv_builder.music import chords, dynamics, key, melody, rhythm, transcribe
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.run import LoadModel, Tell, load
from symmv_builder.pipeline.step import RECORDINGS, Step
from symmv_builder.records import Notes, Record, to_json
from symmv_builder.storage.outputs import check_outputs, replacing_file
from symmv_builder.video import colour, emotion, motion, scenes, semantic

# The first step of a stage is for recordings, one marked symbolic for MIDI files.
STAGES: dict[str, tuple[Step, ...]] = {
    "transcribe": (transcribe.STEP, transcribe.POLYPHONIC),
    "beats": (rhythm.STEP,),
    "quantise": (rhythm.QUANTISE,),
    "melody": (melody.STEP,),
    "texture": (melody.TEXTURE,),
    "chords": (chords.STEP, chords.SYMBOLIC),
    "key": (key.STEP,),
    "key-spans": (key.SPANS,),
    "density": (dynamics.DENSITY,),
    "loudness": (dynamics.LOUDNESS,),
    "probe-music": (probe.MUSIC,),
    "probe-video": (probe.VIDEO,),
    "semantic": (semantic.STEP,),
    "emotion": (emotion.STEP,),
    "motion": (motion.STEP,),
    "colour": (colour.STEP,),
    "scenes": (scenes.STEP,),
    "scene-offset": (scenes.OFFSET,),
}

_MAKERS: dict[str, tuple[Step, str | None]] = {
    "notes": (transcribe.STEP, "transkun"),
    "beats": (rhythm.STEP, "madmom"),
    "grid": (rhythm.QUANTISE, None),
    "music_asset": (probe.MUSIC, None),
    "video_asset": (probe.VIDEO, None),
    "semantic": (semantic.STEP, "vit-l-14-336"),
    "scenes": (scenes.STEP, "adaptive"),
}

# What a person may ask of a parameter: beyond lies nothing but hours of work or no memory.
_BOUNDS: dict[str, tuple[float, float]] = {
    "hop_s": (0.01, 3600.0),
    "causal_window_s": (0.0, 3600.0),
    "bins": (2, 256),
    "steps_per_beat": (1, 96),
    "min_pitch": (0, 127),
    "change_penalty": (0.0, 10_000.0),
    "threshold": (0.0, 1000.0),
    "min_scene_frames": (1, 100_000),
}


def run_stage(
    name: str,
    path: Path,
    load_model: LoadModel,
    *,
    backend: str | None = None,
    settings: Mapping[str, str] | None = None,
    tell: Tell = lambda _: None,
) -> Record:
    """The record that a stage makes of a file; it tells when it loads a model, and when it begins.

    `settings` are texts, turned into the types of the stage's parameters. `StopRun` where
    the stage, the backend or a setting does not exist, `RejectEntry` where the file is no
    good for it.
    """
    if name not in STAGES:
        raise StopRun(f"no stage is called {name!r}; known: {', '.join(STAGES)}")
    if not path.is_file():
        raise StopRun(f"{path} is not a file")
    is_midi = midi.is_midi(path)
    if is_midi and name == "beats" and backend is None:
        # What the file says of its beats needs no tracking.
        return midi.read_beats(path)
    step, model = choose(name, backend, symbolic=is_midi)
    clip = model if step.slot == "clip" else None
    maker = _Maker(path, load_model, tell, is_midi=is_midi, clip=clip)
    record: Record = maker.run(step, model, parse_settings(step, settings or {}))
    return record


def choose(name: str, backend: str | None, *, symbolic: bool) -> tuple[Step, str | None]:
    """The step and model of a stage: by the backend's name, else by what the file is."""
    steps = STAGES[name]
    if backend is not None:
        for step in steps:
            if step.slot and backend in backends.names(step.slot):
                return step, backend
        known = [model for step in steps if step.slot for model in backends.names(step.slot)]
        raise StopRun(
            f"{name} has no backend {backend!r}; known: {', '.join(known) or 'it needs none'}"
        )
    symbolic_steps = [step for step in steps if not set(step.reads) & set(RECORDINGS)]
    step = symbolic_steps[0] if symbolic and symbolic_steps else steps[0]
    return step, backends.names(step.slot)[0] if step.slot else None


def parse_settings(step: Step, texts: Mapping[str, str]) -> dict[str, Any]:
    """Parameter values out of texts, by the annotations of the step's function."""
    hints = typing.get_type_hints(step.run)
    values: dict[str, Any] = dict(step.defaults)
    for name, text in texts.items():
        if name not in step.defaults:
            known = ", ".join(step.defaults) or "it has none"
            raise StopRun(f"{step.name} has no parameter {name!r}; known: {known}")
        values[name] = _parse(step.name, name, hints[name], text)
    return values


def _parse(step: str, name: str, hint: Any, text: str) -> Any:
    choices = typing.get_args(hint)
    if typing.get_origin(hint) is Literal:
        if text not in choices:
            raise StopRun(f"{step}: {name} is {text!r}; it can be {', '.join(map(str, choices))}")
        return text
    if type(None) in choices:
        if text.lower() == "none":
            return None
        hint = next(choice for choice in choices if choice is not type(None))
    try:
        if hint is bool:
            return {"true": True, "false": False}[text.lower()]
        value = hint(text)
    except (ValueError, KeyError):
        raise StopRun(f"{step}: {name} is {text!r}, which is not a {hint.__name__}") from None
    least, most = _BOUNDS.get(name, (-math.inf, math.inf))
    if hint in (int, float) and not (least <= value <= most and math.isfinite(value)):
        raise StopRun(f"{step}: {name} is {text}; it can be {least:g} to {most:g}")
    return value


@dataclass(slots=True)
class _Maker:
    """Makes artifacts of one file when they are asked for, each once."""

    path: Path
    load_model: LoadModel
    tell: Tell
    is_midi: bool
    clip: str | None
    made: dict[str, Any] = field(default_factory=dict)

    def run(self, step: Step, model: str | None, parameters: Mapping[str, Any]) -> Any:
        inputs = [self.input(name, step) for name in step.reads]
        arguments = dict(parameters)
        if step.slot and model and step.takes_model(inputs):
            self.tell(Event("load", "", step.name, detail=f"the {step.slot} model {model}"))
            arguments["model"] = load(self.load_model, step.slot, model)
            self.tell(Event("begin", "", step.name))
        if step.together is None:
            return step.run(*inputs, **arguments)
        [record] = step.together(inputs[0], [step.run(**arguments)])
        return record

    def input(self, name: str, wanted_by: Step) -> Any:
        if name in RECORDINGS:
            if self.is_midi and wanted_by is not probe.MUSIC:
                raise StopRun(f"{wanted_by.name} takes a recording; {self.path} is a MIDI file")
            return self.path
        if name not in self.made:
            self.made[name] = self.make(name)
        return self.made[name]

    def make(self, name: str) -> Any:
        if self.is_midi and name == "notes":
            return midi.read_notes(self.path)
        if self.is_midi and name == "beats":
            return midi.read_beats(self.path)
        step, model = _MAKERS[name]
        if step.slot == "clip" and self.clip:
            model = self.clip
        return self.run(step, model, step.defaults)


def check_records(
    folder: Path, sources: Sequence[Path], stage: str, *, overwrite: bool = False
) -> None:
    """`StopRun` where the files of `write_record` may not be written: see `storage.outputs`."""
    seen: dict[Path, Path] = {}
    for source in sources:
        for path in _places(folder, source, stage):
            if path in seen:
                raise StopRun(
                    f"{seen[path]} and {source} would both be written to {path}; "
                    "give them in two calls with folders of their own"
                )
            seen[path] = source
    check_outputs(seen, inputs=sources, overwrite=overwrite)


def write_record(folder: Path, source: Path, stage: str, record: Record) -> list[Path]:
    """Write a record as ``NAME.STAGE.json``, and its notes as ``NAME.STAGE.mid``."""
    as_json, as_midi = _places(folder, source, stage)
    with replacing_file(as_json) as temporary:
        temporary.write_text(json.dumps(to_json(record)) + "\n")
    if not isinstance(record, Notes):
        return [as_json]
    with replacing_file(as_midi) as temporary:
        midi.write_notes(temporary, {"notes": record})
    return [as_json, as_midi]


def _places(folder: Path, source: Path, stage: str) -> tuple[Path, Path]:
    name = f"{identifier(source.stem)}.{stage}"
    return folder / f"{name}.json", folder / f"{name}.mid"
