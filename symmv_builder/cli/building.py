"""`symmv build` and `symmv demo`: the main job."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.api.dataset import Dataset, Summary, open_dataset
from symmv_builder.api.options import PATIENCE_S, models_of, names_of, reasons_of, size_bytes
from symmv_builder.api.texts import taken_down
from symmv_builder.api.works import LOADING_PATIENCE_S
from symmv_builder.cli import options
from symmv_builder.cli.hints import command
from symmv_builder.cli.saying import complain, say
from symmv_builder.report.progress import Progress
from symmv_builder.text import amount, harmless


def register(app: typer.Typer) -> None:
    app.command(name="build")(build_command)


def build_command(
    dataset: options.Dataset,
    folder: options.Folder = None,
    root: options.Root = None,
    clip: options.Clip = None,
    model: options.Models = None,
    workers: options.Workers = None,
    patience: options.Patience = PATIENCE_S,
    load_patience: options.LoadPatience = LOADING_PATIENCE_S,
    retry: options.Retry = None,
    only: options.Only = None,
    strict: options.Strict = False,
    wait: options.Wait = False,
    way: options.Way = "",
    shard_mb: options.ShardMb = None,
    dry: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be made and why; make nothing.")
    ] = False,
    as_json: options.AsJson = False,
) -> None:
    """Build a dataset: every entry through every stage, then Parquet shards.

    DATASET is a name, or a recipe file that ends in .toml. How a dataset is made, models included,
    is remembered in its root and holds for every later command. Can be stopped at any moment and
    run again: finished work is found, not repeated. An imported dataset is built on: --from takes
    in recordings by the ids of its entries.
    """
    opened = open_dataset(dataset, root, way=way, models=models_of(model, clip))
    if dry:
        print_dry_run(opened, folder, names_of(only), as_json=as_json)
        return
    summary = build_with_progress(
        opened,
        folder,
        only=names_of(only),
        workers=workers or 0,
        patience_s=patience,
        load_patience_s=load_patience,
        shard_bytes=size_bytes(shard_mb),
        retry=reasons_of(retry),
        strict=strict,
        wait=wait,
    )
    print_summary(summary, opened.settings.root)
    if summary.unfinished or summary.failed:
        raise typer.Exit(1)


def build_with_progress(
    dataset: Dataset, folder: Path | None, *, only: Sequence[str] = (), **how: Any
) -> Summary:
    """Build with a table of progress on standard error; `how` is handed on to `Dataset.build`."""
    with Progress(dataset.results_of(only)) as progress:
        return dataset.build(
            folder,
            only=only,
            tell=progress.on_event,
            expect=lambda total, settled: progress.expect(total, settled=settled),
            **how,
        )


def print_dry_run(
    dataset: Dataset, folder: Path | None, only: Sequence[str], *, as_json: bool
) -> None:
    """Print what a build would do; of a folder, how many of its recordings are new."""
    plan = dataset.dry_run(only)
    new = dataset.new_recordings(folder) if folder else 0
    if as_json:
        sys.stdout.write(json.dumps({**asdict(plan), "new_files": new}) + "\n")
        return
    say(
        f"{plan.dataset}: {amount(plan.entries, 'entry')}, {plan.settled} finished, "
        f"{plan.without_recordings} without recordings"
    )
    for change in plan.changes:
        say(f"{plan.dataset} would be made in another way: {change}")
    if plan.taken_down:
        say(taken_down(plan.taken_down))
    if folder:
        say(f"{amount(new, 'recording')} of {folder} would be taken in")
    for cause in plan.causes:
        say(f"{cause.entries} to make: {cause.reason}")
    if plan.steps:
        steps = ", ".join(f"{name} {count}" for name, count in plan.steps.items())
        say(f"results to make: {steps}")
        say(f"about {plan.seconds:.0f} s of work and {plan.shard_bytes / 1e6:.1f} MB of shards")
    if plan.unknown:
        say(f"never made here, so not in the time: {', '.join(plan.unknown)}")


def print_summary(summary: Summary, root: str) -> None:
    """Print what a build made: counts, shards, missing columns and failures."""
    if summary.up_to_date:
        say(f"nothing to do: {summary.dataset} is up to date")
    size = sum(shard.size_bytes for shard in summary.shards) / 1e6
    say(
        f"{summary.dataset}: {summary.made} made, {summary.rejected} rejected, "
        f"{summary.unfinished} unfinished; {amount(len(summary.shards), 'shard')}, {size:.1f} MB "
        f"in {root.rstrip('/')}/{summary.dataset}/shards"
    )
    if summary.clips:
        say(summary.clips.text)
    if summary.taken_down:
        say(taken_down(summary.taken_down))
    if summary.missing:
        total = len(summary.columns) + len(summary.missing)
        say(f"{len(summary.columns)} of {total} columns; without {', '.join(summary.missing)}")
    mended = f"{command('verify', summary.dataset, '--repair')} mends it"
    if summary.lacking:
        taken_in = f"{command('build', summary.dataset, '--from', 'FOLDER')} takes it in"
        lack = "lacks" if summary.lacking == 1 else "lack"
        complain(
            f"{summary.lacking} of the unfinished entries {lack} a recording: {taken_in}; where it "
            f"was there, {mended}"
        )
    if summary.unfinished > summary.lacking:
        complain(
            f"{amount(summary.unfinished - summary.lacking, 'entry')} unfinished: run the same "
            f"command again; where a recording or a result is damaged, {mended}"
        )
    _print_failures(summary)


def _print_failures(summary: Summary) -> None:
    """Say loudly where the program is at fault: nobody reads of it among the rejections."""
    if not summary.failed:
        return
    entries = sum(failures.entries for failures in summary.failed)
    complain(f"THE PROGRAM IS AT FAULT for {entries} of the rejected entries, and not they")
    for each in summary.failed:
        example = harmless(f"{each.example}: {each.detail}", 600)
        complain(f"{each.where}: {each.entries} failed, for example {example}")
    makers = sorted({each.package or "symmv-builder" for each in summary.failed})
    why = command("why", summary.failed[0].example, "--dataset", summary.dataset)
    complain(
        f"please report it to the makers of {', '.join(makers)}, with what {why} shows; another "
        "version of the program tries them again by itself, --retry failed does it now"
    )
