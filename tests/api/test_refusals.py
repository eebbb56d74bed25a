"""What is refused leaves nothing behind and says the same at every door; what a takedown leaves."""

import sys
from pathlib import Path
from typing import Any

import pytest

import symmv_builder as sb
from symmv_builder import cli
from symmv_builder.errors import MissingColumns, NoEntries, NoShards
from tests.loopback import make_video

RECIPE = 'name = "NAME"\npairs = false\n[splits]\ntrain = 1\n[steps.music_asset]\n'
REFUSED = [
    (
        "release muvisync 1.0.0",
        "muvisync has no shards in root; run `symmv build muvisync --root root` first",
    ),
    (
        "release pop909 1.0.0",
        "pop909 has no shards in root; run `symmv import pop909 PATH --root root` first",
    ),
    ("release nosuch 1.0.0", "no dataset is called 'nosuch'"),
    ("export nosuch out", "no dataset is called 'nosuch'"),
    ("takedown muvisync nosuch --reason asked", "no entry is called 'nosuch'"),
    ("takedown nosuch youtube:abc --reason asked", "no dataset is called 'nosuch'"),
    ("takedown muvisync youtube:dQw4w9WgXcQ --reason x", "cannot use the data root root"),
    ("promote muvisync --above 0.5", "cannot use the data root root: it holds no dataset"),
    ("promote muvisync --reviewed", "cannot use the data root root: it holds no dataset"),
    ("promote muvisync --above nan", "above is nan; it has to be 0 to 1"),
    ("promote muvisync --above 95", "above is 95; it has to be 0 to 1"),
    ("crawl muvisync --promote-above nan", "promote-above is nan; it has to be 0 to 1"),
    ("promote muvisync nosuch", "no proposal is called 'nosuch'"),
    ("promote nosuch one", "no dataset is called 'nosuch'"),
    ("review nosuch", "no dataset is called 'nosuch'"),
    ("build one.toml", "one has no entries in root; give a folder with --from"),
    ("crawl muvisync --no-screen --sources nosuch.toml", "cannot read nosuch.toml"),
    ("verify nosuch --repair", "no dataset is called 'nosuch'"),
    ("clean nosuch --yes", "no dataset is called 'nosuch'"),
    ("train amt --data muvisync --out runs/of/amt", "muvisync has no shards in root"),
    ("train amt --data nosuch --out runs/of/amt", "no dataset is called 'nosuch'"),
    ("train amt --preset nosuch --show", "no preset is called 'nosuch'; known: paper, small"),
    ("train amt", "a training needs --out, the run's folder, and either --data"),
    ("build muvisync --retry nosuch", "no reason is called 'nosuch'; known: empty_file, "),
    ("crawl muvisync --retry nosuch", "no reason is called 'nosuch'; known: empty_file, "),
    ("import midi . --retry nosuch", "no reason is called 'nosuch'; known: empty_file, "),
]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Calls the command in an empty folder: its exit code, and all that it says."""
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[Any, str]:
        monkeypatch.setattr(sys, "argv", ["symmv", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        said = capsys.readouterr()
        return end.value.code, said.out + said.err

    return call


def write(name: str) -> str:
    Path(f"{name}.toml").write_text(RECIPE.replace("NAME", name))
    return f"{name}.toml"


@pytest.mark.parametrize(("words", "said"), REFUSED, ids=[words for words, _ in REFUSED])
def test_a_command_that_is_refused_leaves_nothing(run: Any, words: str, said: str) -> None:
    write("one")
    code, out = run(*words.split(), "--root", "root")
    assert code == 2
    assert f"symmv: {said}" in out
    assert len(out.strip().splitlines()) == 1
    assert sorted(path.name for path in Path().iterdir()) == ["one.toml"]


def test_a_root_that_is_empty_is_neither_repaired_nor_freed(run: Any) -> None:
    for words in ("verify --repair", "clean --yes"):
        assert run(*words.split(), "--root", "root")[0] == 0
    assert not Path("root").exists()


def test_a_configuration_is_shown_without_data(run: Any) -> None:
    code, out = run("train", "amt", "--preset", "smoke", "--show")
    assert code == 0
    assert "batch_size = " in out


def test_a_build_says_what_was_taken_down_through_another_dataset(run: Any) -> None:
    Path("videos").mkdir()
    for number in range(2):
        make_video(Path("videos") / f"clip{number}.mp4", seed=number)
    for name in ("one", "two"):
        built = sb.open_dataset(write(name), "root").build("videos", workers=1)
        assert (built.made, built.taken_down) == (2, 0)
    code, out = run("takedown", "one", "clip0", "--reason", "not ours", "--root", "root")
    assert code == 0
    hint = "`symmv takedown two clip0 --reason 'not ours' --root root`"
    assert f"two uses the same recording for clip0; it goes with {hint}" in " ".join(out.split())
    code, out = run("status", "two", "--root", "root")
    assert "1 entry is left out: a recording was taken down through" in out
    # It is no fault of the root that its recording is still there: the other dataset uses it.
    code, out = run("verify", "--root", "root")
    assert (code, "use what was taken down through another dataset" in out) == (0, True)
    two = sb.open_dataset("two", "root")
    assert two.dry_run().taken_down == 1
    assert (two.build(workers=1).made, two.build(workers=1).taken_down) == (1, 1)
    code, out = run("build", "two", "--root", "root")
    assert code == 0
    assert "1 entry is left out: a recording was taken down through another dataset" in out
    with pytest.raises(MissingColumns, match="lacks semantic, which symmv has") as lacks:
        two.rows("train", ["semantic"])
    assert lacks.value.steps == ("semantic",)
    with pytest.raises(MissingColumns, match="no step of a recipe makes it"):
        two.rows("train", ["nonsense"])
    sb.open_dataset("one", "root").takedown("clip1", "not ours")
    with pytest.raises(NoEntries, match="nothing can be made of all 2 entries of two"):
        two.build(workers=1)


def test_a_dry_run_says_how_the_recipe_has_changed(run: Any) -> None:
    Path("videos").mkdir()
    make_video(Path("videos") / "clip.mp4")
    name = write("one")
    assert sb.open_dataset(Path(name), Path("root")).take_in("videos") == 1
    assert sb.open_dataset(name, "root").dry_run().changes == ()
    Path(name).write_text(Path(name).read_text().replace("train = 1", "train = 2"))
    code, out = run("build", name, "--root", "root", "--dry-run")
    assert code == 0
    assert "one would be made in another way: splits: {'train': 1} -> {'train': 2}" in out
    assert "train = 1" in Path("root/one/recipe.toml").read_text()


def test_a_folder_may_be_told_as_a_path(run: Any) -> None:
    recipe, root = Path(write("one")), Path("root")
    assert sb.explain(recipe, root).name == sb.read_recipe(recipe, root).name == "one"
    with pytest.raises(NoEntries, match="one has no entries in root"):
        sb.open_dataset(recipe, root).build()
    with pytest.raises(NoShards, match="symmv has no shards in root"):
        sb.train("markov", "symmv", Path("run"), root=root)
    with pytest.raises(NoShards, match="symmv has no shards in root"):
        sb.evaluate("music", dataset="symmv", root=root)
