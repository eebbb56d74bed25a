"""What became of a step: what made its result, which test it passed, why an entry was put aside."""

from dataclasses import dataclass

from symmv_builder.errors import Bug, Reason
from symmv_builder.text import clean_text

_LONGEST_DETAIL = 2000


@dataclass(frozen=True, slots=True)
class Screened:
    """A test that the entry passed: what was measured, its value and the limit."""

    measure: str
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class Rejection:
    """The reason why a step put an entry aside; `bug` where the program is at fault."""

    step: str
    reason: Reason
    detail: str
    bug: Bug | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "reason", Reason(self.reason))
        object.__setattr__(self, "detail", clean_text(self.detail)[:_LONGEST_DETAIL])
        if isinstance(self.bug, dict):
            object.__setattr__(self, "bug", Bug(**self.bug))


@dataclass(frozen=True, slots=True)
class Provenance:
    """The origin of a result: enough to make it again, and to know when it is out of date."""

    step: str
    version: int
    parameters: str
    backend: str
    model_version: str
    weights_sha256: str
    trained: bool
    inputs: str
