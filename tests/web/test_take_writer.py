"""Takes are written one at a time in a process that can be stopped, and survive their server."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from symmv_builder.api.take_writer import TakeWriter
from symmv_builder.api.takes import Project, Takes, Wishes
from tests.web.standin_take import BUG, CRASH, SLOW
from tests.web.studio import House, make_piece

PATIENCE_S = 40.0


@pytest.fixture(scope="module")
def piece(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_piece(tmp_path_factory.mktemp("made"))


@pytest.fixture
def house(tmp_path: Path, piece: Path) -> Iterator[House]:
    (tmp_path / "piece").symlink_to(piece)
    house = House(tmp_path, TakeWriter)
    yield house
    house.writer.close()


def project_of(takes: Takes, owner: str = "local") -> Project:
    with takes.receiving(owner) as place:
        place.write_bytes(b"a video")
        return takes.keep(owner, place, "holiday.mp4")


def order(takes: Takes, project: Project, what: str = "") -> int:
    found = takes.project(project.owner, project.name)
    return takes.order(found, Wishes(primer=what)).number


def until(takes: Takes, project: Project, number: int, *states: str) -> str:
    """The line of a take once it is in one of some states."""
    end = time.monotonic() + PATIENCE_S
    while (take := takes.project(project.owner, project.name).take(number)).state not in states:
        assert time.monotonic() < end, take
        time.sleep(0.02)
    return take.line


def test_each_take_ends_with_one_line_and_the_next_one_is_written(house: House) -> None:
    takes, project = house.takes, project_of(house.takes)
    numbers = {what: order(takes, project, what) for what in (CRASH, BUG, "")}
    house.writer.wake()
    lines = {
        what: until(takes, project, number, "failed", "done") for what, number in numbers.items()
    }
    assert lines[CRASH] == "its process ended with exit code -9"
    assert lines[BUG] == "the program failed: ZeroDivisionError: in the video"
    assert lines[""] == "12 notes"
    done = takes.project("local", project.name).take(numbers[""])
    assert done.state == "done"
    assert done.file("mp4") is not None
    assert done.file("json") is None


def test_a_take_is_stopped_at_once_and_so_is_one_that_waits(house: House) -> None:
    takes, project = house.takes, project_of(house.takes)
    slow, waiting, last = (order(takes, project, what) for what in (SLOW, SLOW, ""))
    house.writer.wake()
    until(takes, project, slow, "running")
    assert [t.state for _, t in takes.waiting()] == ["running", "waiting", "waiting"]
    for number in (waiting, slow):
        house.writer.stop(takes.project("local", project.name).take(number))
    assert until(takes, project, last, "done") == "12 notes"
    assert until(takes, project, slow, "stopped") == "stopped"
    with pytest.raises(Exception, match="ended already"):
        house.writer.stop(takes.project("local", project.name).take(last))


def test_a_take_that_takes_too_long_is_killed(tmp_path: Path) -> None:
    house = House(tmp_path, TakeWriter, patience_s=0.1)
    project = project_of(house.takes)
    number = order(house.takes, project, SLOW)
    house.writer.wake()
    assert until(house.takes, project, number, "failed") == "it took longer than 0.1 s"
    house.writer.close()


def test_takes_survive_the_end_of_their_server(tmp_path: Path, piece: Path) -> None:
    (tmp_path / "piece").symlink_to(piece)
    first = House(tmp_path, TakeWriter)
    project = project_of(first.takes)
    number = order(first.takes, project, SLOW)
    first.writer.wake()
    until(first.takes, project, number, "running")
    first.writer.close()
    waiting = first.takes.project("local", project.name).take(number)
    assert waiting.state == "waiting"
    first.writer.stop(waiting)
    # One that was killed left its take as running, half an upload, and half a deletion.
    number = order(first.takes, project)
    path = project.folder / str(number) / "take.json"
    path.write_text(path.read_text().replace('"waiting"', '"running"'))
    for name in (".part-0123", ".gone-0123"):
        (first.takes.folder / "local" / name).mkdir()
    second = House(tmp_path, TakeWriter)
    second.takes.clear()
    second.writer.wake()
    assert until(second.takes, project, number, "done") == "12 notes"
    assert [path.name for path in (tmp_path / "takes" / "local").iterdir()] == [project.name]
    second.writer.close()


def test_one_of_two_servers_writes(house: House) -> None:
    project = project_of(house.takes)
    number = order(house.takes, project, SLOW)
    house.writer.wake()
    until(house.takes, project, number, "running")
    other = House(house.folder, TakeWriter)
    other.writer.wake()
    time.sleep(0.3)
    # The second would have taken the first one's for that of a dead process.
    assert [take.state for _, take in other.takes.waiting()] == ["running"]
    other.writer.stop(other.takes.project("local", project.name).take(number))
    until(house.takes, project, number, "stopped")
    other.writer.close()


def test_a_project_is_not_deleted_while_it_is_written(house: House) -> None:
    project = project_of(house.takes)
    number = order(house.takes, project, SLOW)
    house.writer.wake()
    until(house.takes, project, number, "running")
    found = house.takes.project("local", project.name)
    with pytest.raises(Exception, match="stop it first"):
        house.takes.delete(found)
    house.writer.stop(found.take(number))
    house.takes.delete(house.takes.project("local", project.name))
    assert not project.folder.exists()


@pytest.mark.parametrize("owner", ["", "..", "LOCAL", "0123456789abcde", "local/x"])
def test_an_owner_is_never_a_path(tmp_path: Path, owner: str) -> None:
    with pytest.raises(ValueError, match="owner"):
        Takes(tmp_path).projects(owner)


@pytest.mark.parametrize("name", ["", ".", "..", "../local", "0" * 15, "G" * 16])
def test_the_name_of_a_project_is_never_a_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(Exception, match="no project is called"):
        Takes(tmp_path).project("local", name)


def test_a_link_in_the_folder_is_no_project(house: House, tmp_path: Path) -> None:
    project = project_of(house.takes)
    os.symlink(project.folder, project.folder.with_name("0" * 16))
    assert [each.name for each in house.takes.projects("local")] == [project.name]
    del tmp_path
