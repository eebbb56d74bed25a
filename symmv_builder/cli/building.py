"""`symmv build` and `symmv demo`: the main job."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from symmv_builder.api import dataset as dataset_api
from symmv_builder.api.dataset import Dataset
from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.datasets.build import Summary
from symmv_builder.datasets.recipe import Recipe, make_plan, with_models
from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.pool import LOADING_PATIENCE_S, Effort
from symmv_builder.report.progress import Progress
from symmv_builder.settings import Settings
from symmv_builder.text import harmless

Patience = Annotated[
    float, typer.Option(min=0.001, help="Longest that one step may take on one entry, in seconds.")
]


def register(app: typer.Typer) -> None:
    app.command(name="build")(build_command)
    app.command()(demo)


def build_command(
    dataset: options.Dataset,
    folder: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Take in the recordings of this folder first. SymMV: pairs, as pairs.csv with "
            "columns music,video; or folders covers/ and videos/ with equal names; or "
            "NAME.cover.EXT and NAME.video.EXT. MuVi-Sync: videos with sound.",
            show_default=False,
        ),
    ] = None,
    root: options.Root = None,
    clip: options.Clip = None,
    model: options.Models = None,
    workers: options.Workers = None,
    patience: Patience = 1800.0,
    load_patience: options.LoadPatience = LOADING_PATIENCE_S,
    retry: Annotated[
        list[Reason] | None,
        typer.Option(help="Try again what was put aside for this reason. May be repeated."),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Make only these results (as `symmv status` names them) and what they are made "
            "of: names with commas between them, or repeated. Shards then hold the entries that "
            "have them, with every column that all of these entries have.",
            show_default=False,
        ),
    ] = None,
    strict: options.Strict = False,
    wait: options.Wait = False,
    way: options.Way = "",
    shard_mb: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Size of a shard on average, in MiB before compression; 256 at first, then as "
            "the last build was told.",
            show_default=False,
        ),
    ] = None,
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
    found = dataset_api.open_dataset(dataset, root, way=way, models=options.choices(model, clip))
    if dry:
        print_dry_run(found, folder, names(only), as_json=as_json)
        return
    effort = Effort(
        workers or options.default_workers(), patience, loading_patience_s=load_patience
    )
    with ending_on_interrupt():
        summary = build_with_progress(
            found,
            folder,
            only=names(only),
            effort=effort,
            shard_bytes=shard_mb * 2**20 if shard_mb else None,
            retry=retry or (),
            strict=strict,
            wait=wait,
        )
    print_summary(summary, found.settings.root)
    if summary.unfinished or summary.failed:
        raise typer.Exit(1)


def build_with_progress(
    dataset: Dataset, folder: Path | None, *, only: Sequence[str] = (), **how: Any
) -> Summary:
    """Build with a table of progress on standard error; `how` is handed on to `Dataset.build`."""
    uses = dataset.recipe.needed_for(only)
    with Progress([use.makes for use in uses]) as progress:
        return dataset.build(
            folder,
            only=only,
            tell=progress.on_event,
            expect=lambda total, settled: progress.expect(total, settled=settled),
            **how,
        )


def names(texts: list[str] | None) -> tuple[str, ...]:
    """Names out of an option that takes several, with commas or repeated."""
    return tuple(name.strip() for text in texts or () for name in text.split(",") if name.strip())


@contextmanager
def ending_on_interrupt() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nsymmv: interrupted; finished work is kept, run the same command to go on\n"
        )
        raise typer.Exit(130) from None


def print_dry_run(
    dataset: Dataset, folder: Path | None, only: Sequence[str], *, as_json: bool
) -> None:
    """Print what a build would do; of a folder, how many of its recordings are new."""
    found = dataset.dry_run(only)
    new = dataset.new_recordings(folder) if folder else 0
    if as_json:
        sys.stdout.write(json.dumps({**asdict(found), "new_files": new}) + "\n")
        return
    say(
        f"{found.dataset}: {found.entries} entries, {found.settled} finished, "
        f"{found.without_recordings} without recordings"
    )
    if folder:
        say(f"{new} recordings of {folder} would be taken in")
    for cause in found.causes:
        say(f"{cause.entries} to make: {cause.reason}")
    if found.steps:
        steps = ", ".join(f"{name} {count}" for name, count in found.steps.items())
        say(f"results to make: {steps}")
        say(f"about {found.seconds:.0f} s of work and {found.shard_bytes / 1e6:.1f} MB of shards")
    if found.unknown:
        say(f"never made here, so not in the time: {', '.join(found.unknown)}")


def print_summary(summary: Summary, root: str) -> None:
    if summary.up_to_date:
        say(f"nothing to do: {summary.dataset} is up to date")
    size = sum(shard.size_bytes for shard in summary.shards) / 1e6
    say(
        f"{summary.dataset}: {summary.made} made, {summary.rejected} rejected, "
        f"{summary.unfinished} unfinished; {len(summary.shards)} shards, {size:.1f} MB in "
        f"{root.rstrip('/')}/{summary.dataset}/shards"
    )
    if summary.missing:
        total = len(summary.columns) + len(summary.missing)
        say(f"{len(summary.columns)} of {total} columns; without {', '.join(summary.missing)}")
    _print_failures(summary)


def _print_failures(summary: Summary) -> None:
    """Say loudly where the program is at fault: nobody reads of it among the rejections."""
    if not summary.failed:
        return
    entries = sum(failures.entries for failures in summary.failed)
    complain(f"THE PROGRAM IS AT FAULT for {entries} of the rejected entries, and not they")
    for each in summary.failed:
        said = harmless(f"{each.example}: {each.detail}", 600)
        complain(f"{each.step}: {each.entries} failed, for example {said}")
    complain(
        f"please report it with what `symmv why {summary.failed[0].example}` shows; another "
        "version of the program tries them again by itself, --retry failed does it now"
    )


def demo(
    out: Annotated[Path, typer.Option(help="Where everything goes.")] = Path("demo-output"),
    workers: options.Workers = None,
) -> None:
    """Make media, crawl a loopback site of them, build both datasets, show what was made."""
    from symmv_builder.cli.demonstration import demonstrate

    try:
        demonstrate(out, Effort(workers or options.default_workers()))
    except KeyboardInterrupt:
        sys.stderr.write("\nsymmv: interrupted; run the same command to go on\n")
        raise typer.Exit(130) from None


def trained_or_not(recipe: Recipe, settings: Settings) -> tuple[Recipe, str]:
    """The recipe with its own CLIP or, where that cannot be had, the untrained one and why.

    For the demo alone: a build of a person's own files stops instead.
    """
    try:
        make_plan(recipe, settings.home)
    except StopRun as error:
        untrained = with_models(recipe, {"clip": "untrained"})
        make_plan(untrained, settings.home)
        return untrained, str(error)
    return recipe, ""
