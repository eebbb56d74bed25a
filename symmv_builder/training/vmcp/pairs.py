"""The videos of a split and the music to hold against them, as both scores ask for them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from symmv_builder.errors import CannotMeasure, NoRows, NoSuchPath, RejectEntry
from symmv_builder.schema import row_name
from symmv_builder.storage.root import Root
from symmv_builder.training.data import Rows
from symmv_builder.training.usable import LeftOut, UnusableRow
from symmv_builder.training.vmcp.features import columns
from symmv_builder.training.vmcp.hearing import (
    MIDI_SUFFIXES,
    SOUND_SUFFIXES,
    VIDEO_SUFFIXES,
    Floats32,
    MusicFeatures,
    Sounding,
)
from symmv_builder.training.vmcp.loading import LoadedVmcp, features_for


@dataclass(frozen=True, slots=True)
class Pairs:
    """The videos of a split and the music to hold against them.

    The music is that of the `rows`, or, with `files` by entry, what was made for their videos.
    """

    loaded: LoadedVmcp
    rows: Rows
    features: MusicFeatures
    files: Mapping[str, Path] | None

    @property
    def windows(self) -> int:
        return self.loaded.config.windows

    @property
    def segment_s(self) -> float:
        """How long a segment of video and music is."""
        return self.features.window_s * self.windows

    @property
    def heard_by(self) -> dict[str, Any]:
        """What heard the music, and as what, for a score to say."""
        kinds = {self.features.sound}
        if self.files is not None:
            suffixes = {path.suffix.lower() for path in self.files.values()}
            kinds = {"rendered" if suffix in MIDI_SUFFIXES else "recording" for suffix in suffixes}
        sound = " and ".join(sorted(kinds))
        return {"embedding": asdict(self.features.identity), "sound": sound}

    def music_of(self, row: Mapping[str, Any]) -> Floats32:
        """Compute features of a row's music; `UnusableRow` where there is no file of it."""
        if self.files is None:
            return self.features.of_row(row, self.windows)
        path = self.files.get(row_name(row))
        if path is None:
            raise UnusableRow("no file of music is called so")
        return _hear_file(self.features, path, self.windows)


def open_pairs(
    loaded: LoadedVmcp,
    root: Root,
    dataset: str,
    split: str,
    music: Path | None,
    sound: Sounding | None,
    optional: Sequence[str] = (),
) -> Pairs:
    """Open the pairs of a split, their music heard as in training or as `sound` says.

    With `music` it is that of the files of a folder, named by entry; then rows need nothing but
    their pictures, and may have the columns `optional`.
    """
    sound = sound or loaded.config.sound
    needed = (("entry_id", "semantic"), optional) if music else columns(sound)
    rows = Rows(root, dataset, split, *needed)
    features = features_for(loaded, root, rows, sound)
    return Pairs(
        loaded, rows, features, _find_music(music, rows.entries(), sound) if music else None
    )


def _find_music(folder: Path, entries: Sequence[str], sound: Sounding) -> dict[str, Path]:
    """Find files of music by entry: MIDI, sound or video; `StopRun` where there is none for any.

    A file is called as its entry up to the first dot, as `symmv generate` names it. Of an entry's
    files of several kinds the MIDI file counts where music is heard as notes are played, else the
    sound, else the video.
    """
    if not folder.is_dir():
        raise NoSuchPath(folder, "folder")
    recordings = (SOUND_SUFFIXES, VIDEO_SUFFIXES)
    kinds = (MIDI_SUFFIXES, *recordings) if sound == "rendered" else (*recordings, MIDI_SUFFIXES)
    entry_ids = set(entries)
    by_entry: dict[str, dict[int, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(folder.iterdir()):
        name, suffix = path.name.partition(".")[0], path.suffix.lower()
        kind = next((number for number, entry_ids in enumerate(kinds) if suffix in entry_ids), None)
        if name in entry_ids and kind is not None and path.is_file():
            by_entry[name][kind].append(path)
    if not by_entry:
        example = entries[0] if entries else "none"
        raise CannotMeasure(
            f"{folder} holds no MIDI file named by an entry of the split, as {example}.mid, "
            "and no recording"
        )
    first_of = {}
    for name, files in by_entry.items():
        first, *others = files[min(files)]
        if others:
            what = {MIDI_SUFFIXES: "MIDI", SOUND_SUFFIXES: "sound", VIDEO_SUFFIXES: "video"}
            many = f"several {what[kinds[min(files)]]} files for {name}"
            raise CannotMeasure(f"{folder} holds {many}; keep one")
        first_of[name] = first
    return first_of


def no_pairs(dataset: str, split: str, left_out: LeftOut) -> NoRows:
    """Make the error for a split of which no row has both a video and music."""
    text = f"{dataset} has no pair of pictures and music in the split {split}"
    return NoRows(dataset, split, "; ".join(filter(None, (text, left_out.summary(dataset)))))


def _hear_file(music: MusicFeatures, path: Path, windows: int) -> Floats32:
    """Compute features of a file of music; `UnusableRow` where it cannot be heard."""
    try:
        return music.of_file(path, windows)
    except RejectEntry as error:
        raise UnusableRow(f"{path.name} cannot be used: {error.detail}") from error
