"""Build a dataset as a flow: the same work as `symmv build`, given out as tasks.

    python -m symmv_builder.flows.build symmv --from recordings --runner dask --address tcp://host:8786

The flow's own process reads and writes the ledger and writes the shards; workers need the
data root, on a shared path or a bucket, and the models, and nothing else.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from symmv_builder.api import questions
from symmv_builder.api.dataset import Dataset, Summary, open_dataset
from symmv_builder.api.options import (
    HELP,
    PATIENCE_S,
    checked,
    in_words,
    models_of,
    names_of,
    reasons_of,
    size_bytes,
)
from symmv_builder.api.texts import taken_down
from symmv_builder.api.works import LOADING_PATIENCE_S, Plan, Run, Runner, Store, runner_here
from symmv_builder.errors import StopRun
from symmv_builder.settings import Settings, read_settings
from symmv_builder.text import amount, harmless

from . import artifacts, metrics
from .artifacts import Progress
from .batches import in_tasks
from .edge import RUNNERS, Place, whole_run
from .leaving import accounted, refusing, run_program
from .limits import set_up_limits

BATCH_SIZE = 16


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
    handle = open_dataset(dataset, root, way=way, models=models)
    place = Place(runner, address, workers)
    summary = build_with(
        handle,
        place,
        Path(folder) if folder else None,
        batch_size=batch_size,
        patience_s=patience_s,
        loading_patience_s=load_patience_s,
        only=only or (),
        retry=reasons_of(retry),
        shard_bytes=size_bytes(shard_mb),
        strict=strict,
        wait=wait,
    )
    line, plain = sentence(summary), asdict(summary)
    if summary.failed:
        return Completed(name="Failing", message=line, data=plain)
    if summary.unfinished:
        return Completed(name="Unfinished", message=f"{line}; the next run goes on", data=plain)
    return Completed(message=line, data=plain)


def sentence(summary: Summary) -> str:
    """Say in one line what a build made."""
    start = "nothing to do: " if summary.up_to_date else ""
    clips = f"; {summary.clips.text}" if summary.clips else ""
    failed = "".join(
        f"; THE PROGRAM IS AT FAULT in {each.where} for {amount(each.entries, 'entry')}, "
        f"for example {harmless(f'{each.example}: {each.detail}', 500)}"
        for each in summary.failed
    )
    removed = f"; {taken_down(summary.taken_down)}" if summary.taken_down else ""
    return (
        f"{start}{summary.dataset}: {summary.made} made, {summary.rejected} rejected, "
        f"{summary.unfinished} unfinished; {amount(len(summary.shards), 'shard')}"
        f"{clips}{removed}{failed}"
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
    """Build by tasks, within a flow's run, with its progress and its artifacts.

    `how` is handed on to `Dataset.build`.
    """
    logger = get_run_logger()
    name = dataset.name
    work = runner_of(
        dataset.settings,
        place,
        batch_size=batch_size,
        patience_s=patience_s,
        loading_patience_s=loading_patience_s,
    )
    with ExitStack() as opened:
        progress = opened.enter_context(Progress(f"build-{name}", f"entries of {name}", logger))

        def runner(plan: Plan, store: Store) -> Run:
            run = work(plan, store)
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
    settings: Settings,
    place: Place,
    *,
    batch_size: int,
    patience_s: float,
    loading_patience_s: float = LOADING_PATIENCE_S,
) -> Runner:
    """Choose who does the works of a plan: processes of this machine, or tasks at a place."""
    check_numbers(batch_size, patience_s, loading_patience_s)
    tell = artifacts.log_events(get_run_logger())

    def run(plan: Plan, store: Store) -> Run:
        set_up_limits()
        if place.runner == "local":
            return runner_here(
                settings,
                workers=place.at_once,
                patience_s=patience_s,
                load_patience_s=loading_patience_s,
                tell=tell,
            )(plan, store)
        return in_tasks(
            plan,
            store,
            settings,
            place,
            batch_size=batch_size,
            patience_s=patience_s,
            loading_patience_s=loading_patience_s,
        )

    return run


def check_numbers(batch_size: int, patience_s: float, loading_patience_s: float) -> None:
    """Check the numbers of a build; `StopRun` for one that is too small."""
    if batch_size < 1:
        raise StopRun(f"a batch has at least one entry, not {batch_size}")
    checked("patience", patience_s)
    checked("load-patience", loading_patience_s)


def _show(store: Store, summary: Summary) -> None:
    name = summary.dataset
    results = store.ledger.results(name)
    artifacts.show_table(
        f"build-{name}-rejections", questions.rejections(results), "turned away, by reason"
    )
    artifacts.show_table(
        f"build-{name}-throughput", questions.throughput(results), "what each step cost"
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


def parser(module: str, about: str) -> argparse.ArgumentParser:
    """Make the parser of options that building and crawling share.

    `module` is the one that is run.
    """
    options = argparse.ArgumentParser(prog=f"python -m {module}", description=about)
    options.add_argument("dataset", help=HELP["dataset"])
    options.add_argument("--root", help=HELP["root"])
    options.add_argument("--runner", default="threads", help=f"{in_words(RUNNERS)}")
    options.add_argument("--address", help="of a running Dask or Ray cluster")
    options.add_argument("--workers", type=int, help="tasks at once on this machine")
    options.add_argument("--batch-size", type=int, default=BATCH_SIZE, help="entries a task")
    options.add_argument("--wait", action="store_true", help=HELP["wait"])
    options.add_argument("--clip", help=HELP["clip"])
    options.add_argument(
        "--model", action="append", default=[], metavar="SLOT=NAME", help=HELP["model"]
    )
    options.add_argument("--as", dest="way", default="", help=HELP["as"])
    metrics.add_option(options)
    return options


def read_options(
    options: argparse.ArgumentParser,
    arguments: Sequence[str] | None,
    check: Callable[[argparse.Namespace, Dataset], object] = lambda values, dataset: None,
) -> tuple[argparse.Namespace, dict[str, str]]:
    """Read the options and the models that they choose; what cannot be done ends the program.

    All that needs no server of Prefect's is checked before one is started, which takes ten seconds:
    the dataset, the place of work, and what `check` looks at. Metrics are exported from here on,
    where they were asked for.
    """
    values = options.parse_args(arguments)
    with refusing(options):
        models = models_of(values.model, values.clip)
        if "only" in values:
            values.only = list(names_of(values.only))
        if "retry" in values:
            reasons_of(values.retry)
        place = Place(values.runner, values.address, values.workers)
        check_numbers(
            values.batch_size,
            getattr(values, "patience", PATIENCE_S),
            getattr(values, "load_patience", LOADING_PATIENCE_S),
        )
        check(values, open_dataset(values.dataset, values.root, way=values.way, models=models))
        place.check_answers()
        metrics.export_if_asked(read_settings(root=values.root), values.metrics_port)
    return values, models


def build_options() -> argparse.ArgumentParser:
    """Make the options that `python -m flows.build` takes."""
    options = parser(__name__, "Build a dataset with Prefect.")
    options.add_argument("--from", dest="folder", help=HELP["from"])
    options.add_argument("--patience", type=float, default=PATIENCE_S, help=HELP["patience"])
    options.add_argument(
        "--load-patience", type=float, default=LOADING_PATIENCE_S, help=HELP["load-patience"]
    )
    options.add_argument("--only", action="append", default=[], help=HELP["only"])
    options.add_argument("--retry", action="append", metavar="REASON", help=HELP["retry"])
    options.add_argument("--shard-mb", type=int, help=HELP["shard-mb"])
    options.add_argument("--strict", action="store_true", help=HELP["strict"])
    return options


def _check(values: argparse.Namespace, dataset: Dataset) -> None:
    size_bytes(values.shard_mb)
    if values.folder:
        dataset.find(Path(values.folder))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a build by the options of the command line; gives the exit code."""
    options = build_options()
    values, models = read_options(options, arguments, _check)
    return run_program(
        build,
        values.dataset,
        folder=values.folder,
        root=values.root,
        runner=values.runner,
        address=values.address,
        workers=values.workers,
        batch_size=values.batch_size,
        patience_s=values.patience,
        models=models,
        wait=values.wait,
        only=values.only,
        retry=values.retry,
        way=values.way,
        shard_mb=values.shard_mb,
        strict=values.strict,
        load_patience_s=values.load_patience,
    )


if __name__ == "__main__":
    # Workers must find the tasks under the module's own name, not under that of a program.
    from .build import main as run_main

    sys.exit(run_main())
