"""Build a dataset and freeze it as its next release, where anything has changed since the last."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.build import BATCH_SIZE, build, chosen_models, parser
from flows.edge import whole_run
from flows.leaving import finish, obey_signals
from symmv_builder.api.dataset import Dataset, open_dataset
from symmv_builder.datasets.release import release as freeze
from symmv_builder.errors import StopRun
from symmv_builder.storage.releases import (
    check_version,
    find_releases,
    folder_of,
    next_version,
    numbers_of,
)
from symmv_builder.storage.shards import read_receipt


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
    check_releasable(found, version)
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
    dataset, store = found.name, found.store
    built = read_receipt(store.root, dataset) or {}
    released = find_releases(store, dataset)
    same = [name for name, old in released.items() if _contents(old) == _contents(built)]
    if same and version is None:
        message = f"{dataset} is as it was released: {max(same, key=numbers_of)}"
        return Completed(message=message, data={"dataset": dataset, "version": None})
    receipt = freeze(store, dataset, version or next_version(list(released)), wait=wait)
    where = store.root.path(folder_of(dataset, receipt["version"]))
    return Completed(
        message=f"{dataset} {receipt['version']}: {receipt['entries']} entries in {where}",
        data={"dataset": dataset, "version": receipt["version"]},
    )


def _contents(receipt: Mapping[str, Any]) -> set[str]:
    """The sha256 of each shard of a receipt."""
    return {shard["sha256"] for shard in receipt.get("shards", [])}


def check_releasable(found: Dataset, version: str | None) -> None:
    """`StopRun` for a version that is none or is taken, and for models that are not trained."""
    dataset, plan = found.name, found.plan()
    untrained = sorted(name for (_, name), model in plan.models.items() if not model.trained)
    if untrained:
        raise StopRun(
            f"{dataset} would be made with {', '.join(untrained)}, which is not trained: its "
            "features mean nothing and are not released; choose trained weights"
        )
    if version is not None:
        check_version(version)
        if version in find_releases(found.stored, dataset):
            raise StopRun(f"{dataset} {version} is released already and never changes; raise it")


def main(arguments: Sequence[str] | None = None) -> int:
    options = parser("flows.release", "Build a dataset and release it, with Prefect.")
    options.add_argument("--version", help="three numbers; by default the last one's successor")
    given = options.parse_args(arguments)
    obey_signals()
    state = release(
        given.dataset,
        version=given.version,
        root=given.root,
        runner=given.runner,
        address=given.address,
        workers=given.workers,
        batch_size=given.batch_size,
        models=chosen_models(given),
        wait=given.wait,
        way=given.way,
        return_state=True,
    )
    return finish(state)


if __name__ == "__main__":
    # Workers must find the tasks under the module's own name, not under that of a program.
    from flows.release import main as run_main

    sys.exit(run_main())
