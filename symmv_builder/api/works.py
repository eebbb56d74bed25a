"""The works of a build: who does them, what a process elsewhere is given, and what it gives back.

A plan, the ids and contents of entries and the place of the data root go there, outcomes as plain
data come back; recordings and features stay in the data root.
"""

import json
import logging
import multiprocessing
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NoReturn

from symmv_builder.api.options import PATIENCE_S, checked
from symmv_builder.backends import ModelHome, ModelLoader, identify
from symmv_builder.backends.clip_server import models_to_serve, one_copy
from symmv_builder.datasets.build import Run, in_processes
from symmv_builder.errors import StopRun, WrongWeights
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan, Work
from symmv_builder.pipeline.pool import LOADING_PATIENCE_S, Effort, default_workers, run_entries
from symmv_builder.pipeline.run import EntryOutcome, Tell, run_entry
from symmv_builder.records import Rejection
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage.ledger import Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store

__all__ = [
    "LOADING_PATIENCE_S",
    "PATIENCE_S",
    "EntryOutcome",
    "Event",
    "Plan",
    "Run",
    "Runner",
    "Store",
    "Tell",
    "Work",
    "default_workers",
]  # fmt: skip

# What does the works of a plan: processes of this machine, or a flow's tasks.
Runner = Callable[[Plan, Store], Run]
_RECORDED_WITHIN_S = 1.5


def runner_here(
    settings: Settings,
    *,
    workers: int = 0,
    patience_s: float = PATIENCE_S,
    load_patience_s: float = LOADING_PATIENCE_S,
    tell: Tell,
) -> Runner:
    """Processes of this machine, `workers` of them or one a core as memory allows.

    `patience_s` is the longest that a step may take on an entry, `load_patience_s` that a worker
    may take to start or to load a model. `StopRun` where one of them is too small. Where several
    share a GPU, one process runs the model of pictures for all of them.
    """
    effort = Effort(
        checked("workers", workers or default_workers()),
        checked("patience", patience_s),
        loading_patience_s=checked("load-patience", load_patience_s),
    )
    home = settings.home

    def run(plan: Plan, store: Store) -> Run:
        names = models_to_serve(plan.models, home, effort.workers)

        def do(works: Sequence[Work]) -> Iterator[EntryOutcome]:
            with one_copy(names if works else (), home, patience_s=patience_s) as load_model:
                yield from in_processes(plan, store, load_model, effort=effort, tell=tell)(works)

        return do

    return run


@dataclass(frozen=True, slots=True)
class Assignment:
    """The part that all batches of a build share: plan, data root, models, and how hard to run."""

    plan: Plan
    root_url: str
    home: ModelHome
    effort: Effort

    def on_this_machine(self) -> "Assignment":
        """Copy it with this machine's models; `StopRun` where they are not those of the plan."""
        home = own_home(self.home)
        check_models(self.plan, home)
        return replace(self, home=home)

    def do(self, works: Sequence[Work], tell: Tell) -> Iterator[dict[str, Any]]:
        """Bring entries as far as they go, in a child process; gives outcomes as plain data."""
        # Dask starts its workers as daemons, which may have no children lest these stay behind.
        # Ours leave by themselves when their parent does.
        multiprocessing.current_process().daemon = False
        loader = ModelLoader(self.home)
        outcomes = run_entries(
            works, self.plan, self.root_url, loader, effort=self.effort, tell=tell
        )
        return map(to_plain, outcomes)


def assignment(
    plan: Plan,
    root: Root,
    home: ModelHome,
    *,
    patience_s: float,
    load_patience_s: float,
    threads_each: int,
) -> Assignment:
    """Make what tasks of a build are given.

    Each has one child, so a runner bounds how many there are.

    Where workers' threads may not start children (`workers=0`) nothing could be killed.
    """
    effort = Effort(
        workers=1,
        patience_s=patience_s,
        threads_each=threads_each,
        loading_patience_s=load_patience_s,
    )
    return Assignment(plan, everywhere(root), home, effort)


def own_home(home: ModelHome) -> ModelHome:
    """Tell where models are on this machine: as its own settings say, else as on the sender's."""
    settings = read_settings()
    local_home = settings.home
    device = local_home.device if "device" in settings.given else home.device
    return ModelHome(device, home.precision, {**home.paths, **local_home.paths})


def check_models(plan: Plan, home: ModelHome) -> None:
    """Raise `StopRun` where this machine has other weights than the plan: keys would lie."""
    for (slot, name), planned in plan.models.items():
        identity = identify(slot, name, home)
        if identity != planned:
            raise WrongWeights(
                name,
                f"the worker on {os.uname().nodename} has another {name} than the flow "
                f"({identity.version}, {identity.weights_sha256[:12]}; planned: {planned.version}, "
                f"{planned.weights_sha256[:12]}); give both the same package and weights",
            )


def everywhere(root: Root) -> str:
    """Give the data root's address as a worker in another folder finds it."""
    return root.path("").rstrip("/") if root.is_local else root.url


def to_plain(outcome: EntryOutcome) -> dict[str, Any]:
    """Convert an outcome to what JSON has."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(outcome)))
    return plain


def from_plain(plain: dict[str, Any]) -> EntryOutcome:
    """Read back the outcome that `to_plain` wrote."""
    rejection = plain["rejection"]
    return EntryOutcome(
        plain["entry_id"],
        tuple(Result(**result) for result in plain["results"]),
        Rejection(**rejection) if rejection else None,
        plain["retry"],
    )


def waiting(works: Iterable[Work], why: str) -> Iterator[EntryOutcome]:
    """Outcomes of works that have to wait for another run."""
    return (EntryOutcome(work.entry_id, retry=why) for work in works)


def record_ended(store: Store, plan: Plan, works: Iterable[Work]) -> int:
    """Write into the ledger what is stored of works that have ended; gives their number.

    The sidecars say which these are. It stops after a moment: what it leaves out is found by
    the next build.
    """
    until = time.monotonic() + _RECORDED_WITHIN_S
    sidecars = Sidecars(store.root, plan.dataset)
    count = 0
    try:
        for work in works:
            if time.monotonic() > until:
                break
            if _has_ended(sidecars, plan, work):
                outcome = run_entry(work, plan, store.root, _no_model)
                results = store.ledger.results(plan.dataset, work.entry_id)
                recorded = {(r.artifact, r.key, r.reason) for r in results}
                new = [r for r in outcome.results if (r.artifact, r.key, r.reason) not in recorded]
                store.ledger.record_results(plan.dataset, new)
                count += 1
    except (StopRun, OSError) as error:
        logging.getLogger(__name__).warning("not all that was done is recorded: %s", error)
    return count


def _has_ended(sidecars: Sidecars, plan: Plan, work: Work) -> bool:
    keys = plan.keys(work)
    present = sidecars.present(work.entry_id)
    return any(sidecars.rejected_name(*key) in present for key in keys.items()) or all(
        sidecars.made_name(*key) in present for key in keys.items()
    )


def _no_model(slot: str, name: str) -> NoReturn:
    raise StopRun(f"an entry that had ended asks for the {slot} model {name}")
