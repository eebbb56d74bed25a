"""A dataset as a page that a person reads: figures, copies, crawl, models, a sample of pairs."""

import hashlib
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from symmv_builder.datasets import remembered
from symmv_builder.datasets.statistics.whole import RECEIPT, Described, describe, describe_release
from symmv_builder.errors import WrongArguments
from symmv_builder.packages import is_installed, not_installed
from symmv_builder.report.dataset_page import DatasetPage, SampleCard, draw_figures, render
from symmv_builder.report.figure import Difference, Statistics
from symmv_builder.settings import Settings
from symmv_builder.storage import manifests
from symmv_builder.storage.outputs import (
    check_outputs,
    finish_set,
    is_made,
    replacing_set,
    write_receipt,
)
from symmv_builder.storage.store import Store
from symmv_builder.version import __version__

__all__ = ["Report", "Statistics"]

NAME = "report"
SAMPLES = 4
Note = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class Report:
    """The files that were written, the page first, and all numbers by dataset and figure."""

    files: list[Path]
    numbers: dict[str, Any]

    @property
    def page(self) -> Path:
        return self.files[0]


def parsed(what: str) -> tuple[str, str]:
    """Dataset and version out of ``NAME``, whose version is empty, or ``NAME@1.0.0``."""
    name, mark, version = what.partition("@")
    if not name or (mark and not version):
        raise WrongArguments(f"{what!r} names no dataset: it is NAME, or NAME@1.0.0 for a release")
    return name, version


def folder_of(what: str) -> str:
    """Name the folder that the report of a dataset or a release is written to by default."""
    name = Path(what).resolve().name if is_release(what) else what.replace("@", "-")
    return f"{name}-report"


def is_release(what: str) -> bool:
    """Check whether a text is the folder of a release, such as one that was downloaded."""
    return Path(what, RECEIPT).is_file()


def statistics(settings: Settings, what: str) -> Statistics:
    """Compute every figure of a dataset or a release as plain numbers.

    A release is ``NAME@1.0.0``, or its folder.

    `StopRun` where nothing is built or released under that name.
    """
    return _describe(settings.open_store(read_only=True), what).statistics


def report(
    settings: Settings,
    what: str,
    out: Path,
    *,
    against: str = "",
    samples: int = SAMPLES,
    overwrite: bool = False,
    note: Note = lambda _: None,
) -> Report:
    """Write ``report.html``, ``report.json`` and every figure as PNG and SVG into a folder.

    `what` and `against` are datasets or releases (``NAME@1.0.0``, or a folder of one); with
    `against` both stand side by side, with tests of whether they differ. `samples` pairs are shown
    with picture and sound, where their recordings are stored; of a release none is. `note` is told
    how far it is. All files take their places together or none does. `StopRun` where nothing is
    built, matplotlib (or scipy, for tests) is not installed, or a file of somebody else would be
    replaced.
    """
    # Before anything is read, which may take a while.
    for package in ("matplotlib", "scipy") if against else ("matplotlib",):
        if not is_installed(package):
            raise not_installed(package, "report")
    places = [out / f"{NAME}.html", out / f"{NAME}.json"]
    check_outputs(places, overwrite=True)
    finish_set(out, NAME, overwrite=overwrite)
    check_outputs(places, overwrite=overwrite, is_ours=is_made(places[1]))
    store = settings.open_store(read_only=True)
    both: list[Described] = []
    for each in filter(None, (what, against)):
        note(f"reading {each}")
        both.append(_describe(store, each))
    tests: tuple[Difference, ...] = ()
    if against:
        from symmv_builder.datasets.statistics.compared import differences

        note("testing for differences")
        tests = differences(both[0].songs, both[1].songs)
    numbers = {
        "made_by": f"symmv-builder {__version__}",
        "datasets": {
            each.statistics.label: {
                "facts": dict(each.statistics.facts),
                "shards": [shard["sha256"] for shard in each.receipt["shards"]],
                "figures": {figure.name: figure.as_json() for figure in each.statistics.figures},
            }
            for each in both
        },
        "differences": [asdict(each) for each in tests],
    }
    with replacing_set(out, NAME, overwrite=overwrite) as staging:
        with tempfile.TemporaryDirectory(prefix="symmv-") as scratch:
            shown, why = _samples(store, what, samples, Path(scratch), note)
            page = DatasetPage(
                _title(both),
                _lead(both),
                tuple(each.statistics for each in both),
                tests,
                shown,
                why,
            )
            note("drawing")
            drawn = draw_figures(page, staging)
            html = render(page, drawn, staging)
        (staging / f"{NAME}.html").write_text(html, encoding="utf-8")
        write_receipt(staging, NAME, _finite(numbers))
        names = sorted(path.name for path in staging.iterdir())
    first = [f"{NAME}.html", f"{NAME}.json"]
    return Report([out / name for name in (*first, *(n for n in names if n not in first))], numbers)


def _describe(store: Store, what: str) -> Described:
    if is_release(what):
        return describe_release(Path(what))
    name, version = parsed(what)
    if "/" in name or not store.root.read(f"{name}/dataset.json"):
        # Released ones may have no shards any more, but a name that nobody knows is a mistake.
        remembered.require_known(store.manifests, name)
    return describe(store, name, version)


def _title(both: list[Described]) -> str:
    return " against ".join(each.statistics.label for each in both)


def _lead(both: list[Described]) -> str:
    digests = ", ".join(f"{each.statistics.label} {hash_of(each.receipt)}" for each in both)
    return f"Report by symmv-builder {__version__}; digest of the shards: {digests}."


def hash_of(receipt: Mapping[str, Any]) -> str:
    """Compute a short digest of what the shards of a receipt hold."""
    text = "".join(shard["sha256"] for shard in receipt["shards"])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _samples(
    store: Store, what: str, count: int, folder: Path, note: Note
) -> tuple[list[SampleCard], str]:
    """Pick pairs of the first dataset, or tell why there is none."""
    from symmv_builder.datasets.statistics.samples import sample, spread

    name, version = ("", "") if is_release(what) else parsed(what)
    if version or not name:
        return [], "A release holds no recordings; the report of the dataset shows pairs."
    samples = []
    entries = manifests.read_entries(store.manifests, name)
    for number, entry in enumerate(spread(entries, count)):
        note(f"sample {number + 1}")
        if (one := sample(store, entry, folder, f"sample-{number}")) is not None:
            samples.append(one)
    if samples or not count:
        return samples, ""
    return [], "No recording of the entries that were looked at is stored here."


def _finite(value: Any) -> Any:
    """Plain values with `None` for what JSON has no number for."""
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    if isinstance(value, float) and value != value:
        return None
    return value
