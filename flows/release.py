"""Build a dataset and freeze it as its next release, where anything has changed since the last."""

import sys
from collections.abc import Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.build import BATCH_SIZE, build, parser, read_options
from flows.edge import whole_run
from flows.leaving import finish, obey_signals
from symmv_builder.api.dataset import open_dataset
from symmv_builder.api.publishing import check_releasable, release_next


@flow(name="release", persist_result=False)
@whole_run
def release(
    dataset: str,
    version: str | None = None,
    root: str | None = None,
    runner: str = "threads",
    address: str | None = None,
    workers: int | None = None,
    batch_size: int = BATCH_SIZE,
    models: dict[str, str] | None = None,
    wait: bool = False,
    way: str = "",
) -> State[dict[str, Any]]:
    """Build, then freeze the shards under `version`; by default the last one's successor.

    What no build can make releasable stops it before the build.
    """
    found = open_dataset(dataset, root, way=way, models=models)
    check_releasable(found.stored, found.plan(), version)
    build(
        dataset,
        root=root,
        runner=runner,
        address=address,
        workers=workers,
        batch_size=batch_size,
        models=models,
        wait=wait,
        way=way,
    )
    done = release_next(found.store, found.name, version, wait=wait)
    if not done.is_new:
        message = f"{done.dataset} is as it was released: {done.version}"
        return Completed(message=message, data={"dataset": done.dataset, "version": None})
    return Completed(
        message=f"{done.dataset} {done.version}: {done.entries} entries in {done.where}",
        data={"dataset": done.dataset, "version": done.version},
    )


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser("flows.release", "Build a dataset and release it, with Prefect.")
    options.add_argument("--version", help="three numbers; by default the last one's successor")
    given, models = read_options(options, arguments)
    obey_signals()
    state = release(
        given.dataset,
        version=given.version,
        root=given.root,
        runner=given.runner,
        address=given.address,
        workers=given.workers,
        batch_size=given.batch_size,
        models=models,
        wait=given.wait,
        way=given.way,
        return_state=True,
    )
    return finish(state)


if __name__ == "__main__":
    # Workers must find the tasks under the module's own name, not under that of a program.
    from flows.release import main as run_main

    sys.exit(run_main())
