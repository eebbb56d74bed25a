"""`symmv build` and `symmv demo`: the main job."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder import datasets
from symmv_builder.backends import Loader
from symmv_builder.cli import options
from symmv_builder.crawl.folder import find_entries
from symmv_builder.datasets.build import Summary, build, forgive, in_processes, take_in
from symmv_builder.datasets.recipe import Recipe, make_plan, with_models
from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.pool import Effort
from symmv_builder.report.progress import Progress
from symmv_builder.settings import Settings

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
    retry: Annotated[
        list[Reason] | None,
        typer.Option(help="Try again what was put aside for this reason. May be repeated."),
    ] = None,
) -> None:
    """Build a dataset: every entry through every stage, then Parquet shards.

    Can be stopped at any moment and run again: finished work is found, not repeated.
    """
    recipe = with_models(datasets.recipe(dataset), options.choices(model, clip))
    effort = Effort(workers or options.default_workers(), patience)
    settings = options.settings(root)
    if retry:
        count = forgive(settings.open_store(), recipe.name, retry)
        sys.stderr.write(f"symmv: {count} entries are tried again\n")
    summary = interruptible(recipe, settings, folder, effort)
    _print_summary(summary, settings.root)
    if summary.unfinished:
        raise typer.Exit(1)


def interruptible(
    recipe: Recipe, settings: Settings, folder: Path | None, effort: Effort
) -> Summary:
    """Build, and turn Ctrl-C into one line and exit code 130."""
    try:
        return run_build(recipe, settings, folder, effort)
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nsymmv: interrupted; finished work is kept, run the same command to go on\n"
        )
        raise typer.Exit(130) from None


def run_build(recipe: Recipe, settings: Settings, folder: Path | None, effort: Effort) -> Summary:
    """Take a folder in, if one is given, and build; shows progress on standard error."""
    found = find_entries(folder, recipe.name, pairs=recipe.pairs) if folder else None
    plan = make_plan(recipe, settings.home)
    store = settings.open_store()
    for path in found.unpaired if found else ():
        sys.stderr.write(f"symmv: {path} has no partner and is left out\n")
    with Progress([use.makes for use in recipe.uses]) as progress:
        if found:
            take_in(store, found, recipe.name, progress.on_event)
        loader, tell = Loader(settings.home), progress.on_event
        return build(
            recipe,
            plan,
            store,
            in_processes(plan, store, loader, effort=effort, tell=tell),
            tell=tell,
            expect=lambda total, settled: progress.expect(total, settled=settled),
        )


def _print_summary(summary: Summary, root: str) -> None:
    if summary.up_to_date:
        sys.stdout.write(f"nothing to do: {summary.dataset} is up to date\n")
    size = sum(shard.size_bytes for shard in summary.shards) / 1e6
    sys.stdout.write(
        f"{summary.dataset}: {summary.made} made, {summary.rejected} rejected, "
        f"{summary.unfinished} unfinished; {len(summary.shards)} shards, {size:.1f} MB in "
        f"{root.rstrip('/')}/{summary.dataset}/shards\n"
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
