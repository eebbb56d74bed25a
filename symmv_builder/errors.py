"""What can go wrong, sorted by what is to be done about it.

Three errors, three reactions: wait (`RetryLater`), put the entry aside (`RejectEntry`),
end the run (`StopRun`). Anything else that is raised is a bug and is not caught.
"""

from enum import StrEnum


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
    TIMED_OUT = "timed_out"
    CRASHED = "crashed"


class SymMVError(Exception):
    """The root of every error that this package raises on purpose."""


class RetryLater(SymMVError):
    """The world is in the way (network, busy device): the same work may go through later."""

    def __init__(self, message: str, after_s: float = 60.0) -> None:
        super().__init__(message)
        self.after_s = after_s


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
