"""A flow builds on an imported dataset as the command does: by its recipe, in the same words."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from clip import make_clip
from standing import shards_of

from flows.build import build
from symmv_builder.api.option_names import in_options
from symmv_builder.datasets.export import export
from symmv_builder.datasets.schemas import published_schema
from symmv_builder.storage.root import Root
from symmv_builder.storage.shards import ShardWriter, as_plain, write_receipt
from tests.synthetic_rows import make_row

pytestmark = pytest.mark.usefixtures("prefect_server")

MADE = ["density", "emotion", "key", "motion"]


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three songs in MuVi-Sync's layout."""
    made = Root(str(tmp_path_factory.mktemp("made")))
    rows = [make_row("muvisync", n, seconds=20, split="train") for n in range(3)]
    shards = ShardWriter(made, "muvisync", published_schema("muvisync")).write(rows)
    write_receipt(made, "muvisync", {"dataset": "muvisync", "shards": as_plain(shards)})
    folder = tmp_path_factory.mktemp("release")
    export(made, "muvisync", folder)
    return folder


def command(*words: object) -> subprocess.CompletedProcess[str]:
    code = "from symmv_builder.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("choice", ["all", "published emotion", "without own chords"])
def test_a_flow_makes_the_shards_of_an_import_anew_as_they_are(
    choice: str, release: Path, tmp_path: Path
) -> None:
    tree, root = tmp_path / "tree", tmp_path / "root"
    shutil.copytree(release, tree)
    chosen = ["--emotion", "published"] if choice == "published emotion" else []
    if choice == "without own chords":
        shutil.rmtree(tree / "vevo_chord" / "lab_v2")
    told = command("import", "muvi-sync", tree, "--root", root, "--workers", 1, *chosen)
    assert told.returncode == 0, told.stderr
    imported = shards_of(root / "muvi-sync")
    only = [name for name in MADE if name != "key" or choice != "without own chords"]
    for wanted in (["normalised_chords", *only], ["motion"]):
        twin = tmp_path / f"twin-{len(wanted)}"
        shutil.copytree(root, twin)
        told = command(
            "build", "muvi-sync", "--root", twin, "--only", ",".join(wanted), "--workers", 1
        )
        assert told.returncode == 0, told.stderr
        state = build("muvi-sync", root=str(root), only=wanted, workers=1, return_state=True)
        assert state.is_completed(), state.message
        assert shards_of(root / "muvi-sync") == shards_of(twin / "muvi-sync")
    parquet = {name: data for name, data in imported.items() if name.endswith(".parquet")}
    assert parquet
    assert parquet.items() <= shards_of(root / "muvi-sync").items()


def test_strangers_are_refused_by_both_in_the_same_words(release: Path, tmp_path: Path) -> None:
    root, strangers = tmp_path / "root", tmp_path / "strangers"
    told = command("import", "muvi-sync", release, "--root", root, "--workers", 1)
    assert told.returncode == 0, told.stderr
    entries = (root / "muvi-sync" / "entries.jsonl").read_bytes()
    strangers.mkdir()
    make_clip(strangers / "stranger.mp4", chord_s=0.5)
    told = command("build", "muvi-sync", "--root", root, "--from", strangers)
    state = build("muvi-sync", folder=str(strangers), root=str(root), return_state=True)
    assert told.returncode == 2
    assert told.stderr.strip() == f"symmv: {state.message}"
    assert state.name == "Stopped"
    assert (root / "muvi-sync" / "entries.jsonl").read_bytes() == entries


@pytest.mark.slow
def test_wrong_options_are_refused_by_both_in_the_same_words(tmp_path: Path) -> None:
    root = tmp_path / "root"
    for words, named in (
        (["symvm"], {"dataset": "symvm"}),
        (["symmv", "--as", "x"], {"dataset": "symmv", "way": "x"}),
        (["midi"], {"dataset": "midi"}),
        (["midi", "--model", "clip=untrained"], {"dataset": "midi", "models": {"clip": "u"}}),
        (["midi", "--only", "colour"], {"dataset": "midi", "only": ["colour"]}),
        ([str(tmp_path / "x.toml")], {"dataset": str(tmp_path / "x.toml")}),
    ):
        told = command("build", *words, "--root", root)
        state = build(**named, root=str(root), return_state=True)
        assert told.returncode == 2
        # A flow has parameters where a command has options.
        assert told.stderr.strip() == f"symmv: {in_options(str(state.message))}"
