"""A model or recipe that a crawl was told of is what the next command goes on with."""

from dataclasses import dataclass
from pathlib import Path

import pytest

import symmv_builder as sb
from symmv_builder.api.crawl import open_crawl
from symmv_builder.crawl.sources import CrawlSource
from symmv_builder.crawl.titles import Habits
from symmv_builder.errors import Reason, RejectEntry, RetryLater, SessionBlocked, StopRun
from symmv_builder.settings import Settings

OWN = 'name = "mine"\nbase = "symmv"\n[steps.motion]\nhop_s = 0.5\n'


@dataclass
class Site:
    """Answers when it is asked whether it is there, or raises `trouble`."""

    trouble: Exception | None = None

    def check_canary(self) -> None:
        if self.trouble:
            raise self.trouble


@pytest.fixture
def crawl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A root; nothing is asked of a site but whether it is there."""
    monkeypatch.setattr(Settings, "open_site", lambda self: Site())
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


AWAY = SessionBlocked("no route to host", 300.0, reason=Reason.UNREACHABLE)


@pytest.mark.parametrize(
    ("trouble", "is_away"),
    [
        (AWAY, True),
        (SessionBlocked("too many requests"), False),
        (RetryLater("it took too long"), True),
        (RejectEntry(Reason.GEO_BLOCKED, "not in your country"), False),
    ],
)
def test_a_site_that_does_not_answer_when_a_crawl_begins_opens_the_breaker(
    trouble: Exception, is_away: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(trouble)
    monkeypatch.setattr(Settings, "open_site", lambda self: site)
    dataset = sb.open_dataset("symmv", str(tmp_path / "root"))
    channel = [CrawlSource("channel", "@x", None, "youtube", "x", "", Habits())]
    run = open_crawl(dataset.recipe, dataset.settings, channel, screen=False)
    assert run.rests_s > 0
    assert bool(run.end().away) is is_away
    # While the breaker is open nothing is asked at all.
    site.trouble = StopRun("the site has changed")
    assert open_crawl(dataset.recipe, dataset.settings, channel, screen=False).discover() == 0


@pytest.mark.parametrize("text", [None, "001-A song without a tab\n"])
def test_a_list_of_ids_that_cannot_be_read_is_told_before_a_site_is_asked(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(self: Settings) -> None:
        raise AssertionError("the site was opened first")

    monkeypatch.setattr(Settings, "open_site", asked)
    (tmp_path / "sources.toml").write_text('[[ids]]\nfile = "list.txt"\n')
    if text:
        (tmp_path / "list.txt").write_text(text)
    dataset = sb.open_dataset("muvisync", str(tmp_path / "root"))
    with pytest.raises(StopRun, match=r"list\.txt"):
        dataset.crawl(tmp_path / "sources.toml", screen=False)
    assert not (tmp_path / "root").exists()
