"""What a row of each dataset holds: column by column, with type, unit and meaning.

This file is the source of `schemas/v*/*.json` and of the Arrow schema of the shards;
`python -m symmv_builder.schema schemas` writes the former, `--check` compares. A column
says where it is taken from (`artifact.field`), so a row is assembled without any code
that knows a dataset.

A schema has versions; a build writes the newest. A later version adds columns and changes none,
so whoever reads the newest by name reads the earlier ones too: what they lack is absent, as it is
in shards of the newest that were made without it.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from symmv_builder.errors import StopRun

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `type` is a scalar name, ``list<scalar>`` or ``list<scalar[d]>``."""

    name: str
    type: str
    unit: str
    meaning: str
    take: str

    @property
    def arrow(self) -> "pa.DataType":
        return arrow_type(self.type)


def arrow_type(name: str) -> "pa.DataType":
    """The Arrow type of a column type's name."""
    # Imported here: a recipe names its columns, and only who reads or writes rows needs Arrow.
    import pyarrow as pa

    if not name.startswith("list<"):
        return pa.type_for_alias(name)
    inner = name[len("list<") : -1]
    if inner.endswith("]"):
        scalar, _, length = inner[:-1].partition("[")
        return pa.list_(pa.list_(pa.type_for_alias(scalar), int(length)))
    return pa.list_(pa.type_for_alias(inner))


def _entry() -> tuple[Column, ...]:
    def column(name: str, type_: str, unit: str, meaning: str, take: str | None = None) -> Column:
        return Column(name, type_, unit, meaning, take or f"entry.{name}")

    return (
        column("entry_id", "string", "", "identifier of the pair, unique in the dataset"),
        column("song_id", "string", "", "identifier of the song; it decides the split"),
        column("split", "string", "", "train, validation or test"),
        Column("title", "string", "", "title of the song, empty if unknown", "song.title"),
        Column("artist", "string", "", "who performs the song, empty if unknown", "song.artist"),
        Column("genre", "string", "", "genre by Shazam, empty if unknown", "song.genre"),
        Column("shazam_id", "string", "", "the song's number at Shazam", "song.shazam_id"),
        column("music_url", "string", "", "where the music recording comes from"),
        column("video_url", "string", "", "where the video comes from"),
        Column("music_sha256", "string", "", "content of the music file", "music_asset.sha256"),
        Column("video_sha256", "string", "", "content of the video file", "video_asset.sha256"),
        Column("music_duration_s", "float64", "s", "length of the music", "music_asset.duration_s"),
        Column("video_duration_s", "float64", "s", "length of the video", "video_asset.duration_s"),
        Column("video_width", "int32", "px", "width as displayed", "video_asset.width"),
        Column("video_height", "int32", "px", "height as displayed", "video_asset.height"),
        Column(
            "video_frame_rate_hz", "float64", "Hz", "mean frame rate", "video_asset.frame_rate_hz"
        ),
    )


def _notes(prefix: str, what: str, take: str) -> tuple[Column, ...]:
    return (
        Column(f"{prefix}_starts_s", "list<float64>", "s, music", f"onsets of {what}, sorted",
               f"{take}.starts_s"),
        Column(f"{prefix}_ends_s", "list<float64>", "s, music", f"ends of {what}",
               f"{take}.ends_s"),
        Column(f"{prefix}_pitches", "list<uint8>", "MIDI number", f"pitches of {what}",
               f"{take}.pitches"),
        Column(f"{prefix}_velocities", "list<uint8>", "1-127", f"velocities of {what}",
               f"{take}.velocities"),
    )  # fmt: skip


def _chords(meaning: str, take: str, prefix: str = "chords") -> tuple[Column, ...]:
    return (
        Column(f"{prefix}_starts_s", "list<float64>", "s, music", f"starts of {meaning}",
               f"{take}.starts_s"),
        Column(f"{prefix}_ends_s", "list<float64>", "s, music", f"ends of {meaning}",
               f"{take}.ends_s"),
        Column(f"{prefix}_labels", "list<string>", "", f"labels of {meaning}", f"{take}.labels"),
    )  # fmt: skip


_KEY = (
    Column("key_tonic", "string", "", "tonic, flats written as '-' (music21)", "key.tonic"),
    Column("key_mode", "string", "", "major or minor", "key.mode"),
    Column("key_correlation", "float64", "r", "fit of the key's profile", "key.correlation"),
)

_SCENES = (
    Column("scenes_starts_s", "list<float64>", "s, video", "first frame of each shot",
           "scenes.starts_s"),
    Column("scenes_ends_s", "list<float64>", "s, video", "end of each shot", "scenes.ends_s"),
    Column("scenes_start_frames", "list<int32>", "frame", "number of each shot's first frame",
           "scenes.start_frames"),
)  # fmt: skip

_PARTS = (
    *_notes("parts", "the quantised notes", "parts"),
    Column("parts_onset_steps", "list<int32>", "16th", "onsets counted from the first downbeat",
           "parts.onset_steps"),
    Column("parts_duration_steps", "list<int32>", "16th", "durations", "parts.duration_steps"),
    Column("parts_is_melody", "list<bool>", "", "melody (true) or accompaniment",
           "parts.is_melody"),
)  # fmt: skip

_BEATS = (
    Column("beats_times_s", "list<float64>", "s, music", "tracked beats", "beats.times_s"),
    Column("beats_positions", "list<uint8>", "", "place in the bar, 1 is the downbeat",
           "beats.positions"),
    Column("tempo_bpm", "float64", "1/min", "sixty over the median gap of the beats",
           "beats.tempo_bpm"),
)  # fmt: skip

_PEDAL = (
    Column("pedal_starts_s", "list<float64>", "s, music", "sustain pedal down",
           "notes.pedal_starts_s"),
    Column("pedal_ends_s", "list<float64>", "s, music", "sustain pedal up", "notes.pedal_ends_s"),
)  # fmt: skip

_ALIGNMENT = (
    Column("alignment_music_s", "list<float64>", "s, music",
           "moments of the music that the video's own sound plays too, about one a second",
           "alignment.music_s"),
    Column("alignment_video_s", "list<float64>", "s, video",
           "the same moments on the video's clock", "alignment.video_s"),
    Column("alignment_confidence", "float64", "0-1", "chance that both are the same song",
           "alignment.confidence"),
)  # fmt: skip

SYMMV_V1 = (
    *_entry(),
    *_notes("notes", "the transcribed notes", "notes"),
    *_PEDAL,
    *_BEATS,
    *_PARTS,
    *_chords("the chords, 12 roots x 10 qualities", "chords"),
    *_KEY,
    Column("semantic", "list<float16[512]>", "", "CLIP ViT-B/32 image embedding at 6 Hz",
           "semantic.values"),
    Column("motion", "list<float32>", "0-255", "mean absolute RGB difference over 0.2 s, at 5 Hz",
           "motion.values"),
    # Most bins of a histogram lie below what a half float can hold: a third would become 0.
    Column("colour", "list<float32[12288]>", "share",
           "RGB-uv log-chroma histogram, 3 x 64 x 64, at 1 Hz", "colour.values"),
    *_SCENES,
)  # fmt: skip

MUVISYNC = (
    *_entry(),
    *_notes("notes", "the transcribed notes", "notes"),
    *_chords("the chord of each second, 157 labels", "chords"),
    *_chords(
        "the same in C major or A minor", "normalised_chords", prefix="normalised_chords"
    )[2:],
    *_KEY,
    Column("density", "list<float32>", "notes", "notes sounding in each second", "density.values"),
    Column("loudness", "list<float32>", "0-1", "RMS of each second over full scale",
           "loudness.values"),
    Column("semantic", "list<float16[768]>", "", "CLIP ViT-L/14@336px image embedding at 1 Hz",
           "semantic.values"),
    Column("emotion", "list<float32[6]>", "probability",
           "exciting fearful tense sad relaxing neutral, causal mean over 5 s, at 1 Hz",
           "emotion.values"),
    Column("motion", "list<float32>", "0-255", "mean absolute RGB difference of adjacent frames",
           "motion.values"),
    Column("scene_offset", "list<float32>", "s", "seconds since the last cut, at 1 Hz",
           "scene_offset.values"),
    *_SCENES,
)  # fmt: skip

# The newest version of each schema, which a build writes, and those before it, the first one first.
SCHEMAS: Mapping[str, tuple[Column, ...]] = {
    "symmv": (*SYMMV_V1, *_ALIGNMENT),
    "muvisync": MUVISYNC,
}
EARLIER: Mapping[str, tuple[tuple[Column, ...], ...]] = {"symmv": (SYMMV_V1,)}


# Artifacts that a build makes only where it is asked to: their columns are not missed.
ON_REQUEST = frozenset({"alignment"})


def versions(name: str) -> tuple[tuple[Column, ...], ...]:
    """The columns of every version of a schema, from version 1 on."""
    return (*EARLIER.get(name, ()), SCHEMAS[name])


def arrow_schema(name: str, columns: Sequence[str] | None = None) -> "pa.Schema":
    """The Arrow schema of a dataset's shards; unit and meaning travel as field metadata.

    `columns` names those that the shards hold, where they do not hold all of them.
    """
    import pyarrow as pa

    fields = [
        pa.field(
            column.name,
            column.arrow,
            nullable=False,
            metadata={"unit": column.unit, "meaning": column.meaning},
        )
        for column in SCHEMAS[name]
        if columns is None or column.name in columns
    ]
    return pa.schema(fields, metadata={"schema": f"{name}/v{len(versions(name))}"})


def columns_of(schema: str) -> tuple[Column, ...]:
    """The columns of a schema as a receipt names it, ``NAME/vNUMBER``; `KeyError` for no schema."""
    name, _, version = schema.partition("/v")
    known = versions(name)
    number = int(version) if version.isdecimal() else len(known)
    if not 1 <= number <= len(known):
        raise KeyError(schema)
    return known[number - 1]


def describe(name: str, version: int | None = None) -> dict[str, Any]:
    """A schema as plain values: what `symmv schema` prints and `schemas/` holds.

    That of the newest version, if none is named.
    """
    number = version or len(versions(name))
    return {
        "name": name,
        "version": number,
        "columns": [
            {"name": c.name, "type": c.type, "unit": c.unit, "meaning": c.meaning}
            for c in versions(name)[number - 1]
        ],
    }


def render() -> dict[str, str]:
    """Every published schema file: its path below `schemas/` and its text."""
    return {
        f"v{number}/{name}.json": json.dumps(describe(name, number), indent=2) + "\n"
        for name in SCHEMAS
        for number in range(1, len(versions(name)) + 1)
    }


def main(arguments: list[str]) -> int:
    """Write the schema files into a folder, or with ``--check`` say which are out of date."""
    check = "--check" in arguments
    [folder] = [argument for argument in arguments if not argument.startswith("--")] or ["schemas"]
    stale = []
    for name, text in render().items():
        path = Path(folder) / name
        if path.is_file() and path.read_text() == text:
            continue
        stale.append(str(path))
        if not check:
            _write(path, text)
    if check and stale:
        sys.stderr.write(f"out of date: {', '.join(stale)}; run python -m symmv_builder.schema\n")
        return 1
    return 0


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    except OSError as error:
        raise StopRun(f"cannot write {path}: {error.strerror}") from error


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
