"""Three errors, three reactions: wait, put the entry aside, end the run; and the reasons."""

from enum import StrEnum
from typing import Any


class Reason(StrEnum):
    """The closed list of reasons for which an entry is put aside."""

    EMPTY_FILE = "empty_file"
    NOT_MEDIA = "not_media"
    UNREADABLE = "unreadable"
    TOO_LARGE = "too_large"
    TOO_LONG = "too_long"
    TOO_SHORT = "too_short"
    NO_AUDIO = "no_audio"
    NO_VIDEO = "no_video"
    SILENT = "silent"
    STATIC_VIDEO = "static_video"
    TOO_FEW_NOTES = "too_few_notes"
    NO_BEATS = "no_beats"
    NO_CHORDS = "no_chords"
    # What a published dataset does not say of a song.
    NO_ANNOTATION = "no_annotation"
    # What it says and what cannot be: times that contradict each other or the recording.
    WRONG_ANNOTATION = "wrong_annotation"
    # What a title does not say.
    UNPARSABLE_TITLE = "unparsable_title"
    NO_MATCH = "no_match"
    # What a list of sources leaves out.
    WRONG_KIND = "wrong_kind"
    # What the screens say of a pair.
    LYRIC_VIDEO = "lyric_video"
    LITTLE_MUSIC = "little_music"
    VOCALS = "vocals"
    SPEECH = "speech"
    DURATION_MISMATCH = "duration_mismatch"
    DIFFERENT_SONG = "different_song"
    MISALIGNED = "misaligned"
    NOT_SOLO_PIANO = "not_solo_piano"
    BROKEN_TRANSCRIPTION = "broken_transcription"
    # What a person took off an entry.
    TRIMMED = "trimmed"
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"
    # A bug: a step raised what nobody foresaw. The program is at fault, not the entry.
    FAILED = "failed"
    # Memory, a disk or a lost file: the machine is at fault. Never stored, always tried again.
    MACHINE = "machine"
    # What a site says of a recording, for good.
    VIDEO_REMOVED = "video_removed"
    VIDEO_PRIVATE = "video_private"
    COPYRIGHT = "copyright"
    GEO_BLOCKED = "geo_blocked"
    AGE_RESTRICTED = "age_restricted"
    MEMBERS_ONLY = "members_only"
    LOGIN_REQUIRED = "login_required"
    DRM = "drm"
    SOURCE_GONE = "source_gone"
    # What a retry could have changed, when the attempts are used up.
    NOT_YET_AVAILABLE = "not_yet_available"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    UNAVAILABLE = "unavailable"
    NO_FORMATS = "no_formats"
    UNKNOWN_FAILURE = "unknown_failure"


class SymMVError(Exception):
    """The root of every error that this package raises on purpose.

    Each of them can be pickled: message and fields are the same in another process.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        # Not by a call of the class: its fields are no arguments of `Exception`.
        return _without_init, (type(self), self.args), dict(self.__dict__)


def _without_init(kind: type[SymMVError], args: tuple[object, ...]) -> SymMVError:
    return kind.__new__(kind, *args)


class RetryLater(SymMVError):
    """The world is in the way (network, busy device): the same work may go through later.

    Each time spends one attempt; `reason` is what the rejection says when none is left.

    Examples:
        >>> RetryLater("the site does not answer", after_s=30).after_s
        30
    """

    spends_attempt = True

    def __init__(
        self, message: str, after_s: float = 60.0, *, reason: Reason = Reason.UNREACHABLE
    ) -> None:
        super().__init__(message)
        self.after_s = after_s
        self.reason = reason


class SessionBlocked(RetryLater):
    """A site refuses us altogether (rate limit, bot check) or cannot be reached at all.

    No recording is at fault: everybody stays away for `after_s`, and no attempt is spent.
    """

    spends_attempt = False

    def __init__(
        self, message: str, after_s: float = 3600.0, *, reason: Reason = Reason.REFUSED
    ) -> None:
        super().__init__(message, after_s, reason=reason)


class RejectEntry(SymMVError):
    """This entry cannot be used; the run goes on without it.

    Examples:
        >>> error = RejectEntry(Reason.TOO_SHORT, "2 s, below the limit of 5")
        >>> str(error.reason), error.detail
        ('too_short', '2 s, below the limit of 5')
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class StopRun(SymMVError):
    """Configuration, weights, disk or toolchain: nothing that follows could go right.

    Its subclasses are the situations; each builds its message from its fields. The message says
    what is wrong and names no option of a command: what to type is added by whoever asked.

    Examples:
        >>> from symmv_builder.errors import UnknownName
        >>> error = UnknownName("dataset", "symvm", ("symmv", "muvisync"))
        >>> isinstance(error, StopRun), str(error)
        (True, "no dataset is called 'symvm' (did you mean symmv?); known: symmv, muvisync")
    """

    def __post_init__(self) -> None:
        # Of the situations, which are dataclasses: `args` hold the message, as those of others do.
        self.args = (str(self),)
