"""Build a dataset and freeze it as its next release, where anything has changed since the last."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from prefect import flow, get_run_logger
from prefect.client.schemas.objects import State
from prefect.states import Completed

from symmv_builder.api.dataset import open_dataset
from symmv_builder.api.options import HELP
from symmv_builder.api.publishing import Terms, check_releasable, is_to_be_copied, release_next
from symmv_builder.text import amount

from .build import BATCH_SIZE, build, parser, read_options
from .edge import whole_run
from .leaving import run_program


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
    about: str | None = None,
    commercial: bool = False,
    push: str = "",
    public: bool = False,
    to: list[str] | None = None,
) -> State[dict[str, Any]]:
    """Build, then freeze the shards under `version`; by default the last one's successor.

    What no build can make releasable stops it before the build. A version that stands already is
    copied to `push` and `to` as it is, and nothing is built.
    """
    handle = open_dataset(dataset, root, way=way, models=models)
    terms = Terms(Path(about) if about else None, commercial, push, public, tuple(to or ()))
    say = get_run_logger().info
    if not is_to_be_copied(handle.stored, handle.name, version, terms):
        check_releasable(
            handle.stored, handle.recipe, handle.plan(), version, terms=terms, tell=say
        )
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
    frozen = release_next(handle.store, handle.name, version, terms=terms, wait=wait, tell=say)
    if not frozen.is_new:
        message = f"{frozen.dataset} is as it was released: {frozen.version}"
        return Completed(message=message, data={"dataset": frozen.dataset, "version": None})
    entries = amount(frozen.entries, "entry")
    return Completed(
        message=f"{frozen.dataset} {frozen.version}: {entries} in {frozen.where}",
        data={"dataset": frozen.dataset, "version": frozen.version},
    )


def release_options() -> argparse.ArgumentParser:
    """Make the options that `python -m symmv_builder.flows.release` takes."""
    options = parser(__name__, "Build a dataset and release it, with Prefect.")
    options.add_argument("--version", help="three numbers; by default the last one's successor")
    options.add_argument("--about", help=HELP["about"])
    options.add_argument("--commercial", action="store_true", help=HELP["commercial"])
    options.add_argument("--push", default="", metavar="hf://OWNER/NAME", help=HELP["push"])
    options.add_argument("--public", action="store_true", help=HELP["public"])
    options.add_argument("--to", action="append", metavar="URL", help=HELP["to"])
    return options


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a release by the options of the command line; gives the exit code."""
    options = release_options()
    values, models = read_options(options, arguments)
    return run_program(
        release,
        values.dataset,
        version=values.version,
        root=values.root,
        runner=values.runner,
        address=values.address,
        workers=values.workers,
        batch_size=values.batch_size,
        models=models,
        wait=values.wait,
        way=values.way,
        about=values.about,
        commercial=values.commercial,
        push=values.push,
        public=values.public,
        to=values.to,
    )


if __name__ == "__main__":
    # Workers must find the tasks under the module's own name, not under that of a program.
    from .release import main as run_main

    sys.exit(run_main())
