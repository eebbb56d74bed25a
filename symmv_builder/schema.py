"""What a row holds: columns with type, unit and meaning, and their form in Arrow.

Every dataset has the columns of an entry (`ENTRY`), and those of a clip (`CLIP`) where its rows are
clips; all others belong to the steps of its recipe (`pipeline.step.Step.columns`). A column says
where it is taken from (``artifact.field``), so a row is assembled without any code that knows a
dataset.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pyarrow as pa

# The scalars of a column, by their names in Arrow; `binary` are bytes, such as those of a file.
SCALARS = (
    *("string", "binary", "bool", "int8", "int16", "int32", "int64"),
    *("uint8", "uint16", "uint32", "uint64", "float16", "float32", "float64"),
)
_SCALAR = "|".join(SCALARS)
_LENGTH = r"\[[1-9][0-9]{0,6}\]"
_TYPE = re.compile(
    rf"({_SCALAR})|list<({_SCALAR})({_LENGTH})?>|list<bytes<u?(int|float)\d+{_LENGTH}>>"
)
_NAME = re.compile(r"[a-z{][a-z0-9_{}]*")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: `type` is the name of a scalar, or ``list<...>`` of scalars or of vectors.

    A vector of d numbers is ``scalar[d]``, or ``bytes<scalar[d]>`` where it is kept as their bytes
    (little-endian): long vectors are read twice as quickly that way, and hold nothing that SQL
    would ask for.

    A step declares its columns before a recipe has said what its result is called: ``{}`` in
    `name` stands for that, and `take` is the field of the step's record. `ValueError` where a part
    is no text, or name or type is malformed.
    """

    name: str
    type: str
    unit: str
    meaning: str
    take: str

    def __post_init__(self) -> None:
        parts = (self.name, self.type, self.unit, self.meaning, self.take)
        if not all(isinstance(part, str) for part in parts):
            raise ValueError(f"the parts of the column {self.name} are not all texts")
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no name of a column: a-z, 0-9 and _")
        if not _TYPE.fullmatch(self.type):
            raise ValueError(
                f"the column {self.name} has the type {self.type!r}, which is no scalar "
                f"({', '.join(SCALARS)}), list<scalar>, list<scalar[d]> or list<bytes<scalar[d]>>"
            )

    @property
    def arrow(self) -> "pa.DataType":
        return arrow_type(self.type)

    @property
    def width(self) -> int:
        """How many numbers each item of a list holds."""
        match = re.search(r"\[(\d+)\]", self.type)
        return int(match[1]) if match else 1

    @property
    def field(self) -> "pa.Field":
        """The column in an Arrow schema; unit and meaning travel as its metadata."""
        import pyarrow as pa

        return pa.field(self.name, self.arrow, nullable=False, metadata=self.metadata)

    @property
    def metadata(self) -> dict[str, str]:
        """What the column's field in Arrow says of it."""
        match = re.search(r"bytes<(.+?)>", self.type)
        numbers = {"numbers": match[1]} if match else {}
        return {"unit": self.unit, "meaning": self.meaning, **numbers}

    @property
    def artifact(self) -> str:
        """Whose field it is: the result of a step, or one of `BUILT_IN_ARTIFACTS`."""
        return self.take.partition(".")[0]

    def value_in(self, record: Any) -> Any:
        """Read what a record holds of this column; a feature ``[t, 1]`` becomes ``[t]``.

        `ValueError` where a feature has another width than the column.
        """
        value = getattr(record, self.take.partition(".")[2])
        if not (isinstance(value, np.ndarray) and value.ndim == 2):
            return value
        if value.shape[1] != self.width:
            wide = f"{self.width} wide, its feature {value.shape[1]}"
            raise ValueError(f"column {self.name} is {wide}")
        return value if self.width > 1 else value[:, 0]

    def describe(self) -> dict[str, str]:
        """Describe the column to its readers, as plain values."""
        return {"name": self.name, "type": self.type, "unit": self.unit, "meaning": self.meaning}


def arrow_type(name: str) -> "pa.DataType":
    """Make the Arrow type of a column type's name; `ValueError` for no such name."""
    # Imported here: a recipe names its columns, and only who reads or writes rows needs Arrow.
    import pyarrow as pa

    if not name.startswith("list<"):
        return pa.type_for_alias(name)
    inner = name[len("list<") : -1]
    if inner.startswith("bytes<"):
        return pa.list_(pa.binary())
    if inner.endswith("]"):
        scalar, _, length = inner[:-1].partition("[")
        return pa.list_(pa.list_(pa.type_for_alias(scalar), int(length)))
    return pa.list_(pa.type_for_alias(inner))


def _entry(name: str, type_: str, unit: str, meaning: str) -> Column:
    return Column(name, type_, unit, meaning, f"entry.{name}")


ENTRY = (
    _entry("entry_id", "string", "", "identifier of the pair, unique in the dataset"),
    _entry("song_id", "string", "", "identifier of the song; it decides the split"),
    _entry("split", "string", "", "train, validation or test"),
    Column("title", "string", "", "title of the song, empty if unknown", "song.title"),
    Column("artist", "string", "", "who performs the song, empty if unknown", "song.artist"),
    Column("genre", "string", "", "genre by Shazam, empty if unknown", "song.genre"),
    Column("shazam_id", "string", "", "the song's number at Shazam", "song.shazam_id"),
    _entry("music_url", "string", "", "where the music recording comes from"),
    _entry("video_url", "string", "", "where the video comes from"),
    Column("music_sha256", "string", "", "content of the music file", "music_asset.sha256"),
    Column("video_sha256", "string", "", "content of the video file", "video_asset.sha256"),
    Column("music_duration_s", "float64", "s", "length of the music", "music_asset.duration_s"),
    Column("video_duration_s", "float64", "s", "length of the video", "video_asset.duration_s"),
    Column("video_width", "int32", "px", "width as displayed", "video_asset.width"),
    Column("video_height", "int32", "px", "height as displayed", "video_asset.height"),
    Column("video_frame_rate_hz", "float64", "Hz", "mean frame rate", "video_asset.frame_rate_hz"),
)

# Of a row that is a clip; all other columns hold what the clip holds of its entry.
CLIP = (
    Column("clip_id", "string", "", "identifier of the clip: its entry and its start",
           "entry.clip_id"),
    Column("clip_start_s", "float64", "s, video", "start of the clip", "clip.start_s"),
    Column("clip_end_s", "float64", "s, video", "end of the clip", "clip.end_s"),
    Column("clip_music_start_s", "float64", "s, music", "where its music starts",
           "clip.music_start_s"),
    Column("clip_music_end_s", "float64", "s, music", "where its music ends",
           "clip.music_end_s"),
)  # fmt: skip
# What a row has without any step: no result may be called so.
BUILT_IN_ARTIFACTS = frozenset({"entry", "song", "listing", "clip"})


def row_name(row: Mapping[str, Any]) -> str:
    """Name a row by the id of its clip, or of its entry; empty where it says neither."""
    return str(row.get("clip_id") or row.get("entry_id") or "")


def _listing(name: str, type_: str, meaning: str) -> Column:
    return Column(name, type_, "", meaning, f"listing.{name}")


# What is known of an entry without its recordings, for recipes that ask for it.
METADATA = (
    Column(
        "identified_by",
        "string",
        "",
        "who named song and genre: shazam, title or empty",
        "song.identified_by",
    ),
    Column("isrc", "string", "", "International Standard Recording Code, by Shazam", "song.isrc"),
    Column("lyrics_url", "string", "", "where Shazam shows the lyrics", "song.lyrics_url"),
    _listing("channel", "string", "who put the video on its site, empty if unknown"),
    _listing("channel_id", "string", "the site's number of the channel"),
    _listing("categories", "list<string>", "categories of the video by its site"),
    _listing("kind", "string", "mv, film, vlog, ... by title, category and tags, empty if unknown"),
    _listing("uploaded", "string", "when the video was put there, YYYYMMDD, empty if unknown"),
    _listing("view_count", "int64", "views when the video was found, -1 if unknown"),
    _listing("language", "string", "language of the video by its site, empty if unknown"),
    _listing("licence", "string", "the site's words on the video's licence, empty if it says none"),
    _listing("is_creative_commons", "bool", "whether these words name Creative Commons"),
)


def arrow_schema(columns: Sequence[Column], label: str) -> "pa.Schema":
    """Make the Arrow schema of shards; unit and meaning travel as metadata of the fields.

    `label` says which published schema the rows follow (``symmv/v2``), or is the dataset's name.
    """
    import pyarrow as pa

    fields = [column.field for column in columns]
    return pa.schema(fields, metadata={"schema": label})


def columns_in(descriptions: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Read the columns that a receipt describes (`Column.describe`)."""
    return tuple(Column(c["name"], c["type"], c["unit"], c["meaning"], "") for c in descriptions)
