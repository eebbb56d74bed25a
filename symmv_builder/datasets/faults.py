"""What a build makes of bugs: it counts them, stops at too many, and tries them again.

An entry that met a bug stays put aside until a step that it depends on has another version,
or this package has.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from symmv_builder.errors import Bug, Reason, WorkerBug
from symmv_builder.pipeline.faults import SameBug
from symmv_builder.pipeline.run import EntryOutcome
from symmv_builder.plugins import plugins
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from symmv_builder.version import __version__


@dataclass(frozen=True, slots=True)
class Failures:
    """The entries that met a bug in one step: how many, and one's id and what was raised.

    `package` is the other package that the step is of; empty for a step of this one.
    """

    step: str
    entries: int
    example: str
    detail: str
    package: str = ""

    @property
    def where(self) -> str:
        """The step, with the package that it is of where that is another one."""
        return f"{self.step} of the package {self.package}" if self.package else self.step


def package_of(step: str) -> str:
    """Name the other package that a step is of; empty for a step of this one."""
    plugin = plugins("steps").get(step)
    return plugin.package if plugin else ""


def count_failures(rejected: Iterable[Result]) -> tuple[Failures, ...]:
    """Count the failures among rejections, by step."""
    by_step: dict[str, list[Result]] = {}
    for result in rejected:
        if result.reason == Reason.FAILED:
            by_step.setdefault(result.step, []).append(result)
    return tuple(
        Failures(
            step,
            len(results),
            results[0].entry_id,
            results[0].detail,
            package_of(step),
        )
        for step, results in by_step.items()
    )


def watched(
    outcomes: Iterable[EntryOutcome], store: Store, dataset: str, *, strict: bool
) -> Iterator[EntryOutcome]:
    """Pass outcomes on until it is clear that going on is of no use.

    `StopRun` when ten entries running have met the same bug, and, where `strict`, `WorkerBug`
    with the first one's traceback. What stopped a run is looked at with `symmv why`, and tried
    again by the next run.
    """
    same, met = SameBug(), list[EntryOutcome]()
    for outcome in outcomes:
        yield outcome
        bug = _new_bug(outcome)
        if bug is None:
            if met and _is_past(outcome, met[-1].results[-1].artifact):
                same.clear()
            continue
        package = package_of(outcome.results[-1].step)
        same.met(outcome.entry_id, bug, package)
        met = [*met, outcome][-len(same.names) :]
        if strict or len(met) >= SameBug.ENOUGH:
            for each in met:
                _leave_open(store, dataset, each)
        if strict:
            of_package = f" (in the package {package})" if package else ""
            text = f"{outcome.entry_id}: {outcome.results[-1].detail}{of_package}"
            raise WorkerBug(text, bug)
        same.check()


def _new_bug(outcome: EntryOutcome) -> Bug | None:
    """Find the bug that an entry met in this run; a rejection that was found took no time."""
    if outcome.rejection is None or not outcome.results[-1].seconds:
        return None
    return outcome.rejection.bug


def _is_past(outcome: EntryOutcome, artifact: str) -> bool:
    """Check whether an entry came through a step in this run, or was turned away by it."""
    return any(result.artifact == artifact and result.seconds for result in outcome.results)


def _leave_open(store: Store, dataset: str, outcome: EntryOutcome) -> None:
    """Let the next run try an entry again that met a bug; what is known of the bug is kept."""
    result, rejection = outcome.results[-1], outcome.rejection
    if rejection and rejection.bug:
        open_ended = replace(rejection, bug=replace(rejection.bug, program=""))
        sidecars = Sidecars(store.root, dataset)
        sidecars.reject(outcome.entry_id, result.artifact, result.key, open_ended)


def forget_outdated(store: Store, dataset: str, rejected: Iterable[Result]) -> int:
    """Forget bugs that another version met, or that stopped a run; gives their number."""
    sidecars = Sidecars(store.root, dataset)
    outdated = [
        result
        for result in rejected
        if result.reason == Reason.FAILED and not _is_todays(sidecars, result)
    ]
    forget(store, dataset, outdated)
    return len(outdated)


def _is_todays(sidecars: Sidecars, result: Result) -> bool:
    try:
        rejection = sidecars.rejection(result.entry_id, result.artifact, result.key)
    except KeyError:
        return False
    return rejection.bug is not None and rejection.bug.program == __version__


def forget(store: Store, dataset: str, results: Sequence[Result]) -> None:
    """Forget rejections, so that their steps are tried again."""
    for result in results:
        Sidecars(store.root, dataset).forgive(result.entry_id, result.artifact, result.key)
        store.ledger.forget_results(dataset, result.entry_id, result.artifact)
