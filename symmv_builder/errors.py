"""What can go wrong, sorted by what is to be done about it.

Three errors, three reactions: wait (`RetryLater`), put the entry aside (`RejectEntry`),
end the run (`StopRun`). Anything else that a step raises is a bug of the program: its entry
is put aside as FAILED, with the traceback, and the run goes on. Elsewhere it is not caught.
"""

from dataclasses import dataclass
from enum import StrEnum

from symmv_builder.text import clean_text

# Short enough to cross a pipe in one piece.
_LONGEST_TRACEBACK = 10_000


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
    # What the screens say of a pair.
    LYRIC_VIDEO = "lyric_video"
    DURATION_MISMATCH = "duration_mismatch"
    DIFFERENT_SONG = "different_song"
    MISALIGNED = "misaligned"
    NOT_SOLO_PIANO = "not_solo_piano"
    BROKEN_TRANSCRIPTION = "broken_transcription"
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
    """The root of every error that this package raises on purpose."""


class RetryLater(SymMVError):
    """The world is in the way (network, busy device): the same work may go through later.

    Each time spends one attempt; `reason` is what the rejection says when none is left.
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
    """This entry cannot be used; the run goes on without it."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["RejectEntry"], tuple[Reason, str]]:
        return (RejectEntry, (self.reason, self.detail))


class StopRun(SymMVError):
    """Configuration, weights, disk or toolchain: nothing that follows could go right."""


class Damaged(StopRun):
    """A stored file is not what was written; who works on many entries leaves that one alone."""


@dataclass(frozen=True, slots=True)
class Bug:
    """An exception that nobody foresaw: its type, where it was raised, its traceback.

    `program` is the version of this package that it happened to: another version tries again.
    Where it is empty, the next run does.
    """

    kind: str
    place: str
    traceback: str
    program: str = ""

    def __post_init__(self) -> None:
        trace = clean_text(self.traceback)
        # The end of a traceback says what happened.
        if len(trace) > _LONGEST_TRACEBACK:
            trace = "...\n" + trace[-_LONGEST_TRACEBACK:]
        object.__setattr__(self, "traceback", trace)

    @property
    def fault(self) -> tuple[str, str]:
        """What is equal for two entries that met the same bug."""
        return self.kind, self.place


class WorkerBug(Exception):
    """A worker met a bug; the message holds its traceback, `said` is the last line of it."""

    def __init__(self, said: str, bug: Bug) -> None:
        super().__init__(f"{said}\n\n{bug.traceback}")
        self.said = said
        self.bug = bug

    def __reduce__(self) -> tuple[type["WorkerBug"], tuple[str, Bug]]:
        return (WorkerBug, (self.said, self.bug))
