"""A command imports what it needs: the list of commands, a question and one stage start quickly."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.records import Entry, Source
from symmv_builder.storage import manifests
from symmv_builder.storage.root import Root
from tests.datasets.imports.small_releases import notes

HEAVY = {
    "av", "librosa", "matplotlib", "numba", "numpy", "pandas", "pyarrow", "scipy", "sqlalchemy",
    "torch", "transformers",
}  # fmt: skip
RUN = """
import json, sys
from symmv_builder.cli import main

sys.argv = ["symmv", *sys.argv[1:]]
try:
    main()
finally:
    print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
"""


def imported(*words: str | Path) -> set[str]:
    """The top-level modules that are there when a command has ended."""
    command = [sys.executable, "-c", RUN, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("words", [("--help",), ()])
def test_the_list_of_commands_needs_no_library_of_data(words: tuple[str, ...]) -> None:
    assert imported(*words) & HEAVY == set()


def test_a_question_about_an_empty_root_needs_no_database(tmp_path: Path) -> None:
    assert imported("status", "--root", tmp_path) & HEAVY == {"numpy"}


@pytest.mark.parametrize("dataset", ["muvisync", "symmv"])
def test_a_question_needs_the_database_and_neither_arrow_nor_a_decoder(
    tmp_path: Path, dataset: str
) -> None:
    source = Source("file", "clip")
    entry = Entry("clip", dataset, "clip", source, source)
    manifests.write_entries(Root(str(tmp_path)), dataset, [entry])
    assert imported("status", "--root", tmp_path) & HEAVY == {"numpy", "sqlalchemy"}


def test_one_stage_on_a_midi_file_needs_no_database(tmp_path: Path) -> None:
    tune = tmp_path / "tune.mid"
    tune.write_bytes(midi_bytes({"piano": notes([60, 64, 67, 72] * 8)}))
    assert imported("run", "key", tune) & HEAVY <= {"av", "numpy"}


def test_what_there_is_can_be_listed_without_importing_it() -> None:
    code = (
        "import sys; from symmv_builder import backends, datasets, training\n"
        "assert datasets.built_in() and datasets.importable() and training.names()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    assert {name.split(".")[0] for name in modules} & HEAVY <= {"numpy"}
    listed = ("training.amt", "training.vmcp", "datasets.imports")
    assert modules & {f"symmv_builder.{name}" for name in listed} == set()


def test_a_worker_needs_neither_database_nor_arrow() -> None:
    code = "import symmv_builder.pipeline.pool, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = {name.split(".")[0] for name in done.stdout.split()}
    assert found & HEAVY == {"numpy"}
