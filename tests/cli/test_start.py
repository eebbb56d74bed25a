"""A command imports what it needs: the list of commands, a question and one stage start quickly."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from symmv_builder.backends.midi import midi_bytes
from symmv_builder.records import Entry, Source
from symmv_builder.storage import manifests
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.receipts import write_receipt
from symmv_builder.storage.results import Result
from symmv_builder.storage.root import Root
from tests.datasets.imports.small_releases import notes

HEAVY = {
    "av", "fsspec", "librosa", "matplotlib", "numba", "numpy", "pandas", "pyarrow", "scipy",
    "sqlalchemy", "torch", "transformers",
}  # fmt: skip
RUN = """
import json, sys
from symmv_builder.cli import main

sys.argv = ["symmv", *sys.argv[1:]]
try:
    main()
finally:
    print(json.dumps(sorted(sys.modules)))
"""


def modules(*words: str | Path) -> set[str]:
    """The modules that are there when a command has ended."""
    command = [sys.executable, "-c", RUN, *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def heavy(names: set[str]) -> set[str]:
    return {name.split(".")[0] for name in names} & HEAVY


@pytest.mark.parametrize("words", [("--help",), ()])
def test_the_list_of_commands_needs_no_library_of_data(words: tuple[str, ...]) -> None:
    assert heavy(modules(*words)) == set()


def test_a_question_about_an_empty_root_needs_no_database(tmp_path: Path) -> None:
    names = modules("status", "--root", tmp_path)
    assert heavy(names) == {"numpy"}
    # Nor what is trained.
    assert not {name for name in names if name.startswith("symmv_builder.training")}


@pytest.fixture
def root(tmp_path: Path) -> Root:
    """A root in which an entry of SymMV has notes."""
    root, source = Root(str(tmp_path)), Source("file", "clip")
    manifests.write_entries(root, "symmv", [Entry("clip", "symmv", "clip", source, source)])
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.sqlite")
    ledger.record_results("symmv", [Result("clip", "notes", "transcribe", "k", "x", 1.0)])
    ledger.close()
    return root


def test_a_question_needs_neither_sqlalchemy_nor_arrow_nor_a_decoder(root: Root) -> None:
    assert heavy(modules("status", "--root", root.path(""))) == {"numpy"}


def test_a_question_about_what_is_built_imports_no_step(root: Root) -> None:
    write_receipt(root, "symmv", {"artifacts": ["notes"], "metadata": [], "shards": []})
    names = modules("status", "--root", root.path(""))
    assert not {name for name in names if name.startswith("symmv_builder.music")}


def test_one_stage_on_a_midi_file_needs_no_database(tmp_path: Path) -> None:
    tune = tmp_path / "tune.mid"
    tune.write_bytes(midi_bytes({"piano": notes([60, 64, 67, 72] * 8)}))
    assert heavy(modules("run", "key", tune)) <= {"av", "numpy"}


def test_what_a_build_has_counted_of_a_dataset_is_told_without_arrow() -> None:
    code = "import symmv_builder.datasets.metadata, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    assert names & {"pyarrow", "fsspec"} == set()


def test_what_there_is_can_be_listed_without_importing_it() -> None:
    code = (
        "import sys; from symmv_builder import backends, datasets, training\n"
        "assert datasets.built_in() and datasets.importable() and training.names()\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    names = set(done.stdout.split())
    assert heavy(names) <= {"numpy"}
    listed = ("training.amt", "training.vmcp", "datasets.imports")
    assert names & {f"symmv_builder.{name}" for name in listed} == set()


def test_a_worker_needs_neither_database_nor_arrow() -> None:
    code = "import symmv_builder.pipeline.pool, sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert heavy(set(done.stdout.split())) == {"numpy"}
