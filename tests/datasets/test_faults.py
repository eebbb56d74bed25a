"""Whose fault it is: the entry's, the program's, or the machine's."""

from dataclasses import replace
from pathlib import Path

import pytest
import toy_build

from symmv_builder.datasets import faults
from symmv_builder.datasets.build import forgive
from symmv_builder.datasets.faults import Failures
from symmv_builder.errors import Reason, StopRun, WorkerBug
from symmv_builder.pipeline import run as pipeline_run
from symmv_builder.pipeline.events import Event
from symmv_builder.pipeline.step import Step, use
from symmv_builder.records import Rejection
from symmv_builder.storage.ledger import Ledger
from symmv_builder.storage.root import Root
from symmv_builder.storage.sidecars import Sidecars
from symmv_builder.storage.store import Store


def make_media(folder: Path, texts: list[str]) -> Path:
    folder.mkdir()
    for number, text in enumerate(texts):
        (folder / f"clip{number:03d}.mp4").write_text(f"{text} {number}")
    return folder


def quick(root: Path, media: Path | None, *, strict: bool = False) -> toy_build.Summary:
    root.mkdir(exist_ok=True)
    url = f"sqlite:///{root}/l.sqlite"
    return toy_build.run(str(root), media, ledger_url=url, workers=0, strict=strict)


def store_in(root: Path) -> Store:
    place = Root(str(root))
    return Store(place, place, Ledger(f"sqlite:///{root}/l.sqlite"))


def rejections(root: Path) -> dict[str, Rejection]:
    """What is stored of every entry that was put aside."""
    store = store_in(root)
    return {
        r.entry_id: Sidecars(store.root, "toy").rejection(r.entry_id, r.artifact, r.key)
        for r in store.ledger.results("toy")
        if r.reason
    }


@pytest.fixture
def tries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files that the toy's first step was given, in order."""
    seen: list[str] = []
    read_facts = toy_build.read_facts

    def counted(music: Path) -> object:
        seen.append(music.read_text())
        return read_facts(music)

    first = replace(toy_build.RECIPE.uses[0].step, run=counted)
    uses = (use(first, makes="music_asset"), toy_build.RECIPE.uses[1])
    monkeypatch.setattr(toy_build, "RECIPE", replace(toy_build.RECIPE, uses=uses))
    return seen


def test_a_bug_is_counted_as_the_program_s_and_the_others_are_made(
    tmp_path: Path, tries: list[str]
) -> None:
    media = make_media(tmp_path / "media", ["keep", "bug", "reject", "keep", "bug"])
    summary = quick(tmp_path / "root", media)
    assert (summary.made, summary.rejected, summary.unfinished) == (2, 3, 0)
    [failures] = summary.failed
    assert failures == Failures("read_facts", 2, "clip001", failures.detail)
    assert failures.detail.startswith("KeyError: 'bug 1' (datasets/toy_build.py:")
    again = quick(tmp_path / "root", media)
    assert (again.up_to_date, again.failed) == (True, summary.failed)
    assert tries.count("bug 1") == 1


def test_another_version_of_the_step_tries_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media = make_media(tmp_path / "media", ["keep", "bug"])
    assert quick(tmp_path / "root", media).failed
    better = Step("read_facts", 2, ("music",), lambda music: toy_build.read_facts(tmp_path / "ok"))
    (tmp_path / "ok").write_text("keep")
    uses = (use(better, makes="music_asset"), toy_build.RECIPE.uses[1])
    monkeypatch.setattr(toy_build, "RECIPE", replace(toy_build.RECIPE, uses=uses))
    summary = quick(tmp_path / "root", None)
    assert (summary.made, summary.failed) == (2, ())


def test_another_version_of_the_program_tries_again(
    tmp_path: Path, tries: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    media = make_media(tmp_path / "media", ["keep", "bug", "reject"])
    quick(tmp_path / "root", media)
    for module in (faults, pipeline_run):
        monkeypatch.setattr(module, "__version__", "99")
    assert quick(tmp_path / "root", media).failed
    assert [tries.count(text) for text in ("keep 0", "bug 1", "reject 2")] == [1, 2, 1]


def test_a_person_can_have_bugs_tried_again(tmp_path: Path, tries: list[str]) -> None:
    media = make_media(tmp_path / "media", ["bug"])
    quick(tmp_path / "root", media)
    assert forgive(store_in(tmp_path / "root"), "toy", [Reason.FAILED]) == 1
    quick(tmp_path / "root", media)
    assert tries == ["bug 0", "bug 0"]


def test_a_strict_build_stops_at_the_first_bug_and_the_next_one_tries_again(
    tmp_path: Path, tries: list[str]
) -> None:
    media = make_media(tmp_path / "media", ["bug", "keep", "bug"])
    with pytest.raises(WorkerBug, match=r"clip000: KeyError(.|\n)*Traceback"):
        quick(tmp_path / "root", media, strict=True)
    assert tries == ["bug 0"]
    assert [r.reason for r in rejections(tmp_path / "root").values()] == [Reason.FAILED]
    quick(tmp_path / "root", media)
    assert tries.count("bug 0") == 2


def test_the_same_bug_in_ten_entries_running_stops_the_build(
    tmp_path: Path, tries: list[str]
) -> None:
    media = make_media(tmp_path / "media", ["keep", *["bug"] * 11, "keep"])
    with pytest.raises(StopRun, match=r"at fault: KeyError at .*toy_build.py.* 10 times"):
        quick(tmp_path / "root", media)
    assert len(tries) == 11
    found = rejections(tmp_path / "root")
    assert len(found) == 10
    assert all(rejection.bug and rejection.bug.traceback for rejection in found.values())
    # They were no verdicts: the next run tries all of them, and stops again.
    with pytest.raises(StopRun):
        quick(tmp_path / "root", media)
    assert tries.count("bug 1") == 2


def test_an_entry_that_gets_past_the_place_of_a_bug_clears_the_count(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", [*["bug"] * 9, "keep", *["bug"] * 9, "reject", "bug"])
    summary = quick(tmp_path / "root", media)
    assert [failures.entries for failures in summary.failed] == [19]


def test_different_bugs_do_not_stop_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(music: Path) -> object:
        if int(music.read_text().split()[1]) % 2:
            raise KeyError("odd")
        raise KeyError("even")

    uses = (use(Step("fail", 1, ("music",), fail), makes="music_asset"), toy_build.RECIPE.uses[1])
    monkeypatch.setattr(toy_build, "RECIPE", replace(toy_build.RECIPE, uses=uses))
    media = make_media(tmp_path / "media", ["keep"] * 14)
    assert quick(tmp_path / "root", media).rejected == 14


@pytest.mark.parametrize("ledger", ["root", "elsewhere"])
def test_a_root_that_is_renamed_under_a_build_stops_it_and_puts_nobody_aside(
    tmp_path: Path, ledger: str
) -> None:
    media = make_media(tmp_path / "media", ["keep"] * 200)
    root, away = tmp_path / "root", tmp_path / "away"
    root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    url, ended = f"sqlite:///{tmp_path / ledger}/l.sqlite", list[str]()

    def take_away(event: Event) -> None:
        if event.kind == "entry":
            ended.append(event.entry_id)
        if len(ended) == 40 and root.exists():
            root.rename(away)

    with pytest.raises(StopRun, match=r"the data root .* is gone|ledger"):
        toy_build.run(str(root), media, ledger_url=url, workers=2, tell=take_away)
    assert not root.exists()
    assert len(ended) < 60
    away.rename(root)
    assert not list(root.glob("toy/sidecars/*/*.rejected.json"))
    summary = toy_build.run(str(root), None, ledger_url=url, workers=2)
    assert (summary.made, summary.rejected, summary.unfinished) == (200, 0, 0)


def test_another_folder_in_the_place_of_the_root_stops_the_build(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", ["keep"] * 20)
    root, url = tmp_path / "root", f"sqlite:///{tmp_path}/l.sqlite"
    root.mkdir()

    def replace_root(event: Event) -> None:
        if event.kind == "entry" and not (tmp_path / "away").exists():
            root.rename(tmp_path / "away")
            root.mkdir()

    with pytest.raises(StopRun, match="another folder came"):
        toy_build.run(str(root), media, ledger_url=url, workers=0, tell=replace_root)
    assert not list(root.iterdir())


def test_a_root_that_is_not_there_stops_a_build_at_once(tmp_path: Path) -> None:
    media = make_media(tmp_path / "media", ["keep"] * 3)
    root, manifests = tmp_path / "root", Root(str(tmp_path / "manifests"))
    url = f"sqlite:///{tmp_path}/l.sqlite"
    root.mkdir()
    toy_build.run(str(root), media, ledger_url=url, workers=0)
    root.rename(tmp_path / "away")
    (tmp_path / "away" / "toy" / "entries.jsonl").rename(tmp_path / "entries.jsonl")
    manifests.write("toy/entries.jsonl", (tmp_path / "entries.jsonl").read_bytes())
    with pytest.raises(StopRun, match="is gone"):
        toy_build.run(
            str(root), None, ledger_url=url, workers=0, manifests_url=str(tmp_path / "manifests")
        )
    assert not root.exists()
