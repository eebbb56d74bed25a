"""What a person at a terminal reads of an error: what is wrong, and what to type."""

from collections.abc import Iterator

import pytest

from symmv_builder import errors
from symmv_builder.cli import hints
from symmv_builder.cli.advice import ADVICE, advised


@pytest.fixture(autouse=True)
def root_of_the_call() -> Iterator[None]:
    """Tests of other modules may have called commands with roots of their own."""
    hints.remember_root(None)
    yield
    hints.remember_root(None)


SAID = [
    (
        errors.NoShards("symmv", "data"),
        "symmv has no shards in data; run `symmv build symmv` first",
    ),
    (
        errors.NoShards("pop909", "data", is_imported=True),
        "pop909 has no shards in data; run `symmv import pop909 PATH` first",
    ),
    (
        errors.NoEntries("symmv", "data", taken_down=2),
        "nothing can be made of all 2 entries of symmv in data: a recording of each was taken "
        "down; give a folder of other recordings with --from",
    ),
    (
        errors.NoShards("symmv", "data", "symmv in data lacks 2 shards"),
        "symmv in data lacks 2 shards; run `symmv build symmv`",
    ),
    (
        errors.MissingColumns("mine", ["semantic"]),
        "the shards of mine hold no column semantic: it was not made; run `symmv build mine`",
    ),
    (
        errors.MissingColumns("mine", ["semantic"], steps=["semantic"], like="symmv"),
        "the shards of mine hold no column semantic: it was not made; its recipe lacks semantic, "
        "which symmv has; add them to the recipe, as `symmv recipe symmv` shows them, and run "
        "`symmv build mine`",
    ),
    (
        errors.MissingColumns("mine", ["nonsense"], is_unknown=True),
        "the shards of mine hold no column nonsense: it was not made; no step of a recipe makes it",
    ),
    (
        errors.OutputExists("a.mid"),
        "a.mid is there already; --overwrite replaces it",
    ),
    (
        errors.OutputExists("a.mid", remedy="export into another folder"),
        "a.mid is there already; export into another folder",
    ),
    (
        errors.WrongArguments("give `split` or `top_k`, not `x y`"),
        "give --split or --top-k, not `x y`",
    ),
    (errors.WorkersLost("loading", "workers are lost"), "workers are lost"),
    (
        errors.WorkersLost("loading", "workers are killed", is_killed=True),
        "workers are killed; try fewer --workers",
    ),
    (
        errors.RecipeError("recipe.toml", "no", is_remembered=True),
        "recipe.toml: no; a build by a recipe file replaces it",
    ),
    (
        errors.RecipeError("recipe.toml", "no", is_remembered=True, is_installed=True),
        "recipe.toml: no; a build by a recipe file, or by --as default, replaces it",
    ),
    (
        errors.MissingWeights("vit-b-32", "vit-b-32 has no weights", "Run `hf`"),
        "vit-b-32 has no weights. Run `hf`; to try a build out without them: `symmv build DATASET "
        "--clip untrained`; its features have no meaning",
    ),
    (
        errors.MissingWeights("vit-b-32", "vit-b-32 has no weights", "Run `hf`", True),
        "vit-b-32 has no weights; run: symmv models get vit-b-32",
    ),
    (errors.MissingWeights("encodec", "it has none", "Run `hf`"), "it has none. Run `hf`"),
    (errors.StopRun("it is so"), "it is so"),
    (errors.RejectEntry(errors.Reason.SILENT, "no sound"), "silent: no sound"),
]


@pytest.mark.parametrize(("error", "said"), SAID, ids=lambda each: str(each)[:40])
def test_an_error_is_told_with_its_advice(error: errors.SymMVError, said: str) -> None:
    assert advised(error) == said


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (errors.NoShards("symmv", "data two"), "run `symmv build symmv --root 'data two'` first"),
        (
            errors.NoShards("pop909", "data two", is_imported=True),
            "run `symmv import pop909 PATH --root 'data two'` first",
        ),
        (
            errors.MissingResult("toy", "a", "key", "data two"),
            "run `symmv build toy --only key --root 'data two'`",
        ),
        (
            errors.ReleaseExists("toy", "1.0.0", "1.0.1"),
            "the next is `symmv release toy 1.0.1 --root 'data two'`",
        ),
        (
            errors.Damaged("a.parquet", "is gone"),
            "`symmv verify --repair --root 'data two'` sets it right, or says what it lacks",
        ),
    ],
    ids=lambda each: str(each)[:40],
)
def test_advised_commands_act_on_the_root_of_the_call(error: errors.SymMVError, said: str) -> None:
    hints.remember_root("data two")
    assert advised(error).endswith(f"; {said}")


def test_a_subclass_has_the_advice_of_its_class() -> None:
    class Mine(errors.LockLost):
        """Another package's."""

    assert advised(Mine("toy", 120.0)).endswith("; run the same command again")


def test_advice_is_for_situations() -> None:
    assert all(kind.__name__ in errors.__all__ for kind in ADVICE)
