"""Build a dataset as a flow: the same work as `symmv build`, given out as tasks.

    python -m flows.build symmv --from recordings --runner dask --address tcp://host:8786

The flow's own process reads and writes the ledger and writes the shards; workers need the
data root, on a shared path or a bucket, and the models, and nothing else.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows import artifacts
from flows.artifacts import Progress
from flows.batches import in_tasks
from flows.edge import RUNNERS, Place, whole_run
from flows.leaving import accounted, finish, obey_signals
from flows.limits import set_up_limits
from symmv_builder import datasets
from symmv_builder.api.dataset import Dataset, open_dataset
from symmv_builder.backends import Loader, ModelHome
from symmv_builder.datasets.build import Run, Summary, in_processes
from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.pool import LOADING_PATIENCE_S, Effort
from symmv_builder.storage.store import Store
from symmv_builder.text import harmless

BATCH_SIZE = 16
PATIENCE_S = 1800.0


@flow(name="build", persist_result=False)
@whole_run
def build(
    dataset: str,
    folder: str | None = None,
    root: str | None = None,
    runner: str = "threads",
    address: str | None = None,
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    patience_s: float = PATIENCE_S,
    models: dict[str, str] | None = None,
    wait: bool = False,
    only: list[str] | None = None,
    retry: list[str] | None = None,
    way: str = "",
    shard_mb: int | None = None,
    strict: bool = False,
    load_patience_s: float = LOADING_PATIENCE_S,
) -> State[dict[str, Any]]:
    """Bring every entry of a dataset to its end and write its shards.

    `dataset` is a name or a recipe file; `models` maps a slot to a backend's name; the options mean
    what those of `symmv build` mean. What else depends on the machine is read from its environment.
    Where another process writes the dataset this ends as `Stopped`, or waits
    for it with `wait`. Ends as `Unfinished` where entries wait for another run, as `Failing` where
    the program is at fault for some.
    """
    found = open_dataset(dataset, root, way=way, models=models)
    place = Place(runner, address, workers)
    summary = build_with(
        found,
        place,
        Path(folder) if folder else None,
        batch_size=batch_size,
        patience_s=patience_s,
        loading_patience_s=load_patience_s,
        only=only or (),
        retry=reasons_of(retry or ()),
        shard_bytes=shard_mb * 2**20 if shard_mb else None,
        strict=strict,
        wait=wait,
    )
    said, plain = sentence(summary), asdict(summary)
    if summary.failed:
        return Completed(name="Failing", message=said, data=plain)
    if summary.unfinished:
        return Completed(name="Unfinished", message=f"{said}; the next run goes on", data=plain)
    return Completed(message=said, data=plain)


def sentence(summary: Summary) -> str:
    start = "nothing to do: " if summary.up_to_date else ""
    failed = "".join(
        f"; THE PROGRAM IS AT FAULT in {each.step} for {each.entries} entries, for example "
        f"{harmless(f'{each.example}: {each.detail}', 500)}"
        for each in summary.failed
    )
    return (
        f"{start}{summary.dataset}: {summary.made} made, {summary.rejected} rejected, "
        f"{summary.unfinished} unfinished; {len(summary.shards)} shards{failed}"
    )


def build_with(
    dataset: Dataset,
    place: Place,
    folder: Path | None = None,
    *,
    batch_size: int = BATCH_SIZE,
    patience_s: float = PATIENCE_S,
    loading_patience_s: float = LOADING_PATIENCE_S,
    only: Sequence[str] = (),
    **how: Any,
) -> Summary:
    """A build by tasks, within a flow's run, with its progress and its artifacts.

    `how` is handed on to `Dataset.build`.
    """
    logger = get_run_logger()
    name, home = dataset.name, dataset.settings.home
    with ExitStack() as opened:
        progress = opened.enter_context(Progress(f"build-{name}", f"entries of {name}", logger))

        def runner(plan: Plan, store: Store) -> Run:
            run = runner_of(
                plan,
                store,
                home,
                place,
                batch_size=batch_size,
                patience_s=patience_s,
                loading_patience_s=loading_patience_s,
            )
            return opened.enter_context(accounted(run, plan, store, progress.count))

        summary = dataset.build(
            folder,
            only=only,
            runner=runner,
            tell=artifacts.log_events(logger),
            expect=progress.expect,
            **how,
        )
    _show(dataset.store, summary)
    return summary


def runner_of(
    plan: Plan,
    store: Store,
    home: ModelHome,
    place: Place,
    *,
    batch_size: int,
    patience_s: float,
    loading_patience_s: float = LOADING_PATIENCE_S,
) -> Run:
    """Who does the works of a plan: processes of this machine, or tasks at a place."""
    if batch_size < 1:
        raise StopRun(f"a batch has at least one entry, not {batch_size}")
    set_up_limits()
    if place.runner == "local":
        effort = Effort(place.at_once, patience_s, loading_patience_s=loading_patience_s)
        tell = artifacts.log_events(get_run_logger())
        return in_processes(plan, store, Loader(home), effort=effort, tell=tell)
    return in_tasks(
        plan,
        store.root,
        home,
        place,
        batch_size=batch_size,
        patience_s=patience_s,
        loading_patience_s=loading_patience_s,
    )


def reasons_of(names: Sequence[str]) -> list[Reason]:
    """Reasons by their names; `StopRun` for one that nothing is put aside for."""
    unknown = [name for name in names if name not in list(Reason)]
    if unknown:
        raise StopRun(f"no reason is called {', '.join(unknown)}; known: {', '.join(Reason)}")
    return [Reason(name) for name in names]


def _show(store: Store, summary: Summary) -> None:
    name = summary.dataset
    results = store.ledger.results(name)
    artifacts.show_table(
        f"build-{name}-rejections", artifacts.rejections(results), "turned away, by reason"
    )
    artifacts.show_table(
        f"build-{name}-throughput", artifacts.throughput(results), "what each step cost"
    )
    facts = {
        "made": summary.made,
        "rejected": summary.rejected,
        "unfinished": summary.unfinished,
        "shards": len(summary.shards),
        "bytes": sum(shard.size_bytes for shard in summary.shards),
    }
    markdown = artifacts.page(name, facts, [artifacts.rejected_examples(results)])
    artifacts.show_page(f"build-{name}", markdown, "the dataset as it stands")


def parser(program: str, about: str) -> argparse.ArgumentParser:
    """The options that building and crawling share."""
    found = argparse.ArgumentParser(prog=f"python -m {program}", description=about)
    found.add_argument(
        "dataset", help=f"{', '.join(datasets.ALL)}, one of your own, or a recipe file"
    )
    found.add_argument("--root", help="data root, a folder or an fsspec url")
    found.add_argument("--runner", choices=RUNNERS, default="threads")
    found.add_argument("--address", help="of a running Dask or Ray cluster")
    found.add_argument("--workers", type=int, help="tasks at once on this machine")
    found.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="entries a task")
    found.add_argument(
        "--wait", action="store_true", help="wait where another command writes this dataset"
    )
    found.add_argument("--clip", help="short for --model clip=NAME")
    found.add_argument("--model", action="append", default=[], metavar="SLOT=NAME")
    found.add_argument(
        "--as", dest="way", default="", help="make it in another way: paper, released, default"
    )
    return found


def chosen_models(arguments: argparse.Namespace) -> dict[str, str]:
    """Slot to backend name out of ``--model`` and ``--clip``."""
    pairs = [text.partition("=")[::2] for text in arguments.model]
    if any(not slot or not name for slot, name in pairs):
        sys.exit("--model should look like SLOT=NAME, as in piano=transkun")
    return dict(pairs) | ({"clip": arguments.clip} if arguments.clip else {})


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser("flows.build", "Build a dataset with Prefect.")
    options.add_argument("--from", dest="folder", help="take in the recordings of this folder")
    options.add_argument("--patience", type=float, default=PATIENCE_S, help="seconds a step")
    options.add_argument(
        "--load-patience", type=float, default=LOADING_PATIENCE_S, help="seconds to load a model"
    )
    options.add_argument("--only", action="append", default=[], help="make these results alone")
    options.add_argument(
        "--retry", action="append", default=[], help="try again what this reason put aside"
    )
    options.add_argument("--shard-mb", type=int, help="size of a shard on average, in MiB")
    options.add_argument("--strict", action="store_true", help="stop at the first bug")
    given = options.parse_args(arguments)
    obey_signals()
    state = build(
        given.dataset,
        folder=given.folder,
        root=given.root,
        runner=given.runner,
        address=given.address,
        workers=given.workers,
        batch_size=given.batch_size,
        patience_s=given.patience,
        models=chosen_models(given),
        wait=given.wait,
        only=[name.strip() for text in given.only for name in text.split(",") if name.strip()],
        retry=given.retry,
        way=given.way,
        shard_mb=given.shard_mb,
        strict=given.strict,
        load_patience_s=given.load_patience,
        return_state=True,
    )
    return finish(state)


if __name__ == "__main__":
    # Workers must find the tasks under the module's own name, not under that of a program.
    from flows.build import main as run_main

    sys.exit(run_main())
