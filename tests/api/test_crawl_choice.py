"""A model or recipe that a crawl was told of is what the next command goes on with."""

from pathlib import Path

import pytest

import symmv_builder as sb
from symmv_builder.api.crawl import open_crawl
from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.crawl.titles import Habits

OWN = 'name = "mine"\nbase = "symmv"\n[steps.motion]\nhop_s = 0.5\n'


@pytest.fixture
def crawl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A root; sites answer nothing, and nothing is asked of them here."""
    from symmv_builder.settings import Settings

    monkeypatch.setattr(Settings, "open_site", lambda self: None)
    return str(tmp_path / "root")


def opened(what: str, root: str, **models: str) -> list[str]:
    """What is said while the crawl of a dataset is opened."""
    dataset = sb.open_dataset(what, root, models=models)
    said: list[str] = []
    sources = [CrawlSource("channel", "@x", None, "youtube", "x", "", Habits())]
    open_crawl(
        dataset.recipe,
        dataset.settings,
        sources,
        screen=False,
        tell=lambda event: said.append(event.detail),
    )
    return said


def model_of(name: str, root: str) -> str | None:
    recipe = sb.open_dataset(name, root).recipe
    [semantic] = [use for use in recipe.uses if use.makes == "semantic"]
    return semantic.model


def test_a_model_that_a_crawl_was_told_of_is_remembered(crawl: str) -> None:
    opened("symmv", crawl)
    assert not (Path(crawl) / "symmv" / "recipe.toml").exists()
    opened("symmv", crawl, clip="untrained")
    assert model_of("symmv", crawl) == "untrained-512"
    opened("symmv", crawl)
    assert model_of("symmv", crawl) == "untrained-512"
    said = opened("symmv", crawl, clip="vit-b-32")
    assert any("semantic.model: untrained-512 -> vit-b-32" in line for line in said)
    assert model_of("symmv", crawl) == "vit-b-32"


def test_a_recipe_file_that_a_crawl_began_with_is_remembered(crawl: str, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(OWN)
    opened(str(tmp_path / "mine.toml"), crawl)
    assert model_of("mine", crawl) == "vit-b-32"
