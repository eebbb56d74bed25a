"""A study beside the pages of `symmv web`: raters come in without a token, and nowhere else."""

import json
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from symmv_builder.api import study
from symmv_builder.api.study import Store
from symmv_builder.cli import app
from symmv_builder.errors import WrongSetting
from symmv_builder.settings import read_settings
from symmv_builder.web import raters
from symmv_builder.web.guard import HEADERS, Access
from symmv_builder.web.server import make_app
from tests.report.hostile import STORED
from tests.study.making import made_study, state
from tests.web.rooms import Visitor

TOKEN = "a token of more than sixteen letters"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("study")
    return made_study(place, {"a": 2, "b": 2}, questions="v2meow", raters=3, title=STORED[:200])


@pytest.fixture(scope="module")
def store(folder: Path) -> Store:
    return study.open_store(folder)


@pytest.fixture
def guest(store: Store, tmp_path: Path) -> Visitor:
    """A browser at a server that asks everybody else for a token."""
    settings = read_settings({}, root=str(tmp_path))
    served = make_app(settings, Access(token=TOKEN), studies=[store])
    return Visitor(TestClient(served, base_url="http://127.0.0.1:8000", follow_redirects=False))


def test_a_rater_needs_no_token_and_gets_what_the_answer_store_gives(
    guest: Visitor, store: Store, folder: Path
) -> None:
    at = raters.address(store)
    assert guest.client.get(at.rstrip("/")).headers["location"] == at
    answer = guest.client.get(at)
    assert b'data-store="answers"' in answer.content
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS
    assert "set-cookie" not in answer.headers
    media = next(name for name in store.files if name.endswith(".mp4"))
    part = guest.client.get(at + media, headers={"range": "bytes=0-9"})
    assert (part.status_code, part.content) == (206, store.files[media].read_bytes()[:10])
    headers = {"origin": guest.origin}
    assert guest.client.post(f"{at}session", headers=headers).json() == {"session": 1}
    said = state(store.key, 5, lambda *_: 4)
    sent = guest.client.post(f"{at}answers", json=said, headers=headers)
    assert sent.status_code == 204
    assert json.loads((folder / "answers" / f"{said['rater']}.jsonl").read_text()) == said
    assert study.score(folder).raters == 1


def test_a_rater_sees_nothing_else_of_the_server(guest: Visitor, store: Store) -> None:
    at = raters.address(store)
    for path in ("/", "/runs", "/compose", "/browse/symmv", "/study", "/name"):
        assert guest.client.get(path).headers["location"] == "/login", path
    for path in (
        "key.json", "../key.json", "..%2fkey.json", "answers", "session", "answers/",
        "site/index.html", "../../runs", "%2e%2e/%2e%2e/runs", "..%2f..%2fstatic%2fstyle.css",
    ):  # fmt: skip
        answer = guest.client.get(at + path)
        assert answer.status_code in (303, 404), path
        assert "Datasets" not in answer.text
    for path in ("/study/", "/study/0123456789abcdef/", "/study/%00/"):
        answer = guest.client.get(path)
        assert answer.status_code == 404
        assert store.name not in answer.text


def test_what_no_page_of_the_study_sends_is_refused(guest: Visitor, store: Store) -> None:
    at, said = raters.address(store), state(store.key, 6, lambda *_: 4)
    before = store.raters
    kind = {"content-type": "application/json"}
    for status, headers in (
        (403, kind),
        (403, {**kind, "origin": "http://elsewhere.example"}),
        (403, {**kind, "origin": "null"}),
        (400, {**kind, "origin": "http://elsewhere.example", "host": "elsewhere.example"}),
        (415, {"content-type": "text/plain", "origin": guest.origin}),
        (415, {"content-type": "application/x-www-form-urlencoded", "origin": guest.origin}),
    ):
        sent = guest.client.post(f"{at}answers", content=json.dumps(said), headers=headers)
        assert sent.status_code == status, headers
    big = b" " * (Store.most_bytes + 1)
    headers = {**kind, "origin": guest.origin}
    assert guest.client.post(f"{at}answers", content=big, headers=headers).status_code == 413
    assert guest.client.post(f"{at}answers", content=b"{", headers=headers).status_code == 400
    assert guest.client.post("/study/x/answers", json=said, headers=headers).status_code == 404
    # That raters send JSON opens no other door.
    assert guest.client.post("/login", json=said, headers=headers).status_code == 415
    assert store.raters == before


def test_who_has_the_token_sees_how_many_have_answered(guest: Visitor, store: Store) -> None:
    guest.get("/login")
    guest.send("/login", token=TOKEN)
    page = guest.get("/runs")
    assert f'href="{raters.address(store)}"' in page
    assert "&lt;script&gt;" in page
    assert "<script>alert" not in page


def test_a_name_that_others_call_it_by_needs_a_token() -> None:
    access = Access(names=("music.example",))
    with pytest.raises(WrongSetting, match=r"music\.example"):
        access.check()
    Access(token=TOKEN, names=("music.example",)).check()
    assert access.allows("music.example")
    assert not access.allows("elsewhere.example")


@pytest.mark.parametrize("words", [("web", "--study"), ("study", "serve")])
def test_a_folder_that_is_no_study_is_one_line(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*words, str(tmp_path)])
    assert "not a folder of a study" in str(done.exception)


def test_the_commands_say_where_raters_come_in(
    folder: Path, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("uvicorn.Server.run", interrupted)
    alone = CliRunner().invoke(app, ["study", "serve", str(folder), "--port", "0"])
    assert f"/ serves {folder}; answers go to {folder / 'answers'}" in alone.output
    root = ["--root", str(tmp_path), "--port", "18765", "--takes", str(tmp_path / "takes")]
    beside = CliRunner().invoke(app, ["web", *root, "--study", str(folder)])
    assert f"raters of {folder} open http://127.0.0.1:18765/study/{store.name}/" in beside.output
