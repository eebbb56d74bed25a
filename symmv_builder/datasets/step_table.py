"""Every step that a recipe can name, and where it stands.

A step that is called as its module below `video` or `music` (there it is ``STEP``) needs no line
here, so a new feature is one file; nor does one whose name begins with that of its importer's
module, so a new importer is one, too. The others stand in a table; other packages add theirs by
entry points (`plugins`). A step is imported when a recipe that uses it is read, so that a question
about one dataset does not import the stages of all.
"""

import importlib
import importlib.util
import pkgutil
import typing
from collections.abc import Iterator, Mapping
from types import UnionType
from typing import Any, Literal

from symmv_builder import datasets, plugins
from symmv_builder.errors import UnknownName
from symmv_builder.pipeline.step import Step, Use
from symmv_builder.schema import Column

# What the table of a step in a recipe may say beside the settings of the step.
KEYS = ("step", "model", "inputs", "columns", "when", "after")

# Name of the step: module below `symmv_builder`, attribute.
_OWN: Mapping[str, str] = {
    "music_asset": "crawl.probe:MUSIC",
    "video_asset": "crawl.probe:VIDEO",
    "identify": "crawl.identify:STEP",
    "align": "music.align:STEP",
    "beats": "music.rhythm:STEP",
    "density": "music.dynamics:DENSITY",
    "key_spans": "music.key:SPANS",
    "loudness": "music.dynamics:LOUDNESS",
    "normalise_chords": "music.chords:NORMALISE",
    "quantise": "music.rhythm:QUANTISE",
    "symbolic_chords": "music.chords:SYMBOLIC",
    "texture": "music.melody:TEXTURE",
    "transcribe": "music.transcribe:STEP",
    "transcribe_polyphonic": "music.transcribe:POLYPHONIC",
    "voice_chords": "music.chords:VOICE",
    "frames": "video.jpeg_frames:STEP",
    "patch_tokens": "video.semantic:PATCHES",
    "scene_offset": "video.scenes:OFFSET",
    "text_area": "video.text:STEP",
    "midi_beats": "datasets.imports.symbolic:WRITTEN_BEATS",
    "midi_notes": "datasets.imports.symbolic:NOTES",
    "published_labels": "datasets.imports.labelled:STEP",
    "rendered_beats": "datasets.imports.symbolic:BEATS",
    "written_or_rendered_beats": "datasets.imports.symbolic:WRITTEN_OR_HEARD",
    "symmv_export_beats": "datasets.imports.importers.symmv_release:BEATS",
    "symmv_export_notes": "datasets.imports.importers.symmv_release:NOTES",
    "screen_alignment": "screen:ALIGNMENT",
    "screen_cuts": "screen:CUTS",
    "screen_duration_ratio": "screen:DURATION_RATIO",
    "screen_length": "screen:LENGTH",
    "screen_longest": "screen:LONGEST",
    "screen_loudness": "screen:LOUDNESS",
    "screen_motion": "screen:MOTION",
    "screen_notes": "screen:NOTES",
    "screen_piano": "screen:PIANO",
    "screen_similarity": "screen:SIMILARITY",
    "screen_sound": "screen:SOUND",
    "screen_stillness": "screen:STILLNESS",
    "screen_text": "screen:TEXT",
    "screen_transcription": "screen:TRANSCRIPTION",
}


# Name of the step to ``module:ATTRIBUTE``.
STEPS: dict[str, str] = {name: f"symmv_builder.{place}" for name, place in _OWN.items()}
_FEATURES = ("symmv_builder.video", "symmv_builder.music")
_IMPORTERS = "symmv_builder.datasets.imports.importers"


def find_step(name: str) -> Step:
    """Find the step of a name; `StopRun` with the known names where there is none."""
    target = STEPS.get(name) or _feature(name) or _of_importer(name)
    if target:
        module, _, attribute = target.partition(":")
        step: Step = getattr(importlib.import_module(module), attribute)
        return step
    if plugin := plugins.find("steps", name):
        added: Step = plugins.load(plugin, Step)
        if added.name != name:
            raise plugin.broken(f"it is called {added.name} there")
        with plugins.blaming(plugin):
            _check_settings(added)
        return added
    # Recipes name steps of packages that may not be here any more.
    raise UnknownName("step of an installed package", name, tuple(step_names()))


def columns_of(use: Use, uses: Mapping[str, Use]) -> tuple[Column, ...]:
    """List the columns of a use.

    `StopRun` with its package where a plug-in's step cannot say them.
    """
    name = use.step.name
    is_own = name in STEPS or bool(_feature(name) or _of_importer(name))
    with plugins.blaming(None if is_own else plugins.find("steps", name)):
        return use.columns(uses)


def _check_settings(step: Step) -> None:
    """Raise `TypeError` for a setting that no recipe could hold, an error for an unknown name."""
    hints = typing.get_type_hints(step.run)
    for name in step.defaults:
        if name in KEYS:
            raise TypeError(f"its setting {name} has the name of a key of every step's table")
        if not _is_plain(hints.get(name)):
            raise TypeError(
                f"its setting {name} is not annotated as bool, int, float, str, a Literal or one "
                "of these or None"
            )


def _is_plain(hint: Any) -> bool:
    if typing.get_origin(hint) in (UnionType, typing.Union):
        choices = [choice for choice in typing.get_args(hint) if choice is not type(None)]
        return len(choices) == 1 and _is_plain(choices[0])
    return typing.get_origin(hint) is Literal or hint in (bool, int, float, str)


def step_names() -> tuple[str, ...]:
    """List the names of all steps, those of other packages last."""
    features = (
        module.name
        for package in _FEATURES
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__)
        if _feature(module.name)
    )
    imported = (name for module in _importers() for name in _steps_of(module))
    return tuple(dict.fromkeys((*STEPS, *features, *imported, *plugins.plugins("steps"))))


def _feature(name: str) -> str:
    """Name the place of a step that is called as its module, ``module:STEP``.

    Empty where none is.
    """
    for package in _FEATURES:
        place = f"{package}.{name}"
        if name.isidentifier() and importlib.util.find_spec(place):
            step = getattr(importlib.import_module(place), "STEP", None)
            if isinstance(step, Step) and step.name == name:
                return f"{place}:STEP"
    return ""


def _importers() -> Iterator[str]:
    return (name.replace("-", "_") for name in datasets.IMPORTED)


def _of_importer(name: str) -> str:
    """Name the place of an importer's own step, ``module:ATTRIBUTE``; empty where none is."""
    for module in _importers():
        if name.startswith(f"{module}_") and (place := _steps_of(module).get(name)):
            return place
    return ""


def _steps_of(module: str) -> dict[str, str]:
    """List the steps that an importer's module calls by its own name, with their places."""
    place = f"{_IMPORTERS}.{module}"
    return {
        value.name: f"{place}:{attribute}"
        for attribute, value in vars(importlib.import_module(place)).items()
        if isinstance(value, Step) and value.name.startswith(f"{module}_")
    }
