"""A trained video-music model out of a run's folder, and music to ask it about."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from symmv_builder.backends import ModelHome
from symmv_builder.backends.midi import read_notes
from symmv_builder.errors import RejectEntry, StopRun
from symmv_builder.records import Notes
from symmv_builder.storage.root import Root
from symmv_builder.training import checkpoint
from symmv_builder.training.configs import from_plain
from symmv_builder.training.data import Rows
from symmv_builder.training.ranks import Ranks, device_of
from symmv_builder.training.vmcp.alignment import AlignmentModel, alignment_sums
from symmv_builder.training.vmcp.config import Config
from symmv_builder.training.vmcp.features import MusicFeatures
from symmv_builder.training.vmcp.model import VideoMusicClip, clip_sums

Sums: TypeAlias = Callable[[tuple[Tensor, ...], Tensor, Ranks], tuple[Tensor, Tensor]]

MIDI_SUFFIXES = (".mid", ".midi")


@dataclass(frozen=True, slots=True)
class Objective:
    """A model, what a batch adds to its loss, and the kind of its checkpoints."""

    kind: str
    model: Callable[[int, int, Config], nn.Module]
    sums: Sums


OBJECTIVES: Mapping[str, Objective] = {
    "vmcp": Objective("vmcp", VideoMusicClip, clip_sums),
    "gvmgen": Objective("vmcp.gvmgen", AlignmentModel, alignment_sums),
}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in evaluation mode on its device, with what its checkpoint says of it."""

    model: nn.Module
    config: Config
    about: Mapping[str, Any]
    folder: Path
    device: torch.device


def load(run: Path, objective: str, device: str = "cpu") -> Loaded:
    """The best model of a run of this objective, or that of a checkpoint's folder.

    `StopRun` where the folder holds none, or one of another kind.
    """
    place = device_of(device)
    chosen = OBJECTIVES[objective]
    held = checkpoint.read(run, chosen.kind)
    config = from_plain(Config, held.config)
    with checkpoint.understood(held):
        widths = int(held.about["video_width"]), int(held.about["music_width"])
    model = chosen.model(*widths, config)
    checkpoint.load_module(held, model)
    return Loaded(model.to(place).eval(), config, held.about, held.folder, place)


def about_rows(rows: Rows, music: MusicFeatures) -> dict[str, Any]:
    """What a checkpoint says of the features that it learned from."""
    return {
        "video_width": video_width(rows),
        "video_model": video_model(rows),
        "music_width": music.width,
        "music_model": asdict(music.identity),
        "dataset": rows.dataset,
        "songs": len(rows),
    }


def video_width(rows: Rows) -> int:
    if not len(rows):
        raise StopRun(f"{rows.dataset} has no row of the split {rows.split}")
    return int(rows.row(0)["semantic"].shape[1])


def video_model(rows: Rows) -> dict[str, Any] | None:
    """The model behind `semantic` as the receipt names it; `None` where it does not."""
    models = [model for model in rows.receipt.get("models", ()) if model.get("slot") == "clip"]
    return dict(models[0]) if models else None


def features_for(loaded: Loaded, root: Root, rows: Rows) -> MusicFeatures:
    """Music features as the model learned from; `StopRun` where these or the rows' are others."""
    home = ModelHome(device=str(loaded.device))
    music = MusicFeatures(root, rows.dataset, loaded.config.embedding, home)
    ours = about_rows(rows, music)
    for name in ("video_width", "video_model", "music_width", "music_model"):
        learned = loaded.about.get(name)
        if learned is not None and ours[name] is not None and learned != ours[name]:
            raise StopRun(
                f"{loaded.folder} learned from {name} {_short(learned)}, {rows.dataset} is seen "
                f"with {_short(ours[name])}; build or train with the same one"
            )
    return music


def _short(about: Any) -> str:
    if not isinstance(about, Mapping):
        return str(about)
    return f"{about.get('backend')} {str(about.get('weights_sha256'))[:12]}"


def read_music(folder: Path, entries: list[str]) -> dict[str, Notes]:
    """Notes of MIDI files named by their entries; `StopRun` where there is none of them.

    A file is called as its entry up to the first dot, as `symmv generate` names it.
    """
    if not folder.is_dir():
        raise StopRun(f"{folder} is not a folder of generated MIDI files")
    known, found = set(entries), {}
    for path in sorted(folder.iterdir()):
        name = path.name.partition(".")[0]
        if path.suffix.lower() not in MIDI_SUFFIXES or name not in known:
            continue
        if name in found:
            raise StopRun(f"{folder} holds several MIDI files for {name}; keep one")
        try:
            found[name] = read_notes(path)
        except RejectEntry as error:
            raise StopRun(f"{path} cannot be used: {error.detail}") from error
    if not found:
        example = entries[0] if entries else "none"
        raise StopRun(
            f"{folder} holds no MIDI file named by an entry of the split, as {example}.mid"
        )
    return found
