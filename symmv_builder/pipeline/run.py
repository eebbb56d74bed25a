"""Do what is missing of one entry: find what is stored under its key, make the rest.

Nothing here knows a dataset, a model or a medium; a plan says what is to be made, and
`load_model` gives the model of a slot. A result is stored the moment it is made, so a
run that is killed loses at most the step that it was in.

An entry is blamed for what its recordings are, and never for what the machine did to them:
before it is put aside, they are looked at again. A step that raises what nobody foresaw puts
its entry aside as FAILED.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from symmv_builder.editing import apply_edits
from symmv_builder.errors import (
    Damaged,
    Reason,
    RejectEntry,
    RetryLater,
    StopRun,
    SymMVError,
    WrongWeights,
)
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.faults import (
    bug_of,
    check_recordings,
    in_short,
    machine_fault,
)
from symmv_builder.pipeline.keys import Plan, Work, correction_provenance
from symmv_builder.pipeline.sound_files import write_for_reading
from symmv_builder.pipeline.step import RECORDINGS, Use
from symmv_builder.records import Record, Rejection, SoundFile
from symmv_builder.storage.assets import open_asset
from symmv_builder.storage.results import Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.version import __version__

LOG = logging.getLogger(__name__)
LoadModel = Callable[[str, str], Any]
Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class EntryOutcome:
    """The outcome of an entry: its results, and why it stopped if it did not finish."""

    entry_id: str
    results: tuple[Result, ...] = ()
    rejection: Rejection | None = None
    retry: str = ""


class _EntryRun:
    """The state of one `run_entry`: what is stored, what is in memory, what was done."""

    def __init__(
        self, work: Work, plan: Plan, root: Root, load_model: LoadModel, tell: Tell
    ) -> None:
        self.work = work
        self.plan = plan
        self.root = root
        self.load_model = load_model
        self.listener = tell
        self.unheard: Exception | None = None
        self.sidecars = Sidecars(root, plan.dataset)
        self.keys = plan.keys(work)
        self.machine_keys = plan.machine_keys(work)
        self.stored = self.sidecars.present(work.entry_id)
        self.records: dict[str, Record] = {}
        self.results: list[Result] = []
        self.paths: dict[str, Path] = {}
        # What steps of a pass do when their turn has come, and their shares of its seconds.
        self.unfinished: dict[str, Callable[..., Record]] = {}
        self.shares: dict[str, float] = {}
        self.open = ExitStack()
        # Where recordings that steps made lie while others read them.
        self.folder: Path | None = None

    def tell(self, event: Event) -> None:
        try:
            self.listener(event)
        except Exception as error:
            self.unheard = error
            raise

    def is_made(self, use: Use) -> bool:
        name = self.sidecars.made_name(use.makes, self.keys[use.makes])
        return use.makes in self.records or name in self.stored

    def is_to_correct(self, use: Use) -> bool:
        """Check whether what the machine made is stored, and its corrections alone are missing."""
        key = self.machine_keys.get(use.makes)
        if key is None or self.is_made(use):
            return False
        return self.sidecars.made_name(use.makes, key) in self.stored

    def stored_rejection(self, use: Use) -> Rejection | None:
        key = self.keys[use.makes]
        if self.sidecars.rejected_name(use.makes, key) not in self.stored:
            return None
        rejection = self.sidecars.rejection(self.work.entry_id, use.makes, key)
        if rejection.bug and rejection.bug.program != __version__:
            # Another version of the program may do better.
            self.sidecars.forgive(self.work.entry_id, use.makes, key)
            self.stored -= {self.sidecars.rejected_name(use.makes, key)}
            return None
        return rejection

    def input(self, name: str) -> Any:
        if name in RECORDINGS:
            if name not in self.paths:
                asset = open_asset(self.root, self.work.source(name))
                self.paths[name] = self.open.enter_context(asset)
            return self.paths[name]
        if name not in self.records:
            self.records[name] = self.load(name, self.keys[name])
        record = self.records[name]
        if not isinstance(record, SoundFile):
            return record
        if self.folder is None:
            self.folder = Path(self.open.enter_context(TemporaryDirectory(prefix="symmv-")))
        return write_for_reading(record, name, self.folder)

    def content(self, name: str) -> str:
        """Tell a file that is read from all others: by its content, or the key of its result."""
        return self.work.source(name) if name in RECORDINGS else self.keys[name]

    def load(self, name: str, key: str) -> Record:
        try:
            return self.sidecars.load(self.work.entry_id, name, key)[0]
        except KeyError as error:
            self.root.check()
            reason = f"its {name} was taken away under the run"
            raise RetryLater(reason, reason=Reason.MACHINE) from error

    def note(self, use: Use, seconds: float, rejection: Rejection | None = None) -> None:
        self.results.append(
            Result(
                entry_id=self.work.entry_id,
                artifact=use.makes,
                step=use.step.name,
                key=self.keys[use.makes],
                backend=use.model or "",
                seconds=seconds,
                reason=rejection.reason if rejection else "",
                detail=rejection.detail if rejection else "",
            )
        )

    def group_of(self, use: Use) -> list[Use]:
        """Group the use with every other missing one that can share its pass over the file."""
        if use.step.together is None:
            return [use]
        return [
            other
            for other in self.plan.uses
            if other.step.together is use.step.together
            and self.content(other.watched) == self.content(use.watched)
            and not self.is_made(other)
            and not self.is_to_correct(other)
            and self.stored_rejection(other) is None
        ]

    def compute(self, group: Sequence[Use]) -> list[tuple[Use, Any]]:
        """Compute what each step of a group gives: a record, or the function to make it later."""
        first = group[0]
        if first.makes in self.unfinished:
            make = self.unfinished.pop(first.makes)
            besides = [self.input(name) for name in first.besides]
            self.tell(Event("begin", self.work.entry_id, step=first.makes))
            return [(first, make(*besides))]
        together = first.step.together
        names = (first.watched,) if together else first.inputs
        inputs = [self.input(name) for name in names]
        makes = "+".join(use.makes for use in group)
        calls = []
        for use in group:
            extra: dict[str, Any] = {"model": None} if use.step.slot else {}
            if use.step.slot and use.model and use.step.takes_model(inputs):
                slot, name = use.step.slot, use.model
                about = f"the {slot} model {name}"
                self.tell(Event("load", self.work.entry_id, step=makes, detail=about))
                extra["model"] = load(self.load_model, slot, name)
            calls.append((use, {**use.parameters, **extra}))
        # Told only now: loading a model, which may download it, is not the step's own time.
        self.tell(Event("begin", self.work.entry_id, step=makes))
        if together is None:
            [(use, arguments)] = calls
            return [(use, use.step.run(*inputs, **arguments))]
        uses, watchers = [], []
        for use, arguments in calls:
            try:
                watchers.append(use.step.run(**arguments))
            except Exception:
                # Another is tried again, and blamed, when its turn has come.
                if use is first:
                    raise
            else:
                uses.append(use)
        return list(zip(uses, together(inputs[0], watchers), strict=True))

    def make(self, group: Sequence[Use]) -> Rejection | None:
        """Make and store what a group of uses gives; the rejection where there is none.

        `RetryLater` and `StopRun` pass, and take the place of whatever else was raised where
        the machine is at fault for it.
        """
        started = time.perf_counter()
        try:
            self.keep(self.compute(group), started)
        except (RetryLater, StopRun):
            raise
        except Exception as error:
            if error is self.unheard:
                # Whoever listens has failed, and not the step.
                raise
            self.excuse(group, error)
            if isinstance(error, RejectEntry):
                rejection = Rejection(group[0].step.name, error.reason, error.detail)
            elif len(group) > 1:
                return self.make_one_by_one(group)
            else:
                rejection = self.failure(group[0], error)
            return self.reject(group[0], rejection, time.perf_counter() - started)
        return None

    def make_one_by_one(self, group: Sequence[Use]) -> Rejection | None:
        """Find the step of a shared pass that has a bug: the others are not to blame for it."""
        for use in group:
            rejection = None if use.makes in self.records else self.make([use])
            if rejection is not None:
                return rejection
        return None

    def keep(self, results: Sequence[tuple[Use, Any]], started: float) -> None:
        seconds = (time.perf_counter() - started) / len(results)
        for use, record in results:
            if use.step.together and callable(record):
                self.unfinished[use.makes], self.shares[use.makes] = record, seconds
            else:
                self.store(use, record, seconds + self.shares.pop(use.makes, 0.0))

    def store(self, use: Use, record: Record, seconds: float) -> None:
        self.check_columns(use, record)
        by = self.plan.provenance(use, self.keys, self.work)
        key = self.machine_keys.get(use.makes, self.keys[use.makes])
        self.sidecars.save(self.work.entry_id, use.makes, key, record, by)
        self.records[use.makes] = record
        if use.makes in self.machine_keys:
            self.correct(use, record)
        self.note(use, seconds)
        LOG.debug("%s: made %s in %.2f s", self.work.entry_id, use.makes, seconds)
        self.tell(Event("step", self.work.entry_id, step=use.makes, seconds=seconds))

    def correct(self, use: Use, record: Record) -> None:
        """Store what people made of the machine's record, which stays where it is."""
        artifact, corrections = use.makes, self.work.corrections_of(use.makes)
        edits = [(each.id, each.edit) for each in corrections if each.edit is not None]
        record, problems = apply_edits(record, edits)
        by = correction_provenance(artifact, self.machine_keys[artifact], corrections, problems)
        self.sidecars.save(self.work.entry_id, artifact, self.keys[artifact], record, by)
        self.records[artifact] = record

    def correct_stored(self, use: Use) -> None:
        """Correct what the machine made in an earlier run."""
        started = time.perf_counter()
        key = self.machine_keys[use.makes]
        self.correct(use, self.load(use.makes, key))
        self.note(use, time.perf_counter() - started)
        self.tell(Event("step", self.work.entry_id, step=use.makes))

    def check_columns(self, use: Use, record: Record) -> None:
        """Raise an error where a record does not hold what the columns of its step say.

        Found here, it is the fault of one step on one entry, and not of the shards of all. Our own
        steps are held to their columns by tests: Arrow would cost each worker a tenth of a second.
        """
        if use.step.run.__module__.startswith("symmv_builder."):
            return
        from symmv_builder.storage.tables import build_array

        uses = {each.makes: each for each in self.plan.uses}
        for column in use.columns(uses):
            try:
                build_array(column.field, [column.value_in(record)])
            except (AttributeError, TypeError, ValueError) as error:
                reason = f"{use.step.name} gave what is no column {column.name} ({column.type})"
                raise TypeError(f"{reason}: {error}") from error

    def excuse(self, group: Sequence[Use], error: Exception) -> None:
        """Raise what is true instead, where the machine is at fault and not entry or program."""
        self.root.check()
        fault = machine_fault(error)
        if fault is not None:
            raise fault from error
        sources = {self.work.source(name) for name in group[0].inputs if name in RECORDINGS}
        paths = {self.work.source(name): path for name, path in self.paths.items()}
        check_recordings(self.root, sources | paths.keys(), paths)

    def failure(self, use: Use, error: Exception) -> Rejection:
        """Make the rejection of an entry that met a bug: what was raised, where, on which file."""
        bug = bug_of(error)
        files = [
            str(self.paths[name])
            if name in RECORDINGS
            else self.sidecars.place(self.work.entry_id, name, self.keys[name])
            for name in use.inputs
            if name in self.paths or name in self.keys
        ]
        detail = "; ".join([f"{in_short(error)} ({bug.place})", *files])
        return Rejection(use.step.name, Reason.FAILED, detail, bug)

    def reject(self, use: Use, rejection: Rejection, seconds: float) -> Rejection:
        LOG.info(
            "%s: put aside by %s: %s: %s",
            *(self.work.entry_id, use.step.name, rejection.reason, rejection.detail),
        )
        key = self.keys[use.makes]
        self.sidecars.reject(self.work.entry_id, use.makes, key, rejection)
        self.note(use, seconds, rejection)
        return rejection

    def advance(self, use: Use) -> Rejection | None:
        """Make sure that a use's result is there; gives its rejection if it cannot be."""
        stored = self.stored_rejection(use)
        if stored is not None:
            self.note(use, 0.0, stored)
            return stored
        if self.is_to_correct(use):
            self.correct_stored(use)
        if not self.is_made(use):
            rejection = None if use.makes in self.unfinished else self.make(self.group_of(use))
            if rejection is None and use.makes in self.unfinished:
                rejection = self.make([use])
            return rejection
        if not any(result.artifact == use.makes for result in self.results):
            self.note(use, 0.0)
            self.tell(Event("step", self.work.entry_id, step=use.makes, reused=True))
        return None


def run_entry(
    work: Work, plan: Plan, root: Root, load_model: LoadModel, tell: Tell = lambda _: None
) -> EntryOutcome:
    """Bring one entry to the end of the plan, or to the step that turns it away.

    An entry that the machine has failed (`RetryLater`, `Damaged`) is left for another run.
    Any other `StopRun` passes through; what was made before it is stored.
    """
    run = _EntryRun(work, plan, root, load_model, tell)
    run.sidecars.sweep(work.entry_id)
    with run.open:
        for use in plan.uses:
            try:
                rejection = run.advance(use)
            except (RetryLater, Damaged) as error:
                LOG.info("%s: not finished: %s", work.entry_id, error)
                return EntryOutcome(work.entry_id, tuple(run.results), retry=str(error))
            if rejection is not None:
                return EntryOutcome(work.entry_id, tuple(run.results), rejection=rejection)
    return EntryOutcome(work.entry_id, tuple(run.results))


def load(load_model: LoadModel, slot: str, name: str) -> Any:
    """Load a model; `StopRun` where it cannot be loaded, for which no entry is at fault."""
    try:
        return load_model(slot, name)
    except SymMVError:
        raise
    except Exception as error:
        reason = f"{in_short(error)} ({bug_of(error).place})"
        raise WrongWeights(name, f"the {slot} model {name} cannot be loaded: {reason}") from error
