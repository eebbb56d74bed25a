"""One stage on one file, as a recipe makes it: what `symmv run` does.

A stage is a result of the recipe, or a name of its own for one (`NAMES`). What it reads is made
on the way, by the steps of the same recipe, with their settings and models: so a stage gives what
a build stores. A MIDI file holds its notes and perhaps its beats; they are read as `symmv import
midi` reads them, and nothing is transcribed.
"""

import json
import math
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from symmv_builder import backends, datasets
from symmv_builder.backends import midi
from symmv_builder.crawl.folder import identifier
from symmv_builder.datasets.bounds import BOUNDS
from symmv_builder.datasets.recipe import Recipe
from symmv_builder.datasets.step_table import step_names
from symmv_builder.errors import (
    CannotWrite,
    MalformedFile,
    NoSuchPath,
    StopRun,
    UnknownName,
    WrongArguments,
    WrongSetting,
)
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.run import LoadModel, Tell, load
from symmv_builder.pipeline.sound_files import write_for_reading
from symmv_builder.pipeline.step import RECORDINGS, Step, Use
from symmv_builder.records import Notes, Record, SoundFile, to_json
from symmv_builder.storage.outputs import check_outputs, replacing_file
from symmv_builder.typed_text import in_words, parse

# Names of stages that are not those of a result: the steps that make it, in any recipe.
NAMES: Mapping[str, tuple[str, ...]] = {
    "transcribe": ("transcribe", "transcribe_polyphonic"),
    "quantise": ("quantise",),
    "melody": ("melody",),
    "probe-music": ("music_asset",),
    "probe-video": ("video_asset",),
}
# Which recipe a stage belongs to, where none is named: the first of these that has it and
# its backend.
_OF_RECORDINGS = (
    *("symmv", "muvisync", "cmt", "symmv-released"),
    *("gvmgen", "gvmgen-paper", "v2meow-paper", "v2m-paper"),
)
# For a recording, chords are heard, and not named on what a transcription heard.
_PREFERRED = {"chords": "muvisync"}
_OF_MIDI = "midi"
# What of a MIDI file is read and not made, whatever the recipe.
_READ_FROM_MIDI = ("music_asset", "notes", "written_beats", "beats")


def run_stage(
    name: str,
    path: Path,
    load_model: LoadModel,
    *,
    recipe: Recipe | None = None,
    backend: str | None = None,
    settings: Mapping[str, str] | None = None,
    tell: Tell = lambda _: None,
) -> Record:
    """Make the record of a stage of a file; tells when it loads a model, and when it begins.

    Without `recipe` the stage is that of the recipe that it belongs to (`home_of`). `backend`
    stands in for the recipe's model. `settings` are texts, turned into the types of the stage's
    parameters, and change them. `StopRun` where the stage, the backend or a setting does not
    exist, `RejectEntry` where the file is no good for it.
    """
    if not path.is_file():
        raise NoSuchPath(path)
    is_midi = midi.is_midi(path)
    recipe = recipe or home_of(name, backend, is_midi=is_midi)
    uses = uses_of(recipe)
    use = stage_of(recipe.name, uses, name)
    if is_midi:
        from_midi = uses_of(datasets.recipe(_OF_MIDI))
        uses |= {
            makes: _as_in(uses.get(makes), use)
            for makes, use in from_midi.items()
            if makes in _READ_FROM_MIDI
        }
        if use.step is not uses[use.makes].step and name in NAMES:
            raise MalformedFile(path, f"{use.step.name} takes a recording, this is a MIDI file")
        use = uses[use.makes]
    if backend is not None:
        uses = with_backend(uses, use, backend, name)
        use = uses[use.makes]
    values = parse_settings(use.step, settings or {}, name)
    uses[use.makes] = replace(use, parameters={**use.parameters, **values})
    if is_midi:
        _refuse_midi(uses, use.makes, path)
    with TemporaryDirectory(prefix="symmv-") as folder:
        maker = _Maker(path, load_model, tell, uses, Path(folder))
        record: Record = maker.make(use.makes)
        return record


def home_of(name: str, backend: str | None, *, is_midi: bool) -> Recipe:
    """Find the recipe of a stage: `midi` for MIDI files, else the first that has it.

    Of several the one whose stage can have the backend. `StopRun` with the known stages where
    none has it.
    """
    preferred = [_OF_MIDI] if is_midi else [_PREFERRED[name]] if name in _PREFERRED else []
    names: dict[str, None] = {}
    models: dict[str, None] = {}
    for each in dict.fromkeys((*preferred, *_OF_RECORDINGS)):
        recipe = datasets.recipe(each)
        uses = uses_of(recipe)
        names |= dict.fromkeys(uses)
        try:
            use = stage_of(each, uses, name)
        except StopRun:
            continue
        if backend is None or backend in backends.names(use.step.slot or ""):
            return recipe
        models |= dict.fromkeys(backends.names(use.step.slot or ""))
    if name in names or name in NAMES:
        raise UnknownName("backend", backend or "", tuple(models), where=name)
    if name.replace("-", "_") in step_names():
        problem = f"{name} is in no recipe of the package: name one that has it as `recipe`"
        raise WrongArguments(problem)
    raise UnknownName("stage", name, (*NAMES, *names))


def uses_of(recipe: Recipe) -> dict[str, Use]:
    """Map every result of a recipe, of a build and of a crawl, to the use that makes it."""
    return {use.makes: use for use in (*recipe.screening, *recipe.uses)}


def stage_of(recipe: str, uses: Mapping[str, Use], name: str) -> Use:
    """Find the use that a stage's name means.

    `StopRun` with the known names where there is none.
    """
    makes = name.replace("-", "_")
    if makes in uses:
        return uses[makes]
    steps = NAMES.get(name, (makes,))
    for use in uses.values():
        if use.step.name in steps:
            return use
    raise UnknownName("stage", name, tuple(uses), where=recipe)


def with_backend(uses: Mapping[str, Use], use: Use, backend: str, stage: str) -> dict[str, Use]:
    """Copy the uses with another model for one; what shares its slot sees with the same model."""
    slot = use.step.slot or ""
    if backend not in backends.names(slot):
        raise UnknownName("backend", backend, backends.names(slot), where=stage)
    return {
        makes: replace(each, model=backend) if each.step.slot == slot else each
        for makes, each in uses.items()
    }


def _as_in(of_recording: Use | None, of_midi: Use) -> Use:
    """Give the use for a MIDI file the recipe's own model and settings, where both have them."""
    if of_recording is None or of_recording.step.slot != of_midi.step.slot:
        return of_midi
    own = of_recording.parameters.items()
    shared = {name: value for name, value in own if name in of_midi.step.defaults}
    return replace(
        of_midi,
        model=of_recording.model or of_midi.model,
        parameters={**of_midi.parameters, **shared},
    )


def _refuse_midi(uses: Mapping[str, Use], makes: str, path: Path) -> None:
    """Raise `StopRun` where something on the way reads a recording that a MIDI file is none of."""
    use = uses[makes]
    for name in use.inputs:
        if name in RECORDINGS and makes not in _READ_FROM_MIDI:
            raise MalformedFile(path, f"{use.step.name} takes a recording, this is a MIDI file")
        if name in uses:
            _refuse_midi(uses, name, path)


def parse_settings(step: Step, texts: Mapping[str, str], stage: str) -> dict[str, Any]:
    """Read the values that texts give to parameters, by the annotations of the step's function.

    Errors call the step as the `stage` was.
    """
    hints = typing.get_type_hints(step.run)
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if name not in step.defaults:
            raise UnknownName("parameter", name, tuple(step.defaults), where=stage)
        values[name] = _parse(stage, name, hints[name], text)
    return values


def _parse(step: str, name: str, hint: Any, text: str) -> Any:
    try:
        value = parse(hint, text)
    except ValueError:
        raise WrongSetting(name, text, f"it can be {in_words(hint)}", step) from None
    least, most = BOUNDS.get(name, (-math.inf, math.inf))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and not (least <= value <= most and math.isfinite(value)):
        raise WrongSetting(name, value, f"it can be {least:g} to {most:g}", step)
    return value


@dataclass(slots=True)
class _Maker:
    """Makes results of one file when they are asked for, each once; the file is every recording."""

    path: Path
    load_model: LoadModel
    tell: Tell
    uses: Mapping[str, Use]
    folder: Path
    records: dict[str, Any] = field(default_factory=dict)

    def make(self, name: str) -> Any:
        if name in RECORDINGS:
            return self.path
        if name not in self.records:
            self.records[name] = self._run(self.uses[name])
        return self.records[name]

    def _read(self, name: str) -> Any:
        """Give what a step reads: a recording that another step made as the path of a file."""
        record = self.make(name)
        if isinstance(record, SoundFile):
            return write_for_reading(record, name, self.folder)
        return record

    def _run(self, use: Use) -> Any:
        step = use.step
        names = (use.watched,) if step.together else use.inputs
        inputs = [self._read(name) for name in names]
        arguments = dict(use.parameters)
        if step.slot:
            arguments["model"] = None
        if step.slot and use.model and step.takes_model(inputs):
            self.tell(Event("load", "", step.name, detail=f"the {step.slot} model {use.model}"))
            arguments["model"] = load(self.load_model, step.slot, use.model)
            self.tell(Event("begin", "", step.name))
        if step.together is None:
            return step.run(*inputs, **arguments)
        besides = [self._read(name) for name in use.besides]
        [record] = step.together(inputs[0], [step.run(**arguments)])
        return record(*besides) if callable(record) else record


def check_records(
    folder: Path, sources: Sequence[Path], stage: str, *, overwrite: bool = False
) -> None:
    """Raise `StopRun` where the files of `write_record` may not be written (`storage.outputs`)."""
    owners: dict[Path, Path] = {}
    for source in sources:
        for path in _places(folder, source, stage):
            if path in owners:
                cause = (
                    f"{owners[path]} and {source} would both be written there; give them in two "
                    "calls with folders of their own"
                )
                raise CannotWrite(path, cause)
            owners[path] = source
    check_outputs(owners, inputs=sources, overwrite=overwrite)


def write_record(folder: Path, source: Path, stage: str, record: Record) -> list[Path]:
    """Write a record as ``NAME.STAGE.json``, its notes as ``.mid`` and a recording as ``.flac``."""
    as_json, as_midi, as_sound = _places(folder, source, stage)
    with replacing_file(as_json) as temporary:
        temporary.write_text(json.dumps(to_json(record)) + "\n")
    if isinstance(record, SoundFile):
        with replacing_file(as_sound) as temporary:
            temporary.write_bytes(record.data.tobytes())
        return [as_json, as_sound]
    if not isinstance(record, Notes):
        return [as_json]
    with replacing_file(as_midi) as temporary:
        midi.write_notes(temporary, {"notes": record})
    return [as_json, as_midi]


def _places(folder: Path, source: Path, stage: str) -> tuple[Path, Path, Path]:
    name = f"{identifier(source.stem)}.{stage}"
    return folder / f"{name}.json", folder / f"{name}.mid", folder / f"{name}.flac"
