"""A dataset in a data root, bound to the recipe that it is made by.

Command line and flows parse what they were told, call this, and show what it gives: so they make
the same bytes and refuse in the same words.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from symmv_builder.api import building, correcting, jams, media, publishing, reporting
from symmv_builder.api.building import FolderContents
from symmv_builder.api.correcting import Corrected, Correction
from symmv_builder.api.crawl import CrawlEnd, Recording, open_crawl, promote, review
from symmv_builder.api.devices import check_device
from symmv_builder.api.entry import StoredEntry, stored_entry
from symmv_builder.api.media import MediaSummary
from symmv_builder.api.options import checked
from symmv_builder.api.publishing import ExportSummary, Takedown
from symmv_builder.api.questions import NoEntry, StepOutcome, why
from symmv_builder.api.reporting import Report, Statistics
from symmv_builder.api.split_rows import Rows, open_rows
from symmv_builder.api.works import LOADING_PATIENCE_S, PATIENCE_S, Runner, runner_here
from symmv_builder.datasets import dry_run, questions, remembered
from symmv_builder.datasets.build import Summary
from symmv_builder.datasets.build import take_in as take_in_folder
from symmv_builder.datasets.recipe import Recipe, make_plan, make_whole_plan
from symmv_builder.datasets.verify import CheckCounts, Problem, verify
from symmv_builder.errors import NoEntries, Reason, StopRun
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.keys import Plan
from symmv_builder.pipeline.run import Tell
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage import manifests
from symmv_builder.storage.store import Store

__all__ = ["Dataset", "Problem", "Recipe", "Summary", "open_dataset"]


def _silent(_: Event) -> None:
    return None


class Dataset:
    """A recipe and the data root that `settings` name; nothing is opened until it is needed.

    Examples:
        >>> dataset = sb.open_dataset("midi", root="data")
        >>> len(dataset), dataset.status().made
        (10, 10)
        >>> [entry.entry_id for entry in dataset][:2]
        ['song0', 'song1']
    """

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.recipe, self.settings = recipe, settings
        self._plans: dict[tuple[str, ...], Plan] = {}

    @property
    def name(self) -> str:
        """What the dataset is called in its root."""
        return self.recipe.name

    @property
    def is_imported(self) -> bool:
        """Whether its entries are those of a published release."""
        return bool(self.recipe.release) or remembered.is_import(self.stored.manifests, self.name)

    @cached_property
    def store(self) -> Store:
        """The root with manifests and ledger, made where they are missing."""
        return self.settings.open_store()

    @property
    def stored(self) -> Store:
        """The root for reading, as it is now: nothing is made or written."""
        return self.settings.open_store(read_only=True)

    def plan(self, only: Sequence[str] = ()) -> Plan:
        """Plan what a build makes, all or `only` some results.

        `StopRun` where a model is missing.
        """
        key = tuple(only)
        if key not in self._plans:
            self._plans[key] = make_plan(self.recipe, self.settings.home, key)
        return self._plans[key]

    def whole(self, plan: Plan) -> Plan | None:
        """Plan all of the recipe that has a key here, beside a plan that makes a part of it."""
        is_part = len(plan.uses) < len(self.recipe.uses)
        return make_whole_plan(self.recipe, self.settings.home) if is_part else None

    def results_of(self, only: Sequence[str] = ()) -> list[str]:
        """Name what a build makes, all or what `only` some results take, in its order."""
        return [use.makes for use in self.recipe.needed_for(only)]

    def find(self, folder: Path) -> FolderContents:
        """Find the entries and recordings that a folder holds for this dataset.

        Of an imported dataset the recordings of its own entries, by their ids. `StopRun` where
        there are none.
        """
        return building.recordings_in(folder, self.recipe, self.stored)

    def build(
        self,
        folder: str | Path | None = None,
        *,
        only: Sequence[str] = (),
        workers: int = 0,
        patience_s: float = PATIENCE_S,
        load_patience_s: float = LOADING_PATIENCE_S,
        runner: Runner | None = None,
        shard_bytes: int | None = None,
        retry: Sequence[Reason] = (),
        strict: bool = False,
        wait: bool = False,
        tell: Tell = _silent,
        expect: Callable[[int, int], object] = lambda total, settled: None,
    ) -> Summary:
        """Take in a folder, if one is given, bring every entry to its end, and write the shards.

        `runner` does the work, by default processes of this machine: `workers` of them, or one a
        core; `patience_s` and `load_patience_s` are those of `api.works.runner_here`.
        What was put aside for a reason of `retry` is tried again. How the dataset is made is
        remembered in its root; what changes in it is told before anything is made anew. Other
        arguments and errors are those of `datasets.build.build`.
        """
        contents = self.find(Path(folder)) if folder else None
        plan = self.plan(only)
        if contents:
            building.tell_left_out(contents, tell)
        elif not manifests.has_entries(self.stored.manifests, self.name):
            # Refused before a root is made or a recipe remembered.
            raise NoEntries(self.name, self.stored.root.shown, is_imported=self.is_imported)

        if runner is None and plan.models:
            check_device(self.settings.home.device)

        def add_entries(store: Store) -> None:
            if contents:
                take_in_folder(store, contents, self.name, tell)

        runner = runner or runner_here(
            self.settings,
            workers=workers,
            patience_s=patience_s,
            load_patience_s=load_patience_s,
            tell=tell,
        )
        return building.build_as_writer(
            self.recipe,
            plan,
            self.store,
            runner,
            add_entries,
            whole=self.whole(plan),
            shard_bytes=shard_bytes,
            retry=retry,
            strict=strict,
            wait=wait,
            tell=tell,
            expect=expect,
        )

    def import_release(
        self,
        tree: Any,
        *,
        workers: int = 0,
        patience_s: float = PATIENCE_S,
        load_patience_s: float = LOADING_PATIENCE_S,
        retry: Sequence[Reason] = (),
        strict: bool = False,
        wait: bool = False,
        tell: Tell = _silent,
        expect: Callable[[int, int], object] = lambda total, settled: None,
    ) -> Summary:
        """Take in what `imports.scan` found of a release and make all that needs no recordings."""
        from symmv_builder.datasets import imports
        from symmv_builder.datasets.imports.take_in import take_in as take_in_release

        plan = self.plan(imports.artifacts(self.recipe))
        if plan.models:
            check_device(self.settings.home.device)
        runner = runner_here(
            self.settings,
            workers=workers,
            patience_s=patience_s,
            load_patience_s=load_patience_s,
            tell=tell,
        )
        return building.build_as_writer(
            self.recipe,
            plan,
            self.store,
            runner,
            lambda store: take_in_release(store, self.name, tree, tell),
            whole=self.whole(plan),
            retry=retry,
            strict=strict,
            wait=wait,
            tell=tell,
            expect=expect,
        )

    def dry_run(self, only: Sequence[str] = ()) -> dry_run.DryRun:
        """Tell what a build would make, and why, without making anything."""
        plan = self.plan(only)
        return dry_run.dry_run(self.recipe, plan, self.stored, self.whole(plan))

    def take_in(self, folder: str | Path, *, wait: bool = False, tell: Tell = _silent) -> int:
        """Ingest the recordings of a folder without building; gives how many entries are new.

        `StopRun` where it holds none, and where somebody else writes and not `wait`.
        """
        contents = self.find(Path(folder))
        building.tell_left_out(contents, tell)
        return building.take_in(self.recipe, self.store, contents, wait=wait, tell=tell)

    def crawl(
        self,
        sources: str | Path | None = None,
        *,
        full: bool = False,
        most: int | None = None,
        screen: bool = True,
        promote_above: float | None = None,
        retry: Sequence[Reason] = (),
        workers: int = 0,
        wait: bool = False,
        tell: Tell = _silent,
        expect: Callable[[int, int], object] = lambda total, settled: None,
    ) -> CrawlEnd:
        """Find what is new, match, fetch, screen and propose it; promote from a score, if given.

        Only what is new since the last crawl is listed, everything with `full`; `most` bounds how
        many items are taken up. Errors are those of `api.crawl.open_crawl`.
        """
        checked("most", most)
        checked("promote-above", promote_above)
        path = Path(sources) if sources is not None else None
        run = open_crawl(self.recipe, self.settings, path, screen=screen, retry=retry, tell=tell)
        new = run.discover(full=full)
        touched = run.work_off(most)
        proposed = run.screen(runner_here(self.settings, workers=workers, tell=tell), expect=expect)
        promoted = run.promote(promote_above, wait=wait)
        return run.end(new=new, touched=touched, proposed=proposed, promoted=len(promoted))

    def review(self) -> list[Recording]:
        """List what a crawl found and a person has to look at, with the evidence for each."""
        return review(self.settings, self.name)

    def promote(
        self, *entries: str, above: float | None = None, wait: bool = False
    ) -> tuple[list[str], list[str]]:
        """Turn proposals into entries, by id or from a score; arguments of `api.crawl.promote`."""
        return promote(self.settings, self.name, entries, above=above, wait=wait)

    def why(self, entry_id: str) -> list[StepOutcome] | NoEntry:
        """List every step that was done for an entry, or what a crawl knows of one that is none."""
        return why(self.settings, entry_id, self.name)

    def correct(self, entry_id: str, what: str, *values: str | float, by: str) -> Correction:
        """Correct what the machine found of an entry; arguments of `api.correcting.correct`.

        ``dataset.correct("sonata", "chord", 4.0, "Am7", by="Ann")``; the next build makes it so.
        """
        return correcting.correct(self.settings, self.name, entry_id, what, *values, by=by)

    def undo_correction(self, correction_id: str, *, by: str) -> Correction:
        """Undo a correction that stands, by its id; gives that correction."""
        return correcting.undo(self.settings, self.name, correction_id, by=by)

    def corrections(self, entry_id: str = "") -> list[Corrected]:
        """List the corrections that stand, of all entries or of one, with their states."""
        return correcting.corrections(self.settings, self.name, entry_id)

    def status(self) -> questions.Status:
        """Tell how far the dataset is: entries made, rejected and open, stages, shards."""
        return questions.status(self.stored, self.name)

    def __len__(self) -> int:
        return len(manifests.read_entries(self.stored.manifests, self.name))

    def __iter__(self) -> Iterator[StoredEntry]:
        """Iterate over the entries of the manifest, in its order."""
        stored = self.stored
        for entry in manifests.read_entries(stored.manifests, self.name):
            yield StoredEntry(entry, stored)

    def __getitem__(self, entry_id: str) -> StoredEntry:
        """Find an entry by its id, or a clip by ``ENTRY@SECONDS`` or its id.

        `KeyError` for none.
        """
        stored = self.stored
        try:
            return stored_entry(stored, entry_id, self.name)
        except StopRun as error:
            raise KeyError(str(error)) from error

    def rows(self, split: str = "train", columns: Sequence[str] = (), *, subset: str = "") -> Rows:
        """Open the rows of a split as numpy arrays (`training.rows.Rows`), all columns by default.

        With `subset` those alone that are marked so (`api.ranking`). ``rows.to_torch()`` gives a
        torch `IterableDataset` of them. `StopRun` where nothing is built, or a column or the
        subset is absent.
        """
        return open_rows(self.stored, self.name, split, columns, subset=subset)

    def verify(self, *, deep: bool = False) -> list[Problem]:
        """List whatever is damaged or missing in what is stored; an empty list where nothing is."""
        return list(verify(self.stored, self.name, CheckCounts(), deep=deep))

    def export(self, folder: str | Path) -> ExportSummary:
        """Write the shards in the layout of their paper's own release."""
        return publishing.export(self.settings, self.name, Path(folder))

    def export_jams(self, folder: str | Path) -> list[Path]:
        """Write ``ENTRY.jams`` of every entry, as it is corrected; see `api.jams`."""
        return jams.export(self.settings, self.name, Path(folder))

    def import_jams(self, *paths: str | Path, by: str) -> dict[str, list[Correction]]:
        """Make corrections of what JAMS files, or folders of them, say otherwise."""
        return jams.take_in(self.settings, self.name, [Path(each) for each in paths], by=by)

    def export_media(
        self,
        folder: str | Path,
        format: str,
        *,
        workers: int = 0,
        patience_s: float = PATIENCE_S,
        tell: Tell = _silent,
        **choices: Any,
    ) -> MediaSummary:
        """Write samples with their recordings: `format` is a name of `media_export.formats`.

        `choices` are the other fields of `api.media.Media`; arguments and errors as
        `api.media.export`.
        """
        return media.export(
            self.settings,
            self.name,
            Path(folder),
            media.Media(format, **choices),
            workers=workers,
            patience_s=patience_s,
            tell=tell,
        )

    def statistics(self, version: str = "") -> Statistics:
        """Compute every figure of the report as plain numbers, of the shards or of a release.

        ``dataset.statistics().figure("tempo").content``. Errors are those of `report`.
        """
        return reporting.statistics(self.settings, self._at(version))

    def report(
        self,
        out: str | Path = "",
        *,
        version: str = "",
        against: str = "",
        samples: int = reporting.SAMPLES,
        overwrite: bool = False,
    ) -> Report:
        """Write a page of the dataset, or of a release of it, with its figures and numbers.

        `out` is a folder, by default ``NAME-report`` here; `against` is another dataset of the
        root, or a release as ``NAME@1.0.0``. What is written and errors are those of
        `api.reporting.report`.
        """
        what = self._at(version)
        return reporting.report(
            self.settings,
            what,
            Path(out or reporting.folder_of(what)),
            against=against,
            samples=samples,
            overwrite=overwrite,
        )

    def _at(self, version: str) -> str:
        return f"{self.name}@{version}" if version else self.name

    def release(
        self,
        version: str,
        *,
        about: str | Path | None = None,
        commercial: bool = False,
        push: str = "",
        public: bool = False,
        to: Sequence[str] = (),
        wait: bool = False,
        tell: Callable[[str], object] = lambda _: None,
    ) -> dict[str, Any]:
        """Freeze the shards under a version (``"1.0.0"``) and copy them; gives its receipt.

        The arguments are the options of `symmv release`. What is not free for commercial use is
        told before anything is written.
        """
        terms = publishing.Terms(Path(about) if about else None, commercial, push, public, to)
        store = self.settings.open_standing()
        release = publishing.release(store, self.name, version, terms=terms, wait=wait, tell=tell)
        return dict(release.receipt)

    def takedown(
        self, name: str, reason: str, *, whole: bool = False, wait: bool = False
    ) -> Takedown:
        """Remove an entry, or a recording ``SITE:ID``, from everything and bar its return."""
        store = self.settings.open_standing()
        return publishing.take_down(store, self.name, name, reason, whole=whole, wait=wait)

    def new_recordings(self, folder: Path) -> int:
        """Count the recordings of a folder that the root does not have."""
        return building.count_new(self.find(folder), self.stored)


def open_dataset(
    what: str | Path,
    root: str | Path | None = None,
    *,
    way: str = "",
    models: Mapping[str, str] | None = None,
    settings: Settings | None = None,
) -> Dataset:
    """Open a dataset by its name or by a recipe file that ends in ``.toml``, in a data root.

    `root` is a folder or an fsspec url, by default what ``SYMMV_ROOT`` says, else ``data``. A
    dataset that stands there goes on by the recipe that it was made by; `way` (``paper``,
    ``released``, ``default``) and `models` (slot to backend) change it. `StopRun` where the
    recipe or a model is not known.

    Examples:
        >>> sb.open_dataset("mine.toml", root="data").name
        'mine'
    """
    choices = settings or read_settings(root=root)
    recipe = remembered.choose_recipe(choices.open_manifests(), what, way=way, models=models)
    return Dataset(recipe, choices)
