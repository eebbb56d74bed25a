"""How long `symmv verify` takes over many entries of small results.

    python benchmarks/verify.py [ENTRIES...] [--root FOLDER]

Writes a faked dataset through the project's own API, fifteen results an entry, as those of an
import without recordings have them, and looks at it. Prints one JSON line a size: milliseconds an
entry and the peak of memory, which includes the list of all entries.
"""

import argparse
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from symmv_builder.datasets import changes
from symmv_builder.datasets.verify import CheckCounts, verify
from symmv_builder.records import Entry, FeatureTrack, Provenance, Source
from symmv_builder.storage.assets import add_asset_bytes
from symmv_builder.storage.ledger import Ledger, Result
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store
from symmv_builder.timeline import Clock

RESULTS, ROWS = 15, 200
BY = Provenance("fake", 1, "{}", "", "", "", trained=True, inputs="{}")


def open_store(folder: Path) -> Store:
    root = Root(str(folder))
    return Store(root, root, Ledger(f"sqlite:///{folder}/ledger.sqlite"))


def fake(folder: Path, count: int) -> None:
    """Fill a store with entries whose results are small and whose recordings are smaller."""
    folder.mkdir()
    store = open_store(folder)
    root = store.root
    sidecars = Sidecars(root, "midi")
    track = FeatureTrack("track", 1.0, np.arange(ROWS, dtype=np.float64)[:, None], Clock.MUSIC)
    entries, assets = [], {}
    for number in range(count):
        name = f"song{number:06d}"
        source = Source("file", name)
        entries.append(Entry(name, "midi", name, source, source))
        assets["file", name] = add_asset_bytes(root, name.encode())
        for artifact in range(RESULTS):
            sidecars.save(name, f"track{artifact}", f"{number:032x}", track, BY)
    with changes.writing(store, "midi"):
        changes.take_in(store, "midi", entries, assets)
    store.ledger.record_results("midi", results_of(entries))


def results_of(entries: Iterable[Entry]) -> list[Result]:
    return [
        Result(entry.entry_id, f"track{artifact}", "fake", f"{number:032x}", "", 0.5)
        for number, entry in enumerate(entries)
        for artifact in range(RESULTS)
    ]


def measure(count: int, place: Path) -> None:
    # In a process of its own, whose memory is not counted.
    writer = multiprocessing.get_context("spawn").Process(target=fake, args=(place, count))
    writer.start()
    writer.join()
    store, tally = open_store(place), CheckCounts()
    started, cpu = time.perf_counter(), time.process_time()
    problems = list(verify(store, None, tally))
    seconds, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    line = {
        "entries": count,
        "checked": tally.checked,
        "problems": len(problems),
        "seconds": round(seconds, 2),
        "ms_an_entry": round(1000 * seconds / count, 3),
        "cpu_ms_an_entry": round(1000 * cpu_s / count, 3),
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--root", type=Path, help="where the faked datasets go")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.root) as folder:
        for count in arguments.entries:
            measure(count, Path(folder) / str(count))


if __name__ == "__main__":
    main()
