"""The answer store keeps what raters of its page say, and nothing that anybody else asks of it."""

import http.client
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from symmv_builder.api import study
from symmv_builder.errors import NoSuchPath
from symmv_builder.study import store as stores
from symmv_builder.study.key import Key, read_key
from symmv_builder.web import raters
from symmv_builder.web.guard import Access
from tests.study.making import made_study, state
from tests.web.rooms import serving


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_study(tmp_path_factory.mktemp("s"), {"a": 2, "b": 2}, questions="v2meow", raters=3)


@pytest.fixture(scope="module")
def key(folder: Path) -> Key:
    return read_key(folder)


@pytest.fixture(scope="module")
def port(folder: Path) -> Iterator[int]:
    access = Access(names=("study.example",))
    with serving(raters.make_app({"/": study.open_store(folder)}, access)) as at:
        yield int(at.rpartition(":")[2])


def ask(
    port: int, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    link.request(method, path, body, sent)
    found = link.getresponse()
    data = found.read()
    link.close()
    return found.status, {name.lower(): value for name, value in found.getheaders()}, data


def post(port: int, body: Any, **headers: str) -> int:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Origin": f"http://127.0.0.1:{port}", "Content_Type": "application/json"} | headers
    return ask(port, "POST", "/answers", data, **given)[0]


def test_the_page_knows_of_the_store_and_files_have_strict_headers(port: int) -> None:
    status, headers, body = ask(port, "GET", "/")
    assert status == 200
    assert b'data-store="answers"' in body
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert "server" not in headers
    # A rater's browser keeps nothing of this server.
    assert "set-cookie" not in headers


def test_players_can_ask_for_a_part(folder: Path, port: int) -> None:
    path = next((folder / "site").glob("*.mp4"))
    data = path.read_bytes()
    for asked, part in (
        ("bytes=0-99", data[:100]), ("bytes=100-", data[100:]), ("bytes=-7", data[-7:]),
        ("bytes=5-999999999", data[5:]),
    ):  # fmt: skip
        status, headers, body = ask(port, "GET", f"/{path.name}", Range=asked)
        assert (status, body) == (206, part)
        assert headers["content-range"].endswith(f"/{len(data)}")
    assert ask(port, "GET", f"/{path.name}", Range="bytes=99999999-")[0] == 416
    assert ask(port, "GET", f"/{path.name}", Range="lines=1-2")[2] == data
    status, headers, body = ask(port, "HEAD", f"/{path.name}")
    assert (status, headers["content-length"], body) == (200, str(len(data)), b"")


@pytest.mark.parametrize(
    "path",
    ["/../key.json", "/key.json", "/%2e%2e/key.json", "/answers/", "/answers", "//etc/passwd",
     "/site/index.html", "/study.js/..", "/\\..\\key.json", "/index.html%00"],
)  # fmt: skip
def test_nothing_but_the_site_is_given(port: int, path: str) -> None:
    assert ask(port, "GET", path)[0] == 404


def test_an_answer_is_a_line_of_its_raters_file(folder: Path, port: int, key: Key) -> None:
    said = state(key, 1, lambda *_: 4)
    assert post(port, said | {"trials": {}}) == 204
    assert post(port, said) == 204
    path = folder / "answers" / f"{said['rater']}.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [said | {"trials": {}}, said]
    assert path.stat().st_mode & 0o077 == 0
    assert study.score(folder).raters == 1


def test_what_is_not_an_answer_of_this_study_is_refused(
    folder: Path, port: int, key: Key, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = sorted((folder / "answers").iterdir())
    said = state(key, 2, lambda *_: 4)
    assert post(port, b"{") == 400
    assert post(port, b"[" * 50_000) == 400
    assert post(port, said | {"study": "f" * 16}) == 400
    assert post(port, said | {"rater": "../../evil"}) == 400
    assert post(port, said | {"rater": "0" * 32 + "\n"}) == 400
    assert post(port, b'{"format": NaN}') == 400
    assert post(port, b" " * (stores.Store.most_bytes + 1)) == 413
    assert post(port, said, Content_Type="text/plain") == 415
    assert post(port, said, Origin="http://elsewhere.example") == 403
    assert post(port, said, Origin="null") == 403
    assert post(port, said, Host="elsewhere.example", Origin="http://elsewhere.example") == 400
    assert ask(port, "GET", "/", Host="elsewhere.example")[0] == 400
    assert ask(port, "POST", "/answers", b"{}", Content_Type="application/json")[0] == 403
    assert ask(port, "PUT", "/answers", b"{}")[0] == 405
    monkeypatch.setattr(stores, "MOST_OF_A_RATER", 10)
    assert post(port, said) == 507
    monkeypatch.setattr(stores, "MOST_RATERS", 0)
    monkeypatch.setattr(stores, "MOST_OF_A_RATER", 1 << 20)
    assert post(port, said) == 507
    assert sorted((folder / "answers").iterdir()) == before


def test_a_link_in_the_place_of_a_raters_file_is_not_followed(
    folder: Path, port: int, key: Key, tmp_path: Path
) -> None:
    said = state(key, 77, lambda *_: 4)
    link = folder / "answers" / f"{said['rater']}.jsonl"
    link.symlink_to(tmp_path / "elsewhere")
    assert post(port, said) == 507
    assert not (tmp_path / "elsewhere").exists()
    link.unlink()


def test_sessions_are_given_out_in_turn(port: int) -> None:
    origin = f"http://127.0.0.1:{port}"

    def session() -> int:
        found = ask(port, "POST", "/session", b"", Origin=origin)[2]
        return int(json.loads(found)["session"])

    first = session()
    assert [session() for _ in range(3)] == [(first + n) % 3 + 1 for n in range(3)]
    assert ask(port, "POST", "/session", b"")[0] == 403


def test_a_name_that_a_proxy_calls_it_by_is_its_own(port: int, key: Key) -> None:
    said = state(key, 9, lambda *_: 4)
    assert post(port, said, Host="study.example", Origin="https://study.example") == 204
    # That somebody else's page came by TLS makes it none of ours.
    assert post(port, said, Host="study.example", Origin="https://elsewhere.example") == 403
    ours = {"Host": f"127.0.0.1:{port}", "Origin": f"https://127.0.0.1:{port}"}
    assert post(port, said, **ours) == 403


def test_no_study_is_one_line(folder: Path) -> None:
    with pytest.raises(NoSuchPath, match="not a folder of a study"):
        study.open_store(folder / "site")
