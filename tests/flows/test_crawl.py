"""A crawl as a flow, of the loopback site: what is new is found, a refusal is a rest."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("yt_dlp")

from loopback import CHANNEL, HOSTILE, make_video, running, video_id
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey

from flows.crawl import crawl
from flows.leaving import finish
from symmv_builder.demo.catalogue import Description, Failure, Upload
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Items
from symmv_builder.storage.ledger import Ledger

pytestmark = pytest.mark.usefixtures("prefect_server")

SOURCES = '[[channel]]\nsite = "demo"\nref = "piano"\n'


@pytest.fixture
def uploads(tmp_path: Path) -> tuple[Upload, ...]:
    media = make_video(tmp_path / "video.mp4")
    titles = (HOSTILE, "Artist - Song (Official Video)")
    return tuple(
        Upload(video_id(number), title, CHANNEL.name, media) for number, title in enumerate(titles)
    )


@pytest.fixture
def given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("SYMMV_SITES", "demo")
    (tmp_path / "sources.toml").write_text(SOURCES)
    return {
        "dataset": "muvisync",
        "sources": str(tmp_path / "sources.toml"),
        "screen": False,
        "root": str(tmp_path / "root"),
        "items_an_hour": 100_000,
    }


def items(given: dict[str, Any]) -> Items:
    return Items(Ledger(f"sqlite:///{given['root']}/ledger.sqlite"))


def artifact(key: str) -> str:
    """The latest artifact of a key, as it is stored."""
    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    with get_client(sync_client=True) as client:
        found = client.read_artifacts(artifact_filter=wanted)
    latest = max(found, key=lambda one: one.created)  # type: ignore[arg-type,return-value]
    return latest.data if isinstance(latest.data, str) else json.dumps(latest.data)


@pytest.mark.slow
def test_a_crawl_finds_what_is_new_screens_it_and_shows_hostile_titles_as_text(
    given: dict[str, Any], uploads: tuple[Upload, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(monkeypatch, description=Description((CHANNEL,), uploads[:1])) as site:
        first = crawl(**given)
        site.add(uploads[1])
        second = crawl(**given)
        assert len(items(given).find("muvisync", [states.FETCHED])) == 2
        third = crawl(**{**given, "screen": True, "models": {"clip": "untrained"}})
    counts = [(one["new"], one["touched"]) for one in (first, second, third)]  # type: ignore[index]
    assert counts == [(1, 1), (1, 1), (0, 0)]
    assert json.loads(artifact("crawl-muvisync-funnel")) == [
        {"state": "rejected", "step": "screen_length", "reason": "too_short", "items": 2}
    ]
    assert "<script" not in artifact("crawl-muvisync")


@pytest.mark.slow
def test_a_site_that_refuses_us_ends_the_run_well_and_the_next_one_stays_away(
    given: dict[str, Any], uploads: tuple[Upload, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(monkeypatch, *uploads) as site:
        site.fail(Failure.BOT_CHECK)
        refused = crawl(**given, return_state=True)
        visits = len(site.visits())
        again = crawl(**given, return_state=True)
        assert len(site.visits()) == visits
    for state in (refused, again):
        assert (state.name, state.is_completed()) == ("Resting", True)
        assert "goes on after" in str(state.message)
    waiting = items(given).find("muvisync")
    assert {item.attempts for item in waiting} <= {0}


def test_a_site_that_is_away_fails_the_flow_and_spends_no_attempt(
    given: dict[str, Any], uploads: tuple[Upload, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(monkeypatch, *uploads):
        crawl(**{**given, "most": 0})
    state = crawl(**given, return_state=True)
    assert (state.name, state.is_failed(), finish(state)) == ("Unreachable", True, 1)
    assert {item.attempts for item in items(given).find("muvisync")} == {0}


@pytest.mark.slow
def test_what_was_put_aside_for_a_reason_is_tried_again(
    given: dict[str, Any], uploads: tuple[Upload, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(monkeypatch, *uploads):
        crawl(**{**given, "most": 0})
        for item in items(given).find("muvisync"):
            aside = replace(item, state=states.REJECTED, step="parse", reason="unreachable")
            items(given).save(aside)
        done = crawl(**given, retry=["unreachable"])
    assert done["touched"] == len(uploads)  # type: ignore[index]
    assert {item.state for item in items(given).find("muvisync")} == {states.FETCHED}
    state = crawl(**given, retry=["nonsense"], return_state=True)
    assert (state.name, state.is_failed()) == ("Stopped", True)


def test_sources_that_cannot_be_read_stop_the_flow(given: dict[str, Any]) -> None:
    Path(given["sources"]).write_text("[[channel]]\nfer = 'piano'\n")
    state = crawl(**given, return_state=True)
    assert (state.name, state.is_failed()) == ("Stopped", True)
