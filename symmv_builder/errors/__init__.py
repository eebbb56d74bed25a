"""What can go wrong, sorted by what is to be done about it.

Three errors, three reactions: wait (`RetryLater`), put the entry aside (`RejectEntry`),
end the run (`StopRun`). Anything else that a step raises is a bug of the program: its entry
is put aside as FAILED, with the traceback, and the run goes on. Elsewhere it is not caught.
What ends a run is told apart by situation: a subclass of `StopRun` with fields for programs.
"""

from symmv_builder.errors.bugs import Bug, WorkerBug
from symmv_builder.errors.reactions import (
    Reason,
    RejectEntry,
    RetryLater,
    SessionBlocked,
    StopRun,
    SymMVError,
)
from symmv_builder.errors.situations.datasets import (
    CannotMeasure,
    MissingColumns,
    MissingResult,
    NoEntries,
    NoRows,
    NoShards,
    ReleaseExists,
    ReleaseRefused,
)
from symmv_builder.errors.situations.files import (
    CannotRead,
    CannotWrite,
    Damaged,
    DiskFull,
    Locked,
    LockLost,
    MalformedFile,
    OldLedger,
    OutputExists,
    RecipeError,
    StoreUnusable,
)
from symmv_builder.errors.situations.machine import (
    MissingPackage,
    MissingWeights,
    NoDevice,
    PluginBroken,
    ServiceRefused,
    SiteNotCrawled,
    WorkersLost,
    WrongWeights,
)
from symmv_builder.errors.situations.requests import (
    NoSuchPath,
    NotFound,
    UnknownName,
    WrongArguments,
    WrongSetting,
)

__all__ = [
    "Bug",
    "CannotMeasure",
    "CannotRead",
    "CannotWrite",
    "Damaged",
    "DiskFull",
    "LockLost",
    "Locked",
    "MalformedFile",
    "MissingColumns",
    "MissingPackage",
    "MissingResult",
    "MissingWeights",
    "NoDevice",
    "NoEntries",
    "NoRows",
    "NoShards",
    "NoSuchPath",
    "NotFound",
    "OldLedger",
    "OutputExists",
    "PluginBroken",
    "Reason",
    "RecipeError",
    "RejectEntry",
    "ReleaseExists",
    "ReleaseRefused",
    "RetryLater",
    "ServiceRefused",
    "SessionBlocked",
    "SiteNotCrawled",
    "StopRun",
    "StoreUnusable",
    "SymMVError",
    "UnknownName",
    "WorkerBug",
    "WorkersLost",
    "WrongArguments",
    "WrongSetting",
    "WrongWeights",
]
