"""What is kept of an exception that nobody foresaw."""

from dataclasses import dataclass

from symmv_builder.text import clean_text

# Short enough to cross a pipe in one piece.
_LONGEST_TRACEBACK = 10_000


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
    """A worker met a bug; the message holds its traceback, `last_line` is the last line of it."""

    def __init__(self, last_line: str, bug: Bug) -> None:
        super().__init__(f"{last_line}\n\n{bug.traceback}")
        self.last_line = last_line
        self.bug = bug

    def __reduce__(self) -> tuple[type["WorkerBug"], tuple[str, Bug]]:
        return (WorkerBug, (self.last_line, self.bug))
