"""`symmv build` and `symmv demo`: the main job."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from symmv_builder import datasets
from symmv_builder.backends import Loader
from symmv_builder.cli import options
from symmv_builder.cli.saying import complain, say
from symmv_builder.crawl.folder import Found, find_entries
from symmv_builder.datasets import changes
from symmv_builder.datasets.build import Summary, build, forgive, in_processes, take_in
from symmv_builder.datasets.dry_run import dry_run
from symmv_builder.datasets.recipe import Recipe, make_plan, make_whole_plan, with_models
from symmv_builder.errors import Reason, StopRun
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.pool import LOADING_PATIENCE_S, Effort
from symmv_builder.report.progress import Progress
from symmv_builder.settings import Settings
from symmv_builder.storage.store import Store
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

    Can be stopped at any moment and run again: finished work is found, not repeated. An
    imported dataset is built on: --from takes in recordings by the ids of its entries.
    """
    settings = options.settings(root)
    recipe = with_models(recipe_in(settings, dataset), options.choices(model, clip))
    if dry:
        print_dry_run(recipe, settings, folder, names(only), as_json=as_json)
        return
    effort = Effort(
        workers or options.default_workers(), patience, loading_patience_s=load_patience
    )
    with ending_on_interrupt(), writing(settings.open_store(), recipe.name, wait=wait):
        forgive_and_tell(settings, recipe, retry)
        summary = run_build(
            recipe, settings, folder, effort, names(only), shard_mb=shard_mb, strict=strict
        )
    print_summary(summary, settings.root)
    if summary.unfinished or summary.failed:
        raise typer.Exit(1)


def writing(store: Store, dataset: str, *, wait: bool) -> AbstractContextManager[object]:
    """The whole command as one writer of the dataset."""
    return changes.writing(store, dataset, wait=wait, tell=complain)


def names(texts: list[str] | None) -> tuple[str, ...]:
    """Names out of an option that takes several, with commas or repeated."""
    return tuple(name.strip() for text in texts or () for name in text.split(",") if name.strip())


def recipe_in(settings: Settings, dataset: str) -> Recipe:
    """The recipe of a dataset, an imported one as the last import left it."""
    if dataset not in datasets.IMPORTED:
        return datasets.recipe(dataset)
    from symmv_builder.datasets import imports

    store = settings.open_store(read_only=True)
    return imports.recipe(dataset, imports.read_options(store.manifests, dataset))


def forgive_and_tell(settings: Settings, recipe: Recipe, reasons: list[Reason] | None) -> None:
    if reasons:
        count = forgive(settings.open_store(), recipe.name, reasons)
        complain(f"{count} entries are tried again")


@contextmanager
def ending_on_interrupt() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(
            "\nsymmv: interrupted; finished work is kept, run the same command to go on\n"
        )
        raise typer.Exit(130) from None


def run_build(
    recipe: Recipe,
    settings: Settings,
    folder: Path | None,
    effort: Effort,
    only: Sequence[str] = (),
    *,
    shard_mb: int | None = None,
    strict: bool = False,
) -> Summary:
    """Take a folder in, if one is given, and build; shows progress on standard error."""
    store = settings.open_store() if recipe.name in datasets.IMPORTED else None
    found = _find(recipe, folder, store) if folder else None
    plan = make_plan(recipe, settings.home, only)
    store = store or settings.open_store()
    for path in found.unpaired if found else ():
        complain(f"{path} has no partner and is left out")
    for line in found.left_out if found else ():
        complain(f"left out: {line}")
    with Progress([use.makes for use in plan.uses]) as progress:
        if found:
            take_in(store, found, recipe.name, progress.on_event)
        return build_plan(
            recipe, plan, store, settings, effort, progress, shard_mb=shard_mb, strict=strict
        )


def _find(recipe: Recipe, folder: Path, store: Store | None) -> Found:
    if store is None:
        return find_entries(folder, recipe.name, pairs=recipe.pairs)
    from symmv_builder.datasets import imports

    return imports.find_media(folder, recipe, store)


def build_plan(
    recipe: Recipe,
    plan: Plan,
    store: Store,
    settings: Settings,
    effort: Effort,
    progress: Progress,
    *,
    shard_mb: int | None = None,
    strict: bool = False,
) -> Summary:
    """Build what a plan says, with progress; a plan of a part sees what stands of the whole."""
    loader, tell = Loader(settings.home), progress.on_event
    is_part = len(plan.uses) < len(recipe.uses)
    return build(
        recipe,
        plan,
        store,
        in_processes(plan, store, loader, effort=effort, tell=tell),
        whole=make_whole_plan(recipe, settings.home) if is_part else None,
        shard_bytes=shard_mb * 2**20 if shard_mb else None,
        tell=tell,
        expect=lambda total, settled: progress.expect(total, settled=settled),
        strict=strict,
    )


def print_dry_run(
    recipe: Recipe,
    settings: Settings,
    folder: Path | None,
    only: Sequence[str],
    *,
    as_json: bool,
) -> None:
    """Print what a build would do; of a folder, how many of its recordings are new."""
    plan, store = make_plan(recipe, settings.home, only), settings.open_store(read_only=True)
    is_part = len(plan.uses) < len(recipe.uses)
    whole = make_whole_plan(recipe, settings.home) if is_part else None
    found = dry_run(recipe, plan, store, whole)
    new = 0
    if folder:
        imported = store if recipe.name in datasets.IMPORTED else None
        known = store.ledger.assets()
        files = _find(recipe, folder, imported).files
        new = sum((source.site, source.video_id) not in known for source in files)
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
