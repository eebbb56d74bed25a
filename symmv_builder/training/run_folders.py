"""Where the checkpoints of a run lie, and what they say of themselves; costs no torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symmv_builder.training.journal import METRICS
from symmv_builder.training.run_lock import LOCK

DESCRIPTION = "checkpoint.json"


def aside(place: Path) -> Path:
    """Name where a folder waits while another one takes its place."""
    return place.with_name(f".{place.name}.old")


def standing_at(place: Path) -> Path:
    """Find a place, or what stood there when a kill came between two renames."""
    return aside(place) if aside(place).is_dir() and not place.exists() else place


def finished(run: Path) -> list[Path]:
    """List the folders of a run's checkpoints, oldest first."""
    folder = run / "checkpoints"
    if not folder.is_dir():
        return []
    names = {path.name.removeprefix(".").removesuffix(".old") for path in folder.iterdir()}
    steps = sorted((name for name in names if name.isdecimal()), key=int)
    return [standing_at(folder / name) for name in steps]


def is_begun(run: Path) -> bool:
    """Check whether a training has begun in a folder, with a checkpoint or without one yet."""
    return (run / LOCK).exists() or (run / METRICS).exists()


def latest(run: Path) -> Path | None:
    """Find the folder of a run's newest checkpoint, `None` where it has none."""
    places = finished(run)
    return places[-1] if places else None


def kinds(run: Path) -> set[str]:
    """List the kinds of the checkpoints in a run's folder and those of its stages."""
    return {kind_at(place) for one in run_and_stages(run) for place in checkpoints_in(one)} - {""}


def trainer_of(kind: str) -> str:
    """Name the trainer that reads checkpoints of a kind: what is before its first dot."""
    return kind.partition(".")[0]


def stages(run: Path) -> dict[str, str]:
    """List the stages of a run that have checkpoints, with the kind of these.

    Each has a folder of its name. A stage's kind is ``TRAINER.STAGE``; it is empty where no
    checkpoint can be read.
    """
    result = {}
    for folder in run_and_stages(run):
        known_kinds = {kind_at(place) for place in checkpoints_in(folder)} - {""}
        kind = next(iter(known_kinds), "")
        if folder != run and (not known_kinds or kind.endswith(f".{folder.name}")):
            result[folder.name] = kind
    return result


def described_in(folder: Path) -> list[Path]:
    """List a folder that is a checkpoint, else the checkpoints of a run without its stages."""
    return [folder] if (folder / DESCRIPTION).is_file() else checkpoints_in(folder)


def trainers_in(folder: Path) -> set[str]:
    """Name the trainers whose checkpoints a folder holds, as far as these can be read."""
    kinds = {*map(kind_at, described_in(folder)), *stages(folder).values()}
    return {trainer_of(kind) for kind in kinds if kind}


def configuration(folder: Path) -> Mapping[str, Any]:
    """Read the fields that a run was trained with, of any checkpoint.

    Empty where none says them.
    """
    places = described_in(folder)
    places += [place for stage in stages(folder) for place in checkpoints_in(folder / stage)]
    for place in places:
        config = description_at(place).get("config")
        if isinstance(config, dict):
            return config
    return {}


def kind_at(place: Path) -> str:
    """Read the kind of a checkpoint, empty where it does not say it."""
    return str(description_at(place).get("kind", ""))


def description_at(place: Path) -> dict[str, Any]:
    """Read what a checkpoint says of itself, unchecked; empty where it cannot be read."""
    try:
        return dict(json.loads((place / DESCRIPTION).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}


def run_and_stages(run: Path) -> list[Path]:
    """List the folder of a run and those of its stages, as far as they hold checkpoints."""
    inside = sorted(path for path in run.iterdir() if path.is_dir()) if run.is_dir() else []
    return [folder for folder in (run, *inside) if checkpoints_in(folder)]


def checkpoints_in(run: Path) -> list[Path]:
    """List the folders of all checkpoints that count in a run."""
    best = standing_at(run / "best")
    return [*([best] if best.is_dir() else []), *finished(run)]
