"""Prometheus reads what the ledger says, during a build and after it, and of a crawl too."""

import re
import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

import symmv_builder as sb
from flows import metrics
from symmv_builder.api.monitoring import MEASURES, measurements
from symmv_builder.errors import Reason, StopRun
from symmv_builder.records import Listing, Source
from symmv_builder.settings import Settings, read_settings
from symmv_builder.storage import items as states
from symmv_builder.storage.items import Item, Items
from tests.songs import song

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


def scrape(port: int) -> Numbers:
    """Every sample of a scrape by name and labels, read by Prometheus' own parser."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def labelled(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A root with three songs, one of which cannot be read, and a crawl that a site refuses."""
    folder = tmp_path_factory.mktemp("midi")
    song(folder, "a.mid")
    song(folder, "b.mid", 3)
    (folder / "c.mid").write_bytes(b"no MIDI at all")
    root = str(tmp_path_factory.mktemp("root"))
    sb.import_dataset("midi", folder, root, beats="file", workers=1)
    settings = read_settings({}, root=root)
    items = Items(settings.open_store().ledger)
    listing = [Listing(Source("youtube", f"aaaaaaaa{number:03d}"), "<b>") for number in range(5)]
    items.add([Item("symmv", each, "channel:x") for each in listing])
    [first, *_] = items.find("symmv")
    items.save(replace(first, state=states.REJECTED, step="match", reason=Reason.NO_MATCH))
    items.open_breaker("network", 5e9, "refused")
    return settings


def test_what_is_scraped_is_what_the_dataset_says(settings: Settings) -> None:
    numbers = scrape(metrics.export(settings, 0))
    status = sb.open_dataset("midi", settings.root).status()
    assert numbers[labelled("symmv_up")] == 1
    for state, count in (
        ("made", status.made),
        ("rejected", len(status.rejections)),
        ("unfinished", len(status.unfinished)),
    ):
        assert numbers[labelled("symmv_entries", dataset="midi", state=state)] == count
    assert status.made == 2
    for cost in status.stages:
        labels = {"dataset": "midi", "artifact": cost.artifact, "step": cost.step}
        assert numbers[labelled("symmv_step_seconds", **labels)] == cost.seconds
        assert numbers[labelled("symmv_step_results", **labels)] == cost.made + cost.rejected
    sizes = [shard["size_bytes"] for shard in status.shards]
    assert numbers[labelled("symmv_shard_bytes", dataset="midi")] == sum(sizes) > 0


def test_what_the_root_has_nothing_of_is_not_measured(settings: Settings) -> None:
    """An alert of datasets that stand still would ring for every recipe that nobody uses."""
    datasets = {
        (each.name, dict(each.labels)["dataset"])
        for each in measurements(settings)
        if "dataset" in dict(each.labels)
    }
    assert {dataset for name, dataset in datasets if name.startswith("symmv_crawl")} == {"symmv"}
    assert {name for name, dataset in datasets if dataset == "midi"} >= {"symmv_entries"}
    assert {dataset for name, dataset in datasets if name == "symmv_entries"} == {"midi"}


def test_a_crawls_queue_and_breaker_are_there(settings: Settings) -> None:
    numbers = scrape(metrics.export(settings, 0))
    assert numbers[labelled("symmv_crawl_queue", dataset="symmv")] == 4
    labels = {"dataset": "symmv", "state": states.REJECTED, "step": "match", "reason": "no_match"}
    assert numbers[labelled("symmv_crawl_items", **labels)] == 1
    assert numbers[labelled("symmv_breaker_open", breaker="network")] == 1
    assert numbers[labelled("symmv_breaker_open", breaker="outage")] == 0


def test_the_breaker_closes_when_its_time_has_come(settings: Settings) -> None:
    [measured] = [
        each
        for each in measurements(settings, now=lambda: 5e9 - 60)
        if each.name == "symmv_breaker_opens_seconds" and dict(each.labels)["breaker"] == "network"
    ]
    assert measured.value == 60
    later = measurements(settings, now=lambda: 5e9 + 1)
    assert all(each.value == 0 for each in later if each.name.startswith("symmv_breaker"))


def test_every_measure_that_is_documented_is_measured(settings: Settings) -> None:
    names = {measured.name for measured in measurements(settings)}
    assert names == set(MEASURES) - {"symmv_rejections"} or names == set(MEASURES)


def test_an_empty_root_and_one_that_is_not_there_are_measured_too(tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "nothing"):
        numbers = scrape(metrics.export(read_settings({}, root=str(place)), 0))
        assert numbers[labelled("symmv_up")] == 1
    assert not (tmp_path / "nothing").exists()


def test_a_ledger_that_cannot_be_read_is_down_and_says_why(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    environment = {"SYMMV_LEDGER": "postgresql://nobody:secret@127.0.0.1:9/none"}
    port = metrics.export(read_settings(environment, root=str(tmp_path)), 0)
    assert scrape(port) == {labelled("symmv_up"): 0}
    said = capfd.readouterr().err
    assert said.startswith("flows.metrics: ")
    assert "secret" not in said


def test_a_port_that_is_taken_is_one_line(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StopRun, match="no metrics on"):
            metrics.export(settings, taken.getsockname()[1])


def test_the_program_answers_and_ends_when_it_is_told(settings: Settings) -> None:
    command = [sys.executable, "-m", "flows.metrics", "--root", settings.root, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        said = process.stdout.readline()
        found = re.search(r":(\d+)/metrics", said)
        assert found, said
        assert scrape(int(found[1]))[labelled("symmv_up")] == 1
        process.terminate()
        process.wait(20)
