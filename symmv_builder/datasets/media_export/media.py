"""What of the recordings an export holds, and in which form."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from symmv_builder.datasets.media_export import formats
from symmv_builder.errors import UnknownName, WrongArguments, WrongSetting

SOUNDS = ("flac", "mp3", "none")
VIDEOS = ("mp4", "frames", "none")
SHARD_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Media:
    """The choices of an export; each has a say in its bytes.

    `sound` is ``flac`` (16 bits), ``mp3`` (192 kbit/s) or ``none``, at `sound_rate_hz` (`None`:
    the recording's own) and, with `mono`, as the mean of its channels. `sound_of` names the result
    of a step whose sound it is (`records.SoundFile`, such as what is left of a recording without
    voices), empty the recording of the music. `video` is ``mp4`` (the
    recording as it is, clips cut from it), ``frames`` (JPEG, `frame_rate_hz` a second, the shorter
    side `frame_side` pixels) or ``none``. `splits` empty is every split, `subset` the name of
    marked rows (`datasets.subsets`), empty for all. `shard_bytes` is the size of a shard on
    average. `StopRun` for a choice that is none.
    """

    format: str
    sound: str = "flac"
    sound_of: str = ""
    video: str = "mp4"
    sound_rate_hz: int | None = None
    mono: bool = False
    frame_rate_hz: float = 1.0
    frame_side: int = 336
    splits: Sequence[str] = ()
    subset: str = ""
    shard_bytes: int = SHARD_BYTES

    def __post_init__(self) -> None:
        for kind, name, choices in (
            ("format", self.format, formats.NAMES),
            ("sound", self.sound, SOUNDS),
            ("video", self.video, VIDEOS),
        ):
            if name not in choices:
                raise UnknownName(kind, name, choices)
        if self.sound == self.video == "none":
            raise WrongArguments("`sound` and `video` are both none: no recording is left")
        if self.sound_of and self.sound == "none":
            raise WrongArguments("`sound_of` has no use where `sound` is none")
        for name, value, least, most in (
            ("`sound_rate_hz`", self.sound_rate_hz, 4000, 192_000),
            ("`frame_rate_hz`", self.frame_rate_hz, 0.001, 1000),
            ("`frame_side`", self.frame_side, 16, 8192),
            ("`shard_bytes`", self.shard_bytes, 1, 2**50),
        ):
            if value is not None and not least <= value <= most:
                raise WrongSetting(name, value, f"it has to be from {least} to {most}")

    @property
    def has_sound(self) -> bool:
        return self.sound != "none"

    @property
    def has_video(self) -> bool:
        return self.video == "mp4"

    @property
    def has_frames(self) -> bool:
        return self.video == "frames"

    def as_plain(self) -> dict[str, Any]:
        """The choices as JSON, but for where one file ends and the next begins."""
        plain = asdict(self)
        plain["splits"] = list(self.splits)
        for name in ("subset", "sound_of"):
            # Of exports from before there were such choices, too.
            if not plain[name]:
                del plain[name]
        return plain

    def chosen(self) -> dict[str, Any]:
        """The choices beside the format that are not the default, as JSON."""
        default = Media(self.format).as_plain()
        return {
            name: value for name, value in self.as_plain().items() if value != default.get(name)
        }

    def content(self) -> dict[str, Any]:
        """The choices on which the bytes of a single sample depend."""
        unused = ["splits", "subset", "shard_bytes"]
        unused += [] if self.has_sound else ["sound_rate_hz", "mono"]
        unused += [] if self.has_frames else ["frame_rate_hz", "frame_side"]
        return {name: value for name, value in self.as_plain().items() if name not in unused}
